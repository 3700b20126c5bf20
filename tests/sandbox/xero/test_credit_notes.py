"""Credit notes and their allocations: developer.xero.com accounting/creditnotes, and a page recorded in September 2026."""

from typing import Any

import pytest

from sandbox.xero import Sandbox
from sandbox.xero.demo_company import NZ
from tests.sandbox.xero.callers import Caller, contact_id, invoice, line, messages

NOBODY = "8f9fa7a6-fb58-41ed-bd06-b658e68c6a97"


def note(contact: Any, **changes: Any) -> Any:
    """Return a small approved credit note over 12.08; *changes* replace fields, None leaves one out."""
    body = {
        "Type": "ACCRECCREDIT",
        "Contact": {"ContactID": contact},
        "Date": "2026-11-19",
        "LineAmountTypes": "Exclusive",
        "Status": "AUTHORISED",
        "LineItems": [line(Quantity=1)],
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def made(caller: Caller, body: Any, **query: Any) -> Any:
    answer = caller.put("CreditNotes", {"CreditNotes": [body]}, **query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["CreditNotes"][0]


def read(caller: Caller, id: Any, **query: Any) -> Any:
    return caller.get(f"CreditNotes/{id}", **query).get_json()["CreditNotes"][0]


def owed(caller: Caller, id: Any) -> Any:
    return caller.get(f"Invoices/{id}").get_json()["Invoices"][0]


def raised(caller: Caller, contact: Any, **changes: Any) -> Any:
    answer = caller.put("Invoices", {"Invoices": [invoice(contact, **changes)]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["Invoices"][0]["InvoiceID"]


def allocation(invoice_id: Any, amount: Any = 12.08, **changes: Any) -> Any:
    return {"Amount": amount, "Invoice": {"InvoiceID": invoice_id}, **changes}


def allocated(caller: Caller, note_id: Any, invoice_id: Any, amount: Any = 12.08) -> Any:
    """Allocate and return the id of the allocation, which only a GET tells."""
    answer = caller.put(f"CreditNotes/{note_id}/Allocations", {"Allocations": [allocation(invoice_id, amount)]})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return read(caller, note_id)["Allocations"][-1]["AllocationID"]


def deleted(caller: Caller, path: str) -> Any:
    return caller.client.delete(f"/api.xro/2.0/{path}", headers=caller.headers())


# --- writing and reading -----------------------------------------------------------------------------------------------


def test_a_new_credit_note_is_added_up_and_numbered(nz, contact):
    """accounting/creditnotes: CreditNoteNumber is generated when absent"""
    created = made(nz, note(contact))
    assert (created["SubTotal"], created["TotalTax"], created["Total"], created["RemainingCredit"]) == (10.5, 1.58, 12.08, 12.08)
    assert (created["CreditNoteNumber"], created["Status"], created["Allocations"]) == ("CN-0026", "AUTHORISED", [])
    assert (created["DateString"], created["Date"]) == ("2026-11-19T00:00:00", "/Date(1795046400000+0000)/")
    assert made(nz, note(contact))["CreditNoteNumber"] == "CN-0027"


def test_it_is_read_by_id_and_by_number_with_its_contact_in_full(nz, contact):
    """accounting/creditnotes: GET CreditNotes/{CreditNoteID or CreditNoteNumber}"""
    created = made(nz, note(contact))
    assert read(nz, created["CreditNoteID"]) == read(nz, created["CreditNoteNumber"])
    assert read(nz, "CN-0026")["Contact"]["EmailAddress"]
    assert nz.get(f"CreditNotes/{NOBODY}").status_code == 404


def test_only_a_page_holds_the_lines(nz):
    """accounting/creditnotes: paging"""
    whole, page = (nz.get("CreditNotes", **query).get_json() for query in ({}, {"page": 1, "pageSize": 1}))
    assert (whole["CreditNotes"][0]["LineItems"], "pagination" in whole) == ([], False)
    assert page["CreditNotes"][0]["LineItems"][0]["ItemCode"] == "SUPPORT-M"
    assert page["pagination"] == {"page": 1, "pageSize": 1, "pageCount": 1, "itemCount": 1}


def test_the_demo_companys_note_is_the_one_its_invoice_shows(nz):
    """Recorded in September 2026: GET CreditNotes"""
    [row] = nz.get("CreditNotes", page=1).get_json()["CreditNotes"]
    [shown] = owed(nz, "INV-0016")["CreditNotes"]
    assert (row["CreditNoteID"], row["Status"], row["RemainingCredit"]) == (shown["CreditNoteID"], "PAID", 0.0)
    assert [(one["Amount"], one["Invoice"]["InvoiceNumber"]) for one in row["Allocations"]] == [(541.25, "INV-0016")]
    assert "_allocation" not in shown


def test_notes_are_filtered_ordered_and_read_since(nz, contact):
    """accounting/creditnotes: where, order, If-Modified-Since"""
    names = [made(nz, note(contact, Reference=text))["CreditNoteNumber"] for text in ("one", "two")]

    def numbers(**query: Any) -> Any:
        headers = query.pop("headers", None)
        return [row["CreditNoteNumber"] for row in nz.get("CreditNotes", headers=headers, **query).get_json()["CreditNotes"]]

    assert numbers(where='Reference=="two"') == names[1:]
    assert numbers(where=f'Contact.ContactID==Guid("{contact}") AND Status=="AUTHORISED"') == names
    assert numbers(order="CreditNoteNumber DESC") == [*reversed(names), "CN-0025"]
    assert numbers(headers={"If-Modified-Since": "2026-11-21T00:00:00"}) == names


def test_unit_prices_have_four_places_when_asked_for(nz, contact):
    """accounting/creditnotes: unitdp"""
    created = made(nz, note(contact, LineItems=[line(Quantity=1000, UnitAmount=0.0612)]), unitdp=4)
    assert (created["LineItems"][0]["UnitAmount"], created["SubTotal"]) == (0.0612, 61.2)
    assert read(nz, created["CreditNoteID"])["LineItems"][0]["UnitAmount"] == 0.06


def test_the_number_of_a_customers_note_is_unique_a_suppliers_is_not(nz, sandbox, contact):
    """accounting/creditnotes: CreditNoteNumber"""
    made(nz, note(contact, CreditNoteNumber="CN-1"))
    assert messages(nz.put("CreditNotes", note(contact, CreditNoteNumber="cn-1"))) == ["Credit Note # must be unique."]
    bought = note(
        contact_id(sandbox, "Central Copiers"), Type="ACCPAYCREDIT", CreditNoteNumber="CN-1", LineItems=[line(AccountCode="461")]
    )
    assert [made(nz, bought)["CreditNoteNumber"] for _ in range(2)] == ["CN-1", "CN-1"]


def test_a_suppliers_note_has_neither_reference_nor_theme(nz, contact):
    """accounting/creditnotes: Reference is ACCRECCREDIT only"""
    created = made(nz, note(contact, Type="ACCPAYCREDIT", Reference="X", LineItems=[line(AccountCode="461")]))
    assert not {"Reference", "BrandingThemeID", "CreditNoteNumber"} & set(created)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Type": "ACCREC"}, "Credit Note Type 'ACCREC' is not valid"),
        ({"Contact": None}, "A Contact must be specified for this type of transaction"),
        ({"LineItems": [line(DiscountRate=10)]}, "Discounts can only be applied to ACCREC invoices"),
        ({"LineItems": [line(AccountCode="999")]}, "Account code '999' is not a valid code for this document."),
        ({"LineItems": [line(AccountCode=None)]}, "Account code must be specified"),
        ({"LineItems": [line(TaxType="NOPE")]}, "The TaxType code NOPE does not exist"),
        ({"LineItems": []}, "One or more line items must be specified"),
        ({"LineItems": [line(Quantity=-1)]}, "The total of a credit note cannot be negative"),
        ({"CurrencyCode": "GBP"}, "Organisation is not subscribed to currency GBP"),
        ({"Date": "2009-09-30"}, "period lock date"),
        ({"Status": "PAID"}, "A new credit note cannot have the status PAID"),
        ({"CreditNoteID": NOBODY}, "No CreditNoteID can be given to a new credit note"),
        ({"CreditNoteNumber": "x" * 256}, "at most 255 printable ASCII characters"),
    ],
)
def test_a_wrong_credit_note_is_refused_with_its_reason(nz, contact, changes, text):
    """accounting/creditnotes"""
    answer = nz.put("CreditNotes", {"CreditNotes": [note(contact, **changes)]})
    assert any(text in found for found in messages(answer))
    assert len(nz.get("CreditNotes").get_json()["CreditNotes"]) == 1


def test_a_field_xero_does_not_know_is_refused_unless_asked_leniently(nz, contact):
    """The stand-in's own strictness"""
    body = {"CreditNotes": [note(contact, Refrence="typo")]}
    assert "Refrence" in nz.put("CreditNotes", body).get_json()["Message"]
    assert nz.put("CreditNotes", body, strict="False").status_code == 200


def test_a_refused_element_echoes_what_was_asked_for(nz, contact):
    """Recorded in September 2026 for invoices: summarizeErrors=false"""
    created = made(nz, note(contact))
    answer = nz.post("CreditNotes", {"CreditNoteID": created["CreditNoteID"], "Status": "DELETED"}, summarizeErrors="False")
    [element] = answer.get_json()["CreditNotes"]
    assert (answer.status_code, element["Status"], element["HasErrors"]) == (200, "DELETED", True)
    assert element["StatusAttributeString"] == "ERROR"
    assert element["ValidationErrors"] == [{"Message": "Credit note not of valid status for modification"}]
    assert read(nz, created["CreditNoteID"])["Status"] == "AUTHORISED"


def test_post_updates_by_id_or_number_and_creates_otherwise(nz, contact):
    """accounting/creditnotes: POST"""
    created = made(nz, note(contact, CreditNoteNumber="CN-1", Status="DRAFT"))
    by_number = nz.post("CreditNotes", note(contact, CreditNoteNumber="CN-1", Reference="x", Status="DRAFT"))
    assert by_number.get_json()["CreditNotes"][0]["CreditNoteID"] == created["CreditNoteID"]
    by_id = nz.post("CreditNotes", {"CreditNoteID": created["CreditNoteID"], "Status": "AUTHORISED"}).get_json()
    assert (by_id["CreditNotes"][0]["Status"], by_id["CreditNotes"][0]["Reference"]) == ("AUTHORISED", "x")
    assert nz.post("CreditNotes", note(contact)).get_json()["CreditNotes"][0]["CreditNoteNumber"] == "CN-0026"
    assert messages(nz.post("CreditNotes", {"CreditNoteID": NOBODY})) == [
        "An existing Credit Note with the specified CreditNoteID could not be found"
    ]


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("DRAFT", "SUBMITTED", True),
        ("DRAFT", "AUTHORISED", True),
        ("DRAFT", "DELETED", True),
        ("DRAFT", "VOIDED", False),
        ("SUBMITTED", "DRAFT", True),
        ("SUBMITTED", "DELETED", True),
        ("AUTHORISED", "VOIDED", True),
        ("AUTHORISED", "DELETED", False),
        ("AUTHORISED", "DRAFT", False),
    ],
)
def test_a_status_moves_as_an_invoices_does(nz, contact, before, after, allowed):
    """accounting/creditnotes: void approved, delete draft"""
    created = made(nz, note(contact, Status=before))
    answer = nz.post(f"CreditNotes/{created['CreditNoteID']}", {"Status": after})
    assert (answer.status_code == 200) is allowed
    assert read(nz, created["CreditNoteID"])["Status"] == (after if allowed else before)


def test_a_voided_note_keeps_its_remaining_credit_and_stays_as_it_is(nz, contact):
    """accounting/creditnotes; recorded for invoices: a VOIDED one keeps its AmountDue"""
    created = made(nz, note(contact))
    path = f"CreditNotes/{created['CreditNoteID']}"
    assert nz.post(path, {"Status": "VOIDED"}).get_json()["CreditNotes"][0]["RemainingCredit"] == 12.08
    assert messages(nz.post(path, {"Status": "AUTHORISED"})) == ["Credit note not of valid status for modification"]


def test_history_is_kept_of_a_credit_note(nz):
    """accounting/historyandnotes"""
    path = "CreditNotes/" + read(nz, "CN-0025")["CreditNoteID"] + "/History"
    nz.put(path, {"HistoryRecords": [{"Details": "Applied by hand"}]})
    assert [row["Details"] for row in nz.get(path).get_json()["HistoryRecords"]] == ["Applied by hand"]


# --- allocations -------------------------------------------------------------------------------------------------------


def test_a_part_allocated_moves_both_documents(nz, contact):
    """accounting/creditnotes: allocating; the answer names no AllocationID, a GET does"""
    created, id = made(nz, note(contact)), raised(nz, contact)
    before = (owed(nz, id)["UpdatedDateUTC"], created["UpdatedDateUTC"])
    answer = nz.put(f"CreditNotes/{created['CreditNoteID']}/Allocations", {"Allocations": [allocation(id, 5)]})
    [told] = answer.get_json()["Allocations"]
    assert ("AllocationID" in told, told["Amount"], told["CreditNote"]["CreditNoteID"]) == (False, 5.0, created["CreditNoteID"])

    after, spent = owed(nz, id), read(nz, created["CreditNoteID"])
    assert (after["AmountCredited"], after["AmountPaid"], after["AmountDue"], after["Status"]) == (5.0, 0.0, 19.15, "AUTHORISED")
    assert "FullyPaidOnDate" not in after
    [shown] = after["CreditNotes"]
    assert (shown["CreditNoteNumber"], shown["AppliedAmount"], shown["Total"]) == ("CN-0026", 5.0, 12.08)
    assert (spent["RemainingCredit"], spent["Status"]) == (7.08, "AUTHORISED")
    [row] = spent["Allocations"]
    assert (row["Amount"], row["Invoice"]["InvoiceNumber"]) == (5.0, after["InvoiceNumber"])
    # The later of the two documents' dates: 19 November, 20 November.
    assert row["Date"] == "/Date(1795132800000+0000)/" == told["Date"]
    assert before[0] < after["UpdatedDateUTC"]
    assert before[1] < spent["UpdatedDateUTC"]


def test_the_date_sent_with_an_allocation_is_passed_over(nz, contact):
    """accounting/creditnotes: Date (read-only)"""
    created, id = made(nz, note(contact)), raised(nz, contact)
    nz.put(f"CreditNotes/{created['CreditNoteID']}/Allocations", allocation(id, 1, Date="2026-12-24"))
    assert read(nz, created["CreditNoteID"])["Allocations"][0]["Date"] == "/Date(1795132800000+0000)/"


def test_a_note_with_nothing_left_is_paid_and_so_is_an_invoice(nz, contact):
    """accounting/creditnotes: RemainingCredit, Status"""
    created, id = made(nz, note(contact, LineItems=[line()])), raised(nz, contact)
    allocated(nz, created["CreditNoteID"], id, 24.15)
    after, spent = owed(nz, id), read(nz, created["CreditNoteID"])
    assert (after["Status"], after["AmountDue"], after["AmountCredited"]) == ("PAID", 0.0, 24.15)
    assert (spent["Status"], spent["RemainingCredit"]) == ("PAID", 0.0)
    assert after["FullyPaidOnDate"] == spent["FullyPaidOnDate"] == "/Date(1795132800000+0000)/"


def test_an_allocation_deleted_takes_all_of_it_back(nz, contact):
    """accounting/creditnotes: DELETE Allocations, answered without an envelope"""
    created, id = made(nz, note(contact, LineItems=[line()])), raised(nz, contact)
    before, unspent = owed(nz, id), read(nz, created["CreditNoteID"])
    path = f"CreditNotes/{created['CreditNoteID']}/Allocations/{allocated(nz, created['CreditNoteID'], id, 24.15)}"
    moved = owed(nz, id)["UpdatedDateUTC"]

    answer = deleted(nz, path)
    assert answer.status_code == 200
    assert (answer.get_json()["IsDeleted"], answer.get_json()["Invoice"]["InvoiceID"]) == (True, id)
    assert "DateTimeUTC" not in answer.get_json()
    after = owed(nz, id)
    for name, value in before.items():
        assert name in ("UpdatedDateUTC", "UpdatedDateUTCString", "Contact") or after[name] == value, name
    assert set(after) == set(before)
    assert (after["Status"], after["CreditNotes"]) == ("AUTHORISED", [])
    assert moved < after["UpdatedDateUTC"]
    again = read(nz, created["CreditNoteID"])
    assert {**again, "UpdatedDateUTC": unspent["UpdatedDateUTC"], "Contact": unspent["Contact"]} == unspent
    assert deleted(nz, path).status_code == 404


def test_one_note_settles_several_invoices_and_one_invoice_takes_several_notes(nz, contact):
    """accounting/creditnotes: one row of Allocations each"""
    first, second = (raised(nz, contact) for _ in range(2))
    note_id, other = (made(nz, note(contact))["CreditNoteID"] for _ in range(2))
    body = {"Allocations": [allocation(first, 10), allocation(second, 2.08)]}
    assert nz.put(f"CreditNotes/{note_id}/Allocations", body).status_code == 200
    allocated(nz, other, first, 3)
    allocated(nz, other, first, 4)
    assert [row["AppliedAmount"] for row in owed(nz, first)["CreditNotes"]] == [10.0, 3.0, 4.0]
    assert (owed(nz, first)["AmountDue"], owed(nz, second)["AmountDue"]) == (7.15, 22.07)
    assert [row["Amount"] for row in read(nz, note_id)["Allocations"]] == [10.0, 2.08]


def test_of_several_allocations_the_valid_ones_stay(nz, contact):
    """accounting/creditnotes: summarizeErrors"""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    body = {"Allocations": [allocation(id, 10), allocation(id, 10)]}
    answer = nz.put(f"CreditNotes/{note_id}/Allocations", body, summarizeErrors="false")
    assert [row["StatusAttributeString"] for row in answer.get_json()["Allocations"]] == ["OK", "ERROR"]
    assert owed(nz, id)["AmountCredited"] == 10.0


def test_credit_and_payment_together_pay_an_invoice(nz, contact):
    """xero.com: what is due falls by payments and by credit"""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    allocation_id = allocated(nz, note_id, id, 4.15)
    nz.put("Payments", {"Invoice": {"InvoiceID": id}, "Account": {"Code": "090"}, "Amount": 20, "Date": "2026-11-21"})
    after = owed(nz, id)
    assert (after["Status"], after["AmountPaid"], after["AmountCredited"]) == ("PAID", 20.0, 4.15)
    deleted(nz, f"CreditNotes/{note_id}/Allocations/{allocation_id}")
    after = owed(nz, id)
    assert (after["Status"], after["AmountDue"], after["AmountPaid"]) == ("AUTHORISED", 4.15, 20.0)


@pytest.mark.parametrize("status", ["DRAFT", "SUBMITTED", "VOIDED"])
def test_only_an_approved_note_can_be_allocated(nz, contact, status):
    """accounting/creditnotes: must have a Status of AUTHORISED"""
    created, id = made(nz, note(contact, Status="AUTHORISED" if status == "VOIDED" else status)), raised(nz, contact)
    nz.post(f"CreditNotes/{created['CreditNoteID']}", {"Status": status})
    answer = nz.put(f"CreditNotes/{created['CreditNoteID']}/Allocations", allocation(id, 1))
    assert "Credit Note must have a status of AUTHORISED to be allocated" in messages(answer)
    assert owed(nz, id)["AmountCredited"] == 0.0


def test_a_note_goes_to_its_own_side_its_own_contact_and_its_own_currency(nz, sandbox, contact):
    """accounting/creditnotes; the first sentence as in waynerobinson/xeroizer#320"""
    note_id = made(nz, note(contact))["CreditNoteID"]
    bill = raised(nz, contact, Type="ACCPAY", LineItems=[line(AccountCode="461")])
    foreign = raised(nz, contact, CurrencyCode="USD")
    others = raised(nz, contact_id(sandbox, "City Agency"))
    for id, text in (
        (bill, "Credit Note cannot be allocated to an incorrect invoice type"),
        (others, "Credit Note cannot be allocated to an invoice of another contact"),
        (foreign, "Credit Note cannot be allocated to an invoice in another currency"),
    ):
        assert messages(nz.put(f"CreditNotes/{note_id}/Allocations", allocation(id, 1))) == [text]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"Amount": 12.09}, "Credit Note cannot be allocated as amount is greater than amount outstanding"),
        ({"Amount": 0}, "Amount must be greater than zero"),
        ({"Amount": -1}, "Amount must be greater than zero"),
        ({"Amount": 1.005}, "at most 2 decimal places"),
        ({"Invoice": {"InvoiceID": NOBODY}}, "The document with the supplied id was not found"),
        ({"Invoice": {}}, "The document with the supplied id was not found"),
    ],
)
def test_a_wrong_allocation_is_refused_with_its_reason(nz, contact, body, text):
    """accounting/creditnotes; the first sentence as in waynerobinson/xeroizer#320"""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    answer = nz.put(f"CreditNotes/{note_id}/Allocations", {"Allocations": [{**allocation(id), **body}]})
    assert any(text in found for found in messages(answer))
    assert (owed(nz, id)["AmountDue"], read(nz, note_id)["RemainingCredit"]) == (24.15, 12.08)


def test_more_than_is_due_cannot_be_allocated_nor_anything_to_a_paid_invoice(nz, contact):
    """waynerobinson/xeroizer#320: both sentences"""
    note_id, id = made(nz, note(contact))["CreditNoteID"], raised(nz, contact, LineItems=[line(Quantity=1, UnitAmount=1)])
    outstanding = "Credit Note cannot be allocated as amount is greater than amount outstanding"
    assert messages(nz.put(f"CreditNotes/{note_id}/Allocations", allocation(id, 2))) == [outstanding]
    allocated(nz, note_id, id, 1.15)
    assert messages(nz.put(f"CreditNotes/{note_id}/Allocations", allocation(id, 1))) == [
        "The invoice you are trying to allocate to has already been paid off",
        outstanding,
    ]


def test_neither_document_can_be_voided_while_allocated(nz, contact):
    """accounting/creditnotes, invoices: remove the allocation first"""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    allocation_id = allocated(nz, note_id, id, 1)
    for path in (f"CreditNotes/{note_id}", f"Invoices/{id}"):
        assert "because it has payments or credit notes allocated to it" in messages(nz.post(path, {"Status": "VOIDED"}))[0]
    deleted(nz, f"CreditNotes/{note_id}/Allocations/{allocation_id}")
    for path in (f"CreditNotes/{note_id}", f"Invoices/{id}"):
        assert nz.post(path, {"Status": "VOIDED"}).status_code == 200


def test_an_allocated_note_keeps_its_amounts_but_may_change_its_words(nz, contact):
    """xero.com: This document cannot be edited as it has a payment or credit note allocated to it."""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    allocated(nz, note_id, id, 1)
    refused = "This document cannot be edited as it has a payment or credit note allocated to it."
    assert messages(nz.post(f"CreditNotes/{note_id}", {"LineItems": [line(Quantity=9)]})) == [refused]
    assert messages(nz.post(f"CreditNotes/{note_id}", {"Date": "2026-11-01"})) == [refused]
    assert nz.post(f"CreditNotes/{note_id}", {"Reference": "New words"}).status_code == 200
    assert read(nz, note_id)["RemainingCredit"] == 11.08


def test_no_allocation_is_taken_back_in_a_locked_period(nz, sandbox: Sandbox, contact):
    """xero.com: lock dates"""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    allocation_id = allocated(nz, note_id, id, 1)
    sandbox.change(NZ, "organisation", NZ, PeriodLockDate="2026-11-30")
    assert "period lock date" in messages(deleted(nz, f"CreditNotes/{note_id}/Allocations/{allocation_id}"))[0]
    assert owed(nz, id)["AmountCredited"] == 1.0


def test_an_unknown_allocation_or_note_is_not_found(nz, contact):
    """accounting/creditnotes"""
    note_id = made(nz, note(contact))["CreditNoteID"]
    assert deleted(nz, f"CreditNotes/{note_id}/Allocations/{NOBODY}").status_code == 404
    assert deleted(nz, f"CreditNotes/{NOBODY}/Allocations/{NOBODY}").status_code == 404
    assert nz.put(f"CreditNotes/{NOBODY}/Allocations", allocation(NOBODY, 1)).status_code == 404


def test_an_allocation_with_a_key_is_made_once(nz, contact):
    """idempotency: Allocations take a key"""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    for _ in range(2):
        assert nz.put(f"CreditNotes/{note_id}/Allocations", allocation(id, 1), key="once").status_code == 200
    assert owed(nz, id)["AmountCredited"] == 1.0


def test_a_key_is_not_remembered_for_a_delete(nz, contact):
    """idempotency: ignored on DELETE"""
    id, note_id = raised(nz, contact), made(nz, note(contact))["CreditNoteID"]
    path = f"/api.xro/2.0/CreditNotes/{note_id}/Allocations/{allocated(nz, note_id, id, 1)}"
    headers = nz.headers() | {"Idempotency-Key": "gone"}
    assert [nz.client.delete(path, headers=headers).status_code for _ in range(2)] == [200, 404]


# --- refunds -----------------------------------------------------------------------------------------------------------


def test_a_note_is_refunded_by_a_payment_and_owed_again_when_it_is_removed(nz, contact):
    """accounting/payments: credit note refunds, ARCREDITPAYMENT"""
    created = made(nz, note(contact))
    body = {"CreditNote": {"CreditNoteNumber": "CN-0026"}, "Account": {"Code": "090"}, "Amount": 12.08, "Date": "2026-11-21"}
    [paid] = nz.put("Payments", body).get_json()["Payments"]
    assert (paid["PaymentType"], paid["CreditNote"]["CreditNoteNumber"], "Invoice" in paid) == (
        "ARCREDITPAYMENT",
        "CN-0026",
        False,
    )
    spent = read(nz, created["CreditNoteID"])
    assert (spent["Status"], spent["RemainingCredit"], spent["FullyPaidOnDate"]) == ("PAID", 0.0, paid["Date"])
    assert [row["PaymentID"] for row in spent["Payments"]] == [paid["PaymentID"]]
    nz.post(f"Payments/{paid['PaymentID']}", {"Status": "DELETED"})
    again = read(nz, created["CreditNoteID"])
    assert (again["Status"], again["RemainingCredit"], again["Payments"]) == ("AUTHORISED", 12.08, [])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Amount": 12.09}, "Payment amount exceeds the amount outstanding on this document"),
        ({"CreditNote": {"CreditNoteID": NOBODY}}, "The document with the supplied id was not found"),
        ({"CreditNote": {"CreditNoteNumber": "CN-0025"}}, "Payments can only be made against Authorised documents"),
    ],
)
def test_a_wrong_refund_is_refused_with_its_reason(nz, contact, changes, text):
    """accounting/payments"""
    created = made(nz, note(contact))
    body = {"CreditNote": {"CreditNoteID": created["CreditNoteID"]}, "Account": {"Code": "090"}, "Amount": 1, **changes}
    assert any(text in found for found in messages(nz.put("Payments", body)))
