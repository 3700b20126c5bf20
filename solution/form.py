"""The language forms are written in, and a form as the formxml Dataverse keeps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from solution import standard
from solution.labels import label
from solution.markup import add
from solution.model import MODEL, ColumnModel
from solution.publisher import LANGUAGE, guid
from solution.schema import TABLES
from solution.views import view

# fmt: off
CONTROLS: Mapping[str, str] = {
    # column type    class of the control that shows it
    "text":         "{4273EDBD-AC1D-40d3-9FB2-095C621B552D}",
    "Email":        "{ADA2203E-B4CD-49be-9DDF-234642B43B52}",
    "Url":          "{71716B6C-711E-476c-8AB8-5D11542BFB47}",
    "memo":         "{E0DECE4B-6FC8-4a8f-A065-082708572369}",
    "integer":      "{C6D124CA-7EDA-4a60-AEA9-7FB8D318B68F}",
    "decimal":      "{C3EFE0C3-0EC6-42be-8349-CBD9079DFD8E}",
    "money":        "{533B9E00-756B-4312-95A0-DC888637AC78}",
    "boolean":      "{67FAC785-CD58-4f9f-ABB3-4B7DDC6ED5ED}",
    "date":         "{5B773807-9FB2-42db-97C3-7A91EFF8ADFF}",
    "datetime":     "{5B773807-9FB2-42db-97C3-7A91EFF8ADFF}",
    "choice":       "{3EF39988-22BB-4f0b-BBBE-64B5A3748AEE}",
    "state":        "{3EF39988-22BB-4f0b-BBBE-64B5A3748AEE}",
    "status":       "{5D68B988-0661-4db2-BC3E-17598AD3BE6C}",
    "lookup":       "{270BD3DB-D9AF-4782-9025-509E298DEC0A}",
    "customer":     "{270BD3DB-D9AF-4782-9025-509E298DEC0A}",
    "owner":        "{270BD3DB-D9AF-4782-9025-509E298DEC0A}",
}
GRID, QUICK_VIEW = "{E7A81278-8635-4d9e-8D4D-59480B391C5B}", "{5C5600E0-1D6E-4205-A272-BE80DA87FD42}"
# fmt: on
SPACER = "-"
MEMO_ROWS = 3


@dataclass(frozen=True)
class Section:
    """Fields under a heading, in reading order over one or two columns; a minus leaves a place free.

    A locked section shows what the connector writes: nobody types there.
    """

    label: str
    fields: str
    columns: int = 1
    locked: bool = False


@dataclass(frozen=True)
class Grid:
    """Rows of another table that belong to the form's row; `relationship` is the one behind the lookup, or an N:N."""

    label: str
    relationship: str
    view: str
    rows: int = 6


@dataclass(frozen=True)
class QuickView:
    """A few columns of the row a lookup points at: one quick view form for each table it can point at."""

    label: str
    lookup: str
    form: str


Part: TypeAlias = Section | Grid | QuickView


@dataclass(frozen=True)
class Tab:
    """One page of a form: columns side by side, each a list of sections."""

    label: str
    columns: tuple[tuple[Part, ...], ...]


@dataclass(frozen=True)
class Form:
    """One form of a table; `header` is the few columns on top of every page, `script` the library run when it opens."""

    table: str
    name: str
    tabs: tuple[Tab, ...]
    type: str = "main"
    header: str = ""
    description: str = ""
    script: str = ""

    @property
    def id(self) -> str:
        """Return the form's id, the same for ever."""
        return guid("form", self.table, self.type, self.name)

    @property
    def parts(self) -> Iterator[Part]:
        """Return every section, grid and quick view, tab by tab."""
        return (part for tab in self.tabs for column in tab.columns for part in column)

    @property
    def sections(self) -> Iterator[Section]:
        """Return every section of fields, tab by tab."""
        return (part for part in self.parts if isinstance(part, Section))


def column_format(table: str, column: str) -> str:
    """Return what kind of text a text column holds: Text, Email, Url or Phone."""
    ours = next((row for row in TABLES if row.name == table), None)
    own = next((found for found in ours.columns if found.name == column), None) if ours else None
    type_ = own.type if own else standard.said(table, column).type
    return (type_.format if type_ else None) or "Text"


def control_class(table: str, column: ColumnModel) -> str:
    """Return the class of the control that shows a column."""
    if column.type == "text":
        return CONTROLS.get(column_format(table, column.name), CONTROLS["text"])
    return CONTROLS[column.type]


def read_only(column: ColumnModel) -> bool:
    """Tell whether nobody types into a column: Dataverse works it out, as an invoice's totals."""
    return not column.create


def grid_target(table: str, relationship: str) -> str:
    """Return the table whose rows a sub-grid lists."""
    model = MODEL[table]
    return (model.one_to_many.get(relationship) or model.many_to_many[relationship])[0]


def rows_of(section: Section, table: str) -> Sequence[Sequence[str]]:
    """Lay the fields out in rows; text of several lines takes a row for itself."""
    rows: list[list[str]] = []
    free = 0
    for name in section.fields.split():
        wide = name != SPACER and MODEL[table].columns[name].type == "memo"
        if wide or free == 0:
            rows.append([])
            free = section.columns
        rows[-1].append(name)
        free = 0 if wide else free - 1
    return rows


def form_xml(form: Form, forms: Sequence[Form]) -> Element:
    """Return the form's XML; `forms` are all forms, of which quick views name some."""
    root = Element("form", {"headerdensity": "HighWithControls"} if form.type == "main" else {})
    tabs = add(root, "tabs")
    for tab in form.tabs:
        _tab(tabs, form, tab, forms)
    if form.type == "main":
        _header(root, form)
    if form.script:
        _script(root, form)
    if form.type == "main":
        conditions = add(root, "DisplayConditions", None, Order=_order(form), FallbackForm="true")
        add(conditions, "Everyone")
    return root


def _order(form: Form) -> int:
    """Put our forms of Dynamics 365's own tables behind the ones people have; on our tables ours comes first."""
    return 0 if MODEL[form.table].custom else 10


def _tab(parent: Element, form: Form, tab: Tab, forms: Sequence[Form]) -> None:
    name = _word(tab.label)
    element = add(parent, "tab", None, name=name, id=guid("tab", form.id, tab.label), IsUserDefined=1, locklevel=0)
    element.attrib |= {"showlabel": "true", "expanded": "true", "verticallayout": "true"}
    _labels(element, tab.label)
    columns = add(element, "columns")
    for n, parts in enumerate(tab.columns):
        sections = add(add(columns, "column", None, width=f"{WIDTHS[len(tab.columns)][n]}%"), "sections")
        for part in parts:
            _section(sections, form, f"{name}_{_word(part.label)}", part, forms)


WIDTHS = {1: (100,), 2: (65, 35), 3: (34, 33, 33)}


def _section(parent: Element, form: Form, name: str, part: Part, forms: Sequence[Form]) -> None:
    columns = part.columns if isinstance(part, Section) else 1
    element = add(parent, "section", None, name=name, showlabel="true", showbar="false", locklevel=0)
    element.attrib |= {"id": guid("section", form.id, name), "IsUserDefined": "0", "layout": "varwidth"}
    element.attrib |= {"columns": "1" * columns, "labelwidth": "150", "celllabelalignment": "Left", "celllabelposition": "Left"}
    _labels(element, part.label)
    rows = add(element, "rows")
    if isinstance(part, Grid):
        _grid(rows, form, name, part)
    elif isinstance(part, QuickView):
        _quick_view(rows, form, name, part, forms)
    else:
        for fields in rows_of(part, form.table):
            _fields(rows, form, name, part, fields)


def _fields(rows: Element, form: Form, section: str, part: Section, fields: Sequence[str]) -> None:
    row = add(rows, "row")
    deep = 1
    for n, name in enumerate(fields):
        if name == SPACER:
            add(row, "cell", None, id=guid("spacer", form.id, section, fields[0], str(n)), showlabel="false", userspacer="true")
            continue
        column = MODEL[form.table].columns[name]
        deep = MEMO_ROWS if column.type == "memo" else 1
        cell = _cell(row, form, section, name, label(form.table, name))
        if deep > 1:
            cell.attrib |= {"rowspan": str(deep), "colspan": str(part.columns), "auto": "false"}
        _control(cell, form, part, column)
    for _ in range(deep - 1):
        add(rows, "row")


def _cell(row: Element, form: Form, section: str, name: str, text: str, show: str = "true") -> Element:
    cell = add(row, "cell", None, id=guid("cell", form.id, section, name), showlabel=show, locklevel=0)
    _labels(cell, text)
    return cell


def _control(cell: Element, form: Form, part: Section, column: ColumnModel) -> None:
    earlier = sum(column.name in one.fields.split() for one in takewhile(lambda one: one is not part, form.sections))
    control = add(cell, "control", None, id=f"{column.name}{earlier or ''}", classid=control_class(form.table, column))
    control.attrib |= {"datafieldname": column.name, "disabled": "true" if part.locked or read_only(column) else "false"}


def _grid(rows: Element, form: Form, section: str, part: Grid) -> None:
    cell = _cell(add(rows, "row"), form, section, part.relationship, part.label, show="false")
    cell.attrib |= {"rowspan": str(part.rows), "colspan": "1", "auto": "false"}
    control = add(cell, "control", None, id=f"grid_{_word(part.label)}", classid=GRID, indicationOfSubgrid="true")
    parameters = add(control, "parameters")
    target = grid_target(form.table, part.relationship)
    view_id = view(target, part.view).id.upper()
    for tag, text in (
        ("ViewId", view_id),
        ("IsUserView", "false"),
        ("RelationshipName", part.relationship),
        ("TargetEntityType", target),
        ("AutoExpand", "Fixed"),
        ("EnableQuickFind", "false"),
        ("EnableViewPicker", "false"),
        ("ViewIds", view_id),
        ("EnableJumpBar", "false"),
        ("ChartGridMode", "Grid"),
        ("RecordsPerPage", part.rows),
    ):
        add(parameters, tag, text)
    for _ in range(part.rows - 1):
        add(rows, "row")


def _quick_view(rows: Element, form: Form, section: str, part: QuickView, forms: Sequence[Form]) -> None:
    cell = _cell(add(rows, "row"), form, section, part.lookup, part.label, show="false")
    cell.attrib |= {"rowspan": "1", "colspan": "1"}
    control = add(cell, "control", None, id=f"quick_{_word(part.label)}", classid=QUICK_VIEW, datafieldname=part.lookup)
    control.set("disabled", "false")
    parameters = add(control, "parameters")
    add(parameters, "DisplayAsCustomer360Tile", "false")
    ids = Element("QuickFormIds")
    for target in MODEL[form.table].columns[part.lookup].targets:
        shown = next(quick for quick in forms if (quick.table, quick.type, quick.name) == (target, "quick", part.form))
        add(ids, "QuickFormId", shown.id.strip("{}"), entityname=target)
    add(parameters, "QuickForms", tostring(ids, encoding="unicode"))


def _header(root: Element, form: Form) -> None:
    fields = form.header.split()
    header = add(root, "header", None, id=guid("header", form.id), celllabelposition="Top")
    header.attrib |= {"columns": "1" * max(len(fields), 1), "labelwidth": "115", "celllabelalignment": "Left"}
    row = add(add(header, "rows"), "row")
    for name in fields:
        column = MODEL[form.table].columns[name]
        cell = _cell(row, form, "header", name, label(form.table, name))
        kind = control_class(form.table, column)
        locked = "true" if read_only(column) else "false"
        add(cell, "control", None, id=f"header_{name}", classid=kind, datafieldname=name, disabled=locked)


def _script(root: Element, form: Form) -> None:
    library = add(add(root, "formLibraries"), "Library", None, name=form.script)
    library.set("libraryUniqueId", guid("library", form.id))
    event = add(add(root, "events"), "event", None, name="onload", application="false", active="false")
    handler = add(add(event, "Handlers"), "Handler", None, functionName="XeroConnector.onLoad", libraryName=form.script)
    handler.attrib |= {
        "handlerUniqueId": guid("handler", form.id),
        "enabled": "true",
        "parameters": "",
        "passExecutionContext": "true",
    }


def _labels(element: Element, text: str) -> None:
    add(add(element, "labels"), "label", None, description=text, languagecode=LANGUAGE)


def _word(text: str) -> str:
    return "".join(letter for letter in text.lower().replace(" ", "_") if letter.isalnum() or letter == "_")
