"""HTTP triggers and the admin endpoints. Source: learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger."""

import http.client
import json

import pytest

from sandbox.host.index import AsIs, Function
from sandbox.host.settings import HostError
from sandbox.host.web import Route
from tests.patience import PATIENCE


def test_a_request_arrives_as_azure_forwards_it(host):
    answer = host.call(
        "POST", "/echo/a%2Fb/c%20d?x=1&empty=&y=%C3%A9&x=2", b"body", {"X-Mixed-Case": "Kept", "Content-Type": "text/plain"}
    )
    told = answer.json()
    assert answer.status == 200
    assert told["method"] == "POST"
    assert told["url"].startswith(f"http://127.0.0.1:{host.port}/echo/")
    assert told["params"] == {"x": "1,2", "y": "é"}
    assert told["route"] == {"rest": "a/b/c d"}
    assert told["headers"]["x-mixed-case"] == "Kept"
    assert all(name == name.lower() for name in told["headers"])
    assert told["body"] == "body"


def test_cookies_are_all_kept_and_other_headers_too(host):
    answer = host.call("GET", "/ECHO")
    cookies = [value for name, value in answer.headers if name == "Set-Cookie"]
    assert cookies == ["a=1; HttpOnly; Path=/", "b=2; SameSite=Lax; Secure"]
    assert ("x-sample", "yes") in [(name.lower(), value) for name, value in answer.headers]
    assert ("content-type", "application/json") in [(name.lower(), value) for name, value in answer.headers]
    assert answer.json()["route"] == {}


def test_a_chunked_body_arrives_empty_and_does_not_spoil_the_connection(host):
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=PATIENCE)
    for _ in range(2):
        connection.request(
            "POST", "/echo/x", body=iter([b"some", b"thing"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        answer = connection.getresponse()
        assert json.loads(answer.read())["body"] == ""
    connection.close()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/items/special", "literal"),
        ("/Items/SPECIAL", "literal"),
        ("/items/42", "number 42"),
        ("/items/forty", "named forty None"),
        ("/items/42/wheel", "named 42 wheel"),
        ("/patient", "async"),
    ],
)
def test_the_most_literal_route_wins_whatever_the_case(host, path, expected):
    answer = host.call("GET", path)
    assert (answer.status, answer.body) == (200, expected)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/items/42"), ("HEAD", "/items/42"), ("GET", "/items/1/2/3"), ("GET", "/nowhere"), ("GET", "/items")],
)
def test_a_wrong_method_or_path_is_404(host, method, path):
    answer = host.call(method, path)
    assert (answer.status, answer.body) == (404, "")


def test_returning_nothing_is_204(host):
    assert host.call("GET", "/nothing").status == 204


def test_an_exception_is_500_with_an_empty_body(host):
    answer = host.call("GET", "/broken")
    assert (answer.status, answer.body) == (500, "")
    host.wait_for("broken failed")


def test_keys_are_asked_for_only_when_wanted(host, new_host):
    assert host.call("GET", "/guarded").body == "welcome"
    strict = new_host().start("--enable-auth", SANDBOX_FUNCTION_KEY="s3cret")
    assert strict.call("GET", "/guarded").status == 401
    assert strict.call("GET", "/guarded?code=s3cret").body == "welcome"
    assert strict.call("GET", "/guarded", headers={"x-functions-key": "s3cret"}).body == "welcome"
    assert strict.call("GET", "/guarded?code=s3cret", headers={"x-functions-key": "wrong"}).status == 401
    assert strict.call("GET", "/echo").status == 200
    assert strict.call("GET", "/admin/host/status").status == 401
    assert strict.call("POST", "/admin/functions/tick", b'{"input": ""}').status == 401


def test_the_host_tells_that_it_runs_and_what(host):
    status = host.call("GET", "/admin/host/status").json()
    assert status["state"] == "Running"
    listed = {one["name"]: one["kind"] for one in host.call("GET", "/admin/functions").json()}
    assert listed["work"] == "queue"
    assert listed["tick"] == "timer"
    assert "lost" not in listed
    assert host.call("GET", "/").status == 200


def test_a_queue_function_can_be_fired_by_hand(host):
    assert host.call("POST", "/admin/functions/work", b'{"input": "{\\"by\\": \\"hand\\"}"}').status == 202
    [told] = host.queue("seen").told()
    assert told["wish"] == {"by": "hand"}


def test_what_cannot_be_fired_says_why(host):
    assert host.call("POST", "/admin/functions/unknown", b'{"input": ""}').status == 404
    assert host.call("POST", "/admin/functions/tick", b"").status == 400
    assert host.call("POST", "/admin/functions/echo", b'{"input": ""}').status == 400


def route(template: str, prefix: str = "") -> Route:
    """A route on its own."""
    return Route(Function("f", print, {"type": "httpTrigger", "route": template}, AsIs, (), False, False), prefix)


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("a/{x:guid}", "a/0f8fad5b-d9cb-469f-a165-70867728950e", {"x": "0f8fad5b-d9cb-469f-a165-70867728950e"}),
        ("a/{x:guid}", "a/no-guid", None),
        ("a/{x:bool}", "a/True", {"x": "True"}),
        ("a/{x:alpha:length(3)}", "a/abc", {"x": "abc"}),
        ("a/{x:alpha:length(3)}", "a/ab1", None),
        ("a/{x:range(1,12)}", "a/12", {"x": "12"}),
        ("a/{x:range(1,12)}", "a/13", None),
        ("a/{x:min(5)}", "a/4", None),
        ("a/{x:min(5)}", "a/no", None),
        ("a/{x:maxlength(2)}", "a/abc", None),
        ("a/{x:datetime}", "a/2026-11-21", {"x": "2026-11-21"}),
        ("a/{x:decimal}", "a/1.5", {"x": "1.5"}),
        ("a/{x:regex(^b.d$)}", "a/bed", {"x": "bed"}),
        ("a/{x=home}", "a", {"x": "home"}),
        ("a/{name}.{kind}", "a/logo.png", {"name": "logo", "kind": "png"}),
        ("a/{*rest}", "a", {}),
        ("a/{x}", "a", None),
    ],
)
def test_templates_match_as_in_asp_net(template, path, expected):
    assert route(template).match(path.split("/")) == expected


def test_the_prefix_comes_before_every_route():
    assert route("x", "api").template == "api/x"
    assert route("x", "api").match(["API", "X"]) == {}


@pytest.mark.parametrize(
    ("template", "said"), [("admin/x", "reserved"), ("runtime", "reserved"), ("{x:prime}", "constraint"), ("{x", "read")]
)
def test_impossible_routes_are_refused(template, said):
    with pytest.raises(HostError, match=said):
        route(template)
