"""Write resource-types.json: what the resource types that infra/ uses allow, from Microsoft's own Bicep types.

    python -m tests.infra.resource_types FOLDER...

The folders hold types.json files of github.com/Azure/bicep-types-az (MIT licence), under any names. Run it when a Bicep file takes a new
resource type or API version; the tests say when. Each type is a property tree: [flags, type], 1 is required and 2 read-only.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.infra.bicep import INFRA, read

TARGET = Path(__file__).with_name("resource-types.json")
DEEPEST = 9
REQUIRED, READ_ONLY = 1, 2
PRIMITIVES = {"StringType": "string", "IntegerType": "int", "BooleanType": "bool"}


def main(folders: list[str]) -> int:
    """Find each type in the folders and write the trees."""
    wanted = {
        resource.type for path in sorted(INFRA.glob("*.bicep")) for resource in read(path).resources.values() if resource.type
    }
    found: dict[str, Any] = {}
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.json")):
        types = json.loads(path.read_text(encoding="utf-8"))
        for one in types:
            if one["$type"] == "ResourceType" and one["name"] in wanted:
                found[one["name"]] = _tree(types, one["body"], 0)
    missing = sorted(wanted - set(found))
    if missing:
        print(f"No types were found for {', '.join(missing)}.", file=sys.stderr)
        return 1
    lines = [f"{json.dumps(name)}: {json.dumps(found[name], sort_keys=True, separators=(',', ':'))}" for name in sorted(found)]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return 0


def _tree(types: list[Any], ref: dict[str, str], depth: int) -> Any:
    one = types[int(ref["$ref"][2:])]
    kind = one["$type"]
    if kind in PRIMITIVES:
        return PRIMITIVES[kind]
    if kind == "StringLiteralType":
        return {"one of": [one["value"]]}
    if kind == "UnionType":
        words = [types[int(element["$ref"][2:])] for element in one["elements"]]
        return {"one of": [word["value"] for word in words if "value" in word]}  # an open one too: a new word is to be looked at
    if depth >= DEEPEST:
        return "any"
    if kind == "ArrayType":
        return {"list of": _tree(types, one["itemType"], depth + 1)}
    if kind == "ObjectType":
        tree: dict[str, Any] = {"properties": _properties(types, one["properties"], depth)}
        if "additionalProperties" in one:
            tree["others"] = _tree(types, one["additionalProperties"], depth + 1)
        return tree
    if kind == "DiscriminatedObjectType":
        cases = {
            name: _properties(types, {**one["baseProperties"], **types[int(element["$ref"][2:])]["properties"]}, depth)
            for name, element in one["elements"].items()
        }
        return {"by": one["discriminator"], "cases": cases}
    return "any"


def _properties(types: list[Any], properties: dict[str, Any], depth: int) -> dict[str, Any]:
    return {
        name: [one["flags"] & 3, "any" if one["flags"] & READ_ONLY else _tree(types, one["type"], depth + 1)]
        for name, one in properties.items()
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
