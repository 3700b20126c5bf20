"""$batch. Source: Microsoft Learn, "Execute batch operations using the Web API"."""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.dataverse import Reference, Sandbox
from sandbox.dataverse.demo_company import ID

from .conftest import Api, Reply

ACCOUNT = f"/api/data/v9.2/accounts({ID['boom']})"


@dataclass(frozen=True)
class Operation:
    method: str
    url: str
    body: Any = None
    content_id: str = ""
    headers: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
        if self.content_id:
            head.append(f"Content-ID: {self.content_id}")
        body = [] if self.body is None else [json.dumps(self.body)]
        return [
            *head,
            "",
            f"{self.method} {self.url} HTTP/1.1",
            "Content-Type: application/json; type=entry",
            *self.headers,
            "",
            *body,
        ]


def change_set(*operations: Operation) -> list[str]:
    lines = ["Content-Type: multipart/mixed; boundary=changeset_c", ""]
    for operation in operations:
        lines += ["--changeset_c", *operation.lines()]
    return [*lines, "--changeset_c--", ""]


def send(api: Api, *parts: list[str], line_end: str = "\r\n", **headers: str) -> Reply:
    lines = []
    for part in parts:
        lines += ["--batch_b", *part]
    body = line_end.join([*lines, "--batch_b--", ""]).encode()
    return api.send("POST", "$batch", body, Content_Type='multipart/mixed; boundary="batch_b"', **headers)


def statuses(answer: Reply) -> list[int]:
    return [int(status) for status in re.findall(r"^HTTP/1\.1 (\d+)", answer.text, re.MULTILINE)]


def test_operations_run_in_order_and_answer_in_order(api: Api, sandbox: Sandbox) -> None:
    answer = send(
        api,
        Operation("PATCH", ACCOUNT, {"telephone1": "42"}, headers=("If-Match: *",)).lines(),
        Operation("GET", f"{ACCOUNT}?$select=telephone1").lines(),
    )
    assert (answer.status, statuses(answer)) == (200, [204, 200])
    assert '"telephone1":"42"' in answer.text
    assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=batchresponse_")
    assert [entry["status"] for entry in sandbox.log[-1].operations] == [204, 200]


def test_a_change_set_refers_to_rows_it_made_in_bodies_and_urls(api: Api, sandbox: Sandbox) -> None:
    """Reference URIs in an operation: Content-ID, $1 in @odata.bind and in the URL."""
    answer = send(
        api,
        change_set(
            Operation("POST", "/api/data/v9.2/contacts", {"lastname": "Made"}, "1"),
            Operation("PATCH", ACCOUNT, {"primarycontactid@odata.bind": "$1"}, "2"),
            Operation("PATCH", "$1", {"firstname": "Just"}, "3"),
            Operation("POST", "$1/mag_account_contact_billingcontacts/$ref", {"@odata.id": f"accounts({ID['boom']})"}, "4"),
        ),
    )
    assert (answer.status, statuses(answer)) == (200, [204, 204, 204, 204])
    assert re.findall(r"Content-ID: (\d)", answer.text) == ["1", "2", "3", "4"]
    contact = sandbox.row("account", ID["boom"])["primarycontactid"]
    assert isinstance(contact, Reference)
    assert sandbox.row("contact", contact.id)["fullname"] == "Just Made"


def test_a_reference_also_works_to_a_row_that_was_answered(api: Api, sandbox: Sandbox) -> None:
    answer = send(
        api,
        change_set(
            Operation("POST", "/api/data/v9.2/contacts", {"lastname": "Made"}, "1", ("Prefer: return=representation",)),
            Operation("PATCH", ACCOUNT, {"primarycontactid@odata.bind": "$1"}, "2"),
        ),
    )
    assert statuses(answer) == [201, 204]
    contact = sandbox.row("account", ID["boom"])["primarycontactid"]
    assert isinstance(contact, Reference)
    assert sandbox.row("contact", contact.id)["lastname"] == "Made"


def test_an_action_in_a_change_set_makes_nothing_to_refer_to(api: Api) -> None:
    targets = {"Targets": [{"@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": "Made"}]}
    many = Operation("POST", "/api/data/v9.2/contacts/Microsoft.Dynamics.CRM.CreateMultiple", targets, "1")
    assert statuses(send(api, change_set(many))) == [200]
    assert "does not exist in the batch context" in send(api, change_set(many, Operation("PATCH", "$1", {}, "2"))).text


def test_a_reference_before_its_declaration_is_refused(api: Api) -> None:
    """Referencing a Content-ID before it has been declared gives 400."""
    answer = send(api, change_set(Operation("PATCH", ACCOUNT, {"primarycontactid@odata.bind": "$1"}, "2")))
    assert answer.status == 400
    assert "Content-ID Reference: '$1' does not exist in the batch context." in answer.text


def test_a_failing_operation_undoes_its_whole_change_set(api: Api, sandbox: Sandbox) -> None:
    """Change sets are atomic; the answer is the failed operation's alone."""
    answer = send(
        api,
        change_set(
            Operation("PATCH", ACCOUNT, {"telephone1": "42"}, "1"),
            Operation("POST", "/api/data/v9.2/contacts", {"lastname": "x" * 51}, "2"),
        ),
    )
    assert (answer.status, statuses(answer)) == (400, [400])
    assert "0x80044331" in answer.text
    assert sandbox.row("account", ID["boom"])["telephone1"] != "42"


def test_the_first_failure_ends_the_batch_and_is_its_status(api: Api, sandbox: Sandbox) -> None:
    """Handling errors: without odata.continue-on-error more requests are not processed."""
    wrong = Operation(
        "PATCH", "/api/data/v9.2/accounts(11111111-2222-4333-8444-555555555555)", {"name": "x"}, headers=("If-Match: *",)
    )
    answer = send(api, wrong.lines(), Operation("PATCH", ACCOUNT, {"telephone1": "42"}).lines())
    assert (answer.status, statuses(answer)) == (404, [404])
    assert sandbox.row("account", ID["boom"])["telephone1"] != "42"


def test_continue_on_error_runs_the_rest_and_answers_200(api: Api, sandbox: Sandbox) -> None:
    answer = send(
        api,
        change_set(Operation("PATCH", ACCOUNT, {"naam": "x"}, "1")),
        Operation("PATCH", ACCOUNT, {"telephone1": "42"}).lines(),
        Prefer="odata.continue-on-error",
    )
    assert (answer.status, statuses(answer)) == (200, [400, 204])
    assert sandbox.row("account", ID["boom"])["telephone1"] == "42"


def test_an_etag_guards_a_change_set(api: Api, sandbox: Sandbox) -> None:
    invoice = api.invoice()
    etag = api.get(f"invoices({invoice})?$select=name").json["@odata.etag"]
    parts = change_set(
        Operation("PATCH", f"/api/data/v9.2/invoices({invoice})", {"mag_xeroid": "x"}, "1", (f"If-Match: {etag}",)),
        Operation("POST", "/api/data/v9.2/mag_synchistories", {"mag_name": "Sync"}, "2"),
    )
    assert send(api, parts).status == 200
    again = send(api, parts)
    assert (again.status, statuses(again)) == (412, [412])
    assert "0x80060882" in again.text
    assert len(sandbox.rows("mag_synchistory")) == 1


@pytest.mark.parametrize("line_end", ["\n", "\r"])
def test_lines_must_end_with_crlf(api: Api, line_end: str) -> None:
    assert send(api, Operation("GET", ACCOUNT).lines(), line_end=line_end).status == 400


def test_a_change_set_holds_no_get_and_a_batch_no_batch(api: Api) -> None:
    assert send(api, change_set(Operation("GET", ACCOUNT, None, "1"))).status == 400
    assert send(api, Operation("POST", "/api/data/v9.2/$batch").lines()).status == 400


def test_a_batch_has_at_most_a_thousand_operations(api: Api) -> None:
    many = [Operation("GET", "/api/data/v9.2/WhoAmI").lines()] * 1001
    assert send(api, *many).status == 400
    assert len(statuses(send(api, *many[:20]))) == 20


@pytest.mark.parametrize("content_type", ["application/json", "multipart/mixed", "multipart/mixed; boundary=other"])
def test_a_body_that_does_not_match_its_content_type_is_refused(api: Api, content_type: str) -> None:
    assert api.send("POST", "$batch", b"--batch_b\r\n\r\n--batch_b--\r\n", Content_Type=content_type).status == 400


def test_a_batch_counts_as_one_request(api: Api) -> None:
    """Service protection API limits: a batch is one request to this limit."""
    before = int(api.get("WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"])
    after = send(api, *[Operation("GET", "/api/data/v9.2/WhoAmI").lines()] * 10)
    assert int(after.headers["x-ms-ratelimit-burst-remaining-xrm-requests"]) == before - 1
