"""Ids are given once and for ever: a changed id is a new component to Dataverse, and the old one stays behind.

When a component is added: `python -m tests.solution.test_zip_ids > tests/solution/ids.golden.json`, and look at the difference.
"""

import json
import sys
from pathlib import Path

from tests.solution.export import customizations, entities, found, text

GOLDEN = Path(__file__).with_name("ids.golden.json")


def ids() -> dict[str, str]:
    """Return the id of every component that has one, by its kind, table and name."""
    root = customizations()
    known = {f"role/{role.get('name')}": str(role.get("id")) for role in found(root, "Roles")}
    known |= {f"webresource/{text(one, 'Name')}": text(one, "WebResourceId") for one in found(root, "WebResources")}
    for entity in entities().values():
        for type_, form in entity.forms:
            known[f"form/{entity.name}/{type_}/{_name(form)}"] = text(form, "formid")
        for view in entity.views:
            known[f"view/{entity.name}/{_name(view)}"] = text(view, "savedqueryid")
    return dict(sorted(known.items()))


def _name(element) -> str:
    return str(found(element, "LocalizedNames/LocalizedName").get("description"))


def test_ids_are_the_ones_first_given():
    golden = json.loads(GOLDEN.read_text("utf-8"))
    now = ids()
    assert {name: now.get(name) for name in golden} == golden, "an id changed or a component is gone"
    assert set(now) == set(golden), "a new component: add it to the golden list"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ids(), indent=1, ensure_ascii=False) + "\n")
