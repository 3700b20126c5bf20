"""Was it all true? Asked of both systems by their own APIs, never of the product's log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sandbox.demo.dynamics import Json, amount, label
from sandbox.demo.invoices import Expected
from sandbox.demo.story import Followed, Story
from sandbox.demo.xero import NZ, UK

ZONES = {NZ: ZoneInfo("Pacific/Auckland"), UK: ZoneInfo("Europe/London")}
ID = re.compile(r"/[0-9a-f]{8}-[0-9a-f-]{27}", re.IGNORECASE)
OK, NOT_OK = "✓", "✗"


class Verdict:
    """What both systems hold, compared with what was planned; `missing` names everything that is not as it must be."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._documents = {name: list(books.invoices()) for name, books in story.product.books.items()}
        self._contacts = {name: list(books.contacts()) for name, books in story.product.books.items()}
        self._found: dict[str, Json] = {}
        self._problems: dict[str, list[str]] = {}
        for one in story.followed:
            self._problems[one.id] = list(self._judged(one))
        self.missing = [
            f"{one.number} ({one.plan.what}): {problem}" for one in story.followed for problem in self._problems[one.id]
        ]
        self.missing += self._judged_together()

    def table(self) -> str:
        """Return one line per invoice."""
        rows = [("", "Invoice", "Customer", "Organisation", "Export Status", "Xero number", "Total", "Seconds", "What it shows")]
        for one in self._story.followed:
            document = self._found.get(one.id, {})
            total = f"{document['Total']:,.2f} {document['CurrencyCode']}" if document else ""
            rows.append(
                (
                    NOT_OK if self._problems[one.id] else OK,
                    one.number,
                    label(one.row, "_customerid_value")[:28],
                    one.plan.organisation.removeprefix("Demo Company "),
                    "Failed → Yes" if one.plan.ends == "fixed" and one.status == "Yes" else one.status or "No",
                    str(document.get("InvoiceNumber", "")),
                    total,
                    f"{one.seconds:.1f}" if one.seen else "",
                    one.plan.what,
                )
            )
        return tabulated(rows, right={6, 7})

    def summary(self, seconds: float) -> str:
        """Return what it cost, and whether all of it is true."""
        calls = self._story.calls
        done = sum(1 for one in self._story.followed if one.id in self._found)
        each = f", {len(calls) / done:.1f} for each document" if done else ""
        lines = [
            f"Xero was called {len(calls)} times from the flags on{each} (with its customer, items and pay-now link,"
            f" and the first looks for news from Xero): {counted(calls)}.",
            limited(calls),
        ]
        if self.missing:
            lines += [f"NOT verified, after {seconds:.0f} s:", *(f"  {NOT_OK} {problem}" for problem in self.missing)]
        else:
            waiting = sum(1 for one in self._story.followed if one.plan.ends == "waits")
            refused = sum(1 for one in self._story.followed if one.plan.ends in ("refused", "fixed"))
            lines.append(
                f"Verified after {seconds:.0f} s: {done} invoices stand in Xero, each exactly once and to the cent; "
                f"{waiting} waits for its day, {refused} were refused and said why, one of them went by itself once it was put right."
            )
        return "\n".join(lines)

    def _judged(self, one: Followed) -> Iterator[str]:
        """Yield what is wrong with one invoice, on either side."""
        if not one.is_done:
            yield f"Export Status is {one.status or 'No'}"
        marked = [
            (organisation, document)
            for organisation, documents in self._documents.items()
            for document in documents
            if str(document.get("Url", "")).endswith(self._story.dynamics.page_of(one.id))
        ]
        history = self._story.history(one)
        if one.plan.expected is None:
            if marked:
                yield f"{len(marked)} documents stand in Xero; there must be none"
            if one.row.get("mag_xeroid") or one.row.get("mag_synchedwithxero"):
                yield "Dynamics 365 says that it is in Xero"
            yield from _unexplained(one, history, "Waiting" if one.plan.ends == "waits" else "Failed")
            return
        if len(marked) != 1:
            yield f"{len(marked)} documents in Xero bear its mark; there must be exactly one"
            return
        organisation, document = marked[0]
        self._found[one.id] = document
        if organisation != one.plan.organisation:
            yield f"it is in the books of {organisation}"
        yield from differences("Xero", self._in_xero(one, document, one.plan.expected))
        yield from differences("Dynamics 365", self._in_dynamics(one, document))
        successes = [row for row in history if label(row, "mag_syncstatus") == "Successful"]
        if len(successes) != 1 or document["InvoiceID"] not in str(successes[0]["mag_details"]):
            yield f"{len(successes)} Sync History rows say that it was created; there must be one that names its Xero id"
        if one.plan.ends == "fixed":
            yield from _unexplained(one, history, "Failed")

    def _in_xero(self, one: Followed, document: Json, expected: Expected) -> dict[str, tuple[object, object]]:
        """Return name → (what Xero holds, what it must hold)."""
        is_bill = document["Type"] == "ACCPAY"
        delivered = datetime.fromisoformat(one.row["datedelivered"]).astimezone(ZONES[one.plan.organisation]).date()
        is_sent = one.plan.organisation == NZ and not is_bill
        by_xero = expected.number == "Xero's"
        number = document["InvoiceNumber"] if by_xero else expected.number or one.number
        reference = None if is_bill else expected.reference or (one.number if by_xero else None)
        if reference is None and not is_bill:
            reference = document.get("Reference")
        return {
            "Type": (document["Type"], "ACCPAY" if expected.number.startswith("TPM") else "ACCREC"),
            "Contact": (document["Contact"]["Name"], expected.contact),
            "InvoiceNumber": (document["InvoiceNumber"], number),
            "Xero's own number": (by_xero, bool(re.fullmatch(r"INV-\d{4}", document["InvoiceNumber"]))),
            "Reference": (document.get("Reference"), reference),
            "Status": (document["Status"], expected.status),
            "LineAmountTypes": (document["LineAmountTypes"], expected.types),
            "CurrencyCode": (document["CurrencyCode"], expected.currency),
            "Date": (document["DateString"][:10], delivered.isoformat()),
            "DueDate": (document["DueDateString"][:10], one.row["duedate"]),
            "SubTotal": (amount(document, "SubTotal"), Decimal(expected.net)),
            "TotalTax": (amount(document, "TotalTax"), Decimal(expected.tax)),
            "Total": (amount(document, "Total"), expected.total),
            "TotalDiscount": (amount(document, "TotalDiscount"), Decimal(expected.discount or 0)),
            "SentToContact": (document["SentToContact"], is_sent),
            "lines": (tuple(_line(line) for line in document["LineItems"]), expected.lines),
            "mark": (document["Url"].startswith(f"{self._story.product.dataverse_url}/main.aspx?"), True),
        }

    def _in_dynamics(self, one: Followed, document: Json) -> dict[str, tuple[object, object]]:
        """Return column → (what the row holds, what it must hold)."""
        row = one.row
        has_page = document["Type"] == "ACCREC" and document["Status"] != "DRAFT"
        return {
            "Synched With Xero": (row["mag_synchedwithxero"], True),
            "Export Status": (label(row, "mag_exportstatus"), "Yes"),
            "Export Date": (bool(row["mag_exportdate"]), True),
            "Xero Id": (row["mag_xeroid"], document["InvoiceID"]),
            "Xero Invoice Number": (row["mag_xeroinvoicenumber"], document["InvoiceNumber"]),
            "Xero Invoice Status": (row["mag_xeroinvoicestatus"], document["Status"]),
            "Xero Invoice URL": (document["InvoiceID"] in str(row["mag_xeroinvoiceurl"]), True),
            "Xero Pay Now Link": (str(row["mag_xeropaynowlink"] or "").startswith("https://in.xero.com/"), has_page),
            "Xero Tax": (amount(row, "mag_xerotax"), amount(document, "TotalTax")),
            "Amount Due": (amount(row, "mag_amountdue"), amount(document, "AmountDue")),
            "Amount Paid": (row["mag_amountpaid"], Decimal(0)),
            "Amount Credited": (row["mag_amountcredited"], Decimal(0)),
            "Xero Connector": (row["_mag_xeroconnectorid_value"], self._story.product.connectors[one.plan.organisation]),
            "Status": (row["statecode"], 0),
        }

    def _judged_together(self) -> Iterator[str]:
        """Yield what is wrong with the books as a whole."""
        ours = [
            document
            for documents in self._documents.values()
            for document in documents
            if "/main.aspx?" in document.get("Url", "")
        ]
        if len(ours) != len(self._found):
            yield f"{len(ours)} documents in Xero bear our mark, for {len(self._found)} invoices"
        for one in self._story.followed:
            if one.plan.expected is None:
                continue
            namesakes = [
                contact
                for contact in self._contacts[one.plan.organisation]
                if contact["Name"] == one.plan.expected.contact and contact["ContactStatus"] == "ACTIVE"
            ]
            if len(namesakes) != 1:
                yield f"{len(namesakes)} contacts in {one.plan.organisation} are named {one.plan.expected.contact}; there must be one"
        people = next(contact for contact in self._contacts[NZ] if contact["Name"] == "Ridgeway University").get(
            "ContactPersons", []
        )
        if sorted(person["FirstName"] for person in people) != ["Olive", "Rangi", "Stefan"]:
            yield "the additional billing contacts of Ridgeway University are not on its contact in Xero"
        if refused := sum(1 for call in self._story.calls if call["status"] == 429):
            yield f"Xero's rate limit refused {refused} calls"


def tabulated(rows: Sequence[tuple[str, ...]], right: set[int]) -> str:
    """Return rows as lines, the first one underlined; the columns *right* are aligned to that side."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join((lines[0], "  ".join("─" * width for width in widths), *lines[1:]))


def counted(calls: list[Json]) -> str:
    """Name the kinds of calls with their numbers, the most frequent first."""
    kinds = Counter(f"{call['method']} {ID.sub('/…', call['path'].removeprefix('/api.xro/2.0'))}" for call in calls)
    return ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items(), key=lambda pair: -pair[1]))


def limited(calls: list[Json]) -> str:
    """Say how many of the calls Xero's rate limit refused."""
    return f"Refused by Xero's rate limit (429): {sum(1 for call in calls if call['status'] == 429)}."


def differences(where: str, compared: dict[str, tuple[object, object]]) -> Iterator[str]:
    """Yield what is not as it must be: *compared* is name → (found, wanted)."""
    for name, (found, wanted) in compared.items():
        if found != wanted:
            yield f"{name} in {where} is {found!r}, not {wanted!r}"


def _line(line: Json) -> str:
    tracking = sorted(f"{option['Name']}/{option['Option']}" for option in line.get("Tracking", ()))
    return " ".join((line.get("AccountCode", ""), *tracking)).strip()


def _unexplained(one: Followed, history: list[Json], status: str) -> Iterator[str]:
    told = [row for row in history if label(row, "mag_syncstatus") == status]
    if not told:
        yield f"no Sync History row of status {status} stands on it"
        return
    words = " ".join(str(told[-1].get(name) or "") for name in ("mag_details", "mag_cause", "mag_fix"))
    yield from (f"its Sync History does not say “{part}”, but: {words}" for part in one.plan.says if part not in words)
    columns = {"cause": "mag_cause", "fix": "mag_fix", "who acts": "mag_whoacts"}
    yield from (f"its Sync History has no {name}" for name, column in columns.items() if told[-1].get(column) is None)
