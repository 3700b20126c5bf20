"""The $metadata document: well-formed, and every name in it resolves."""

from xml.etree import ElementTree

import pytest

from solution.metadata import csdl
from solution.model import MODEL

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


@pytest.fixture(scope="module")
def schema() -> ElementTree.Element:
    root = ElementTree.fromstring(csdl(MODEL).encode())
    assert root.tag == "{http://docs.oasis-open.org/odata/ns/edmx}Edmx"
    assert root.get("Version") == "4.0"
    found = root.find(f".//{EDM}Schema")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def types(schema) -> dict[str, ElementTree.Element]:
    return {element.get("Name"): element for element in schema.findall(f"{EDM}EntityType")}


def _target(element: ElementTree.Element) -> str:
    return element.get("Type", "").removeprefix("Collection(").removesuffix(")").removeprefix("mscrm.")


def test_every_table_is_a_type_and_a_set(schema, types):
    sets = {element.get("Name"): element.get("EntityType") for element in schema.iter(f"{EDM}EntitySet")}
    assert set(types) == {*MODEL, "principal"}
    assert sets == {table.entity_set: f"Microsoft.Dynamics.CRM.{name}" for name, table in MODEL.items()}


def test_every_navigation_leads_to_a_type_and_back(types):
    for name, element in types.items():
        for navigation in element.findall(f"{EDM}NavigationProperty"):
            target = types[_target(navigation)]
            partner = navigation.get("Partner")
            if partner:
                back = target.find(f"{EDM}NavigationProperty[@Name='{partner}']")
                assert back is not None
                assert _target(back) == name
                assert back.get("Partner") == navigation.get("Name")


def test_every_constraint_joins_two_properties(types):
    count = 0
    for element in types.values():
        for navigation in element.findall(f"{EDM}NavigationProperty"):
            for constraint in navigation.findall(f"{EDM}ReferentialConstraint"):
                count += 1
                assert element.find(f"{EDM}Property[@Name='{constraint.get('Property')}']") is not None
                assert (
                    types[_target(navigation)].find(f"{EDM}Property[@Name='{constraint.get('ReferencedProperty')}']") is not None
                )
    assert count > 200


def test_every_binding_names_a_navigation_and_the_set_of_its_target(schema, types):
    for element in schema.iter(f"{EDM}EntitySet"):
        of = types[element.get("EntityType", "").removeprefix("Microsoft.Dynamics.CRM.")]
        for binding in element.findall(f"{EDM}NavigationPropertyBinding"):
            navigation = of.find(f"{EDM}NavigationProperty[@Name='{binding.get('Path')}']")
            assert navigation is not None
            assert binding.get("Target") == MODEL[_target(navigation)].entity_set


def test_no_member_of_a_type_stands_twice(types):
    for element in types.values():
        names = [child.get("Name") for child in element if child.get("Name")]
        assert len(set(names)) == len(names)


def test_properties_bear_dataverses_types(types):
    invoice = {element.get("Name"): element for element in types["invoice"].findall(f"{EDM}Property")}
    expected = {
        "duedate": "Edm.Date",
        "datedelivered": "Edm.DateTimeOffset",
        "totalamount": "Edm.Decimal",
        "statuscode": "Edm.Int32",
        "mag_exportstatus": "Edm.Int32",
        "mag_addtoxero": "Edm.Boolean",
        "_customerid_value": "Edm.Guid",
        "versionnumber": "Edm.Int64",
    }
    assert {name: invoice[name].get("Type") for name in expected} == expected
    assert invoice["name"].get("MaxLength") == "300"
    assert invoice["invoiceid"].get("Nullable") == "false"
    assert invoice["discountpercentage"].get("Scale") == "2"


def test_users_and_teams_are_principals(types):
    assert types["principal"].get("Abstract") == "true"
    assert types["systemuser"].get("BaseType") == types["team"].get("BaseType") == "mscrm.principal"
    owner = types["invoice"].find(f"{EDM}NavigationProperty[@Name='ownerid']")
    assert owner is not None
    assert owner.get("Type") == "mscrm.principal"


def test_alternate_keys_are_announced(types):
    paths = {
        name: [value.get("PropertyPath") for value in element.iter(f"{EDM}PropertyValue") if value.get("PropertyPath")]
        for name, element in types.items()
        if MODEL.get(name) and MODEL[name].keys
    }
    assert paths["mag_payment"] == ["mag_xeropaymentid"]
    assert paths["mag_taxrate"] == ["_mag_xeroconnectorid_value", "mag_taxtype"]
