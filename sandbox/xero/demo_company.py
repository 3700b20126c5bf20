"""Two organisations to try things on: Demo Company (NZ) and Demo Company (UK). Every id is derived, every date fixed."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from . import totals
from .store import Document, Store

NAMESPACE = UUID("6f2d1a0e-3c4b-5a69-8788-96a5b4c3d2e1")
OPENED = datetime(2026, 9, 1, tzinfo=UTC)
NEXT_NUMBER = 55
NEXT_CREDIT_NUMBER = 26
# What a payment may point at.
PAID = ("Invoice", "CreditNote", "Overpayment", "Prepayment")


def derived(*parts: str) -> str:
    """Return the id of something in the demo companies, always the same."""
    return str(uuid5(NAMESPACE, "/".join(parts)))


NZ = derived("Demo Company (NZ)")
UK = derived("Demo Company (UK)")

USERS: tuple[dict[str, str], ...] = (
    {
        "xero_userid": derived("user", "aroha"),
        "email": "aroha.adviser@example.com",
        "given_name": "Aroha",
        "family_name": "Adviser",
        "name": "Aroha Adviser",
        "preferred_username": "aroha.adviser@example.com",
    },
    {
        "xero_userid": derived("user", "sam"),
        "email": "sam.standard@example.com",
        "given_name": "Sam",
        "family_name": "Standard",
        "name": "Sam Standard",
        "preferred_username": "sam.standard@example.com",
    },
)

ORGANISATIONS: tuple[Document, ...] = (
    {
        "Name": "Demo Company (NZ)",
        "LegalName": "Demo Company (NZ) Limited",
        "PaysTax": True,
        "Version": "NZ",
        "OrganisationType": "COMPANY",
        "BaseCurrency": "NZD",
        "CountryCode": "NZ",
        "IsDemoCompany": True,
        "OrganisationStatus": "ACTIVE",
        "TaxNumber": "101-2-303",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 3,
        "SalesTaxBasis": "PAYMENTS",
        "SalesTaxPeriod": "TWOMONTHS",
        "DefaultSalesTax": "Remember previous",
        "DefaultPurchasesTax": "Remember previous",
        "PeriodLockDate": "2009-09-30",
        "CreatedDateUTC": "2026-09-01T00:00:00+00:00",
        "OrganisationEntityType": "COMPANY",
        "Timezone": "NEWZEALANDSTANDARDTIME",
        "ShortCode": "!Qj35V",
        "OrganisationID": NZ,
        "Edition": "BUSINESS",
        "Class": "DEMO",
        "Addresses": [
            {
                "AddressType": "POBOX",
                "AddressLine1": "23 Main Street",
                "AddressLine2": "Central City",
                "City": "Marineville",
                "Region": "",
                "PostalCode": "1234",
                "Country": "",
                "AttentionTo": "",
            }
        ],
        "Phones": [{"PhoneType": "OFFICE", "PhoneNumber": "4 555 0100", "PhoneCountryCode": "64"}],
        "ExternalLinks": [],
        "PaymentTerms": {},
    },
    {
        "Name": "Demo Company (UK)",
        "LegalName": "Demo Company (UK) Ltd",
        "PaysTax": True,
        "Version": "UK",
        "OrganisationType": "COMPANY",
        "BaseCurrency": "GBP",
        "CountryCode": "GB",
        "IsDemoCompany": True,
        "OrganisationStatus": "ACTIVE",
        # An explicit null: xero-python turns it into the text 'None'.
        "RegistrationNumber": None,
        "TaxNumber": "GB 123 4567 89",
        "FinancialYearEndDay": 31,
        "FinancialYearEndMonth": 3,
        "SalesTaxBasis": "ACCRUALS",
        "SalesTaxPeriod": "QUARTERLY",
        "DefaultSalesTax": "Tax Exclusive",
        "DefaultPurchasesTax": "Tax Exclusive",
        "PeriodLockDate": "2025-12-31",
        "EndOfYearLockDate": "2025-03-31",
        "CreatedDateUTC": "2026-09-01T00:00:00+00:00",
        "OrganisationEntityType": "COMPANY",
        "Timezone": "GMTSTANDARDTIME",
        "ShortCode": "!Uk7Pd",
        "OrganisationID": UK,
        "Edition": "BUSINESS",
        # A plan newer than xero-python: reading this organisation through its models fails, as it did for ULTRA in 2026.
        "Class": "ULTRA_PLUS",
        "Addresses": [
            {
                "AddressType": "POBOX",
                "AddressLine1": "14 Harbour Lane",
                "City": "Oaktown",
                "Region": "",
                "PostalCode": "OK12 3TN",
                "Country": "United Kingdom",
            }
        ],
        "Phones": [{"PhoneType": "OFFICE", "PhoneNumber": "800 555 0199", "PhoneCountryCode": "44"}],
        "ExternalLinks": [],
        "PaymentTerms": {},
    },
)

# fmt: off
CURRENCIES = {
    NZ: (("NZD", "New Zealand Dollar"), ("AUD", "Australian Dollar"), ("USD", "United States Dollar")),
    UK: (("GBP", "British Pound"), ("EUR", "Euro"), ("USD", "United States Dollar")),
}

ON_SALES = ("Revenue", "Assets", "Liabilities", "Equity")
ON_PURCHASES = ("Expenses", "Assets", "Liabilities", "Equity")
ON_ALL = ("Revenue", "Expenses", "Assets", "Liabilities", "Equity")

# TaxType, name, report tax type, rate, applies to, status
TAX_RATES: dict[str, tuple[tuple[str, str, str, str, tuple[str, ...], str], ...]] = {
    NZ: (
        ("OUTPUT2",         "15% GST on Income",        "OUTPUT2",         "15",   ON_SALES,     "ACTIVE"),
        ("INPUT2",          "15% GST on Expenses",      "INPUT2",          "15",   ON_PURCHASES, "ACTIVE"),
        ("ZERORATED",       "Zero Rated",               "ZERORATEDOUTPUT", "0",    ON_ALL,       "ACTIVE"),
        ("GSTONIMPORTS",    "GST on Imports",           "GSTONIMPORTS",    "0",    ON_PURCHASES, "ACTIVE"),
        ("NONE",            "No GST",                   "NONE",            "0",    ON_ALL,       "ACTIVE"),
        ("OUTPUT",          "12.5% GST on Income",      "OUTPUT",          "12.5", ON_SALES,     "ARCHIVED"),
    ),
    UK: (
        ("OUTPUT2",         "20% (VAT on Income)",      "OUTPUT2",         "20",   ON_SALES,     "ACTIVE"),
        ("INPUT2",          "20% (VAT on Expenses)",    "INPUT2",          "20",   ON_PURCHASES, "ACTIVE"),
        ("RROUTPUT",        "5% (VAT on Income)",       "OUTPUT",          "5",    ON_SALES,     "ACTIVE"),
        ("RRINPUT",         "5% (VAT on Expenses)",     "INPUT",           "5",    ON_PURCHASES, "ACTIVE"),
        ("ZERORATEDOUTPUT", "Zero Rated Income",        "ZERORATEDOUTPUT", "0",    ON_SALES,     "ACTIVE"),
        ("ZERORATEDINPUT",  "Zero Rated Expenses",      "ZERORATEDINPUT",  "0",    ON_PURCHASES, "ACTIVE"),
        ("EXEMPTOUTPUT",    "Exempt Income",            "EXEMPTOUTPUT",    "0",    ON_SALES,     "ACTIVE"),
        ("EXEMPTINPUT",     "Exempt Expenses",          "EXEMPTINPUT",     "0",    ON_PURCHASES, "ACTIVE"),
        ("NONE",            "No VAT",                   "NONE",            "0",    ON_ALL,       "ACTIVE"),
        ("TAX001",          "17.5% (VAT on Income)",    "OUTPUT",          "17.5", ON_SALES,     "DELETED"),
    ),
}

# code, name, type, class, tax on (income, expense, none), system account, status
ACCOUNTS: tuple[tuple[str, str, str, str, str, str, str], ...] = (
    ("090", "Business Bank Account",     "BANK",        "ASSET",     "none",    "",                 "ACTIVE"),
    ("091", "Business Savings Account",  "BANK",        "ASSET",     "none",    "",                 "ACTIVE"),
    ("200", "Sales",                     "REVENUE",     "REVENUE",   "income",  "",                 "ACTIVE"),
    ("210", "Consulting Income",         "REVENUE",     "REVENUE",   "income",  "",                 "ACTIVE"),
    ("219", "Discontinued Products",     "REVENUE",     "REVENUE",   "income",  "",                 "ARCHIVED"),
    ("220", "Freight Recovered",         "REVENUE",     "REVENUE",   "income",  "",                 "ACTIVE"),
    ("260", "Other Revenue",             "REVENUE",     "REVENUE",   "income",  "",                 "ACTIVE"),
    ("270", "Interest Income",           "OTHERINCOME", "REVENUE",   "none",    "",                 "ACTIVE"),
    ("300", "Purchases",                 "DIRECTCOSTS", "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("310", "Cost of Goods Sold",        "DIRECTCOSTS", "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("320", "Subcontractors",            "DIRECTCOSTS", "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("400", "Advertising",               "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("404", "Bank Fees",                 "EXPENSE",     "EXPENSE",   "none",    "",                 "ACTIVE"),
    ("408", "Cleaning",                  "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("412", "Consulting & Accounting",   "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("416", "Depreciation",              "DEPRECIATN",  "EXPENSE",   "none",    "",                 "ACTIVE"),
    ("420", "Entertainment",             "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("425", "Freight & Courier",         "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("429", "General Expenses",          "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("433", "Insurance",                 "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("445", "Light, Power, Heating",     "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("453", "Office Expenses",           "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("461", "Printing & Stationery",     "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("469", "Rent",                      "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("485", "Subscriptions",             "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("489", "Telephone & Internet",      "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("493", "Travel",                    "EXPENSE",     "EXPENSE",   "expense", "",                 "ACTIVE"),
    ("610", "Accounts Receivable",       "CURRENT",     "ASSET",     "none",    "DEBTORS",          "ACTIVE"),
    ("620", "Prepayments",               "CURRENT",     "ASSET",     "none",    "",                 "ACTIVE"),
    ("710", "Office Equipment",          "FIXED",       "ASSET",     "expense", "",                 "ACTIVE"),
    ("800", "Accounts Payable",          "CURRLIAB",    "LIABILITY", "none",    "CREDITORS",        "ACTIVE"),
    ("820", "Sales Tax",                 "CURRLIAB",    "LIABILITY", "none",    "GST",              "ACTIVE"),
    ("850", "Suspense",                  "CURRLIAB",    "LIABILITY", "none",    "",                 "ACTIVE"),
    ("860", "Rounding",                  "CURRLIAB",    "LIABILITY", "none",    "ROUNDING",         "ACTIVE"),
    ("881", "Owner Funds Introduced",    "EQUITY",      "EQUITY",    "none",    "",                 "ACTIVE"),
    ("960", "Retained Earnings",         "EQUITY",      "EQUITY",    "none",    "RETAINEDEARNINGS", "ACTIVE"),
)
TAX_ON = {"income": "OUTPUT2", "expense": "INPUT2", "none": "NONE"}
PAYABLE_INTO = {"881"}

BRANDING_THEMES = {NZ: ("Standard", "Special Projects", "Wholesale"), UK: ("Standard", "Export", "Services")}

# category → option → status
TRACKING: dict[str, dict[str, dict[str, str]]] = {
    NZ: {
        "Region":      {"North": "ACTIVE", "South": "ACTIVE", "East": "ACTIVE", "West": "ACTIVE", "Eastside": "ARCHIVED"},
        "Salesperson": {"Hana Ngata": "ACTIVE", "Oliver Grey": "ACTIVE", "Priya Shah": "ACTIVE"},
    },
    UK: {
        "Region":      {"North": "ACTIVE", "South": "ACTIVE", "East": "ACTIVE", "West": "ACTIVE", "Midlands": "ARCHIVED"},
        "Department":  {"Sales": "ACTIVE", "Services": "ACTIVE", "Support": "ACTIVE"},
    },
}

# code, name, description, sales price, sales account, purchase price
ITEMS: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("DEV-H",     "Development work, by the hour",  "Development work: developer onsite per hour",     "160.00",  "210", ""),
    ("SUPPORT-M", "Support, by the month",          "Desktop and network support by e-mail and phone", "541.25",  "210", ""),
    ("TRAIN-MS",  "Half day training",              "Half day training: Microsoft Office",             "500.00",  "210", ""),
    ("BOOK",      "Fish out of Water",              "Fish out of Water: finding your brand",           "19.95",   "200", "12.00"),
    ("GB1-WHITE", "Golf balls, white, single",      "Golf balls, white, single",                       "6.00",    "200", "4.20"),
    ("GB9-WHITE", "Golf balls, white, 9-pack",      "Golf balls, white, 9-pack",                       "49.90",   "200", "37.50"),
    ("TSL-BLACK", "T-shirt, large, black",          "T-shirt, large, black",                           "39.95",   "200", "22.40"),
    ("CABLE-M",   "Network cable, per metre",       "Network cable, cut to length",                    "1.2375",  "200", "0.4450"),
    ("LAPTOP-14", "Laptop 14 inch",                 "Laptop 14 inch, 16 GB, 512 GB",                   "1899.00", "200", "1440.00"),
    ("PRINT-50",  "Fine white paper, 50 sheets",    "Fine white paper A4, 50 sheets",                  "3.49",    "200", "1.99"),
    ("FREIGHT",   "Freight",                        "Freight and handling",                            "25.00",   "220", ""),
)

# name, first name, last name, city, and what is special about it
CONTACTS: dict[str, tuple[tuple[str, str, str, str, dict[str, str]], ...]] = {
    NZ: (
        ("Ridgeway University",        "Carla",   "Morton",   "Ridge Heights", {"AccountNumber": "RU-100"}),
        ("Hamilton Smith Ltd",         "Ann",     "Smith",    "Marineville",   {}),
        ("Eastside Club",              "Sidney",  "Marsh",    "Eastside",      {}),
        ("Bayside Wholesale",          "Bob",     "Partridge", "Ridge Heights", {"ContactNumber": "SHOP-10023"}),
        ("Kauri Timber Traders",       "Wiremu",  "Parata",   "Rotorua",       {"ContactNumber": "SHOP-10041"}),
        ("Tasman Fisheries",           "Lena",    "Hart",     "Nelson",        {}),
        ("Southern Alps Guides",       "Rowan",   "Blake",    "Queenstown",    {}),
        ("Pohutukawa Books",           "Mere",    "Tamihana", "Wellington",    {}),
        ("Harbour City Marine",        "Liam",    "O'Connor", "Wellington",    {}),
        ("Waikato Dairy Cooperative",  "Grace",   "Fenwick",  "Hamilton",      {"AccountNumber": "WDC-7"}),
        ("Canterbury Wool Exporters",  "Noah",    "Sutton",   "Christchurch",  {}),
        ("Kiwi Solar Ltd",             "Isla",    "Reid",     "Tauranga",      {}),
        ("Northland Nurseries",        "Ethan",   "Cole",     "Whangarei",     {}),
        ("Otago Print House",          "Zoe",     "McRae",    "Dunedin",       {}),
        ("Central Copiers",            "Ravi",    "Menon",    "Auckland",      {}),
        ("Gable Freight",              "Dan",     "Gable",    "Auckland",      {}),
        ("Marine Systems",             "Olive",   "Hurst",    "Marineville",   {}),
        ("MCO Office Cleaning",        "Petra",   "Novak",    "Auckland",      {}),
        ("PowerDirect Energy",         "Sione",   "Fa'asavalu", "Auckland",    {}),
        ("Net Connect Telecom",        "Amy",     "Zhang",    "Auckland",      {}),
        ("Swanston Security",          "Mark",    "Ellery",   "Wellington",    {}),
        ("Truxton Property",           "Jill",    "Truxton",  "Wellington",    {"DefaultCurrency": "NZD"}),
        ("Young Brothers Transport",   "Kane",    "Young",    "Palmerston North", {}),
        ("Boom Radio",                 "Tess",    "Hillary",  "Napier",        {}),
        ("City Agency",                "Marama",  "Rangi",    "Auckland",      {}),
        ("Sydney Harbour Trading",     "Jack",    "Wells",    "Sydney",        {"DefaultCurrency": "AUD"}),
        ("Pacific Imports Inc",        "Emma",    "Stone",    "San Diego",     {"DefaultCurrency": "USD"}),
        ("Old Mill Bakery",            "Ruth",    "Miller",   "Hastings",      {"ContactStatus": "ARCHIVED"}),
        ("Hamilton Smith Limited",     "Ann",     "Smith",    "Marineville",   {"ContactStatus": "ARCHIVED", "MergedTo": "Hamilton Smith Ltd"}),
        ("Forgotten Customer",         "",        "",         "",              {"ContactStatus": "GDPRREQUEST"}),
    ),
    UK: (
        ("Oaktown Council",            "Helen",   "Brookes",  "Oaktown",       {"AccountNumber": "OC-1"}),
        ("Bristol Bridgeworks Ltd",    "Tom",     "Archer",   "Bristol",       {}),
        ("Cotswold Ceramics",          "Daisy",   "Potter",   "Cirencester",   {}),
        ("Severn Valley Logistics",    "Omar",    "Hussain",  "Worcester",     {"ContactNumber": "SHOP-20007"}),
        ("Thames Analytics Ltd",       "Priya",   "Nair",     "London",        {}),
        ("Highland Spring Hotels",     "Fiona",   "MacLeod",  "Inverness",     {}),
        ("Dales Dairy",                "Jack",    "Metcalfe", "Skipton",       {}),
        ("Cambrian Slate Co",          "Rhys",    "Evans",    "Blaenau Ffestiniog", {}),
        ("Belfast Linen House",        "Niamh",   "Doyle",    "Belfast",       {}),
        ("Peak Outdoor Centre",        "Will",    "Harrison", "Buxton",        {"ContactNumber": "SHOP-20031"}),
        ("Norfolk Windmills",          "Beth",    "Larkin",   "Norwich",       {}),
        ("Solent Yachts",              "George",  "Tanner",   "Southampton",   {}),
        ("Mersey Music",               "Paul",    "Kirkby",   "Liverpool",     {}),
        ("Tyne Engineering",           "Alan",    "Robson",   "Newcastle",     {}),
        ("Pennine Print",              "Sara",    "Holt",     "Leeds",         {}),
        ("Clyde Shipping",             "Ewan",    "Baird",    "Glasgow",       {}),
        ("Orchard Foods",              "Molly",   "Pearce",   "Hereford",      {}),
        ("Capital Couriers",           "Dev",     "Patel",    "London",        {}),
        ("BrightSpark Energy",         "Lucy",    "Watts",    "Reading",       {}),
        ("LinkUp Broadband",           "Chris",   "Fenn",     "Oxford",        {}),
        ("Fortress Locks",             "Irene",   "Shaw",     "Sheffield",     {}),
        ("Brook Street Estates",       "Hugo",    "Lyle",     "London",        {}),
        ("Avon Stationers",            "Nell",    "Gower",    "Bath",          {}),
        ("Kent Hops Ltd",              "Max",     "Fuller",   "Canterbury",    {}),
        ("Riverside Theatre",          "Ada",     "Quinn",    "Cambridge",     {}),
        ("Lyon Textiles SARL",         "Claire",  "Dubois",   "Lyon",          {"DefaultCurrency": "EUR"}),
        ("Boston Instruments Inc",     "Ryan",    "Walsh",    "Boston",        {"DefaultCurrency": "USD"}),
        ("Old Forge Garage",           "Ted",     "Smithson", "York",          {"ContactStatus": "ARCHIVED"}),
        ("Thames Analytics Limited",   "Priya",   "Nair",     "London",        {"ContactStatus": "ARCHIVED", "MergedTo": "Thames Analytics Ltd"}),
        ("Erased Client",              "",        "",         "",              {"ContactStatus": "GDPRREQUEST"}),
    ),
}

# type, number, reference, contact, date, due, amounts are, status, line (item or account), quantity, unit price, settled by
INVOICES: dict[str, tuple[tuple[str, str, str, str, str, str, str, str, str, str, str, str], ...]] = {
    NZ: (
        ("ACCREC", "INV-0010", "RPT200-1",        "Ridgeway University", "2026-05-20", "2026-05-30", "Inclusive", "PAID",       "210",       "1",  "500.00", "payment"),
        ("ACCREC", "INV-0016", "Monthly Support", "Hamilton Smith Ltd",  "2026-06-28", "2026-07-08", "Inclusive", "PAID",       "SUPPORT-M", "1",  "541.25", "credit note"),
        ("ACCREC", "INV-0051", "P/O 9711",        "Bayside Wholesale",   "2026-08-12", "2026-08-26", "Exclusive", "AUTHORISED", "GB9-WHITE", "24", "49.90",  ""),
        ("ACCREC", "INV-0052", "Training",        "City Agency",         "2026-08-20", "2026-10-20", "Exclusive", "SUBMITTED",  "TRAIN-MS",  "2",  "500.00", ""),
        ("ACCREC", "INV-0053", "",                "Kiwi Solar Ltd",      "2026-08-25", "2026-09-25", "Exclusive", "DRAFT",      "DEV-H",     "6",  "160.00", ""),
        ("ACCREC", "INV-0054", "Cancelled order", "Boom Radio",          "2026-08-26", "2026-09-26", "Exclusive", "VOIDED",     "BOOK",      "10", "19.95",  ""),
        ("ACCPAY", "CC-88120", "",                "Central Copiers",     "2026-08-18", "2026-09-18", "Exclusive", "AUTHORISED", "461",       "1",  "163.56", ""),
        ("ACCPAY", "AP-0034",  "",                "PowerDirect Energy",  "2026-08-22", "2026-09-05", "Inclusive", "AUTHORISED", "445",       "1",  "129.95", ""),
    ),
    UK: (
        ("ACCREC", "INV-0041", "PO 4410",         "Oaktown Council",     "2026-08-03", "2026-09-02", "Exclusive", "AUTHORISED", "LAPTOP-14", "3",  "1899.00", ""),
        ("ACCREC", "INV-0042", "",                "Cotswold Ceramics",   "2026-08-17", "2026-09-16", "Exclusive", "DRAFT",      "210",       "1",  "750.00",  ""),
        ("ACCPAY", "BSE-2217", "",                "BrightSpark Energy",  "2026-08-09", "2026-08-30", "Exclusive", "AUTHORISED", "445",       "1",  "212.40",  ""),
    ),
}
# fmt: on


def key_of(kind: str, body: Mapping[str, Any]) -> str:
    """Return the natural key the store keeps for a document of this kind."""
    if kind == "payment":
        return next(str(value) for name in PAID for value in body.get(name, {}).values())
    names = {
        "contact": "Name",
        "invoice": "InvoiceNumber",
        "credit note": "CreditNoteNumber",
        "item": "Code",
        "account": "Code",
        "currency": "Code",
        "organisation": "Name",
    }
    return str(body.get(names.get(kind, ""), ""))


def fill(store: Store) -> None:
    """Open both demo companies in an empty store."""
    for organisation in ORGANISATIONS:
        tenant = organisation["OrganisationID"]
        store.put("", "organisation", tenant, organisation, organisation["Name"])
        moments = (OPENED + timedelta(seconds=n) for n in range(1_000_000))
        for kind, id_name, rows in (
            ("currency", "Code", [{"Code": code, "Description": name} for code, name in CURRENCIES[tenant]]),
            ("tax rate", "TaxType", [_tax_rate(*row) for row in TAX_RATES[tenant]]),
            ("account", "AccountID", [_account(tenant, *row) for row in ACCOUNTS]),
            ("branding theme", "BrandingThemeID", _branding_themes(tenant)),
            ("tracking category", "TrackingCategoryID", _tracking(tenant)),
            ("item", "ItemID", [_item(tenant, *row) for row in ITEMS]),
            ("contact", "ContactID", [_contact(tenant, *row) for row in CONTACTS[tenant]]),
            ("invoice", "InvoiceID", [_invoice(tenant, organisation["BaseCurrency"], *row) for row in INVOICES[tenant]]),
            ("payment", "PaymentID", _payments(tenant)),
            ("credit note", "CreditNoteID", _credit_notes(store, tenant)),
        ):
            _keep(store, tenant, kind, id_name, rows, moments)
        store.put(tenant, "numbering", "ACCREC", {"next": NEXT_NUMBER})
        store.put(tenant, "numbering", "ACCRECCREDIT", {"next": NEXT_CREDIT_NUMBER})


def _keep(store: Store, tenant: str, kind: str, id_name: str, rows: Iterable[Document], moments: Iterable[datetime]) -> None:
    for row, at in zip(rows, moments, strict=False):
        if kind in ("account", "item", "contact", "invoice", "payment", "credit note"):
            row["UpdatedDateUTC"] = at.isoformat()
        store.put(tenant, kind, row[id_name], row, key_of(kind, row))


def _tax_rate(tax_type: str, name: str, report: str, rate: str, applies: tuple[str, ...], status: str) -> Document:
    return {
        "Name": name,
        "TaxType": tax_type,
        "ReportTaxType": report,
        **{f"CanApplyTo{what}": what in applies for what in ("Assets", "Equity", "Expenses", "Liabilities", "Revenue")},
        "DisplayTaxRate": Decimal(rate),
        "EffectiveRate": Decimal(rate),
        "Status": status,
        "TaxComponents": [{"Name": "Tax", "Rate": Decimal(rate), "IsCompound": False, "IsNonRecoverable": False}],
    }


def _account(tenant: str, code: str, name: str, type: str, class_: str, tax: str, system: str, status: str) -> Document:
    account: Document = {
        "AccountID": derived(tenant, "account", code),
        "Code": code,
        "Name": name,
        "Status": status,
        "Type": type,
        "TaxType": TAX_ON[tax],
        "Class": class_,
        "EnablePaymentsToAccount": code in PAYABLE_INTO,
        "ShowInExpenseClaims": False,
        "ReportingCode": class_[:3],
        "HasAttachments": False,
        "AddToWatchlist": False,
    }
    if type == "BANK":
        currency = "NZD" if tenant == NZ else "GBP"
        account |= {"BankAccountNumber": f"01-0123-{code}4567-00", "BankAccountType": "BANK", "CurrencyCode": currency}
    return account | ({"SystemAccount": system} if system else {})


def _branding_themes(tenant: str) -> list[Document]:
    return [
        {
            "BrandingThemeID": derived(tenant, "branding theme", name),
            "Name": name,
            "LogoUrl": "https://in.xero.com/logo",
            "Type": "INVOICE",
            "SortOrder": order,
            "CreatedDateUTC": OPENED.isoformat(),
        }
        for order, name in enumerate(BRANDING_THEMES[tenant])
    ]


def _tracking(tenant: str) -> list[Document]:
    return [
        {
            "Name": category,
            "Status": "ACTIVE",
            "TrackingCategoryID": derived(tenant, "tracking category", category),
            "Options": [
                {
                    "TrackingOptionID": derived(tenant, "tracking option", category, name),
                    "Name": name,
                    "Status": status,
                    "HasValidationErrors": False,
                    "IsDeleted": False,
                    "IsArchived": status == "ARCHIVED",
                    "IsActive": status == "ACTIVE",
                }
                for name, status in options.items()
            ],
        }
        for category, options in TRACKING[tenant].items()
    ]


def _item(tenant: str, code: str, name: str, description: str, price: str, account: str, cost: str) -> Document:
    bought = {"UnitPrice": Decimal(cost), "AccountCode": "300", "TaxType": "INPUT2"} if cost else {}
    return {
        "ItemID": derived(tenant, "item", code),
        "Code": code,
        "Name": name,
        "Description": description,
        "PurchaseDescription": description if cost else "",
        "SalesDetails": {"UnitPrice": Decimal(price), "AccountCode": account, "TaxType": "OUTPUT2"},
        "PurchaseDetails": bought,
        "IsSold": True,
        "IsPurchased": bool(cost),
        "IsTrackedAsInventory": False,
    }


def _contact(tenant: str, name: str, first: str, last: str, city: str, special: dict[str, str]) -> Document:
    country = "New Zealand" if tenant == NZ else "United Kingdom"
    domain = "".join(letter for letter in name.lower() if letter.isalnum())
    address = {"AddressLine1": f"{len(name)} {last} Street", "City": city, "PostalCode": f"{len(name):04}", "Country": country}
    contact: Document = {"ContactID": derived(tenant, "contact", name), "ContactStatus": "ACTIVE", "Name": name}
    if first:
        contact |= {
            "FirstName": first,
            "LastName": last,
            "EmailAddress": f"{first.lower()}@{domain}.example",
            "Addresses": [{"AddressType": "POBOX", **address}, {"AddressType": "STREET", **address}],
            "Phones": [
                {
                    "PhoneType": "DEFAULT",
                    "PhoneNumber": f"555 01{len(name):02}",
                    "PhoneCountryCode": "64" if tenant == NZ else "44",
                }
            ],
            "ContactPersons": [],
        }
    contact |= {key: value for key, value in special.items() if key != "MergedTo"}
    if merged := special.get("MergedTo"):
        contact["MergedToContactID"] = derived(tenant, "contact", merged)
    documents = INVOICES[tenant]
    contact["IsCustomer"] = any(row[3] == name and row[0] == "ACCREC" for row in documents)
    contact["IsSupplier"] = any(row[3] == name and row[0] == "ACCPAY" for row in documents)
    return contact


def _invoice(
    tenant: str,
    currency: str,
    type: str,
    number: str,
    reference: str,
    contact: str,
    date: str,
    due: str,
    amounts_are: str,
    status: str,
    coded: str,
    quantity: str,
    price: str,
    settled_by: str,
) -> Document:
    item = next((row for row in ITEMS if row[0] == coded), None)
    code = item[4] if item else coded
    account = next(row for row in ACCOUNTS if row[0] == code)
    rate = Decimal(next(row[3] for row in TAX_RATES[tenant] if row[0] == TAX_ON[account[4]]))
    amount = totals.line_amount(Decimal(quantity), Decimal(price), None, None)
    line: Document = {
        "LineItemID": derived(tenant, "line", number),
        "Description": item[2] if item else account[1],
        "Quantity": Decimal(quantity),
        "UnitAmount": Decimal(price),
        "LineAmount": amount,
        "TaxType": TAX_ON[account[4]],
        "TaxAmount": totals.line_tax(amount, rate, amounts_are),
        "AccountCode": code,
        "AccountID": derived(tenant, "account", code),
        "Tracking": [],
    }
    if item:
        line |= {"ItemCode": coded, "Item": {"ItemID": derived(tenant, "item", coded), "Name": item[1], "Code": coded}}
        line["Tracking"] = [
            {"Name": "Region", "Option": "North", "TrackingCategoryID": derived(tenant, "tracking category", "Region")}
        ]
    sums = totals.totals([line], amounts_are)
    paid = sums.total if settled_by == "payment" else Decimal(0)
    credited = sums.total if settled_by == "credit note" else Decimal(0)
    invoice: Document = {
        "Type": type,
        "InvoiceID": derived(tenant, "invoice", number),
        "InvoiceNumber": number,
        "Contact": {"ContactID": derived(tenant, "contact", contact)},
        "Date": date,
        "DueDate": due,
        "LineAmountTypes": amounts_are,
        "Status": status,
        "LineItems": [line],
        "SubTotal": sums.sub_total,
        "TotalTax": sums.total_tax,
        "Total": sums.total,
        "AmountDue": sums.total - paid - credited,
        "AmountPaid": paid,
        "AmountCredited": credited,
        "CurrencyCode": currency,
        "CurrencyRate": Decimal(1),
        "SentToContact": status == "PAID",
        "CreditNotes": [],
    }
    if type == "ACCREC":
        invoice |= {"Reference": reference, "BrandingThemeID": derived(tenant, "branding theme", "Standard")}
    if settled_by:
        invoice["FullyPaidOnDate"] = due
    if settled_by == "payment":
        invoice["RepeatingInvoiceID"] = derived(tenant, "repeating invoice", number)
    if settled_by == "credit note":
        id = derived(tenant, "credit note", number)
        invoice["CreditNotes"] = [
            {
                "CreditNoteID": id,
                "CreditNoteNumber": "CN-0025",
                "ID": id,
                "HasErrors": False,
                "InvoiceAddresses": [],
                "AppliedAmount": credited,
                "Date": due,
                "LineItems": [],
                "Total": credited,
                "_allocation": derived(tenant, "allocation", number),
            }
        ]
    return invoice


def _credit_notes(store: Store, tenant: str) -> Iterator[Document]:
    """Yield the credit note behind every invoice settled by one: the same lines, dated the day it was applied."""
    copied = ("Contact", "LineAmountTypes", "SubTotal", "TotalTax", "Total", "CurrencyCode", "CurrencyRate")
    # Read when it is their turn: the invoices are stored by then.
    for invoice in store.all(tenant, "invoice"):
        for row in invoice["CreditNotes"]:
            yield {
                "CreditNoteID": row["CreditNoteID"],
                "CreditNoteNumber": row["CreditNoteNumber"],
                "Type": "ACCRECCREDIT",
                "Reference": invoice.get("Reference", ""),
                **{name: invoice[name] for name in copied},
                "LineItems": [
                    {**line, "LineItemID": derived(tenant, "line", row["CreditNoteNumber"], str(position))}
                    for position, line in enumerate(invoice["LineItems"])
                ],
                "BrandingThemeID": invoice["BrandingThemeID"],
                "Date": row["Date"],
                "Status": "PAID",
                "SentToContact": True,
                "RemainingCredit": Decimal(0),
                "FullyPaidOnDate": row["Date"],
                "Allocations": [
                    {
                        "AllocationID": row["_allocation"],
                        "Amount": row["AppliedAmount"],
                        "Date": row["Date"],
                        "Invoice": {"InvoiceID": invoice["InvoiceID"]},
                    }
                ],
            }


def _payments(tenant: str) -> list[Document]:
    return [
        {
            "PaymentID": derived(tenant, "payment", row[1]),
            "Date": row[5],
            "BankAmount": Decimal(row[10]),
            "Amount": Decimal(row[10]),
            "Reference": row[1],
            "CurrencyRate": Decimal(1),
            "PaymentType": "ACCRECPAYMENT",
            "Status": "AUTHORISED",
            "HasAccount": True,
            "IsReconciled": True,
            "Account": {"AccountID": derived(tenant, "account", "090")},
            "Invoice": {"InvoiceID": derived(tenant, "invoice", row[1])},
        }
        for row in INVOICES[tenant]
        if row[11] == "payment"
    ]
