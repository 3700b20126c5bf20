"""The model as the $metadata document of a Dataverse Web API (OData 4.0 CSDL)."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from solution.model import ColumnModel, TableModel

EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"
NAMESPACE, ALIAS = "Microsoft.Dynamics.CRM", "mscrm"
KEYS = "OData.Community.Keys.V1"

TYPES = {
    **dict.fromkeys(("uniqueidentifier", "lookup", "owner", "customer"), "Edm.Guid"),
    **dict.fromkeys(("text", "memo"), "Edm.String"),
    **dict.fromkeys(("integer", "choice", "state", "status"), "Edm.Int32"),
    **dict.fromkeys(("decimal", "money"), "Edm.Decimal"),
    "bigint": "Edm.Int64",
    "double": "Edm.Double",
    "boolean": "Edm.Boolean",
    "datetime": "Edm.DateTimeOffset",
    "date": "Edm.Date",
}


def csdl(model: Mapping[str, TableModel]) -> str:
    """Write the model as CSDL. As in Dataverse, users and teams derive from `principal`, which owners point at."""
    root = Element("edmx:Edmx", {"xmlns:edmx": EDMX, "Version": "4.0"})
    schema = SubElement(SubElement(root, "edmx:DataServices"), "Schema", xmlns=EDM, Namespace=NAMESPACE, Alias=ALIAS)
    principal = SubElement(schema, "EntityType", Name="principal", Abstract="true")
    SubElement(principal, "Property", Name="ownerid", Type="Edm.Guid")
    for table in model.values():
        _entity_type(schema, table, model)
    container = SubElement(schema, "EntityContainer", Name="System")
    for table in model.values():
        _entity_set(container, table, model)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode")


def _entity_type(schema: Element, table: TableModel, model: Mapping[str, TableModel]) -> None:
    entity = SubElement(schema, "EntityType", Name=table.name)
    if table.name in ("systemuser", "team"):
        entity.set("BaseType", f"{ALIAS}.principal")
    SubElement(SubElement(entity, "Key"), "PropertyRef", Name=table.key)
    for column in table.columns.values():
        _property(entity, table, column)
    for column in table.columns.values():
        for target, navigation in _targets(column):
            _reference(entity, column, target, navigation, model)
    for navigation, (many, column_name) in table.one_to_many.items():
        partner = model[many].columns[column_name].navigation[table.name]
        SubElement(entity, "NavigationProperty", Name=navigation, Type=f"Collection({ALIAS}.{many})", Partner=partner)
    for navigation, (other, _) in table.many_to_many.items():
        SubElement(entity, "NavigationProperty", Name=navigation, Type=f"Collection({ALIAS}.{other})", Partner=navigation)
    if table.keys:
        _alternate_keys(entity, table)


def _property(entity: Element, table: TableModel, column: ColumnModel) -> None:
    element = SubElement(entity, "Property", Name=column.property, Type=TYPES[column.type])
    if column.name == table.key:
        element.set("Nullable", "false")
    if column.max_length is not None:
        element.set("MaxLength", str(column.max_length))
    if TYPES[column.type] == "Edm.Decimal":
        element.set("Scale", "Variable" if column.precision is None else str(column.precision))


def _reference(entity: Element, column: ColumnModel, target: str, navigation: str, model: Mapping[str, TableModel]) -> None:
    element = SubElement(entity, "NavigationProperty", Name=navigation, Type=f"{ALIAS}.{target}")
    partner = _partner(entity.get("Name", ""), column, target, model)
    if partner:
        element.set("Partner", partner)
    referenced = "ownerid" if target == "principal" else model[target].key
    SubElement(element, "ReferentialConstraint", Property=column.property, ReferencedProperty=referenced)


def _partner(table: str, column: ColumnModel, target: str, model: Mapping[str, TableModel]) -> str | None:
    many = model[target].one_to_many if target in model else {}
    return next((navigation for navigation, end in many.items() if end == (table, column.name)), None)


def _targets(column: ColumnModel) -> list[tuple[str, str]]:
    """Return target and navigation property of each way a lookup points; an owner points at `principal`."""
    if column.type == "owner":
        return [("principal", column.name)]
    return list(column.navigation.items())


def _entity_set(container: Element, table: TableModel, model: Mapping[str, TableModel]) -> None:
    element = SubElement(container, "EntitySet", Name=table.entity_set, EntityType=f"{NAMESPACE}.{table.name}")
    ends = [
        (navigation, target) for column in table.columns.values() for target, navigation in _targets(column) if target in model
    ]
    ends += [(navigation, many) for navigation, (many, _) in table.one_to_many.items()]
    ends += [(navigation, other) for navigation, (other, _) in table.many_to_many.items()]
    for navigation, target in ends:
        SubElement(element, "NavigationPropertyBinding", Path=navigation, Target=model[target].entity_set)


def _alternate_keys(entity: Element, table: TableModel) -> None:
    collection = SubElement(SubElement(entity, "Annotation", Term=f"{KEYS}.AlternateKeys"), "Collection")
    for columns in table.keys.values():
        record = SubElement(collection, "Record", Type=f"{KEYS}.AlternateKey")
        parts = SubElement(SubElement(record, "PropertyValue", Property="Key"), "Collection")
        for name in columns:
            part = SubElement(parts, "Record", Type=f"{KEYS}.PropertyRef")
            SubElement(part, "PropertyValue", Property="Alias", String=name)
            SubElement(part, "PropertyValue", Property="Name", PropertyPath=table.columns[name].property)
