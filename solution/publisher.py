"""What names the solution: its publisher, its version, and the rule that gives every form, view and role its id for ever."""

from uuid import UUID, uuid5

from solution.table import OPTION_BASE, PREFIX

UNIQUE_NAME = "mag_xeroconnector"
TITLE = "Xero Connector"
DESCRIPTION = "Keeps Dynamics 365 Sales and Xero in step: tables, columns, forms, views, app and roles of the connector."
VERSION = "0.1.0.0"
INTRODUCED = "0.1.0.0"

PUBLISHER = "xeroconnector"
PUBLISHER_TITLE = "Xero Connector"
OPTION_PREFIX = OPTION_BASE // 10_000
CUSTOMIZATION_PREFIX = PREFIX

LANGUAGE = "1033"

NAMESPACE = UUID("6f0b1c52-6a57-5d0c-9a44-1d3f2d3a7e10")


def guid(*names: str) -> str:
    """Return the id of a component: uuid5 of its kind and names, in braces and lower case as solution files write them.

    The golden list in the tests keeps watch: a component renamed in its row is another component to Dataverse.
    """
    return f"{{{uuid5(NAMESPACE, '/'.join(names))}}}"
