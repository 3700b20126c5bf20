"""Real answers of a Xero demo company, reduced to their keys: everything they hold, our answer of the same kind holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.xero import Fault, Sandbox
from tests.sandbox.xero.callers import Caller, contact_id, invoice, line

RECORDED = Path(__file__).parent / "recorded"


def duplicate_name(nz: Caller, sandbox: Sandbox) -> Any:
    phones = [{"PhoneType": "DEFAULT", "PhoneNumber": "555 1234"}]
    body = {"Name": "City Agency", "EmailAddress": "a@example.com", "Phones": phones, "IsCustomer": True}
    return nz.put("Contacts", {"Contacts": [body]})


def single_contact(nz: Caller, sandbox: Sandbox) -> Any:
    return nz.get(f"Contacts/{contact_id(sandbox, 'Eastside Club')}")


def created_invoice(nz: Caller, sandbox: Sandbox) -> Any:
    contact = nz.put(
        "Contacts",
        {
            "Contacts": [
                {"Name": "Recorded", "EmailAddress": "r@example.com", "Phones": [{"PhoneType": "DEFAULT", "PhoneNumber": "1"}]}
            ]
        },
    )
    id = contact.get_json()["Contacts"][0]["ContactID"]
    return nz.put("Invoices", {"Invoices": [invoice(id, Reference="recording", LineItems=[line()])]})


def refused_deletion(nz: Caller, sandbox: Sandbox) -> Any:
    id = nz.put("Invoices", {"Invoices": [invoice(contact_id(sandbox, "Kiwi Solar Ltd"))]}).get_json()["Invoices"][0]["InvoiceID"]
    return nz.post("Invoices", {"Invoices": [{"InvoiceID": id, "Status": "DELETED"}]}, summarizeErrors="False")


def page_of_invoices(nz: Caller, sandbox: Sandbox) -> Any:
    return nz.get("Invoices", where='Type=="ACCREC"', page=1, pageSize=2)


def page_of_credit_notes(nz: Caller, sandbox: Sandbox) -> Any:
    return nz.get("CreditNotes", page=1, pageSize=2)


def organisation(nz: Caller, sandbox: Sandbox) -> Any:
    return nz.get("Organisation")


def minute_limit(nz: Caller, sandbox: Sandbox) -> Any:
    sandbox.faults.add(Fault("429", seconds=26))
    return nz.get("Organisation")


OURS = {
    "contact-create-duplicate-name": duplicate_name,
    "contact": single_contact,
    "credit-notes-page": page_of_credit_notes,
    "invoice-create": created_invoice,
    "invoice-delete-authorised": refused_deletion,
    "invoices-page": page_of_invoices,
    "organisation": organisation,
    "rate-limit-minute": minute_limit,
}


def keys(value: Any, place: Any = "") -> Any:
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{place}.{name}" if place else name
            yield here
            yield from keys(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{place}[]")


def test_every_recording_is_answered():
    assert {path.stem for path in RECORDED.glob("*.json")} == set(OURS)


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_answer_has_what_the_recorded_one_has(nz, sandbox, name):
    recorded = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    answer = OURS[name](nz, sandbox)
    assert answer.status_code == recorded["status"]
    assert answer.headers.get("Content-Type", "") == recorded["content_type"]
    assert set(recorded["headers"]) <= set(answer.headers.keys())
    ours = set(keys(answer.get_json())) if answer.data else set()
    assert set(recorded["keys"]) - ours == set()
