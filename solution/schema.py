"""The one source of everything the connector puts into Dataverse: tables, columns, choices, keys and relationships."""

from solution.choices import CHOICES as CHOICES
from solution.table import ManyToMany, Table
from solution.tables.connector import XEROCONNECTOR, XEROFLOW, XEROPRICELIST, XEROROUTE
from solution.tables.customers import ACCOUNT, BILLING_CONTACTS, CONTACT
from solution.tables.documents import CREDITNOTE, INVOICE, INVOICEDETAIL, LINE_TRACKING, PAYMENT
from solution.tables.history import SYNCHISTORY
from solution.tables.reference_data import BRANDINGTHEME, TAXRATE, TRACKINGCATEGORY, TRACKINGOPTION, XEROACCOUNTCODE

TABLES: tuple[Table, ...] = (
    XEROCONNECTOR,
    XEROFLOW,
    XEROPRICELIST,
    XEROROUTE,
    XEROACCOUNTCODE,
    TAXRATE,
    BRANDINGTHEME,
    TRACKINGCATEGORY,
    TRACKINGOPTION,
    PAYMENT,
    CREDITNOTE,
    SYNCHISTORY,
    INVOICE,
    INVOICEDETAIL,
    ACCOUNT,
    CONTACT,
)

MANY_TO_MANY: tuple[ManyToMany, ...] = (LINE_TRACKING, BILLING_CONTACTS)
