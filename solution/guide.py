"""The schema as a document for people: docs/data-model.md."""

from collections.abc import Iterable, Iterator

from solution.model import MODEL
from solution.schema import CHOICES, MANY_TO_MANY, TABLES
from solution.table import OPTION_BASE, Choice, Column, Level, Ownership, Table

INTRODUCTION = """\
# Data model

What the connector adds to Dynamics 365: its tables, the columns on Dynamics 365's own tables, and the choices.
This page is generated (`python -m solution data-model`) from the rows in `solution/`; change those, never this page.

Every table of ours also has what Dataverse gives every table: the row's id, `createdon`, `modifiedon`, `versionnumber`,
`statecode` and `statuscode`; `ownerid` where users own the rows; `transactioncurrencyid`, `exchangerate` and an amount
in the base currency beside every amount.

Who owns what: payments, credit notes and Sync History belong to the owner of the record they are about, so that
salespeople see those of their own customers. A connector has an owner. Accounts, tax rates, themes, tracking, flows,
price lists and routes belong to the organization: they are the same for everybody.
"""

KINDS = {
    "memo": "Text, several lines",
    "integer": "Whole number",
    "decimal": "Decimal",
    "money": "Currency",
    "boolean": "Yes/No",
    "datetime": "Date and time",
    "date": "Date",
}


def data_model() -> str:
    """Write the guide: tables of ours, columns on Dynamics 365's own, lists of rows on rows, choices."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    yield "## Tables\n"
    yield from _rows(("Table", "Called", "Web API", "Owned by"), (_summary(table) for table in TABLES if table.custom))
    for table in TABLES:
        yield from _table(table)
    yield "## Lists of rows on rows\n"
    yield from _rows(
        ("Relationship", "Label", "Between", "What it says"),
        ((f"`{link.name}`", link.label, f"`{link.first}` and `{link.second}`", link.description) for link in MANY_TO_MANY),
    )
    yield "## Choices\n"
    for choice in CHOICES:
        yield from _choice(choice)


def _summary(table: Table) -> tuple[str, ...]:
    owner = "a user or team" if table.ownership is Ownership.USER else "the organization"
    return f"[`{table.name}`](#{table.name})", table.label, f"`{MODEL[table.name].entity_set}`", owner


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.name}\n" if table.custom else f"## On {table.name}\n"
    yield f"**{table.label}.** {table.description}\n"
    yield from _rows(("Column", "Label", "Type", "Default", "What it means"), (_column(column) for column in table.columns))
    for key in table.keys:
        yield f"Key *{key.label}*: {' + '.join(f'`{name}`' for name in key.columns)} (`{key.name}`).\n"


def _column(column: Column) -> tuple[str, ...]:
    asked = {Level.REQUIRED: " (required)", Level.RECOMMENDED: " (recommended)"}.get(column.level, "")
    return f"`{column.name}`", column.label + asked, _type(column), _default(column), column.description


def _type(column: Column) -> str:
    type_ = column.type
    if type_.choice:
        return f"Choice [{type_.choice.label}](#{type_.choice.name})"
    if type_.targets:
        return "Lookup to " + " or ".join(f"`{target}`" for target in type_.targets)
    if type_.kind == "text":
        return f"Text ({type_.max_length})" if type_.format == "Text" else f"{type_.format} ({type_.max_length})"
    if type_.kind == "memo":
        return f"{KINDS['memo']} ({type_.max_length})"
    if type_.kind == "integer":
        return f"{KINDS['integer']}, {type_.minimum} to {type_.maximum}"
    if type_.kind == "decimal":
        return f"{KINDS['decimal']}, {type_.precision} places"
    return KINDS[type_.kind]


def _default(column: Column) -> str:
    if column.default is None:
        return ""
    if column.type.choice:
        return column.type.options[column.type.choice.values[str(column.default)]]
    return column.type.options[int(column.default)] if column.type.kind == "boolean" else str(column.default)


def _choice(choice: Choice) -> Iterator[str]:
    yield f"### {choice.name}\n"
    yield f"**{choice.label}.** {choice.description}\n"
    yield from _rows(("Value", "Label", "Meaning"), ((str(OPTION_BASE + n), label, text) for n, _, label, text in choice.options))


def _rows(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * len(titles)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""
