"""Webhooks out. Source: Microsoft Learn, "Use webhooks to create external handlers for server events", "Register a webhook",
"Register a plug-in" (filtering attributes)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.serving import make_server

from sandbox.dataverse import Sandbox

from .conftest import Api


@dataclass
class Receiver:
    """A server that notes what it is sent, and answers as told."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    app, made = Flask("receiver"), Receiver()

    @app.post("/hook")
    def hook() -> tuple[str, int]:
        made.calls.append({"body": request.get_json(), "query": request.args.to_dict(), "headers": dict(request.headers)})
        return "", made.answers.pop(0) if made.answers else 200

    server = make_server("localhost", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    made.url = f"http://localhost:{server.port}/hook"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def register(api: Api, receiver: Receiver, message: str, filtering: str = "", authtype: int = 4, authvalue: str = "k1") -> None:
    endpoint = {"name": "hook", "url": receiver.url, "contract": 8, "authtype": authtype, "authvalue": authvalue}
    endpoint_id = api.post("serviceendpoints", endpoint).id
    query = f"$filter=primaryobjecttypecode eq 'invoice' and sdkmessageid/name eq '{message}'&$expand=sdkmessageid($select=name)"
    (found,) = api.get(f"sdkmessagefilters?$select=sdkmessagefilterid&{query}").values
    step = {
        "name": f"{message} of invoice",
        "stage": 40,
        "mode": 1,
        "rank": 1,
        "supporteddeployment": 0,
        "asyncautodelete": True,
        "filteringattributes": filtering or None,
        "sdkmessageid@odata.bind": f"/sdkmessages({found['sdkmessageid']['sdkmessageid']})",
        "sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({found['sdkmessagefilterid']})",
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({endpoint_id})",
    }
    answer = api.post("sdkmessageprocessingsteps", step)
    assert answer.status == 204, answer.text


def test_a_create_sends_its_context_with_the_key(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    register(api, receiver, "Create")
    invoice = api.invoice(duedate="2026-12-20", mag_addtoxero=True)
    (delivery,) = sandbox.webhooks.join()
    (call,) = receiver.calls
    assert (delivery.status, delivery.attempts) == (200, 1)
    assert call["query"] == {"code": "k1"}
    body = call["body"]
    assert (body["MessageName"], body["PrimaryEntityName"], body["PrimaryEntityId"]) == ("Create", "invoice", invoice)
    assert (body["Stage"], body["Mode"], body["OrganizationId"]) == (40, 1, sandbox.environment.organization_id)
    assert body["InitiatingUserId"] == body["UserId"]
    (target,) = [entry["value"] for entry in body["InputParameters"] if entry["key"] == "Target"]
    attributes = {entry["key"]: entry["value"] for entry in target["Attributes"]}
    assert attributes["duedate"] == "/Date(1797724800000)/"
    assert attributes["customerid"]["LogicalName"] == "account"
    assert attributes["mag_addtoxero"] is True
    assert call["headers"]["X-Ms-Dynamics-Entity-Name"] == "invoice"


def test_an_update_is_sent_only_for_the_columns_listened_to(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    register(api, receiver, "Update", "mag_addtoxero,statecode")
    invoice = api.invoice()
    api.patch(f"invoices({invoice})", {"name": "renamed"})
    api.patch(f"invoices({invoice})", {"mag_addtoxero": True})
    api.patch(f"invoices({invoice})", {"statecode": 2, "statuscode": 100001})
    sandbox.webhooks.join()
    sent = [{entry["key"] for entry in call["body"]["InputParameters"][0]["value"]["Attributes"]} for call in receiver.calls]
    assert sorted(sent, key=len) == [{"mag_addtoxero"}, {"statecode", "statuscode"}]


def test_a_delete_sends_a_reference(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    register(api, receiver, "Delete")
    invoice = api.invoice()
    api.delete(f"invoices({invoice})")
    sandbox.webhooks.join()
    target = receiver.calls[0]["body"]["InputParameters"][0]["value"]
    assert (target["Id"], target["LogicalName"], "Attributes" in target) == (invoice, "invoice", False)


def test_header_settings_become_headers(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    """authtype 5: an XML list of settings."""
    register(api, receiver, "Create", authtype=5, authvalue='<settings><setting name="x-functions-key" value="k2" /></settings>')
    api.invoice()
    sandbox.webhooks.join()
    assert receiver.calls[0]["headers"]["X-Functions-Key"] == "k2"
    assert receiver.calls[0]["query"] == {}


@pytest.mark.parametrize(("answers", "attempts"), [([503, 200], 2), ([502, 504, 200], 2), ([500, 200], 1), ([429], 1)])
def test_one_retry_and_only_for_gateway_errors(
    api: Api, sandbox: Sandbox, receiver: Receiver, answers: list[int], attempts: int
) -> None:
    """Asynchronous webhooks: retried once for 502, 503 and 504; then the system job has failed."""
    register(api, receiver, "Create")
    receiver.answers = list(answers)
    api.invoice()
    (delivery,) = sandbox.webhooks.join()
    assert (delivery.attempts, len(receiver.calls)) == (attempts, attempts)


def test_what_was_undone_is_not_sent(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    """The step runs after the transaction: a refused request sends nothing."""
    register(api, receiver, "Create")
    body = {"name": "x", "customerid_account@odata.bind": "/accounts(11111111-2222-4333-8444-555555555555)"}
    assert api.post("invoices", body).status == 404
    lines = [{"isproductoverridden": True, "quantity": "one"}]
    assert api.post("invoices", {"name": "x", "invoice_details": lines}).status == 400
    assert sandbox.webhooks.join() == []


def test_a_disabled_step_sends_nothing(api: Api, sandbox: Sandbox, receiver: Receiver) -> None:
    register(api, receiver, "Create")
    (step,) = sandbox.rows("sdkmessageprocessingstep")
    assert (
        api.patch(f"sdkmessageprocessingsteps({step['sdkmessageprocessingstepid']})", {"statecode": 1, "statuscode": 2}).status
        == 204
    )
    api.invoice()
    assert sandbox.webhooks.join() == []
