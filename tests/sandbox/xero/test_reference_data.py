"""Organisation, Accounts, TaxRates, BrandingThemes, TrackingCategories, Currencies: developer.xero.com accounting/*."""

import pytest

from sandbox.xero.demo_company import NZ, UK
from tests.sandbox.xero.callers import messages


def test_the_organisation_tells_its_books_apart(nz, uk):
    """Recorded in September 2026: GET Organisation"""
    [zealand], [kingdom] = (caller.get("Organisation").get_json()["Organisations"] for caller in (nz, uk))
    assert (zealand["OrganisationID"], zealand["BaseCurrency"], zealand["ShortCode"]) == (NZ, "NZD", "!Qj35V")
    assert (zealand["Timezone"], zealand["PeriodLockDate"]) == ("NEWZEALANDSTANDARDTIME", "/Date(1254268800000+0000)/")
    assert (kingdom["OrganisationID"], kingdom["Version"], kingdom["BaseCurrency"]) == (UK, "UK", "GBP")
    assert "EndOfYearLockDate" in kingdom


def test_the_chart_of_accounts_has_what_a_mapping_must_avoid(nz):
    """accounting/accounts: Status, Type, Class, SystemAccount"""
    rows = nz.get("Accounts").get_json()["Accounts"]
    system = {row["SystemAccount"] for row in rows if row.get("SystemAccount")}
    assert {"DEBTORS", "CREDITORS", "ROUNDING", "GST"} <= system
    assert {"REVENUE", "EXPENSE", "DIRECTCOSTS", "BANK", "CURRLIAB"} <= {row["Type"] for row in rows}
    assert [row["Code"] for row in rows if row["Status"] == "ARCHIVED"] == ["219"]
    assert nz.get(f"Accounts/{rows[0]['AccountID']}").get_json()["Accounts"] == [rows[0]]


def test_accounts_can_be_filtered_ordered_and_read_since(nz, sandbox):
    """accounting/accounts: where, order, If-Modified-Since"""
    where = 'Class=="REVENUE" AND Status=="ACTIVE"'
    codes = [row["Code"] for row in nz.get("Accounts", where=where, order="Code DESC").get_json()["Accounts"]]
    assert codes == ["270", "260", "220", "210", "200"]
    sales = next(row for row in sandbox.documents(NZ, "account") if row["Code"] == "200")
    sandbox.change(NZ, "account", sales["AccountID"], Name="Renamed")
    since = nz.get("Accounts", headers={"If-Modified-Since": "2026-11-21T00:00:00"}).get_json()["Accounts"]
    assert [row["Name"] for row in since] == ["Renamed"]


def test_tax_rates_say_where_they_apply(nz, uk):
    """accounting/taxrates: EffectiveRate, CanApplyTo…; no If-Modified-Since"""
    rates = {
        row["TaxType"]: row
        for row in uk.get("TaxRates", headers={"If-Modified-Since": "2030-01-01T00:00:00"}).get_json()["TaxRates"]
    }
    assert {"OUTPUT2", "INPUT2", "RROUTPUT", "ZERORATEDOUTPUT", "EXEMPTOUTPUT", "NONE"} <= set(rates)
    assert (rates["OUTPUT2"]["EffectiveRate"], rates["RROUTPUT"]["EffectiveRate"]) == (20.0, 5.0)
    assert (rates["OUTPUT2"]["CanApplyToRevenue"], rates["OUTPUT2"]["CanApplyToExpenses"]) == (True, False)
    assert nz.get("TaxRates/OUTPUT2").get_json()["TaxRates"][0]["EffectiveRate"] == 15.0
    assert nz.get("TaxRates", where='Status=="ACTIVE"').get_json()["TaxRates"][-1]["TaxType"] == "NONE"


def test_branding_themes_come_with_the_default_first(nz):
    """accounting/brandingthemes: SortOrder"""
    rows = nz.get("BrandingThemes").get_json()["BrandingThemes"]
    assert [(row["SortOrder"], row["Name"]) for row in rows] == [(0, "Standard"), (1, "Special Projects"), (2, "Wholesale")]
    assert nz.get(f"BrandingThemes/{rows[1]['BrandingThemeID']}").get_json()["BrandingThemes"] == [rows[1]]


def test_archived_tracking_is_shown_on_request_only(nz, sandbox):
    """accounting/trackingcategories: includeArchived"""
    [region, salesperson] = nz.get("TrackingCategories").get_json()["TrackingCategories"]
    assert [row["Name"] for row in region["Options"]] == ["North", "South", "East", "West"]
    [region, _] = nz.get("TrackingCategories", includeArchived="True").get_json()["TrackingCategories"]
    assert region["Options"][-1]["Status"] == "ARCHIVED"
    sandbox.change(NZ, "tracking category", salesperson["TrackingCategoryID"], Status="ARCHIVED")
    assert len(nz.get("TrackingCategories").get_json()["TrackingCategories"]) == 1
    single = nz.get(f"TrackingCategories/{salesperson['TrackingCategoryID']}").get_json()["TrackingCategories"]
    assert single[0]["Status"] == "ARCHIVED"


def test_currencies_are_the_subscribed_ones(nz, uk):
    """accounting/currencies"""
    assert [row["Code"] for row in nz.get("Currencies").get_json()["Currencies"]] == ["NZD", "AUD", "USD"]
    assert [row["Code"] for row in uk.get("Currencies").get_json()["Currencies"]] == ["GBP", "EUR", "USD"]
    assert nz.put("Currencies", {"Code": "EUR"}).get_json()["Currencies"][0]["Code"] == "EUR"
    assert len(nz.get("Currencies").get_json()["Currencies"]) == 4


@pytest.mark.parametrize("code", ["NZD", "XXX"])
def test_a_currency_known_or_unheard_of_is_refused(nz, code):
    """accounting/currencies"""
    assert messages(nz.put("Currencies", {"Code": code}))


def test_every_id_of_the_demo_companies_is_the_same_each_time(sandbox):
    first = [sandbox.documents(tenant, kind) for tenant in (NZ, UK) for kind in ("account", "contact", "invoice", "item")]
    sandbox.reset()
    assert first == [sandbox.documents(tenant, kind) for tenant in (NZ, UK) for kind in ("account", "contact", "invoice", "item")]
