"""Account and contact of Dynamics 365 to Contact of Xero; the billing contacts of an account to its ContactPersons.

The values the pipeline knows: ``ContactID`` (to update), ``ContactNumber`` (the one the contact has in Xero, empty on a new one) and
``CurrencyCode`` (the document's). Xero prints the POBOX address on documents, so an empty second address is filled with the first.
"""

from __future__ import annotations

from typing import Any

from mappings.convert import contact_name, country, currency, email, guid, one_line
from mappings.table import At, Constant, Field, Json, Lines, Link, Mapping, Row, Step, local, when

PERSONS = 5  # Xero's limit of additional people
LINE = 250  # how long a line of an address is in Dynamics 365

ADDRESS_2 = tuple(f"address2_{part}" for part in ("line1", "line2", "line3", "city", "postalcode", "stateorprovince", "country"))
HAS_ADDRESS_2 = when("there is an Address 2", lambda at: any(at.get(name) for name in ADDRESS_2), ADDRESS_2)
HAS_BILLING_CONTACT = when(
    "there is a Primary Billing Contact",
    lambda at: bool(at.get("mag_primarybillingcontactid")),
    ("mag_primarybillingcontactid.contactid",),
)
HAS_E_MAIL = when("there is an e-mail address", lambda at: bool(at.get("emailaddress1")), ("emailaddress1",))
HAS_NUMBER = when("the contact has a ContactNumber in Xero", lambda at: bool(at.link("ContactNumber")))


def joined(line_3: str, line_4: str) -> str:
    """Return the two last lines of an address of Xero's as the one that Dynamics 365 has: with a comma between (A251)."""
    return ", ".join(line for line in (line_3, line_4) if line)


def split(wanted: Json, held: Json) -> Json:
    """Return an address to write over what Xero holds: a line 3 that is our own join of two lines is the two lines again (K36)."""
    line_3, line_4 = held.get("AddressLine3") or "", held.get("AddressLine4") or ""
    if not line_4 or one(wanted.get("AddressLine3")) != one(joined(line_3, line_4)):
        return wanted
    return wanted | {"AddressLine3": line_3, "AddressLine4": line_4}


def one(text: str | None) -> str:
    """Return *text* as the one line of LINE characters that a column of Dynamics 365 holds of it."""
    return " ".join((text or "").split())[:LINE].rstrip()


def others(people: list[Json], at: At) -> list[Json]:
    primary = (at.get("mag_primarybillingcontactid") or {}).get("contactid")
    found = (person for person in people if person["contactid"] != primary)
    return sorted(found, key=lambda person: (person.get("lastname") or "", person.get("firstname") or "", person["contactid"]))


def five(people: list[Json], at: At) -> list[Json]:
    if len(people) > PERSONS:
        at.warn(
            f"There are {len(people)} additional billing contacts; Xero takes {PERSONS}. The others were left out.",
            f"Keep {PERSONS} of them.",
        )
    return people[:PERSONS]


# fmt: off
PERSON = local("PERSON", Mapping("Additional Person", "contact", "ContactPerson", (
    #     Dynamics 365                          logical name                              Xero                                        written as        note
    Field("First Name",                         "firstname",                              "FirstName",                                one_line(255)),
    Field("Last Name",                          "lastname",                               "LastName",                                 one_line(255)),
    Field("Email",                              "emailaddress1",                          "EmailAddress",                             email),
    Constant(True,                                                                        "IncludeInEmails",                          "Include in emails = Yes; needs an address.", when=HAS_E_MAIL),
)))

ADDRESSES: tuple[Row, ...] = (
    Field("Address 1: Street 1",                "address1_line1",                         "Addresses[AddressType=STREET].AddressLine1", one_line(500)),
    Field("Address 1: Street 2",                "address1_line2",                         "Addresses[AddressType=STREET].AddressLine2", one_line(500)),
    Field("Address 1: Street 3",                "address1_line3",                         "Addresses[AddressType=STREET].AddressLine3", one_line(500)),
    Field("Address 1: City",                    "address1_city",                          "Addresses[AddressType=STREET].City",         one_line(255)),
    Field("Address 1: Postal/Zip Code",         "address1_postalcode",                    "Addresses[AddressType=STREET].PostalCode",   one_line(50)),
    Field("Address 1: State/Province",          "address1_stateorprovince",               "Addresses[AddressType=STREET].Region",       one_line(255)),
    Field("Address 1: Country",                 "address1_country",                       "Addresses[AddressType=STREET].Country",      country),
    Field("Address 2: Street 1",                "address2_line1",                         "Addresses[AddressType=POBOX].AddressLine1",  one_line(500),  when=HAS_ADDRESS_2),
    Field("Address 2: Street 2",                "address2_line2",                         "Addresses[AddressType=POBOX].AddressLine2",  one_line(500),  when=HAS_ADDRESS_2),
    Field("Address 2: Street 3",                "address2_line3",                         "Addresses[AddressType=POBOX].AddressLine3",  one_line(500),  when=HAS_ADDRESS_2),
    Field("Address 2: City",                    "address2_city",                          "Addresses[AddressType=POBOX].City",          one_line(255),  when=HAS_ADDRESS_2),
    Field("Address 2: Postal/Zip Code",         "address2_postalcode",                    "Addresses[AddressType=POBOX].PostalCode",    one_line(50),   when=HAS_ADDRESS_2),
    Field("Address 2: State/Province",          "address2_stateorprovince",               "Addresses[AddressType=POBOX].Region",        one_line(255),  when=HAS_ADDRESS_2),
    Field("Address 2: Country",                 "address2_country",                       "Addresses[AddressType=POBOX].Country",       country,        when=HAS_ADDRESS_2),
    Field("Address 1: Street 1",                "address1_line1",                         "Addresses[AddressType=POBOX].AddressLine1",  one_line(500),  "When Address 2 is empty: Xero prints the PO box address on documents.", when=~HAS_ADDRESS_2),
    Field("Address 1: Street 2",                "address1_line2",                         "Addresses[AddressType=POBOX].AddressLine2",  one_line(500),  "When Address 2 is empty.", when=~HAS_ADDRESS_2),
    Field("Address 1: Street 3",                "address1_line3",                         "Addresses[AddressType=POBOX].AddressLine3",  one_line(500),  "When Address 2 is empty.", when=~HAS_ADDRESS_2),
    Field("Address 1: City",                    "address1_city",                          "Addresses[AddressType=POBOX].City",          one_line(255),  "When Address 2 is empty.", when=~HAS_ADDRESS_2),
    Field("Address 1: Postal/Zip Code",         "address1_postalcode",                    "Addresses[AddressType=POBOX].PostalCode",    one_line(50),   "When Address 2 is empty.", when=~HAS_ADDRESS_2),
    Field("Address 1: State/Province",          "address1_stateorprovince",               "Addresses[AddressType=POBOX].Region",        one_line(255),  "When Address 2 is empty.", when=~HAS_ADDRESS_2),
    Field("Address 1: Country",                 "address1_country",                       "Addresses[AddressType=POBOX].Country",       country,        "When Address 2 is empty.", when=~HAS_ADDRESS_2),
)
CURRENCY: tuple[Row, ...] = (
    Field("Default Currency",                   "transactioncurrencyid.isocurrencycode",  "DefaultCurrency",                          currency,         "If not set, uses the Currency from the D365 Invoice."),
    Link ("Currency of the invoice",            "CurrencyCode",                           "DefaultCurrency",                          currency,         "When the customer has none.", otherwise=True),
)
TO_UPDATE: tuple[Row, ...] = (
    Link ("Id in Xero",                         "ContactID",                              "ContactID",                                guid,             "To update; a new contact has none."),
)

ACCOUNT = local("ACCOUNT", Mapping("Contact of an Account", "account", "Contact", (
    Field("Name",                               "name",                                   "Name",                                     contact_name,     "Must be unique. Used for matching.", required="Give the customer a name."),
    Field("Account Number",                     "accountnumber",                          "AccountNumber",                            one_line(50),     "Must be unique. Used for matching if provided."),
    Field("Primary Billing Contact: First Name", "mag_primarybillingcontactid.firstname", "FirstName",                                one_line(255)),
    Field("Primary Billing Contact: Last Name", "mag_primarybillingcontactid.lastname",   "LastName",                                 one_line(255)),
    Field("Primary Billing Contact: Email Address", "mag_primarybillingcontactid.emailaddress1", "EmailAddress",                      email,            when=HAS_BILLING_CONTACT),
    Field("Email Address",                      "emailaddress1",                          "EmailAddress",                             email,            "Only if no Primary Billing Contact on the account.", when=~HAS_BILLING_CONTACT),
    Lines("Additional Billing Contacts",        "mag_account_contact_billingcontacts",    "ContactPersons",                           PERSON,           "This is a Many-to-many relationship between Account and Contact. Syncs: First name, Last name, Email, and Include in emails = Yes.",
          many_to_many=True, steps=(
              Step("By name. The Primary Billing Contact is not listed twice.", others, ("contactid", "lastname", "firstname"), ("mag_primarybillingcontactid.contactid",)),
              Step("Five at most; more is a warning.", five),
          )),
    *CURRENCY,
    Field("Main Phone",                         "telephone1",                             "Phones[PhoneType=DEFAULT].PhoneNumber",    one_line(50)),
    Field("Fax",                                "fax",                                    "Phones[PhoneType=FAX].PhoneNumber",        one_line(50)),
    *ADDRESSES,
    *TO_UPDATE,
    Field("Account",                            "accountid",                              "ContactNumber",                            guid,             "Our mark, when Xero's contact has no number yet.", when=~HAS_NUMBER),
)))

CONTACT = local("CONTACT", Mapping("Contact of a Contact", "contact", "Contact", (
    Field("Full Name",                          "fullname",                               "Name",                                     contact_name,     "Must be unique. Used for matching.", required="Give the customer a name."),
    Field("First Name",                         "firstname",                              "FirstName",                                one_line(255)),
    Field("Last Name",                          "lastname",                               "LastName",                                 one_line(255)),
    Field("Email Address",                      "emailaddress1",                          "EmailAddress",                             email),
    *CURRENCY,
    Field("Home Phone",                         "telephone1",                             "Phones[PhoneType=DEFAULT].PhoneNumber",    one_line(50),     "telephone1 is the business phone in Dynamics 365; the logical name counts."),
    Field("Mobile Phone",                       "mobilephone",                            "Phones[PhoneType=MOBILE].PhoneNumber",     one_line(50)),
    Field("Fax",                                "fax",                                    "Phones[PhoneType=FAX].PhoneNumber",        one_line(50)),
    *ADDRESSES,
    *TO_UPDATE,
    Field("Contact",                            "contactid",                              "ContactNumber",                            guid,             "Our mark, when Xero's contact has no number yet.", when=~HAS_NUMBER),
)))
# fmt: on


def mapping_of(record: Json) -> tuple[Mapping, Any]:
    """Return the table of an invoice's customer, and the customer's own row; the row is None when there is no customer."""
    if record.get("customerid_contact"):
        return CONTACT, record["customerid_contact"]
    return ACCOUNT, record.get("customerid_account")
