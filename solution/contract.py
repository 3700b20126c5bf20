"""The model as a small JSON file, which the tests of the mappings hold against their rows."""

import json
from typing import Any

from solution.model import MODEL, TableModel
from solution.schema import CHOICES


def contract() -> str:
    """Write what a row may name: per table its columns and their types, lookups, collections and keys; per choice its values.

    Shape: `{"tables": {table: {"entity_set", "key", "columns": {column: type}, "lookups": {column: {target: navigation}},
    "collections": {navigation: table}, "keys": {key: [column]}}}, "choices": {choice: {key: value}}}`.
    """
    document = {
        "tables": {name: _table(table) for name, table in MODEL.items()},
        "choices": {choice.name: choice.values for choice in CHOICES},
    }
    return json.dumps(document, indent=1) + "\n"


def _table(table: TableModel) -> dict[str, Any]:
    collections = {**table.one_to_many, **table.many_to_many}
    return {
        "entity_set": table.entity_set,
        "key": table.key,
        "columns": {column.name: column.type for column in table.columns.values()},
        "lookups": {column.name: column.navigation for column in table.columns.values() if column.is_lookup},
        "collections": {navigation: other for navigation, (other, _) in collections.items()},
        "keys": table.keys,
    }
