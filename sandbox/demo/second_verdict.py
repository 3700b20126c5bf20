"""Was it all true that came back? Asked of both systems by their own APIs, never of the product's log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from mappings.choices import PaymentStatus
from sandbox.demo.dynamics import Json, amount, label
from sandbox.demo.second_act import (
    RAISED_NET,
    RAISED_TAX,
    RAISED_TOTAL,
    REFERENCE,
    WHERE,
    SecondAct,
    Seen,
    Settled,
    counted,
    invoice_differences,
    owed_differences,
    raised_differences,
)
from sandbox.demo.verdict import NOT_OK, OK, ZONES, differences, limited, tabulated
from sandbox.demo.verdict import counted as calls_counted


class SecondVerdict:
    """What both systems hold after the second act; `missing` names everything that is not as it must be."""

    def __init__(self, act: SecondAct) -> None:
        self._act = act
        self._documents = {document["InvoiceID"]: document for document in act.books.invoices()}
        self._final: dict[str, list[str]] = {
            act.paid.number: list(self._settled(act.paid)),
            act.credited.number: list(self._settled(act.credited)),
            str(act.raised["InvoiceNumber"]): list(self._raised()),
            str(act.customer()["name"]): list(self._owed()),
        }
        self.missing = [
            f"{done.number} ({done.what}): {problem}"
            for done in act.done
            for problem in done.view.problems
            if problem not in self._final[done.number]
        ]
        self.missing += [f"{name}: {problem}" for name, problems in self._final.items() for problem in problems]
        self.missing += self._judged_together()

    def table(self) -> str:
        """Return one line for each thing the bookkeeper did; how it ended is judged on its document's last line."""
        rows = [("", "What it shows", "Document", "In Dynamics 365", "Seconds")]
        last = {done.number: done for done in self._act.done}
        for done in self._act.done:
            is_wrong = bool(done.view.problems) or (last[done.number] is done and bool(self._final[done.number]))
            rows.append((NOT_OK if is_wrong else OK, done.what, done.number, done.view.brief, f"{done.seconds:.1f}"))
        return tabulated(rows, right={4})

    def summary(self, seconds: float) -> str:
        """Return what it cost, and whether all of it is true."""
        calls = self._act.calls
        lines = [
            f"Xero was called {len(calls)} times for all that came back: {calls_counted(calls)}.",
            limited(calls),
        ]
        if self.missing:
            lines += [f"NOT verified, after {seconds:.0f} s:", *(f"  {NOT_OK} {problem}" for problem in self.missing)]
        else:
            lines.append(
                f"Verified after {seconds:.0f} s: {len(self._act.paid.wanted.payments)} payments, one of them taken back, a credit note,"
                " an invoice of Xero's and what its customer owes stand in Dynamics 365, each exactly once and to the cent."
            )
        return "\n".join(lines)

    def _settled(self, of: Settled) -> Iterator[str]:
        """Yield what is wrong with a settled invoice, on either side."""
        document = self._documents.get(of.document_id)
        if document is None:
            yield "it is not in Xero any more"
            return
        wanted = of.wanted
        applied = {one: must for one, (must, status) in wanted.payments.items() if status is PaymentStatus.APPLIED}
        yield from differences(
            "Xero",
            {
                "Status": (document["Status"], wanted.status),
                "AmountDue": (amount(document, "AmountDue"), wanted.due),
                "AmountPaid": (amount(document, "AmountPaid"), wanted.paid),
                "AmountCredited": (amount(document, "AmountCredited"), wanted.credited),
                "Payments": ({one["PaymentID"]: one["Amount"] for one in document.get("Payments", ())}, applied),
                "CreditNotes": (
                    {one["CreditNoteID"]: one["AppliedAmount"] for one in document.get("CreditNotes", ())},
                    dict(wanted.notes),
                ),
            },
        )
        yield from invoice_differences(wanted, Seen.read(self._act.dynamics, of.one.id))

    def _raised(self) -> Iterator[str]:
        """Yield what is wrong with the invoice raised in Xero, on either side."""
        number = self._act.raised["InvoiceNumber"]
        document = self._documents.get(self._act.raised["InvoiceID"])
        namesakes = [one for one in self._documents.values() if one.get("InvoiceNumber") == number]
        if document is None or len(namesakes) != 1:
            yield f"{counted(len(namesakes), 'document')} in Xero bear its number; there must be exactly one"
            return
        yield from differences(
            "Xero",
            {
                "Status": (document["Status"], "AUTHORISED"),
                "SubTotal": (amount(document, "SubTotal"), RAISED_NET),
                "TotalTax": (amount(document, "TotalTax"), RAISED_TAX),
                "Total": (amount(document, "Total"), RAISED_TOTAL),
                "our mark": (document.get("Url"), None),
            },
        )
        rows = self._act.raised_rows()
        if len(rows) != 1:
            yield f"{counted(len(rows), 'invoice')} in Dynamics 365; there must be exactly one"
            return
        yield from raised_differences(rows[0], self._act.raised_lines(rows[0]["invoiceid"]), self._act.account)
        yield from differences("Dynamics 365", self._header(rows[0], document))

    def _header(self, row: Json, document: Json) -> dict[str, tuple[object, object]]:
        """Return column → (what the row holds, what it must hold)."""
        delivered = datetime.fromisoformat(row["datedelivered"]).astimezone(ZONES[WHERE]).date().isoformat()
        return {
            "Xero Id": (row["mag_xeroid"], document["InvoiceID"]),
            "Invoice ID": (row["invoicenumber"], document["InvoiceNumber"]),
            "Xero Invoice Status": (row["mag_xeroinvoicestatus"], document["Status"]),
            "Reference": (row["mag_reference"], REFERENCE),
            "Date Delivered": (delivered, document["DateString"][:10]),
            "Due Date": (row["duedate"], document["DueDateString"][:10]),
            "Currency": (label(row, "_transactioncurrencyid_value"), "Pound Sterling"),
            "Xero Connector": (row["_mag_xeroconnectorid_value"], self._act.story.product.connectors[WHERE]),
            "Synched With Xero": (row["mag_synchedwithxero"], True),
            "Add to Xero": (row["mag_addtoxero"], False),
            "Export Status": (label(row, "mag_exportstatus"), "Yes"),
        }

    def _owed(self) -> Iterator[str]:
        """Yield what is wrong with what the customer owes: as worked out here, as Xero says, as Dynamics 365 says."""
        contact: Json = next((one for one in self._act.books.contacts() if one["ContactID"] == self._act.paid.contact_id), {})
        side = contact.get("Balances", {}).get("AccountsReceivable", {})
        found = {name: Decimal(side.get(name, 0)) for name in ("Outstanding", "Overdue")}
        worked_out = {"Outstanding": self._act.owed, "Overdue": RAISED_TOTAL}
        yield from differences("Xero", {name: (found[name], worked_out[name]) for name in found})
        yield from owed_differences(self._act.customer(), found["Outstanding"], found["Overdue"])

    def _judged_together(self) -> Iterator[str]:
        """Yield what is wrong with everything as a whole: rows that stand twice anywhere, documents nobody raised, refused calls."""
        rows = [row["mag_xeropaymentid"] for row in self._act.dynamics.rows("mag_payments", select="mag_xeropaymentid")]
        twice = [payment for payment, number in Counter(rows).items() if number > 1]
        if twice:
            yield f"{counted(len(twice), 'payment')} of Xero's stand in Dynamics 365 more than once"
        known = len(self._act.paid.wanted.payments) + len(self._act.credited.wanted.payments)
        if len(rows) != known:
            yield f"{counted(len(rows), 'Payment row')} in Dynamics 365, for {counted(known, 'payment')} in Xero"
        new = len(self._documents) - self._act.documents_before
        if new != 1:
            yield f"{counted(new, 'document')} came into Xero during the second act; the bookkeeper raised one"
        if refused := sum(1 for call in self._act.calls if call["status"] == 429):
            yield f"Xero's rate limit refused {refused} calls"
