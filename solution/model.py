"""The tables as the Web API knows them: Dataverse's own and ours in one mapping."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from types import MappingProxyType

from solution import standard
from solution.schema import MANY_TO_MANY, TABLES
from solution.table import Column, Level, Ownership, Table, Type, entity_set, relationship

EDM = {
    "Edm.Guid": "uniqueidentifier",
    "Edm.String": "text",
    "Edm.Int32": "integer",
    "Edm.Int64": "bigint",
    "Edm.Decimal": "decimal",
    "Edm.Double": "double",
    "Edm.Boolean": "boolean",
    "Edm.DateTimeOffset": "datetime",
    "Edm.Date": "date",
}


@dataclass(frozen=True)
class ColumnModel:
    """One column. Lookups bear their logical name (`customerid`, read as `_customerid_value`).

    `type` is one of uniqueidentifier, text, memo, integer, bigint, decimal, money, double, boolean, datetime, date,
    choice, state, status, lookup, owner, customer. `options` of a choice may be empty: then any number is one. A text
    without `max_length` is a platform column whose length nobody here relies on. Amounts without `precision` have the
    places of the row's currency. `states` of a status maps each reason to its state, a state's default reason first.
    `create` and `update` say when a value may be sent. `required` is what the Web API itself refuses to do without
    (SystemRequired); `level` is what forms ask for. `navigation` maps each target table to the single-valued
    navigation property one binds or expands.
    """

    name: str
    type: str
    max_length: int | None = None
    options: Mapping[int, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    navigation: Mapping[str, str] = field(default_factory=dict)
    create: bool = True
    update: bool = True
    precision: int | None = None
    description: str = ""
    default: int | bool | str | None = None
    label: str = ""
    level: Level = Level.OPTIONAL
    minimum: int | None = None
    maximum: int | None = None
    choice: str | None = None
    custom: bool = False
    on_delete: str = "RemoveLink"
    states: Mapping[int, int] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        """Tell whether the Web API itself refuses a row without it."""
        return self.level is Level.SYSTEM

    @property
    def is_lookup(self) -> bool:
        """Tell whether the column points at a row."""
        return self.type in ("lookup", "owner", "customer")

    @property
    def property(self) -> str:
        """Return the name the Web API reads and filters the column by."""
        return f"_{self.name}_value" if self.is_lookup else self.name


@dataclass(frozen=True)
class TableModel:
    """One table: its columns and every navigation property that starts at it."""

    name: str
    entity_set: str
    key: str
    primary_name: str
    columns: Mapping[str, ColumnModel]
    one_to_many: Mapping[str, tuple[str, str]]
    many_to_many: Mapping[str, tuple[str, str]]
    keys: Mapping[str, tuple[str, ...]]
    custom: bool
    ownership: str
    label: str = ""
    description: str = ""


def statuses(table: str) -> Mapping[int, int]:
    """Map each status reason of a table to its state; the first reason of a state is that state's default."""
    column = model()[table].columns.get("statuscode")
    return column.states if column else {}


def default_reason(table: str, state: int) -> int:
    """Return the status reason a state gets when nobody says which."""
    return next(reason for reason, of in statuses(table).items() if of == state)


@cache
def model() -> Mapping[str, TableModel]:
    """Build every table, standard and ours, with the relationships between them resolved."""
    columns = {name: _standard_columns(name, contract) for name, contract in standard.contract().items()}
    for table in TABLES:
        ours = {column.name: _our_column(column) for column in table.columns}
        if table.custom:
            columns[table.name] = _system_columns(table) | ours
        else:
            columns[table.name] |= ours
        columns[table.name] |= _base_amounts(ours.values())
    theirs = {name: _standard_table(name, columns[name]) for name in standard.contract()}
    ours_ = {table.name: _our_table(table, columns[table.name]) for table in TABLES if table.custom}
    return MappingProxyType(theirs | ours_)


def _standard_table(name: str, columns: Mapping[str, ColumnModel]) -> TableModel:
    contract = standard.contract()[name]
    extension = next((table for table in TABLES if table.name == name), None)
    return TableModel(
        name=name,
        entity_set=contract["entity_set"],
        key=contract["key"],
        primary_name=standard.PRIMARY_NAMES.get(name, "name"),
        columns=columns,
        one_to_many=_one_to_many(name),
        many_to_many=_many_to_many(name),
        keys={},
        custom=False,
        ownership=standard.OWNERSHIP.get(name, Ownership.ORGANIZATION),
        label=extension.label if extension else name,
        description=extension.description if extension else "",
    )


def _our_table(table: Table, columns: Mapping[str, ColumnModel]) -> TableModel:
    return TableModel(
        name=table.name,
        entity_set=entity_set(table.name),
        key=f"{table.name}id",
        primary_name="mag_name",
        columns=columns,
        one_to_many=_one_to_many(table.name),
        many_to_many=_many_to_many(table.name),
        keys={key.name: key.columns for key in table.keys},
        custom=True,
        ownership=table.ownership,
        label=table.label,
        description=table.description,
    )


def _one_to_many(name: str) -> Mapping[str, tuple[str, str]]:
    theirs = {nav: (many, column) for one, nav, many, column in standard.ONE_TO_MANY if one == name}
    ours = {
        relationship(table.name, column.name): (table.name, column.name)
        for table in TABLES
        for column in table.columns
        if name in column.type.targets
    }
    return theirs | ours


def _many_to_many(name: str) -> Mapping[str, tuple[str, str]]:
    rows = [*standard.MANY_TO_MANY, *((link.name, link.first, link.second, link.name) for link in MANY_TO_MANY)]
    one = {nav: (second, intersect) for nav, first, second, intersect in rows if first == name}
    return one | {nav: (first, intersect) for nav, first, second, intersect in rows if second == name}


def _our_column(column: Column) -> ColumnModel:
    type_ = column.type
    return ColumnModel(
        name=column.name,
        type=type_.kind,
        max_length=type_.max_length,
        options=type_.options,
        targets=type_.targets,
        navigation={target: column.name for target in type_.targets},
        precision=type_.precision,
        description=column.description,
        default=column.default_value,
        label=column.label,
        level=column.level,
        minimum=type_.minimum,
        maximum=type_.maximum,
        choice=type_.choice.name if type_.choice else None,
        custom=True,
        on_delete=type_.on_delete,
    )


def _standard_columns(name: str, table: standard.Contract) -> dict[str, ColumnModel]:
    found = {}
    for property_, edm in table["columns"].items():
        column = property_[1:-6] if property_.startswith("_") and property_.endswith("_value") else property_
        said = standard.said(name, column)
        type_ = said.type or Type("money" if f"{column}_base" in table["columns"] else _kind(column, property_, edm))
        navigation = _navigation(column, table["navigation"]) if property_ != column else {}
        if type_.kind == "lookup" and len(navigation) > 1:
            type_ = Type("customer", targets=type_.targets)
        if column == "ownerid":
            type_, navigation = Type("owner"), {"systemuser": "ownerid", "team": "ownerid"}
        found[column] = ColumnModel(
            name=column,
            type=type_.kind,
            max_length=type_.max_length,
            options=type_.options,
            targets=tuple(navigation),
            navigation=navigation,
            create="C" in said.written,
            update="U" in said.written and column != table["key"],
            precision=type_.precision,
            description=said.note,
            default=standard.DEFAULTS.get((name, column)),
            level=said.level,
            minimum=type_.minimum,
            maximum=type_.maximum,
            states=type_.states,
        )
    return found


def _kind(column: str, property_: str, edm: str) -> str:
    if property_ != column:
        return "lookup"
    if edm == "Edm.Int32" and column.endswith("code"):
        return {"statecode": "state", "statuscode": "status"}.get(column, "choice")
    return EDM[edm]


def _navigation(column: str, navigation: Mapping[str, str]) -> dict[str, str]:
    """Find the single-valued navigation properties behind a lookup, by target: `x`, `x_target` or `relationship_x`."""
    found = {}
    for property_, target in navigation.items():
        stem = column.removesuffix("id")
        if target.startswith("Collection") or target == "principal":
            continue
        if re.fullmatch(rf"{column}|{column}_\w+|[a-z]+_{column}|{stem}_\w+_\w+", property_):
            found[target] = property_
    return found


def _system_columns(table: Table) -> dict[str, ColumnModel]:
    """Return the columns Dataverse gives every custom table."""
    columns = [
        ColumnModel(f"{table.name}id", "uniqueidentifier", update=False, description="The row's id; the caller may choose it."),
        _written_by_dataverse("createdon", "datetime", "When the row was made."),
        _written_by_dataverse("modifiedon", "datetime", "When the row last changed."),
        _written_by_dataverse("versionnumber", "bigint", "Grows with every change; the ETag is made of it."),
        *(
            _written_by_dataverse(name, "lookup", "Who wrote the row.", "systemuser")
            for name in ("createdby", "modifiedby", "createdonbehalfby", "modifiedonbehalfby")
        ),
        ColumnModel("overriddencreatedon", "datetime", update=False, description="For data migration."),
        ColumnModel("importsequencenumber", "integer", update=False, description="For data migration."),
        ColumnModel(
            "statecode",
            "state",
            options={0: "Active", 1: "Inactive"},
            create=False,
            default=0,
            description="The state of the row.",
        ),
        ColumnModel(
            "statuscode",
            "status",
            options={1: "Active", 2: "Inactive"},
            states={1: 0, 2: 1},
            default=1,
            description="Why the row is in its state.",
        ),
    ]
    if table.ownership is Ownership.USER:
        columns += [
            ColumnModel(
                "ownerid",
                "owner",
                targets=("systemuser", "team"),
                navigation={"systemuser": "ownerid", "team": "ownerid"},
                description="The user or team the row belongs to.",
            ),
            _written_by_dataverse("owninguser", "lookup", "The owner, if a user.", "systemuser"),
            _written_by_dataverse("owningteam", "lookup", "The owner, if a team.", "team"),
            _written_by_dataverse("owningbusinessunit", "lookup", "The owner's business unit.", "businessunit"),
        ]
    else:
        columns.append(_written_by_dataverse("organizationid", "lookup", "The organization the row belongs to.", "organization"))
    if any(column.type.kind == "money" for column in table.columns):
        columns += [
            ColumnModel(
                "transactioncurrencyid",
                "lookup",
                targets=("transactioncurrency",),
                navigation={"transactioncurrency": "transactioncurrencyid"},
                description="The currency of the row's amounts.",
            ),
            replace(
                _written_by_dataverse("exchangerate", "decimal", "Units of the row's currency for one of the base."), precision=12
            ),
        ]
    return {column.name: column for column in columns}


def _written_by_dataverse(name: str, type: str, description: str, *targets: str) -> ColumnModel:
    navigation = {target: name for target in targets}
    return ColumnModel(name, type, targets=targets, navigation=navigation, create=False, update=False, description=description)


def _base_amounts(columns: Iterable[ColumnModel]) -> dict[str, ColumnModel]:
    """Return the amount in the base currency that Dataverse keeps beside every amount."""
    return {
        f"{column.name}_base": _written_by_dataverse(f"{column.name}_base", "money", "The amount in the base currency.")
        for column in columns
        if column.type == "money"
    }


MODEL: Mapping[str, TableModel] = model()
