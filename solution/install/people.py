"""The application user the connector signs in as: make it, give it the service role, and ask for each privilege by name.

Source: Microsoft Learn, "Use single-tenant server-to-server authentication"; function RetrieveUserPrivilegeByPrivilegeName.
"""

from collections.abc import Callable, Sequence

from solution.install.change import Change, Kind
from solution.install.components import bare, privilege_ids
from solution.install.definitions import CRM
from solution.install.problem import Problem, Refused
from solution.install.web_api import WebApi
from solution.roles import ROLES, Depth

(SERVICE,) = (role for role in ROLES if role.name.endswith("Service"))
ORDER = tuple(depth.value for depth in (Depth.OWN, Depth.BUSINESS_UNIT, Depth.BELOW, Depth.ALL))
WAY = "Power Platform admin center → Environments → this one → Settings → Users + permissions → Application users"
NON_INTERACTIVE = 4


def changes(api: WebApi, client_id: str) -> Sequence[Change]:
    """Return what the application user lacks: itself, its role."""
    user = _user(api, client_id)
    what = f"application user {client_id}"
    if user is None:
        return [Change(Kind.MISSING, what, "", lambda: make_user(api, client_id))]
    if user.get("isdisabled"):
        return [Change(Kind.CONFLICT, what, "it is disabled", step=f"{WAY}: activate it.")]
    if not has_role(api, str(user["systemuserid"])):
        return [Change(Kind.MISSING, f"role {SERVICE.name} of the {what}", "", lambda: give_role(api, str(user["systemuserid"])))]
    return []


def _user(api: WebApi, client_id: str) -> dict[str, object] | None:
    return api.first(f"systemusers?$select=systemuserid,fullname,isdisabled&$filter=applicationid eq {client_id}")


def ensure(api: WebApi, client_id: str, say: Callable[[str], None]) -> str:
    """Make the user and give it the role unless it is so; return the user's id. Raises Problem with the steps by hand."""
    user = _user(api, client_id)
    if user is None:
        user_id = make_user(api, client_id)
        say(f"Made the application user {client_id}.")
    elif user.get("isdisabled"):
        raise Problem(f"The application user {client_id} is disabled.", f"{WAY}: activate it, then run the command again.")
    else:
        user_id = str(user["systemuserid"])
    if not has_role(api, user_id):
        give_role(api, user_id)
        say(f"Gave it the role {SERVICE.name}.")
    return user_id


def make_user(api: WebApi, client_id: str) -> str:
    """Make the application user in the topmost business unit; return its id."""
    unit = api.first("businessunits?$select=businessunitid&$filter=_parentbusinessunitid_value eq null")
    assert unit is not None, "every environment has a topmost business unit"
    body = {
        "applicationid": client_id,
        "businessunitid@odata.bind": f"/businessunits({unit['businessunitid']})",
        "accessmode": NON_INTERACTIVE,
    }
    try:
        return str(api.write("POST", "systemusers", body)["id"])
    except Refused as refused:
        step = f"By hand: {WAY} → New app user → Add an app → {client_id}; choose the role {SERVICE.name}. Then run the command again."
        raise Problem(f"Dataverse did not let us make the application user: {refused.message}", step) from refused


def has_role(api: WebApi, user_id: str) -> bool:
    """Tell whether a user has the service role."""
    rows = api.rows(f"systemusers({user_id})/systemuserroles_association?$select=roleid,_parentrootroleid_value")
    wanted = bare(SERVICE.id)
    return any(wanted in (str(row["roleid"]).lower(), str(row.get("_parentrootroleid_value") or "").lower()) for row in rows)


def give_role(api: WebApi, user_id: str) -> None:
    """Give a user the service role; what is given already is no error."""
    reference = {"@odata.id": f"{api.root}roles({bare(SERVICE.id)})"}
    try:
        api.write("POST", f"systemusers({user_id})/systemuserroles_association/$ref", reference)
    except Refused as refused:
        if refused.code != "0x80040237":
            step = f"By hand: {WAY} → the user → Edit security roles → {SERVICE.name}. Then run the command again."
            raise Problem(f"Dataverse did not let us give the role: {refused.message}", step) from refused


def missing_privileges(api: WebApi, user_id: str) -> list[str]:
    """Ask for every privilege the service role stands for; return those the user lacks, or has less far than it must."""
    known, lacking = privilege_ids(api), []
    for name, depth in SERVICE.privileges.items():
        if name.lower() not in known:
            lacking.append(f"{name} (this environment does not know it: is Dynamics 365 Sales installed?)")
            continue
        function = f"{CRM}RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='{name}')"
        held = api.get(f"systemusers({user_id})/{function}")["RolePrivileges"]
        best = max((ORDER.index(str(one["Depth"])) for one in held), default=-1)
        if best < ORDER.index(depth.value):
            has = f" (has it for {ORDER[best]})" if best >= 0 else ""
            lacking.append(f"{name} for {depth.value}{has}")
    return lacking
