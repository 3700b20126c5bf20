"""The zip is a solution file as Dataverse writes them: names, order, manifest, nothing that depends on when it was built."""

import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest

from solution.build import package
from tests.patience import PATIENCE
from tests.solution.export import archive, customizations, entities, found, manifest, misplaced, text, xml

ROOT = Path(__file__).parents[2]
BRACED = re.compile(r"\{[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\}")


@pytest.mark.parametrize("managed", [False, True])
def test_building_twice_gives_the_same_bytes(managed):
    first = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; from solution.build import package; sys.stdout.buffer.write(package(managed={managed}))",
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=PATIENCE,
        env=os.environ | {"PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland"},
    )
    assert first.stdout == package(managed=managed)


def test_managed_and_unmanaged_differ_in_one_figure():
    one, other = (archive(managed=managed) for managed in (False, True))
    assert one.namelist() == other.namelist()
    differing = [name for name in one.namelist() if one.read(name) != other.read(name)]
    assert differing == ["solution.xml"]
    assert one.read("solution.xml").replace(b"<Managed>0<", b"<Managed>1<") == other.read("solution.xml")


def test_the_archive_holds_files_only_with_plain_names_and_no_time_of_its_own():
    infos = archive(managed=False).infolist()
    names = [info.filename for info in infos]
    assert names == sorted(names)
    assert {"[Content_Types].xml", "solution.xml", "customizations.xml"} <= set(names)
    assert not [name for name in names if name.endswith("/") or "\\" in name or name.startswith("/")]
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {(info.create_system, info.flag_bits) for info in infos} == {(0, 0)}


def test_every_file_of_the_archive_has_a_content_type():
    types = xml("[Content_Types].xml")
    space = "{http://schemas.openxmlformats.org/package/2006/content-types}"
    extensions = {default.get("Extension") for default in types.findall(f"{space}Default")}
    parts = {override.get("PartName") for override in types.findall(f"{space}Override")}
    for name in archive(managed=False).namelist():
        assert name == "[Content_Types].xml" or name.rpartition(".")[2] in extensions or f"/{name}" in parts


@pytest.mark.parametrize("name", ["customizations.xml", "solution.xml"])
def test_children_come_in_the_order_of_real_exports(name):
    assert list(misplaced(xml(name))) == []


def test_a_child_out_of_place_is_noticed():
    solution = xml("solution.xml")
    publisher = found(solution, "SolutionManifest/Publisher")
    first = publisher[0]
    publisher.remove(first)
    publisher.append(first)
    try:
        assert len(list(misplaced(solution))) == 1
    finally:
        publisher.remove(first)
        publisher.insert(0, first)


def test_the_manifest_names_solution_publisher_and_prefixes():
    said = manifest()
    assert text(said, "UniqueName") == "mag_xeroconnector"
    assert text(said, "Publisher/CustomizationPrefix") == "mag"
    assert text(said, "Publisher/CustomizationOptionValuePrefix") == "41114"
    assert len(said.findall("Publisher/Addresses/Address")) == 2
    assert [text(manifest(managed=managed), "Managed") for managed in (False, True)] == ["0", "1"]


def test_the_solution_has_the_version_of_the_product():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert text(manifest(), "Version") == f"{version}.0"


def test_every_component_is_a_root_component_and_no_other():
    """Of Dynamics 365's own tables, the shell (2) and our forms one by one; everything of our own tables comes with them (0)."""
    root = customizations()
    expected = {("1", name, "0" if entity.ours else "2") for name, entity in entities().items()}
    expected |= {("9", str(choice.get("Name")), "0") for choice in found(root, "optionsets")}
    expected |= {("20", str(role.get("id")), "0") for role in found(root, "Roles")}
    expected |= {
        ("60", text(form, "formid"), "0") for entity in entities().values() if not entity.ours for _, form in entity.forms
    }
    expected |= {("61", text(resource, "Name"), "0") for resource in found(root, "WebResources")}
    expected |= {("62", text(site_map, "SiteMapUniqueName"), "0") for site_map in found(root, "AppModuleSiteMaps")}
    expected |= {("80", text(app, "UniqueName"), "0") for app in found(root, "AppModules")}
    components = [
        (component.get("type"), component.get("schemaName") or component.get("id"), component.get("behavior"))
        for component in found(manifest(), "RootComponents")
    ]
    assert len(components) == len(set(components))
    assert set(components) == expected


def test_every_id_is_a_guid_of_its_own():
    root = customizations()
    ids = [str(element.text) for tag in ("formid", "savedqueryid", "WebResourceId") for element in root.iter(tag) if element.text]
    ids = [id_ for id_ in ids if id_.startswith("{")]
    ids += [str(role.get("id")) for role in found(root, "Roles")]
    ids += [str(element.get("id")) for tag in ("tab", "section", "header") for element in root.iter(tag)]
    ids += [str(cell.get("id")) for cell in root.iter("cell") if cell.get("id")]
    ids += [str(handler.get("handlerUniqueId")) for handler in root.iter("Handler")]
    assert [id_ for id_ in ids if not BRACED.fullmatch(id_)] == []
    assert [id_ for id_, n in Counter(ids).items() if n > 1] == []
    assert all(UUID(id_).version == 5 for id_ in ids)


def test_web_resources_are_in_the_archive_and_of_a_kind_dataverse_knows():
    for resource in found(customizations(), "WebResources"):
        content = archive(managed=False).read(text(resource, "FileName").lstrip("/"))
        assert content
        assert b"\r" not in content
        assert text(resource, "WebResourceType") == {"js": "3", "svg": "11"}[text(resource, "Name").rpartition(".")[2]]
        assert text(resource, "Name").startswith("mag_")


def test_the_icon_of_the_app_is_one_of_the_web_resources():
    icon = text(found(customizations(), "AppModules/AppModule"), "WebResourceId")
    resources = {text(resource, "WebResourceId"): resource for resource in found(customizations(), "WebResources")}
    assert text(resources[f"{{{icon}}}"], "WebResourceType") == "11"


def test_build_writes_what_it_says(tmp_path):
    for arguments, names in (
        ((), ["mag_xeroconnector_0_1_0_0.zip", "mag_xeroconnector_0_1_0_0_managed.zip"]),
        (("--managed",), ["mag_xeroconnector_0_1_0_0_managed.zip"]),
        (("--unmanaged",), ["mag_xeroconnector_0_1_0_0.zip"]),
    ):
        out = tmp_path / "-".join(("out", *arguments))
        done = subprocess.run(
            [sys.executable, "-m", "solution", "build", "--out", str(out), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        assert sorted(path.name for path in out.iterdir()) == names
        assert all(name in done.stdout for name in names)
        for path in out.iterdir():
            assert path.read_bytes() == package(managed="managed" in path.name)
