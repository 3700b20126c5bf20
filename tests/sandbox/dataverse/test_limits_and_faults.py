"""Service protection limits, and the bad days one can ask for. Source: Microsoft Learn, "Service protection API limits",
"Compose HTTP requests and handle errors"."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from threading import Event, Thread

import pytest
import requests

from sandbox.dataverse import Sandbox, ServiceProtection
from sandbox.dataverse.demo_company import ID
from sandbox.dataverse.errors import Refused
from sandbox.xero.faults import ConnectionDropped, Fault
from tests import images
from tests.patience import until

from .conftest import NOW, ROOT, Api, Live

Limited = Callable[[ServiceProtection], Api]


@pytest.fixture
def limited() -> Iterator[Limited]:
    with ExitStack() as stack:

        def make(limits: ServiceProtection) -> Api:
            app = images.dataverse(lambda: NOW, limits=limits)
            sandbox: Sandbox = app.extensions["sandbox"]
            stack.callback(sandbox.close)
            return Api(sandbox, app.test_client(), sandbox.token())

        yield make


def test_every_answer_says_what_is_left(api: Api) -> None:
    headers = [api.get("WhoAmI").headers for _ in range(2)]
    assert [h["x-ms-ratelimit-burst-remaining-xrm-requests"] for h in headers] == ["5999", "5998"]
    assert float(headers[1]["x-ms-ratelimit-time-remaining-xrm-requests"]) <= 1200


def test_too_many_requests_in_the_window_are_429_until_it_has_slid(limited: Limited) -> None:
    """0x80072322 with Retry-After: 6,000 requests within 300 seconds, per user."""
    api = limited(ServiceProtection(requests=2))
    api.get("WhoAmI")
    api.sandbox.clock.advance(100)
    api.get("WhoAmI")
    refused = api.get("WhoAmI")
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "0x80072322", "200")
    api.sandbox.clock.advance(201)
    assert api.get("WhoAmI").status == 200


def test_execution_time_is_limited_too(limited: Limited) -> None:
    """0x80072321: combined execution time."""
    api = limited(ServiceProtection(seconds=0.0))
    assert (api.get("WhoAmI").status, api.get("WhoAmI").code) == (429, "0x80072321")


def test_requests_at_once_are_limited(sandbox: Sandbox) -> None:
    """0x80072326: concurrent requests, 52."""
    meter = sandbox.meter
    for _ in range(52):
        meter.enter("user")
    with pytest.raises(Refused, match="concurrent") as refused:
        meter.enter("user")
    assert (refused.value.status, refused.value.code) == (429, "0x80072326")
    meter.leave("user", 0.1)
    meter.enter("user")
    assert meter.peak("user") == 52


def test_one_users_limit_is_not_anothers(limited: Limited) -> None:
    api = limited(ServiceProtection(requests=1, window=timedelta(minutes=5)))
    api.get("WhoAmI")
    assert api.get("WhoAmI").status == 429
    other = Api(api.sandbox, api.client, api.sandbox.person_token("aroha.ngata@kowhai.example"))
    assert other.get("WhoAmI").status == 200


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("html502", 502), ("token_expired", 401)])
def test_a_fault_answers_instead_and_does_nothing(api: Api, sandbox: Sandbox, kind: str, status: int) -> None:
    sandbox.faults.add(Fault(kind, "POST", "/accounts$", seconds=17))
    before = len(sandbox.rows("account"))
    assert api.get("accounts?$top=1").status == 200, "another method is not met"
    answer = api.post("accounts", {"name": "x"})
    assert answer.status == status
    assert len(sandbox.rows("account")) == before
    if kind == "html502":
        assert answer.text.startswith("<html>"), "a gateway answers in HTML"
    if kind in ("500", "503"):
        assert answer.code == "", 'the code of an error may be ""'
    if kind == "429":
        assert answer.headers["Retry-After"] == "17"
    assert api.post("accounts", {"name": "x"}).status == 204, "a fault happens once unless told otherwise"


def test_a_500_may_come_after_the_work_was_done(api: Api, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault("500_applied", "POST"))
    assert api.post("accounts", {"name": "applied"}).status == 500
    assert [row for row in sandbox.rows("account") if row["name"] == "applied"]


def test_faults_can_be_asked_for_over_http(api: Api) -> None:
    body = [{"match": {"method": "PATCH", "path": "accounts\\("}, "kind": "503", "times": 2}]
    asked = api.client.post("/sandbox/faults", json=body).get_json()
    assert [(fault["kind"], fault["times"]) for fault in asked["waiting"]] == [("503", 2)]
    url = f"accounts({ID['boom']})"
    assert [api.patch(url, {"telephone1": "1"}).status for _ in range(3)] == [503, 503, 204]
    assert api.client.post("/sandbox/faults", json={"kind": "gremlin"}).status_code == 400
    assert api.client.delete("/sandbox/faults").get_json() == {"waiting": []}


def test_an_in_process_caller_learns_of_a_dropped_connection(api: Api, sandbox: Sandbox) -> None:
    before = len(sandbox.rows("account"))
    for kind in ("drop_before", "drop_after"):
        sandbox.faults.add(Fault(kind, "POST"))
        with pytest.raises(ConnectionDropped):
            api.post("accounts", {"name": kind})
    assert [row["name"] for row in sandbox.rows("account")[before:]] == ["drop_after"]


@pytest.mark.parametrize(("kind", "rows"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_is_really_cut(live: Live, kind: str, rows: int) -> None:
    live.sandbox.faults.add(Fault(kind, "POST", "/accounts$"))
    headers = {"Authorization": f"Bearer {live.sandbox.token()}"}
    before = len(live.sandbox.rows("account"))
    with requests.Session() as session:
        with pytest.raises(requests.ConnectionError):
            session.post(f"{live.url}{ROOT}accounts", json={"name": "cut"}, headers=headers, timeout=10)
        assert session.get(f"{live.url}{ROOT}WhoAmI", headers=headers, timeout=10).status_code == 200
    assert len(live.sandbox.rows("account")) == before + rows


def test_a_delayed_request_outlasts_its_callers_patience(live: Live) -> None:
    slow = Fault("delay", "GET", "WhoAmI", seconds=60)
    live.sandbox.faults.add(slow)
    headers = {"Authorization": f"Bearer {live.sandbox.token()}"}
    with pytest.raises(requests.Timeout):
        requests.get(f"{live.url}{ROOT}WhoAmI", headers=headers, timeout=(10, 0.2))
    slow.over.set()


# --- the sandbox's own routes --------------------------------------------------------------------------------------


def test_the_log_tells_every_call_without_its_body(api: Api) -> None:
    api.post("accounts", {"name": "secret"})
    (call,) = api.client.get("/sandbox/log").get_json()
    assert (call["method"], call["path"], call["status"], call["user"]) == (
        "POST",
        "/api/data/v9.2/accounts",
        204,
        ID["connector user"],
    )
    assert "secret" not in str(call)


def test_time_can_be_advanced_and_everything_reset(api: Api, sandbox: Sandbox) -> None:
    assert api.client.post("/sandbox/clock", json={"advance_seconds": 90}).get_json() == {"now": "2026-11-21T01:31:30Z"}
    invoice = api.invoice()
    assert api.client.post("/sandbox/reset").status_code == 200
    assert not sandbox.exists("invoice", invoice)
    assert sandbox.exists("account", ID["boom"])
    assert api.client.get("/sandbox/log").get_json() == []


def test_rows_can_be_read_without_a_token(api: Api) -> None:
    invoice = api.invoice()
    (row,) = api.client.get("/sandbox/rows/invoice").get_json()
    assert row["invoiceid"] == invoice
    assert api.client.get("/sandbox/rows/nothing").status_code == 404
    assert api.client.get("/healthz").get_json()["status"] == "ok"


@contextmanager
def running(work: Callable[[], None]) -> Iterator[None]:
    thread = Thread(target=work)
    thread.start()
    yield
    thread.join()


def test_a_waiting_request_does_not_hold_up_the_others(live: Live) -> None:
    fault = Fault("delay", "GET", "/accounts$", seconds=60)
    live.sandbox.faults.add(fault)
    headers = {"Authorization": f"Bearer {live.sandbox.token()}"}
    done = Event()

    def slow() -> None:
        requests.get(f"{live.url}{ROOT}accounts?$top=1", headers=headers, timeout=120)
        done.set()

    with running(slow):
        until(lambda: not live.sandbox.faults.waiting(), "the slow request has come")
        assert requests.get(f"{live.url}{ROOT}WhoAmI", headers=headers, timeout=30).status_code == 200
        assert not done.is_set()
        fault.over.set()
