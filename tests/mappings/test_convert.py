"""Each converter: a value, its limit, and what it refuses."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import convert
from mappings.table import At, Converter, Field, Refused

ID = "00c0ffee-0000-4000-8000-000000000001"
LONDON = {"mag_timezone": "Europe/London"}
AUCKLAND = {"mag_timezone": "Pacific/Auckland"}
ACCOUNT = convert.reference("mag_code", convert.text(10))


def at(settings: Any = None) -> At:
    return At({}, settings or {}, row=Field("Label", "source", "Target"))


# fmt: off
WRITES = [
    # converter                           value                                      written
    (convert.money,                       Decimal("12.50"),                          Decimal("12.5")),
    (convert.money,                       12,                                        Decimal(12)),
    (convert.money,                       Decimal("-0.01"),                          Decimal("-0.01")),
    (convert.money,                       Decimal("9999999999.99"),                  Decimal("9999999999.99")),
    (convert.money,                       Decimal("1E+2"),                           Decimal(100)),
    (convert.unit_amount,                 Decimal("0.1234"),                         Decimal("0.1234")),
    (convert.unit_amount,                 Decimal("0.12340000"),                     Decimal("0.1234")),
    (convert.quantity,                    Decimal("1.2345"),                         Decimal("1.2345")),
    (convert.percentage,                  Decimal("17.5000"),                        Decimal("17.5")),
    (convert.date,                        "2026-02-28",                              "2026-02-28"),
    (convert.text(5),                     " 12345 ",                                 "12345"),
    (convert.text(5),                     "a\nb",                                    "a\nb"),
    (convert.text(5),                     "   ",                                     None),
    (convert.one_line(7),                 " a \n b\tc ",                             "a b c"),
    (convert.ascii_text(7),               "INV-1/2",                                 "INV-1/2"),
    (convert.after_full_stop(9),          " . As told.",                             "As told."),
    (convert.after_full_stop(9),          ".",                                       None),
    (convert.after_full_stop(9),          "..more",                                  ".more"),
    (convert.contact_name,                "  Ridgeway   University ",                "Ridgeway University"),
    (convert.contact_name,                "N" * 255,                                 "N" * 255),
    (convert.email,                       " a.b+c@sub.example.org ",                 "a.b+c@sub.example.org"),
    (convert.country,                     "Côte d'Ivoire",                           "Côte d'Ivoire"),
    (convert.currency,                    "NZD",                                     "NZD"),
    (convert.choice({7: "Seven"}),        7,                                         "Seven"),
    (convert.yes_no,                      False,                                     False),
    (convert.guid,                        ID.upper(),                                ID),
    (convert.bind("accounts"),            ID,                                        f"/accounts({ID})"),
    (ACCOUNT,                             {"mag_code": "200", "mag_status": "ACTIVE"}, "200"),
    (ACCOUNT,                             {"mag_code": "200", "mag_status": None},   "200"),
]
REFUSES = [
    # converter                           value                                      the refusal says
    (convert.money,                       Decimal("0.001"),                          "more than 2 decimal places"),
    (convert.money,                       Decimal("NaN"),                            "more digits"),
    (convert.money,                       Decimal("Infinity"),                       "more digits"),
    (convert.money,                       Decimal("12345678901234567.89"),           "more digits"),
    (convert.money,                       Decimal("1E+400"),                         "more digits"),
    (convert.money,                       12.5,                                      "not a number"),
    (convert.money,                       "12.50",                                   "not a number"),
    (convert.money,                       True,                                      "not a number"),
    (convert.unit_amount,                 Decimal("0.12345"),                        "more than 4 decimal places"),
    (convert.quantity,                    Decimal("1.23456"),                        "more than 4 decimal places"),
    (convert.percentage,                  "20",                                      "not a number"),
    (convert.date,                        "28/02/2026",                              "not a date"),
    (convert.date,                        "2026-02-30",                              "not a date"),
    (convert.date,                        20260228,                                  "not a date"),
    (convert.text(5),                     "123456",                                  "6 characters; Xero takes 5"),
    (convert.text(5),                     12345,                                     "not text"),
    (convert.text(5),                     "a\x07b",                                  "cannot be sent"),
    (convert.text(5),                     "a\ud800",                                 "cannot be sent"),
    (convert.one_line(5),                 "1 2 3 4",                                 "7 characters; Xero takes 5"),
    (convert.ascii_text(7),               "INV-é",                                   "does not take in a number"),
    (convert.ascii_text(7),               "INV\t1",                                  "does not take in a number"),
    (convert.ascii_text(7),               "INV-1234",                                "8 characters; Xero takes 7"),
    (convert.after_full_stop(5),          ".123456",                                 "6 characters; Xero takes 5"),
    (convert.contact_name,                "A < B",                                   "< or >"),
    (convert.contact_name,                "N" * 256,                                 "256 characters; Xero takes 255"),
    (convert.email,                       "müller@example.org",                      "not an e-mail address"),
    (convert.email,                       "a@b",                                     "not an e-mail address"),
    (convert.email,                       "a b@example.org",                         "not an e-mail address"),
    (convert.email,                       "a" * 250 + "@b.org",                      "not an e-mail address"),
    (convert.country,                     "FR-75",                                   "not a country"),
    (convert.country,                     "C" * 51,                                  "51 characters; Xero takes 50"),
    (convert.currency,                    "nzd",                                     "not a currency code"),
    (convert.currency,                    7,                                         "not a currency code"),
    (convert.choice({7: "Seven"}),        8,                                         "unknown to the connector"),
    (convert.choice({1: "One"}),          True,                                      "unknown to the connector"),
    (convert.yes_no,                      "true",                                    "neither yes nor no"),
    (convert.guid,                        "no id",                                   "not an id"),
    (convert.guid,                        7,                                         "not an id"),
    (ACCOUNT,                             {"mag_code": "2", "mag_name": "Old", "mag_status": "ARCHIVED"}, "Label Old is archived in Xero"),
    (ACCOUNT,                             {"mag_code": None, "mag_name": "Bank"},    "Label Bank has no code"),
    (ACCOUNT,                             {"mag_code": "12345678901"},               "11 characters; Xero takes 10"),
]
MOMENTS = [
    # a moment                            in                                         the day there
    ("2026-11-20T11:00:00Z",              AUCKLAND,                                  "2026-11-21"),
    ("2026-11-20T10:59:59Z",              AUCKLAND,                                  "2026-11-20"),
    ("2026-06-20T11:59:00Z",              AUCKLAND,                                  "2026-06-20"),
    ("2026-06-20T12:00:00Z",              AUCKLAND,                                  "2026-06-21"),
    ("2026-06-30T23:30:00Z",              LONDON,                                    "2026-07-01"),
    ("2026-12-31T23:30:00Z",              LONDON,                                    "2026-12-31"),
    ("2026-12-31T23:30:00Z",              {},                                        "2026-12-31"),
]
# fmt: on


@pytest.mark.parametrize(("converter", "value", "written"), WRITES)
def test_a_value_is_written(converter: Converter, value: Any, written: Any):
    found = converter.write(value, at())
    assert found == written
    assert type(found) is type(written)


@pytest.mark.parametrize(("converter", "value", "words"), REFUSES)
def test_a_value_is_refused_in_words(converter: Converter, value: Any, words: str):
    with pytest.raises(Refused) as refused:
        converter.write(value, at())
    assert words in refused.value.message
    assert refused.value.fix


@pytest.mark.parametrize(("moment", "settings", "day"), MOMENTS)
def test_a_moment_becomes_the_day_of_the_connectors_time_zone(moment: str, settings: Any, day: str):
    assert convert.local_date("mag_timezone").write(moment, at(settings)) == day


def test_a_plain_date_is_the_day_itself_whatever_the_time_zone():
    assert convert.local_date("mag_timezone").write("2026-11-20", at({"mag_timezone": "Pacific/Auckland"})) == "2026-11-20"


@pytest.mark.parametrize("moment", ["2026-11-20T11:00:00", "soon", "2026-13-01", 7])
def test_a_moment_without_a_time_zone_is_refused(moment: Any):
    with pytest.raises(Refused):
        convert.local_date("mag_timezone").write(moment, at(LONDON))


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../etc/passwd", "New Zealand Standard Time"])
def test_an_unknown_time_zone_is_the_administrators(zone: str):
    with pytest.raises(Refused) as refused:
        convert.local_date("mag_timezone").write("2026-11-20T11:00:00Z", at({"mag_timezone": zone}))
    assert refused.value.who == "administrator"


def test_a_cut_that_is_allowed_is_told():
    here = at()
    assert convert.text(3, cut=True).write("12 45", here) == "12"
    (warning,) = here.warnings
    assert "5 characters; Xero takes 3" in warning.message
    assert warning.where == "Label (source)"


def test_a_row_of_another_organisation_is_refused():
    row = {"mag_code": "200", "mag_name": "Sales", "_mag_xeroconnectorid_value": ID}
    assert ACCOUNT.write(row, at({"mag_xeroconnectorid": ID.upper()})) == "200"
    with pytest.raises(Refused, match="another Xero organisation"):
        ACCOUNT.write(row, at({"mag_xeroconnectorid": ID.replace("1", "2")}))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**10), max_value=10**10))
def test_what_is_written_is_exactly_what_a_json_number_carries(value: Decimal):
    written = convert.unit_amount.write(value, at())
    assert written == value
    assert Decimal(repr(float(written))) == value
    assert "E" not in str(written)
