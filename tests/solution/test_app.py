"""The app: its site map leads to tables it holds, and it opens for the right people."""

from xml.etree.ElementTree import Element

import pytest

from tests.solution.export import customizations, entities, found, text

SYSTEM_ADMINISTRATOR, SYSTEM_CUSTOMIZER = "{627090ff-40a3-4053-8790-584edc5be201}", "{119f245c-3cc8-4b62-b31c-d1a046ced15d}"


def _app() -> Element:
    return found(customizations(), "AppModules/AppModule")


def _site_map() -> Element:
    return found(customizations(), "AppModuleSiteMaps/AppModuleSiteMap")


def _components(type_: str) -> list[str]:
    return [str(c.get("schemaName") or c.get("id")) for c in found(_app(), "AppModuleComponents") if c.get("type") == type_]


def test_the_app_has_the_name_the_connector_looks_it_up_by():
    assert text(_app(), "UniqueName") == text(_site_map(), "SiteMapUniqueName") == "mag_xeroconnector_app"
    assert _components("62") == ["mag_xeroconnector_app"]
    assert found(_app(), "LocalizedNames/LocalizedName").get("description") == "Xero Connector"


def test_the_site_map_leads_to_every_table_of_ours_and_to_tables_of_the_app_only():
    led = [sub_area.get("Entity") for sub_area in _site_map().iter("SubArea")]
    assert len(led) == len(set(led))
    assert {name for name, entity in entities().items() if entity.ours} <= set(led) <= set(_components("1"))
    assert set(_components("1")) == set(entities())


def test_ids_of_the_site_map_are_its_own_and_every_entry_has_a_title():
    elements = [element for tag in ("Area", "Group", "SubArea") for element in _site_map().iter(tag)]
    ids = [element.get("Id") for element in elements]
    assert len(ids) == len(set(ids))
    assert all(found(element, "Titles/Title").get("Title") for element in elements)
    assert {found(element, "Titles/Title").get("LCID") for element in elements} == {"1033"}


def test_set_up_is_shown_to_people_who_may_change_it():
    guarded = {
        sub_area.get("Entity"): (privilege.get("Entity"), privilege.get("Privilege"))
        for sub_area in _site_map().iter("SubArea")
        for privilege in sub_area.findall("Privilege")
    }
    names = ("mag_xeroconnector", "mag_xeroflow", "mag_xeroroute", "mag_xeropricelist")
    assert guarded == {name: (name, "Write") for name in names}
    roles = {
        role.get("name"): {one.get("name") for one in found(role, "RolePrivileges")} for role in found(customizations(), "Roles")
    }
    for name in names:
        assert f"prvWrite{name}" in roles["Xero Connector Administrator"]
        assert f"prvWrite{name}" not in roles["Xero Connector User"]


@pytest.mark.parametrize("table", ["invoice", "invoicedetail", "account", "contact"])
def test_of_a_table_of_dynamics_the_app_shows_our_form_and_our_views(table):
    entity = entities()[table]
    assert {text(form, "formid") for type_, form in entity.forms if type_ == "main"} <= set(_components("60"))
    assert {text(view, "savedqueryid") for view in entity.views} <= set(_components("26"))


def test_every_form_and_view_of_the_app_is_in_the_solution():
    forms = {text(form, "formid") for entity in entities().values() for _, form in entity.forms}
    views = {text(view, "savedqueryid") for entity in entities().values() for view in entity.views}
    assert set(_components("60")) <= forms
    assert set(_components("26")) <= views


def test_the_app_opens_for_administrators_and_users_but_not_for_the_service():
    roles = {role.get("name"): role.get("id") for role in found(customizations(), "Roles")}
    opened = [role.get("id") for role in found(_app(), "AppModuleRoleMaps")]
    assert set(opened) == {
        roles["Xero Connector Administrator"],
        roles["Xero Connector User"],
        SYSTEM_ADMINISTRATOR,
        SYSTEM_CUSTOMIZER,
    }
