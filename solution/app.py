"""The model-driven app Xero Connector: its site map as rows, what it holds and who may open it."""

from collections.abc import Iterator
from typing import TypeAlias
from xml.etree.ElementTree import Element

from solution.forms import FORMS
from solution.markup import add, each, localized
from solution.model import MODEL
from solution.publisher import DESCRIPTION, INTRODUCED, LANGUAGE, TITLE
from solution.roles import ROLES
from solution.views import VIEWS
from solution.web_resources import ICON

APP = "mag_xeroconnector_app"
SYSTEM_ADMINISTRATOR, SYSTEM_CUSTOMIZER = "{627090ff-40a3-4053-8790-584edc5be201}", "{119f245c-3cc8-4b62-b31c-d1a046ced15d}"

SubArea: TypeAlias = tuple[str, str, str]

# fmt: off
AREAS: tuple[tuple[str, tuple[tuple[str, tuple[SubArea, ...]], ...]], ...] = (
    ("Xero", (
        ("Documents", (
            # table                  title                   only for people who may
            ("invoice",              "Invoices",             ""),
            ("mag_payment",          "Payments",             ""),
            ("mag_creditnote",       "Credit Notes",         ""),
            ("mag_synchistory",      "Sync History",         ""),
        )),
        ("Customers", (
            ("account",              "Accounts",             ""),
            ("contact",              "Contacts",             ""),
        )),
    )),
    ("Set-up", (
        ("Connectors", (
            ("mag_xeroconnector",    "Xero Connectors",      "mag_xeroconnector Write"),
            ("mag_xeroflow",         "Flows",                "mag_xeroflow Write"),
            ("mag_xeroroute",        "Routes",               "mag_xeroroute Write"),
            ("mag_xeropricelist",    "Price Lists",          "mag_xeropricelist Write"),
        )),
        ("From Xero", (
            ("mag_xeroaccountcode",  "Account Codes",        ""),
            ("mag_taxrate",          "Tax Rates",            ""),
            ("mag_brandingtheme",    "Branding Themes",      ""),
            ("mag_trackingcategory", "Tracking Categories",  ""),
            ("mag_trackingoption",   "Tracking Options",     ""),
        )),
    )),
)
# fmt: on
CLIENTS, SKUS = "All,Outlook,OutlookLaptopClient,OutlookWorkstationClient,Web", "All,OnPremise,Live,SPLA"


def site_map_xml() -> Element:
    """Return the site map as a solution file holds it."""
    root = Element("AppModuleSiteMap")
    add(root, "SiteMapUniqueName", APP)
    site_map = add(root, "SiteMap", None, IntroducedVersion="7.0.0.0")
    for area_title, groups in AREAS:
        area = add(site_map, "Area", None, Id=_id(area_title), ShowGroups="true", IntroducedVersion="7.0.0.0")
        _title(area, area_title)
        for group_title, sub_areas in groups:
            group = add(area, "Group", None, Id=_id(area_title, group_title), IntroducedVersion="7.0.0.0", IsProfile="false")
            _title(group, group_title)
            for table, title, privilege in sub_areas:
                sub_area = add(group, "SubArea", None, Id=_id(table), Entity=table, Client=CLIENTS)
                sub_area.attrib |= {"AvailableOffline": "true", "PassParams": "false", "Sku": SKUS}
                _title(sub_area, title)
                if privilege:
                    of, may = privilege.split()
                    add(sub_area, "Privilege", None, Entity=of, Privilege=may)
    localized(root, "LocalizedNames", "LocalizedName", TITLE)
    return root


def app_xml() -> Element:
    """Return the app as a solution file holds it."""
    root = Element("AppModule")
    each(root, UniqueName=APP, IntroducedVersion=INTRODUCED, WebResourceId=ICON.id.strip("{}"), OptimizedFor="")
    each(root, statecode=0, statuscode=1, FormFactor=1, ClientType=4, NavigationType=0)
    components = add(root, "AppModuleComponents")
    add(components, "AppModuleComponent", None, type=62, schemaName=APP)
    for table in tables():
        add(components, "AppModuleComponent", None, type=1, schemaName=table)
    for id_, type_ in _shown():
        add(components, "AppModuleComponent", None, type=type_, id=id_)
    maps = add(root, "AppModuleRoleMaps")
    for id_ in (
        *sorted(role.id for role in ROLES if role.name != "Xero Connector Service"),
        SYSTEM_ADMINISTRATOR,
        SYSTEM_CUSTOMIZER,
    ):
        add(maps, "Role", None, id=id_)
    localized(root, "LocalizedNames", "LocalizedName", TITLE)
    localized(root, "Descriptions", "Description", DESCRIPTION)
    return root


def tables() -> tuple[str, ...]:
    """Return the tables of the app: those of the site map, and the invoice's lines."""
    shown = [table for _, groups in AREAS for _, sub_areas in groups for table, _, _ in sub_areas]
    return (*shown, "invoicedetail")


def _shown() -> Iterator[tuple[str, int]]:
    """Return the forms and views the app shows of Dynamics 365's own tables: ours. Of our tables it shows all."""
    yield from ((form.id, 60) for form in FORMS if not MODEL[form.table].custom and form.type == "main")
    yield from ((view.id, 26) for view in VIEWS if not MODEL[view.table].custom)


def _id(*names: str) -> str:
    return "mag_" + "_".join(name.lower().replace("-", "").replace(" ", "") for name in names)


def _title(parent: Element, text: str) -> None:
    add(add(parent, "Titles"), "Title", None, LCID=LANGUAGE, Title=text)
