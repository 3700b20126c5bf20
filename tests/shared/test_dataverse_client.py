"""The Dataverse Web API over a real socket: what goes out, once, and what comes back."""

from __future__ import annotations

import email
import gzip
import json
from decimal import Decimal
from typing import Any

import pytest

from shared import exact_json
from shared.dataverse import answers
from shared.dataverse.client import DataverseClient, relative
from shared.durations import Durations
from shared.errors import ConfigurationError, NotFound, Rejected, Retryable, Throttled, Uncertain
from shared.services import Operation
from tests.ports import unanswered
from tests.tls_server import HANG_UP, SILENCE, TlsServer, tls_server

QUICK = Durations(connect=1.0, read=0.3)
CREATE = Operation("POST", "mag_payments", {"mag_name": "P-1", "mag_amount": Decimal("10.10")})
READ = Operation("GET", "invoices(00000000-0000-0000-0000-000000000001)?$select=name")
JSON = {"Content-Type": "application/json; odata.metadata=minimal"}


class OneToken:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def token(self, environment: str) -> str:
        self.asked.append(environment)
        return f"token-for-{environment}"


@pytest.fixture
def server(tmp_path, monkeypatch):
    with tls_server(tmp_path) as running:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", running.ca_file)
        yield running


@pytest.fixture
def client():
    return DataverseClient(OneToken(), QUICK)


def batch_answer(*parts: str, boundary: str = "batchresponse_1") -> tuple[int, dict[str, str], bytes]:
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
    return 200, {"Content-Type": f"multipart/mixed; boundary={boundary}"}, body.encode()


def http_part(status: int, body: str = "", content_id: int | None = None, headers: str = "") -> str:
    identity = f"Content-ID: {content_id}\r\n" if content_id else ""
    kind = "Content-Type: application/json; odata.metadata=minimal\r\n" if body else ""
    opening = f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{identity}\r\n"
    return f"{opening}HTTP/1.1 {status} Reason\r\n{kind}{headers}OData-Version: 4.0\r\n\r\n{body}"


def change_set_part(*parts: str, boundary: str = "changesetresponse_1") -> str:
    inner = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n{inner}"


def test_a_read_carries_microsofts_headers_and_the_environments_token(server, client):
    server.answers(200, JSON, b'{"name":"INV"}')

    (answer,) = client.send(server.host, [READ])

    (request,) = server.received
    assert (request.method, request.path) == ("GET", f"/api/data/v9.2/{READ.path}")
    assert request.headers["Authorization"] == f"Bearer token-for-{server.host}"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["OData-MaxVersion"] == request.headers["OData-Version"] == "4.0"
    assert request.headers["If-None-Match"] == "null"
    assert len(request.headers["x-ms-client-request-id"]) == 36
    assert "Content-Type" not in request.headers
    assert answer.body == {"name": "INV"}


def test_a_write_keeps_its_own_conditions_and_is_not_conditional_by_itself(server, client):
    client.send(server.host, [Operation("PATCH", "accounts(1)", {"name": "é"}, {"If-Match": "*"})])
    client.send(server.host, [CREATE])

    first, second = server.received
    assert first.headers["If-Match"] == "*"
    assert "If-None-Match" not in first.headers
    assert first.headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(first.body) == {"name": "é"}
    assert "If-Match" not in second.headers


def test_money_is_exact_both_ways(server, client):
    server.answers(200, JSON, b'{"totalamount":12345678901234567.8901,"quantity":0.10,"count":3}')

    (answer,) = client.send(
        server.host, [Operation("PATCH", "invoices(1)", {"a": Decimal("0.1000"), "b": Decimal("1E+3"), "c": 7})]
    )

    assert server.received[0].body == b'{"a":0.1000,"b":1000,"c":7}'
    assert answer.body == {"totalamount": Decimal("12345678901234567.8901"), "quantity": Decimal("0.10"), "count": 3}
    assert str(answer.body["quantity"]) == "0.10"


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), Decimal("Infinity"), object()])
def test_what_is_no_exact_number_never_leaves(value):
    with pytest.raises((TypeError, ValueError)):
        exact_json.dumps({"x": [value]})


def test_json_that_says_nan_is_not_json():
    with pytest.raises(ValueError, match="NaN"):
        exact_json.loads('{"x":NaN}')


@pytest.mark.parametrize(
    ("reply", "of_a_write"),
    [
        (HANG_UP, Uncertain),
        (SILENCE, Uncertain),
        ((503, {"Retry-After": "0", "Content-Type": "text/html"}, b"<h1>busy</h1>"), Uncertain),
        ((502, {"Content-Type": "text/html"}, b"<h1>Bad gateway</h1>"), Uncertain),
        ((500, JSON, b'{"error":{"code":"0x80040216","message":"An unexpected error occurred."}}'), Uncertain),
        ((408, {}, b""), Uncertain),
        ((200, {"Content-Type": "text/html"}, b"<h1>Sign in</h1>"), Uncertain),
        ((200, JSON, b'{"name":'), Uncertain),
        (
            (429, {"Retry-After": "7", **JSON}, b'{"error":{"code":"0x80072322","message":"Number of requests exceeded"}}'),
            Throttled,
        ),
        ((401, {"WWW-Authenticate": "Bearer"}, b""), ConfigurationError),
        ((302, {"Location": "https://localhost/elsewhere"}, b""), ConfigurationError),
    ],
)
@pytest.mark.parametrize("operations", [[CREATE], [CREATE, READ]], ids=["single", "batch"])
def test_every_call_is_one_send_whatever_the_network_does(server, client, reply, of_a_write, operations):
    server.reply = lambda _: reply

    with pytest.raises(of_a_write) as caught:
        client.send(server.host, operations)

    assert len(server.received) == 1
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after.total_seconds() == 7


@pytest.mark.parametrize(
    "reply", [HANG_UP, SILENCE, (502, {}, b"<h1>Bad gateway</h1>"), (200, {"Content-Type": "text/html"}, b"<h1>")]
)
def test_a_read_without_an_answer_is_merely_tried_again(server, client, reply):
    server.reply = lambda _: reply

    with pytest.raises(Retryable) as caught:
        client.send(server.host, [READ])

    assert not isinstance(caught.value, Uncertain)
    assert len(server.received) == 1


def test_a_write_that_found_nobody_listening_was_surely_not_made(client):
    with unanswered() as port, pytest.raises(Retryable) as caught:
        client.send(f"localhost:{port}", [CREATE])

    assert not isinstance(caught.value, Uncertain)


def test_a_write_is_not_made_to_a_server_with_an_unknown_certificate(server, client, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    with pytest.raises(Retryable) as caught:
        client.send(server.host, [CREATE])

    assert not isinstance(caught.value, Uncertain)
    assert server.received == []


def test_a_connection_is_used_again_and_a_compressed_answer_is_read(server, client):
    server.answers(200, JSON | {"Content-Encoding": "gzip"}, gzip.compress(b'{"name":"INV"}'))

    answers_ = [client.send(server.host, [READ])[0].body for _ in range(2)]

    assert answers_ == [{"name": "INV"}] * 2
    assert "gzip" in server.received[0].headers["Accept-Encoding"]
    assert len({request.client for request in server.received}) == 1


def test_no_cookie_comes_back_so_that_calls_spread_over_dataverses_servers(server, client):
    server.answers(204, {"Set-Cookie": "ARRAffinity=abc; Path=/; Secure"})

    client.send(server.host, [READ])
    client.send(server.host, [READ])

    assert [request.headers.get("Cookie") for request in server.received] == [None, None]


def test_a_netrc_of_the_machine_does_not_replace_the_token(server, client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login eve password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    client.send(server.host, [READ])

    assert server.received[0].headers["Authorization"] == f"Bearer token-for-{server.host}"


def test_several_operations_are_one_multipart_batch(server, client):
    server.reply = lambda _: batch_answer(
        http_part(200, '{"name":"INV"}'),
        change_set_part(
            http_part(204, content_id=2, headers="OData-EntityId: https://x/api/data/v9.2/mag_payments(1)\r\n"),
            http_part(204, content_id=3),
        ),
        http_part(404, '{"error":{"code":"0x80040217","message":"gone"}}'),
    )

    got = client.send(
        server.host,
        [
            Operation("GET", "invoices(1)", headers={"Prefer": 'odata.include-annotations="*"'}),
            Operation("POST", "mag_payments", {"mag_amount": Decimal("1.50")}, change_set="pay"),
            Operation("PATCH", "invoices(1)", {"x@odata.bind": "$2"}, {"If-Match": "*"}, change_set="pay"),
            Operation("GET", "invoices(2)"),
        ],
    )

    (request,) = server.received
    assert (request.method, request.path) == ("POST", "/api/data/v9.2/$batch")
    assert request.headers["Prefer"] == "odata.continue-on-error"
    assert request.body.count(b"\n") == request.body.count(b"\r\n")
    whole: Any = email.message_from_bytes(f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode() + request.body)
    read, change_set, last = whole.get_payload()
    assert read["Content-Type"] == "application/http"
    assert read["Content-Transfer-Encoding"] == "binary"
    assert read.get_payload().startswith(f"GET https://{server.host}/api/data/v9.2/invoices(1) HTTP/1.1\r\n")
    assert {'Prefer: odata.include-annotations="*"', "If-None-Match: null"} <= set(read.get_payload().splitlines())
    create, update = change_set.get_payload()
    assert (create["Content-ID"], update["Content-ID"]) == ("2", "3")
    assert create.get_payload().endswith('Content-Type: application/json; type=entry\r\n\r\n{"mag_amount":1.50}')
    assert update.get_payload().endswith('{"x@odata.bind":"$2"}')
    assert "If-Match: *" in update.get_payload()
    assert "invoices(2)" in last.get_payload()
    assert [answer.status for answer in got] == [200, 204, 204, 404]
    assert got[0].body == {"name": "INV"}
    with pytest.raises(NotFound, match="gone"):
        answers.results([READ], got[3:])


@pytest.mark.parametrize("nested", [True, False], ids=["inside the change set", "in place of the change set"])
def test_a_failed_change_set_answers_each_of_its_operations(server, client, nested):
    refused = http_part(400, '{"error":{"code":"0x80044331","message":"too long"}}')
    server.reply = lambda _: batch_answer(change_set_part(refused) if nested else refused, http_part(204))
    operations = [Operation("PATCH", f"invoices({n})", {"a": n}, change_set="both") for n in (1, 2)]

    got = client.send(server.host, [*operations, CREATE])

    assert [answer.status for answer in got] == [400, 400, 204]
    for answer in got[:2]:
        with pytest.raises(Rejected, match="too long"):
            answers.result(answer)


def test_neighbouring_change_sets_stay_two(server, client):
    server.reply = lambda _: batch_answer(
        change_set_part(http_part(204, content_id=1)), http_part(412, '{"error":{"code":"","message":"no"}}'), http_part(204)
    )
    operations = [
        Operation("PATCH", "invoices(1)", {}, change_set="one"),
        Operation("PATCH", "invoices(2)", {}, change_set="two"),
        Operation("PATCH", "invoices(3)", {}),
    ]

    assert [answer.status for answer in client.send(server.host, operations)] == [204, 412, 204]


def test_a_batch_answered_in_part_leaves_the_writes_uncertain(server, client):
    server.reply = lambda _: batch_answer(http_part(204))

    with pytest.raises(Uncertain, match="1 of 2"):
        client.send(server.host, [CREATE, CREATE])
    with pytest.raises(Retryable) as caught:
        client.send(server.host, [READ, READ])

    assert not isinstance(caught.value, Uncertain)


def test_a_batch_refused_as_a_whole_answers_every_operation(server, client):
    server.answers(400, JSON, b'{"error":{"code":"","message":"bad batch"}}')

    got = client.send(server.host, [CREATE, READ])

    assert [answer.status for answer in got] == [400, 400]


def test_text_of_any_language_survives_a_batch(server, client):
    name = "Żółć \u2028 日本 \U0001f600 --batchresponse_1 \\u0041"
    server.reply = lambda _: batch_answer(http_part(200, json.dumps({"name": name}, ensure_ascii=False)), http_part(204))

    (answer, _) = client.send(server.host, [READ, CREATE])

    assert answer.body == {"name": name}


def test_a_plug_ins_refusal_is_the_rows_answer_even_as_a_500(server, client):
    server.answers(500, JSON, b'{"error":{"code":"0x80040265","message":"Credit limit exceeded"}}')

    (answer,) = client.send(server.host, [CREATE])

    with pytest.raises(Rejected, match="Credit limit exceeded"):
        answers.result(answer)


def test_a_change_set_holds_no_read(client):
    with pytest.raises(ValueError, match="no GET"):
        client.send("localhost:1", [CREATE, Operation("GET", "x", change_set="a")])


def test_a_batch_holds_a_thousand_operations_at_most(client):
    with pytest.raises(ValueError, match="1000"):
        client.send("localhost:1", [READ] * 1001)


def test_nothing_to_send_is_no_round_trip():
    tokens = OneToken()
    assert DataverseClient(tokens).send("localhost:1", []) == []
    assert tokens.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/invoices",
        "../../admin",
        "invoices/../../x",
        "invoices/./x",
        "https://evil.example/api/x",
        "invoices?$filter=name eq 'x'",
        "invoices?x=1\r\nHost: evil",
        "invoices?$filter=name%20eq%20'é'",
        "in\\voices",
    ],
)
def test_a_path_stays_inside_the_api(path):
    with pytest.raises(ValueError, match="path of the Web API"):
        relative(path)


def test_a_next_link_is_followed_on_our_own_host(server, client):
    server.answers(200, JSON, b'{"value":[]}')

    client.send(server.host, [Operation("GET", "https://elsewhere.example/api/data/v9.2/invoices?$skiptoken=a%3Cb")])

    assert server.received[0].path == "/api/data/v9.2/invoices?$skiptoken=a%3Cb"


def test_a_header_cannot_smuggle_a_second_request(client):
    operation = Operation("GET", "invoices(1)", headers={"Prefer": "x\r\n\r\nDELETE /accounts(1) HTTP/1.1"})
    with pytest.raises(ValueError, match="line end"):
        client.send("localhost:1", [operation, READ])


def test_the_same_request_bears_the_same_id_and_another_one_another(server: TlsServer, client):
    for operation in (READ, READ, CREATE):
        client.send(server.host, [operation])

    one, two, three = (request.headers["x-ms-client-request-id"] for request in server.received)
    assert one == two != three
