"""Contact of Xero to account of Dynamics 365: the customer of a document from Xero, and the flow contacts-from-xero (A241-A262,
A327-A349).

``flat`` lays a Contact out the way the rows read it: each address and phone by its kind. What is no text, and kinds nobody knows,
are left out. The values the pipeline knows: ``currencies`` (ISO code to the id of its row) and ``deep_link`` (the contact's page).
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Read
from dataclasses import replace
from typing import Any

from mappings.contact import joined
from mappings.convert import CONTROL, text
from mappings.table import At, Converter, Field, Json, Link, Mapping, Row, local

STREET, PO_BOX = "Addresses[AddressType=STREET]", "Addresses[AddressType=POBOX]"
DEFAULT, FAX = "Phones[PhoneType=DEFAULT]", "Phones[PhoneType=FAX]"
KINDS = {"Addresses": "AddressType", "Phones": "PhoneType"}
TEXTS = ("Name", "AccountNumber", "EmailAddress", "Website", "DefaultCurrency")
PARTS = {
    "Addresses": ("AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4", "City", "PostalCode", "Region", "Country"),
    "Phones": ("PhoneCountryCode", "PhoneAreaCode", "PhoneNumber"),
}


def flat(contact: Read[str, Any]) -> Json:
    """Return a Contact with each of its addresses and phones under its kind, and of them only what is text."""
    found = _texts(contact, TEXTS)
    for name, kind in KINDS.items():
        rows = contact.get(name)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and (parts := _texts(row, PARTS[name])):
                found[f"{name}[{kind}={row.get(kind)}]"] = parts
    return found


def _texts(source: Read[str, Any], names: tuple[str, ...]) -> Json:
    texts = {name: " ".join(CONTROL.sub(" ", value).split()) for name in names if isinstance(value := source.get(name), str)}
    return {name: value for name, value in texts.items() if value}


def fitted(limit: int) -> Converter:
    """Write one line of at most *limit* characters; a longer one is cut with a warning: one field must not hold back the rest."""
    return Converter(f"one line of text, {limit} at most, cut with a warning", lambda value, at: _fit(value, limit, at))


def whole(limit: int) -> Converter:
    """Write text that is worth nothing when it is cut: what is longer than *limit* is left out with a warning."""
    return Converter(f"text, {limit} at most, longer is left out with a warning", lambda value, at: _whole(value, limit, at))


def _whole(value: str, limit: int, at: At) -> str | None:
    if len(value) <= limit:
        return value
    at.warn(f"The text has {len(value)} characters; Dynamics 365 takes {limit}. It was left out.", "Shorten it in Xero.")
    return None


def _fit(value: str, limit: int, at: At) -> str:
    if len(value) <= limit:
        return value
    at.warn(
        f"The text has {len(value)} characters; Dynamics 365 takes {limit}. The rest was cut off.",
        f"Shorten it to {limit} characters in Xero.",
    )
    return value[:limit].rstrip()


def line_3_and_4(address: str, limit: int) -> Converter:
    """Write the third line and the fourth, separated by a comma."""

    def write(value: Any, at: At) -> str:
        return _fit(joined(value, at.get(f"{address}.AddressLine4") or ""), limit, at)

    return Converter(f"lines 3 and 4 with a comma between, {limit} at most, cut with a warning", write)


def telephone(kind: str, limit: int) -> Converter:
    """Write a number with the codes of its country and area before it."""

    def write(value: Any, at: At) -> str | None:
        country = at.get(f"{kind}.PhoneCountryCode") or ""
        country = f"+{country}" if re.fullmatch(r"[0-9 ]+", country) else country
        return _whole(" ".join(part for part in (country, at.get(f"{kind}.PhoneAreaCode"), value) if part), limit, at)

    return Converter(f"+country area number, {limit} at most, longer is left out with a warning", write)


def _currency(value: Any, at: At) -> str | None:
    found = (at.link("currencies") or {}).get(value.upper())
    if found is None and at.links is not None:
        at.warn(f"Dynamics 365 has no active currency {value}; it was left out.", f"Add the currency {value} in Dynamics 365.")
    return f"/transactioncurrencies({found})" if found else None


currency_row = Converter("the active currency of this ISO code, left out with a warning when there is none", _currency)


def of_the_bookkeeper(*rows: Row) -> tuple[Row, ...]:
    """Return rows whose flaws a bookkeeper mends, unless they say who does: their values are typed in Xero."""
    return tuple(replace(row, who="bookkeeper") if row.who == "salesperson" else row for row in rows)


# fmt: off
ADDRESSES: tuple[Row, ...] = (
    #     Xero                              JSON name                   Dynamics 365                written as                note
    Field("Street Address Line 1",          f"{STREET}.AddressLine1",   "address1_line1",           fitted(250)),
    Field("Street Address Line 2",          f"{STREET}.AddressLine2",   "address1_line2",           fitted(250)),
    Field("Street Address Line 3 & 4",      f"{STREET}.AddressLine3",   "address1_line3",           line_3_and_4(STREET, 250), "If Line 3 & 4 both contain data in Xero, they are joined in Dynamics 365 (separated by comma)."),
    Field("Street Address Line 4",          f"{STREET}.AddressLine4",   "address1_line3",           fitted(250),              "When there is no line 3.", otherwise=True),
    Field("Street Address City",            f"{STREET}.City",           "address1_city",            fitted(80)),
    Field("Street Address Postal Code",     f"{STREET}.PostalCode",     "address1_postalcode",      fitted(20)),
    Field("Street Address Region",          f"{STREET}.Region",         "address1_stateorprovince", fitted(50)),
    Field("Street Address Country",         f"{STREET}.Country",        "address1_country",         fitted(80)),
    Field("PO Box Address Line 1",          f"{PO_BOX}.AddressLine1",   "address2_line1",           fitted(250)),
    Field("PO Box Address Line 2",          f"{PO_BOX}.AddressLine2",   "address2_line2",           fitted(250)),
    Field("PO Box Address Line 3 & 4",      f"{PO_BOX}.AddressLine3",   "address2_line3",           line_3_and_4(PO_BOX, 250), "If Line 3 & 4 both contain data in Xero, they are joined in Dynamics 365 (separated by comma)."),
    Field("PO Box Address Line 4",          f"{PO_BOX}.AddressLine4",   "address2_line3",           fitted(250),              "When there is no line 3.", otherwise=True),
    Field("PO Box Address City",            f"{PO_BOX}.City",           "address2_city",            fitted(80)),
    Field("PO Box Address Postal Code",     f"{PO_BOX}.PostalCode",     "address2_postalcode",      fitted(20)),
    Field("PO Box Address Region",          f"{PO_BOX}.Region",         "address2_stateorprovince", fitted(50)),
    Field("PO Box Address Country",         f"{PO_BOX}.Country",        "address2_country",         fitted(80)),
)

ACCOUNT = local("ACCOUNT_FROM_XERO", Mapping("Account of a Contact", "Contact", "account", of_the_bookkeeper(
    Field("Name",                           "Name",                     "name",                     fitted(160),              "Must be unique. Used for matching.", required="Give the contact a name in Xero."),
    Field("Account Number",                 "AccountNumber",            "accountnumber",            whole(20),                "Must be unique. Used for matching if provided."),
    Field("Email Address",                  "EmailAddress",             "emailaddress1",            whole(100)),
    Field("Website",                        "Website",                  "websiteurl",               whole(200)),
    Field("Default Currency",               "DefaultCurrency",          "transactioncurrencyid@odata.bind", currency_row,     who="administrator"),
    Field("Default Phone Number",           f"{DEFAULT}.PhoneNumber",   "telephone1",               telephone(DEFAULT, 50)),
    Field("Fax Phone Number",               f"{FAX}.PhoneNumber",       "fax",                      telephone(FAX, 50)),
    *ADDRESSES,
    Link ("Page in Xero",                   "deep_link",                "mag_xerocontacturl",       text(500)),
)))
# fmt: on
