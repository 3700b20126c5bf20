"""Tables, columns, keys, relationships and choices as the metadata Web API takes them, made from the schema.

Sources: Microsoft Learn, "Create and update table definitions using the Web API", "… column definitions …", "… relationship
definitions …", "… choices …"; Web API reference, EntityMetadata and AttributeMetadata types.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from solution.publisher import LANGUAGE
from solution.table import Choice, Column, Key, ManyToMany, Table, entity_set, relationship

Json = dict[str, Any]
CRM = "Microsoft.Dynamics.CRM."
# fmt: off
KINDS: Mapping[str, str] = {
    "text": "String", "memo": "Memo", "integer": "Integer", "decimal": "Decimal", "money": "Money", "boolean": "Boolean",
    "date": "DateTime", "datetime": "DateTime", "choice": "Picklist", "lookup": "Lookup",
}
# fmt: on
APART = frozenset({"@odata.type", "OptionSet", "GlobalOptionSet@odata.bind", "SchemaName"})  # compared in their own way
NO_DEFAULT = -1


def label(text: str) -> Json:
    """Return a text as a Label in the solution's language."""
    one = {"@odata.type": f"{CRM}LocalizedLabel", "Label": text, "LanguageCode": int(LANGUAGE)}
    return {"@odata.type": f"{CRM}Label", "LocalizedLabels": [one]}


def choice(found: Choice) -> Json:
    """Return a global choice."""
    return {
        "@odata.type": f"{CRM}OptionSetMetadata",
        "Name": found.name,
        "DisplayName": label(found.label),
        "Description": label(found.description),
        "IsGlobal": True,
        "OptionSetType": "Picklist",
        "Options": list(options(found).values()),
    }


def options(found: Choice) -> dict[int, Json]:
    """Return the options of a choice by value."""
    values = found.values
    return {
        values[key]: {"Value": values[key], "Label": label(shown), "Description": label(about)}
        for _, key, shown, about in found.options
    }


def table(found: Table) -> Json:
    """Return a table with its primary name, which is its first text column."""
    (primary,) = (column for column in found.columns if column.name == "mag_name")
    return {
        "@odata.type": f"{CRM}EntityMetadata",
        "SchemaName": found.name,
        "EntitySetName": entity_set(found.name),
        "DisplayName": label(found.label),
        "DisplayCollectionName": label(found.plural),
        "Description": label(found.description),
        "OwnershipType": found.ownership.value,
        "ChangeTrackingEnabled": True,
        "IsActivity": False,
        "HasActivities": False,
        "HasNotes": False,
        "Attributes": [{**column_of(primary), "IsPrimaryName": True}],
    }


def column_of(found: Column) -> Json:
    """Return a column; a choice is bound to its global choice when it is made, a lookup goes with its relationship."""
    type_ = found.type
    body: Json = {
        "@odata.type": f"{CRM}{KINDS[type_.kind]}AttributeMetadata",
        "SchemaName": found.name,
        "DisplayName": label(found.label),
        "Description": label(found.description),
        "RequiredLevel": {"Value": found.level.value},
    }
    match type_.kind:
        case "text":
            body |= {"MaxLength": type_.max_length, "FormatName": {"Value": type_.format}}
        case "memo":
            body |= {"MaxLength": type_.max_length}
        case "integer":
            body |= {"MinValue": type_.minimum, "MaxValue": type_.maximum}
        case "decimal":
            body |= {"Precision": type_.precision, "MinValue": type_.minimum, "MaxValue": type_.maximum}
        case "money":
            body |= {"PrecisionSource": 2, "MinValue": type_.minimum, "MaxValue": type_.maximum}
        case "boolean":
            sides = {"FalseOption": (0, type_.options[0]), "TrueOption": (1, type_.options[1])}
            option_set = {side: {"Value": value, "Label": label(text)} for side, (value, text) in sides.items()}
            body |= {"OptionSet": option_set, "DefaultValue": bool(found.default)}
        case "date":
            body |= {"Format": "DateOnly", "DateTimeBehavior": {"Value": "DateOnly"}}
        case "datetime":
            body |= {"Format": "DateAndTime", "DateTimeBehavior": {"Value": "UserLocal"}}
        case "choice":
            body |= {"DefaultFormValue": NO_DEFAULT if found.default_value is None else found.default_value}
    return body


def one_to_many(found: Table, column: Column) -> Json:
    """Return the relationship behind a lookup, the lookup in it."""
    (target,) = column.type.targets
    lookup = column_of(column)
    cascade = dict.fromkeys(("Assign", "Share", "Unshare", "Reparent", "Merge", "RollupView"), "NoCascade")
    return {
        "@odata.type": f"{CRM}OneToManyRelationshipMetadata",
        "SchemaName": relationship(found.name, column.name),
        "ReferencedEntity": target,
        "ReferencingEntity": found.name,
        "CascadeConfiguration": {**cascade, "Delete": column.type.on_delete},
        "Lookup": lookup,
    }


def many_to_many(found: ManyToMany) -> Json:
    """Return an N:N relationship."""
    menu = {"Behavior": "UseLabel", "Group": "Details", "Label": label(found.label), "Order": 10000}
    return {
        "@odata.type": f"{CRM}ManyToManyRelationshipMetadata",
        "SchemaName": found.name,
        "Entity1LogicalName": found.first,
        "Entity2LogicalName": found.second,
        "IntersectEntityName": found.name,
        "Entity1AssociatedMenuConfiguration": menu,
        "Entity2AssociatedMenuConfiguration": menu,
    }


def key(found: Key) -> Json:
    """Return an alternate key."""
    return {"SchemaName": found.name, "DisplayName": label(found.label), "KeyAttributes": list(found.columns)}


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any], *, path: str = "") -> Iterator[str]:
    """Say in which properties something there is not as wanted: `MaxLength: 100 instead of 255`."""
    for name, value in wanted.items():
        if name in APART or name.startswith("@"):
            continue
        there = found.get(name)
        if isinstance(value, dict) and "LocalizedLabels" in value:
            if text_of(value) != text_of(there):
                yield f"{path}{name}: “{text_of(there)}” instead of “{text_of(value)}”"
        elif isinstance(value, dict):
            yield from differences(value, there or {}, path=f"{path}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and isinstance(there, int | float):
            if Decimal(str(value)) != Decimal(str(there)):
                yield f"{path}{name}: {there} instead of {value}"
        elif value != there:
            yield f"{path}{name}: {there} instead of {value}"


def text_of(found: Any) -> str:
    """Return the text of a Label in the solution's language, else in any."""
    labels = (found or {}).get("LocalizedLabels") or []
    ours = [one["Label"] for one in labels if str(one.get("LanguageCode")) == LANGUAGE]
    return str((ours or [one["Label"] for one in labels] or [""])[0])
