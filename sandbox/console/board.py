"""What both sides hold just now, as the console shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.demo.dynamics import Dynamics, Json, amount, label
from sandbox.demo.xero import Books

FRESH = 0.8
CURRENCY = "transactioncurrencyid($select=isocurrencycode)"
INVOICE = (
    "invoiceid,invoicenumber,name,totalamount,statecode,mag_addtoxero,mag_exportstatus,mag_xeroid,mag_xeroinvoicenumber,"
    "mag_xeroinvoicestatus,mag_invoicetype,_customerid_value,_mag_xeroconnectorid_value,_transactioncurrencyid_value"
)
HISTORY = "mag_name,mag_eventon,mag_action,mag_syncstatus,mag_details,mag_cause,mag_fix,mag_whoacts,_mag_invoiceid_value"
TONES = {"Yes": "good", "Failed": "bad", "Waiting": "wait", "Successful": "good", "Warning": "wait"} | {
    "AUTHORISED": "good", "PAID": "good", "DRAFT": "soft", "SUBMITTED": "wait", "VOIDED": "bad", "DELETED": "bad",
}  # fmt: skip


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
    status: str
    connector: str
    xero_id: str
    xero_number: str
    xero_status: str
    newest: Event | None = None

    @classmethod
    def of(cls, row: Json, newest: Event | None = None) -> Invoice:
        """Read a row."""
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
            status=label(row, "mag_exportstatus") or "No",
            connector=label(row, "_mag_xeroconnectorid_value"),
            xero_id=str(row.get("mag_xeroid") or ""),
            xero_number=str(row.get("mag_xeroinvoicenumber") or ""),
            xero_status=str(row.get("mag_xeroinvoicestatus") or ""),
            newest=newest,
        )


@dataclass(frozen=True)
class Document:
    """One invoice or bill of Xero; `invoice` is the id of the one in Dynamics 365 its mark names."""

    id: str
    organisation: str
    number: str
    contact: str
    is_bill: bool
    status: str
    total: Decimal
    due: Decimal
    currency: str
    date: str
    invoice: str = ""

    @classmethod
    def of(cls, organisation: str, body: Json, contacts: Mapping[str, str]) -> Document:
        """Read a stored document."""
        mark = str(body.get("Url", ""))
        return cls(
            id=body["InvoiceID"],
            organisation=organisation,
            number=body.get("InvoiceNumber", ""),
            contact=contacts.get(body["Contact"]["ContactID"], ""),
            is_bill=body["Type"] == "ACCPAY",
            status=body["Status"],
            total=amount(body, "Total"),
            due=amount(body, "AmountDue"),
            currency=body["CurrencyCode"],
            date=str(body["Date"]),
            invoice=mark.rpartition("id=")[2] if "etn=invoice" in mark else "",
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
    """Both sides: invoices newest first, documents by organisation, those with our mark before the others."""

    invoices: list[Invoice]
    documents: dict[str, list[Document]]
    error: str = ""


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
                self._kept = Board(self._invoices(), {name: _documents(books) for name, books in self.books.items()})
                self._read_at = time.monotonic()
            return self._kept

    def forget(self) -> None:
        """Read anew the next time: something was changed here."""
        with self._lock:
            self._kept = None

    def events(self, invoice_id: str) -> list[Event]:
        """Return the Sync History of one invoice, newest first."""
        return [Event.of(row) for row in self._history(f"_mag_invoiceid_value eq {invoice_id}", 200)]

    def _invoices(self) -> list[Invoice]:
        newest: dict[str, Event] = {}
        for row in self._history("_mag_invoiceid_value ne null", 500):
            newest.setdefault(row["_mag_invoiceid_value"], Event.of(row))
        rows = self.dynamics.read(
            "invoices", select=INVOICE, expand=CURRENCY, orderby="createdon desc,invoicenumber desc", top="100"
        )["value"]
        return [Invoice.of(row, newest.get(row["invoiceid"])) for row in rows]

    def _history(self, where: str, most: int) -> list[Json]:
        found: list[Json] = self.dynamics.read(
            "mag_synchistories", select=HISTORY, filter=where, orderby="mag_eventon desc,createdon desc", top=str(most)
        )["value"]
        return found


def _documents(books: Books) -> list[Document]:
    state = books.state()
    contacts = {contact["ContactID"]: contact["Name"] for contact in state["contact"]}
    newest_first = sorted(state["invoice"], key=lambda body: str(body.get("UpdatedDateUTC", "")), reverse=True)
    return [Document.of(books.organisation, body, contacts) for body in newest_first]


def money(value: Any) -> str:
    """Write an amount with two places and thousands apart."""
    return f"{Decimal(str(value or 0)):,.2f}"


def plain(value: Any) -> str:
    """Write a number without needless zeros."""
    return f"{Decimal(str(value)).normalize():f}"


def tone(word: str) -> str:
    """Return the colour a status is shown in; its words say the same."""
    return TONES.get(word, "soft")
