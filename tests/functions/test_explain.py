"""Every message we know is explained: its cause, what to do, and who does it."""

import pytest

from functions.explain import ROWS, UNKNOWN, explain, unknown_code
from mappings.choices import WhoActs
from shared.errors import Problem

# fmt: off
MESSAGES = [
    # the message as it is written                                                                            who acts         words of the explanation
    # Xero: the messages people ask about most (reference product, E-list)
    ("The TaxType code 'OUTPUT2' cannot be used with account code '310'.",                                    "bookkeeper",    "this account"),
    ("Account code '200' is not a valid code for this document.",                                             "bookkeeper",    "revenue account"),
    ("Account code '260' has been archived, or has been deleted. Each line item must reference a valid account.", "bookkeeper", "archived or deleted"),
    ("The Contact with the specified contact details has been archived. The Contact must be un-archived before creating new invoices", "bookkeeper", "restore the contact"),
    ("The specified contact details matched an archived contact. Archived contacts cannot currently be edited via the API.", "bookkeeper", "restore the contact"),
    ("The contact name Ridgeway University is already assigned to another contact. The contact name must be unique across all active contacts.", "bookkeeper", "same name"),
    ("Contact Name is already assigned to another contact",                                                   "bookkeeper",    "same name"),
    ("The Account Number already exists. Please enter a different Account Number.",                           "bookkeeper",    "same number"),
    ("The contact number is already in use by another contact",                                               "bookkeeper",    "same number"),
    ("Invoice # must be unique.",                                                                             "salesperson",   "used this number before"),
    ("Invoice number must be unique",                                                                         "salesperson",   "used this number before"),
    ("This document cannot be edited as it has a payment or credit note allocated to it.",                    "bookkeeper",    "Remove the payment"),
    ("The status VOIDED cannot be applied to the invoice because it has payments or credit notes allocated to it.", "bookkeeper", "Remove the payment"),
    ("Invoice not of valid status for modification",                                                          "bookkeeper",    "voided, deleted or paid"),
    ("Payment amount exceeds the amount outstanding on this document",                                        "bookkeeper",    "overpayment"),
    ("You have reached the limit of invoices you can approve",                                                "bookkeeper",    "Xero plan"),
    ("The document date cannot be before the period lock date, currently set at 31 Oct 2026",                 "bookkeeper",    "books are closed"),
    ("The document date cannot be before the end of year lock date, currently set at 31 Mar 2026",            "bookkeeper",    "books are closed"),
    ("Code must not be more than 30 characters long",                                                         "salesperson",   "Product Number"),
    ("Email address is invalid",                                                                              "salesperson",   "e-mail address"),
    ("A Contact's email address is invalid",                                                                  "salesperson",   "e-mail address"),
    ("AuthenticationUnsuccessful",                                                                            "administrator", "Connect Xero again"),
    ("Xero answered 403 Unauthorized",                                                                        "administrator", "Connect Xero again"),
    ("429 Too Many Requests",                                                                                 "nobody",        "limit on calls"),
    # Xero: the others (reference xero, 4.7)
    ("The TaxType code OLD does not exist or cannot be used for this type of transaction.",                   "bookkeeper",    "another Tax Rate"),
    ("Organisation is not subscribed to currency USD",                                                        "bookkeeper",    "Add the currency"),
    ("The Contact must contain at least 1 of the following elements to identify the contact: Name, ContactID, ContactNumber", "support", "fault of the connector"),
    ("Payments can only be made against Authorised documents",                                                "bookkeeper",    "Approve the document"),
    ("An existing Credit Note with the specified CreditNoteID could not be found",                            "bookkeeper",    "credit note was deleted"),
    ("The document with the supplied id was not found for this endpoint.",                                    "bookkeeper",    "clear its Xero Id"),
    ("Price List Item with Code 'abc' already exists",                                                        "nobody",        "existing item"),
    ("Only AUTHORISED invoices may have SentToContact updated.",                                              "nobody",        "marked as sent"),
    ("The line total 10.01 does not match the expected line total 10.00",                                     "support",       "fault of the connector"),
    ("The tracking option 'North' has been archived",                                                         "bookkeeper",    "another tracking option"),
    ("The TrackingCategory 'Region' does not exist",                                                          "bookkeeper",    "another tracking option"),
    ("The branding theme could not be found",                                                                 "bookkeeper",    "another Branding Theme"),
    ("Item code 'DEV-HR' is not valid",                                                                       "bookkeeper",    "Create New Products"),
    ("Account code must be specified",                                                                        "bookkeeper",    "Default Account Code"),
    ("Url must not contain xero",                                                                             "administrator", "link back"),
    ("Due Date cannot be empty",                                                                              "salesperson",   "Due Date"),
    ("Description is required",                                                                               "salesperson",   "Describe the line"),
    ("insufficient_scope",                                                                                    "administrator", "allow everything"),
    ("insufficent_scope",                                                                                     "administrator", "allow everything"),
    ("invalid_grant",                                                                                         "administrator", "Connect Xero again"),
    # Dataverse (reference dataverse, 2.8)
    ("invoice With Id = 00c0ffee-0000-4000-8000-000000000001 Does Not Exist",                                 "salesperson",   "was deleted in Dynamics 365"),
    ("A record with the specified key values does not exist in mag_payment entity",                           "salesperson",   "was deleted in Dynamics 365"),
    ("A record that has the attribute values Xero payment already exists.",                                   "nobody",        "exists already"),
    ("Cannot insert duplicate key.",                                                                          "nobody",        "exists already"),
    ("A record was not created or updated because a duplicate of the current record already exists.",         "nobody",        "exists already"),
    ("The version of the existing record doesn't match the RowVersion property provided.",                    "nobody",        "at the same moment"),
    ("Optimistic concurrency isn't enabled for entity type mag_payment.",                                     "administrator", "Install the current version"),
    ("The specified key attributes are not a defined key for the mag_payment entity",                         "administrator", "Install the current version"),
    ("Principal user (Id=1, type=8) is missing prvReadInvoice privilege (Id=2) on OTC=1090",                  "administrator", "missing privilege"),
    ("SecLib::AccessCheckEx failed.",                                                                         "administrator", "missing privilege"),
    ("The user is not a member of the organization.",                                                         "administrator", "application user"),
    ("The specified user is either disabled or is not a member of any business unit.",                        "administrator", "application user"),
    ("Cannot perform the action because the record is read only.",                                            "salesperson",   "Paid or Canceled"),
    ("The invoice is locked and cannot be edited.",                                                           "salesperson",   "Paid or Canceled"),
    ("The invoice cannot be paid because it is not in active state.",                                         "salesperson",   "state that does not allow"),
    ("The invoice cannot be cancelled because it is not in active or paid state.",                            "salesperson",   "state that does not allow"),
    ("The currency of the record does not match the currency of the price list.",                             "salesperson",   "different currencies"),
    ("The currency cannot be null if a money field is set",                                                   "salesperson",   "Choose the currency"),
    ("The unit id is missing.",                                                                               "salesperson",   "proper product"),
    ("The product is missing.",                                                                               "salesperson",   "proper product"),
    ("A validation error occurred. The length of the 'mag_xeroid' attribute of the 'invoice' entity exceeded the maximum allowed length of '36'.", "administrator", "does not take a value"),
    ("A validation error occurred. The value 9 of 'mag_exportstatus' on record of type 'invoice' is outside the valid range.", "administrator", "does not take a value"),
    ("100001 is not a valid status code for state code InvoiceState.Active on invoice",                       "administrator", "does not take a value"),
    ("Invalid Argument",                                                                                      "administrator", "does not take a value"),
    ("Generic SQL error.",                                                                                    "nobody",        "database"),
    ("SQL timeout expired.",                                                                                  "nobody",        "database"),
    ("An error occurred in the InvoiceGuard plug-in.",                                                        "administrator", "rule or plug-in of your own"),
    ("Business Rule Error",                                                                                   "administrator", "rule or plug-in of your own"),
    ("Number of requests exceeded the limit of 6000 over time window of 300 seconds.",                        "nobody",        "limit on calls"),
    ("Combined execution time of incoming requests exceeded limit of 1200000 milliseconds.",                  "nobody",        "limit on calls"),
    ("Number of concurrent requests exceeded the limit of 52.",                                               "nobody",        "limit on calls"),
]
CODES = [
    # a code without words               who acts
    ("0x80040217",                       "salesperson"),
    ("0x80060891",                       "salesperson"),
    ("0x80060892",                       "nobody"),
    ("0x80040237",                       "nobody"),
    ("0x80040333",                       "nobody"),
    ("0x80073002",                       "nobody"),
    ("0x80060882",                       "nobody"),
    ("0x8006088d",                       "administrator"),
    ("0x80060890",                       "administrator"),
    ("0x80040220",                       "administrator"),
    ("0x80048306",                       "administrator"),
    ("0x80072560",                       "administrator"),
    ("0x80040225",                       "administrator"),
    ("0x80040265",                       "administrator"),
    ("0x80040203",                       "administrator"),
    ("0x8004431a",                       "administrator"),
    ("0x80044331",                       "administrator"),
    ("0x80048408",                       "administrator"),
    ("0x8004f00e",                       "administrator"),
    ("0x8004022e",                       "salesperson"),
    ("0x80043b09",                       "salesperson"),
    ("0x80043b1d",                       "salesperson"),
    ("0x80043b1e",                       "salesperson"),
    ("0x80100000",                       "salesperson"),
    ("0x80100001",                       "salesperson"),
    ("0x80048cf6",                       "salesperson"),
    ("0x80048ced",                       "salesperson"),
    ("0x80048cea",                       "salesperson"),
    ("0x80048cfb",                       "salesperson"),
    ("0x80043afa",                       "salesperson"),
    ("0x80043afb",                       "salesperson"),
    ("0x80043b0d",                       "salesperson"),
    ("0x80043b10",                       "salesperson"),
    ("0x80043b11",                       "salesperson"),
    ("0x80043b12",                       "salesperson"),
    ("0x80043b14",                       "salesperson"),
    ("0x80044150",                       "nobody"),
    ("0x80044151",                       "nobody"),
]
OUT_OF_DATE = [
    "The TaxType code 'OUTPUT2' cannot be used with account code '310'.",
    "The TaxType code OLD does not exist or cannot be used for this type of transaction.",
    "Account code '200' is not a valid code for this document.",
    "Account code '260' has been archived, or has been deleted. Each line item must reference a valid account.",
    "The tracking option 'North' has been archived",
    "The branding theme could not be found",
    "Xero Account Code Old revenue is archived in Xero and cannot be used.",  # our own words, mappings.convert.reference
    "Default Account Code Sales is archived in Xero and cannot be used.",
    "Tax Rate 17.5% is deleted in Xero and cannot be used.",
    "The tracking option Gone is archived in Xero.",
    "The tracking category Region is archived in Xero.",
]
# fmt: on


@pytest.mark.parametrize(("message", "who", "words"), MESSAGES)
def test_a_known_message_is_explained(message: str, who: str, words: str):
    found = explain(Problem(message))
    assert found.message == message
    assert found.who == who
    assert words in f"{found.cause} {found.fix}"


@pytest.mark.parametrize(("code", "who"), CODES)
def test_a_code_of_dataverse_without_words_is_explained(code: str, who: str):
    found = explain(Problem(f"Dataverse answered with error {code}."))
    assert found.cause != UNKNOWN.cause
    assert found.who == who


@pytest.mark.parametrize(("message", "who", "words"), MESSAGES)
def test_case_does_not_matter(message: str, who: str, words: str):
    assert explain(Problem(message.upper())).who == explain(Problem(message.lower())).who == who


def test_every_row_explains_some_message():
    met = {explain(Problem(message)).cause for message, _, _ in MESSAGES}
    assert {row.cause for row in ROWS} - met == set()


def test_what_nobody_knows_passes_unchanged_with_a_way_on():
    found = explain(Problem("The flux capacitor is empty.", where="Line 3"))
    assert (found.message, found.where) == ("The flux capacitor is empty.", "Line 3")
    assert found.fix == UNKNOWN.fix
    assert found.who == UNKNOWN.who


def test_what_the_raiser_said_is_kept():
    said = Problem("Invoice # must be unique.", cause="Because.", fix="Do this.", who="administrator")
    assert explain(said) == said


def test_our_own_words_need_no_explanation():
    said = Problem(
        "The total -60 is below zero.", "Total Amount (totalamount)", fix="Send a credit note instead.", who="salesperson"
    )
    assert explain(said) == said


@pytest.mark.parametrize("row", [*ROWS, UNKNOWN], ids=lambda row: row.pattern[:30] or "unknown")
def test_an_explanation_is_complete(row):
    assert row.cause.endswith(".")
    assert row.fix.endswith(".")
    assert row.who.upper() in WhoActs.__members__


@pytest.mark.parametrize("message", OUT_OF_DATE)
def test_an_unknown_or_archived_code_asks_for_fresh_reference_data(message: str):
    assert unknown_code([Problem("Invoice # must be unique."), Problem(message)])


@pytest.mark.parametrize(
    "message", [message for message, _, _ in MESSAGES if message not in OUT_OF_DATE and "racking" not in message]
)
def test_other_refusals_do_not(message: str):
    assert not unknown_code([Problem(message)])


def test_no_problem_asks_for_nothing():
    assert not unknown_code([])


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("Invoices[0]", ""),
        ("Invoices[0].LineItems[1]", "Line 2"),
        ("Due Date (duedate)", "Due Date (duedate)"),
        ("Customer", "Customer"),
    ],
)
def test_a_place_in_the_words_of_an_api_becomes_one_in_the_readers(path: str, where: str):
    assert explain(Problem("The TaxType code X cannot be used with account code Y.", path)).where == where
