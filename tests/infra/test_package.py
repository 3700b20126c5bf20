"""The deployment package: exactly what is needed, small, the same each time, and accepted by Microsoft's runtime."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from functions.flows import FLOWS
from scripts import package
from tests.test_function_app import settings

PROJECT = Path(__file__).parents[2]
TOPS = {"function_app.py", "host.json", "requirements.txt", "functions", "mappings", "shared", "solution"}
KINDS = {".py", ".html", ".css", ".js", ".svg", ".json"}
TOOLS = {"solution/contract.json", "solution/contract.py", "solution/guide.py", "solution/pictures.py"}
"""What only developing needs. The rest of solution/ is installed into Dynamics from the connect page."""
LARGEST = 500_000
"""Bytes. Installed packages come on top in Azure, not here."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package.build(target=tmp_path_factory.mktemp("package") / "app.zip")


def names(built: Path) -> list[str]:
    with zipfile.ZipFile(built) as content:
        return content.namelist()


def test_it_holds_exactly_what_the_app_needs(built):
    needed = {"function_app.py", "host.json", "requirements.txt"}
    for folder in TOPS - needed:
        for path in (PROJECT / folder).rglob("*"):
            if path.suffix in KINDS and "__pycache__" not in path.parts and path.name != "__main__.py":
                needed.add(path.relative_to(PROJECT).as_posix())
    needed -= TOOLS
    assert set(names(built)) == needed
    assert {name.partition("/")[0] for name in names(built)} == TOPS


def test_it_is_small(built):
    assert built.stat().st_size < LARGEST


def test_the_same_files_make_the_same_bytes(built, tmp_path):
    assert package.build(target=tmp_path / "again.zip").read_bytes() == built.read_bytes()


def test_no_secret_and_no_leftover_can_slip_in(tmp_path):
    (tmp_path / ".funcignore").write_text((PROJECT / ".funcignore").read_text(encoding="utf-8"), encoding="utf-8")
    wanted = ["function_app.py", "functions/x.py", "mappings/local.py", "shared/deep/y.py"]
    unwanted = """
        local.settings.json local.settings.prod.json .env .azure/prod/.env .venv/lib/x.py .git/config .github/workflows/ci.yml tests/t.py
        functions/__pycache__/x.cpython-311.pyc functions/notes.md docs/a.md infra/main.bicep solution/pictures.py sandbox/x.py dist/app.zip
        requirements-dev.txt requirements.in requirements-dev.in mappings/__main__.py __azurite_db_queue__.json __blobstorage__/x scripts/x.py
    """.split()  # noqa: SIM905
    for path in (*wanted, *unwanted):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x", encoding="utf-8")
    assert set(package.files(tmp_path)) == set(wanted)


def test_a_pattern_nobody_understands_is_refused(tmp_path):
    (tmp_path / ".funcignore").write_text("tests\n!tests/keep.py\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"!tests/keep\.py is not understood"):
        list(package.files(tmp_path))


def test_microsofts_runtime_indexes_the_package_alone(built, tmp_path):
    app = tmp_path / "app"
    with zipfile.ZipFile(built) as content:
        content.extractall(app)
    script, runtime = PROJECT / "tests" / "infra" / "index_package.py", PROJECT / "tests" / "functions_runtime.py"
    env = {**os.environ, **settings("UseDevelopmentStorage=true")}
    done = subprocess.run([sys.executable, script, app, runtime], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["strays"] == []
    assert {"tick", "keep-alive", "sweeps", "health", "connect", *(flow.name for flow in FLOWS)} <= set(told["functions"])


def pinned(name: str) -> set[str]:
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    return {found[1].lower().replace("_", "-") for line in lines if (found := re.match(r"([A-Za-z0-9._-]+)==", line))}


def test_everything_the_package_imports_is_in_requirements_txt(built):
    distributions, given = packages_distributions(), pinned("requirements.txt")
    with zipfile.ZipFile(built) as content:
        trees = {name: ast.parse(content.read(name)) for name in content.namelist() if name.endswith(".py")}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                modules = [node.module]
            for module in (module.partition(".")[0] for module in modules):
                if module in sys.stdlib_module_names or module in TOPS:
                    continue
                known = {one.lower().replace("_", "-") for one in distributions.get(module, [])}
                assert known & given, f"{name} imports {module}, which requirements.txt does not install"


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_holds_what_its_source_asks_for(name):
    wanted = pinned(name.replace(".txt", ".in"))
    assert wanted
    assert wanted <= pinned(name)
    source, lock = ((PROJECT / one).read_text(encoding="utf-8") for one in (name.replace(".txt", ".in"), name))
    for line in source.splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line):
            spelled = found[1].lower().replace("_", "-")
            assert f"\n{spelled}=={found[2]} " in lock.lower(), f"{name} is older than its source: {line}"


def test_both_locks_agree():
    texts = [(PROJECT / name).read_text(encoding="utf-8") for name in ("requirements.txt", "requirements-dev.txt")]
    ours, dev = ({block.split(" ", 1)[0].split("==")[0]: block for block in re.split(r"\n(?=\w)", text)[1:]} for text in texts)
    for name in ours.keys() & dev.keys():
        assert ours[name].split("\\")[0].split(";")[0].strip() == dev[name].split("\\")[0].split(";")[0].strip()
