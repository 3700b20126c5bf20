"""The platform's own tables that customizing and importing write: forms, views, site maps, privileges, jobs, components.

Source: Microsoft Learn, Power Apps developer reference, tables SystemForm, SavedQuery, SiteMap, Privilege, AsyncOperation,
ImportJob, SolutionComponent. Only the columns an installer has to do with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from solution.model import ColumnModel, TableModel

CU, C, U, NEVER = "CU", "C", "U", ""
DEPTHS = {1: "Basic", 2: "Local", 4: "Deep", 8: "Global"}
FORM_TYPES = {2: "Main", 6: "Quick View Form", 7: "Quick Create", 11: "Card"}
COMPONENTS = {
    1: "Entity", 2: "Attribute", 9: "Option Set", 10: "Entity Relationship", 14: "Entity Key", 20: "Role", 26: "View",
    60: "System Form", 61: "Web Resource", 62: "Site Map", 80: "Model-driven App", 92: "SDK Message Processing Step",
    95: "Service Endpoint",
}  # fmt: skip
SUCCEEDED, FAILED, IN_PROGRESS = 30, 31, 20

# fmt: off
ROWS: tuple[tuple[str, str, str, str, object], ...] = (
    # table               column                       type                 written  more
    ("systemform",        "formid",                    "uniqueidentifier",  C,       None),
    ("systemform",        "name",                      "text",              CU,      100),
    ("systemform",        "description",               "memo",              CU,      2000),
    ("systemform",        "objecttypecode",            "text",              C,       64),
    ("systemform",        "type",                      "choice",            C,       FORM_TYPES),
    ("systemform",        "formxml",                   "memo",              CU,      1_073_741_823),
    ("systemform",        "formactivationstate",       "choice",            CU,      {0: "Inactive", 1: "Active"}),
    ("systemform",        "formpresentation",          "choice",            C,       {0: "ClassicForm", 1: "AirForm", 2: "ConvertedICForm"}),
    ("systemform",        "isdefault",                 "boolean",           CU,      None),
    ("systemform",        "ismanaged",                 "boolean",           NEVER,   None),
    ("savedquery",        "savedqueryid",              "uniqueidentifier",  C,       None),
    ("savedquery",        "name",                      "text",              CU,      200),
    ("savedquery",        "description",               "memo",              CU,      2000),
    ("savedquery",        "returnedtypecode",          "text",              C,       64),
    ("savedquery",        "querytype",                 "integer",           C,       None),
    ("savedquery",        "fetchxml",                  "memo",              CU,      1_073_741_823),
    ("savedquery",        "layoutxml",                 "memo",              CU,      1_073_741_823),
    ("savedquery",        "isdefault",                 "boolean",           CU,      None),
    ("savedquery",        "isquickfindquery",          "boolean",           C,       None),
    ("savedquery",        "ismanaged",                 "boolean",           NEVER,   None),
    ("sitemap",           "sitemapid",                 "uniqueidentifier",  C,       None),
    ("sitemap",           "sitemapname",               "text",              CU,      160),
    ("sitemap",           "sitemapnameunique",         "text",              C,       160),
    ("sitemap",           "sitemapxml",                "memo",              CU,      1_073_741_823),
    ("sitemap",           "isappaware",                "boolean",           CU,      None),
    ("sitemap",           "ismanaged",                 "boolean",           NEVER,   None),
    ("webresource",       "webresourceid",             "uniqueidentifier",  C,       None),
    ("webresource",       "name",                      "text",              C,       256),
    ("webresource",       "displayname",               "text",              CU,      200),
    ("webresource",       "webresourcetype",           "integer",           C,       None),
    ("webresource",       "content",                   "memo",              CU,      1_073_741_823),
    ("webresource",       "ismanaged",                 "boolean",           NEVER,   None),
    ("privilege",         "privilegeid",               "uniqueidentifier",  NEVER,   None),
    ("privilege",         "name",                      "text",              NEVER,   100),
    ("privilege",         "accessright",               "integer",           NEVER,   None),
    ("privilege",         "canbebasic",                "boolean",           NEVER,   None),
    ("privilege",         "canbeglobal",               "boolean",           NEVER,   None),
    ("solutioncomponent", "solutioncomponentid",       "uniqueidentifier",  NEVER,   None),
    ("solutioncomponent", "componenttype",             "choice",            NEVER,   COMPONENTS),
    ("solutioncomponent", "objectid",                  "uniqueidentifier",  NEVER,   None),
    ("solutioncomponent", "rootcomponentbehavior",     "choice",            NEVER,   {0: "Include Subcomponents", 1: "Do not include subcomponents", 2: "Include As Shell Only"}),
    ("solutioncomponent", "solutionid",                "lookup",            NEVER,   "solution"),
    ("importjob",         "importjobid",               "uniqueidentifier",  NEVER,   None),
    ("importjob",         "name",                      "text",              NEVER,   1000),
    ("importjob",         "solutionname",              "text",              NEVER,   256),
    ("importjob",         "progress",                  "double",            NEVER,   None),
    ("importjob",         "startedon",                 "datetime",          NEVER,   None),
    ("importjob",         "completedon",               "datetime",          NEVER,   None),
    ("importjob",         "data",                      "memo",              NEVER,   1_073_741_823),
    ("asyncoperation",    "asyncoperationid",          "uniqueidentifier",  NEVER,   None),
    ("asyncoperation",    "name",                      "text",              NEVER,   256),
    ("asyncoperation",    "message",                   "memo",              NEVER,   1_073_741_823),
    ("asyncoperation",    "friendlymessage",           "memo",              NEVER,   5000),
    ("asyncoperation",    "errorcode",                 "integer",           NEVER,   None),
    ("asyncoperation",    "completedon",               "datetime",          NEVER,   None),
    ("asyncoperation",    "statecode",                 "state",             NEVER,   {0: "Ready", 1: "Suspended", 2: "Locked", 3: "Completed"}),
    ("asyncoperation",    "statuscode",                "status",            NEVER,   {0: (0, "Waiting For Resources"), 20: (2, "In Progress"), 30: (3, "Succeeded"), 31: (3, "Failed"), 32: (3, "Canceled")}),
)
# fmt: on

ENTITY_SETS = {
    "systemform": "systemforms", "savedquery": "savedqueries", "sitemap": "sitemaps", "webresource": "webresourceset",
    "privilege": "privileges", "solutioncomponent": "solutioncomponents", "importjob": "importjobs",
    "asyncoperation": "asyncoperations",
}  # fmt: skip
NAMES = {"sitemap": "sitemapname", "solutioncomponent": ""}


def tables() -> Mapping[str, TableModel]:
    """Return the tables of ROWS, each with when it was made and changed."""
    return {name: _table(name, entity_set) for name, entity_set in ENTITY_SETS.items()}


def _table(name: str, entity_set: str) -> TableModel:
    columns = [_column(*row[1:]) for row in ROWS if row[0] == name]
    columns += [ColumnModel(stamp, "datetime", create=False, update=False) for stamp in ("createdon", "modifiedon")]
    columns.append(ColumnModel("versionnumber", "bigint", create=False, update=False))
    return TableModel(
        name=name,
        entity_set=entity_set,
        key=columns[0].name,
        primary_name=NAMES.get(name, "name"),
        columns={column.name: column for column in columns},
        one_to_many={},
        many_to_many={},
        keys={},
        custom=False,
        ownership="OrganizationOwned",
    )


def _column(name: str, kind: str, written: str, more: object) -> ColumnModel:
    column = ColumnModel(name, kind, create="C" in written, update="U" in written)
    match more:
        case int():
            return replace(column, max_length=more)
        case str():
            return replace(column, targets=(more,), navigation={more: name})
        case dict() if kind == "status":
            labels = {value: label for value, (_, label) in more.items()}
            return replace(column, options=labels, states={value: state for value, (state, _) in more.items()})
        case dict():
            return replace(column, options=more)
    return column
