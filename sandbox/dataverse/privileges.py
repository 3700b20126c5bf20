"""Whether a caller's roles let it do what it asks: the privilege of each row it reads, writes, links or gives away.

Sources: Microsoft Learn, "Security role and privilege reference" and "How access to a record is determined". A lookup needs Append on
the row that holds it and AppendTo on the row it names. Depths are not looked at: whoever has a privilege has it for every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .errors import PRIVILEGE_DENIED, Refused
from .store import Reference

if TYPE_CHECKING:
    from .environment import Caller

# fmt: off
SPELLED = {
    # table                   as its privileges spell it; some tables have none of their own and ride on another's
    "invoice":                "Invoice",
    "invoicedetail":          "Invoice",
    "account":                "Account",
    "contact":                "Contact",
    "product":                "Product",
    "pricelevel":             "Product",
    "productpricelevel":      "Product",
    "uom":                    "Product",
    "uomschedule":            "Product",
    "transactioncurrency":    "TransactionCurrency",
    "systemuser":             "User",
    "team":                   "Team",
    "businessunit":           "BusinessUnit",
    "organization":           "Organization",
    "usersettings":           "UserSettings",
    "role":                   "Role",
    "appmodule":              "AppModule",
}
# fmt: on
OVERRIDE_PRICES = "prvOverridePriceEngineInvoice"


def check(caller: Caller, right: str, table: str) -> None:
    """Refuse (403) a caller whose roles do not grant a right on the rows of a table; ours are spelled as they are called."""
    spelled = table if table.startswith("mag_") else SPELLED.get(table)
    if spelled:
        _check(caller, f"prv{right}{spelled}", table)


def check_written(caller: Caller, table: str, values: Mapping[str, Any], *, creating: bool) -> None:
    """Refuse (403) a write that the caller's roles do not grant: the row, its lookups, its owner, a price of its own."""
    if caller.privileges is None:
        return
    check(caller, "Create" if creating else "Write", table)
    for name, value in values.items():
        if name == "ownerid":
            if not (creating and isinstance(value, Reference) and value.id == caller.user):
                check(caller, "Assign", table)
        elif isinstance(value, Reference):
            check(caller, "Append", table)
            check(caller, "AppendTo", value.table)
    if table == "invoicedetail" and values.get("ispriceoverridden") and not values.get("isproductoverridden"):
        _check(caller, OVERRIDE_PRICES, table)


def check_linked(caller: Caller, one: Reference, other: Reference) -> None:
    """Refuse (403) a link between two rows that the caller's roles do not grant."""
    check(caller, "Append", one.table)
    check(caller, "AppendTo", other.table)


def _check(caller: Caller, privilege: str, table: str) -> None:
    if caller.privileges is not None and privilege.lower() not in caller.privileges:
        raise Refused(
            403,
            PRIVILEGE_DENIED,
            f"Principal user (Id={caller.user}, type=8) is missing {privilege} privilege for entity '{table}'.",
        )
