"""azure.yaml and the GitHub workflows: what they run exists, and nobody gets a right too many."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.infra.bicep import INFRA, read

PROJECT = Path(__file__).parents[2]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (PROJECT / ".github/workflows").glob("*.yml")
}
STEPS = [
    pytest.param(step, id=f"{name} {job} {number}")
    for name, workflow in WORKFLOWS.items()
    for job, one in workflow["jobs"].items()
    for number, step in enumerate(one["steps"])
]
PUBLISHERS = {"actions", "azure", "Azure"}


def test_there_is_one_to_check_one_to_deploy_and_one_to_release():
    assert set(WORKFLOWS) == {"ci", "deploy", "release"}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_runs_files_that_are_there(step: dict[str, Any]):
    for line in step.get("run", "").splitlines():
        words = shlex.split(line, comments=True)
        for before, word in zip(["", *words], words, strict=False):
            if re.fullmatch(r"[\w/-]+\.(py|bicep|bicepparam|txt|md)", word) and before not in ("--output-file", "--outfile"):
                assert (PROJECT / word).exists(), word
            if word in ("solution", "sandbox") and before == "-m":
                assert (PROJECT / word / "__main__.py").exists()


@pytest.mark.parametrize("step", STEPS)
def test_actions_come_from_their_own_publishers_in_a_fixed_version(step: dict[str, Any]):
    if "uses" in step:
        publisher, _, rest = step["uses"].partition("/")
        assert publisher in PUBLISHERS
        assert re.fullmatch(r"[\w/-]+@(v\d+|[0-9a-f]{40})", rest)
    if str(step.get("uses", "")).startswith("actions/checkout"):
        assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", WORKFLOWS)
def test_rights_are_named_and_few(name: str):
    workflow = WORKFLOWS[name]
    rights = [workflow["permissions"], *(job["permissions"] for job in workflow["jobs"].values() if "permissions" in job)]
    may_write = {right for some in rights for right, level in some.items() if level == "write"}
    assert may_write == {"ci": set(), "deploy": {"id-token"}, "release": {"contents", "id-token", "attestations"}}[name]


def test_azure_is_signed_in_to_without_a_password():
    text = (PROJECT / ".github/workflows/deploy.yml").read_text(encoding="utf-8")
    (login,) = [
        step for step in WORKFLOWS["deploy"]["jobs"]["deploy"]["steps"] if str(step.get("uses", "")).startswith("azure/login")
    ]
    assert set(login["with"]) == {"client-id", "tenant-id", "subscription-id"}
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"XERO_CLIENT_SECRET", "XERO_WEBHOOK_KEY"}


def test_nothing_a_stranger_can_write_is_pasted_into_a_script():
    for param in STEPS:
        step: Any = param.values[0]
        assert "${{" not in step.get("run", ""), "hand it over as an environment variable"


def test_every_python_the_deployment_offers_is_tested():
    offered = read(INFRA / "main.bicep").params["pythonVersion"].decorators["allowed"][0]
    assert WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"] == offered


def test_ci_compiles_and_lints_bicep_audits_and_lists_what_is_in_it():
    runs = [step.get("run", "") for job in WORKFLOWS["ci"]["jobs"].values() for step in job["steps"]]
    for wanted in (
        "az bicep build --file infra/main.bicep",
        "az bicep lint",
        "az bicep build-params",
        "pip-audit",
        "cyclonedx-py",
    ):
        assert any(wanted in run for run in runs), wanted


def test_the_release_carries_the_solutions_the_package_and_the_list_of_its_parts():
    runs = "\n".join(step.get("run", "") for step in WORKFLOWS["release"]["jobs"]["release"]["steps"])
    for wanted in ("-m solution build", "dev.py package", "dist/sbom.cdx.json", "SHA256SUMS", "gh release create"):
        assert wanted in runs, wanted


def test_the_environment_the_workflow_sets_is_what_the_sample_reads():
    read_by_us = set(re.findall(r"readEnvironmentVariable\('(\w+)'", (INFRA / "main.bicepparam").read_text(encoding="utf-8")))
    steps = WORKFLOWS["deploy"]["jobs"]["deploy"]["steps"]
    (resources,) = [step for step in steps if step.get("name") == "Resources"]
    given = {*WORKFLOWS["deploy"]["jobs"]["deploy"]["env"], *resources["env"], *re.findall(r"export (\w+)", resources["run"])}
    assert read_by_us - given <= {"VAULT_OFFICER_OBJECT_ID"}
    assert given - read_by_us == {"GROUP"}


def test_azd_deploys_this_folder_and_its_hooks_are_there():
    azure = yaml.safe_load((PROJECT / "azure.yaml").read_text(encoding="utf-8"))
    assert azure["services"] == {"connector": {"project": ".", "language": "python", "host": "function"}}
    assert (PROJECT / azure["infra"]["path"] / f"{azure['infra']['module']}.bicep").exists()
    steps = {name: hook["posix"]["run"].split()[1:] for name, hook in azure["hooks"].items()}
    script = "scripts/deployment.py"
    assert steps == {"preprovision": [script, "prepare"], "postprovision": [script, "register"], "postdeploy": [script, "verify"]}
    for hook in azure["hooks"].values():
        assert hook["posix"]["run"].split()[1:] == hook["windows"]["run"].split()[1:]
