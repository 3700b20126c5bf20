"""Read a solution file and put what it holds into an environment, component by component.

The reader knows solution files from the structure of real exports, not from the generator that writes ours. Sources:
Microsoft Learn, "Understand solution file structure" and "Customization XML reference"; managed exports in
microsoft/Industry-Accelerator-Media (MIT).
"""

from __future__ import annotations

import io
import re
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from solution.model import ColumnModel
from solution.table import Level

from . import customizing, security
from .customizing import Choice, Key, NewTable
from .environment import Environment, derived_id
from .errors import Refused
from .store import Reference

INVALID_FILE, FAILED = "0x8004801a", "0x80048033"
MISSING_COMPONENT = "0x8004f037"
UNMANAGED_INSTALLED, MANAGED_INSTALLED, LOWER_VERSION = "0x80048040", "0x80048041", "0x8004806f"
VERSION = re.compile(r"\d+(\.\d+){1,3}")
ORDER = (
    "Entities", "Roles", "Workflows", "FieldSecurityProfiles", "Templates", "EntityImageConfigs", "AttributeImageConfigs",
    "EntityMaps", "EntityRelationships", "OrganizationSettings", "optionsets", "Dashboards", "WebResources", "CustomControls",
    "AppModuleSiteMaps", "AppModules", "EntityDataProviders", "CanvasApps", "connectionreferences", "Languages",
)  # fmt: skip
COLUMN_TYPES = {
    "nvarchar": "text", "ntext": "memo", "int": "integer", "decimal": "decimal", "money": "money", "datetime": "datetime",
    "bit": "boolean", "picklist": "choice", "lookup": "lookup", "state": "state", "status": "status", "owner": "owner",
    "primarykey": "uniqueidentifier", "uniqueidentifier": "uniqueidentifier", "timestamp": "bigint", "bigint": "bigint",
    "float": "double", "customer": "customer",
}  # fmt: skip
LEVELS = {
    "none": Level.OPTIONAL, "recommended": Level.RECOMMENDED, "required": Level.REQUIRED,
    "applicationrequired": Level.REQUIRED, "systemrequired": Level.SYSTEM,
}  # fmt: skip
FORM_TYPES = {"main": 2, "quick": 6, "quickCreate": 7, "card": 11}
TEMPLATES = {"627090ff-40a3-4053-8790-584edc5be201", "119f245c-3cc8-4b62-b31c-d1a046ced15d"}  # System Administrator, Customizer
UNUSED = {"timezoneruleversionnumber", "utcconversiontimezonecode"}  # the platform's, in every table; nobody here reads them
OWNERSHIP = {"UserOwned": "UserOwned", "OrgOwned": "OrganizationOwned"}
TABLE, COLUMN, CHOICE, RELATIONSHIP, ROLE, VIEW, FORM, WEB_RESOURCE, SITE_MAP, APP = 1, 2, 9, 10, 20, 26, 60, 61, 62, 80


@dataclass(frozen=True)
class Package:
    """A solution file, opened."""

    unique_name: str
    title: str
    version: str
    managed: bool
    publisher: Element
    roots: tuple[Element, ...]
    customizations: Element
    files: dict[str, bytes] = field(repr=False)


@dataclass
class Result:
    """What became of one component."""

    kind: str
    name: str
    code: str = "0"
    text: str = ""


class Import(Exception):
    """An import ends: some components failed, and nothing is kept."""


def opened(data: bytes) -> Package:
    """Open a solution file; raises Refused (400, 0x8004801a) for one that is not well formed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise _invalid("The file is not a zip archive.") from error
    for name in files:
        if "\\" in name or name.endswith("/"):
            raise _invalid(f"The archive holds the entry '{name}': only files, with forward slashes.")
    content = _parsed(files, "[Content_Types].xml")
    parts, extensions = {found.get("PartName", "") for found in content}, {found.get("Extension") for found in content}
    for name in files:
        if name != "[Content_Types].xml" and f"/{name}" not in parts and name.rpartition(".")[2] not in extensions:
            raise _invalid(f"[Content_Types].xml does not say what {name} is.")
    manifest = _parsed(files, "solution.xml").find("SolutionManifest")
    if manifest is None:
        raise _invalid("solution.xml holds no SolutionManifest.")
    customizations = _parsed(files, "customizations.xml")
    names = [found.tag for found in customizations]
    if strange := set(names) - set(ORDER):
        raise _invalid(f"customizations.xml: the element '{sorted(strange)[0]}' is not known.")
    if names != sorted(names, key=ORDER.index):
        raise _invalid(f"customizations.xml: the elements are not in their order: {', '.join(names)}.")
    version, managed = _text(manifest, "Version"), _text(manifest, "Managed")
    if not VERSION.fullmatch(version) or managed not in ("0", "1"):
        raise _invalid(f"solution.xml: Version '{version}' or Managed '{managed}' is not valid.")
    publisher = manifest.find("Publisher")
    if publisher is None:
        raise _invalid("solution.xml holds no Publisher.")
    return Package(
        _text(manifest, "UniqueName"),
        _localized(manifest, "LocalizedNames/LocalizedName"),
        version,
        managed == "1",
        publisher,
        tuple(manifest.findall("RootComponents/RootComponent")),
        customizations,
        files,
    )


def check_installable(environment: Environment, package: Package) -> None:
    """Refuse (400) a package in another mode than the one installed, or an older one."""
    found = environment.store.find("solution", "uniquename", package.unique_name)
    if not found:
        return
    managed, version = bool(found[0]["ismanaged"]), str(found[0]["version"])
    if managed and not package.managed:
        raise Refused(
            400,
            MANAGED_INSTALLED,
            "The solution is already installed on this system as a managed solution and the package supplied is attempting to "
            "install it in unmanaged mode. Import can only update solutions when the modes match. Uninstall the current solution "
            "and try again.",
        )
    if package.managed and not managed:
        raise Refused(
            400,
            UNMANAGED_INSTALLED,
            "The solution is already installed on this system as an unmanaged solution and the package supplied is attempting to "
            "install it in managed mode. Import can only update solutions when the modes match. Uninstall the current solution "
            "and try again.",
        )
    if package.managed and _ordered(package.version) < _ordered(version):
        raise Refused(400, LOWER_VERSION, f"The version {package.version} is lower than the version {version} installed.")


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class Importer:
    """One import: every component is tried, its result kept."""

    def __init__(self, environment: Environment, package: Package, *, upgrade: bool = False) -> None:
        self.environment = environment
        self.package = package
        self.upgrade = upgrade
        self.results: list[Result] = []
        self.seen: dict[str, list[str]] = {"component": [], "column": []}

    def run(self) -> None:
        """Import everything or nothing; raises Import when a component failed."""
        with self.environment.transaction():
            check_installable(self.environment, self.package)
            self._solution()
            self._choices()
            self._tables()
            self._links()
            self._keys()
            self._web_resources()
            self._forms_and_views()
            self._roles()
            self._site_maps_and_apps()
            self._roots()
            if any(result.text for result in self.results):
                raise Import
            self._settle()

    def _try(self, kind: str, name: str, change: Callable[[], None]) -> bool:
        result = Result(kind, name)
        self.results.append(result)
        try:
            with self.environment.transaction():
                change()
        except Refused as refused:
            result.code, result.text = refused.code, refused.message
        return not result.text

    def _component(self, kind: int, name: str, object_id: str, behavior: int = 0) -> None:
        customizing.note_component(self.environment, self.package.unique_name, kind, name, object_id, behavior)
        self.seen["component"].append(f"{kind}/{object_id}")

    # --- parts of a solution ---------------------------------------------------------------------------------------

    def _solution(self) -> None:
        package, environment = self.package, self.environment
        publisher = _text(package.publisher, "UniqueName")
        publisher_id = derived_id("publisher", publisher)
        environment.seed(
            "publisher",
            publisherid=publisher_id,
            uniquename=publisher,
            friendlyname=_localized(package.publisher, "LocalizedNames/LocalizedName") or publisher,
            customizationprefix=_text(package.publisher, "CustomizationPrefix"),
            customizationoptionvalueprefix=int(_text(package.publisher, "CustomizationOptionValuePrefix")),
        )
        environment.seed(
            "solution",
            solutionid=customizing.solution_id(environment, package.unique_name) or derived_id("solution", package.unique_name),
            uniquename=package.unique_name,
            friendlyname=package.title,
            version=package.version,
            ismanaged=package.managed,
            isvisible=True,
            installedon=environment.now,
            publisherid=Reference("publisher", publisher_id),
        )

    def _choices(self) -> None:
        for element in self._all("optionsets/optionset"):
            name = element.get("Name", "")
            self._try("optionset", name, lambda e=element: self._choice(e))  # type: ignore[misc]

    def _choice(self, element: Element) -> None:
        name, options = element.get("Name", ""), []
        for option in element.findall("options/option"):
            label = _localized(option, "labels/label")
            options.append((int(option.get("value", "")), label, _localized(option, "Descriptions/Description")))
        if _text(element, "OptionSetType") != "picklist" or _text(element, "IsGlobal") != "1":
            raise _invalid(f"The optionset {name} is not a global picklist.")
        title = _localized(element, "displaynames/displayname") or element.get("localizedName", "")
        choice = Choice(name, title, _localized(element, "Descriptions/Description"), tuple(options))
        if name not in self.environment.store.facts("choice"):
            customizing.add_choice(self.environment, choice)
        else:
            before = customizing.choice(self.environment, name)
            kept = tuple(option for option in before.options if option[0] not in choice.labels)
            customizing.keep_choice(self.environment, replace(choice, options=(*choice.options, *kept)))
        self._component(CHOICE, name, derived_id("choice", name))

    def _tables(self) -> None:
        tables = list(self._entities())
        made = [
            (name, entity)
            for name, entity in tables
            if self._try("entity", name, lambda n=name, e=entity: self._table(n, e))  # type: ignore[misc]
        ]
        for name, entity in made:
            ours_first = sorted(entity.findall("attributes/attribute"), key=lambda found: _text(found, "IsCustomField") != "1")
            for attribute in ours_first:  # an amount brings the currency's columns, which the file lists as well
                column = _text(attribute, "LogicalName")
                if _text(attribute, "Type") != "lookup":
                    self._try("attribute", f"{name}.{column}", lambda n=name, a=attribute: self._attribute(n, a))  # type: ignore[misc]

    def _table(self, name: str, entity: Element) -> None:
        known = self.environment.model.get(name)
        root = next((root for root in self.package.roots if (root.get("schemaName") or "").lower() == name), None)
        behavior = int(root.get("behavior", "0")) if root is not None else 0
        if root is None:
            raise Refused(400, FAILED, f"The table {name} is in customizations.xml but is no RootComponent of solution.xml.")
        if known is not None and not known.custom:
            if behavior == 0:
                raise Refused(400, FAILED, f"The table {name} is the platform's: its RootComponent must have behavior 1 or 2.")
            self._component(TABLE, name, derived_id("table", name), behavior)
            return
        label, plural = (
            _localized(entity, "LocalizedNames/LocalizedName"),
            _localized(entity, "LocalizedCollectionNames/LocalizedCollectionName"),
        )
        description = _localized(entity, "Descriptions/Description")
        tracked = _text(entity, "ChangeTrackingEnabled") == "1"
        ownership = OWNERSHIP.get(_text(entity, "OwnershipTypeMask"), "")
        if known is not None:
            if known.ownership != ownership:
                raise Refused(400, FAILED, f"The table {name} exists with the ownership {known.ownership}.")
            customizing.change_table(self.environment, name, label=label, plural=plural, description=description, tracked=tracked)
        else:
            primary = _primary(name, entity)
            new = NewTable(
                name, entity.get("Name", ""), label, plural, description, ownership, primary.name, (primary,),
                _text(entity, "EntitySetName"), tracked,
            )  # fmt: skip
            customizing.add_table(self.environment, new)
            self._expect_given(name, entity)
        self._component(TABLE, name, derived_id("table", name), behavior)

    def _expect_given(self, name: str, entity: Element) -> None:
        """Refuse a new table without the columns every table has: an export always holds them."""
        there = {_text(attribute, "LogicalName") for attribute in entity.findall("attributes/attribute")}
        needed = {column.name for column in customizing.system_columns(name, self.environment.model[name].ownership).values()} - {
            "versionnumber",
            "importsequencenumber",
            "overriddencreatedon",
        }
        if missing := sorted(needed - there):
            raise Refused(400, FAILED, f"The table {name} lacks the attributes {', '.join(missing)}.")

    def _attribute(self, table: str, attribute: Element, schema: str = "") -> None:
        column, environment = _column(table, attribute, environment=self.environment), self.environment
        known = environment.model[table].columns.get(column.name)
        custom = _text(attribute, "IsCustomField") == "1"
        if not custom:
            if column.name in UNUSED:
                return
            if known is None or (known.type != column.type and {known.type, column.type} != {"date", "datetime"}):
                raise Refused(400, FAILED, f"The attribute {table}.{column.name} is none of the platform's.")
            return
        if known is not None and name_of_amount(column.name) in environment.model[table].columns:
            return  # the amount in the base currency came with the amount
        format_ = _text(attribute, "Format").capitalize() if column.type == "text" else ""
        physical = attribute.get("PhysicalName", "")
        if known is None:
            customizing.add_column(environment, table, column, format_, physical)
            if column.type == "money":
                self._expect_currency(table, column.name)
        elif known.type != column.type:
            raise Refused(
                400,
                FAILED,
                f"Attribute {column.name} of {table} is a {known.type}, but a {column.type} type was specified.",
            )
        else:
            if column.max_length and known.max_length and column.max_length < known.max_length:
                column = replace(column, max_length=known.max_length)  # an import never shortens a column
            customizing.change_column(environment, table, column)
            environment.store.keep("column", f"{table}.{column.name}", {"format": format_, "schema": physical})
        self.seen["column"].append(f"{table}.{column.name}")

    def _expect_currency(self, table: str, name: str) -> None:
        entity = dict(self._entities())[table]
        there = {_text(attribute, "LogicalName") for attribute in entity.findall("attributes/attribute")}
        needed = {f"{name}_base"}
        if self.environment.model[table].custom:
            needed |= {"transactioncurrencyid", "exchangerate"}
        if missing := sorted(needed - there):
            raise Refused(400, FAILED, f"The money attribute {table}.{name} comes without {', '.join(missing)}.")

    # --- relationships and keys ------------------------------------------------------------------------------------

    def _links(self) -> None:
        relationships = list(self._all("EntityRelationships/EntityRelationship"))
        by_column = {
            (_text(found, "ReferencingEntityName").lower(), _text(found, "ReferencingAttributeName").lower()): found
            for found in relationships
            if _text(found, "EntityRelationshipType") == "OneToMany"
        }
        for table, entity in self._entities():
            for attribute in entity.findall("attributes/attribute"):
                name = _text(attribute, "LogicalName")
                if _text(attribute, "Type") == "lookup" and table in self.environment.model:
                    found = by_column.get((table, name))
                    self._try("attribute", f"{table}.{name}", lambda t=table, a=attribute, r=found: self._lookup(t, a, r))  # type: ignore[misc]
        for found in relationships:
            if _text(found, "EntityRelationshipType") == "ManyToMany":
                name = found.get("Name", "")
                self._try("EntityRelationship", name, lambda f=found: self._many_to_many(f))  # type: ignore[misc]
        for (table, name), found in by_column.items():
            if table not in self.environment.model or name not in self.environment.model[table].columns:
                self.results.append(
                    Result("EntityRelationship", found.get("Name", ""), FAILED, f"There is no lookup {table}.{name}.")
                )

    def _lookup(self, table: str, attribute: Element, relationship: Element | None) -> None:
        name = _text(attribute, "LogicalName")
        if _text(attribute, "IsCustomField") != "1":
            self._attribute(table, attribute)
            return
        if relationship is None:
            raise Refused(400, FAILED, f"The lookup {table}.{name} has no EntityRelationship.")
        target, relation = _text(relationship, "ReferencedEntityName").lower(), relationship.get("Name", "")
        if target not in self.environment.model:
            raise Refused(400, MISSING_COMPONENT, f"The lookup {table}.{name} needs the table {target}, which is not there.")
        roles = {_text(role, "RelationshipRoleType"): _text(role, "NavigationPropertyName")
                 for role in relationship.findall("EntityRelationshipRoles/EntityRelationshipRole")}  # fmt: skip
        if roles.get("1") != attribute.get("PhysicalName") or roles.get("0") != relation:
            raise Refused(400, FAILED, f"The relationship {relation} does not name its two navigation properties: {roles}.")
        base = _column(table, attribute, environment=self.environment)
        column = replace(
            base,
            targets=(target,),
            navigation={target: attribute.get("PhysicalName", "")},
            on_delete=_text(relationship, "CascadeDelete"),
        )
        known = self.environment.model[table].columns.get(name)
        if known is None:
            customizing.add_one_to_many(self.environment, relation, target, table, column, attribute.get("PhysicalName", ""))
        elif known.type != "lookup" or known.targets != (target,):
            held = f"lookup of {', '.join(known.targets)}" if known.is_lookup else known.type
            raise Refused(400, FAILED, f"Attribute {name} of {table} is a {held}, but a lookup of {target} type was specified.")
        else:
            customizing.change_column(self.environment, table, column)
            customizing.change_on_delete(self.environment, relation, column.on_delete)
        self.seen["column"].append(f"{table}.{name}")

    def _many_to_many(self, element: Element) -> None:
        name = element.get("Name", "")
        first, second = _text(element, "FirstEntityName").lower(), _text(element, "SecondEntityName").lower()
        roles = element.findall("EntityRelationshipRoles/EntityRelationshipRole")
        if [_text(role, "AssociationRoleOrdinal") for role in roles] != ["1", "2"]:
            raise Refused(400, FAILED, f"The relationship {name} must have the roles 1 and 2.")
        if name not in self.environment.store.facts("relationship"):
            label = _localized(roles[0], "CustomLabels/CustomLabel")
            intersect = _text(element, "IntersectEntityName").lower()
            customizing.add_many_to_many(self.environment, name, first, second, intersect, label)
        self._component(RELATIONSHIP, name, derived_id("relationship", name))

    def _keys(self) -> None:
        for table, entity in self._entities():
            for element in entity.findall("EntityKeys/EntityKey"):
                name = _text(element, "LogicalName")
                self._try("EntityKey", f"{table}.{name}", lambda t=table, e=element: self._key(t, e))  # type: ignore[misc]

    def _key(self, table: str, element: Element) -> None:
        name = _text(element, "LogicalName")
        columns = tuple(found.text or "" for found in element.findall("EntityKeyAttributes/AttributeName"))
        known = customizing.table(self.environment, table).keys.get(name)
        if known is None:
            label = _localized(element, "displaynames/displayname")
            customizing.add_key(self.environment, table, Key(name, _text(element, "Name"), label, columns))
        elif known != columns:
            raise Refused(400, FAILED, f"The key {name} of {table} exists over other columns: {', '.join(known)}.")

    # --- forms, views, apps, roles ---------------------------------------------------------------------------------

    def _web_resources(self) -> None:
        for element in self._all("WebResources/WebResource"):
            name = _text(element, "Name")
            self._try("webresource", name, lambda e=element: self._web_resource(e))  # type: ignore[misc]

    def _web_resource(self, element: Element) -> None:
        name, path = _text(element, "Name"), _text(element, "FileName").lstrip("/")
        if path not in self.package.files:
            raise Refused(400, INVALID_FILE, f"The web resource {name} names the file {path}, which is not in the archive.")
        object_id = _guid(_text(element, "WebResourceId"))
        self.environment.seed(
            "webresource", webresourceid=object_id, name=name, displayname=_text(element, "DisplayName"),
            webresourcetype=int(_text(element, "WebResourceType")), content=b64encode(self.package.files[path]).decode(),
            ismanaged=self.package.managed,
        )  # fmt: skip
        self._component(WEB_RESOURCE, name, object_id)

    def _forms_and_views(self) -> None:
        for element in self._all("Entities/Entity"):
            table = _table_name(element)
            for view in element.findall("SavedQueries/savedqueries/savedquery"):
                name = _localized(view, "LocalizedNames/LocalizedName")
                self._try("savedquery", f"{table}: {name}", lambda t=table, v=view: self._view(t, v))  # type: ignore[misc]
        for element in self._all("Entities/Entity"):  # forms last: their sub-grids name views of other tables
            table = _table_name(element)
            for forms in element.findall("FormXml/forms"):
                for form in forms.findall("systemform"):
                    kind = FORM_TYPES.get(forms.get("type", ""), 0)
                    name = _localized(form, "LocalizedNames/LocalizedName")
                    self._try("systemform", f"{table}: {name}", lambda t=table, f=form, k=kind: self._form(t, f, k))  # type: ignore[misc]

    def _form(self, table: str, element: Element, kind: int) -> None:
        name, layout = _localized(element, "LocalizedNames/LocalizedName"), element.find("form")
        if layout is None or not kind:
            raise Refused(400, INVALID_FILE, f"The form {name} has no form element, or stands under no known type of form.")
        object_id, xml = _guid(_text(element, "formid")), ElementTree.tostring(layout, encoding="unicode").strip()
        check_form(self.environment, table, xml)
        self.environment.seed(
            "systemform", formid=object_id, name=name, description=_localized(element, "Descriptions/Description"),
            objecttypecode=table, type=kind, formxml=xml, formactivationstate=int(_text(element, "FormActivationState") or 1),
            formpresentation=int(_text(element, "FormPresentation") or 1), isdefault=False, ismanaged=self.package.managed,
        )  # fmt: skip
        self._component(FORM, f"{table}: {name}", object_id)

    def _view(self, table: str, element: Element) -> None:
        name = _localized(element, "LocalizedNames/LocalizedName")
        fetch, grid = element.find("fetchxml/fetch"), element.find("layoutxml/grid")
        if fetch is None:
            raise Refused(400, INVALID_FILE, f"The view {name} has no fetchxml.")
        object_id, query = _guid(_text(element, "savedqueryid")), ElementTree.tostring(fetch, encoding="unicode").strip()
        layout = ElementTree.tostring(grid, encoding="unicode").strip() if grid is not None else ""
        check_view(self.environment, table, query, layout)
        self.environment.seed(
            "savedquery", savedqueryid=object_id, name=name, description=_localized(element, "Descriptions/Description"),
            returnedtypecode=table, querytype=int(_text(element, "querytype")), fetchxml=query, layoutxml=layout,
            isdefault=_text(element, "isdefault") == "1", isquickfindquery=_text(element, "isquickfindquery") == "1",
            ismanaged=self.package.managed,
        )  # fmt: skip
        self._component(VIEW, f"{table}: {name}", object_id)

    def _roles(self) -> None:
        for element in self._all("Roles/Role"):
            name = element.get("name", "")
            self._try("Role", name, lambda e=element: self._role(e))  # type: ignore[misc]

    def _role(self, element: Element) -> None:
        name, object_id = element.get("name", ""), _guid(element.get("id", ""))
        privileges = {}
        for found in element.findall("RolePrivileges/RolePrivilege"):
            privilege, level = found.get("name", ""), found.get("level", "")
            privilege_id = security.privilege_id(self.environment, privilege)
            if privilege_id is None or level not in security.DEPTHS:
                raise Refused(
                    400, MISSING_COMPONENT, f"The role {name} asks for {privilege} ({level}), which this environment lacks."
                )
            privileges[privilege_id] = level
        unit = self.environment.store.select("businessunit", order='t."#rowid"')[0]
        self.environment.seed(
            "role", roleid=object_id, name=name, isinherited=int(element.get("isinherited", "0")),
            businessunitid=Reference("businessunit", str(unit["businessunitid"])), ismanaged=self.package.managed,
        )  # fmt: skip
        security.grant(self.environment, object_id, privileges, replace=True)
        self._component(ROLE, name, object_id)

    def _site_maps_and_apps(self) -> None:
        for element in self._all("AppModuleSiteMaps/AppModuleSiteMap"):
            name = _text(element, "SiteMapUniqueName")
            self._try("sitemap", name, lambda e=element: self._site_map(e))  # type: ignore[misc]
        for element in self._all("AppModules/AppModule"):
            name = _text(element, "UniqueName")
            self._try("appmodule", name, lambda e=element: self._app(e))  # type: ignore[misc]

    def _site_map(self, element: Element) -> None:
        name, site_map = _text(element, "SiteMapUniqueName"), element.find("SiteMap")
        if site_map is None:
            raise Refused(400, INVALID_FILE, f"The site map {name} is empty.")
        xml = ElementTree.tostring(site_map, encoding="unicode").strip()
        check_site_map(self.environment, xml)
        object_id = derived_id("sitemap", name)
        self.environment.seed(
            "sitemap", sitemapid=object_id, sitemapname=_localized(element, "LocalizedNames/LocalizedName"),
            sitemapnameunique=name, sitemapxml=xml, isappaware=True, ismanaged=self.package.managed,
        )  # fmt: skip
        self._component(SITE_MAP, name, object_id)

    def _app(self, element: Element) -> None:
        name = _text(element, "UniqueName")
        found = self.environment.store.find("appmodule", "uniquename", name)
        object_id = str(found[0]["appmoduleid"]) if found else derived_id("appmodule", name)
        tables = []
        for component in element.findall("AppModuleComponents/AppModuleComponent"):
            kind, schema = component.get("type", ""), component.get("schemaName", "").lower()
            if kind == str(TABLE):
                customizing.table(self.environment, schema)
                tables.append(schema)
            elif kind == str(SITE_MAP):
                if not self.environment.store.find("sitemap", "sitemapnameunique", schema):
                    raise Refused(400, MISSING_COMPONENT, f"The app {name} has the site map {schema}, which is not there.")
            elif kind in (str(VIEW), str(FORM)):
                place = "savedquery" if kind == str(VIEW) else "systemform"
                if self.environment.store.read(place, _guid(component.get("id", ""))) is None:
                    raise Refused(400, MISSING_COMPONENT, f"The app {name} has the {place} {component.get('id')}: not there.")
        for role in element.findall("AppModuleRoleMaps/Role"):
            if _guid(role.get("id", "")) in TEMPLATES:
                continue
            if self.environment.store.read("role", _guid(role.get("id", ""))) is None:
                raise Refused(400, MISSING_COMPONENT, f"The app {name} is for the role {role.get('id')}, which is not there.")
        self.environment.seed(
            "appmodule", appmoduleid=object_id, name=_localized(element, "LocalizedNames/LocalizedName"), uniquename=name,
            clienttype=int(_text(element, "ClientType") or 4), appmoduleversion=_text(element, "IntroducedVersion") or "1.0",
            description=_localized(element, "Descriptions/Description"), ismanaged=self.package.managed,
        )  # fmt: skip
        self.environment.store.keep("app", object_id, {"tables": tables})
        self._component(APP, name, object_id)

    # --- the whole -------------------------------------------------------------------------------------------------

    def _roots(self) -> None:
        """Every root component must have come: an id or a name that is nowhere in customizations.xml is a broken file."""
        facts = self.environment.store.facts("component").values()
        brought = {(fact["kind"], str(fact["name"]).lower()) for fact in facts}
        brought |= {(fact["kind"], str(fact["id"]).lower()) for fact in facts}
        for root in self.package.roots:
            kind = int(root.get("type", "0"))
            name = (root.get("schemaName") or root.get("id", "").strip("{}")).lower()
            if (kind, name) not in brought and not any(result.text for result in self.results):
                text = f"solution.xml names the component {name} of type {kind}, which customizations.xml does not hold."
                self.results.append(Result("RootComponent", name, MISSING_COMPONENT, text))

    def _settle(self) -> None:
        """Note what this version brought, and in an upgrade take away what only the former one did."""
        name, store = self.package.unique_name, self.environment.store
        before = store.facts("brought").get(name, {"component": [], "column": []})
        if self.upgrade and self.package.managed:
            for column in [found for found in before["column"] if found not in self.seen["column"]]:
                customizing.delete_column(self.environment, *column.split("."))
            gone = [found for found in before["component"] if found not in self.seen["component"]]
            remove(self.environment, [fact for fact in self._facts() if f"{fact['kind']}/{fact['id']}" in gone])
            store.keep("brought", name, self.seen)
        else:
            store.keep("brought", name, {kind: sorted({*before[kind], *self.seen[kind]}) for kind in before})

    def _facts(self) -> list[dict[str, Any]]:
        facts = self.environment.store.facts("component")
        return [fact for key, fact in facts.items() if key.startswith(f"{self.package.unique_name}/")]

    def _all(self, path: str) -> list[Element]:
        return self.package.customizations.findall(path)

    def _entities(self) -> Iterator[tuple[str, Element]]:
        for element in self._all("Entities/Entity"):
            entity = element.find("EntityInfo/entity")
            if entity is not None:
                yield _table_name(element), entity


def remove(environment: Environment, facts: list[dict[str, Any]]) -> None:
    """Take components away, dependants first; raises Refused (400) while something else needs one."""
    rows = {APP: "appmodule", SITE_MAP: "sitemap", FORM: "systemform", VIEW: "savedquery", ROLE: "role",
            WEB_RESOURCE: "webresource"}  # fmt: skip
    order = (APP, SITE_MAP, FORM, VIEW, ROLE, WEB_RESOURCE, RELATIONSHIP, COLUMN, TABLE, CHOICE)
    for kind in order:
        for fact in [found for found in facts if found["kind"] == kind]:
            if kind in rows:
                if environment.store.read(rows[kind], fact["id"]):
                    environment.store.delete(rows[kind], fact["id"])
            elif kind == RELATIONSHIP:
                customizing.delete_relationship(environment, fact["name"])
            elif kind == COLUMN:
                customizing.delete_column(environment, *fact["name"].split("."))
            elif kind == TABLE and environment.model[fact["name"]].custom:
                customizing.delete_table(environment, fact["name"])
            elif kind == CHOICE:
                customizing.delete_choice(environment, fact["name"])
            for row in environment.store.find("solutioncomponent", "objectid", fact["id"]):
                environment.store.delete("solutioncomponent", str(row["solutioncomponentid"]))


# --- what a form, a view and a site map may name -------------------------------------------------------------------


def check_form(environment: Environment, table: str, xml: str) -> None:
    """Refuse (400) a form that names a column, view, relationship or library the environment lacks."""
    model, root = customizing.table(environment, table), _xml(xml, "formxml")
    inner = {id(child) for grid in root.iter("parameters") for child in grid.iter()}
    for control in root.iter("control"):
        name = control.get("datafieldname")
        if name and id(control) not in inner and name not in model.columns:
            raise Refused(400, MISSING_COMPONENT, f"The form names the attribute {table}.{name}, which does not exist.")
    for parameters in root.iter("parameters"):
        relation, view = parameters.findtext("RelationshipName"), parameters.findtext("ViewId")
        if relation and relation not in {*model.one_to_many, *model.many_to_many}:
            raise Refused(400, MISSING_COMPONENT, f"A sub-grid names the relationship {relation}, which {table} lacks.")
        if relation and view and environment.store.read("savedquery", _guid(view)) is None:
            raise Refused(400, MISSING_COMPONENT, f"A sub-grid names the view {view}, which does not exist.")
    for library in root.iter("Library"):
        if not environment.store.find("webresource", "name", library.get("name", "")):
            raise Refused(400, MISSING_COMPONENT, f"The form runs the library {library.get('name')}, which does not exist.")


def check_view(environment: Environment, table: str, fetch: str, layout: str) -> None:
    """Refuse (400) a view whose query or grid names what the environment lacks."""
    root, aliases = _xml(fetch, "fetchxml"), {}
    entity = root.find("entity")
    if entity is None or entity.get("name") != table:
        raise Refused(400, INVALID_FILE, f"The fetchxml of a view of {table} does not ask for it.")

    def check(element: Element, name: str) -> None:
        model = customizing.table(environment, name)
        for found in element:
            if found.tag == "link-entity":
                target = found.get("name", "")
                ends = ((name, found.get("to", "")), (target, found.get("from", "")))
                for end, column in ends:
                    if end not in environment.store.intersects and column not in customizing.table(environment, end).columns:
                        raise _unknown(end, column)
                aliases[found.get("alias", target)] = target
                check(found, target)
            elif found.tag in ("attribute", "order", "condition"):
                column = found.get("name" if found.tag == "attribute" else "attribute", "")
                if column not in model.columns:
                    raise _unknown(name, column)
            elif found.tag == "filter":
                check(found, name)

    check(entity, table)
    for cell in _xml(layout, "layoutxml").iter("cell") if layout else ():
        alias, _, column = cell.get("name", "").rpartition(".")
        if column not in customizing.table(environment, aliases.get(alias, "") if alias else table).columns:
            raise _unknown(table, cell.get("name", ""))


def check_site_map(environment: Environment, xml: str) -> None:
    """Refuse (400) a site map that leads to a table the environment lacks."""
    for area in _xml(xml, "sitemapxml").iter("SubArea"):
        if (table := area.get("Entity")) and table not in environment.model:
            raise Refused(400, MISSING_COMPONENT, f"The site map leads to {table}, which does not exist.")


def _unknown(table: str, column: str) -> Refused:
    return Refused(400, MISSING_COMPONENT, f"The view names the attribute {table}.{column}, which does not exist.")


# --- XML -----------------------------------------------------------------------------------------------------------


def _primary(table: str, entity: Element) -> ColumnModel:
    for attribute in entity.findall("attributes/attribute"):
        mask = _text(attribute, "DisplayMask")
        if "PrimaryName" in mask.split("|"):
            return _column(table, attribute, environment=None)
    raise Refused(400, FAILED, f"No attribute of {table} has PrimaryName in its DisplayMask.")


def _column(table: str, attribute: Element, *, environment: Environment | None) -> ColumnModel:
    """Return the column an attribute element describes; raises Refused (400) for one that is not whole."""
    name, kind = _text(attribute, "LogicalName"), _text(attribute, "Type")
    if name != attribute.get("PhysicalName", "").lower() or _text(attribute, "Name").lower() != name:
        raise Refused(400, FAILED, f"The attribute {table}.{name} bears different names.")
    if kind not in COLUMN_TYPES:
        raise Refused(400, FAILED, f"The attribute {table}.{name} is of the type {kind}, which is not known.")
    type_ = COLUMN_TYPES[kind]
    if type_ == "datetime" and _text(attribute, "Behavior") == "2":
        type_ = "date"
    level = LEVELS.get(_text(attribute, "RequiredLevel"))
    if level is None:
        raise Refused(400, FAILED, f"The RequiredLevel of {table}.{name} is '{_text(attribute, 'RequiredLevel')}'.")
    column = ColumnModel(
        name,
        type_,
        label=_localized(attribute, "displaynames/displayname"),
        description=_localized(attribute, "Descriptions/Description"),
        level=level,
        custom=True,
    )
    default = _text(attribute, "AppDefaultValue")
    match type_:
        case "text" | "memo":
            return replace(column, max_length=_number(attribute, "MaxLength"))
        case "integer":
            return replace(column, minimum=_number(attribute, "MinValue"), maximum=_number(attribute, "MaxValue"))
        case "money":
            precision = None if _text(attribute, "AccuracySource") == "2" else _number(attribute, "Accuracy")
            low, high = _number(attribute, "MinValue"), _number(attribute, "MaxValue")
            return replace(column, precision=precision, minimum=low, maximum=high)
        case "decimal":
            low, high = _number(attribute, "MinValue"), _number(attribute, "MaxValue")
            return replace(column, precision=_number(attribute, "Accuracy"), minimum=low, maximum=high)
        case "boolean":
            labels = {
                int(option.get("value", "")): _localized(option, "labels/label")
                for option in attribute.findall("optionset/options/option")
            }
            if set(labels) != {0, 1}:
                raise Refused(400, FAILED, f"The bit {table}.{name} does not have the options 0 and 1.")
            return replace(column, options=dict(sorted(labels.items())), default=default == "1")
        case "choice" if environment is not None:
            choice = _text(attribute, "OptionSetName")
            if choice not in environment.store.facts("choice"):
                raise Refused(
                    400,
                    MISSING_COMPONENT,
                    f"Attribute '{name}' was not imported as it references a non-existing global Option Set ('{choice}').",
                )
            labels = customizing.choice(environment, choice).labels
            return replace(column, choice=choice, options=labels, default=int(default) if default not in ("", "-1") else None)
    return column


def name_of_amount(base: str) -> str | None:
    """Return the amount a column in the base currency belongs to, by its name."""
    return base.removesuffix("_base") if base.endswith("_base") else None


def _table_name(element: Element) -> str:
    entity = element.find("EntityInfo/entity")
    return (entity.get("Name", "") if entity is not None else _text(element, "Name")).lower()


def _localized(element: Element, path: str) -> str:
    found = element.find(path)
    return found.get("description", "") if found is not None else ""


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _number(element: Element, name: str) -> int | None:
    text = _text(element, name)
    return int(float(text)) if text else None


def _guid(text: str) -> str:
    return text.strip().strip("{}").lower()


def _xml(text: str, what: str) -> Element:
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Refused(400, INVALID_FILE, f"The {what} is not well-formed: {error}") from error


def _parsed(files: dict[str, bytes], name: str) -> Element:
    if name not in files:
        raise _invalid(f"The archive holds no {name}.")
    try:
        return ElementTree.fromstring(files[name])
    except ElementTree.ParseError as error:
        raise _invalid(f"{name} is not well-formed: {error}") from error


def _invalid(message: str) -> Refused:
    return Refused(400, INVALID_FILE, f"The import file is invalid. {message}")
