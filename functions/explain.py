"""What the vendors' messages mean: cause, fix and who acts. Pure.

One row per message of Xero, Dataverse or the wires (reference product E-list, xero 4.7, dataverse 2.8). Vendors reword their
messages, so the patterns are loose; the first that fits counts. A message nobody knows passes unchanged, with a way on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from shared.errors import Problem


class Row(NamedTuple):
    """One known message; ``is_code`` marks those that say our reference data is out of date."""

    pattern: str
    cause: str
    fix: str
    who: str
    is_code: bool = False


AGAIN = "the record then goes again by itself."
TRY_AGAIN = "after a change in Xero, set Export Status to No to have the record tried again."

# fmt: off
ROWS = (
    # ── Xero: accounts, tax, tracking, branding ─────────────────────────────────────────────────────────────────────────────
    Row(r"tax ?(type|rate).* cannot be used with account",
        "Xero does not allow this tax rate on this account.",
        f"Change the Xero Account Code or the Tax Rate of the line, or allow the combination in Xero; {AGAIN}", "bookkeeper", True),
    Row(r"tax ?(type|rate).*(does not exist|cannot be used for this type|not valid|archived|deleted)",
        "The tax rate was removed in Xero, or is not meant for this kind of document.",
        f"Choose another Tax Rate on the line; {AGAIN}", "bookkeeper", True),
    Row(r"account code.*(archived|deleted)",
        "The account was archived or deleted in Xero after it was chosen.",
        f"Restore the account in Xero, or choose another Xero Account Code; {AGAIN}", "bookkeeper", True),
    Row(r"account code.*(not a valid|does not exist|not valid|could not be found)",
        "The account is of a kind Xero does not take here, or Xero does not know it.",
        f"Choose a revenue account on a sales invoice, an expense account on a bill; {AGAIN}", "bookkeeper", True),
    Row(r"account (code|id).*(must be specified|required)|account must be",
        "A line has no account, and neither has its item in Xero.",
        f"Choose a Xero Account Code on the line, or the connector's Default Account Code; {AGAIN}", "bookkeeper"),
    Row(r"tracking.*(archived|deleted|not valid|invalid|not exist|not found|not be found)",
        "The tracking category or option was renamed, archived or removed in Xero.",
        f"Choose another tracking option on the line, or restore it in Xero; {AGAIN}", "bookkeeper", True),
    Row(r"branding ?theme.*(archived|deleted|not valid|invalid|not exist|not found|not be found)",
        "The branding theme was removed in Xero.",
        f"Choose another Branding Theme on the invoice or the connector; {AGAIN}", "bookkeeper", True),

    # ── Xero: contacts and items ────────────────────────────────────────────────────────────────────────────────────────────
    Row(r"contact.*archived|archived contact|must be un-?archived",
        "The contact was archived in Xero, or merged into another one.",
        f"Choose another customer on the invoice, or restore the contact in Xero; {TRY_AGAIN}", "bookkeeper"),
    Row(r"contact name.*already assigned|contact name must be unique",
        "Xero has another contact of the same name, and keeps names unique.",
        f"Rename the customer here, or give the contact in Xero the account number of the customer; {TRY_AGAIN}", "bookkeeper"),
    Row(r"(account number|contact ?number).*(already|in use|unique|exists)",
        "Another contact in Xero has the same number.",
        f"Change the Account Number of the customer, or of the other contact in Xero; {TRY_AGAIN}", "bookkeeper"),
    Row(r"contact must contain at least|contact.*(name|contactid).*(required|must be)",
        "The document was sent without its customer.",
        "Tell the people who run the connector: this is a fault of the connector.", "support"),
    Row(r"item.*already exists",
        "Xero has an item of this code already.",
        "Nothing to do: the connector takes the existing item with the next try.", "nobody"),
    Row(r"item ?code.*(not valid|does not exist|could not be found)",
        "Xero has no item of this code.",
        f"Switch Create New Products on, or add the item in Xero; {TRY_AGAIN}", "bookkeeper"),
    Row(r"code.*(must not be more than|no more than|longer than) 30|length of code",
        "The Product Number is longer than the 30 characters Xero takes as an item code.",
        f"Shorten the Product Number; {AGAIN}", "salesperson"),
    Row(r"e-?mail",
        "The e-mail address of the customer or of a billing contact is not one Xero takes.",
        f"Correct the e-mail address on the account or the contact; {AGAIN}", "salesperson"),

    # ── Xero: documents ─────────────────────────────────────────────────────────────────────────────────────────────────────
    Row(r"(invoice|credit note) ?(#|number|no\.?).*unique|number must be unique",
        "Xero has used this number before, perhaps for a document that was deleted or voided since.",
        f"Give the invoice another number, or let Xero number invoices (Use Xero Invoice Number); {AGAIN}", "salesperson"),
    Row(r"cannot be edited as it has a payment|cannot be applied to the invoice because it has payments|payments? or credit notes? allocated",
        "The document has a payment or a credit note in Xero, so that most of it is fixed.",
        "Remove the payment or credit note in Xero first, or make the change there. Only reference, due date and the like may still change.", "bookkeeper"),
    Row(r"not of valid status for modification",
        "The document was voided, deleted or paid in Xero meanwhile.",
        "Look at the document in Xero; the connector reads its status again.", "bookkeeper"),
    Row(r"payment amount exceeds",
        "The payment is more than what is still due, perhaps because it was entered on both sides.",
        "Check the payments of the document in Xero; what is too much can be an overpayment there.", "bookkeeper"),
    Row(r"payments can only be made against authorised",
        "The document is not approved in Xero yet.",
        "Approve the document in Xero.", "bookkeeper"),
    Row(r"reached the limit of (invoices|bills)",
        "The Xero plan of the organisation allows only so many approved documents a month.",
        f"Send drafts (Default Xero Invoice Status), upgrade the Xero plan, or wait for the next month; {TRY_AGAIN}", "bookkeeper"),
    Row(r"lock date",
        "The books are closed for the date of the document.",
        f"Change Date Delivered to an open period, or have the lock date moved; {TRY_AGAIN}", "bookkeeper"),
    Row(r"not subscribed to currency|currency.*(not (enabled|subscribed|available|valid))",
        "The organisation in Xero does not use this currency.",
        f"Add the currency in Xero (its plan must allow several), or make the invoice anew in another currency; {TRY_AGAIN}", "bookkeeper"),
    Row(r"credit ?note.*could not be found",
        "The credit note was deleted in Xero.",
        "Make it again, or clear the link on the record.", "bookkeeper"),
    Row(r"supplied id was not found|document.*not found for this endpoint",
        "The document the record is linked to is not in this organisation of Xero.",
        "Check in Xero whether it was deleted; to send the record anew, clear its Xero Id.", "bookkeeper"),
    Row(r"line total .* does not match",
        "Xero works the line out to another amount.",
        "Tell the people who run the connector: this is a fault of the connector.", "support"),
    Row(r"only authorised invoices may have senttocontact",
        "Only approved invoices can be marked as sent.",
        "Nothing to do: the invoice is in Xero and can be marked there once it is approved.", "nobody"),
    Row(r"\burl\b",
        "Xero does not take the link back to Dynamics 365.",
        "Tell the people who run the connector: the address of the environment does not suit Xero.", "administrator"),
    Row(r"due date",
        "The due date is missing, or before the date of the document.",
        f"Correct the Due Date; {AGAIN}", "salesperson"),
    Row(r"description.*(required|must be|cannot be empty)",
        "A line has no text.",
        f"Describe the line; {AGAIN}", "salesperson"),

    # ── access and limits ───────────────────────────────────────────────────────────────────────────────────────────────────
    Row(r"insufficient_?scope|insufficent_?scope",
        "The consent given in Xero does not cover what the connector must do.",
        "Connect Xero again and allow everything that is asked for.", "administrator"),
    Row(r"authentication ?unsuccessful|\b40[13]\b.*unauthori[sz]ed|invalid_grant|token.*(expired|invalid)",
        "Xero no longer lets the connector in: the consent ended, the user lost access, or the organisation was disconnected.",
        "Connect Xero again; nothing is lost meanwhile.", "administrator"),
    Row(r"\b429\b|rate limit|too many requests|number of (concurrent )?requests exceeded|combined execution time",
        "A limit on calls was reached.",
        "Nothing to do: the connector waits as long as it was asked to.", "nobody"),

    # ── Dataverse ───────────────────────────────────────────────────────────────────────────────────────────────────────────
    Row(r"currency of the record does not match|0x80048c(f6|ed|ea)|price list.*currency",
        "The invoice and its price list have different currencies.",
        f"Choose a price list of the invoice's currency; {AGAIN}", "salesperson"),
    Row(r"currency (cannot|can ?not) be null|0x80048cfb",
        "An amount was given without a currency.",
        f"Choose the currency of the record; {AGAIN}", "salesperson"),
    Row(r"0x80043(afa|afb|b0d|b10|b11|b12|b14)|(unit|product|price list|price).*(is missing|is invalid|cannot be specified)",
        "A line has no proper product, unit, price or price list.",
        f"Correct the product, its unit and the price list of the line; {AGAIN}", "salesperson"),
    Row(r"read.?only|0x8004022e|0x80043b(09|1d|1e)|locked",
        "The invoice is Paid or Canceled, or its prices are locked: such rows cannot be written.",
        "Nothing to do if it is closed on purpose; otherwise reactivate it or unlock its prices.", "salesperson"),
    Row(r"cannot be paid because|cannot be cancel+ed because|not in active( or paid)? state|0x8010000[01]",
        "The invoice is in a state that does not allow the change.",
        "Look at the status of the invoice; reactivate it if it should follow Xero.", "salesperson"),
    Row(r"optimistic concurrency|0x8006088d|not a defined key|0x80060890|0x80048d19|0x8006088a",
        "The connector's solution in Dynamics 365 is missing or too old.",
        "Install the current version of the solution.", "administrator"),
    Row(r"version of the existing record|rowversion|0x80060882",
        "Somebody changed the record at the same moment.",
        "Nothing to do: it is read again and goes by itself.", "nobody"),
    Row(r"record (with matching key values|that has the attribute values).*already exists|cannot insert duplicate key|duplicate of the current record"
        r"|0x8006089[2]|0x80040237|0x80040333|0x80073002",
        "The row exists already.",
        "Nothing to do: the connector finds it and goes on.", "nobody"),
    Row(r"does not exist( in .* entity)?\b|0x80040217|0x80060891",
        "A row the record needs was deleted in Dynamics 365.",
        f"Choose another one on the record; {AGAIN}", "salesperson"),
    Row(r"\bprv[a-z_0-9]+|privilege|0x80040220|0x80048306|access ?check",
        "The connector's user may not do this in Dynamics 365.",
        "Add the missing privilege to the role of the connector's application user.", "administrator"),
    Row(r"not a member of the organi[sz]ation|user.*(disabled|not enabled)|0x80072560|0x80040225",
        "The connector's application user is missing or disabled in Dynamics 365.",
        "Enable the application user in the Power Platform admin center.", "administrator"),
    Row(r"maximum (allowed )?length|outside (of )?the (valid|accepted) range|not a valid status code|invalid argument|0x80040203|0x8004431a|0x80044331|0x80048408|0x8004f00e",
        "Dynamics 365 does not take a value the connector wrote.",
        "Ask your administrator to compare the column with the connector's: perhaps it was shortened, or an option was removed.", "administrator"),
    Row(r"generic sql error|sql server.*time|sql timeout|0x8004415[01]",
        "The database of Dynamics 365 was busy.",
        "Nothing to do: it goes by itself.", "nobody"),
    Row(r"plug-?in|business (rule|process)|isv ?abort|0x80040265",
        "A rule or plug-in of your own in Dynamics 365 stopped the change.",
        "Ask your administrator what the rule wants; its own words are above.", "administrator"),
)
# fmt: on

UNKNOWN = Row(
    "",
    "The message is the other system's own.",
    f"Change what the message names; {AGAIN} If it is unclear, show it to your administrator.",
    "bookkeeper",
)

_PATTERNS = tuple((re.compile(row.pattern, re.IGNORECASE | re.DOTALL), row) for row in ROWS)


_XERO_PATH = re.compile(r"[A-Za-z]+\[[0-9]+\](?:\.LineItems\[(?P<line>[0-9]+)\])?.*")


def explain(problem: Problem) -> Problem:
    """Return *problem* with what it lacks of cause, fix and who acts; its message stays as it was written.

    A place in the words of an API (``Invoices[0].LineItems[1]``) becomes one in the reader's (Line 2), or none.
    """
    if path := _XERO_PATH.fullmatch(problem.where):
        problem = replace(problem, where=f"Line {int(path['line']) + 1}" if path["line"] else "")
    row = _row(problem.message)
    if row is UNKNOWN and problem.fix:
        return problem  # our own words, which say it all
    return replace(problem, cause=problem.cause or row.cause, fix=problem.fix or row.fix, who=problem.who or row.who)


def unknown_code(problems: Iterable[Problem]) -> bool:
    """Tell whether a refusal says that an account, tax rate, tracking option or branding theme is unknown or archived."""
    return any(_row(problem.message).is_code for problem in problems)


def _row(message: str) -> Row:
    return next((row for pattern, row in _PATTERNS if pattern.search(message)), UNKNOWN)
