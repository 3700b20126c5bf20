"""Roles and their privileges: add, replace, list, and ask whether a user has one by name.

Source: Microsoft Learn, Web API reference: AddPrivilegesRole, ReplacePrivilegesRole, RetrieveRolePrivilegesRole,
RetrieveUserPrivilegeByPrivilegeName. The stand-in keeps and tells them; where the sandbox enforces roles, an application user is held
to its own (privileges.py), people are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solution.model import TableModel

from . import customizing, rows
from .environment import Environment, derived_id
from .errors import BAD_ARGUMENT, NOT_FOUND, Refused
from .request import Answer, Request
from .store import Row

ADMINISTRATOR = derived_id("role", "administrator")
DEPTHS = ("Basic", "Local", "Deep", "Global")
RIGHTS = ("Create", "Read", "Write", "Delete", "Append", "AppendTo", "Assign", "Share")
# fmt: off
TABLES = (  # what a table's privileges are called, for those that have their own
    "Invoice", "Account", "Contact", "Product", "TransactionCurrency", "User", "Team", "BusinessUnit", "Organization", "Role",
    "AppModule", "ServiceEndpoint", "SdkMessageProcessingStep", "Solution", "Publisher", "SystemForm", "Query", "WebResource",
)
NAMED = (
    "prvReadUserSettings", "prvWriteUserSettings", "prvReadEntity", "prvReadAttribute", "prvReadOptionSet",
    "prvReadRelationship", "prvReadEntityKey", "prvReadSdkMessage", "prvReadPluginAssembly", "prvReadPluginType",
    "prvReadWorkflow", "prvReadAsyncOperation", "prvOverridePriceEngineInvoice", "prvCreateEntity", "prvImportCustomization",
    "prvPublishCustomization", "prvReadSiteMap", "prvReadCustomization", "prvActOnBehalfOfAnotherUser", "prvReadPrivilege",
    "prvReadSystemJob", "prvReadUserQuery", "prvReadUserEntityUISettings", "prvWriteUserEntityUISettings",
    "prvReadUserEntityInstanceData", "prvReadProcessSession", "prvReadSavedQueryVisualization", "prvReadImportJob",
)
# fmt: on


def seed(environment: Environment) -> None:
    """Write the platform's privileges."""
    customizing.add_named_privileges(environment, [f"prv{right}{table}" for table in TABLES for right in RIGHTS])
    customizing.add_named_privileges(environment, NAMED)


def granted(environment: Environment, role_id: str) -> dict[str, str]:
    """Return the privileges of a role by id, each with its depth; an administrator's are all."""
    if role_id == ADMINISTRATOR:
        return {str(row["privilegeid"]): "Global" for row in environment.store.select("privilege")}
    return dict(environment.store.facts("role").get(role_id, {}))


def names(environment: Environment, user_id: str) -> frozenset[str]:
    """Return the names, in lower case, of the privileges a user's roles grant."""
    roles = environment.store.query("SELECT role FROM systemuserroles WHERE systemuser = ?", (user_id,))
    ids = {found for (role,) in roles for found in granted(environment, str(role))}
    if not ids <= _NAMES.keys():
        found_names = environment.store.query("SELECT privilegeid, name FROM privilege")
        _NAMES.update((str(found), str(name).lower()) for found, name in found_names)
    return frozenset(_NAMES[found] for found in ids if found in _NAMES)


_NAMES: dict[str, str] = {}
"""The names of privileges by their ids, which are made of them: looked up once, because every request asks."""


def grant(environment: Environment, role_id: str, privileges: Mapping[str, str], *, replace: bool) -> None:
    """Give a role privileges (id → depth)."""
    before = {} if replace else granted(environment, role_id)
    environment.store.keep("role", role_id, {**before, **privileges})


def privilege_id(environment: Environment, name: str) -> str | None:
    """Return the id of a privilege by its name, whatever its case."""
    found = environment.store.find("privilege", "name", name)
    return str(found[0]["privilegeid"]) if found else None


def answer(environment: Environment, request: Request, table: TableModel, row: Row, name: str, key: str | None) -> Answer | None:
    """Answer the functions and actions bound to a role or a user, or None for another name."""
    row_id = str(row[table.key])
    if table.name == "role" and name in ("AddPrivilegesRole", "ReplacePrivilegesRole") and request.method == "POST":
        customizing.allow(environment, request.caller.administrator)
        given = _given(environment, rows.load(request.body))
        grant(environment, row_id, given, replace=name == "ReplacePrivilegesRole")
        return Answer(204)
    if table.name == "role" and name == "RetrieveRolePrivilegesRole" and request.method == "GET":
        return Answer(200, {"RolePrivileges": _shown(environment, granted(environment, row_id))})
    if table.name == "systemuser" and name == "RetrieveUserPrivilegeByPrivilegeName" and request.method == "GET":
        asked = (key or "").partition("=")[2].strip().strip("'")
        found = privilege_id(environment, asked)
        if found is None:
            raise Refused(404, NOT_FOUND, f"The privilege with the name {asked} does not exist.")
        roles = environment.store.query("SELECT role FROM systemuserroles WHERE systemuser = ?", (row_id,))
        depths = [granted(environment, str(role)).get(found) for (role,) in roles]
        best = max((depth for depth in depths if depth), key=DEPTHS.index, default=None)
        return Answer(200, {"RolePrivileges": _shown(environment, {found: best} if best else {})})
    return None


def _given(environment: Environment, body: Any) -> dict[str, str]:
    found = {}
    for privilege in body.get("Privileges") or ():
        privilege_id_ = str(privilege.get("PrivilegeId", "")).lower()
        if environment.store.read("privilege", privilege_id_) is None:
            raise Refused(400, NOT_FOUND, f"A privilege with Id = {privilege_id_} does not exist.")
        if privilege.get("Depth") not in DEPTHS:
            raise Refused(400, BAD_ARGUMENT, f"'{privilege.get('Depth')}' is not a depth of a privilege.")
        found[privilege_id_] = str(privilege["Depth"])
    return found


def _shown(environment: Environment, privileges: Mapping[str, str]) -> list[dict[str, Any]]:
    shown = []
    for found, depth in privileges.items():
        row = environment.store.read("privilege", found)
        name = row["name"] if row else ""
        shown.append({"PrivilegeId": found, "Depth": depth, "PrivilegeName": name, "BusinessUnitId": None})
    return shown
