"""What is generated from the schema is current, and the command that makes it explains itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from solution.contract import contract
from solution.guide import data_model
from solution.schema import CHOICES, TABLES
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("path", "make", "command"),
    [("docs/data-model.md", data_model, "data-model"), ("solution/contract.json", contract, "contract")],
)
def test_the_generated_file_is_current(path, make, command):
    assert (ROOT / path).read_text("utf-8") == make(), f"stale: run `python -m solution {command} > {path}`"


def test_the_guide_holds_every_column_and_choice():
    guide = data_model()
    for table in TABLES:
        for column in table.columns:
            assert f"| `{column.name}` | {column.label}" in guide
            assert column.description in guide
    for choice in CHOICES:
        assert f"### {choice.name}\n" in guide


def test_every_link_in_the_guide_leads_to_a_heading():
    guide = data_model()
    links = {part.split(")")[0] for part in guide.split("](#")[1:]}
    headings = {line.lstrip("#").strip() for line in guide.splitlines() if line.startswith("#")}
    assert links <= headings


def test_the_contract_says_what_a_mapping_may_name():
    found = json.loads(contract())
    invoice = found["tables"]["invoice"]
    assert invoice["columns"]["mag_xerotax"] == "money"
    assert invoice["lookups"]["customerid"] == {"account": "customerid_account", "contact": "customerid_contact"}
    assert invoice["collections"]["invoice_details"] == "invoicedetail"
    assert found["tables"]["invoicedetail"]["collections"]["mag_invoicedetail_trackingoption"] == "mag_trackingoption"
    assert found["choices"]["mag_exportstatus"]["failed"] == 411140002


@pytest.mark.parametrize(
    ("arguments", "code", "stream"),
    [([], 0, "stdout"), (["--help"], 0, "stdout"), (["zip"], 2, "stderr"), (["contract", "x"], 2, "stderr")],
)
def test_without_a_known_command_the_usage_is_printed(arguments, code, stream):
    done = _run(*arguments)
    assert done.returncode == code
    assert b"python -m solution data-model" in getattr(done, stream)


@pytest.mark.parametrize(("command", "make"), [("data-model", data_model), ("contract", contract)])
def test_a_command_prints_its_document_in_utf_8_with_unix_line_ends(command, make):
    assert _run(command).stdout == make().encode()


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "solution", *arguments], cwd=ROOT, capture_output=True, timeout=PATIENCE, check=False
    )
