"""The gate before the accounting endpoints, in Xero's order: token, organisation, rate limit, scope, idempotency, work."""

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, request

from . import (
    bank_transactions,
    batch_payments,
    contacts,
    credit_notes,
    credits,
    faults,
    identity,
    invoices,
    items,
    payments,
    reference_data,
    wire,
)
from .call import Bare, Call, Refused
from .documents import CREDIT_NOTES, OVERPAYMENTS, PREPAYMENTS
from .errors import IdempotencyMismatch, NotFound, Refusal
from .faults import Fault
from .log import REPLAYED, faulty
from .sandbox import Sandbox

View = Callable[..., dict[str, Any] | Refused | Bare | Response]

KEY_MEMORY = timedelta(minutes=6)
LONGEST_KEY = 128

SETTINGS = ("accounting.settings",)
CONTACTS = ("accounting.contacts",)
INVOICES = ("accounting.invoices",)
PAYMENTS = ("accounting.payments",)
BANK = ("accounting.banktransactions",)
# The Scopes page lists Items under both.
ITEMS = ("accounting.invoices", "accounting.settings")

# fmt: off
ROUTES: tuple[tuple[str, str, View, tuple[str, ...]], ...] = (
    # method  path                                view                             scope (a GET also takes its .read)
    ("GET",  "/Organisation",                     reference_data.organisation,         SETTINGS),
    ("GET",  "/Accounts",                         reference_data.accounts,             SETTINGS),
    ("GET",  "/Accounts/<id>",                    reference_data.account,              SETTINGS),
    ("GET",  "/TaxRates",                         reference_data.tax_rates,            SETTINGS),
    ("GET",  "/TaxRates/<tax_type>",              reference_data.tax_rate,             SETTINGS),
    ("GET",  "/BrandingThemes",                   reference_data.branding_themes,      SETTINGS),
    ("GET",  "/BrandingThemes/<id>",              reference_data.branding_theme,       SETTINGS),
    ("GET",  "/TrackingCategories",               reference_data.tracking_categories,  SETTINGS),
    ("GET",  "/TrackingCategories/<id>",          reference_data.tracking_category,    SETTINGS),
    ("GET",  "/Currencies",                       reference_data.currencies,           SETTINGS),
    ("PUT",  "/Currencies",                       reference_data.add_currency,         SETTINGS),
    ("GET",  "/Items",                            items.listed,                        ITEMS),
    ("GET",  "/Items/<id>",                       items.single,                        ITEMS),
    ("PUT",  "/Items",                            items.create,                        ITEMS),
    ("POST", "/Items",                            items.update_or_create,              ITEMS),
    ("POST", "/Items/<id>",                       items.update,                        ITEMS),
    ("GET",  "/Contacts",                         contacts.listed,                     CONTACTS),
    ("GET",  "/Contacts/<id>",                    contacts.single,                     CONTACTS),
    ("PUT",  "/Contacts",                         contacts.create,                     CONTACTS),
    ("POST", "/Contacts",                         contacts.update_or_create,           CONTACTS),
    ("POST", "/Contacts/<id>",                    contacts.update,                     CONTACTS),
    ("GET",  "/Invoices",                         invoices.listed,                     INVOICES),
    ("GET",  "/Invoices/<id>",                    invoices.single,                     INVOICES),
    ("PUT",  "/Invoices",                         invoices.create,                     INVOICES),
    ("POST", "/Invoices",                         invoices.update_or_create,           INVOICES),
    ("POST", "/Invoices/<id>",                    invoices.update,                     INVOICES),
    ("GET",  "/Invoices/<id>/OnlineInvoice",      invoices.online_invoice,             INVOICES),
    ("POST", "/Invoices/<id>/Email",              invoices.email,                      INVOICES),
    ("GET",  "/CreditNotes",                      credits.listed(CREDIT_NOTES),        INVOICES),
    ("GET",  "/CreditNotes/<id>",                 credits.single(CREDIT_NOTES),        INVOICES),
    ("PUT",  "/CreditNotes",                      credit_notes.create,                 INVOICES),
    ("POST", "/CreditNotes",                      credit_notes.update_or_create,       INVOICES),
    ("POST", "/CreditNotes/<id>",                 credit_notes.update,                 INVOICES),
    ("PUT",  "/CreditNotes/<id>/Allocations",     credits.allocate(CREDIT_NOTES),      INVOICES),
    ("DELETE", "/CreditNotes/<id>/Allocations/<allocation_id>", credits.take_back(CREDIT_NOTES), INVOICES),
    ("GET",  "/Overpayments",                     credits.listed(OVERPAYMENTS),        PAYMENTS),
    ("GET",  "/Overpayments/<id>",                credits.single(OVERPAYMENTS),        PAYMENTS),
    ("PUT",  "/Overpayments/<id>/Allocations",    credits.allocate(OVERPAYMENTS),      PAYMENTS),
    ("DELETE", "/Overpayments/<id>/Allocations/<allocation_id>", credits.take_back(OVERPAYMENTS), PAYMENTS),
    ("GET",  "/Prepayments",                      credits.listed(PREPAYMENTS),         PAYMENTS),
    ("GET",  "/Prepayments/<id>",                 credits.single(PREPAYMENTS),         PAYMENTS),
    ("PUT",  "/Prepayments/<id>/Allocations",     credits.allocate(PREPAYMENTS),       PAYMENTS),
    ("DELETE", "/Prepayments/<id>/Allocations/<allocation_id>", credits.take_back(PREPAYMENTS), PAYMENTS),
    ("GET",  "/BankTransactions",                 bank_transactions.listed,            BANK),
    ("GET",  "/BankTransactions/<id>",            bank_transactions.single,            BANK),
    ("PUT",  "/BankTransactions",                 bank_transactions.create,            BANK),
    ("POST", "/BankTransactions",                 bank_transactions.create,            BANK),
    ("GET",  "/BatchPayments",                    batch_payments.listed,               PAYMENTS),
    ("GET",  "/BatchPayments/<id>",               batch_payments.single,               PAYMENTS),
    ("PUT",  "/BatchPayments",                    batch_payments.create,               PAYMENTS),
    ("POST", "/BatchPayments",                    batch_payments.delete,               PAYMENTS),
    ("POST", "/BatchPayments/<id>",               batch_payments.delete_one,           PAYMENTS),
    ("GET",  "/Payments",                         payments.listed,                     PAYMENTS),
    ("GET",  "/Payments/<id>",                    payments.single,                     PAYMENTS),
    ("PUT",  "/Payments",                         payments.create,                     PAYMENTS),
    ("POST", "/Payments",                         payments.create,                     PAYMENTS),
    ("POST", "/Payments/<id>",                    payments.delete,                     PAYMENTS),
    ("GET",  "/Invoices/<id>/History",            reference_data.history("invoice"),   INVOICES),
    ("PUT",  "/Invoices/<id>/History",            reference_data.note("invoice"),      INVOICES),
    ("GET",  "/Contacts/<id>/History",            reference_data.history("contact"),   CONTACTS),
    ("PUT",  "/Contacts/<id>/History",            reference_data.note("contact"),      CONTACTS),
    ("GET",  "/Items/<id>/History",               reference_data.history("item"),      ITEMS),
    ("PUT",  "/Items/<id>/History",               reference_data.note("item"),         ITEMS),
    ("GET",  "/CreditNotes/<id>/History",         reference_data.history("credit note"), INVOICES),
    ("PUT",  "/CreditNotes/<id>/History",         reference_data.note("credit note"),  INVOICES),
    ("GET",  "/Overpayments/<id>/History",        reference_data.history("overpayment"), PAYMENTS),
    ("PUT",  "/Overpayments/<id>/History",        reference_data.note("overpayment"),  PAYMENTS),
    ("GET",  "/Prepayments/<id>/History",         reference_data.history("prepayment"), PAYMENTS),
    ("PUT",  "/Prepayments/<id>/History",         reference_data.note("prepayment"),   PAYMENTS),
    ("GET",  "/BankTransactions/<id>/History",    reference_data.history("bank transaction"), BANK),
    ("PUT",  "/BankTransactions/<id>/History",    reference_data.note("bank transaction"), BANK),
    ("GET",  "/BatchPayments/<id>/History",       reference_data.history("batch payment"), PAYMENTS),
    ("PUT",  "/BatchPayments/<id>/History",       reference_data.note("batch payment"), PAYMENTS),
    ("GET",  "/Payments/<id>/History",            reference_data.history("payment"),   PAYMENTS),
    ("PUT",  "/Payments/<id>/History",            reference_data.note("payment"),      PAYMENTS),
)
# fmt: on


def blueprint() -> Blueprint:
    """Return the endpoints under /api.xro/2.0."""
    accounting = Blueprint("accounting", __name__, url_prefix="/api.xro/2.0")
    for method, path, view, scopes in ROUTES:
        accounting.add_url_rule(path, f"{method} {path}".replace(".", "_"), _gated(view, scopes), methods=[method])
    return accounting


def _gated(view: View, scopes: tuple[str, ...]) -> Callable[..., Response]:
    def answer(**ids: str) -> Response:
        sandbox: Sandbox = current_app.extensions["sandbox"]
        return faulty(sandbox.log, sandbox.faults, lambda fault: _admitted(sandbox, view, scopes, fault, ids))

    return answer


def _admitted(sandbox: Sandbox, view: View, scopes: tuple[str, ...], fault: Fault | None, ids: dict[str, str]) -> Response:
    """Check the caller in Xero's order, then answer."""
    token = identity.access_token(sandbox, request.headers.get("Authorization", ""))
    if fault and fault.kind == "token_expired":
        token = identity.expired(sandbox.clock.now())
    if isinstance(token, str):
        return _unauthorised(token)
    tenant = identity.connected_tenant(sandbox, token, request.headers.get("xero-tenant-id", ""))
    if tenant is None:
        return _problem(403, "Forbidden", "AuthenticationUnsuccessful")

    app = token["client_id"]
    verdict = sandbox.limiter.enter(app, tenant)
    try:
        if fault and fault.kind == "429":
            response = _limited("minute", int(fault.seconds) or 1)
        elif verdict.problem:
            response = _limited(verdict.problem, verdict.retry_after)
        elif not identity.allows(token["scope"], scopes, reading=request.method == "GET"):
            response = _unauthorised("AuthorizationUnsuccessful", insufficient_scope=True)
        else:
            faults.pause(fault, "delay")
            response = _remembered(sandbox, Call(sandbox, tenant, app), view, fault, ids)
            faults.pause(fault, "delay_after")
    finally:
        sandbox.limiter.leave(app, tenant)
    response.headers.update(verdict.headers)
    return response


def _remembered(sandbox: Sandbox, call: Call, view: View, fault: Fault | None, ids: dict[str, str]) -> Response:
    """Answer from the memory of the Idempotency-Key, or do the work and remember the answer, errors included."""
    key = request.headers.get("Idempotency-Key", "")
    with sandbox.store.transaction():
        if not key or request.method in ("GET", "DELETE"):
            return _worked(call, view, fault, ids)
        now = sandbox.clock.now()
        id, fingerprint = f"{call.app}/{key}", _fingerprint()
        try:
            if len(key) > LONGEST_KEY:
                raise IdempotencyMismatch(f"Idempotency Key: {key} is too long. The maximum length is {LONGEST_KEY} characters.")
            known = sandbox.store.get("", "idempotency", id)
            if known and now - datetime.fromisoformat(known["at"]) < KEY_MEMORY:
                if known["fingerprint"] != fingerprint:
                    raise IdempotencyMismatch(f"Idempotency Key: {key} is used with a different request.")
                return Response(known["body"], known["status"], {REPLAYED: "yes"}, content_type=known["content_type"] or None)
        except IdempotencyMismatch as refusal:
            return _refused(refusal)
        response = _worked(call, view, fault, ids)
        answer = {"body": response.get_data(as_text=True), "status": response.status_code, "content_type": response.content_type}
        sandbox.store.put("", "idempotency", id, {"at": now.isoformat(), "fingerprint": fingerprint, **answer})
        return response


def _fingerprint() -> str:
    # "The same request" is method, URL and body. The organisation is not part of it: the key belongs to the app, so a
    # caller who uses one key for two organisations is told of the first one's document twice.
    parts = (request.method, request.full_path)
    return hashlib.sha256("\n".join(parts).encode() + request.get_data()).hexdigest()


def _worked(call: Call, view: View, fault: Fault | None, ids: dict[str, str]) -> Response:
    if fault and fault.kind == "500":
        return _internal_error()
    try:
        # What refuses the request as a whole undoes the elements written before it.
        with call.store.transaction():
            answer = view(call, **ids)
    except Refusal as refusal:
        return _refused(refusal)
    except NotFound:
        return Response(status=404, content_type="text/html")
    if fault and fault.kind == "500_applied":
        return _internal_error()
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, Bare):
        return body(answer.payload)
    if isinstance(answer, Refused):
        return body(
            {
                "ErrorNumber": 10,
                "Type": "ValidationException",
                "Message": "A validation exception occurred",
                "Elements": answer.elements,
            },
            400,
        )
    return body(enveloped(call, answer))


def enveloped(call: Call, answer: dict[str, Any]) -> dict[str, Any]:
    """Put the answer into Xero's envelope."""
    return {
        "Id": str(uuid.uuid4()),
        "Status": "OK",
        "ProviderName": call.sandbox.apps[call.app].name,
        "DateTimeUTC": wire.ms_bare(call.sandbox.clock.now()),
        **answer,
    }


def body(payload: dict[str, Any], status: int = 200) -> Response:
    """Write JSON when the caller asked for it; XML otherwise, as Xero does."""
    if "application/json" in request.headers.get("Accept", ""):
        return Response(wire.dumps(payload), status, content_type="application/json; charset=utf-8")
    return Response(wire.xml(payload), status, content_type="text/xml; charset=utf-8")


def _refused(refusal: Refusal) -> Response:
    return body({"ErrorNumber": refusal.number, "Type": refusal.type, "Message": str(refusal)}, 400)


def _limited(problem: str, retry_after: int | None) -> Response:
    response = Response(status=429, headers={"X-Rate-Limit-Problem": problem})
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    del response.headers["Content-Type"]
    return response


def _internal_error() -> Response:
    return body({"ErrorNumber": 500, "Type": "UnknownErrorException", "Message": "An error occurred in Xero."}, 500)


def _unauthorised(detail: str, *, insufficient_scope: bool = False) -> Response:
    response = _problem(401, "Unauthorized", detail)
    # Xero's own spelling (developer.xero.com faq/granular-scopes).
    reason = "insufficent_scope" if insufficient_scope else "invalid_token"
    response.headers["WWW-Authenticate"] = f'Bearer error="{reason}"'
    return response


def _problem(status: int, title: str, detail: str) -> Response:
    problem: dict[str, Any] = {
        "Type": None,
        "Title": title,
        "Status": status,
        "Detail": detail,
        "Instance": str(uuid.uuid4()),
        "Extensions": {},
    }
    return Response(wire.dumps(problem), status, content_type="application/json; charset=utf-8")
