"""The demo environment: an organisation, its people, currencies, price lists, customers and catalogue. No invoices.

Every row's id is `ID[short name]`, the same in every run; the short names are those in the tables below.
"""

from __future__ import annotations

from decimal import Decimal

from sandbox.entra import Application, Directory, Person
from solution import build, publisher, roles

from . import customizing, package, security
from .environment import Environment, derived_id
from .store import Reference, Value

CLIENT_ID = derived_id("application", "xero-connector")
CLIENT_SECRET = "sandbox-secret-of-the-connector"
MANAGED_IDENTITY_ID = derived_id("application", "managed-identity")
IDENTITY_HEADER = "sandbox-identity-header"
SETUP_CLIENT_ID = derived_id("application", "set-up")
REDIRECTS = ("http://localhost:7071/connect/dynamics/callback", "https://localhost:7071/connect/dynamics/callback")
APP_NAME = "mag_xeroconnector_app"
SERVICE_ROLE = roles.ROLES[0].id.strip("{}")
MESSAGES = ("Create", "Update", "Delete", "Associate", "Disassociate")

# fmt: off
PEOPLE = (  # short name, first name, last name, mail, administrator
    ("admin",       "Aroha",   "Ngata",    "aroha.ngata@kowhai.example",     True),
    ("sales-north", "Tomasi",  "Faleolo",  "tomasi.faleolo@kowhai.example",  False),
    ("sales-south", "Greta",   "Lindqvist", "greta.lindqvist@kowhai.example", False),
    ("bookkeeper",  "Priya",   "Raman",    "priya.raman@kowhai.example",     False),
)
CURRENCIES = (  # code, name, symbol, units for one NZD
    ("NZD", "New Zealand Dollar", "$",  "1"),
    ("AUD", "Australian Dollar",  "A$", "0.915"),
    ("USD", "US Dollar",          "US$", "0.602"),
    ("GBP", "Pound Sterling",     "£",  "0.472"),
    ("EUR", "Euro",               "€",  "0.556"),
)
ACCOUNTS = (  # short name, name, number, currency, primary contact, mail, phone, line 1, city, region, postcode, country
    ("ridgeway",   "Ridgeway University",            "C-1001", "NZD", "gwen",    "accounts@ridgeway.example",    "+64 3 555 0101", "1 College Road",        "Dunedin",      "Otago",       "9016", "New Zealand"),
    ("basket",     "Basket Case",                    "C-1002", "NZD", "kumar",   "hello@basketcase.example",     "+64 9 555 0102", "88 Ponsonby Road",      "Auckland",     "Auckland",    "1011", "New Zealand"),
    ("limousines", "City Limousines",                "C-1003", "NZD", "martin",  "bookings@citylimo.example",    "+64 9 555 0103", "12 Beach Road",         "Auckland",     "Auckland",    "1010", "New Zealand"),
    ("boom",       "Boom FM",                        "C-1004", "NZD", "lucy",    "accounts@boomfm.example",      "+64 4 555 0104", "Level 3, 45 Cuba Street", "Wellington", "Wellington",  "6011", "New Zealand"),
    ("bayside",    "Bayside Club",                   "C-1005", "NZD", "bob",     "secretary@bayside.example",    "+64 9 555 0105", "148 Bay Harbour Road",  "Auckland",     "Auckland",    "1050", "New Zealand"),
    ("marine",     "Marine Systems",                 "C-1006", "NZD", None,      "ap@marinesystems.example",     "+64 7 555 0106", "3 Wharf Street",        "Tauranga",     "Bay of Plenty", "3110", "New Zealand"),
    ("hamilton",   "Hamilton Smith Ltd",             "C-1007", "NZD", "hana",    "info@hamiltonsmith.example",   "+64 7 555 0107", "PO Box 771",            "Hamilton",     "Waikato",     "3240", "New Zealand"),
    ("rex",        "Rex Media Group",                "C-1008", "AUD", "rosa",    "info@rexmedia.example",        "+61 2 5550 0108", "700 Harris Street",    "Ultimo",       "NSW",         "2007", "Australia"),
    ("young",      "Young Bros Transport",           "C-1009", "AUD", None,      "rog@ybt.example",              "+61 3 5550 0109", "9 Depot Lane",         "Geelong",      "VIC",         "3220", "Australia"),
    ("port",       "Port & Philip Freight",          "C-1010", "AUD", None,      "intray@ppfreight.example",     "+61 3 5550 0110", "Dock 7, Lorimer Street", "Port Melbourne", "VIC",     "3207", "Australia"),
    ("petrie",     "Petrie McLoud Watson & Associates", "C-1011", "GBP", "piers", "petrie@pmwa.example",         "+44 20 5550 0111", "1 Chancery Lane",     "London",       "Greater London", "WC2A 1LF", "United Kingdom"),
    ("truxton",    "Truxton Property Management",    "S-2001", "NZD", None,      "rent@truxton.example",         "+64 9 555 0112", "66 Queen Street",       "Auckland",     "Auckland",    "1010", "New Zealand"),
    ("powerdirect", "PowerDirect",                   "S-2002", "NZD", None,      "billing@powerdirect.example",  "0800 555 0113",  "PO Box 8900",           "Wellington",   "Wellington",  "6140", "New Zealand"),
    ("swanston",   "Swanston Security",              "S-2003", "AUD", None,      "accounts@swanston.example",    "+61 3 5550 0114", "240 Swanston Street",  "Melbourne",    "VIC",         "3000", "Australia"),
    ("huia",       "Huia Gardens Ltd",               "C-1015", "NZD", "wiremu",  "office@huiagardens.example",   "+64 6 555 0115", "21 Orchard Way",        "Napier",       "Hawke's Bay", "4110", "New Zealand"),
    ("kereru",     "Kererū & Daughters",             "C-1016", "NZD", None,      "admin@kereru.example",         "+64 3 555 0116", "7 Rimu Place",          "Nelson",       "Tasman",      "7010", "New Zealand"),
    ("obrien",     "O'Brien & Søn",                  "C-1017", "EUR", "sinead",  "accounts@obrien.example",      "+353 1 555 0117", "14 Dame Street",       "Dublin",       "Leinster",    "D02 F627", "Ireland"),
    ("lakeside",   "Lakeside Robotics Inc.",         "C-1018", "USD", "dale",    "ap@lakeside.example",          "+1 206 555 0118", "500 Pine Street",      "Seattle",      "WA",          "98101", "United States"),
)
CONTACTS = (  # short name, first name, last name, account, mail, phone
    ("gwen",    "Gwen",    "Whitfield", "ridgeway",   "gwen.whitfield@ridgeway.example", "+64 3 555 0201"),
    ("rangi",   "Rangi",   "Parata",    "ridgeway",   "rangi.parata@ridgeway.example",   "+64 3 555 0202"),
    ("olive",   "Olive",   "Tran",      "ridgeway",   "olive.tran@ridgeway.example",     "+64 3 555 0203"),
    ("stefan",  "Stefan",  "Horvat",    "ridgeway",   "stefan.horvat@ridgeway.example",  "+64 3 555 0204"),
    ("kumar",   "Kumar",   "Patel",     "basket",     "kumar@basketcase.example",        "+64 9 555 0205"),
    ("martin",  "Martin",  "Dale",      "limousines", "martin@citylimo.example",         "+64 9 555 0206"),
    ("lucy",    "Lucy",    "Okafor",    "boom",       "lucy@boomfm.example",             "+64 4 555 0207"),
    ("bob",     "Bob",     "Partridge", "bayside",    "bob@bayside.example",             "+64 9 555 0208"),
    ("hana",    "Hana",    "Smith",     "hamilton",   "hana@hamiltonsmith.example",      "+64 7 555 0209"),
    ("rosa",    "Rosa",    "Marino",    "rex",        "rosa@rexmedia.example",           "+61 2 5550 0210"),
    ("piers",   "Piers",   "Watson",    "petrie",     "piers@pmwa.example",              "+44 20 5550 0211"),
    ("wiremu",  "Wiremu",  "Tapsell",   "huia",       "wiremu@huiagardens.example",      "+64 6 555 0212"),
    ("sinead",  "Sinéad",  "O'Brien",   "obrien",     "sinead@obrien.example",           "+353 1 555 0213"),
    ("dale",    "Dale",    "Kim",       "lakeside",   "dale@lakeside.example",           "+1 206 555 0214"),
    ("private", "Mele",    "Vainikolo", None,         "mele.vainikolo@mail.example",     "+64 21 555 0215"),
    ("twin-1",  "Jo",      "Brown",     None,         "jo.brown@mail.example",           "+64 21 555 0216"),
    ("twin-2",  "Jo",      "Brown",     "kereru",     "jo@kereru.example",               "+64 21 555 0217"),
)
BILLING_CONTACTS = {  # account → contacts an invoice is sent to, beside the primary one
    "ridgeway": ("gwen", "rangi", "olive", "stefan"), "boom": ("lucy",), "rex": ("rosa",), "bayside": ("bob",),
}
UNIT_GROUPS = {  # group → units: short name → (name, how many of the base unit)
    "goods": {"each": ("Each", 1), "dozen": ("Dozen", 12)}, "time": {"hour": ("Hour", 1), "day": ("Day", 8)},
    "default unit": {"primary unit": ("Primary Unit", 1)},  # every environment is made with it
}
PRODUCTS = (  # short name, number, name, group, default unit, structure (1 product, 3 bundle), parent bundle, price NZD
    ("consulting",  "CON-01",  "Consulting",                    "time",  "hour", 1, None,       "185.00"),
    ("training",    "TRN-01",  "Training Day",                  "time",  "day",  1, None,       "1450.00"),
    ("support",     "SUP-12",  "Support Plan, 12 months",       "goods", "each", 1, None,       "2400.00"),
    ("tablet",      "HW-TAB",  "Tablet 11\"",                   "goods", "each", 1, None,       "749.95"),
    ("dock",        "HW-DOCK", "Docking Station",               "goods", "each", 1, None,       "319.50"),
    ("cable",       "HW-CAB",  "USB-C Cable, 2 m",              "goods", "each", 1, None,       "24.90"),
    ("labels",      "LBL-500", "Label Roll, 500",               "goods", "each", 1, None,       "12.345"),
    ("pens",        "PEN-12",  "Pens, box of 12",               "goods", "dozen", 1, None,      "18.00"),
    ("book",        "BOOK",    "Fish out of Water: Finding Your Brand", "goods", "each", 1, None, "19.95"),
    ("freightbox",  "BOX-L",   "Freight Box, large",            "goods", "each", 1, None,       "9.50"),
    ("licence",     "LIC-ENT", "Enterprise Licence",            "goods", "each", 1, None,       "12500.00"),
    ("starter-kit", "KIT-01",  "Starter Kit",                   "goods", "each", 3, None,       "1049.00"),
    ("kit-tablet",  "KIT-01A", "Starter Kit: Tablet",           "goods", "each", 1, "starter-kit", "0.00"),
    ("kit-setup",   "KIT-01B", "Starter Kit: Set-up",           "goods", "each", 1, "starter-kit", "0.00"),
)
# fmt: on

ID: dict[str, str] = {
    **{code: derived_id("currency", code) for code, *_ in CURRENCIES},
    **{f"{code} prices": derived_id("pricelevel", code) for code, *_ in CURRENCIES},
    **{f"user {name}": derived_id("user", name) for name, *_ in PEOPLE},
    **{name: derived_id("account", name) for name, *_ in ACCOUNTS},
    **{name: derived_id("contact", name) for name, *_ in CONTACTS},
    **{name: derived_id("product", name) for name, *_ in PRODUCTS},
    **{unit: derived_id("uom", unit) for units in UNIT_GROUPS.values() for unit in units},
    **{f"{group} units": derived_id("uomschedule", group) for group in UNIT_GROUPS},
    "head office": derived_id("businessunit", "head office"),
    "south": derived_id("businessunit", "south"),
    "team south": derived_id("team", "south"),
    "connector user": derived_id("user", "connector"),
    "managed identity user": derived_id("user", "managed identity"),
    "app": derived_id("appmodule", APP_NAME),
}


def seed(environment: Environment) -> None:
    """Write the demo company's rows, the connector installed; running it again changes nothing."""
    with environment.store.transaction():
        seed_platform(environment)
        if not environment.store.find("solution", "uniquename", publisher.UNIQUE_NAME):
            package.Importer(environment, package.opened(build.package(managed=False))).run()
            customizing.settle_indexes(environment)
        _seed_application_users(environment)
        _seed_company(environment)


def seed_bare(environment: Environment) -> None:
    """Write the demo company's rows in an environment where nobody has installed the connector."""
    with environment.store.transaction():
        seed_platform(environment)
        _seed_company(environment)


def _seed_company(environment: Environment) -> None:
    with environment.store.transaction():
        _seed_people(environment)
        _seed_customers(environment)
        _seed_catalogue(environment)


def seed_platform(environment: Environment) -> None:
    """Write what every environment has: organisation, root business unit, currencies, messages, administrator, apps' users."""
    for message in MESSAGES:
        environment.seed("sdkmessage", sdkmessageid=derived_id("sdkmessage", message), name=message)
        for table in environment.model:
            environment.seed(
                "sdkmessagefilter",
                sdkmessagefilterid=derived_id("sdkmessagefilter", message, table),
                sdkmessageid=Reference("sdkmessage", derived_id("sdkmessage", message)),
                primaryobjecttypecode=table,
            )
    for code, name, symbol, rate in CURRENCIES:
        environment.seed(
            "transactioncurrency",
            transactioncurrencyid=ID[code],
            isocurrencycode=code,
            currencyname=name,
            currencysymbol=symbol,
            currencyprecision=2,
            exchangerate=Decimal(rate).quantize(Decimal(1).scaleb(-12)),
        )
    environment.seed(
        "organization",
        organizationid=environment.organization_id,
        name="Kōwhai Trading",
        basecurrencyid=Reference("transactioncurrency", ID["NZD"]),
        invoiceprefix="INV",
        currencydecimalprecision=2,
        pricingdecimalprecision=2,
        discountcalculationmethod=0,
        expirechangetrackingindays=7,
        ispricelistmandatory=False,
        iswriteinproductsallowed=True,
        oobpricecalculationenabled=True,
        issopintegrationenabled=False,
        languagecode=1033,
    )
    environment.seed("businessunit", businessunitid=ID["head office"], name="Kōwhai Trading")
    environment.seed(
        "role", roleid=derived_id("role", "administrator"), name="System Administrator", businessunitid=_unit("head office")
    )
    environment.seed("role", roleid=derived_id("role", "salesperson"), name="Salesperson", businessunitid=_unit("head office"))
    security.seed(environment)
    _user(environment, environment.system.user, "", "SYSTEM", administrator=True)


def _seed_application_users(environment: Environment) -> None:
    _user(environment, ID["connector user"], "#", "Xero Connector", applicationid=CLIENT_ID)
    _user(environment, ID["managed identity user"], "#", "Xero Connector (managed identity)", applicationid=MANAGED_IDENTITY_ID)


def register(directory: Directory) -> None:
    """Register the connector's application, its managed identity, the set-up application and the people."""
    directory.register(Application(CLIENT_ID, "Xero Connector", secrets={CLIENT_SECRET}, redirects=REDIRECTS))
    directory.register(Application(MANAGED_IDENTITY_ID, "Xero Connector (managed identity)", identity_header=IDENTITY_HEADER))
    directory.register(Application(SETUP_CLIENT_ID, "Xero Connector set-up", redirects=REDIRECTS))
    for name, first, last, mail, _ in PEOPLE:
        directory.add_person(Person(derived_id("entra", name), f"{first} {last}", mail))


def _seed_people(environment: Environment) -> None:
    environment.seed("businessunit", businessunitid=ID["south"], name="South", parentbusinessunitid=_unit("head office"))
    environment.seed("team", teamid=ID["team south"], name="South", businessunitid=_unit("south"))
    for name, first, last, mail, administrator in PEOPLE:
        _user(
            environment,
            ID[f"user {name}"],
            first,
            last,
            administrator=administrator,
            unit="south" if name == "sales-south" else "head office",
            internalemailaddress=mail,
            domainname=mail,
            azureactivedirectoryobjectid=derived_id("entra", name),
        )


def _user(
    environment: Environment,
    user_id: str,
    first: str,
    last: str,
    *,
    administrator: bool = False,
    unit: str = "head office",
    **more: Value,
) -> None:
    environment.seed(
        "systemuser", systemuserid=user_id, firstname=first or None, lastname=last, businessunitid=_unit(unit), **more
    )
    role = (
        derived_id("role", "administrator")
        if administrator
        else SERVICE_ROLE
        if first == "#"
        else derived_id("role", "salesperson")
    )
    environment.store.link("systemuserroles", Reference("systemuser", user_id), Reference("role", role))


def _unit(name: str) -> Reference:
    return Reference("businessunit", ID[name])


def _seed_customers(environment: Environment) -> None:
    owner = Reference("systemuser", ID["user sales-north"])
    for short, name, number, currency, primary, mail, phone, line1, city, region, postcode, country in ACCOUNTS:
        box = line1.startswith("PO Box")
        environment.seed(
            "account",
            accountid=ID[short],
            name=name,
            accountnumber=number,
            emailaddress1=mail,
            telephone1=phone,
            websiteurl=f"https://www.{mail.partition('@')[2]}",
            address1_line1=None if box else line1,
            address1_postofficebox=line1 if box else None,
            address1_city=city,
            address1_stateorprovince=region,
            address1_postalcode=postcode,
            address1_country=country,
            paymenttermscode=1,
            transactioncurrencyid=Reference("transactioncurrency", ID[currency]),
            defaultpricelevelid=Reference("pricelevel", ID[f"{currency} prices"]),
            primarycontactid=Reference("contact", ID[primary]) if primary else None,
            ownerid=owner,
        )
    for short, first, last, account, mail, phone in CONTACTS:
        environment.seed(
            "contact",
            contactid=ID[short],
            firstname=first,
            lastname=last,
            emailaddress1=mail,
            telephone1=phone,
            address1_line1=None if account else "4 Kauri Street",
            address1_city=None if account else "Whangārei",
            address1_country=None if account else "New Zealand",
            parentcustomerid=Reference("account", ID[account]) if account else None,
            transactioncurrencyid=Reference("transactioncurrency", ID["NZD"]),
            ownerid=owner,
        )
    for account, contacts in (
        BILLING_CONTACTS.items() if "mag_primarybillingcontactid" in environment.model["account"].columns else ()
    ):
        environment.seed("account", accountid=ID[account], mag_primarybillingcontactid=Reference("contact", ID[contacts[0]]))
        for contact in contacts:
            environment.store.link(
                "mag_account_contact_billingcontacts", Reference("account", ID[account]), Reference("contact", ID[contact])
            )


def _seed_catalogue(environment: Environment) -> None:
    for group, units in UNIT_GROUPS.items():
        base = next(iter(units))
        environment.seed("uomschedule", uomscheduleid=ID[f"{group} units"], name=group.title(), baseuomname=units[base][0])
        for unit, (name, quantity) in units.items():
            environment.seed(
                "uom",
                uomid=ID[unit],
                name=name,
                quantity=Decimal(quantity),
                uomscheduleid=Reference("uomschedule", ID[f"{group} units"]),
                baseuom=None if unit == base else Reference("uom", ID[base]),
                isschedulebaseuom=unit == base,
            )
    for code, name, *_ in CURRENCIES:
        environment.seed(
            "pricelevel",
            pricelevelid=ID[f"{code} prices"],
            name=f"{name} prices",
            transactioncurrencyid=Reference("transactioncurrency", ID[code]),
        )
    for short, number, name, group, unit, structure, parent, price in PRODUCTS:
        environment.seed(
            "product",
            productid=ID[short],
            productnumber=number,
            name=name,
            productstructure=structure,
            producttypecode=3 if group == "time" else 1,
            defaultuomid=Reference("uom", ID[unit]),
            defaultuomscheduleid=Reference("uomschedule", ID[f"{group} units"]),
            quantitydecimal=2,
            price=Decimal(price),
            parentproductid=Reference("product", ID[parent]) if parent else None,
            transactioncurrencyid=Reference("transactioncurrency", ID["NZD"]),
        )
        for code, _, _, rate in CURRENCIES:
            environment.seed(
                "productpricelevel",
                productpricelevelid=derived_id("price", short, code),
                productid=Reference("product", ID[short]),
                pricelevelid=Reference("pricelevel", ID[f"{code} prices"]),
                uomid=Reference("uom", ID[unit]),
                amount=(Decimal(price) * Decimal(rate)).quantize(Decimal("0.01")) if code != "NZD" else Decimal(price),
                pricingmethodcode=1,
            )
