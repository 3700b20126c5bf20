"""The notice on top of an invoice, run by a real JavaScript engine."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from solution.choices import EXPORT_STATUS, SYNC_STATUS
from solution.web_resources import SCRIPT
from tests.patience import PATIENCE
from tests.solution.export import entities, found, text

NODE = shutil.which("node")
HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "solution" / "web_resources" / "mag_xeroconnector.js"
INVOICE = "{0F9D1C55-6B3B-4D0E-8D29-4F1C3A5A2B11}"
ROW = {
    "mag_details": "Invoice INV-01001 was refused.",
    "mag_cause": "The account 999 is not in Xero.",
    "mag_fix": "Choose another account on the line.",
    "mag_whoacts": 411140001,
    "mag_whoacts@OData.Community.Display.V1.FormattedValue": "Salesperson",
}
needs_node = pytest.mark.skipif(NODE is None, reason="needs a JavaScript engine: node is not on the PATH")


def _open(**scenario: Any) -> dict[str, Any]:
    told = {"table": "invoice", "id": INVOICE, "rows": [ROW]} | scenario
    done = subprocess.run(
        [str(NODE), str(HERE / "notice.test.js"), str(SOURCE), json.dumps(told)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    did: dict[str, Any] = json.loads(done.stdout)
    return did


@needs_node
def test_a_failed_invoice_says_cause_fix_and_who():
    (notice,) = _open(status=EXPORT_STATUS.values["failed"])["notices"]
    assert notice["level"] == "ERROR"
    assert notice["text"] == (
        "Not in Xero. The account 999 is not in Xero. What to do: Choose another account on the line. Who: Salesperson."
    )


@needs_node
def test_a_waiting_invoice_says_what_it_waits_for_without_alarm():
    did = _open(status=EXPORT_STATUS.values["waiting"], rows=[{"mag_details": "Waits until 24 November."}])
    assert [(n["level"], n["text"]) for n in did["notices"]] == [("INFO", "Waiting to go to Xero. Waits until 24 November.")]
    assert f"mag_syncstatus eq {SYNC_STATUS.values['waiting']}" in did["asked"][0]["options"]


@needs_node
@pytest.mark.parametrize("status", ["no", "yes", "ready_to_update"])
def test_an_invoice_that_is_well_says_nothing_and_asks_nothing(status):
    did = _open(status=EXPORT_STATUS.values[status])
    assert (did["notices"], did["asked"], did["cleared"]) == ([], [], 1)


@needs_node
def test_the_newest_history_of_this_record_is_asked_for_with_its_plain_id():
    (asked,) = _open(status=EXPORT_STATUS.values["failed"])["asked"]
    assert asked["table"] == "mag_synchistory"
    assert "_mag_invoiceid_value eq 0f9d1c55-6b3b-4d0e-8d29-4f1c3a5a2b11 and" in asked["options"]
    assert asked["options"].endswith("$orderby=mag_eventon desc&$top=1")
    (asked,) = _open(table="mag_creditnote", status=EXPORT_STATUS.values["failed"])["asked"]
    assert "_mag_creditnoteid_value eq " in asked["options"]


@needs_node
@pytest.mark.parametrize("trouble", [{"rows": []}, {"refuses": True}])
def test_without_an_answer_the_notice_points_at_the_history(trouble):
    (notice,) = _open(status=EXPORT_STATUS.values["failed"], **trouble)["notices"]
    assert notice["text"] == "Not in Xero. Its Sync History says why."


@needs_node
def test_a_long_reason_is_cut():
    (notice,) = _open(status=EXPORT_STATUS.values["failed"], rows=[{"mag_cause": "x" * 5000}])["notices"]
    assert len(notice["text"]) == 600
    assert notice["text"].endswith("…")


@needs_node
def test_the_notice_goes_when_the_form_is_loaded_again_and_all_is_well():
    did = _open(status=EXPORT_STATUS.values["failed"], then=EXPORT_STATUS.values["yes"])
    assert (len(did["notices"]), did["cleared"]) == (1, 1)


@needs_node
def test_a_row_not_saved_yet_and_a_form_without_the_column_are_left_alone():
    assert _open(status=EXPORT_STATUS.values["failed"], id="")["notices"] == []
    assert _open()["notices"] == []


def test_the_figures_in_the_script_are_those_of_the_choices():
    source = SCRIPT.content.decode()
    pairs = dict(re.findall(r"(\d{9}): \{ history: (\d{9})", source))
    assert pairs == {
        str(EXPORT_STATUS.values["failed"]): str(SYNC_STATUS.values["failed"]),
        str(EXPORT_STATUS.values["waiting"]): str(SYNC_STATUS.values["waiting"]),
    }


def test_the_columns_in_the_script_are_on_the_table_and_the_form():
    source = SCRIPT.content.decode()
    names = set(re.findall(r"mag_[a-z]+", source)) - {"mag_synchistory", "mag_creditnote", "mag_xeroconnector"}
    assert names - {"mag_exportstatus"} <= set(entities()["mag_synchistory"].attributes)
    with_script = [(e.name, form) for e in entities().values() for _, form in e.forms if form.find("form/events") is not None]
    assert [name for name, _ in with_script] == ["invoice", "mag_creditnote"]
    for _, form in with_script:
        assert "mag_exportstatus" in {control.get("datafieldname") for control in form.iter("control")}
        assert found(form, "form/events/event").get("name") == "onload"
        assert text(form, "FormActivationState") == "1"
