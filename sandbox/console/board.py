"""What both sides hold just now, as the console shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid5

from functions.history import NAMESPACE
from sandbox.demo.dynamics import Dynamics, Json, amount, label
from sandbox.demo.xero import Books
from sandbox.xero.demo_company import OPENED

FRESH = 0.8
CURRENCY = "transactioncurrencyid($select=isocurrencycode)"
INVOICE = (
    "invoiceid,invoicenumber,name,totalamount,statecode,statuscode,mag_addtoxero,mag_exportstatus,mag_xeroid,mag_xeroinvoicenumber,"
    "mag_xeroinvoicestatus,mag_xerotax,mag_amountdue,mag_amountpaid,mag_amountcredited,mag_invoicetype,"
    "_customerid_value,_mag_xeroconnectorid_value,_transactioncurrencyid_value"
)
HISTORY = "mag_name,mag_eventon,mag_action,mag_syncstatus,mag_details,mag_cause,mag_fix,mag_whoacts,_mag_invoiceid_value"
KIND = "@Microsoft.Dynamics.CRM.lookuplogicalname"
TONES = {"Yes": "good", "Failed": "bad", "Waiting": "wait", "Successful": "good", "Warning": "wait"} | {
    "AUTHORISED": "good", "PAID": "good", "DRAFT": "soft", "SUBMITTED": "wait", "VOIDED": "bad", "DELETED": "bad",
    "Active": "soft", "Paid": "good", "Canceled": "bad", "Applied": "good", "Reversed": "bad", "ARCHIVED": "soft", "ACTIVE": "good",
}  # fmt: skip
THERE_BEFORE = (OPENED.isoformat(), (OPENED + timedelta(hours=1)).isoformat())


@dataclass(frozen=True)
class Event:
    """One row of Sync History."""

    name: str
    at: str
    action: str
    status: str
    details: str
    cause: str
    fix: str
    who: str

    @classmethod
    def of(cls, row: Json) -> Event:
        """Read a row."""
        texts = {name: str(row.get(f"mag_{name}") or "") for name in ("details", "cause", "fix")}
        words = (label(row, "mag_action"), label(row, "mag_syncstatus"))
        return cls(str(row["mag_name"]), str(row["mag_eventon"]), *words, **texts, who=label(row, "mag_whoacts"))


@dataclass(frozen=True)
class Invoice:
    """One invoice of Dynamics 365."""

    id: str
    number: str
    name: str
    customer: str
    total: Decimal
    currency: str
    is_active: bool
    is_bill: bool
    is_flagged: bool
    is_from_xero: bool
    status: str
    state: str
    reason: str
    connector: str
    customer_page: str
    xero_id: str
    xero_number: str
    xero_status: str
    tax: Decimal | None
    due: Decimal | None
    paid: Decimal | None
    credited: Decimal | None
    newest: Event | None = None

    @classmethod
    def of(cls, row: Json, environment: str, newest: Event | None = None) -> Invoice:
        """Read a row of an environment (its host, as connectors name it)."""
        return cls(
            id=row["invoiceid"],
            number=row["invoicenumber"],
            name=str(row.get("name") or ""),
            customer=label(row, "_customerid_value"),
            total=amount(row, "totalamount"),
            currency=(row.get("transactioncurrencyid") or {}).get("isocurrencycode", ""),
            is_active=row["statecode"] == 0,
            is_bill=label(row, "mag_invoicetype") == "Purchase Invoice",
            is_flagged=bool(row.get("mag_addtoxero")),
            is_from_xero=_is_from_xero(row, environment),
            status=label(row, "mag_exportstatus") or "No",
            state=label(row, "statecode"),
            reason=label(row, "statuscode"),
            connector=label(row, "_mag_xeroconnectorid_value"),
            customer_page=_customer_page(row),
            xero_id=str(row.get("mag_xeroid") or ""),
            xero_number=str(row.get("mag_xeroinvoicenumber") or ""),
            xero_status=str(row.get("mag_xeroinvoicestatus") or ""),
            tax=_maybe(row, "mag_xerotax"),
            due=_maybe(row, "mag_amountdue"),
            paid=_maybe(row, "mag_amountpaid"),
            credited=_maybe(row, "mag_amountcredited"),
            newest=newest,
        )


@dataclass(frozen=True)
class Document:
    """One invoice or bill of Xero.

    `invoice` is the id of the one in Dynamics 365: the one its mark names (then `is_marked`), else the one that names it.
    """

    id: str
    organisation: str
    number: str
    contact: str
    is_bill: bool
    status: str
    total: Decimal
    due: Decimal
    paid: Decimal
    credited: Decimal
    currency: str
    date: str
    was_there: bool
    is_marked: bool
    invoice: str

    @classmethod
    def of(cls, organisation: str, body: Json, contacts: Mapping[str, str], linked: Mapping[str, str] | None = None) -> Document:
        """Read a stored document; *linked* are invoices of Dynamics 365 by the document each names."""
        mark = str(body.get("Url", ""))
        marked = mark.rpartition("id=")[2] if "etn=invoice" in mark else ""
        return cls(
            id=body["InvoiceID"],
            organisation=organisation,
            number=body.get("InvoiceNumber", ""),
            contact=contacts.get(body["Contact"]["ContactID"], ""),
            is_bill=body["Type"] == "ACCPAY",
            status=body["Status"],
            total=amount(body, "Total"),
            due=amount(body, "AmountDue"),
            paid=amount(body, "AmountPaid"),
            credited=amount(body, "AmountCredited"),
            currency=body["CurrencyCode"],
            date=str(body["Date"]),
            was_there=THERE_BEFORE[0] <= str(body.get("UpdatedDateUTC", "")) < THERE_BEFORE[1],
            is_marked=bool(marked),
            invoice=marked or (linked or {}).get(body["InvoiceID"], ""),
        )

    @property
    def can_approve(self) -> bool:
        return self.status in ("DRAFT", "SUBMITTED")

    @property
    def can_pay(self) -> bool:
        return self.status == "AUTHORISED" and self.due > 0

    @property
    def can_void(self) -> bool:
        return self.can_approve or (self.status == "AUTHORISED" and self.due == self.total)


@dataclass(frozen=True)
class Board:
    """Both sides: invoices newest first, documents by organisation, those changed last before the others."""

    invoices: list[Invoice]
    documents: dict[str, list[Document]]


@dataclass
class Reader:
    """Read both sides, at most once in `FRESH` seconds however many pages ask."""

    dynamics: Dynamics
    books: Mapping[str, Books]
    _kept: Board | None = None
    _read_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def board(self) -> Board:
        """Return both sides."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._read_at > FRESH:
                invoices = self._invoices()
                linked = {invoice.xero_id: invoice.id for invoice in invoices if invoice.xero_id}
                self._kept = Board(invoices, {name: _documents(books, linked) for name, books in self.books.items()})
                self._read_at = time.monotonic()
            return self._kept

    def forget(self) -> None:
        """Read anew the next time: something was changed here."""
        with self._lock:
            self._kept = None

    @property
    def environment(self) -> str:
        """Return the environment as connectors name it."""
        return self.dynamics.url.removeprefix("https://")

    def events(self, record_id: str, table: str = "invoice") -> list[Event]:
        """Return the Sync History of one invoice, account or contact, newest first."""
        return [Event.of(row) for row in self._history(f"_mag_{table}id_value eq {record_id}", 200)]

    def invoices_of(self, xero_ids: Iterable[str]) -> dict[str, str]:
        """Return the invoices of Dynamics 365 that name these documents, by the document."""
        where = " or ".join(f"mag_xeroid eq '{id}'" for id in xero_ids)
        rows = self.dynamics.read("invoices", select="invoiceid,mag_xeroid", filter=where)["value"] if where else []
        return {row["mag_xeroid"]: row["invoiceid"] for row in rows}

    def _invoices(self) -> list[Invoice]:
        newest: dict[str, Event] = {}
        for row in self._history("_mag_invoiceid_value ne null", 500):
            newest.setdefault(row["_mag_invoiceid_value"], Event.of(row))
        rows = self.dynamics.read(
            "invoices", select=INVOICE, expand=CURRENCY, orderby="createdon desc,invoicenumber desc", top="100"
        )["value"]
        return [Invoice.of(row, self.environment, newest.get(row["invoiceid"])) for row in rows]

    def _history(self, where: str, most: int) -> list[Json]:
        found: list[Json] = self.dynamics.read(
            "mag_synchistories", select=HISTORY, filter=where, orderby="mag_eventon desc,createdon desc", top=str(most)
        )["value"]
        return found


def _documents(books: Books, linked: Mapping[str, str]) -> list[Document]:
    state = books.state()
    contacts = {contact["ContactID"]: contact["Name"] for contact in state["contact"]}
    newest_first = sorted(state["invoice"], key=lambda body: str(body.get("UpdatedDateUTC", "")), reverse=True)
    return [Document.of(books.organisation, body, contacts, linked) for body in newest_first]


def _is_from_xero(row: Json, environment: str) -> bool:
    """Tell whether the connector made the row of a document of Xero: then its id is derived from the document's."""
    connector, document = f"{environment}|{row.get('_mag_xeroconnectorid_value')}", str(row.get("mag_xeroid") or "").lower()
    return bool(document) and str(uuid5(NAMESPACE, f"{connector}|invoice|{document}")) == row["invoiceid"]


def _customer_page(row: Json) -> str:
    """Return where the console shows the customer of a row, "" for none."""
    table = row.get(f"_customerid_value{KIND}")
    return f"/customers/{table}s/{row['_customerid_value']}" if table else ""


def _maybe(row: Json, column: str) -> Decimal | None:
    return None if row.get(column) is None else amount(row, column)


def money(value: Any) -> str:
    """Write an amount with two places and thousands apart."""
    return f"{Decimal(str(value or 0)):,.2f}"


def plain(value: Any) -> str:
    """Write a number without needless zeros."""
    return f"{Decimal(str(value)).normalize():f}"


def tone(word: str) -> str:
    """Return the colour a status is shown in; its words say the same."""
    return TONES.get(word, "soft")
