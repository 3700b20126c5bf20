"""What an environment with Dynamics 365 Sales and the solution has: Microsoft's tables as published, ours as the zip lists them."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from solution import standard
from tests.solution.export import customizations, entities, found, text

EDM = {
    "Edm.Guid": "uniqueidentifier",
    "Edm.String": "nvarchar/text",
    "Edm.Int32": "int",
    "Edm.Int64": "bigint",
    "Edm.Decimal": "decimal",
    "Edm.Double": "float",
    "Edm.Boolean": "bit",
    "Edm.DateTimeOffset": "datetime",
    "Edm.Date": "datetime",
}
OF_DYNAMICS = {"invoice_details": ("invoice", "invoicedetail")}


@cache
def _published() -> dict[str, Any]:
    found_ = json.loads(files("solution").joinpath("standard.json").read_text("utf-8"))
    return {name: table for name, table in found_.items() if name != "_source"}


def tables() -> set[str]:
    """Return the logical names of all tables."""
    return set(_published()) | set(entities())


@cache
def columns(table: str) -> dict[str, str]:
    """Return each column with its kind in a solution file; texts with their format: nvarchar/url."""
    known = {}
    for name, edm in _published().get(table, {"columns": {}})["columns"].items():
        lookup = name.startswith("_")
        column = name.removeprefix("_").removesuffix("_value") if lookup else name
        known[column] = "lookup" if lookup else _standard_kind(table, column, edm)
    if table in entities():
        for attribute in entities()[table].attributes.values():
            kind = attribute.kind
            known[attribute.name] = f"nvarchar/{attribute.Format}" if kind == "nvarchar" else kind
    return known


def _standard_kind(table: str, column: str, edm: str) -> str:
    """Tell kinds apart that share an Edm type, by what Microsoft's table reference says of the column."""
    if column == "statecode":
        return "state"
    if column == "statuscode":
        return "status"
    if f"{column}_base" in _published()[table]["columns"] or column.endswith("_base"):
        return "money"
    if edm == "Edm.Int32" and column.endswith("code"):
        return "picklist"
    said = standard.said(table, column).type
    if edm == "Edm.String" and said and said.kind == "memo":
        return "ntext"
    if edm == "Edm.String" and said and said.format:
        return f"nvarchar/{said.format.lower()}"
    return EDM[edm]


@cache
def relationships() -> dict[str, tuple[str, str]]:
    """Return the two tables of each relationship that leads to or from a table of ours: one and many."""
    known = dict(OF_DYNAMICS)
    for relationship in found(customizations(), "EntityRelationships"):
        many_to_many = text(relationship, "EntityRelationshipType") == "ManyToMany"
        ends = ("FirstEntityName", "SecondEntityName") if many_to_many else ("ReferencedEntityName", "ReferencingEntityName")
        one, many = (text(relationship, tag).lower() for tag in ends)
        known[str(relationship.get("Name"))] = (one, many)
    return known
