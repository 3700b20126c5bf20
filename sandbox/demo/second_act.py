"""The demo's second act: a bookkeeper works in Xero, and what is done there appears in Dynamics 365.

The figures an invoice must then show are worked out here from what the bookkeeper did, not by the product, nor taken from Xero.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from mappings.choices import PaymentStatus
from sandbox.dataverse.demo_company import ID
from sandbox.demo.connecting import Unfinished
from sandbox.demo.dynamics import Dynamics, Json, amount, label
from sandbox.demo.product import BALANCES, CREDIT_NOTES, NEW_INVOICES, PAYMENTS, STATUS
from sandbox.demo.story import Followed, Story, today
from sandbox.demo.xero import UK, Refused

ACTIVE, PAID, CANCELLED = 0, 2, 3
STATES = {ACTIVE: "Active", PAID: "Paid", CANCELLED: "Canceled"}
PATIENCE = 120.0
"""How many seconds all of it together may take to arrive."""
LOOK_AGAIN = {BALANCES: 3.0}
SELDOM = 10.0
"""After how many seconds the app is asked once more. Only a look at balances costs no call while Xero's minute is used up."""
MINUTE, FULL = timedelta(minutes=1), 38
"""From how many of Xero's sixty calls a minute on balances, the least urgent, wait for the others."""
PART = Decimal("100.00")
WHERE = UK
"""The organisation: the first act asked less of it, so that Xero's sixty calls a minute leave room for what comes back."""
PAYS, CREDITED = "petrie", "new:Thames Analytics Ltd"
"""The customers of the first act whose (first) invoices are paid and credited."""
TRACKING = "mag_invoicedetail_trackingoption"
COLUMNS = (
    "invoiceid,invoicenumber,name,statecode,totalamount,totaltax,duedate,datedelivered,mag_xeroid,mag_xeroinvoicenumber,"
    "mag_xeroinvoicestatus,mag_xeropaynowlink,mag_xerotax,mag_amountdue,mag_amountpaid,mag_amountcredited,mag_synchedwithxero,"
    "mag_addtoxero,mag_reference,mag_exportstatus,_customerid_value,_mag_xeroconnectorid_value,_transactioncurrencyid_value"
)


@dataclass(frozen=True)
class RaisedLine:
    """A line the bookkeeper writes in Xero, and what it must be in Dynamics 365: a product of the catalogue, or words."""

    body: Json
    product: str
    words: str
    tax: Decimal
    tracking: tuple[str, ...] = ()

    @property
    def net(self) -> Decimal:
        return Decimal(self.body["Quantity"]) * Decimal(self.body["UnitAmount"])


# fmt: off
RAISED = (
    RaisedLine({"ItemCode": "BOOK", "Description": "Fish out of Water: finding your brand", "Quantity": Decimal(12), "UnitAmount": Decimal("19.95"),
                "AccountCode": "200", "TaxType": "OUTPUT2"}, product="book", words="", tax=Decimal("47.88")),
    RaisedLine({"Description": "Half-day workshop on site", "Quantity": Decimal(2), "UnitAmount": Decimal("320.00"), "AccountCode": "210",
                "TaxType": "OUTPUT2", "Tracking": [{"Name": "Region", "Option": "South"}]},
               product="", words="Half-day workshop on site", tax=Decimal("128.00"), tracking=("South",)),
)
# fmt: on
REFERENCE = "Raised in Xero"
RAISED_NET = sum((line.net for line in RAISED), Decimal(0))
RAISED_TAX = sum((line.tax for line in RAISED), Decimal(0))
RAISED_TOTAL = RAISED_NET + RAISED_TAX
AGE, LATE = timedelta(days=40), timedelta(days=10)
"""How long ago the invoice is dated, and was due."""


@dataclass(frozen=True)
class Wanted:
    """What an invoice must show: state, amounts, and one row for each payment (by Xero's id) and each credit note (likewise)."""

    state: int
    due: Decimal
    paid: Decimal = Decimal(0)
    credited: Decimal = Decimal(0)
    payments: Mapping[str, tuple[Decimal, PaymentStatus]] = field(default_factory=dict)
    notes: Mapping[str, Decimal] = field(default_factory=dict)
    has_pay_now_link: bool = True

    @property
    def status(self) -> str:
        """Return the status the document must have in Xero."""
        return "AUTHORISED" if self.state == ACTIVE else "PAID"


@dataclass(frozen=True)
class Seen:
    """An invoice of Dynamics 365 with its payments and credit notes, as the Web API shows them."""

    row: Json
    payments: list[Json]
    notes: list[Json]

    @classmethod
    def read(cls, dynamics: Dynamics, invoice_id: str) -> Seen:
        """Read the three; a deactivated credit note no longer counts."""
        of_it = f"_mag_invoiceid_value eq {invoice_id}"
        return cls(
            dynamics.read(f"invoices({invoice_id})", select=COLUMNS),
            list(dynamics.rows("mag_payments", filter=of_it, orderby="createdon")),
            list(dynamics.rows("mag_creditnotes", filter=f"{of_it} and statecode eq 0")),
        )

    def words(self) -> str:
        """Say what a person sees."""
        due, paid, credited = (amount(self.row, f"mag_amount{name}") for name in ("due", "paid", "credited"))
        money = f"Amount Due {due:,.2f}, Amount Paid {paid:,.2f}" + (f", Amount Credited {credited:,.2f}" if credited else "")
        told = [f"{label(self.row, 'statecode')}, Xero Invoice Status {self.row['mag_xeroinvoicestatus']}, {money}"]
        told += ["a Pay Now link"] if self.row["mag_xeropaynowlink"] and not self.payments else []
        rows = [f"{amount(row, 'mag_amount'):,.2f} {label(row, 'mag_paymentstatus')}" for row in self.payments]
        told += [f"{counted(len(rows), 'Payment row')}: {', '.join(rows)}"] if rows else []
        told += [counted(len(self.notes), "Credit Note row")] if self.notes else []
        return "; ".join(told)


def counted(number: int, what: str) -> str:
    """Return "1 row", "2 rows"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def invoice_differences(wanted: Wanted, seen: Seen) -> Iterator[str]:
    """Yield what an invoice of Dynamics 365 shows otherwise than it must."""
    if seen.row["statecode"] != wanted.state:
        yield f"its state is {label(seen.row, 'statecode')}, not {STATES[wanted.state]}"
    money = {"Amount Due": wanted.due, "Amount Paid": wanted.paid, "Amount Credited": wanted.credited}
    for name, must in money.items():
        found = amount(seen.row, f"mag_{name.replace(' ', '').lower()}")
        if found != must:
            yield f"{name} is {found:,.2f}, not {must:,.2f}"
    if seen.row["mag_xeroinvoicestatus"] != wanted.status:
        yield f"Xero Invoice Status is {seen.row['mag_xeroinvoicestatus']}, not {wanted.status}"
    if wanted.has_pay_now_link and not seen.row["mag_xeropaynowlink"]:
        yield "it has no Xero Pay Now Link"
    yield from _payment_differences(wanted, seen.payments)
    yield from _note_differences(wanted, seen.notes)


def _payment_differences(wanted: Wanted, rows: list[Json]) -> Iterator[str]:
    for payment_id, (must, status) in wanted.payments.items():
        its = [row for row in rows if row["mag_xeropaymentid"] == payment_id]
        if len(its) != 1:
            yield f"{counted(len(its), 'Payment row')} for the payment of {must:,.2f}; there must be exactly one"
            continue
        if amount(its[0], "mag_amount") != must:
            yield f"the Payment row of {must:,.2f} says {amount(its[0], 'mag_amount'):,.2f}"
        if its[0]["mag_paymentstatus"] != status.value:
            yield f"the Payment row of {must:,.2f} is {label(its[0], 'mag_paymentstatus') or 'of no status'}, not {status.name.title()}"
    if strange := [row for row in rows if row["mag_xeropaymentid"] not in wanted.payments]:
        yield f"{counted(len(strange), 'Payment row')} for no payment of Xero's"


def _note_differences(wanted: Wanted, rows: list[Json]) -> Iterator[str]:
    for note_id, must in wanted.notes.items():
        its = [row for row in rows if row["mag_xerocreditnoteid"] == note_id]
        if len(its) != 1:
            yield f"{counted(len(its), 'Credit Note row')} for the credit note of {must:,.2f}; there must be exactly one"
        elif amount(its[0], "mag_amount") != must:
            yield f"the Credit Note row of {must:,.2f} says {amount(its[0], 'mag_amount'):,.2f}"
    if strange := [row for row in rows if row["mag_xerocreditnoteid"] not in wanted.notes]:
        yield f"{counted(len(strange), 'Credit Note row')} for no credit note of Xero's"


@dataclass(frozen=True)
class View:
    """What Dynamics 365 shows: in words, in few words, and what of it is not as it must be."""

    words: str
    brief: str
    problems: tuple[str, ...]


@dataclass
class Done:
    """One thing the bookkeeper did: what, of which document or customer, and what Dynamics 365 showed in the end, after how long."""

    what: str
    number: str
    view: View = View("", "", ())
    seconds: float = 0.0


@dataclass
class Settled:
    """An invoice of the first act that is settled in Xero, and what it must show by now."""

    one: Followed
    total: Decimal
    document_id: str
    contact_id: str
    number: str
    wanted: Wanted

    @property
    def customer(self) -> str:
        return label(self.one.row, "_customerid_value")


class SecondAct:
    """Everything the bookkeeper does, in order; *say* is told, a line each time."""

    def __init__(self, story: Story, say: Callable[[str], None]) -> None:
        self.story = story
        self.say = say
        self.books = story.product.books[WHERE]
        self.dynamics = story.dynamics
        self.done: list[Done] = []
        self.calls: list[Json] = []
        self.documents_before = 0
        self.raised: Json = {}
        self._deadline = 0.0

    def play(self) -> None:
        """Do it all; raises Unfinished when Xero refuses what the bookkeeper wants."""
        start = self.story.calls_so_far()
        self._deadline = time.monotonic() + PATIENCE
        try:
            self.documents_before = sum(1 for _ in self.books.invoices())
            self.paid, self.credited = (self._settled(customer) for customer in (PAYS, CREDITED))
            self._approve()
            self._pay_a_part_then_the_rest()
            self._credit_in_full()
            self._raise_an_invoice()
            self._owe()
        except Refused as error:
            raise Unfinished(f"The bookkeeper could not go on in Xero: {error}") from error
        self.calls = self.story.calls_since(start)

    def raised_rows(self) -> list[Json]:
        """Return the invoices of Dynamics 365 that are the one raised in Xero: by its id, and by its number."""
        either = f"mag_xeroid eq '{self.raised['InvoiceID']}' or invoicenumber eq '{self.raised['InvoiceNumber']}'"
        return list(self.dynamics.rows("invoices", select=COLUMNS, filter=either))

    def raised_lines(self, invoice_id: str) -> list[Json]:
        """Return the lines of an invoice in their order, each with the names of its tracking options."""
        lines = list(self.dynamics.rows("invoicedetails", filter=f"_invoiceid_value eq {invoice_id}", orderby="lineitemnumber"))
        for line in lines:
            read = self.dynamics.read(f"invoicedetails({line['invoicedetailid']})", select="invoicedetailid", expand=TRACKING)
            line["tracking"] = tuple(sorted(str(option["mag_name"]) for option in read[TRACKING]))
        return lines

    def customer(self) -> Json:
        """Return the account that owes: the customer of the paid and of the raised invoice."""
        return self.dynamics.read(f"accounts({ID[PAYS]})", select="name,mag_amountowed,mag_amountoverdue")

    def account(self, code: str) -> str:
        """Return the id of the row of an account of the organisation."""
        return self.story.account(WHERE, code)

    @property
    def owed(self) -> Decimal:
        """Return what the customer owes in the end."""
        return self.paid.wanted.due + RAISED_TOTAL

    # ── what the bookkeeper does ────────────────────────────────────────────────────────────────────────────────────────────────

    def _approve(self) -> None:
        of = self.paid
        self.books.approve(of.document_id)
        self._followed(of, "a draft approved", f"approves {of.number}, {of.total:,.2f} for {of.customer}", of.wanted, STATUS)

    def _pay_a_part_then_the_rest(self) -> None:
        of, applied = self.paid, PaymentStatus.APPLIED
        rest = of.total - PART
        first = str(self.books.book("pay", invoice=of.document_id, amount=PART, reference="Deposit")["PaymentID"])
        part = {first: (PART, applied)}
        words = f"receives {PART:,.2f} of {of.total:,.2f} for {of.number}"
        self._followed(of, "a part payment", words, Wanted(ACTIVE, rest, PART, payments=part), PAYMENTS)

        second = str(self.books.book("pay", invoice=of.document_id)["PaymentID"])
        both = part | {second: (rest, applied)}
        wanted = Wanted(PAID, Decimal(0), of.total, payments=both)
        self._followed(of, "the rest is paid", f"receives the other {rest:,.2f}", wanted, PAYMENTS)

        self.books.book("take_payment_back", payment=second)
        wanted = Wanted(ACTIVE, rest, PART, payments=part | {second: (rest, PaymentStatus.REVERSED)})
        self._followed(of, "a payment taken back", f"removes the payment of {rest:,.2f}: the cheque bounced", wanted, PAYMENTS)

    def _credit_in_full(self) -> None:
        of = self.credited
        self.books.approve(of.document_id)
        note = str(self.books.book("credit_note", invoice=of.document_id)["CreditNoteID"])
        wanted = Wanted(CANCELLED, Decimal(0), credited=of.total, notes={note: of.total}, has_pay_now_link=False)
        words = f"approves {of.number} for {of.customer}, and sets a credit note of {of.total:,.2f} against it"
        self._followed(of, "a credit note in full", words, wanted, CREDIT_NOTES)

    def _raise_an_invoice(self) -> None:
        day = today()
        self.raised = self.books.book(
            "invoice",
            contact=self.paid.contact_id,
            lines=[line.body for line in RAISED],
            date=(day - AGE).isoformat(),
            due=(day - LATE).isoformat(),
            fields={"Reference": REFERENCE, "LineAmountTypes": "Exclusive"},
        )
        number = str(self.raised["InvoiceNumber"])
        words = f"raises {number} for {self.paid.customer}: {RAISED_NET:,.2f} and {RAISED_TAX:,.2f} tax, due {LATE.days} days ago"
        self._watch(Done("an invoice raised in Xero", number), words, self._raised_seen, NEW_INVOICES)

    def _owe(self) -> None:
        words = f"has nothing more to do; what {self.paid.customer} owes has changed"
        self._watch(Done("what the customer owes", self.paid.customer), words, self._owed_seen, BALANCES)

    # ── what comes of it ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _followed(self, of: Settled, what: str, words: str, wanted: Wanted, flow: str) -> None:
        of.wanted = wanted

        def seen() -> View:
            shown = Seen.read(self.dynamics, of.one.id)
            return View(shown.words(), _brief(shown.row), tuple(invoice_differences(wanted, shown)))

        self._watch(Done(what, of.number), words, seen, flow)

    def _raised_seen(self) -> View:
        rows = self.raised_rows()
        if len(rows) != 1:
            found = counted(len(rows), "invoice")
            return View(found, found, (f"{found} in Dynamics 365; there must be exactly one",))
        lines = self.raised_lines(rows[0]["invoiceid"])
        total, tax, due = (amount(rows[0], column) for column in ("totalamount", "totaltax", "mag_amountdue"))
        money = f"Total Amount {total:,.2f} with {tax:,.2f} tax, Amount Due {due:,.2f}"
        words = f"{label(rows[0], 'statecode')}, {label(rows[0], '_customerid_value')}, {counted(len(lines), 'line')}, {money}"
        return View(words, _brief(rows[0]), tuple(raised_differences(rows[0], lines, self.account)))

    def _owed_seen(self) -> View:
        row = self.customer()
        owed, overdue = amount(row, "mag_amountowed"), amount(row, "mag_amountoverdue")
        words = f"Account {row['name']}: Amount Owed {owed:,.2f}, Amount Overdue {overdue:,.2f}"
        return View(words, f"{owed:,.2f} owed, {overdue:,.2f} overdue", tuple(owed_differences(row, self.owed, RAISED_TOTAL)))

    def _watch(self, done: Done, words: str, look: Callable[[], View], flow: str) -> None:
        """Ask the app to look, and read Dynamics 365 until it is as it must be; what is wrong when patience ends is kept."""
        self.done.append(done)
        self.say(f"  The bookkeeper {words}")
        began = asked = time.monotonic()
        is_told = False
        self.story.product.look_now(flow, organisation=WHERE)
        while True:
            done.view = look()
            done.seconds = time.monotonic() - began
            if not done.view.problems or time.monotonic() > self._deadline:
                break
            if time.monotonic() - asked > LOOK_AGAIN.get(flow, SELDOM):
                self.story.product.look_now(flow, organisation=WHERE)
                asked = time.monotonic()
                is_told = is_told or self._tell_of_the_limit(flow)
            time.sleep(0.4)
        self.say(f"  {done.seconds:5.1f} s  → {done.view.words}")

    def _tell_of_the_limit(self, flow: str) -> bool:
        """Say that balances wait for room among Xero's calls of a minute, when they do."""
        used = self.story.calls_of_the_last(MINUTE, WHERE)
        if flow != BALANCES or used < FULL:
            return False
        self.say(
            f"           Xero allows 60 calls a minute of an organisation, {used} are used: what is owed, the least urgent, waits."
        )
        return True

    def _settled(self, customer: str) -> Settled:
        one = next(found for found in self.story.followed if found.plan.customer == customer)
        if one.plan.expected is None or not one.row.get("mag_xeroid"):
            raise Unfinished(f"{one.number} does not stand in Xero: the bookkeeper has nothing to do.")
        document = self.books.invoice(one.row["mag_xeroid"])
        total = one.plan.expected.total
        wanted = Wanted(ACTIVE, total)
        return Settled(one, total, document["InvoiceID"], document["Contact"]["ContactID"], document["InvoiceNumber"], wanted)


def _brief(row: Json) -> str:
    return f"{label(row, 'statecode')}, {amount(row, 'mag_amountdue'):,.2f} due"


def raised_differences(row: Json, lines: list[Json], account: Callable[[str], str]) -> Iterator[str]:
    """Yield what the invoice raised in Xero is otherwise in Dynamics 365 than it must be; *account* is the row of a code."""
    if row["_customerid_value"] != ID[PAYS]:
        yield f"its customer is {label(row, '_customerid_value') or 'nobody'}"
    money = {"totalamount": RAISED_TOTAL, "totaltax": RAISED_TAX, "mag_xerotax": RAISED_TAX, "mag_amountdue": RAISED_TOTAL}
    for column, must in money.items():
        if amount(row, column) != must:
            yield f"{column} is {amount(row, column):,.2f}, not {must:,.2f}"
    if row["statecode"] != ACTIVE:
        yield f"its state is {label(row, 'statecode')}"
    if len(lines) != len(RAISED):
        yield f"it has {counted(len(lines), 'line')}, not {len(RAISED)}"
        return
    for number, (line, raised) in enumerate(zip(lines, RAISED, strict=True), 1):
        yield from (f"{problem} on line {number}" for problem in _line_differences(line, raised, account))


def _line_differences(line: Json, must: RaisedLine, account: Callable[[str], str]) -> Iterator[str]:
    compared = {
        "product": (line["_productid_value"], ID[must.product] if must.product else None),
        "words": (line["productdescription"] or "", must.words),
        "quantity": (amount(line, "quantity"), must.body["Quantity"]),
        "price": (amount(line, "priceperunit"), must.body["UnitAmount"]),
        "tax": (amount(line, "tax"), must.tax),
        "amount": (amount(line, "extendedamount"), must.net + must.tax),
        "account": (line["_mag_xeroaccountcodeid_value"], account(must.body["AccountCode"])),
        "tracking": (line["tracking"], must.tracking),
    }
    for name, (found, wanted) in compared.items():
        if found != wanted:
            yield f"{name} is {_told(found)}, not {_told(wanted)}"


def _told(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, Decimal) else repr(value)


def owed_differences(row: Json, owed: Decimal, overdue: Decimal) -> Iterator[str]:
    """Yield what an account says otherwise about what it owes."""
    for name, must in {"Amount Owed": owed, "Amount Overdue": overdue}.items():
        found = row[f"mag_{name.replace(' ', '').lower()}"]
        if found is None or Decimal(str(found)) != must:
            yield f"{name} is {'empty' if found is None else f'{Decimal(str(found)):,.2f}'}, not {must:,.2f}"
