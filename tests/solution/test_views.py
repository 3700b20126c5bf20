"""Views: the query and the grid of each agree, and name only what exists."""

from collections import Counter
from xml.etree.ElementTree import Element

import pytest

from tests.solution.export import customizations, entities, found, text
from tests.solution.known import columns, tables

KINDS = {"0": "public", "1": "advanced find", "2": "associated", "4": "quick find", "64": "lookup"}
OPERATORS = {"eq", "ne", "gt", "in", "like", "not-null"}


def _name(view: Element) -> str:
    return str(found(view, "LocalizedNames/LocalizedName").get("description"))


VIEWS = [pytest.param(entity, view, id=f"{entity.name}-{_name(view)}") for entity in entities().values() for view in entity.views]
OURS = [entity for entity in entities().values() if entity.ours]


def _attributes(element: Element) -> list[str]:
    return [str(attribute.get("name")) for attribute in element.findall("attribute")]


@pytest.mark.parametrize(("entity", "view"), VIEWS)
def test_the_query_asks_a_table_for_columns_it_has(entity, view):
    query = found(view, "fetchxml/fetch/entity")
    assert query.get("name") == entity.name
    assert set(_attributes(query)) <= set(columns(entity.name))
    assert len(_attributes(query)) == len(set(_attributes(query)))
    assert {order.get("attribute") for order in query.findall("order")} <= set(columns(entity.name))
    assert all(order.get("descending") in ("true", "false") for order in query.findall("order"))


@pytest.mark.parametrize(("entity", "view"), VIEWS)
def test_a_linked_table_is_the_one_the_lookup_points_at(entity, view):
    targets = {
        (text(r, "ReferencingEntityName").lower(), text(r, "ReferencingAttributeName")): text(r, "ReferencedEntityName").lower()
        for r in found(customizations(), "EntityRelationships")
        if text(r, "EntityRelationshipType") == "OneToMany"
    }
    for link in found(view, "fetchxml/fetch/entity").findall("link-entity"):
        assert link.get("name") == targets[entity.name, str(link.get("to"))]
        assert link.get("from") == f"{link.get('name')}id"
        assert set(_attributes(link)) <= set(columns(str(link.get("name"))))
        assert link.get("link-type") == ("inner" if link.find("filter") is not None else "outer")


@pytest.mark.parametrize(("entity", "view"), VIEWS)
def test_every_condition_is_one_the_column_can_meet(entity, view):
    query = found(view, "fetchxml/fetch/entity")
    for element, table in [(query, entity.name), *((link, str(link.get("name"))) for link in query.findall("link-entity"))]:
        for filter_ in element.findall("filter"):
            for condition in filter_.iter("condition"):
                _check(condition, table)


def _check(condition: Element, table: str) -> None:
    name, operator = str(condition.get("attribute")), condition.get("operator")
    assert operator in OPERATORS
    kind = columns(table)[name]
    values = [str(condition.get("value"))] if condition.get("value") is not None else [str(value.text) for value in condition]
    assert bool(values) == (operator != "not-null")
    if kind == "picklist":
        choice = entities()[table].attributes[name].OptionSetName
        options = found(customizations(), f"optionsets/optionset[@Name='{choice}']/options")
        assert set(values) <= {option.get("value") for option in options}
    elif kind in ("bit", "state"):
        assert set(values) <= {"0", "1"}
    elif operator == "like":
        assert values == ["{0}"]
        assert kind.startswith(("nvarchar", "ntext"))
    elif values:
        assert kind in ("money", "int", "decimal")
        assert all(value.lstrip("-").isdigit() for value in values)


@pytest.mark.parametrize(("entity", "view"), VIEWS)
def test_the_grid_shows_what_the_query_asks_for_and_opens_the_row(entity, view):
    query, grid = found(view, "fetchxml/fetch/entity"), found(view, "layoutxml/grid")
    asked = set(_attributes(query))
    for link in query.findall("link-entity"):
        asked |= {f"{link.get('alias')}.{name}" for name in _attributes(link)}
    cells = found(grid, "row").findall("cell")
    shown = [cell.get("name") for cell in cells]
    key = f"{entity.name}id"
    assert set(shown) == asked - {key}
    assert len(shown) == len(set(shown))
    assert found(grid, "row").get("id") == key
    assert key in asked
    assert all(50 <= int(str(cell.get("width"))) <= 400 for cell in cells)


@pytest.mark.parametrize(("entity", "view"), VIEWS)
def test_a_view_says_what_kind_it_is(entity, view):
    kind = KINDS[text(view, "querytype")]
    searched = view.find("fetchxml/fetch/entity/filter[@isquickfindfields='1']") is not None
    assert searched == (kind == "quick find") == (text(view, "isquickfindquery") == "1")
    assert text(view, "isprivate") == "0"
    assert 1 <= len(_name(view)) <= 100


@pytest.mark.parametrize("entity", OURS, ids=lambda entity: entity.name)
def test_our_table_has_one_default_view_of_each_kind(entity):
    default = Counter(KINDS[text(view, "querytype")] for view in entity.views if text(view, "isdefault") == "1")
    assert default == dict.fromkeys(KINDS.values(), 1)


@pytest.mark.parametrize("entity", [entity for entity in entities().values() if not entity.ours], ids=lambda entity: entity.name)
def test_the_default_view_of_a_table_of_dynamics_stays_the_one_people_have(entity):
    assert [_name(view) for view in entity.views if text(view, "isdefault") == "1"] == []
    assert {KINDS[text(view, "querytype")] for view in entity.views} == {"public"}


@pytest.mark.parametrize("entity", list(entities().values()), ids=lambda entity: entity.name)
def test_views_of_a_table_have_names_of_their_own(entity):
    assert [name for name, n in Counter(map(_name, entity.views)).items() if n > 1] == []


def test_the_lists_people_work_from_are_there():
    names = {entity.name: {_name(view) for view in entity.views} for entity in entities().values()}
    assert {
        "Waiting to Go to Xero",
        "Failed to Go to Xero",
        "Synced with Xero",
        "Unpaid in Xero",
        "Invoices by Xero Connector",
    } <= names["invoice"]
    assert {"Failed Invoices with Reason", "Waiting Invoices with Reason", "Warnings"} <= names["mag_synchistory"]
    assert {"Credit Notes Waiting to Go to Xero", "Credit Notes that Failed"} <= names["mag_creditnote"]


def test_the_reason_is_shown_beside_the_failed_invoice():
    (view,) = [view for view in entities()["mag_synchistory"].views if _name(view) == "Failed Invoices with Reason"]
    shown = [cell.get("name") for cell in found(view, "layoutxml/grid/row")]
    assert {"mag_invoiceid", "mag_cause", "mag_fix", "mag_whoacts"} <= set(shown)
    link = found(view, "fetchxml/fetch/entity/link-entity")
    assert found(link, "filter/condition").attrib == {"attribute": "mag_exportstatus", "operator": "eq", "value": "411140002"}


def test_every_table_with_views_is_known():
    assert {entity.name for entity in entities().values() if entity.views} <= tables()


@pytest.mark.parametrize(
    ("table", "owing", "overdue"),
    [("account", "Accounts that Owe", "Accounts Overdue"), ("contact", "Contacts that Owe", "Contacts Overdue")],
)
def test_what_customers_owe_is_seen_in_lists_of_accounts_and_contacts(table, owing, overdue):
    """A366, A367."""
    views = {_name(view): view for view in entities()[table].views}
    for name in (owing, overdue):
        shown = {cell.get("name") for cell in found(views[name], "layoutxml/grid/row")}
        assert {"mag_amountowed", "mag_amountoverdue"} <= shown, name


def test_the_invoices_of_a_list_show_what_is_due_and_its_payments_and_credits_what_they_are():
    unpaid = {_name(view): view for view in entities()["invoice"].views}["Unpaid in Xero"]
    assert "mag_amountdue" in {cell.get("name") for cell in found(unpaid, "layoutxml/grid/row")}
    for table, name, wanted in (
        ("mag_payment", "Payments of an Invoice", {"mag_paymentdate", "mag_amount", "mag_reference", "mag_xeroaccountcodeid", "mag_paymentstatus"}),
        ("mag_creditnote", "Credit Notes of an Invoice", {"mag_creditdate", "mag_creditnotenumber", "mag_amount", "mag_reference"}),
    ):  # fmt: skip
        view = next(view for view in entities()[table].views if _name(view) == name)
        assert wanted <= {cell.get("name") for cell in found(view, "layoutxml/grid/row")}
