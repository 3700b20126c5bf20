"""The schema as customizations.xml: tables with their system columns, relationships, keys and choices.

Written after real exports of Dataverse 9.2; the order of children is theirs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias
from xml.etree.ElementTree import Element

from solution.app import app_xml, site_map_xml
from solution.form import Form, form_xml
from solution.forms import FORMS
from solution.markup import add, each, localized
from solution.model import MODEL
from solution.publisher import INTRODUCED, LANGUAGE
from solution.roles import ROLES, role_xml
from solution.schema import CHOICES, MANY_TO_MANY, TABLES
from solution.table import OPTION_BASE, Choice, Column, Level, ManyToMany, Ownership, Table, relationship
from solution.view import View, fetch_xml, layout_xml
from solution.views import views_of
from solution.web_resources import WEB_RESOURCES, web_resource_xml

# fmt: off
SCHEMA_NAMES: Mapping[str, str] = {
    # Dataverse's own tables as their schema names are spelled
    "account": "Account", "contact": "Contact", "invoice": "Invoice", "invoicedetail": "InvoiceDetail",
    "pricelevel": "PriceLevel", "transactioncurrency": "TransactionCurrency", "businessunit": "BusinessUnit",
    "systemuser": "SystemUser",
}
SHOWN = "ValidForAdvancedFind|ValidForForm|ValidForGrid"
NAMED = "PrimaryName|ValidForAdvancedFind|ValidForForm|ValidForGrid|RequiredForForm"

SystemRow: TypeAlias = tuple[str, str, str, str, str, str, str, str, str, str]
EVERY_TABLE: tuple[SystemRow, ...] = (
    # physical name               type       required          mask                     ime         written  audit+  kind       label                          description
    ("CreatedBy",                 "lookup",   "none",           SHOWN,                   "auto",     "",      "",     "",        "Created By",                  "Unique identifier of the user who created the record."),
    ("CreatedOn",                 "datetime", "none",           SHOWN,                   "inactive", "",      "FR",   "datetime", "Created On",                 "Date and time when the record was created."),
    ("CreatedOnBehalfBy",         "lookup",   "none",           SHOWN,                   "auto",     "",      "",     "",        "Created By (Delegate)",       "Unique identifier of the delegate user who created the record."),
    ("ImportSequenceNumber",      "int",      "none",           "ValidForAdvancedFind",  "disabled", "C",     "A",    "-2147483648", "Import Sequence Number",  "Sequence number of the import that created this record."),
    ("ModifiedBy",                "lookup",   "none",           SHOWN,                   "auto",     "",      "",     "",        "Modified By",                 "Unique identifier of the user who modified the record."),
    ("ModifiedOn",                "datetime", "none",           SHOWN,                   "inactive", "",      "FR",   "datetime", "Modified On",                "Date and time when the record was modified."),
    ("ModifiedOnBehalfBy",        "lookup",   "none",           SHOWN,                   "auto",     "",      "",     "",        "Modified By (Delegate)",      "Unique identifier of the delegate user who modified the record."),
    ("OverriddenCreatedOn",       "datetime", "none",           "ValidForAdvancedFind|ValidForGrid", "inactive", "C", "A", "date",    "Record Created On",         "Date and time that the record was migrated."),
    ("TimeZoneRuleVersionNumber", "int",      "none",           "",                      "auto",     "CU",    "",     "-1",      "Time Zone Rule Version Number", "For internal use only."),
    ("UTCConversionTimeZoneCode", "int",      "none",           "",                      "auto",     "CU",    "",     "-1",      "UTC Conversion Time Zone Code", "Time zone code that was in use when the record was created."),
)
OWNED_BY_USERS: tuple[SystemRow, ...] = (
    ("OwnerId",                   "owner",    "systemrequired", f"{SHOWN}|RequiredForForm", "auto",  "CU",    "AF",   "",        "Owner",                       "Owner Id"),
    ("OwningBusinessUnit",        "lookup",   "none",           "",                      "auto",     "",      "F",    "",        "Owning Business Unit",        "Unique identifier for the business unit that owns the record"),
    ("OwningTeam",                "lookup",   "none",           "",                      "auto",     "",      "L",    "",        "Owning Team",                 "Unique identifier for the team that owns the record."),
    ("OwningUser",                "lookup",   "none",           "",                      "auto",     "",      "L",    "",        "Owning User",                 "Unique identifier for the user that owns the record."),
)
OWNED_BY_ORGANIZATION: tuple[SystemRow, ...] = (
    ("OrganizationId",            "lookup",   "none",           "",                      "auto",     "",      "A",    "",        "Organization Id",             "Unique identifier for the organization"),
)
WITH_AMOUNTS: tuple[SystemRow, ...] = (
    ("ExchangeRate",              "decimal",  "none",           SHOWN,                   "disabled", "",      "A",    "",        "Exchange Rate",               "Exchange rate for the currency associated with the entity with respect to the base currency."),
    ("TransactionCurrencyId",     "lookup",   "none",           SHOWN,                   "auto",     "CU",    "A",    "",        "Currency",                    "Unique identifier of the currency associated with the entity."),
)
SYSTEM_RELATIONSHIPS: tuple[tuple[str, str, str, str, str], ...] = (
    # name                        points at              by column                   on delete    description
    ("business_unit_{table}",     "BusinessUnit",        "OwningBusinessUnit",       "NoCascade", "Unique identifier for the business unit that owns the record"),
    ("lk_{table}_createdby",      "SystemUser",          "CreatedBy",                "NoCascade", "Unique identifier of the user who created the record."),
    ("lk_{table}_modifiedby",     "SystemUser",          "ModifiedBy",               "NoCascade", "Unique identifier of the user who modified the record."),
    ("organization_{table}",      "Organization",        "OrganizationId",           "NoCascade", "Unique identifier for the organization"),
    ("owner_{table}",             "Owner",               "OwnerId",                  "NoCascade", "Owner Id"),
    ("team_{table}",              "Team",                "OwningTeam",               "NoCascade", "Unique identifier for the team that owns the record."),
    ("TransactionCurrency_{table}", "TransactionCurrency", "TransactionCurrencyId",  "Restrict",  "Unique identifier of the currency associated with the entity."),
    ("user_{table}",              "SystemUser",          "OwningUser",               "NoCascade", "Unique identifier for the user that owns the record."),
)
BEFORE_OWNERSHIP: Mapping[str, int] = {
    "IsDuplicateCheckSupported": 1, "IsBusinessProcessEnabled": 0, "IsRequiredOffline": 0, "IsInteractionCentricEnabled": 0,
    "IsCollaboration": 0, "AutoRouteToOwnerQueue": 0, "IsConnectionsEnabled": 0, "IsDocumentManagementEnabled": 0,
    "AutoCreateAccessTeams": 0, "IsOneNoteIntegrationEnabled": 0, "IsKnowledgeManagementEnabled": 0, "IsSLAEnabled": 0,
    "IsDocumentRecommendationsEnabled": 0, "IsBPFEntity": 0,
}
AFTER_OWNERSHIP: Mapping[str, int | str] = {
    "IsAuditEnabled": 0, "IsRetrieveAuditEnabled": 0, "IsRetrieveMultipleAuditEnabled": 0, "IsActivity": 0,
    "ActivityTypeMask": "CommunicationActivity", "IsActivityParty": 0, "IsReplicated": 0, "IsReplicationUserFiltered": 0,
    "IsMailMergeEnabled": 0, "IsVisibleInMobile": 0, "IsVisibleInMobileClient": 0, "IsReadOnlyInMobileClient": 0,
    "IsOfflineInMobileClient": 0, "DaysSinceRecordLastModified": 0, "MobileOfflineFilters": "", "IsMapiGridEnabled": 1,
    "IsReadingPaneEnabled": 1, "IsQuickCreateEnabled": 0, "SyncToExternalSearchIndex": 0, "IntroducedVersion": INTRODUCED,
    "IsCustomizable": 1, "IsRenameable": 1, "IsMappable": 1, "CanModifyAuditSettings": 1, "CanModifyMobileVisibility": 1,
    "CanModifyMobileClientVisibility": 1, "CanModifyMobileClientReadOnly": 1, "CanModifyMobileClientOffline": 1,
    "CanModifyConnectionSettings": 1, "CanModifyDuplicateDetectionSettings": 1, "CanModifyMailMergeSettings": 1,
    "CanModifyQueueSettings": 1, "CanCreateAttributes": 1, "CanCreateForms": 1, "CanCreateCharts": 1, "CanCreateViews": 1,
    "CanModifyAdditionalSettings": 1, "CanEnableSyncToExternalSearchIndex": 1, "EnforceStateTransitions": 0,
    "CanChangeHierarchicalRelationship": 1, "EntityHelpUrlEnabled": 0, "ChangeTrackingEnabled": 1,
    "CanChangeTrackingBeEnabled": 1, "IsEnabledForExternalChannels": 0, "IsSolutionAware": 0,
}
OWNERSHIP = {Ownership.USER: "UserOwned", Ownership.ORGANIZATION: "OrgOwned"}
REQUIRED = {Level.OPTIONAL: "none", Level.RECOMMENDED: "recommended", Level.REQUIRED: "required", Level.SYSTEM: "systemrequired"}
KINDS = {
    "text": "nvarchar", "memo": "ntext", "integer": "int", "decimal": "decimal", "money": "money",
    "boolean": "bit", "date": "datetime", "datetime": "datetime", "choice": "picklist", "lookup": "lookup",
}
# fmt: on


def customizations() -> Element:
    """Return the whole file: everything of the solution that is not a file of its own."""
    root = Element("ImportExportXml", {"xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    _all(root, "Entities", (_entity(table) for table in sorted(TABLES, key=lambda table: table.name)))
    _all(root, "Roles", (role_xml(role) for role in ROLES))
    for empty in ("Workflows", "FieldSecurityProfiles", "Templates", "EntityMaps"):
        add(root, empty)
    _all(root, "EntityRelationships", sorted(_relationships(), key=lambda one: str(one.get("Name")).lower()))
    add(root, "OrganizationSettings")
    _all(root, "optionsets", (_choice(choice) for choice in sorted(CHOICES, key=lambda choice: choice.name)))
    _all(root, "WebResources", (web_resource_xml(resource) for resource in WEB_RESOURCES))
    add(root, "CustomControls")
    _all(root, "AppModuleSiteMaps", (site_map_xml(),))
    _all(root, "AppModules", (app_xml(),))
    add(root, "EntityDataProviders")
    _all(root, "Languages", ())
    add(root[-1], "Language", LANGUAGE)
    return root


def _all(root: Element, tag: str, children: Iterable[Element]) -> None:
    add(root, tag).extend(children)


def schema_name(table: str) -> str:
    """Return a table's schema name: ours are all lower case, Dataverse's are spelled as above."""
    return SCHEMA_NAMES.get(table, table)


# ─ tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _entity(table: Table) -> Element:
    root, name = Element("Entity"), schema_name(table.name)
    add(root, "Name", name, LocalizedName=table.label, OriginalName=table.label if table.custom else "")
    entity = add(add(root, "EntityInfo"), "entity", None, Name=name)
    if table.custom:
        localized(entity, "LocalizedNames", "LocalizedName", table.label)
        localized(entity, "LocalizedCollectionNames", "LocalizedCollectionName", table.plural)
        localized(entity, "Descriptions", "Description", table.description)
    attributes = [*(_attribute(table, column) for column in table.columns), *_base_amounts(table)]
    if table.custom:
        attributes += _system_attributes(table)
    add(entity, "attributes").extend(sorted(attributes, key=lambda one: str(one.get("PhysicalName")).lower()))
    if table.custom:
        _table_flags(entity, table)
    _forms(root, [form for form in FORMS if form.table == table.name])
    views = add(add(root, "SavedQueries"), "savedqueries")
    views.extend(_view(view) for view in views_of(table.name))
    root.append(_no_ribbon())
    return root


def _table_flags(entity: Element, table: Table) -> None:
    if table.keys:
        keys = add(entity, "EntityKeys")
        for key in table.keys:
            element = add(keys, "EntityKey")
            each(element, Name=key.name, LogicalName=key.name, IntroducedVersion=INTRODUCED, IsCustomizable=0)
            columns = add(element, "EntityKeyAttributes")
            for name in key.columns:
                add(columns, "AttributeName", name)
            localized(element, "displaynames", "displayname", key.label)
    each(entity, EntitySetName=MODEL[table.name].entity_set, **BEFORE_OWNERSHIP)
    each(entity, OwnershipTypeMask=OWNERSHIP[table.ownership], **AFTER_OWNERSHIP)


def _no_ribbon() -> Element:
    root = Element("RibbonDiffXml")
    add(root, "CustomActions")
    add(add(root, "Templates"), "RibbonTemplates", None, Id="Mscrm.Templates")
    add(root, "CommandDefinitions")
    rules = add(root, "RuleDefinitions")
    for empty in ("TabDisplayRules", "DisplayRules", "EnableRules"):
        add(rules, empty)
    add(root, "LocLabels")
    return root


# ─ columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _column(
    name: str,
    kind: str,
    required: str,
    mask: str,
    *,
    ime: str = "auto",
    written: str = "CU",
    marks: str = "A",
    custom: int = 0,
) -> Element:
    """Begin a column. `written` holds C for create and U for update; `marks` A audited, L logical, F filterable, R
    retrievable, S searchable."""
    root = Element("attribute", {"PhysicalName": name})
    each(root, Type=kind, Name=name.lower(), LogicalName=name.lower(), RequiredLevel=required)
    if mask:
        add(root, "DisplayMask", mask)
    each(root, ImeMode=ime, ValidForUpdateApi=int("U" in written), ValidForReadApi=1, ValidForCreateApi=int("C" in written))
    each(root, IsCustomField=custom, IsAuditEnabled=int("A" in marks))
    if "L" in marks:
        add(root, "IsLogical", 1)
    each(root, IsSecured=0, IntroducedVersion=INTRODUCED, IsCustomizable=1, IsRenameable=1, CanModifySearchSettings=1)
    each(root, CanModifyRequirementLevelSettings=int(kind != "primarykey"), CanModifyAdditionalSettings=1, SourceType=0)
    each(root, IsGlobalFilterEnabled=0, IsSortableEnabled=0, CanModifyGlobalFilterSettings=1, CanModifyIsSortableSettings=1)
    each(root, IsDataSourceSecret=0, AutoNumberFormat="", IsSearchable=int("S" in marks), IsFilterable=int("F" in marks))
    each(root, IsRetrievable=int("R" in marks), IsLocalizable=0)
    return root


def _named(root: Element, label: str, description: str) -> Element:
    localized(root, "displaynames", "displayname", label)
    localized(root, "Descriptions", "Description", description)
    return root


def _attribute(table: Table, column: Column) -> Element:
    primary = column.name == MODEL[table.name].primary_name
    kind = KINDS[column.type.kind]
    marks = "" if kind == "lookup" else "AS" if primary else "A"
    root = _column(column.name, kind, REQUIRED[column.level], NAMED if primary else SHOWN, marks=marks, custom=1)
    TAILS[kind](root, table, column)
    return _named(root, column.label, column.description)


def _text(root: Element, table: Table, column: Column) -> None:
    length = column.type.max_length or 0
    each(root, Format=str(column.type.format).lower(), MaxLength=length, Length=2 * length)


def _memo(root: Element, table: Table, column: Column) -> None:
    each(root, Format="", MaxLength=column.type.max_length or 0)


def _whole(root: Element, table: Table, column: Column) -> None:
    each(root, Format="none", MinValue=_bound(column.type.minimum), MaxValue=_bound(column.type.maximum))


def _decimal(root: Element, table: Table, column: Column) -> None:
    each(root, MinValue=_bound(column.type.minimum), MaxValue=_bound(column.type.maximum), Accuracy=_bound(column.type.precision))


def _money(root: Element, table: Table, column: Column) -> None:
    each(root, MinValue=_bound(column.type.minimum), MaxValue=_bound(column.type.maximum), Accuracy=0, AccuracySource=2)


def _day_or_moment(root: Element, table: Table, column: Column) -> None:
    is_day = column.type.kind == "date"
    each(root, Format="date" if is_day else "datetime", CanChangeDateTimeBehavior=1, Behavior=2 if is_day else 1)


def _yes_no(root: Element, table: Table, column: Column) -> None:
    add(root, "AppDefaultValue", int(bool(column.default)))
    options = add(_local_options(root, f"{table.name}_{column.name}", "bit", column.label, column.description), "options")
    for value, label in column.type.options.items():
        _option(options, "option", label, value=value)


def _choice_column(root: Element, table: Table, column: Column) -> None:
    value = column.default_value
    each(
        root,
        AppDefaultValue=-1 if value is None else str(value),
        OptionSetName=str(column.type.choice and column.type.choice.name),
    )


def _lookup(root: Element, table: Table, column: Column) -> None:
    each(root, LookupStyle="single", LookupTypes="")


Tail: TypeAlias = Callable[[Element, Table, Column], None]
TAILS: Mapping[str, Tail] = {
    "nvarchar": _text,
    "ntext": _memo,
    "int": _whole,
    "decimal": _decimal,
    "money": _money,
    "datetime": _day_or_moment,
    "bit": _yes_no,
    "picklist": _choice_column,
    "lookup": _lookup,
}


def _bound(value: int | None) -> int:
    assert value is not None
    return value


def _base_amounts(table: Table) -> Iterator[Element]:
    for column in table.columns:
        if column.type.kind == "money":
            root = _column(f"{column.name}_Base", "money", "none", SHOWN, ime="disabled", written="", custom=1)
            _money(root, table, column)
            add(root, "CalculationOf", column.name)
            yield _named(root, f"{column.label} (Base)", f"Value of the {column.label} in base currency.")


def has_amounts(table: Table) -> bool:
    """Tell whether a table has amounts, so that Dataverse gives it a currency and an exchange rate."""
    return any(column.type.kind == "money" for column in table.columns)


def _system_rows(table: Table) -> tuple[SystemRow, ...]:
    owned = OWNED_BY_USERS if table.ownership is Ownership.USER else OWNED_BY_ORGANIZATION
    return (*EVERY_TABLE, *owned, *(WITH_AMOUNTS if has_amounts(table) else ()))


def _system_attributes(table: Table) -> Iterator[Element]:
    for name, kind, required, mask, ime, written, marks, detail, label, description in _system_rows(table):
        root = _column(name, kind, required, mask, ime=ime, written=written, marks=marks)
        if kind == "datetime":
            each(root, Format=detail, CanChangeDateTimeBehavior=0, Behavior=1)
        elif kind == "int":
            each(root, Format="", MinValue=detail, MaxValue=2147483647)
        elif kind == "decimal":
            each(root, MinValue="1E-10", MaxValue=100000000000, Accuracy=10)
        else:
            add(root, "LookupStyle", "single")
            types = add(root, "LookupTypes")
            for number in (8, 9) if kind == "owner" else ():  # a user or a team
                add(types, "LookupType", number, id="00000000-0000-0000-0000-000000000000")
        yield _named(root, label, description)
    key = _column(
        f"{table.name}id", "primarykey", "systemrequired", "ValidForAdvancedFind|RequiredForGrid", written="C", marks="FR"
    )
    yield _named(key, table.label, "Unique identifier for entity instances")
    yield _state(table)
    yield _status(table)


def _state(table: Table) -> Element:
    root = _column("statecode", "state", "systemrequired", SHOWN, written="U", marks="AF")
    options = _local_options(root, f"{table.name}_statecode", "state", "Status", f"Status of the {table.label}")
    states = add(options, "states")
    for value, (label, reason) in enumerate((("Active", 1), ("Inactive", 2))):
        _option(states, "state", label, value=value, defaultstatus=reason, invariantname=label)
    return _named(root, "Status", f"Status of the {table.label}")


def _status(table: Table) -> Element:
    root = _column("statuscode", "status", "none", SHOWN)
    description = f"Reason for the status of the {table.label}"
    options = _local_options(root, f"{table.name}_statuscode", "status", "Status Reason", description)
    statuses = add(options, "statuses")
    for value, state, label in ((1, 0, "Active"), (2, 1, "Inactive")):
        _option(statuses, "status", label, value=value, state=state)
    return _named(root, "Status Reason", description)


def _local_options(root: Element, name: str, kind: str, label: str, description: str) -> Element:
    options = add(root, "optionset", None, Name=name)
    each(options, OptionSetType=kind, IntroducedVersion=INTRODUCED, IsCustomizable=1)
    return _named(options, label, description)


def _option(parent: Element, tag: str, text: str, description: str = "", **attributes: str | int) -> None:
    option = add(parent, tag, None, **attributes)
    localized(option, "labels", "label", text)
    if description:
        localized(option, "Descriptions", "Description", description)


def _choice(choice: Choice) -> Element:
    root = Element("optionset", {"Name": choice.name, "localizedName": choice.label})
    each(root, OptionSetType="picklist", IsGlobal=1, IntroducedVersion=INTRODUCED, IsCustomizable=1)
    _named(root, choice.label, choice.description)
    options = add(root, "options")
    for n, _, label, description in choice.options:
        _option(options, "option", label, description, value=OPTION_BASE + n)
    return root


# ─ forms and views ──────────────────────────────────────────────────────────────────────────────────────────────────


def _forms(root: Element, forms: Iterable[Form]) -> None:
    holder = add(root, "FormXml")
    by_type: dict[str, list[Form]] = {}
    for form in forms:
        by_type.setdefault(form.type, []).append(form)
    for type_, of_type in by_type.items():
        group = add(holder, "forms", None, type=type_)
        for form in of_type:
            element = add(group, "systemform")
            each(element, formid=form.id, IntroducedVersion=INTRODUCED, FormPresentation=1, FormActivationState=1)
            element.append(form_xml(form, FORMS))
            each(element, IsCustomizable=1, CanBeDeleted=1)
            localized(element, "LocalizedNames", "LocalizedName", form.name)
            localized(element, "Descriptions", "Description", form.description)


def _view(view: View) -> Element:
    root = Element("savedquery")
    built_in = view.table.startswith("mag_") and not view.description
    each(root, IsCustomizable=1, CanBeDeleted=int(not built_in), isquickfindquery=int(bool(view.search)), isprivate=0)
    each(root, isdefault=int(view.default), savedqueryid=view.id)
    add(root, "layoutxml").append(layout_xml(view))
    add(root, "querytype", int(view.kind))
    add(root, "fetchxml").append(fetch_xml(view))
    add(root, "IntroducedVersion", INTRODUCED)
    localized(root, "LocalizedNames", "LocalizedName", view.name)
    if view.description:
        localized(root, "Descriptions", "Description", view.description)
    return root


# ─ relationships ────────────────────────────────────────────────────────────────────────────────────────────────────


def _relationships() -> Iterator[Element]:
    for table in TABLES:
        for column in table.columns:
            if column.type.kind == "lookup":
                yield _one_to_many(table, column)
        if table.custom:
            present = {row[0] for row in _system_rows(table)}
            yield from (_system_relationship(table, *row) for row in SYSTEM_RELATIONSHIPS if row[2] in present)
    yield from (_many_to_many(link) for link in MANY_TO_MANY)


def _begin(name: str, kind: str) -> Element:
    root = Element("EntityRelationship", {"Name": name})
    each(root, EntityRelationshipType=kind, IsCustomizable=1, IntroducedVersion=INTRODUCED, IsHierarchical=0)
    return root


def _cascades(root: Element, table: str, target: str, on_delete: str) -> None:
    each(root, ReferencingEntityName=table, ReferencedEntityName=target, CascadeAssign="NoCascade", CascadeDelete=on_delete)
    each(root, CascadeReparent="NoCascade", CascadeShare="NoCascade", CascadeUnshare="NoCascade")


def _one_to_many(table: Table, column: Column) -> Element:
    (target,) = column.type.targets
    name = relationship(table.name, column.name)
    root = _begin(name, "OneToMany")
    _cascades(root, schema_name(table.name), schema_name(target), column.type.on_delete)
    each(root, CascadeRollupView="NoCascade", IsValidForAdvancedFind=1, ReferencingAttributeName=column.name)
    localized(add(root, "RelationshipDescription"), "Descriptions", "Description", column.description)
    roles = add(root, "EntityRelationshipRoles")
    many = add(roles, "EntityRelationshipRole")
    each(many, NavPaneDisplayOption="UseCollectionName", NavPaneArea="Details", NavPaneOrder=10000)
    each(many, NavigationPropertyName=column.name, RelationshipRoleType=1)
    each(add(roles, "EntityRelationshipRole"), NavigationPropertyName=name, RelationshipRoleType=0)
    return root


def _system_relationship(table: Table, name: str, target: str, column: str, on_delete: str, description: str) -> Element:
    root = _begin(name.format(table=table.name), "OneToMany")
    _cascades(root, table.name, target, on_delete)
    add(root, "ReferencingAttributeName", column)
    localized(add(root, "RelationshipDescription"), "Descriptions", "Description", description)
    return root


def _many_to_many(link: ManyToMany) -> Element:
    root = _begin(link.name, "ManyToMany")
    each(root, FirstEntityName=schema_name(link.first), SecondEntityName=schema_name(link.second))
    each(root, IntersectEntityName=link.name, IsValidForAdvancedFind=1)
    roles = add(root, "EntityRelationshipRoles")
    for ordinal in (1, 2):
        role = add(roles, "EntityRelationshipRole")
        each(role, NavPaneDisplayOption="UseLabel", NavPaneArea="Details", NavPaneOrder=10000)
        each(role, NavigationPropertyName=link.name, AssociationRoleOrdinal=ordinal)
    return root
