"""The mapping language: what rows, conditions, fallbacks, lines and checks do."""

import sys
from decimal import Decimal
from typing import Any

import pytest

import mappings
from mappings import table
from mappings.convert import text
from mappings.table import (
    Check,
    Columns,
    Constant,
    Field,
    Lines,
    Link,
    Mapping,
    MappingError,
    Refused,
    Setting,
    Step,
    Written,
    local,
    when,
)

LOUD = when("it is loud", lambda at: at.get("loud") is True, ("loud",), ("volume",))
PERSON = Mapping("Person", "person", "Person", (Field("Name", "name", "Name", text(5)),))


def mapping(*rows: Any, checks: tuple[Check, ...] = ()) -> Mapping:
    return Mapping("Thing", "thing", "Thing", rows, checks)


def flaws(of: Mapping, record: Any, settings: Any = None, links: Any = None) -> list[tuple[str, str]]:
    with pytest.raises(MappingError) as error:
        of.apply(record, settings or {}, links)
    return [(flaw.message, flaw.where) for flaw in error.value.flaws]


@pytest.mark.parametrize("nothing", [{}, {"a": None}, {"a": ""}, {"a": "   "}])
def test_an_absent_source_leaves_its_target_absent(nothing: Any):
    assert mapping(Field("A", "a", "A", text(9))).apply(nothing, {}) == Written({})


@pytest.mark.parametrize("value", [0, False, Decimal(0)])
def test_zero_and_no_are_values(value: Any):
    assert mapping(Field("A", "a", "A")).apply({"a": value}, {}).payload == {"A": value}


def test_dots_walk_into_lookups_and_nested_objects():
    rows = mapping(Field("City", "home.town.name", "Where.City.Name"), Field("Zip", "home.zip", "Where.Zip"))
    record = {"home": {"town": {"name": "Leeds"}, "zip": "LS1"}}
    assert rows.apply(record, {}).payload == {"Where": {"City": {"Name": "Leeds"}, "Zip": "LS1"}}
    assert rows.apply({"home": None}, {}).payload == {}


def test_brackets_name_the_element_of_a_kind():
    rows = mapping(
        Field("A", "a", "Phones[Type=FAX].Number"),
        Field("B", "b", "Phones[Type=DDI].Number"),
        Field("C", "c", "Phones[Type=FAX].Area"),
    )
    written = rows.apply({"a": "1", "b": "2", "c": "3"}, {}).payload
    assert written == {"Phones": [{"Type": "FAX", "Number": "1", "Area": "3"}, {"Type": "DDI", "Number": "2"}]}


def test_a_lookups_name_is_read_from_its_annotation():
    row = Field("Category", "categoryid@name", "Name")
    record = {"_categoryid_value": "x", "_categoryid_value@OData.Community.Display.V1.FormattedValue": "Region"}
    assert mapping(row).apply(record, {}).payload == {"Name": "Region"}
    assert row.columns().select == {"_categoryid_value"}


def test_alternatives_are_tried_in_their_order():
    rows = mapping(
        Field("A", "a", "T"),
        Setting("S", "s.code", "T", otherwise=True),
        Link("L", "l", "T", by="a", otherwise=True),
        Constant("last", "T", otherwise=True),
    )
    assert rows.apply({"a": "1"}, {"s": {"code": "2"}}).payload == {"T": "1"}
    assert rows.apply({}, {"s": {"code": "2"}}).payload == {"T": "2"}
    assert rows.apply({}, {}).payload == {"T": "last"}


def test_a_refused_value_is_not_replaced_by_a_fallback():
    rows = mapping(Field("A", "a", "T", text(2)), Setting("S", "s", "T", otherwise=True, required="Say it."))
    assert flaws(rows, {"a": "123"}, {"s": "2"}) == [("The text has 3 characters; Xero takes 2.", "A (a)")]


def test_a_link_is_chosen_by_a_column():
    rows = mapping(Link("Account", "accounts", "Code", by="product.number"))
    assert rows.apply({"product": {"number": "P1"}}, {}, {"accounts": {"P1": "200"}}).payload == {"Code": "200"}
    assert rows.apply({"product": None}, {}, {"accounts": {"P1": "200"}}).payload == {}
    assert rows.columns().lookups["product"].select == {"number"}


def test_a_condition_decides_and_its_columns_are_read():
    rows = mapping(Field("A", "a", "T", when=LOUD), Field("B", "b", "T", when=~LOUD))
    assert rows.apply({"a": 1, "b": 2, "loud": True}, {}).payload == {"T": 1}
    assert rows.apply({"a": 1, "b": 2, "loud": False}, {}).payload == {"T": 2}
    assert rows.columns().select == {"a", "b", "loud"}
    assert rows.settings_columns().select == {"volume"}


def test_conditions_know_what_they_exclude():
    calm = when("it is calm", lambda at: True)
    assert LOUD.excludes(~LOUD)
    assert (LOUD & calm).excludes(~calm)
    assert not LOUD.excludes(calm)
    assert str(LOUD & ~calm) == "when it is loud, unless it is calm"


def test_every_problem_is_reported_at_once_with_its_place():
    rows = mapping(
        Field("Name", "name", "Name", text(2)),
        Setting("Code", "code", "Code", text(2), required="Choose one."),
        Lines("People", "people", "People", PERSON),
        checks=(Check("never", lambda at: at.refuse("Never.", where="Here")),),
    )
    record = {"name": "abc", "people": [{"name": "ok"}, {"name": "too long"}]}
    assert flaws(rows, record) == [
        ("The text has 3 characters; Xero takes 2.", "Name (name)"),
        ("The text has 8 characters; Xero takes 5.", "Name (name), line 2"),
        ("Code is missing.", "Code (mag_xeroconnector.code)"),
        ("Never.", "Here"),
    ]


def test_who_must_act_follows_from_the_row():
    rows = mapping(Field("A", "a", "A", text(1)), Setting("S", "s", "S", text(1)))
    with pytest.raises(MappingError) as error:
        rows.apply({"a": "12"}, {"s": "12"})
    assert [flaw.who for flaw in error.value.flaws] == ["salesperson", "administrator"]


def test_a_lookup_to_a_row_that_is_gone_is_a_flaw():
    row = Field("Product", "productid.name", "Name")
    assert mapping(row).apply({"productid": None, "_productid_value": None}, {}).payload == {}
    ((message, where),) = flaws(mapping(row), {"productid": None, "_productid_value": "x"})
    assert "was deleted" in message
    assert where == "Product (productid)"


def test_a_rehearsal_does_not_ask_for_links():
    rows = mapping(Link("Customer", "id", "Id", required="Send again."))
    assert rows.apply({}, {}, None).payload == {}
    assert flaws(rows, {}, {}, {}) == [("Customer is missing.", "Customer")]


def test_lines_pass_through_their_steps_and_append():
    upper = Step(
        "Upper case.", lambda lines, at: [{"name": line["name"].upper()} for line in lines], ("extra",), ("header",), ("wish",)
    )
    rows = mapping(
        Lines("People", "people", "All", PERSON, steps=(upper,)),
        Lines("Itself", "name", "All", Mapping("Itself", "thing", "Person", (Field("Name", "name", "Name"),)), of_itself=True),
    )
    record = {"name": "me", "people": [{"name": "a"}, {"name": "b"}]}
    assert rows.apply(record, {}).payload == {"All": [{"Name": "A"}, {"Name": "B"}, {"Name": "me"}]}
    assert rows.columns() == Columns(
        "thing", frozenset({"header", "name"}), children={"people": Columns("person", frozenset({"name", "extra"}))}
    )
    assert rows.settings_columns().select == {"wish"}


def test_no_lines_leave_the_list_absent():
    assert mapping(Lines("People", "people", "All", PERSON)).apply({"people": []}, {}).payload == {}


def test_a_refusal_inside_a_step_is_a_flaw_of_the_lines():
    def stop(lines: Any, at: Any) -> Any:
        raise Refused("Stop.", "Go.", "bookkeeper", "There")

    rows = mapping(Lines("People", "people", "All", PERSON, steps=(Step("Stop.", stop),)))
    with pytest.raises(MappingError) as error:
        rows.apply({"people": [{"name": "a"}]}, {})
    assert error.value.flaws == (table.Flaw("Stop.", "There", "Go.", "bookkeeper"),)


def test_many_to_many_rows_are_links_to_read():
    assert mapping(Lines("Tags", "tags", "Tags", PERSON, many_to_many=True)).columns().links == {"tags": PERSON.columns()}


def test_columns_join_whatever_their_depth():
    one = mapping(Field("A", "x.y.a", "A")).columns()
    other = mapping(Field("B", "x.y.b", "B"), Field("C", "c", "C")).columns()
    assert (one | other).lookups["x"].lookups["y"].select == {"a", "b"}
    assert (one | other).select == {"c"}
    assert one.under("thingid").select == {"_thingid_value"}
    assert one.inside("things").children == {"things": one}


def test_the_record_itself_is_never_changed():
    record = {"name": "me", "people": [{"name": "a"}]}
    add = Step("Add.", lambda lines, at: [line | {"name": "b"} for line in lines])
    mapping(Lines("People", "people", "All", PERSON, steps=(add,))).apply(record, {})
    assert record == {"name": "me", "people": [{"name": "a"}]}


def test_rows_of_the_users_own_join_a_table_or_take_the_place_of_ours(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    ours = mapping(Field("A", "a", "A"), Field("B", "b", "B"))
    (tmp_path / "local.py").write_text(
        "from mappings.table import Field\nTHING = (Field('Own', 'new_own', 'C'), Field('Other', 'new_b', 'B'), Field('Else', 'e', 'A', otherwise=True))\n",
        encoding="utf-8",
    )
    assert local("ANOTHER", ours) is ours
    monkeypatch.delitem(sys.modules, "mappings.local", raising=False)
    monkeypatch.setattr(mappings, "__path__", [str(tmp_path)])
    monkeypatch.setattr(mappings, "local", None, raising=False)  # so that what the import binds is undone
    try:
        rows = [(row.source, row.target) for row in local("THING", ours).rows]
    finally:
        sys.modules.pop("mappings.local", None)
    assert rows == [("a", "A"), ("new_own", "C"), ("new_b", "B"), ("e", "A")]
