"""The check against Xero's OpenAPI file finds what it is for, shown on a file of three lines' worth."""

from typing import Any

import pytest

from sandbox.xero.openapi_check import Call, Contract, answers, check

FILE = """
paths:
  /Things:
    get:
      responses:
        "200": {$ref: "#/components/responses/Things"}
        "204": {}
components:
  responses:
    Things: {content: {application/json: {schema: {$ref: "#/components/schemas/Things"}}}}
  schemas:
    Things: {type: object, properties: {Things: {type: array, items: {$ref: "#/components/schemas/Thing"}}}}
    Thing:
      type: object
      properties:
        ThingID: {type: string, format: uuid}
        Amount: {type: number}
        Date: {type: string, x-is-msdate: true}
"""
RIGHT = {"ThingID": "8f9fa7a6-fb58-41ed-bd06-b658e68c6a97", "Amount": 1.5, "Date": "/Date(1782604800000+0000)/"}


def problems(**changes: Any) -> Any:
    return Contract(FILE).problems(Call("GET", "/Things", "/Things"), 200, {"Things": [{**RIGHT, **changes}]})


def test_a_right_answer_has_no_problem():
    assert problems() == []


def test_each_deviation_is_found_with_its_place():
    for field, value in {"Amont": 1.5, "Amount": "1.50", "Date": "2026-06-28", "ThingID": "seven"}.items():
        [problem] = problems(**{field: value})
        assert problem.startswith("GET /Things 200: Things[0]")


def test_a_body_where_none_belongs_is_found():
    contract, call = Contract(FILE), Call("GET", "/Things", "/Things")
    assert contract.problems(call, 204, None) == []
    assert contract.problems(call, 204, {})


def test_every_call_of_the_check_is_answered_as_it_expects():
    assert [(call, answer.status_code) for call, answer in answers() if answer.status_code != call.status] == []


def test_a_file_that_is_not_xeros_is_no_check():
    with pytest.raises(KeyError):
        check(FILE)
