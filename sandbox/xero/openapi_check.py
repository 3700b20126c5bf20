"""Check every kind of answer against Xero's OpenAPI file: `python -m sandbox.xero.openapi_check xero_accounting.yaml`.

The schemas are closed first (Xero's own allow anything), so that a misspelt field is found, and dates must be written
as the file's x-is-msdate says. What real answers hold beyond the file is listed in ADDITIONS.
"""

import argparse
import json
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
    "Invoice": {"DateString", "DueDateString", "InvoicePaymentServices"},
    "LineItem": {"ValidationErrors"},
    "LineItemTracking": {"Options"},
    "CreditNote": {"ID", "AppliedAmount", "DateString"},
    "TrackingOption": {"HasValidationErrors", "IsDeleted", "IsArchived", "IsActive"},
    "HistoryRecord": {"DateUTCString"},
}
# A refused element is echoed whole; the file describes only its id and its messages.
OPEN = {"Element"}
# Deliberately more than any file knows: a plan of tomorrow, and a null.
EXPECTED = ("Organisations[0].Class", "Organisations[0].RegistrationNumber")


@dataclass(frozen=True)
class Call:
    """One call: the file's operation, what is sent, and the status expected."""

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
    client, headers = app.test_client(), _headers(app.test_client())
    for call in calls():
        named = {**headers, "xero-tenant-id": call.tenant}
        yield call, client.open(f"{API}{call.path}", method=call.method, json=call.body, headers=named)
    app.extensions["sandbox"].store.close()


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
            "scope": "accounting.invoices accounting.payments accounting.contacts accounting.settings",
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
