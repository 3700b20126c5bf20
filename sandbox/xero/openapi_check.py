"""Check every kind of answer against Xero's OpenAPI file: `python -m sandbox.xero.openapi_check xero_accounting.yaml`.

The schemas are closed first (Xero's own allow anything), so that a misspelt field is found, and dates must be written
as the file's x-is-msdate says. What real answers hold beyond the file is listed in ADDITIONS.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml  # type: ignore[import-untyped]
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from .app import create_app
from .demo_company import NZ, UK, derived
from .limits import Limits

API = "/api.xro/2.0"
MS_DATE = r"^/Date\(-?\d+(\+0000)?\)/$"

ENVELOPE = {"Id", "Status", "ProviderName", "DateTimeUTC", "pagination"}
# Recorded in September 2026 in real answers, or documented on the vendor's pages, but not in the file.
ADDITIONS: dict[str, set[str]] = {
    **dict.fromkeys(("Organisations", "Accounts", "TaxRates", "BrandingThemes", "TrackingCategories", "Currencies"), ENVELOPE),
    **dict.fromkeys(("Items", "Contacts", "Invoices", "Payments", "OnlineInvoices", "HistoryRecords"), ENVELOPE),
    **dict.fromkeys(("CreditNotes", "Overpayments", "Prepayments", "Allocations", "BankTransactions", "BatchPayments"), ENVELOPE),
    "Invoice": {"DateString", "DueDateString", "InvoicePaymentServices"},
    "LineItem": {"ValidationErrors"},
    "LineItemTracking": {"Options"},
    "CreditNote": {"ID", "AppliedAmount", "DateString"},
    # In the file's own examples, but not in its schemas.
    "Overpayment": {"ID", "DateString"},
    "Prepayment": {"ID", "DateString"},
    "BankTransaction": {"DateString"},
    "TrackingOption": {"HasValidationErrors", "IsDeleted", "IsArchived", "IsActive"},
    "HistoryRecord": {"DateUTCString"},
}
# A refused element is echoed whole; the file describes only its id and its messages.
OPEN = {"Element"}
# Deliberately more than any file knows: a plan of tomorrow, and a null.
EXPECTED = ("Organisations[0].Class", "Organisations[0].RegistrationNumber")


@dataclass(frozen=True)
class Call:
    """One call: the file's operation, what is sent, and the status expected.

    `:OverpaymentID` in the path or the body stands for the last OverpaymentID answered.
    """

    method: str
    template: str
    path: str
    body: Any = None
    status: int = 200
    tenant: str = NZ


def calls() -> Iterator[Call]:
    """Return calls that show every kind of answer, each on what the ones before left behind."""
    contact = derived(NZ, "contact", "Kiwi Solar Ltd")
    invoice_id, payment_id = derived(NZ, "invoice", "INV-0051"), derived(NZ, "payment", "INV-0010")
    line = {"Description": "Work", "Quantity": 1, "UnitAmount": 10, "AccountCode": "200", "DiscountRate": 10}
    line["Tracking"] = [{"Name": "Region", "Option": "North"}]
    invoice = {
        "Type": "ACCREC",
        "Contact": {"ContactID": contact},
        "DueDate": "2099-01-31",
        "Status": "AUTHORISED",
        "LineItems": [line],
    }
    bill = {**invoice, "Type": "ACCPAY", "LineItems": [{"ItemCode": "BOOK", "Quantity": 2}]}
    payment = {"Invoice": {"InvoiceID": invoice_id}, "Account": {"Code": "090"}, "Amount": 1}
    for tenant in (NZ, UK):
        for path in ("Organisation", "Accounts", "TaxRates", "BrandingThemes", "TrackingCategories", "Currencies", "Items"):
            yield Call("GET", f"/{path}", f"/{path}", tenant=tenant)
        for path in ("Contacts", "Invoices", "Payments"):
            for query in ("", "?page=1", "?page=1&includeArchived=true", "?summaryOnly=true"):
                yield Call("GET", f"/{path}", f"/{path}{query}", tenant=tenant)
    yield Call("GET", "/TrackingCategories", "/TrackingCategories?includeArchived=true")
    yield Call("GET", "/TaxRates/{TaxType}", "/TaxRates/OUTPUT2")
    yield Call("GET", "/Accounts/{AccountID}", f"/Accounts/{derived(NZ, 'account', '200')}")
    yield Call("GET", "/BrandingThemes/{BrandingThemeID}", f"/BrandingThemes/{derived(NZ, 'branding theme', 'Standard')}")
    yield Call("PUT", "/Currencies", "/Currencies", {"Code": "EUR"})
    yield Call("PUT", "/Items", "/Items", {"Items": [{"Code": "NEW", "Name": "New"}]})
    yield Call("PUT", "/Items", "/Items", {"Items": [{"Code": "NEW"}]}, 400)
    yield Call("POST", "/Items", "/Items?summarizeErrors=false", {"Items": [{"Code": "BOOK", "Name": ""}, {"Code": ""}]})
    yield Call("GET", "/Items/{ItemID}", "/Items/BOOK?unitdp=4")
    yield Call("PUT", "/Contacts", "/Contacts", {"Contacts": [{"Name": "New", "Phones": [{"PhoneType": "DDI"}]}]})
    yield Call("PUT", "/Contacts", "/Contacts", {"Contacts": [{"Name": "New"}]}, 400)
    yield Call("POST", "/Contacts", "/Contacts?summarizeErrors=false", {"Contacts": [{"Name": "A", "EmailAddress": "x"}]})
    yield Call("GET", "/Contacts/{ContactID}", f"/Contacts/{contact}")
    yield Call("POST", "/Contacts/{ContactID}", f"/Contacts/{contact}", {"Contacts": [{"FirstName": "Changed"}]})
    yield Call("PUT", "/Invoices", "/Invoices", {"Invoices": [invoice, bill]})
    yield Call("PUT", "/Invoices", "/Invoices?unitdp=4", {"Invoices": [{**invoice, "CurrencyCode": "USD", "CurrencyRate": 9}]})
    yield Call("PUT", "/Invoices", "/Invoices", {"Invoices": [{**invoice, "InvoiceNumber": "INV-0051"}]}, 400)
    yield Call(
        "POST", "/Invoices", "/Invoices?summarizeErrors=false", {"Invoices": [{"InvoiceID": invoice_id, "Status": "DELETED"}]}
    )
    yield Call("POST", "/Invoices/{InvoiceID}", f"/Invoices/{invoice_id}", {"Invoices": [{"Reference": "Changed"}]})
    yield Call("GET", "/Invoices/{InvoiceID}", f"/Invoices/{invoice_id}?unitdp=4")
    yield Call("GET", "/Invoices/{InvoiceID}", "/Invoices/INV-0016")
    yield Call("GET", "/Invoices/{InvoiceID}/OnlineInvoice", f"/Invoices/{invoice_id}/OnlineInvoice")
    yield Call("PUT", "/Invoices/{InvoiceID}/History", f"/Invoices/{invoice_id}/History", {"HistoryRecords": [{"Details": "A"}]})
    yield Call("POST", "/Invoices/{InvoiceID}/Email", f"/Invoices/{invoice_id}/Email", {}, 204)
    yield Call("GET", "/Invoices/{InvoiceID}/History", f"/Invoices/{invoice_id}/History")
    yield Call("PUT", "/Payments", "/Payments", {"Payments": [payment]})
    yield Call("PUT", "/Payments", "/Payments", {"Payments": [{**payment, "Amount": 9999999}]}, 400)
    yield Call("GET", "/Payments/{PaymentID}", f"/Payments/{payment_id}")
    yield Call("POST", "/Payments/{PaymentID}", f"/Payments/{payment_id}", {"Status": "DELETED"})
    yield from _credit_notes(contact, invoice_id, payment)
    yield from _in_advance(invoice_id)
    yield from _batch_payments(invoice_id)
    for query in ("?page=1", ""):
        yield Call("GET", "/Invoices", f"/Invoices{query}")
        yield Call("GET", "/Payments", f"/Payments{query}")
    yield Call("GET", "/Contacts/{ContactID}", f"/Contacts/{contact}")


def _credit_notes(contact: str, invoice_id: str, payment: dict[str, Any]) -> Iterator[Call]:
    """Return the calls on credit notes; the demo company's own one is allocated already."""
    note_id, bayside = derived(NZ, "credit note", "INV-0016"), derived(NZ, "contact", "Bayside Wholesale")
    line = {"Description": "Goodwill", "UnitAmount": 30, "AccountCode": "200"}
    note = {"Type": "ACCRECCREDIT", "Contact": {"ContactID": contact}, "Status": "AUTHORISED", "LineItems": [line]}
    ours = {**note, "CreditNoteNumber": "CN-OURS", "Contact": {"ContactID": bayside}}
    allocation = {"Amount": 5, "Date": "2099-01-31", "Invoice": {"InvoiceID": invoice_id}}
    refund = {name: value for name, value in payment.items() if name != "Invoice"} | {"CreditNoteNumber": "CN-OURS"}
    allocated, template = f"/CreditNotes/{note_id}/Allocations", "/CreditNotes/{CreditNoteID}/Allocations"
    yield Call("GET", "/CreditNotes", "/CreditNotes")
    yield Call("GET", "/CreditNotes", "/CreditNotes?page=1&unitdp=4")
    yield Call("GET", "/CreditNotes/{CreditNoteID}", "/CreditNotes/CN-0025")
    yield Call("PUT", "/CreditNotes", "/CreditNotes", {"CreditNotes": [note, {**note, "Type": "ACCPAYCREDIT"}]})
    yield Call("PUT", "/CreditNotes", "/CreditNotes", {"CreditNotes": [ours]})
    yield Call("PUT", "/CreditNotes", "/CreditNotes", {"CreditNotes": [ours]}, 400)
    yield Call("POST", "/CreditNotes", "/CreditNotes?summarizeErrors=false", {"CreditNotes": [{**ours, "CurrencyCode": "GBP"}]})
    yield Call("POST", "/CreditNotes/{CreditNoteID}", f"/CreditNotes/{note_id}", {"CreditNotes": [{"Reference": "Changed"}]})
    yield Call("PUT", template, "/CreditNotes/CN-OURS/Allocations", {"Allocations": [allocation]})
    yield Call("PUT", template, "/CreditNotes/CN-OURS/Allocations", {"Allocations": [{**allocation, "Amount": 99}]}, 400)
    yield Call("PUT", "/Payments", "/Payments", {"Payments": [refund]})
    yield Call("GET", "/CreditNotes/{CreditNoteID}", "/CreditNotes/CN-OURS")
    yield Call("DELETE", f"{template}/{{AllocationID}}", f"{allocated}/{derived(NZ, 'allocation', 'INV-0016')}")
    notes, history = {"HistoryRecords": [{"Details": "A"}]}, "/CreditNotes/{CreditNoteID}/History"
    yield Call("PUT", history, f"/CreditNotes/{note_id}/History", notes)
    yield Call("GET", history, f"/CreditNotes/{note_id}/History")


def _in_advance(invoice_id: str) -> Iterator[Call]:
    """Return the calls on money received in advance."""
    line, bayside = {"Description": "Paid twice", "LineAmount": 30}, derived(NZ, "contact", "Bayside Wholesale")
    over = {"Type": "RECEIVE-OVERPAYMENT", "Contact": {"ContactID": bayside}, "BankAccount": {"Code": "090"}, "LineItems": [line]}
    before = {**over, "Type": "RECEIVE-PREPAYMENT", "Reference": "PRE-1", "LineItems": [{**line, "AccountCode": "200"}]}
    yield Call("PUT", "/BankTransactions", "/BankTransactions", {"BankTransactions": [over, before]})
    yield Call("PUT", "/BankTransactions", "/BankTransactions", {"BankTransactions": [{**over, "Type": "SPEND"}]}, 400)
    yield Call(
        "POST", "/BankTransactions", "/BankTransactions?summarizeErrors=false", {"BankTransactions": [{**over, "LineItems": []}]}
    )
    for path in ("BankTransactions", "Overpayments", "Prepayments"):
        for query in ("", "?page=1"):
            yield Call("GET", f"/{path}", f"/{path}{query}")
    yield Call("GET", "/BankTransactions/{BankTransactionID}", "/BankTransactions/:BankTransactionID")
    allocation = {"Amount": 5, "Date": "2099-01-31", "Invoice": {"InvoiceID": invoice_id}}
    for family in ("Overpayment", "Prepayment"):
        template, path = f"/{family}s/{{{family}ID}}", f"/{family}s/:{family}ID"
        yield Call("PUT", f"{template}/Allocations", f"{path}/Allocations", {"Allocations": [allocation]})
        yield Call("PUT", f"{template}/Allocations", f"{path}/Allocations", {"Allocations": [{**allocation, "Amount": 99}]}, 400)
        yield Call("GET", "/Invoices/{InvoiceID}", f"/Invoices/{invoice_id}")
        yield Call("GET", template, path)
        yield Call("DELETE", f"{template}/Allocations/{{AllocationID}}", f"{path}/Allocations/:AllocationID")
        refund = {family: {f"{family}ID": f":{family}ID"}, "Account": {"Code": "090"}, "Amount": 1}
        yield Call("PUT", "/Payments", "/Payments", {"Payments": [refund]})
        yield Call("PUT", f"{template}/History", f"{path}/History", {"HistoryRecords": [{"Details": "A"}]})
        yield Call("GET", f"{template}/History", f"{path}/History")


def _batch_payments(invoice_id: str) -> Iterator[Call]:
    """Return the calls on batch payments."""
    pays = [{"Invoice": {"InvoiceID": invoice_id}, "Amount": amount, "Reference": "A"} for amount in (1, 2)]
    batch = {"Account": {"Code": "090"}, "Date": "2099-01-31", "Reference": "Batch", "Payments": pays}
    yield Call("PUT", "/BatchPayments", "/BatchPayments", {"BatchPayments": [batch]})
    yield Call("PUT", "/BatchPayments", "/BatchPayments", {"BatchPayments": [{**batch, "Payments": []}]}, 400)
    yield Call("GET", "/BatchPayments", "/BatchPayments")
    yield Call("GET", "/BatchPayments/{BatchPaymentID}", "/BatchPayments/:BatchPaymentID")
    yield Call("GET", "/Payments", "/Payments?page=1")
    yield Call("POST", "/BatchPayments/{BatchPaymentID}", "/BatchPayments/:BatchPaymentID", {"Status": "DELETED"})
    yield Call("POST", "/BatchPayments", "/BatchPayments", {"BatchPaymentID": invoice_id, "Status": "DELETED"}, 400)


class Contract:
    """Xero's OpenAPI file with closed schemas."""

    def __init__(self, text: str) -> None:
        self._document = yaml.safe_load(text)
        for name, schema in self._document["components"]["schemas"].items():
            self._close(name, schema)

    def _close(self, name: str, schema: dict[str, Any]) -> None:
        properties = schema.get("properties", {})
        for property in properties.values():
            if property.get("x-is-msdate") or property.get("x-is-msdate-time"):
                property["pattern"] = MS_DATE
        if properties and name not in OPEN:
            properties.update({addition: {} for addition in ADDITIONS.get(name, ()) if addition not in properties})
            schema["additionalProperties"] = False

    def problems(self, call: Call, status: int, payload: Any) -> list[str]:
        """Return what the answer holds against the file, each with its place."""
        schema = self._schema(call, status)
        if schema is None:
            return [] if payload is None else [f"{call.method} {call.template} {status}: the file knows no body"]
        root = {**schema, "components": self._document["components"]}
        validator = jsonschema.Draft202012Validator(root, format_checker=jsonschema.FormatChecker(["uuid"]))
        return [
            f"{call.method} {call.path} {status}: {place}: {problem.message[:200]}"
            for problem in validator.iter_errors(payload)
            if (place := problem.json_path.removeprefix("$.")) not in EXPECTED
        ]

    def _schema(self, call: Call, status: int) -> dict[str, Any] | None:
        response = self._document["paths"][call.template][call.method.lower()]["responses"][str(status)]
        while "$ref" in response:
            response = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        found: dict[str, Any] | None = response.get("content", {}).get("application/json", {}).get("schema")
        return found


def answers() -> Iterator[tuple[Call, TestResponse]]:
    """Make the calls against a stand-in of their own."""
    app = create_app(limits=Limits(minute=10_000))
    client, headers, seen = app.test_client(), _headers(app.test_client()), dict[str, str]()
    for call in calls():
        named = {**headers, "xero-tenant-id": call.tenant}
        path, body = (json.loads(_filled(json.dumps(asked), seen)) for asked in (call.path, call.body))
        answer = client.open(f"{API}{path}", method=call.method, json=body, headers=named)
        _remember(seen, json.loads(answer.data) if answer.data else None)
        yield call, answer
    app.extensions["sandbox"].store.close()


def _filled(text: str, seen: dict[str, str]) -> str:
    return re.sub(r":([A-Z]\w*ID)\b", lambda match: seen[match.group(1)], text)


def _remember(seen: dict[str, str], value: Any) -> None:
    """Note every id of an answer by its name, the last one of a name."""
    if isinstance(value, dict):
        seen |= {name: inner for name, inner in value.items() if name.endswith("ID") and isinstance(inner, str)}
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _remember(seen, inner)


def check(text: str) -> tuple[int, list[str]]:
    """Return how many answers were checked against the OpenAPI file, and every problem."""
    contract, problems, count = Contract(text), [], 0
    for call, answer in answers():
        count += 1
        if answer.status_code != call.status:
            problems.append(f"{call.method} {call.path}: {answer.status_code} instead of {call.status}")
        else:
            problems += contract.problems(call, answer.status_code, json.loads(answer.data) if answer.data else None)
    return count, problems


def _headers(client: FlaskClient) -> dict[str, str]:
    """Connect both organisations and return the headers of a caller."""
    token = ""
    for tenant in (NZ, UK):
        form = {
            "client_id": "sandbox-client",
            "response_type": "code",
            "redirect_uri": "http://localhost:7071/connect/xero/callback",
            "scope": "accounting.invoices accounting.payments accounting.contacts accounting.settings "
            "accounting.banktransactions",
            "organisation": tenant,
            "decision": "allow",
        }
        location = client.post("/identity/connect/authorize", data=form).headers["Location"]
        code = location.partition("code=")[2].partition("&")[0]
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": form["redirect_uri"]}
        answer = client.post("/connect/token", data=grant, auth=("sandbox-client", "sandbox-secret"))
        token = answer.get_json()["access_token"]
    return {"Authorization": f"Bearer {token}", "Accept": "application/json"}


def main() -> int:
    """Print every problem; exit code 1 when there is one."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.xero.openapi_check", description=__doc__)
    parser.add_argument("file", type=Path, help="xero_accounting.yaml of XeroAPI/Xero-OpenAPI")
    count, problems = check(parser.parse_args().file.read_text(encoding="utf-8"))
    for problem in problems:
        print(problem)
    print(f"{count} answers checked, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
