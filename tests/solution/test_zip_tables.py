"""Tables, columns, keys, choices and relationships of the zip: everything a name leads to is there."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from tests.solution.export import Entity, customizations, entities, found, text

ROOT = Path(__file__).parents[2]
STANDARD = json.loads((ROOT / "solution" / "standard.json").read_text("utf-8"))
CONTRACT = json.loads((ROOT / "solution" / "contract.json").read_text("utf-8"))["tables"]
OURS = [name for name, entity in entities().items() if entity.ours]
WITH_AMOUNTS = ["mag_creditnote", "mag_payment"]

# fmt: off
ENTITY_SETS = {
    "mag_brandingtheme": "mag_brandingthemes", "mag_creditnote": "mag_creditnotes", "mag_payment": "mag_payments",
    "mag_synchistory": "mag_synchistories", "mag_taxrate": "mag_taxrates", "mag_trackingcategory": "mag_trackingcategories",
    "mag_trackingoption": "mag_trackingoptions", "mag_xeroaccountcode": "mag_xeroaccountcodes", "mag_xeroconnector": "mag_xeroconnectors",
    "mag_xeroflow": "mag_xeroflows", "mag_xeropricelist": "mag_xeropricelists", "mag_xeroroute": "mag_xeroroutes",
}
EVERYWHERE = {
    "createdby": "lookup", "createdon": "datetime", "createdonbehalfby": "lookup", "importsequencenumber": "int", "modifiedby": "lookup",
    "modifiedon": "datetime", "modifiedonbehalfby": "lookup", "overriddencreatedon": "datetime", "statecode": "state", "statuscode": "status",
    "timezoneruleversionnumber": "int", "utcconversiontimezonecode": "int",
}
BY_OWNERSHIP = {
    "UserOwned": {"ownerid": "owner", "owningbusinessunit": "lookup", "owningteam": "lookup", "owninguser": "lookup"},
    "OrgOwned": {"organizationid": "lookup"},
}
KINDS = {  # the Web API's kind of a column → Dataverse's in a solution file
    "text": "nvarchar", "memo": "ntext", "integer": "int", "decimal": "decimal", "money": "money", "boolean": "bit", "choice": "picklist",
    "lookup": "lookup", "date": "datetime", "datetime": "datetime",
}
TAILS = {
    "nvarchar": {"Format", "MaxLength", "Length"}, "ntext": {"Format", "MaxLength"}, "int": {"Format", "MinValue", "MaxValue"},
    "decimal": {"MinValue", "MaxValue", "Accuracy"}, "money": {"MinValue", "MaxValue", "Accuracy", "AccuracySource"},
    "datetime": {"Format", "CanChangeDateTimeBehavior", "Behavior"}, "bit": {"AppDefaultValue", "optionset"},
    "picklist": {"AppDefaultValue", "OptionSetName"}, "lookup": {"LookupStyle", "LookupTypes"}, "owner": {"LookupStyle", "LookupTypes"},
    "state": {"optionset"}, "status": {"optionset"}, "primarykey": set(),
}
SPEC_5 = {
    "invoice": "mag_addtoxero mag_synchedwithxero mag_xeroconnectorid mag_xeroid mag_xeroinvoicenumber mag_xeroinvoicestatus mag_xeroinvoiceurl mag_xeropaynowlink "
               "mag_exportstatus mag_exportdate mag_invoicetype mag_lineamounttypes mag_creditsinvoiceid mag_brandingthemeid mag_reference mag_xerotax mag_amountdue "
               "mag_amountpaid mag_amountcredited mag_sendemailfromxero mag_emailsentfromxero",
    "invoicedetail": "mag_xeroaccountcodeid mag_taxrateid",
    "account": "mag_primarybillingcontactid mag_amountowed mag_amountoverdue mag_xerocontacturl",
    "contact": "mag_amountowed mag_amountoverdue mag_xerocontacturl",
}
# fmt: on


def test_the_tables_are_those_of_the_specification():
    assert {name: text(entities()[name].info, "EntitySetName") for name in OURS} == ENTITY_SETS
    assert set(entities()) - set(OURS) == set(SPEC_5)


@pytest.mark.parametrize("table", sorted(SPEC_5))
def test_a_table_of_dynamics_gets_our_columns_and_nothing_else_of_it_is_touched(table):
    entity = entities()[table]
    added = {name for name in entity.attributes if not name.endswith("_base")}
    assert added == set(SPEC_5[table].split())
    assert [child.tag for child in entity.info] == ["attributes"]
    assert not set(entity.attributes) & {name.strip("_").removesuffix("_value") for name in STANDARD[table]["columns"]}


@pytest.mark.parametrize("table", sorted(entities()))
def test_every_column_the_product_knows_is_there_with_its_type(table):
    known = {name: kind for name, kind in CONTRACT[table]["columns"].items() if name.startswith("mag_") and name != f"{table}id"}
    listed = {name: attribute.kind for name, attribute in entities()[table].attributes.items() if attribute.custom}
    assert listed == {name: KINDS[kind] for name, kind in known.items()}


@pytest.mark.parametrize("table", OURS)
def test_our_table_has_the_columns_dataverse_gives_every_table(table):
    entity = entities()[table]
    system = {name: attribute.kind for name, attribute in entity.attributes.items() if not attribute.custom}
    expected = EVERYWHERE | BY_OWNERSHIP[text(entity.info, "OwnershipTypeMask")] | {f"{table}id": "primarykey"}
    if table in WITH_AMOUNTS:
        expected |= {"transactioncurrencyid": "lookup", "exchangerate": "decimal"}
    assert system == expected


@pytest.mark.parametrize("table", OURS)
def test_our_table_tracks_changes_and_has_one_primary_name(table):
    entity = entities()[table]
    assert text(entity.info, "ChangeTrackingEnabled") == "1"
    primary = [a for a in entity.attributes.values() if "PrimaryName" in (a.element.findtext("DisplayMask") or "")]
    assert [(a.name, a.kind, a.RequiredLevel) for a in primary] == [("mag_name", "nvarchar", "required")]


@pytest.mark.parametrize("table", sorted(entities()))
def test_columns_are_listed_by_name_and_spelled_one_way(table):
    names = [str(a.element.get("PhysicalName")) for a in entities()[table].attributes.values()]
    assert names == sorted(names, key=str.lower)
    for attribute in entities()[table].attributes.values():
        assert attribute.Name == attribute.LogicalName == str(attribute.element.get("PhysicalName")).lower()
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,49}", attribute.name)


@pytest.mark.parametrize("table", sorted(entities()))
def test_a_column_says_what_its_type_needs_and_no_more(table):
    tails = set().union(*TAILS.values())
    for attribute in entities()[table].attributes.values():
        said = {child.tag for child in attribute.element} & tails
        assert said == TAILS[attribute.kind], attribute.name
        assert attribute.RequiredLevel in ("none", "recommended", "required", "systemrequired")


@pytest.mark.parametrize("table", sorted(entities()))
def test_lengths_and_ranges_are_those_dataverse_allows(table):
    for attribute in entities()[table].attributes.values():
        if attribute.kind == "nvarchar":
            assert attribute.Format in ("text", "email", "url", "phone", "textarea")
            assert 1 <= int(attribute.MaxLength) <= 4000
            assert int(attribute.Length) == 2 * int(attribute.MaxLength)
        if attribute.kind == "ntext":
            assert 1 <= int(attribute.MaxLength) <= 1_048_576
        if attribute.kind in ("int", "money") or (attribute.kind == "decimal" and attribute.custom):
            assert int(attribute.MinValue) < int(attribute.MaxValue)
        if attribute.kind == "datetime" and attribute.custom:
            assert (attribute.Format, attribute.Behavior) in (("date", "2"), ("datetime", "1"))
        label = found(attribute.element, "displaynames/displayname").get("description", "")
        description = found(attribute.element, "Descriptions/Description").get("description", "")
        assert 1 <= len(label) <= 50
        assert 1 <= len(description) <= 2000


@pytest.mark.parametrize("table", sorted(entities()))
def test_every_amount_has_its_base_amount_in_the_currency_of_the_row(table):
    entity = entities()[table]
    amounts = {a.name: a for a in entity.attributes.values() if a.kind == "money"}
    of = {a.CalculationOf: a for a in amounts.values() if a.element.find("CalculationOf") is not None}
    assert set(of) == {name for name in amounts if not name.endswith("_base")}
    for name, base in of.items():
        assert base.name == f"{name}_base"
        assert (base.ValidForCreateApi, base.ValidForUpdateApi) == ("0", "0")
    assert {a.AccuracySource for a in amounts.values()} <= {"2"}
    if entity.ours:
        assert bool(amounts) == ("transactioncurrencyid" in entity.attributes) == (table in WITH_AMOUNTS)


def test_every_choice_is_used_and_every_choice_used_is_there():
    choices = {str(choice.get("Name")): choice for choice in found(customizations(), "optionsets")}
    used = {a.OptionSetName: a for e in entities().values() for a in e.attributes.values() if a.kind == "picklist"}
    assert set(used) == set(choices)
    for choice in choices.values():
        values = [int(str(option.get("value"))) for option in found(choice, "options")]
        assert values == [411140000 + n for n in range(len(values))]
    for name, column in used.items():
        values_ = {option.get("value") for option in found(choices[name], "options")}
        assert column.AppDefaultValue == "-1" or column.AppDefaultValue in values_


def test_the_options_of_a_column_of_its_own_are_named_after_table_and_column():
    names = []
    for entity in entities().values():
        for attribute in entity.attributes.values():
            if attribute.kind in ("bit", "state", "status"):
                names.append(found(attribute.element, "optionset").get("Name"))
                assert names[-1] == f"{entity.name}_{attribute.name}"
            if attribute.kind == "bit":
                options = found(attribute.element, "optionset/options")
                assert [option.get("value") for option in options] == ["0", "1"]
                assert attribute.AppDefaultValue in ("0", "1")
    assert len(names) == len(set(names))


@pytest.mark.parametrize("table", OURS)
def test_keys_are_of_columns_that_can_be_keys_and_fit_an_index(table):
    entity = entities()[table]
    keys = entity.info.findall("EntityKeys/EntityKey")
    assert len(keys) <= 10
    for key in keys:
        names = [str(name.text) for name in found(key, "EntityKeyAttributes")]
        columns = [entity.attributes[name] for name in names]
        assert {column.kind for column in columns} <= {"nvarchar", "lookup", "int", "decimal", "datetime", "picklist"}
        assert len(columns) <= 16
        assert sum(int(column.Length) if column.kind == "nvarchar" else 16 for column in columns) <= 900
    known = {name: tuple(columns) for name, columns in CONTRACT[table]["keys"].items()}
    assert known == {text(k, "LogicalName"): tuple(str(n.text) for n in found(k, "EntityKeyAttributes")) for k in keys}


def test_every_lookup_has_one_relationship_and_every_relationship_its_ends():
    ends: Counter[tuple[str, str]] = Counter()
    tables = {name.lower() for name in STANDARD} | set(OURS) | {"owner"}
    for relationship in found(customizations(), "EntityRelationships"):
        if text(relationship, "EntityRelationshipType") == "ManyToMany":
            continue
        referencing, column = text(relationship, "ReferencingEntityName"), text(relationship, "ReferencingAttributeName")
        assert entities()[referencing.lower()].schema_name == referencing
        assert text(relationship, "ReferencedEntityName").lower() in tables
        physical = [str(a.element.get("PhysicalName")) for a in entities()[referencing.lower()].attributes.values()]
        assert column in physical
        assert text(relationship, "CascadeDelete") in ("NoCascade", "RemoveLink", "Restrict", "Cascade")
        ends[referencing.lower(), column.lower()] += 1
    assert set(ends.values()) == {1}
    unrelated = {"createdonbehalfby", "modifiedonbehalfby"}  # real exports leave these two out
    lookups = {
        (entity.name, attribute.name)
        for entity in entities().values()
        for attribute in entity.attributes.values()
        if attribute.kind in ("lookup", "owner") and attribute.name not in unrelated
    }
    assert set(ends) == lookups


def test_navigation_properties_are_the_ones_the_product_binds_and_expands():
    for relationship in found(customizations(), "EntityRelationships"):
        name = str(relationship.get("Name"))
        roles = [
            text(role, "NavigationPropertyName")
            for role in relationship.findall("EntityRelationshipRoles/EntityRelationshipRole")
        ]
        if text(relationship, "EntityRelationshipType") == "ManyToMany":
            one, other = (text(relationship, tag).lower() for tag in ("FirstEntityName", "SecondEntityName"))
            assert roles == [name, name]
            assert (CONTRACT[one]["collections"][name], CONTRACT[other]["collections"][name]) == (other, one)
        elif roles:
            many, one = (text(relationship, tag).lower() for tag in ("ReferencingEntityName", "ReferencedEntityName"))
            column = text(relationship, "ReferencingAttributeName")
            assert roles == [CONTRACT[many]["lookups"][column][one], name]
            if one in CONTRACT:
                assert CONTRACT[one]["collections"][name] == many


def test_the_lists_of_rows_on_rows_are_the_two_of_the_specification():
    links = {
        str(relationship.get("Name")): tuple(
            text(relationship, tag) for tag in ("FirstEntityName", "SecondEntityName", "IntersectEntityName")
        )
        for relationship in found(customizations(), "EntityRelationships")
        if text(relationship, "EntityRelationshipType") == "ManyToMany"
    }
    assert links == {
        "mag_account_contact_billingcontacts": ("Account", "Contact", "mag_account_contact_billingcontacts"),
        "mag_invoicedetail_trackingoption": ("InvoiceDetail", "mag_trackingoption", "mag_invoicedetail_trackingoption"),
    }


def test_relationships_have_names_of_their_own_in_order():
    names = [str(relationship.get("Name")) for relationship in found(customizations(), "EntityRelationships")]
    assert names == sorted(names, key=str.lower)
    assert [name for name, n in Counter(map(str.lower, names)).items() if n > 1] == []
    assert max(map(len, names)) <= 100


@pytest.mark.parametrize("table", OURS)
def test_system_relationships_are_those_of_the_ownership(table):
    expected = {f"lk_{table}_createdby", f"lk_{table}_modifiedby"}
    if text(entities()[table].info, "OwnershipTypeMask") == "UserOwned":
        expected |= {f"business_unit_{table}", f"owner_{table}", f"team_{table}", f"user_{table}"}
    else:
        expected |= {f"organization_{table}"}
    if table in WITH_AMOUNTS:
        expected |= {f"TransactionCurrency_{table}"}
    assert {
        str(r.get("Name")) for r in _relationships_of(entities()[table]) if not str(r.get("Name")).startswith("mag_")
    } == expected


def _relationships_of(entity: Entity) -> Iterator[Element]:
    for relationship in found(customizations(), "EntityRelationships"):
        if relationship.findtext("ReferencingEntityName") == entity.schema_name:
            yield relationship
