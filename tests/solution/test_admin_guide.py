"""The guide says what is in the solution, by its names and figures."""

import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element

from solution.__main__ import TOOLS
from tests.solution.export import customizations, entities, found, text

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "admin-guide.md").read_text("utf-8")
USUAL = ("Active ", "Inactive ", "Quick Find ")
SHOWN_ON_FORMS = {
    "Billing Contacts",
    "Credit Notes of an Invoice",
    "Invoice Lines with Xero Coding",
    "Payments of an Invoice",
    "Sync History of a Record",
}


def _names(elements: Iterable[Element]) -> set[str]:
    return {str(found(element, "LocalizedNames/LocalizedName").get("description")) for element in elements}


def test_every_role_and_every_form_on_a_table_of_dynamics_is_named():
    for role in found(customizations(), "Roles"):
        assert f"**{role.get('name')}**" in GUIDE
    forms = [form for entity in entities().values() if not entity.ours for type_, form in entity.forms if type_ == "main"]
    assert all(f"**{name}**" in GUIDE for name in _names(forms))


def test_every_list_people_work_from_is_named():
    views = _names(view for entity in entities().values() for view in entity.views if text(view, "querytype") == "0")
    work = {name for name in views if not name.startswith(USUAL)} - SHOWN_ON_FORMS
    assert len(work) >= 15
    assert [name for name in sorted(work) if name not in GUIDE] == []


def test_the_figures_of_the_checklist_are_those_of_the_solution():
    root = customizations()
    ours = [entity for entity in entities().values() if entity.ours]
    line = (
        f"lists {len(ours)} tables of its own and Invoice, Invoice Product, Account, Contact; {len(found(root, 'optionsets'))} choices; "
        f"{len(found(root, 'Roles'))} roles; 1 app with its site map; {len(found(root, 'WebResources'))} web resources"
    )
    assert line in GUIDE


def test_it_says_plainly_that_no_live_import_has_been_done():
    assert "Nobody has imported them into a\n> live environment yet." in GUIDE


def test_every_command_it_names_exists():
    named = set(re.findall(r"python -m solution (\w[\w-]*)", GUIDE))
    assert {"build", "install", "check", "pictures"} <= named
    assert named <= set(TOOLS)


def test_every_link_leads_somewhere():
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in GUIDE.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        assert not path or (DOCS / path).is_file(), target
        if anchor:
            assert anchor in anchors if not path else f"## {anchor}\n" in (DOCS / path).read_text("utf-8"), target
