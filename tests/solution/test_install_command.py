"""The commands as a person types them, from signing in to the exit code."""

import re
import threading

import pytest
import requests

from sandbox.dataverse.demo_company import SETUP_CLIENT_ID
from sandbox.dataverse.environment import derived_id
from sandbox.dataverse.store import Reference
from sandbox.entra import Application
from solution.__main__ import main
from solution.install.problem import Problem
from solution.install.sign_in import signed_in
from solution.model import MODEL
from solution.publisher import VERSION
from tests.solution.environments import ADMINISTRATOR, CLIENT_ID, SALESPERSON, Place

INSTALLER, SECRET = derived_id("application", "installer"), "secret-of-the-installer"


def settings(place: Place, monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    """Set the environment variables of a run, and none of this machine's."""
    given = {"DATAVERSE_TENANT_ID": place.sandbox.directory.tenant, "DATAVERSE_AUTHORITY_URL": place.url, **more}
    for name in ("INSTALL_CLIENT_ID", "INSTALL_CLIENT_SECRET", "INSTALL_ACCESS_TOKEN", "DATAVERSE_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def by_application(bare: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An application of its own may customize the bare environment."""
    bare.sandbox.directory.register(Application(INSTALLER, "Installer", secrets={SECRET}))
    user = bare.sandbox.environment.seed("systemuser", applicationid=INSTALLER, lastname="Installer")
    administrator = Reference("role", derived_id("role", "administrator"))
    bare.sandbox.environment.store.link("systemuserroles", Reference("systemuser", user), administrator)
    settings(bare, monkeypatch, INSTALL_CLIENT_ID=INSTALLER, INSTALL_CLIENT_SECRET=SECRET)
    monkeypatch.setattr(bare.sandbox.environment, "import_time", bare.sandbox.environment.import_time * 0)
    monkeypatch.setattr(bare.sandbox.environment, "index_time", bare.sandbox.environment.index_time * 0)
    return bare


def test_the_whole_life_of_an_installation(by_application: Place, capsys: pytest.CaptureFixture[str], monkeypatch):
    place = by_application
    monkeypatch.setenv("DATAVERSE_WEBHOOK_SECRET", "key")
    where, more = (
        ["--environment", place.url],
        ["--client-id", CLIENT_ID, "--webhook-url", "https://x.example/webhooks/dataverse"],
    )

    assert main(["install", *where, "--check"]) == 1
    assert "mag_xeroconnector is not installed in" in capsys.readouterr().out
    assert main(["install", *where, *more]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"mag_xeroconnector {VERSION} is installed and complete."
    assert main(["check", *where, *more]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing differs."
    assert main(["upgrade", *where]) == 0
    assert "with nothing missing" in capsys.readouterr().out

    monkeypatch.setattr("builtins.input", lambda asked: "no")
    assert main(["uninstall", *where]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing was changed."
    assert set(place.sandbox.environment.model) >= set(MODEL)
    assert main(["uninstall", *where, "--yes"]) == 0
    assert not [name for name in place.sandbox.environment.model if name.startswith("mag_")]


def test_a_problem_is_told_with_the_step_to_take(by_application: Place, capsys: pytest.CaptureFixture[str]):
    assert main(["upgrade", "--environment", by_application.url]) == 1

    told = capsys.readouterr().err
    assert "The solution is not installed here." in told
    assert "→ Run `python -m solution install` instead." in told


def test_a_wrong_secret_is_told_as_entra_tells_it(by_application: Place, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("INSTALL_CLIENT_SECRET", "wrong")

    assert main(["check", "--environment", by_application.url]) == 1

    assert "AADSTS7000215" in capsys.readouterr().err


def test_a_token_from_elsewhere_serves(bare: Place, capsys: pytest.CaptureFixture[str], monkeypatch):
    settings(bare, monkeypatch, INSTALL_ACCESS_TOKEN=bare.sandbox.person_token(SALESPERSON))

    assert main(["install", "--environment", bare.url]) == 1

    assert "System Administrator or System Customizer" in capsys.readouterr().err


@pytest.mark.parametrize("allowed", [True, False])
def test_a_person_signs_in_with_a_code(bare: Place, allowed: bool):
    directory = bare.sandbox.directory
    wanted = {"INSTALL_CLIENT_ID": SETUP_CLIENT_ID, "DATAVERSE_TENANT_ID": directory.tenant, "DATAVERSE_AUTHORITY_URL": bare.url}
    person = next(person for person in directory.people.values() if person.username == ADMINISTRATOR)

    def go_to_the_page(message: str) -> None:
        found = re.search(r"open the page (\S+) and enter the code (\w+)", message)
        assert found
        form = {"code": found[2], "person": person.object_id if allowed else ""}
        threading.Thread(target=lambda: requests.post(found[1], data=form, timeout=10)).start()

    if not allowed:
        with pytest.raises(Problem, match="AADSTS65004"):
            signed_in(bare.url, wanted, go_to_the_page)
        return
    token = signed_in(bare.url, wanted, go_to_the_page)
    answer = requests.get(f"{bare.url}/api/data/v9.2/WhoAmI", headers={"Authorization": f"Bearer {token()}"}, timeout=10)
    assert answer.status_code == 200


@pytest.mark.parametrize("command", ["install", "check", "upgrade", "uninstall"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])

    assert left.value.code == 0
    assert "INSTALL_CLIENT_SECRET" in capsys.readouterr().out
