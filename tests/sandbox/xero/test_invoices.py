"""Sales invoices and bills: developer.xero.com accounting/invoices, and answers recorded in September 2026."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.xero.demo_company import NZ, UK
from tests.sandbox.xero.callers import Caller, contact_id, invoice, line, messages

BACKED = "8f9fa7a6-fb58-41ed-bd06-b658e68c6a97"


def made(caller: Caller, body: Any, **query: Any) -> Any:
    answer = caller.put("Invoices", {"Invoices": [body]}, **query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["Invoices"][0]


def read(caller: Caller, id: Any, **query: Any) -> Any:
    return caller.get(f"Invoices/{id}", **query).get_json()["Invoices"][0]


def refused(caller: Caller, body: Any, **query: Any) -> Any:
    return messages(caller.put("Invoices", {"Invoices": [body]}, **query))


def changed(caller: Caller, id: Any, **fields: Any) -> Any:
    return caller.post(f"Invoices/{id}", {"Invoices": [fields]})


def paid(caller: Caller, id: Any, amount: Any) -> Any:
    body = {"Invoice": {"InvoiceID": id}, "Account": {"Code": "090"}, "Amount": amount, "Date": "2026-11-21"}
    return caller.put("Payments", body).get_json()["Payments"][0]


# --- creating ----------------------------------------------------------------------------------------------------------


def test_a_new_invoice_is_added_up_and_numbered(nz, contact):
    """Recorded in September 2026: PUT Invoices"""
    created = made(nz, invoice(contact))
    assert (created["SubTotal"], created["TotalTax"], created["Total"], created["AmountDue"]) == (21.0, 3.15, 24.15, 24.15)
    assert (created["InvoiceNumber"], created["Status"], created["HasErrors"]) == ("INV-0055", "AUTHORISED", False)
    assert (created["DateString"], created["Date"]) == ("2026-11-20T00:00:00", "/Date(1795132800000+0000)/")
    assert created["LineItems"][0]["AccountID"]
    assert "StatusAttributeString" not in created


def test_a_number_is_given_once(nz, contact):
    """accounting/invoices: InvoiceNumber is generated when absent"""
    assert [made(nz, invoice(contact))["InvoiceNumber"] for _ in range(2)] == ["INV-0055", "INV-0056"]
    made(nz, invoice(contact, InvoiceNumber="INV-0057"))
    assert made(nz, invoice(contact))["InvoiceNumber"] == "INV-0058"


@pytest.mark.parametrize("number", ["INV-0051", "inv-0054"])
def test_the_number_of_a_sales_invoice_is_unique_among_all_even_voided_ones(nz, contact, number):
    """accounting/invoices: Invoice # must be unique."""
    answer = nz.put("Invoices", {"Invoices": [invoice(contact, InvoiceNumber=number)]})
    assert messages(answer) == ["Invoice # must be unique."]
    assert answer.get_json()["Elements"][0]["InvoiceID"] == "00000000-0000-0000-0000-000000000000"


def test_the_number_of_a_bill_is_not_unique(nz, sandbox):
    """accounting/invoices: ACCPAY numbers are the supplier's"""
    supplier = contact_id(sandbox, "Central Copiers")
    bill = invoice(supplier, Type="ACCPAY", InvoiceNumber="CC-88120", LineItems=[line(AccountCode="461")])
    assert made(nz, bill)["InvoiceNumber"] == made(nz, bill)["InvoiceNumber"] == "CC-88120"


def test_a_bill_without_a_number_gets_none_and_keeps_no_reference(nz, contact):
    """accounting/invoices: Reference is for ACCREC only"""
    created = made(nz, invoice(contact, Type="ACCPAY", Reference="ours", LineItems=[line(AccountCode="300")]))
    assert not {"InvoiceNumber", "Reference", "BrandingThemeID"} & set(created)


def test_what_is_left_out_gets_xeros_defaults(nz, uk, sandbox, contact):
    """accounting/invoices: Date is today in the organisation's own time zone"""
    created = made(nz, {"Type": "ACCREC", "Contact": {"ContactID": contact}})
    assert (created["Status"], created["LineAmountTypes"], created["CurrencyCode"]) == ("DRAFT", "Exclusive", "NZD")
    assert (created["DateString"], created["CurrencyRate"], created["SentToContact"]) == ("2026-11-21T00:00:00", 1.0, False)
    assert created["BrandingThemeID"] == sandbox.documents(NZ, "branding theme")[0]["BrandingThemeID"]


def test_today_is_the_organisations_own_day(client, sandbox, nz):
    """accounting/invoices: 23:30 UTC is tomorrow in New Zealand"""
    sandbox.clock.advance(-3600)
    created = made(nz, {"Type": "ACCREC", "Contact": {"Name": "New"}})
    assert created["DateString"] == "2026-11-21T00:00:00"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Type": "ACCRECC"}, "Invoice Type 'ACCRECC' is not valid"),
        ({"Contact": {"Phones": []}}, "The Contact must contain at least 1 of the following elements to identify the contact"),
        ({"Contact": None}, "A Contact must be specified"),
        ({"DueDate": None}, "A DueDate must be specified"),
        ({"DueDate": "2026-11-19"}, "The DueDate cannot be before the Date"),
        ({"LineItems": []}, "One or more line items must be specified"),
        ({"LineAmountTypes": "Gross"}, "LineAmountTypes 'Gross' is not valid"),
        ({"Status": "PAID"}, "A new invoice cannot have the status PAID"),
        ({"InvoiceID": BACKED}, "No InvoiceID can be given to a new invoice"),
        ({"InvoiceNumber": "N" * 256}, "Invoice Number must be at most 255"),
        ({"InvoiceNumber": "N°1"}, "printable ASCII"),
        ({"Reference": "R" * 256}, "Reference must not be more than 255"),
        ({"Url": "/records/1"}, "Url must be a valid absolute URL"),
        ({"Url": "https://example.com/xero-invoices/1"}, "must not contain 'xero'"),
        ({"CurrencyCode": "EUR"}, "Organisation is not subscribed to currency EUR"),
        ({"BrandingThemeID": BACKED}, "branding theme"),
        ({"Date": "2009-09-30", "DueDate": "2009-10-30"}, "The document date cannot be before the period lock date"),
        ({"LineItems": [line(AccountCode=None)]}, "Account code must be specified"),
        ({"LineItems": [line(AccountCode="999")]}, "Account code '999' is not a valid code for this document."),
        ({"LineItems": [line(AccountCode="090")]}, "Account code '090' is not a valid code for this document."),
        ({"LineItems": [line(AccountCode="610")]}, "Account code '610' is not a valid code for this document."),
        ({"LineItems": [line(AccountCode="219")]}, "Account code '219' has been archived, or has been deleted."),
        ({"LineItems": [line(TaxType="OUTPUT9")]}, "The TaxType code OUTPUT9 does not exist or cannot be used"),
        ({"LineItems": [line(TaxType="OUTPUT")]}, "The TaxType code OUTPUT does not exist or cannot be used"),
        ({"LineItems": [line(TaxType="INPUT2")]}, "The TaxType code 'INPUT2' cannot be used with account code '200'."),
        ({"LineItems": [line(ItemCode="NOPE")]}, "Item code 'NOPE' is not valid"),
        ({"LineItems": [line(ItemCode="N" * 31)]}, "must not be more than 30 characters long"),
        ({"LineItems": [line(Description=None)]}, "Description must be between 1 and 4000"),
        ({"LineItems": [line(Description="d" * 4001)]}, "Description must be between 1 and 4000"),
        ({"LineItems": [line(LineAmount=20)]}, "The line total 20.00 does not match the expected line total 21.00"),
        ({"LineItems": [line(Quantity=1, UnitAmount=10_000_000_000)]}, "must not be more than 9999999999.99"),
        ({"LineItems": [line(Quantity=-1)]}, "The total of an invoice cannot be negative"),
        ({"LineItems": [line(DiscountRate=101)]}, "DiscountRate must be between 0 and 100"),
        ({"LineItems": [line(DiscountAmount=-1)]}, "DiscountAmount must not be negative"),
        ({"LineItems": [line(Tracking=[{"Name": "Colour", "Option": "Red"}])]}, "The tracking category 'Colour' is not valid"),
        ({"LineItems": [line(Tracking=[{"Name": "Region", "Option": "Up"}])]}, "The tracking option 'Up' is not valid"),
        ({"LineItems": [line(Tracking=[{"Name": "Region", "Option": "Eastside"}])]}, "The tracking option 'Eastside'"),
        (
            {"LineItems": [line(Tracking=[{"Name": "Region", "Option": "North"}, {"Name": "Region", "Option": "South"}])]},
            "'Region' can only be used once",
        ),
        ({"LineItems": [line(Tracking=[{"Name": "Region", "Option": "North"}] * 3)]}, "at most 2 tracking categories"),
    ],
)
def test_a_wrong_invoice_is_refused_with_its_reason_and_nothing_is_kept(nz, sandbox, contact, changes, text):
    """accounting/invoices, and the messages users report; the words are loose where no answer was recorded"""
    before = len(sandbox.documents(NZ, "invoice"))
    assert any(text in found for found in refused(nz, invoice(contact, **changes)))
    assert len(sandbox.documents(NZ, "invoice")) == before


def test_every_problem_is_told_at_once(nz, contact):
    """accounting/response-codes: ValidationErrors is a list"""
    body = invoice(contact, CurrencyCode="EUR", LineItems=[line(AccountCode="999"), line(TaxType="INPUT2")])
    answer = nz.put("Invoices", {"Invoices": [body]})
    [element] = answer.get_json()["Elements"]
    assert len(element["ValidationErrors"]) == 3
    assert element["LineItems"][0]["ValidationErrors"][0]["Message"].startswith("Account code '999'")


def test_a_draft_may_be_incomplete(nz, contact):
    """accounting/invoices: account code, due date and lines are for approval"""
    draft = invoice(contact, Status="DRAFT", DueDate=None, LineItems=[line(AccountCode=None)])
    created = made(nz, draft)
    assert "AccountCode" not in created["LineItems"][0]
    found = messages(changed(nz, created["InvoiceID"], Status="AUTHORISED"))
    assert any("Account code must be specified" in text for text in found)
    assert any("DueDate" in text for text in found)
    assert read(nz, created["InvoiceID"])["Status"] == "DRAFT"


def test_a_lock_date_names_its_day(uk, sandbox):
    """accounting/invoices; the UK demo company is locked up to 31 December 2025, its year to 31 March 2025"""
    someone = contact_id(sandbox, "Oaktown Council")
    locked = invoice(someone, Date="2025-12-31", DueDate="2026-12-20")
    assert refused(uk, locked) == ["The document date cannot be before the period lock date, currently set at 31 December 2025"]
    closed = invoice(someone, Date="2025-03-31", DueDate="2026-12-20")
    assert refused(uk, closed) == ["The document date cannot be before the end of year lock date, currently set at 31 March 2025"]
    assert made(uk, {**locked, "Date": "2026-01-01"})["Total"] == 25.2


def test_some_elements_may_be_written_while_others_are_refused(nz, sandbox, contact):
    """accounting/requests-and-responses: summarizeErrors; XeroAPI/xero-php-oauth2 issue 13"""
    body = {"Invoices": [invoice(contact), invoice(contact, CurrencyCode="EUR")]}
    answer = nz.put("Invoices", body)
    assert answer.status_code == 400
    assert (answer.get_json()["ErrorNumber"], answer.get_json()["Type"]) == (10, "ValidationException")
    assert len(answer.get_json()["Elements"]) == 1
    assert len([row for row in sandbox.documents(NZ, "invoice") if row["Contact"]["ContactID"] == contact]) == 2


def test_unsummarised_errors_come_with_a_200_and_a_status_on_every_element(nz, contact):
    """accounting/requests-and-responses: summarizeErrors=false"""
    body = {"Invoices": [invoice(contact), invoice(contact, Type="X"), invoice(contact, Status="DRAFT", SentToContact=True)]}
    answer = nz.put("Invoices", body, summarizeErrors="False")
    assert answer.status_code == 200
    rows = answer.get_json()["Invoices"]
    assert [row["StatusAttributeString"] for row in rows] == ["OK", "ERROR", "WARNING"]
    assert [row["HasErrors"] for row in rows] == [False, True, False]
    assert rows[2]["Warnings"] == [{"Message": "Only AUTHORISED invoices may have SentToContact updated."}]
    assert rows[2]["SentToContact"] is False


def test_sent_to_contact_of_an_approved_invoice_is_kept(nz, contact):
    """accounting/invoices: SentToContact"""
    assert made(nz, invoice(contact, SentToContact=True))["SentToContact"] is True


def test_a_foreign_currency_takes_the_rate_of_the_day_and_an_odd_rate_warns(nz, contact):
    """accounting/invoices: CurrencyRate; odd rates warn since April 2026"""
    assert made(nz, invoice(contact, CurrencyCode="USD"))["CurrencyRate"] == 0.59
    odd = made(nz, invoice(contact, CurrencyCode="USD", CurrencyRate=5.9))
    assert "differs significantly" in odd["Warnings"][0]["Message"]
    assert odd["CurrencyRate"] == 5.9


# --- lines -------------------------------------------------------------------------------------------------------------


def test_a_line_of_words_alone_has_no_amounts(nz, contact):
    """accounting/invoices: description-only lines; recorded in September 2026"""
    created = made(nz, invoice(contact, LineItems=[line(), {"Description": "With our thanks."}]))
    note = read(nz, created["InvoiceID"])["LineItems"][1]
    assert set(note) == {"Description", "Tracking", "LineItemID"}
    assert created["Total"] == 24.15


def test_unit_prices_are_cut_to_two_places_unless_four_are_asked_for(nz, contact):
    """accounting/requests-and-responses: unitdp"""
    body = invoice(contact, LineItems=[line(Quantity=1000, UnitAmount=1.2375)])
    two, four = made(nz, body), made(nz, body, unitdp=4)
    assert (two["SubTotal"], four["SubTotal"]) == (1240.0, 1237.5)
    assert four["LineItems"][0]["UnitAmount"] == 1.2375
    assert read(nz, four["InvoiceID"])["LineItems"][0]["UnitAmount"] == 1.24
    assert read(nz, four["InvoiceID"], unitdp=4)["LineItems"][0]["UnitAmount"] == 1.2375


def test_tax_is_inside_inclusive_amounts_and_absent_without_tax(nz, contact):
    """api-guides/rounding-in-xero"""
    inclusive = made(nz, invoice(contact, LineAmountTypes="Inclusive", LineItems=[line(Quantity=1, UnitAmount=541.25)]))
    assert (inclusive["SubTotal"], inclusive["TotalTax"], inclusive["Total"]) == (470.65, 70.6, 541.25)
    none = made(nz, invoice(contact, LineAmountTypes="NoTax", LineItems=[line(TaxType="OUTPUT2")]))
    assert (none["TotalTax"], none["LineItems"][0]["TaxType"]) == (0.0, "NONE")


def test_the_tax_type_is_the_lines_else_the_items_else_the_accounts(nz, contact):
    """accounting/invoices: TaxType"""
    lines = [line(TaxType="ZERORATED"), line(AccountCode=None, ItemCode="BOOK"), line(AccountCode="270")]
    found = [row["TaxType"] for row in made(nz, invoice(contact, LineItems=lines))["LineItems"]]
    assert found == ["ZERORATED", "OUTPUT2", "NONE"]


def test_a_tax_amount_sent_is_kept(nz, contact):
    """accounting/invoices: TaxAmount overrides the calculation"""
    assert made(nz, invoice(contact, LineItems=[line(TaxAmount=3.14)]))["Total"] == 24.14


def test_an_item_fills_what_the_line_leaves_out(nz, contact):
    """accounting/invoices: ItemCode"""
    [row] = made(nz, invoice(contact, LineItems=[{"ItemCode": "cable-m", "Quantity": 3}]), unitdp=4)["LineItems"]
    assert (row["Description"], row["UnitAmount"], row["AccountCode"]) == ("Network cable, cut to length", 1.2375, "200")
    assert row["Item"]["Code"] == "CABLE-M"


def test_discounts_are_for_sales_invoices_only(nz, contact):
    """accounting/invoices: DiscountRate, DiscountAmount"""
    lines = [line(DiscountRate=10), line(DiscountAmount=1.25)]
    created = made(nz, invoice(contact, LineItems=lines))
    assert [row["LineAmount"] for row in created["LineItems"]] == [18.9, 19.75]
    assert (created["IsDiscounted"], created["TotalDiscount"]) == (True, 3.35)
    bill = invoice(contact, Type="ACCPAY", LineItems=[line(AccountCode="300", DiscountRate=10)])
    assert set(refused(nz, bill)) == {"Discounts can only be applied to ACCREC invoices"}


def test_tracking_is_known_by_names_or_ids(nz, sandbox, contact):
    """accounting/invoices: Tracking"""
    [region, salesperson] = sandbox.documents(NZ, "tracking category")
    tracking = [
        {"Name": "region", "Option": "north"},
        {
            "TrackingCategoryID": salesperson["TrackingCategoryID"],
            "TrackingOptionID": salesperson["Options"][1]["TrackingOptionID"],
        },
    ]
    [row] = made(nz, invoice(contact, LineItems=[line(Tracking=tracking)]))["LineItems"]
    assert row["Tracking"] == [
        {"Name": "Region", "Option": "North", "TrackingCategoryID": region["TrackingCategoryID"], "Options": []},
        {
            "Name": "Salesperson",
            "Option": "Oliver Grey",
            "TrackingCategoryID": salesperson["TrackingCategoryID"],
            "Options": [],
        },
    ]


def test_a_line_amount_without_a_unit_price_sets_it(nz, contact):
    """accounting/invoices: LineAmount"""
    [row] = made(nz, invoice(contact, LineItems=[line(UnitAmount=None, LineAmount=10, Quantity=3)]))["LineItems"]
    assert (row["UnitAmount"], row["LineAmount"]) == (3.33, 10.0)


# --- contacts inside ---------------------------------------------------------------------------------------------------


def test_a_contact_sent_by_its_id_alone_is_left_alone(nz, sandbox, contact):
    """accounting/invoices: Contact"""
    before = next(row for row in sandbox.documents(NZ, "contact") if row["ContactID"] == contact)
    made(nz, invoice(contact))
    after = next(row for row in sandbox.documents(NZ, "contact") if row["ContactID"] == contact)
    assert after == {**before, "IsCustomer": True}, "being a customer does not move UpdatedDateUTC"


def test_a_contact_sent_with_anything_more_is_overwritten(nz, contact):
    """accounting/invoices: more than a ContactID updates the contact, and persons not sent are gone"""
    person = {"FirstName": "Ida", "EmailAddress": "ida@example.com", "IncludeInEmails": True}
    nz.post(f"Contacts/{contact}", {"ContactPersons": [person]})
    made(nz, invoice(contact, Contact={"ContactID": contact, "EmailAddress": "other@example.com"}))
    after = nz.get(f"Contacts/{contact}").get_json()["Contacts"][0]
    assert (after["EmailAddress"], after["ContactPersons"]) == ("other@example.com", [])


def test_a_contact_may_be_named_by_number_or_name_and_is_made_when_unknown(nz, sandbox):
    """accounting/invoices: Contact"""
    assert made(nz, invoice("", Contact={"ContactNumber": "SHOP-10023"}))["Contact"]["Name"] == "Bayside Wholesale"
    assert made(nz, invoice("", Contact={"Name": "kiwi solar ltd"}))["Contact"]["Name"] == "Kiwi Solar Ltd"
    assert made(nz, invoice("", Contact={"Name": "Made Inline"}))["Contact"]["ContactStatus"] == "ACTIVE"
    assert contact_id(sandbox, "Made Inline")


def test_problems_of_a_contact_inside_are_told_inside(nz, contact):
    """waynerobinson/xeroizer issue 477"""
    answer = nz.put("Invoices", {"Invoices": [invoice(contact, Contact={"ContactID": contact, "EmailAddress": "no address"})]})
    [element] = answer.get_json()["Elements"]
    assert element["ValidationErrors"] == []
    assert element["Contact"]["ValidationErrors"] == [{"Message": "Email address must be valid."}]


def test_an_archived_contact_cannot_be_used(nz, sandbox):
    """Recorded in September 2026"""
    archived = contact_id(sandbox, "Old Mill Bakery")
    assert refused(nz, invoice(archived)) == [
        "The specified contact details matched an archived contact. Archived contacts cannot currently be edited via the API."
    ]


def test_an_unknown_contact_id_fails_the_whole_request(nz, contact):
    """Seen in production against Xero in 2026"""
    answer = nz.put("Invoices", {"Invoices": [invoice(contact), invoice(BACKED)]})
    assert (answer.status_code, answer.data) == (404, b"")


# --- status and edits --------------------------------------------------------------------------------------------------

# fmt: off
TRANSITIONS = [
    # from         allowed                                        refused
    ("DRAFT",      ("DRAFT", "SUBMITTED", "AUTHORISED", "DELETED"), ("VOIDED", "PAID")),
    ("SUBMITTED",  ("SUBMITTED", "AUTHORISED", "DRAFT", "DELETED"), ("VOIDED", "PAID")),
    ("AUTHORISED", ("AUTHORISED", "VOIDED"),                        ("DRAFT", "SUBMITTED", "DELETED", "PAID")),
]
# fmt: on


@pytest.mark.parametrize(("before", "allowed", "forbidden"), TRANSITIONS)
def test_a_status_moves_only_as_xero_lets_it(nz, contact, before, allowed, forbidden):
    """accounting/invoices: status transitions"""
    for status in allowed:
        id = made(nz, invoice(contact, Status=before))["InvoiceID"]
        assert changed(nz, id, Status=status).get_json()["Invoices"][0]["Status"] == status
    id = made(nz, invoice(contact, Status=before))["InvoiceID"]
    for status in forbidden:
        assert messages(changed(nz, id, Status=status)) == ["Invoice not of valid status for modification"]


@pytest.mark.parametrize(("first", "last"), [("DRAFT", "DELETED"), ("AUTHORISED", "VOIDED")])
def test_a_deleted_or_voided_invoice_is_out_of_reach(nz, contact, first, last):
    """accounting/invoices: status transitions"""
    id = made(nz, invoice(contact, Status=first))["InvoiceID"]
    changed(nz, id, Status=last)
    for fields in ({"Status": "AUTHORISED"}, {"Reference": "x"}, {"Status": last}):
        assert messages(changed(nz, id, **fields)) == ["Invoice not of valid status for modification"]


def test_voiding_leaves_the_amount_due_as_it_was(nz, contact):
    """Recorded in September 2026: 200, VOIDED, AmountDue still 24.15"""
    created = made(nz, invoice(contact))
    answer = nz.post("Invoices", {"Invoices": [{"InvoiceID": created["InvoiceID"], "Status": "VOIDED"}]})
    [voided] = answer.get_json()["Invoices"]
    assert (answer.status_code, voided["Status"], voided["AmountDue"]) == (200, "VOIDED", 24.15)


def test_a_refused_deletion_echoes_the_status_asked_for(nz, contact):
    """Recorded in September 2026: the invoice is NOT deleted"""
    id = made(nz, invoice(contact))["InvoiceID"]
    answer = nz.post("Invoices", {"Invoices": [{"InvoiceID": id, "Status": "DELETED"}]}, summarizeErrors="False")
    [element] = answer.get_json()["Invoices"]
    assert (answer.status_code, element["Status"]) == (200, "DELETED")
    assert (element["HasErrors"], element["StatusAttributeString"]) == (True, "ERROR")
    assert read(nz, id)["Status"] == "AUTHORISED"


def test_an_unknown_id_in_a_post_is_a_validation_error(nz, contact):
    """XeroAPI/Xero-OpenAPI accounting"""
    answer = nz.post("Invoices", {"Invoices": [invoice(contact, InvoiceID=BACKED)]})
    assert messages(answer) == ["The document with the supplied id was not found for this endpoint."]


def test_a_post_with_a_known_number_edits_that_invoice(nz, sandbox, contact):
    """accounting/invoices: POST creates or updates; whose invoice it is, is not asked"""
    before = next(row for row in sandbox.documents(NZ, "invoice") if row["InvoiceNumber"] == "INV-0053")
    answer = nz.post("Invoices", {"Invoices": [invoice(contact, InvoiceNumber="INV-0053", Reference="ours now")]})
    assert answer.get_json()["Invoices"][0]["InvoiceID"] == before["InvoiceID"]
    assert read(nz, before["InvoiceID"])["Reference"] == "ours now"


def test_a_post_without_a_number_creates(nz, contact):
    """accounting/invoices"""
    assert nz.post("Invoices", {"Invoices": [invoice(contact)]}).get_json()["Invoices"][0]["InvoiceNumber"] == "INV-0055"


def test_lines_are_matched_by_their_ids(nz, contact):
    """accounting/invoices: a known LineItemID updates, none creates, a line left out is deleted"""
    created = made(nz, invoice(contact, LineItems=[line(), line(Description="Second"), line(Description="Third")]))
    first, second, _ = (row["LineItemID"] for row in created["LineItems"])
    lines = [{"LineItemID": second, "Quantity": 1}, line(Description="New"), {"LineItemID": first, "Description": "First"}]
    after = changed(nz, created["InvoiceID"], LineItems=lines).get_json()["Invoices"][0]
    assert [row["Description"] for row in after["LineItems"]] == ["Second", "New", "First"]
    assert [row["LineItemID"] in (first, second) for row in after["LineItems"]] == [True, False, True]
    assert [row["LineAmount"] for row in after["LineItems"]] == [10.5, 21.0, 21.0]
    assert after["Total"] == float((Decimal("52.5") * Decimal("1.15")).quantize(Decimal("0.01"), "ROUND_HALF_UP"))


def test_lines_left_out_altogether_stay(nz, contact):
    """accounting/invoices: elements left out are preserved"""
    created = made(nz, invoice(contact))
    after = changed(nz, created["InvoiceID"], Reference="later").get_json()["Invoices"][0]
    assert (after["LineItems"][0]["LineItemID"], after["Total"]) == (created["LineItems"][0]["LineItemID"], 24.15)


def test_a_change_of_amounts_alone_is_calculated_again(nz, contact):
    """accounting/invoices: LineAmountTypes"""
    created = made(nz, invoice(contact))
    after = changed(nz, created["InvoiceID"], LineAmountTypes="Inclusive").get_json()["Invoices"][0]
    assert (after["SubTotal"], after["TotalTax"], after["Total"]) == (18.26, 2.74, 21.0)


def test_a_part_paid_invoice_keeps_its_money(nz, contact):
    """accounting/invoices: what may be edited once a payment is applied"""
    created = made(nz, invoice(contact))
    paid(nz, created["InvoiceID"], 10)
    id, own_line = created["InvoiceID"], created["LineItems"][0]["LineItemID"]
    for allowed in (
        {"Reference": "new"},
        {"DueDate": "2027-01-31"},
        {"InvoiceNumber": "RENAMED-1"},
        {"Url": "https://crm.example.com/1"},
        {"LineItems": [{"LineItemID": own_line, "Description": "Other words", "AccountCode": "260"}]},
    ):
        assert changed(nz, id, **allowed).status_code == 200, allowed
    for forbidden in (
        {"Date": "2026-11-19"},
        {"LineAmountTypes": "NoTax"},
        {"LineItems": [{"LineItemID": own_line, "Quantity": 3}]},
        {"LineItems": [line()]},
        {"CurrencyCode": "USD"},
    ):
        assert "This document cannot be edited as it has a payment or credit note allocated to it." in messages(
            changed(nz, id, **forbidden)
        )
    assert messages(changed(nz, id, Status="VOIDED")) == [
        "The status VOIDED cannot be applied to the invoice because it has payments or credit notes allocated to it."
    ]


def test_nothing_is_due_on_an_invoice_over_zero(nz, contact):
    """accounting/invoices: an approved invoice with nothing to pay is PAID"""
    created = made(nz, invoice(contact, LineItems=[line(UnitAmount=0)]))
    assert (created["Status"], created["AmountDue"]) == ("PAID", 0.0)


# --- reading -----------------------------------------------------------------------------------------------------------


def numbers(answer: Any) -> Any:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [row.get("InvoiceNumber") for row in answer.get_json()["Invoices"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"InvoiceNumbers": "INV-0051,INV-0010"}, ["INV-0010", "INV-0051"]),
        ({"Statuses": "DRAFT,SUBMITTED"}, ["INV-0052", "INV-0053"]),
        ({"where": 'Type=="ACCPAY" AND InvoiceNumber=="CC-88120"'}, ["CC-88120"]),
        ({"where": 'Contact.Name=="Bayside Wholesale"'}, ["INV-0051"]),
        ({"where": 'Contact.ContactNumber=="SHOP-10023"'}, ["INV-0051"]),
        ({"where": "Date>=DateTime(2026,8,25)", "order": "InvoiceNumber DESC"}, ["INV-0054", "INV-0053"]),
        ({"searchTerm": "monthly"}, ["INV-0016"]),
        ({"createdByMyApp": "True"}, []),
    ],
)
def test_a_list_is_narrowed_by_every_parameter(nz, query, found):
    """accounting/invoices: optional parameters"""
    assert numbers(nz.get("Invoices", **query)) == found


def test_ids_of_documents_and_contacts_narrow_a_list(nz, sandbox, contact):
    """accounting/invoices: IDs, ContactIDs"""
    id = next(row["InvoiceID"] for row in sandbox.documents(NZ, "invoice") if row["InvoiceNumber"] == "INV-0053")
    assert numbers(nz.get("Invoices", IDs=id.upper())) == ["INV-0053"]
    assert numbers(nz.get("Invoices", ContactIDs=contact)) == ["INV-0053"]


def test_created_by_my_app(nz, contact):
    """accounting/invoices: createdByMyApp"""
    made(nz, invoice(contact))
    assert numbers(nz.get("Invoices", createdByMyApp="true")) == ["INV-0055"]


def test_pages_count_and_are_clamped(nz):
    """accounting/requests-and-responses: paging"""
    answer = nz.get("Invoices", page=2, pageSize=3).get_json()
    assert answer["pagination"] == {"page": 2, "pageSize": 3, "pageCount": 3, "itemCount": 8}
    assert len(answer["Invoices"]) == 3
    assert nz.get("Invoices", page=0, pageSize=5000).get_json()["pagination"]["pageSize"] == 1000
    assert nz.get("Invoices", page=9).get_json()["Invoices"] == []
    assert nz.get("Invoices", page="two").get_json()["pagination"]["page"] == 1


def test_without_paging_there_are_no_lines(nz):
    """accounting/invoices: line items come with paging or a single invoice"""
    answer = nz.get("Invoices").get_json()
    assert "pagination" not in answer
    assert all(row["LineItems"] == [] for row in answer["Invoices"])
    assert all(row["LineItems"] for row in nz.get("Invoices", page=1).get_json()["Invoices"])


def test_a_summary_leaves_out_lines_and_payments(nz):
    """accounting/invoices: summaryOnly forces paging"""
    answer = nz.get("Invoices", summaryOnly="true").get_json()
    assert answer["pagination"]["itemCount"] == 8
    assert not any({"LineItems", "Payments", "HasAttachments"} & set(row) for row in answer["Invoices"])


def test_only_what_changed_since_is_listed_oldest_first(nz, sandbox, contact):
    """accounting/requests-and-responses: If-Modified-Since, default order"""
    first, second = made(nz, invoice(contact)), made(nz, invoice(contact))
    changed(nz, first["InvoiceID"], Reference="again")
    answer = nz.get("Invoices", page=1, headers={"If-Modified-Since": "2026-11-21T00:30:00"})
    assert numbers(answer) == [second["InvoiceNumber"], first["InvoiceNumber"]]
    later = {"If-Modified-Since": "2026-11-21T00:30:01"}
    assert numbers(nz.get("Invoices", page=1, headers=later)) == []


def test_two_changes_of_a_part_paid_invoice_go_unnoticed(nz, contact):
    """accounting/requests-and-responses: DueDate and SentToContact do not move UpdatedDateUTC then"""
    id = made(nz, invoice(contact))["InvoiceID"]
    paid(nz, id, 10)
    before = read(nz, id)["UpdatedDateUTC"]
    changed(nz, id, DueDate="2027-01-31")
    changed(nz, id, SentToContact=True)
    after = read(nz, id)
    assert (after["UpdatedDateUTC"], after["DueDateString"], after["SentToContact"]) == (before, "2027-01-31T00:00:00", True)
    changed(nz, id, Reference="noticed")
    assert read(nz, id)["UpdatedDateUTC"] != before


@pytest.mark.parametrize("query", [{"where": 'Typo=="x"'}, {"order": "Typo"}, {"where": "Status"}])
def test_a_query_that_cannot_be_read_is_a_400(nz, query):
    """accounting/response-codes: QueryParseException"""
    answer = nz.get("Invoices", **query)
    assert (answer.status_code, answer.get_json()["Type"]) == (400, "QueryParseException")


def test_one_invoice_is_found_by_id_or_number(nz):
    """accounting/invoices"""
    by_number = read(nz, "INV-0016")
    assert read(nz, by_number["InvoiceID"]) == by_number
    assert by_number["Contact"]["EmailAddress"] == "ann@hamiltonsmithltd.example"
    assert (by_number["AmountCredited"], by_number["AmountPaid"], by_number["Status"]) == (541.25, 0.0, "PAID")


# --- online link, e-mail, history --------------------------------------------------------------------------------------


def test_the_online_link_of_a_sales_invoice_never_changes(nz, contact):
    """accounting/invoices: OnlineInvoice"""
    id = made(nz, invoice(contact))["InvoiceID"]
    first, second = (nz.get(f"Invoices/{id}/OnlineInvoice").get_json()["OnlineInvoices"] for _ in range(2))
    assert first == second
    assert first[0]["OnlineInvoiceUrl"].startswith("https://in.xero.com/")


@pytest.mark.parametrize("number", ["INV-0053", "CC-88120"])
def test_a_draft_or_a_bill_has_no_online_link(nz, number):
    """accounting/invoices: OnlineInvoice"""
    assert nz.get(f"Invoices/{number}/OnlineInvoice").status_code == 400


def test_an_email_answers_204_and_marks_the_invoice_sent(nz, contact):
    """accounting/invoices: Email"""
    id = made(nz, invoice(contact))["InvoiceID"]
    answer = nz.post(f"Invoices/{id}/Email", {})
    assert (answer.status_code, answer.data) == (204, b"")
    assert read(nz, id)["SentToContact"] is True
    assert nz.get(f"Invoices/{id}/History").get_json()["HistoryRecords"][0]["Changes"] == "Invoice sent"


@pytest.mark.parametrize("number", ["INV-0053", "INV-0054", "CC-88120"])
def test_what_is_not_an_open_sales_invoice_cannot_be_emailed(nz, number):
    """accounting/invoices: Email"""
    assert nz.post(f"Invoices/{number}/Email", {}).status_code == 400


def test_a_contact_without_an_address_cannot_be_emailed(nz):
    """accounting/invoices: Email"""
    id = made(nz, invoice("", Contact={"Name": "No Address"}))["InvoiceID"]
    assert messages(nz.post(f"Invoices/{id}/Email", {})) == ["The contact has no email address"]


def test_emails_are_limited_per_day_with_a_400(nz, sandbox, contact):
    """accounting/invoices: Email; 20 a day on a trial"""
    id = made(nz, invoice(contact))["InvoiceID"]
    assert [nz.post(f"Invoices/{id}/Email", {}).status_code for _ in range(21)] == [204] * 20 + [400]


def test_a_note_is_added_to_the_history(nz, contact):
    """accounting/history-and-notes"""
    id = made(nz, invoice(contact))["InvoiceID"]
    answer = nz.put(f"Invoices/{id}/History", {"HistoryRecords": [{"Details": "Sent from Dynamics"}]})
    assert answer.get_json()["HistoryRecords"][0]["Details"] == "Sent from Dynamics"
    too_long = nz.put(f"Invoices/{id}/History", {"HistoryRecords": [{"Details": "x" * 2501}]})
    assert messages(too_long) == ["Details must be between 1 and 2500 characters long"]
    assert len(nz.get(f"Invoices/{id}/History").get_json()["HistoryRecords"]) == 1
    assert nz.put(f"Invoices/{BACKED}/History", {"HistoryRecords": [{"Details": "x"}]}).status_code == 404


def test_the_two_organisations_do_not_see_each_other(nz, uk):
    """guides/oauth2/tenants"""
    assert UK != NZ
    assert nz.get("Invoices/INV-0041").status_code == 404
    assert uk.get("Invoices/INV-0041").status_code == 200


def test_a_paid_invoice_may_still_change_its_words(nz, contact):
    """accounting/invoices: what may be edited once a payment is applied"""
    id = made(nz, invoice(contact))["InvoiceID"]
    paid(nz, id, 24.15)
    after = changed(nz, id, Reference="for the file", Status="AUTHORISED").get_json()["Invoices"][0]
    assert (after["Status"], after["Reference"]) == ("PAID", "for the file")
    assert messages(changed(nz, id, Status="DRAFT")) == ["Invoice not of valid status for modification"]


def test_nothing_in_a_locked_period_can_be_voided_or_edited(nz, sandbox, contact):
    """accounting/invoices: lock dates"""
    id = made(nz, invoice(contact))["InvoiceID"]
    sandbox.change(NZ, "organisation", NZ, PeriodLockDate="2026-11-20")
    for fields in ({"Status": "VOIDED"}, {"Reference": "x"}, {"Date": "2026-11-21"}):
        assert messages(changed(nz, id, **fields)) == [
            "The document date cannot be before the period lock date, currently set at 20 November 2026"
        ]


def test_an_empty_contact_or_number_in_an_update_changes_nothing(nz, contact):
    """XeroAPI/Xero-OpenAPI accounting: the example of updateInvoice sends an empty Contact"""
    created = made(nz, invoice(contact))
    after = changed(nz, created["InvoiceID"], Contact={}, InvoiceNumber="", Reference="x").get_json()["Invoices"][0]
    assert (after["Contact"]["ContactID"], after["InvoiceNumber"]) == (contact, created["InvoiceNumber"])


@pytest.mark.parametrize("rate", [0, -1.5])
def test_a_currency_rate_is_positive(nz, contact, rate):
    """accounting/invoices: CurrencyRate"""
    assert "CurrencyRate must be greater than zero" in refused(nz, invoice(contact, CurrencyCode="USD", CurrencyRate=rate))


def test_a_type_cannot_change(nz, contact):
    """accounting/invoices"""
    id = made(nz, invoice(contact))["InvoiceID"]
    assert "Invoice Type 'ACCPAY' is not valid" in messages(changed(nz, id, Type="ACCPAY"))
