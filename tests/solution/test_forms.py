"""Forms: each names only what exists, shows each column with the control of its type, and has a place for every column."""

import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from tests.solution.export import archive, customizations, entities, found, text
from tests.solution.known import columns, relationships, tables

# fmt: off
CLASSES = {
    # class of a control, as real exports use it → the kinds of columns it shows
    "{4273EDBD-AC1D-40D3-9FB2-095C621B552D}": {"nvarchar/text", "nvarchar/phone"},
    "{ADA2203E-B4CD-49BE-9DDF-234642B43B52}": {"nvarchar/email"},
    "{71716B6C-711E-476C-8AB8-5D11542BFB47}": {"nvarchar/url"},
    "{E0DECE4B-6FC8-4A8F-A065-082708572369}": {"ntext"},
    "{C6D124CA-7EDA-4A60-AEA9-7FB8D318B68F}": {"int"},
    "{C3EFE0C3-0EC6-42BE-8349-CBD9079DFD8E}": {"decimal"},
    "{533B9E00-756B-4312-95A0-DC888637AC78}": {"money"},
    "{67FAC785-CD58-4F9F-ABB3-4B7DDC6ED5ED}": {"bit"},
    "{5B773807-9FB2-42DB-97C3-7A91EFF8ADFF}": {"datetime"},
    "{3EF39988-22BB-4F0B-BBBE-64B5A3748AEE}": {"picklist", "state"},
    "{5D68B988-0661-4DB2-BC3E-17598AD3BE6C}": {"status"},
    "{270BD3DB-D9AF-4782-9025-509E298DEC0A}": {"lookup", "owner"},
}
GRID, QUICK_VIEW = "{E7A81278-8635-4D9E-8D4D-59480B391C5B}", "{5C5600E0-1D6E-4205-A272-BE80DA87FD42}"
# fmt: on
LISTS = ("mag_account_contact_billingcontacts", "mag_invoicedetail_trackingoption")
FORMS = [
    pytest.param(entity.name, type_, form, id=f"{entity.name}-{type_}-{found(form, 'LocalizedNames')[0].get('description')}")
    for entity in entities().values()
    for type_, form in entity.forms
]
MAIN = [param for param in FORMS if param.values[1] == "main"]


def _controls(form: Element) -> list[Element]:
    return list(form.iter("control"))


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_every_column_on_the_form_exists_and_has_the_control_of_its_type(table, type_, form):
    for control in _controls(form):
        name, kind = control.get("datafieldname"), _class(control)
        if kind == GRID:
            assert name is None
            continue
        assert name in columns(table), name
        wanted = {"lookup"} if kind == QUICK_VIEW else CLASSES[kind]
        assert columns(table)[name] in wanted, name


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_names_on_the_form_are_its_own(table, type_, form):
    ids = [control.get("id") for control in _controls(form)]
    assert len(ids) == len(set(ids))
    for tag in ("tab", "section"):
        names = [element.get("name") for element in form.iter(tag)]
        assert len(names) == len(set(names))
        assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_a_row_has_no_more_cells_than_its_section_has_columns(table, type_, form):
    for section in form.iter("section"):
        width = len(section.get("columns"))
        open_rows = 0
        for row in section.iter("row"):
            cells = list(row)
            if not cells:
                open_rows -= 1
                assert open_rows >= 0, "an empty row continues a cell above that is several rows high"
                continue
            assert open_rows == 0
            assert sum(int(cell.get("colspan", "1")) for cell in cells) <= width
            open_rows = max(int(cell.get("rowspan", "1")) for cell in cells) - 1
        assert open_rows == 0


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_the_columns_of_a_tab_fill_its_width(table, type_, form):
    for tab in form.iter("tab"):
        assert sum(int(str(column.get("width")).rstrip("%")) for column in found(tab, "columns")) == 100


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_a_grid_lists_rows_that_belong_to_the_form_through_a_view_of_their_table(table, type_, form):
    for control in _controls(form):
        if _class(control) != GRID:
            continue
        said = {child.tag: str(child.text) for child in found(control, "parameters")}
        name = said["RelationshipName"]
        ends = [relationships()[name], relationships()[name][::-1]] if name in LISTS else [relationships()[name]]
        assert (table, said["TargetEntityType"]) in ends
        views = {text(view, "savedqueryid").upper(): view for view in entities()[said["TargetEntityType"]].views}
        assert said["ViewId"] == said["ViewIds"]
        assert text(views[said["ViewId"]], "querytype") == "0"


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_a_quick_view_names_a_quick_view_form_of_each_table_its_lookup_points_at(table, type_, form):
    quick = {
        text(shown, "formid"): entity.name for entity in entities().values() for kind, shown in entity.forms if kind == "quick"
    }
    for control in _controls(form):
        if _class(control) == QUICK_VIEW:
            ids = ElementTree.fromstring(text(control, "parameters/QuickForms"))
            assert {id_.get("entityname"): quick[f"{{{id_.text}}}"] for id_ in ids} == {
                "account": "account",
                "contact": "contact",
            }


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_a_script_on_a_form_is_a_file_of_the_solution_and_has_the_function(table, type_, form):
    files = {
        text(resource, "Name"): text(resource, "FileName").lstrip("/") for resource in found(customizations(), "WebResources")
    }
    libraries = [library.get("name") for library in form.iter("Library")]
    for handler in form.iter("Handler"):
        assert handler.get("libraryName") in libraries
        script = archive(managed=False).read(files[handler.get("libraryName")]).decode()
        scope, function = handler.get("functionName").split(".")
        assert f"var {scope} = " in script
        assert f"function {function}(executionContext)" in script
        assert handler.get("passExecutionContext") == "true"
    assert set(libraries) <= set(files)


@pytest.mark.parametrize(("table", "type_", "form"), FORMS)
def test_every_label_is_english_text_and_no_logical_name(table, type_, form):
    for label in form.iter("label"):
        assert label.get("languagecode") == "1033"
        assert label.get("description")
        assert not label.get("description").startswith("mag_")


@pytest.mark.parametrize(("table", "type_", "form"), MAIN)
def test_a_main_form_can_be_seen_by_everybody_and_stands_behind_those_people_have(table, type_, form):
    conditions = found(form, "form/DisplayConditions")
    assert [child.tag for child in conditions] == ["Everyone"]
    assert conditions.get("Order") == ("0" if entities()[table].ours else "10")
    assert len(list(found(form, "form/header").iter("control"))) <= 4


def test_each_of_our_tables_has_one_main_form_of_its_own():
    for entity in entities().values():
        assert [type_ for type_, _ in entity.forms].count("main") == 1, entity.name


def _class(control: Element) -> str:
    return str(control.get("classid")).upper()


def _shown(table: str) -> set[str | None]:
    return {control.get("datafieldname") for _, form in entities()[table].forms for control in _controls(form)}


@pytest.mark.parametrize("table", [name for name, entity in entities().items() if entity.ours])
def test_every_column_of_ours_has_its_place_on_a_form(table):
    wanted = {name for name, attribute in entities()[table].attributes.items() if attribute.custom and not name.endswith("_base")}
    assert wanted - _shown(table) == set()


@pytest.mark.parametrize("table", ["invoice", "invoicedetail", "account", "contact"])
def test_every_column_we_add_to_a_table_of_dynamics_has_its_place_on_our_form_of_it(table):
    wanted = {name for name in entities()[table].attributes if not name.endswith("_base")}
    assert wanted - _shown(table) == set()


def test_what_the_connector_writes_cannot_be_typed_into():
    written = {
        "invoice": "mag_synchedwithxero mag_xeroid mag_xeroinvoicenumber mag_xeroinvoicestatus mag_xeroinvoiceurl mag_xeropaynowlink mag_exportdate "
        "mag_xerotax mag_amountdue mag_amountpaid mag_amountcredited totalamount totaltax",
        "account": "mag_amountowed mag_amountoverdue mag_xerocontacturl",
        "invoicedetail": "extendedamount",
        "mag_payment": "mag_amount mag_paymentdate mag_xeropaymentid mag_paymentstatus",
        "mag_synchistory": "mag_details mag_cause mag_fix mag_whoacts mag_syncstatus",
        "mag_xeroconnector": "mag_xerotenantid mag_environmentid mag_xerostatus mag_xerostatusdetail mag_lastsynchedon",
        "mag_creditnote": "mag_synchedwithxero mag_xerocreditnoteid mag_xeroallocationid",
    }
    for table, names in written.items():
        (form,) = [form for type_, form in entities()[table].forms if type_ == "main"]
        body = {c.get("datafieldname"): c.get("disabled") for c in found(form, "form/tabs").iter("control") if c.get("disabled")}
        assert {name: body[name] for name in names.split()} == dict.fromkeys(names.split(), "true"), table


def test_what_people_decide_can_be_typed_into():
    (form,) = [form for type_, form in entities()["invoice"].forms if type_ == "main"]
    disabled = {
        control.get("datafieldname"): control.get("disabled") for control in _controls(form) if control.get("datafieldname")
    }
    decided = "mag_addtoxero mag_exportstatus mag_xeroconnectorid mag_invoicetype mag_reference mag_sendemailfromxero customerid duedate"
    for name in decided.split():
        assert disabled[name] == "false", name


def test_the_xero_form_of_an_invoice_has_its_xero_tab_and_grids():
    (form,) = [form for type_, form in entities()["invoice"].forms if type_ == "main"]
    assert found(form, "LocalizedNames/LocalizedName").get("description") == "Invoice – Xero"
    xero = next(tab for tab in form.iter("tab") if tab.get("name") == "xero")
    listed = {
        text(control, "parameters/TargetEntityType") for control in xero.iter("control") if control.find("parameters") is not None
    }
    assert listed == {"mag_payment", "mag_creditnote", "mag_synchistory"}


def test_the_tables_the_forms_speak_of_are_known():
    assert {param.values[0] for param in FORMS} <= tables()


@pytest.mark.parametrize("table", ["account", "contact"])
def test_a_customers_form_shows_what_it_owes_in_a_section_of_its_own(table):
    """A364, A365; and the address of the contact in Xero, which leads there by a click."""
    (form,) = [form for type_, form in entities()[table].forms if type_ == "main"]
    sections = [[control.get("datafieldname") for control in section.iter("control")] for section in form.iter("section")]
    assert ["mag_amountowed", "mag_amountoverdue", "mag_xerocontacturl"] in sections
    assert entities()[table].attributes["mag_xerocontacturl"].Format == "url"
    header = [control.get("datafieldname") for control in found(form, "form/header").iter("control")]
    assert {"mag_amountowed", "mag_amountoverdue"} <= set(header)


def test_the_xero_form_of_an_invoice_shows_its_amounts_in_xero():
    (form,) = [form for type_, form in entities()["invoice"].forms if type_ == "main"]
    sections = [[control.get("datafieldname") for control in section.iter("control")] for section in form.iter("section")]
    assert ["mag_xerotax", "mag_amountdue", "mag_amountpaid", "mag_amountcredited"] in sections
    header = [control.get("datafieldname") for control in found(form, "form/header").iter("control")]
    assert "mag_amountdue" in header
