"""The choice values the code speaks of, by name. ``solution/choices.py`` is their source; a test keeps the two equal."""

from __future__ import annotations

from enum import IntEnum

_BASE = 411_140_000


class ExportStatus(IntEnum):
    """mag_exportstatus."""

    NO = _BASE
    YES = _BASE + 1
    FAILED = _BASE + 2
    WAITING = _BASE + 3
    READY_TO_UPDATE = _BASE + 4


class InvoiceType(IntEnum):
    """mag_invoicetype."""

    SALES_INVOICE = _BASE
    PURCHASE_INVOICE = _BASE + 1
    CREDIT_NOTE = _BASE + 2


class SyncAction(IntEnum):
    """mag_syncaction."""

    CREATE = _BASE
    UPDATE = _BASE + 1
    DELETE = _BASE + 2
    EMAIL = _BASE + 3
    WARNING = _BASE + 4
    CANCEL = _BASE + 5
    ALLOCATE = _BASE + 6
    CONNECT = _BASE + 7


class SyncStatus(IntEnum):
    """mag_syncstatus."""

    SUCCESSFUL = _BASE
    FAILED = _BASE + 1
    WAITING = _BASE + 2
    WARNING = _BASE + 3


class WhoActs(IntEnum):
    """mag_whoacts."""

    NOBODY = _BASE
    SALESPERSON = _BASE + 1
    BOOKKEEPER = _BASE + 2
    ADMINISTRATOR = _BASE + 3
    SUPPORT = _BASE + 4


class ContactPolicy(IntEnum):
    """mag_contactpolicy (K04)."""

    UPDATE = _BASE
    CREATE_ONCE = _BASE + 1
    MATCH_ONLY = _BASE + 2


class MissingItemPolicy(IntEnum):
    """mag_missingitempolicy (K05)."""

    CREATE = _BASE
    SEND_WITHOUT_CODE = _BASE + 1
    BLOCK = _BASE + 2


class ItemOwner(IntEnum):
    """mag_itemowner (K41)."""

    DYNAMICS = _BASE
    XERO = _BASE + 1


class RoundingPolicy(IntEnum):
    """mag_roundingpolicy."""

    WARN = _BASE
    HOLD = _BASE + 1
    ROUNDING_LINE = _BASE + 2


class TriggerMode(IntEnum):
    """mag_triggermode (K02)."""

    ADD_TO_XERO = _BASE
    CONNECTOR_SELECTED = _BASE + 1
    EITHER = _BASE + 2


class OperatingMode(IntEnum):
    """mag_operatingmode."""

    ACTIVE = _BASE
    OBSERVE = _BASE + 1


class XeroConnection(IntEnum):
    """mag_xeroconnection."""

    OK = _BASE
    DISCONNECTED = _BASE + 1


class ConnectMode(IntEnum):
    """mag_connectmode."""

    OAUTH_CODE = _BASE
    CUSTOM_CONNECTION = _BASE + 1


class LineAmountTypes(IntEnum):
    """mag_lineamounttypes."""

    EXCLUSIVE = _BASE
    INCLUSIVE = _BASE + 1
    NO_TAX = _BASE + 2


class XeroInvoiceStatus(IntEnum):
    """mag_defaultxerostatus (K09)."""

    DRAFT = _BASE
    SUBMITTED = _BASE + 1
    AUTHORISED = _BASE + 2


class NumberSource(IntEnum):
    """mag_numbersource (K19)."""

    CRM_NUMBER = _BASE
    XERO = _BASE + 1
    CRM_NAME = _BASE + 2


class ReferenceSource(IntEnum):
    """mag_referencesource (K21)."""

    REFERENCE_THEN_DESCRIPTION = _BASE
    REFERENCE = _BASE + 1
    DESCRIPTION = _BASE + 2


class TaxMode(IntEnum):
    """mag_taxmode (K10)."""

    CRM_AMOUNT_IF_PRESENT = _BASE
    XERO_CALCULATES = _BASE + 1


class BundleMode(IntEnum):
    """mag_bundlemode."""

    HEADER_AND_DESCRIPTIONS = _BASE
    HEADER_ONLY = _BASE + 1


class FullCheck(IntEnum):
    """mag_fullcheck."""

    NIGHTLY = _BASE
    WEEKLY = _BASE + 1
    OFF = _BASE + 2


class PaymentStatus(IntEnum):
    """mag_paymentstatus."""

    APPLIED = _BASE
    REVERSED = _BASE + 1
