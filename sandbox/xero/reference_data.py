"""What documents refer to: Organisation, Accounts, TaxRates, BrandingThemes, TrackingCategories, Currencies; and History."""

from collections.abc import Callable
from typing import Any

from flask import request
from xero_python.accounting.models import CurrencyCode

from . import wire
from .call import Call, Refused
from .errors import Invalid, NotFound
from .store import Document

Answer = dict[str, Any] | Refused
LONGEST_NOTE = 2500


def organisation(call: Call) -> Answer:
    """GET /Organisation."""
    found = dict(call.organisation)
    for name in ("PeriodLockDate", "EndOfYearLockDate"):
        if found.get(name):
            found[name] = wire.ms_day(found[name])
        else:
            found.pop(name, None)
    found["CreatedDateUTC"] = wire.ms(found["CreatedDateUTC"])
    return {"Organisations": [found]}


def accounts(call: Call) -> Answer:
    """GET /Accounts: unpaged, with where, order, If-Modified-Since."""
    rows = call.selected(call.store.all(call.tenant, "account"), "Account")
    return {"Accounts": [_stamped(row) for row in rows]}


def account(call: Call, id: str) -> Answer:
    """GET /Accounts/{AccountID}."""
    return {"Accounts": [_stamped(_found(call, "account", id))]}


def tax_rates(call: Call) -> Answer:
    """GET /TaxRates: no If-Modified-Since."""
    return {"TaxRates": call.selected(call.store.all(call.tenant, "tax rate"), "TaxRate", modified_since=False)}


def tax_rate(call: Call, tax_type: str) -> Answer:
    """GET /TaxRates/{TaxType}."""
    return {"TaxRates": [_found(call, "tax rate", tax_type)]}


def branding_themes(call: Call) -> Answer:
    """GET /BrandingThemes."""
    rows = sorted(call.store.all(call.tenant, "branding theme"), key=lambda row: row["SortOrder"])
    return {"BrandingThemes": [_created(row) for row in rows]}


def branding_theme(call: Call, id: str) -> Answer:
    """GET /BrandingThemes/{BrandingThemeID}."""
    return {"BrandingThemes": [_created(_found(call, "branding theme", id))]}


def tracking_categories(call: Call) -> Answer:
    """GET /TrackingCategories: archived categories and options only with includeArchived=true."""
    archived_too = call.flag("includeArchived")
    rows = [row for row in call.store.all(call.tenant, "tracking category") if archived_too or row["Status"] == "ACTIVE"]
    rows = call.selected(rows, "TrackingCategory", modified_since=False)
    return {"TrackingCategories": [_with_options(row, archived_too=archived_too) for row in rows]}


def tracking_category(call: Call, id: str) -> Answer:
    """GET /TrackingCategories/{TrackingCategoryID}."""
    return {"TrackingCategories": [_with_options(_found(call, "tracking category", id), archived_too=True)]}


def currencies(call: Call) -> Answer:
    """GET /Currencies: the subscribed ones only."""
    return {"Currencies": call.selected(call.store.all(call.tenant, "currency"), "Currency", modified_since=False)}


def add_currency(call: Call) -> Answer:
    """PUT /Currencies `{"Code": "USD"}`: subscribe to a currency."""
    known = {code.value for code in CurrencyCode}

    def write(row: Document) -> Document:
        code = row.get("Code", "")
        if code not in known:
            raise Invalid(f"Currency code '{code}' is not valid")
        if call.document("currency", code):
            raise Invalid(f"Organisation is already subscribed to currency {code}")
        call.store.put(call.tenant, "currency", code, {"Code": code, "Description": row.get("Description", code)}, code)
        return {"Code": code, "Description": row.get("Description", code)}

    return call.write_each(
        "Currencies",
        call.elements("Currencies", "Currency"),
        write,
        lambda row, problem: {**row, "ValidationErrors": wire.messages(problem.problems)},
    )


def history(kind: str) -> Callable[..., Answer]:
    """Return the view of GET /{Endpoint}/{id}/History."""

    def view(call: Call, id: str) -> Answer:
        _found(call, kind, id)
        return {"HistoryRecords": [_dated(row) for row in call.store.find(call.tenant, "history", f"{kind}/{id}")]}

    return view


def note(kind: str) -> Callable[..., Answer]:
    """Return the view of PUT /{Endpoint}/{id}/History: add notes of at most 2,500 characters."""

    def view(call: Call, id: str) -> Answer:
        _found(call, kind, id)

        def write(row: Document) -> Document:
            if not 0 < len(row.get("Details", "")) <= LONGEST_NOTE:
                raise Invalid(f"Details must be between 1 and {LONGEST_NOTE} characters long")
            return _dated(add_history(call, kind, id, "Note", row["Details"]))

        return call.write_each(
            "HistoryRecords",
            call.elements("HistoryRecords", "HistoryRecord"),
            write,
            lambda row, problem: {**row, "ValidationErrors": wire.messages(problem.problems)},
        )

    return view


def add_history(call: Call, kind: str, id: str, changes: str, details: str) -> Document:
    """Write one line into a document's History & Notes."""
    at = call.sandbox.clock.stamp()
    row = {"Changes": changes, "Details": details, "User": "System Generated", "DateUTC": at}
    call.store.put(call.tenant, "history", f"{kind}/{id}/{at}", row, f"{kind}/{id}")
    return row


def _found(call: Call, kind: str, id: str) -> Document:
    found = call.document(kind, id)
    if found is None:
        raise NotFound(request.path)
    return found


def _stamped(row: Document) -> Document:
    return {**row, "UpdatedDateUTC": wire.ms(row["UpdatedDateUTC"])}


def _created(row: Document) -> Document:
    return {**row, "CreatedDateUTC": wire.ms(row["CreatedDateUTC"])}


def _dated(row: Document) -> Document:
    return {**row, "DateUTCString": row["DateUTC"][:19], "DateUTC": wire.ms(row["DateUTC"])}


def _with_options(row: Document, *, archived_too: bool) -> Document:
    options = [option for option in row["Options"] if archived_too or option["Status"] == "ACTIVE"]
    return {**row, "Options": options}
