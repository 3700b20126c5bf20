"""Register the connector's webhooks, so that a flagged record goes at once: one endpoint, one step per message and table.

The secret does not travel in a solution, so they are registered here (SPEC 11: /webhooks/dataverse with the function key).
Source: Microsoft Learn, "Register a webhook"; tables ServiceEndpoint, SdkMessageProcessingStep, SdkMessageFilter.
"""

from collections.abc import Iterator
from functools import partial

from solution.install.change import Change, Kind
from solution.install.definitions import Json
from solution.install.problem import Problem
from solution.install.web_api import WebApi

NAME = "Xero Connector"
WEBHOOK, KEY = 8, 4  # contract; authtype: the secret goes along as ?code=
POST_OPERATION, ASYNCHRONOUS = 40, 1

# fmt: off
STEPS: tuple[tuple[str, str, str], ...] = (
    # table            message    columns whose change fires it (an update only)
    ("invoice",        "Create",  ""),
    ("invoice",        "Update",  "mag_addtoxero,mag_exportstatus,mag_xeroconnectorid,mag_sendemailfromxero,statecode,statuscode,datedelivered"),
    ("invoice",        "Delete",  ""),
    ("mag_creditnote", "Create",  ""),
    ("mag_creditnote", "Update",  "mag_addtoxero,mag_exportstatus,statecode"),
)
# fmt: on


def changes(api: WebApi, url: str, secret: str) -> Iterator[Change]:
    """Yield what is not registered as it should be; the secret cannot be compared, for Dataverse never tells it."""
    if not url.startswith("https://"):
        raise Problem(f"'{url}' is not an https address.", "Give the address of the function app's /webhooks/dataverse.")
    endpoint = api.first(f"serviceendpoints?$select=serviceendpointid,url,authtype,isauthvalueset&$filter=name eq '{NAME}'")
    body: Json = {"url": url, "authtype": KEY, **({"authvalue": secret} if secret else {})}
    if endpoint is None:
        if not secret:
            raise Problem("The webhook needs its secret, the key of the function.", "Set DATAVERSE_WEBHOOK_SECRET.")
        made = {"name": NAME, "contract": WEBHOOK, **body}
        yield Change(Kind.MISSING, f"webhook {NAME}", url, partial(api.write, "POST", "serviceendpoints", made))
    elif endpoint["url"] != url or endpoint["authtype"] != KEY:
        act = partial(api.write, "PATCH", f"serviceendpoints({endpoint['serviceendpointid']})", body, If_Match="*")
        yield Change(Kind.DIFFERENT, f"webhook {NAME}", f"url: {endpoint['url']} instead of {url}", act)
    for table, message, columns in STEPS:
        name = f"{NAME}: {message} of {table}"
        found = api.first(
            f"sdkmessageprocessingsteps?$select=sdkmessageprocessingstepid,filteringattributes,statecode&$filter=name eq '{name}'"
        )
        if found is None:
            yield Change(Kind.MISSING, f"step {name}", columns, partial(_make, api, table, message, columns))
        elif set(str(found["filteringattributes"] or "").split(",")) != set(columns.split(",")):
            path = f"sdkmessageprocessingsteps({found['sdkmessageprocessingstepid']})"
            act = partial(api.write, "PATCH", path, {"filteringattributes": columns or None}, If_Match="*")
            yield Change(Kind.DIFFERENT, f"step {name}", f"filteringattributes: {found['filteringattributes']}", act)
        elif found["statecode"]:
            yield Change(Kind.CONFLICT, f"step {name}", "it is disabled", step="Enable it in the Plug-in Registration Tool.")


def write_secret(api: WebApi, secret: str) -> None:
    """Write the secret of the endpoint that is there: whoever gives one means it to be this."""
    for endpoint in api.rows(f"serviceendpoints?$select=serviceendpointid&$filter=name eq '{NAME}'"):
        api.write("PATCH", f"serviceendpoints({endpoint['serviceendpointid']})", {"authvalue": secret}, If_Match="*")


def _make(api: WebApi, table: str, message: str, columns: str) -> None:
    where = f"primaryobjecttypecode eq '{table}' and sdkmessageid/name eq '{message}'"
    limits = api.first(f"sdkmessagefilters?$select=sdkmessagefilterid,_sdkmessageid_value&$filter={where}")
    endpoint = api.first(f"serviceendpoints?$select=serviceendpointid&$filter=name eq '{NAME}'")
    if limits is None or endpoint is None:
        raise Problem(
            f"Dataverse has no message {message} for {table}.", "Install the solution first, then run the command again."
        )
    body: Json = {
        "name": f"{NAME}: {message} of {table}",
        "stage": POST_OPERATION,
        "mode": ASYNCHRONOUS,
        "rank": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "sdkmessageid@odata.bind": f"/sdkmessages({limits['_sdkmessageid_value']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({limits['sdkmessagefilterid']})",
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint['serviceendpointid']})",
    }
    if columns:
        body["filteringattributes"] = columns
    api.write("POST", "sdkmessageprocessingsteps", body)


def remove(api: WebApi) -> Iterator[str]:
    """Take every step and the endpoint away; yield what went."""
    for step in api.rows("sdkmessageprocessingsteps?$select=sdkmessageprocessingstepid,name"):
        if str(step["name"]).startswith(f"{NAME}: "):
            api.write("DELETE", f"sdkmessageprocessingsteps({step['sdkmessageprocessingstepid']})")
            yield f"step {step['name']}"
    for endpoint in api.rows(f"serviceendpoints?$select=serviceendpointid&$filter=name eq '{NAME}'"):
        api.write("DELETE", f"serviceendpoints({endpoint['serviceendpointid']})")
        yield f"webhook {NAME}"
