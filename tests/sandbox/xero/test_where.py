"""`where` and `order`, as developer.xero.com accounting/requests-and-responses documents them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.xero.errors import QueryInvalid
from sandbox.xero.where import ordered, where

ROW = {
    "InvoiceID": "254591b2-68c7-403f-91af-e3584f9577fe",
    "Type": "ACCREC",
    "InvoiceNumber": "INV-0016",
    "Reference": "",
    "Status": "AUTHORISED",
    "Contact": {"ContactID": "8696589a-a719-463b-8ff3-b58e0a08ab28", "Name": "Hamilton Smith Ltd"},
    "Date": "2026-06-28",
    "AmountDue": 541.25,
    "SentToContact": True,
    "UpdatedDateUTC": "2026-09-14T09:29:59.100000+00:00",
}


@pytest.mark.parametrize(
    "text",
    [
        'Type=="ACCREC"',
        'Type = "accrec"',
        'type=="ACCREC" AND Status=="AUTHORISED"',
        'Type=="ACCREC"&&Status=="AUTHORISED"',
        'Status=="PAID" OR Status=="AUTHORISED"',
        'Status=="PAID" || Type=="ACCREC"',
        '(Status=="PAID" OR Status=="AUTHORISED") AND Type=="ACCREC"',
        'Status=="PAID" AND Type=="ACCPAY" OR Type=="ACCREC"',
        'Status!="PAID"',
        'InvoiceId==Guid("254591B2-68C7-403F-91AF-E3584F9577FE")',
        'Contact.ContactID==Guid("8696589a-a719-463b-8ff3-b58e0a08ab28")',
        'Contact.Name=="hamilton smith ltd"',
        'Contact.Name.StartsWith("Hamilton")',
        'InvoiceNumber.Contains("16") and InvoiceNumber.EndsWith("6")',
        "Date>=DateTime(2026,6,28)",
        "Date >= DateTime(2026, 06, 01) AND Date < DateTime(2026, 07, 01)",
        "UpdatedDateUTC>DateTime(2026,9,14,9,29,58)",
        "AmountDue==541.25",
        "AmountDue>541 AND AmountDue<=541.25M",
        "SentToContact==true",
        "Reference==null",
        'Reference==""',
        "InvoiceNumber!=null",
        'InvoiceNumber!=null AND InvoiceNumber.StartsWith("INV")',
    ],
)
def test_a_filter_that_is_true_of_the_row(text):
    assert where(text, "Invoice")(ROW)


@pytest.mark.parametrize(
    "text",
    [
        'Type=="ACCPAY"',
        'Status=="AUTHORISED" AND Type=="ACCPAY"',
        '(Type=="ACCREC" OR Type=="ACCPAY") AND Status=="PAID"',
        "Date<DateTime(2026,6,28)",
        "AmountDue<0",
        "SentToContact==false",
        'Reference=="x"',
        'Reference.StartsWith("x")',
        "DueDate>DateTime(2020,1,1)",
    ],
)
def test_a_filter_that_is_false_of_the_row(text):
    assert not where(text, "Invoice")(ROW)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('Typo=="x"', "No property or field 'Typo'"),
        ('Contact.Typo=="x"', "No property or field 'Typo'"),
        ('Type.Name=="x"', "No property or field 'Name'"),
        ('InvoiceID=="254591b2-68c7-403f-91af-e3584f9577fe"', "incompatible with operand types"),
        ('Date>="2026-06-28"', "incompatible with operand types"),
        ("InvoiceNumber==16", "incompatible with operand types"),
        ('Contact=="x"', "cannot be compared"),
        ('AmountDue.StartsWith("5")', "No applicable method"),
        ('InvoiceID==Guid("1")', "Guid should contain"),
        ("Date==DateTime(2026,13,1)", "out of range"),
        ('Type=="ACCREC', "Syntax error"),
        ('Type=="ACCREC" AND', "Syntax error"),
        ("Type==ACCREC", "Syntax error"),
        ("", "Syntax error"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(text, complaint):
    with pytest.raises(QueryInvalid, match=complaint):
        where(text, "Invoice")


@given(st.text(alphabet=st.characters(blacklist_characters='"', blacklist_categories=["Cs"])))
def test_any_text_can_be_looked_for(text):
    row = {"InvoiceNumber": text}
    assert where(f'InvoiceNumber=="{text}"', "Invoice")(row)


def test_rows_are_ordered_by_several_properties():
    rows = [{"Date": "2026-01-02", "InvoiceNumber": "b"}, {"Date": "2026-01-02", "InvoiceNumber": "A"}, {"InvoiceNumber": "c"}]
    found = [row["InvoiceNumber"] for row in ordered(rows, "Date DESC, InvoiceNumber", "Invoice")]
    assert found == ["A", "b", "c"]


@pytest.mark.parametrize("text", ["Typo", "Date SIDEWAYS", "Date; drop"])
def test_an_order_that_cannot_be_read_says_why(text):
    with pytest.raises(QueryInvalid):
        ordered([ROW], text, "Invoice")
