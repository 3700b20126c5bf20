"""A solution zip as Dataverse would read it: nothing here knows how it was made.

The order of children below was taken down from Microsoft's own managed exports (Industry-Accelerator-Media, MIT), not
from the generator. A tag may be missing; it may not come elsewhere, and none may come that is not listed.
"""

import io
from collections.abc import Iterator
from functools import cache
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from zipfile import ZipFile

from solution.build import package

MARKS = (
    "ValidForUpdateApi ValidForReadApi ValidForCreateApi IsCustomField IsAuditEnabled IsLogical IsSecured IntroducedVersion "
    "IsCustomizable IsRenameable CanModifySearchSettings CanModifyRequirementLevelSettings CanModifyAdditionalSettings "
    "SourceType IsGlobalFilterEnabled IsSortableEnabled CanModifyGlobalFilterSettings CanModifyIsSortableSettings "
    "IsDataSourceSecret AutoNumberFormat IsSearchable IsFilterable IsRetrievable IsLocalizable"
)
ADDRESS = (
    "AddressNumber AddressTypeCode City County Country Fax FreightTermsCode ImportSequenceNumber Latitude Line1 Line2 Line3 "
    "Longitude Name PostalCode PostOfficeBox PrimaryContactName ShippingMethodCode StateOrProvince Telephone1 Telephone2 "
    "Telephone3 TimeZoneRuleVersionNumber UPSZone UTCOffset UTCConversionTimeZoneCode"
)
CASCADES = "CascadeAssign CascadeDelete CascadeReparent CascadeShare CascadeUnshare CascadeRollupView"

# fmt: off
ORDER: dict[str, str] = {
    # path's last steps                what may come, in this order
    "ImportExportXml":                 "SolutionManifest Entities Roles Workflows FieldSecurityProfiles Templates EntityMaps EntityRelationships OrganizationSettings optionsets "
                                       "Dashboards WebResources CustomControls AppModuleSiteMaps AppModules EntityDataProviders Languages",
    "Entity":                          "Name EntityInfo FormXml SavedQueries Visualizations RibbonDiffXml",
    "EntityInfo":                      "entity",
    "EntityInfo/entity":               "LocalizedNames LocalizedCollectionNames Descriptions attributes EntityKeys EntitySetName IsDuplicateCheckSupported "
                                       "IsBusinessProcessEnabled IsRequiredOffline IsInteractionCentricEnabled IsCollaboration AutoRouteToOwnerQueue IsConnectionsEnabled "
                                       "EntityColor IsDocumentManagementEnabled AutoCreateAccessTeams IsOneNoteIntegrationEnabled IsKnowledgeManagementEnabled IsSLAEnabled "
                                       "IsDocumentRecommendationsEnabled IsBPFEntity OwnershipTypeMask IsAuditEnabled IsRetrieveAuditEnabled IsRetrieveMultipleAuditEnabled "
                                       "IsActivity ActivityTypeMask IsActivityParty IsReplicated IsReplicationUserFiltered IsMailMergeEnabled IsVisibleInMobile "
                                       "IsVisibleInMobileClient IsReadOnlyInMobileClient IsOfflineInMobileClient DaysSinceRecordLastModified MobileOfflineFilters "
                                       "IsMapiGridEnabled IsReadingPaneEnabled IsQuickCreateEnabled SyncToExternalSearchIndex IntroducedVersion IsCustomizable IsRenameable "
                                       "IsMappable CanModifyAuditSettings CanModifyMobileVisibility CanModifyMobileClientVisibility CanModifyMobileClientReadOnly "
                                       "CanModifyMobileClientOffline CanModifyConnectionSettings CanModifyDuplicateDetectionSettings CanModifyMailMergeSettings "
                                       "CanModifyQueueSettings CanCreateAttributes CanCreateForms CanCreateCharts CanCreateViews CanModifyAdditionalSettings "
                                       "CanEnableSyncToExternalSearchIndex IconVectorName EnforceStateTransitions CanChangeHierarchicalRelationship EntityHelpUrlEnabled "
                                       "ChangeTrackingEnabled CanChangeTrackingBeEnabled IsEnabledForExternalChannels IsSolutionAware",
    "attributes":                      "attribute*",
    "attributes/attribute":            f"Type Name LogicalName RequiredLevel DisplayMask ImeMode {MARKS} AppDefaultValue Format MaxLength Length CanChangeDateTimeBehavior "
                                       "Behavior MinValue MaxValue Accuracy AccuracySource CalculationOf OptionSetName optionset LookupStyle LookupTypes displaynames Descriptions",
    "attribute/optionset":             "OptionSetType IntroducedVersion IsCustomizable displaynames Descriptions options states statuses",
    "optionsets/optionset":            "OptionSetType IsGlobal IntroducedVersion IsCustomizable displaynames Descriptions options",
    "option":                          "labels Descriptions",
    "state":                           "labels",
    "status":                          "labels",
    "EntityKeys":                      "EntityKey*",
    "EntityKey":                       "Name LogicalName IntroducedVersion IsCustomizable EntityKeyAttributes displaynames",
    "EntityKeyAttributes":             "AttributeName*",
    "FormXml":                         "forms*",
    "forms":                           "systemform*",
    "systemform":                      "formid IntroducedVersion FormPresentation FormActivationState form IsCustomizable CanBeDeleted LocalizedNames Descriptions",
    "form":                            "tabs header formLibraries events DisplayConditions",
    "tabs":                            "tab*",
    "tab":                             "labels columns",
    "column":                          "sections",
    "section":                         "labels rows",
    "rows":                            "row*",
    "cell":                            "labels control",
    "control":                         "parameters",
    "SavedQueries":                    "savedqueries",
    "savedqueries":                    "savedquery*",
    "savedquery":                      "IsCustomizable CanBeDeleted isquickfindquery isprivate isdefault savedqueryid layoutxml querytype fetchxml IntroducedVersion "
                                       "LocalizedNames Descriptions",
    "RibbonDiffXml":                   "CustomActions Templates CommandDefinitions RuleDefinitions LocLabels",
    "Role":                            "IsCustomizable RolePrivileges",
    "RolePrivileges":                  "RolePrivilege*",
    "EntityRelationships":             "EntityRelationship*",
    "EntityRelationship":              "EntityRelationshipType IsCustomizable IntroducedVersion IsHierarchical ReferencingEntityName ReferencedEntityName "
                                       f"{CASCADES} FirstEntityName SecondEntityName IntersectEntityName IsValidForAdvancedFind ReferencingAttributeName "
                                       "RelationshipDescription EntityRelationshipRoles",
    "EntityRelationshipRole":          "NavPaneDisplayOption NavPaneArea NavPaneOrder NavigationPropertyName AssociationRoleOrdinal RelationshipRoleType",
    "WebResource":                     "WebResourceId Name DisplayName WebResourceType IntroducedVersion IsEnabledForMobileClient IsAvailableForMobileOffline DependencyXml "
                                       "IsCustomizable CanBeDeleted IsHidden FileName",
    "AppModuleSiteMap":                "SiteMapUniqueName SiteMap LocalizedNames",
    "SubArea":                         "Titles Descriptions Privilege",
    "AppModule":                       "UniqueName IntroducedVersion WebResourceId OptimizedFor statecode statuscode FormFactor ClientType NavigationType AppModuleComponents "
                                       "AppModuleRoleMaps LocalizedNames Descriptions",
    "Languages":                       "Language*",
    # solution.xml
    "SolutionManifest":                "UniqueName LocalizedNames Descriptions Version Managed Publisher RootComponents MissingDependencies",
    "Publisher":                       "UniqueName LocalizedNames Descriptions EMailAddress SupportingWebsiteUrl CustomizationPrefix CustomizationOptionValuePrefix Addresses",
    "Addresses":                       "Address*",
    "Address":                         ADDRESS,
    "RootComponents":                  "RootComponent*",
}
# fmt: on


@cache
def archive(*, managed: bool) -> ZipFile:
    """Open the zip as built."""
    return ZipFile(io.BytesIO(package(managed=managed)))


@cache
def xml(name: str, *, managed: bool = False) -> Element:
    """Read one XML file of the zip."""
    return ElementTree.fromstring(archive(managed=managed).read(name))


def customizations() -> Element:
    """Read the file that holds nearly everything."""
    return xml("customizations.xml")


def manifest(*, managed: bool = False) -> Element:
    """Read the solution's own description."""
    return found(xml("solution.xml", managed=managed), "SolutionManifest")


def found(element: Element, path: str) -> Element:
    """Return the one element at a path; AssertionError when there is none, or more than one."""
    elements = element.findall(path)
    assert len(elements) == 1, f"{len(elements)} of {path} in {element.tag}"
    return elements[0]


def text(element: Element, path: str) -> str:
    """Return the text of the one element at a path."""
    return found(element, path).text or ""


def misplaced(root: Element) -> Iterator[str]:
    """Say which children come where no real export has them. Empty lines between tags mean nothing."""
    for parent, element in _pairs(root):
        allowed = ORDER.get(f"{parent}/{element.tag}", ORDER.get(element.tag))
        if allowed is None:
            continue
        tags = [child.tag for child in element]
        places = {tag.rstrip("*"): n for n, tag in enumerate(allowed.split())}
        many = {tag.rstrip("*") for tag in allowed.split() if tag.endswith("*")}
        where = [places.get(tag, -1) for tag in tags]
        if -1 in where or where != sorted(where) or any(tags.count(tag) > 1 for tag in tags if tag not in many):
            yield f"{parent}/{element.tag}: {' '.join(tags)}"


def _pairs(element: Element, parent: str = "") -> Iterator[tuple[str, Element]]:
    yield parent, element
    for child in element:
        yield from _pairs(child, element.tag)


class Attribute:
    """One column in the file."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.name, self.kind = text(element, "LogicalName"), text(element, "Type")
        self.custom = text(element, "IsCustomField") == "1"

    def __getattr__(self, tag: str) -> str:
        return text(self.element, tag)


class Entity:
    """One table in the file: its columns as listed, forms and views."""

    def __init__(self, element: Element) -> None:
        self.element = element
        self.schema_name = text(element, "Name")
        self.name = self.schema_name.lower()
        self.attributes = {
            attribute.name: attribute for attribute in map(Attribute, element.findall("EntityInfo/entity/attributes/attribute"))
        }
        self.forms = [(str(forms.get("type")), form) for forms in element.iter("forms") for form in forms]
        self.views = list(element.iter("savedquery"))

    @property
    def info(self) -> Element:
        """Return what is said of the table itself."""
        return found(self.element, "EntityInfo/entity")

    @property
    def ours(self) -> bool:
        """Tell whether the table is the solution's own, not a shell around one of Dynamics 365's."""
        return self.info.find("EntitySetName") is not None


@cache
def entities() -> dict[str, Entity]:
    """Return every table of the file by logical name."""
    return {entity.name: entity for entity in map(Entity, found(customizations(), "Entities"))}
