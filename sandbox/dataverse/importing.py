"""Stage, import, upgrade and uninstall solutions as background jobs; publish what was changed.

Source: Microsoft Learn, "Work with solutions using the Dataverse SDK", "Solution staging, with asynchronous import and
export"; Web API reference: StageSolution, ImportSolutionAsync, StageAndUpgradeAsync, asyncoperation, importjob.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from solution.model import TableModel

from . import customizing, definitions, package, rows
from .environment import Environment, derived_id
from .errors import BAD_ARGUMENT, NOT_FOUND, Refused
from .platform import COMPONENTS, FAILED, IN_PROGRESS, SUCCEEDED
from .request import Answer, Request
from .store import Row

BUSY = "0x80071151"
UNPUBLISHED = frozenset({"systemform", "savedquery", "sitemap", "appmodule", "webresource"})
CUSTOMIZING = UNPUBLISHED | {"solution", "publisher", "role"}


def stage(environment: Environment, request: Request) -> Answer:
    """Answer StageSolution: look the file through and keep it for an import."""
    customizing.allow(environment, request.caller.administrator)
    text = rows.load(request.body).get("CustomizationFile") or ""
    found = package.opened(_bytes(text))
    package.check_installable(environment, found)
    upload = environment.derived("upload")
    environment.store.keep("upload", upload, text)
    results = {
        "StageSolutionUploadId": upload,
        "StageSolutionStatus": "Passed",
        "SolutionValidationResults": [],
        "MissingDependencies": [],
        "SolutionDetails": {"SolutionUniqueName": found.unique_name, "SolutionVersion": found.version},
    }
    return Answer(200, {"StageSolutionResults": results})


def begin_import(environment: Environment, request: Request) -> Answer:
    """Answer ImportSolutionAsync: the job runs by itself; ask asyncoperations how far it is."""
    return _begin(environment, request, upgrade=False)


def begin_upgrade(environment: Environment, request: Request) -> Answer:
    """Answer StageAndUpgradeAsync: import, and take away what only the former version had."""
    return _begin(environment, request, upgrade=True)


def import_now(environment: Environment, request: Request) -> Answer:
    """Answer ImportSolution: like the job, but the caller waits."""
    answer = _begin(environment, request, upgrade=False)
    assert isinstance(answer.body, dict)
    _finish(environment, str(answer.body["AsyncOperationId"]))
    operation = environment.require("asyncoperation", str(answer.body["AsyncOperationId"]))
    if operation["statuscode"] == FAILED:
        raise Refused(400, package.FAILED, str(operation["message"]))
    return Answer(204)


def _begin(environment: Environment, request: Request, *, upgrade: bool) -> Answer:
    customizing.allow(environment, request.caller.administrator)
    body = rows.load(request.body)
    for name in ("OverwriteUnmanagedCustomizations", "PublishWorkflows"):
        if not isinstance(body.get(name), bool):
            raise Refused(400, BAD_ARGUMENT, f"Required field '{name}' is missing.")
    advance(environment)
    if environment.store.facts("job"):
        raise Refused(429, BUSY, "Cannot start another [Import] because there is a previous [Import] running at this moment.")
    staged = (body.get("SolutionParameters") or {}).get("StageSolutionUploadId")
    text = environment.store.facts("upload").get(str(staged)) if staged else body.get("CustomizationFile")
    if not text:
        raise Refused(400, NOT_FOUND, "There is neither a CustomizationFile nor a staged solution of that id.")
    found = package.opened(_bytes(text))
    package.check_installable(environment, found)
    operation, job = environment.derived("asyncoperation"), str(body.get("ImportJobId") or environment.derived("importjob"))
    with environment.transaction():
        environment.seed("importjob", importjobid=job, name="Customizations", solutionname=found.unique_name, progress=0.0,
                         startedon=environment.now)  # fmt: skip
        environment.seed("asyncoperation", asyncoperationid=operation, name="Solution Import", statecode=2,
                         statuscode=IN_PROGRESS)  # fmt: skip
        fact = {"job": job, "upgrade": upgrade, "since": environment.now, "file": text, "user": request.caller.user}
        environment.store.keep("job", operation, fact)
        if staged:
            environment.store.forget("upload", str(staged))
    return Answer(200, {"AsyncOperationId": operation, "ImportJobKey": job})


def advance(environment: Environment) -> None:
    """Let time pass for the import that is under way."""
    for operation, fact in environment.store.facts("job").items():
        age = environment.clock.now() - datetime.fromisoformat(fact["since"])
        if age >= environment.import_time:
            _finish(environment, operation)
        else:
            progress = round(100 * age / environment.import_time, 1)
            environment.seed("importjob", importjobid=fact["job"], progress=progress)


def _finish(environment: Environment, operation: str) -> None:
    fact = environment.store.facts("job")[operation]
    environment.store.forget("job", operation)
    found = package.opened(_bytes(fact["file"]))
    importer = package.Importer(environment, found, upgrade=fact["upgrade"])
    code, message, done = 0, "", 100.0
    try:
        importer.run()
        for table in UNPUBLISHED if not found.managed else ():
            environment.store.keep("unpublished", table, True)
    except package.Import:
        bad = [result for result in importer.results if result.text]
        done = round(100 * (1 - len(bad) / len(importer.results)), 1)
        code, message = int(package.FAILED, 16) - 2**32, f"The import of solution: {found.unique_name} failed. {bad[0].text}"
    except Refused as refused:  # a version or mode that changed since the file was staged
        importer.results.append(package.Result("solutionManifest", found.unique_name, refused.code, refused.message))
        code, message, done = int(package.FAILED, 16) - 2**32, refused.message, 0.0
    environment.seed("importjob", importjobid=fact["job"], progress=done, completedon=environment.now,
                     data=_log(found, importer.results, message))  # fmt: skip
    environment.seed(
        "asyncoperation", asyncoperationid=operation, name="Solution Import", statecode=3, message=message or None,
        friendlymessage=message or None, errorcode=code, completedon=environment.now, statuscode=FAILED if message else SUCCEEDED,
    )  # fmt: skip


def _log(found: package.Package, results: list[package.Result], message: str) -> str:
    """Write the job's own account: the manifest annotated, one result for each component."""
    root = Element("importexportxml", succeeded="failure" if message else "success", processed="true")
    manifest = SubElement(SubElement(root, "solutionManifests"), "solutionManifest", id=found.unique_name)
    SubElement(manifest, "UniqueName").text = found.unique_name
    SubElement(manifest, "Version").text = found.version
    _result(manifest, package.FAILED if message else "0", message)
    groups: dict[str, Element] = {}
    for result in results:
        group = groups.setdefault(result.kind, SubElement(root, f"{result.kind}s") if result.kind not in groups else root)
        _result(SubElement(group, result.kind, id=result.name, LocalizedName=result.name), result.code, result.text)
    return tostring(root, encoding="unicode")


def _result(parent: Element, code: str, text: str) -> None:
    SubElement(parent, "result", result="failure" if text else "success", errorcode=code, errortext=text)


def uninstall(environment: Environment, row: Row) -> None:
    """Take a solution away: a managed one with everything it brought, of an unmanaged one only the list of its parts."""
    name, store = str(row["uniquename"]), environment.store
    facts = {key: fact for key, fact in store.facts("component").items() if key.startswith(f"{name}/")}
    with environment.transaction():
        if row["ismanaged"]:
            brought = store.facts("brought").get(name, {"column": []})
            columns = [
                {"kind": package.COLUMN, "name": column, "id": ""}
                for column in brought["column"]
                if not environment.model[column.partition(".")[0]].custom
            ]
            links = [fact for fact in facts.values() if fact["kind"] != package.TABLE]
            tables = [fact for fact in facts.values() if fact["kind"] == package.TABLE]
            package.remove(environment, [fact for fact in links if fact["kind"] != package.CHOICE])
            for one, other in _cycles(environment, [str(fact["name"]) for fact in tables]):
                customizing.delete_column(environment, one, other)
            package.remove(environment, [fact for fact in columns if _there(environment, fact["name"])])
            package.remove(environment, [*tables, *(fact for fact in links if fact["kind"] == package.CHOICE)])
        for component in store.find("solutioncomponent", "solutionid", str(row["solutionid"])):
            store.delete("solutioncomponent", str(component["solutioncomponentid"]))
        for key in facts:
            store.forget("component", key)
        store.forget("brought", name)
        store.delete("solution", str(row["solutionid"]))


def _there(environment: Environment, column: str) -> bool:
    table, _, name = column.partition(".")
    return name in environment.model[table].columns


def _cycles(environment: Environment, tables: list[str]) -> list[tuple[str, str]]:
    """Return the lookups between the tables that go: the platform drops them all together."""
    for name in tables:
        model = environment.model[name]
        for key in model.keys if model.custom else ():
            customizing.delete_key(environment, name, key)
    gone = [name for name in tables if environment.model[name].custom]
    return [
        (name, column.name)
        for name in tables
        for column in environment.model[name].columns.values()
        if column.custom and column.is_lookup and set(column.targets) & set(gone)
    ]


# --- publishing and apps -------------------------------------------------------------------------------------------


def publish(environment: Environment, request: Request) -> Answer:
    """Answer PublishAllXml and PublishXml."""
    customizing.allow(environment, request.caller.administrator)
    if request.path[0].name == "PublishXml" and not rows.load(request.body).get("ParameterXml"):
        raise Refused(400, BAD_ARGUMENT, "Required field 'ParameterXml' is missing.")
    for name in environment.store.facts("unpublished"):
        environment.store.forget("unpublished", name)
    return Answer(204)


def reactivate_key(environment: Environment, request: Request) -> Answer:
    """Answer ReactivateEntityKey."""
    customizing.allow(environment, request.caller.administrator)
    body = rows.load(request.body)
    customizing.reactivate_key(environment, body.get("EntityLogicalName", ""), body.get("EntityKeyLogicalName", ""))
    return Answer(204)


def add_app_components(environment: Environment, request: Request) -> Answer:
    """Answer AddAppComponents: tables, views, forms and the site map of an app."""
    customizing.allow(environment, request.caller.administrator)
    body = rows.load(request.body)
    app = environment.require("appmodule", str(body.get("AppId", "")).lower())
    tables = list(environment.store.facts("app").get(str(app["appmoduleid"]), {}).get("tables", []))
    for component in body.get("Components") or ():
        kind = str(component.get("@odata.type", "")).removeprefix(definitions.CRM)
        if kind == "entity":
            ids = {derived_id("table", name): name for name in environment.model}
            if component.get("entityid") not in ids:
                raise Refused(400, NOT_FOUND, f"There is no table {component.get('entityid')}.")
            tables.append(ids[component["entityid"]])
        elif kind in ("savedquery", "systemform", "sitemap"):
            environment.require(kind, str(component.get(environment.model[kind].key, "")).lower())
        else:
            raise Refused(400, BAD_ARGUMENT, f"'{kind}' cannot be a component of an app here.")
    environment.store.keep("app", str(app["appmoduleid"]), {"tables": sorted(set(tables))})
    return Answer(204)


def add_solution_component(environment: Environment, request: Request) -> Answer:
    """Answer AddSolutionComponent for tables, columns and choices: what is there already joins a solution."""
    customizing.allow(environment, request.caller.administrator)
    body = rows.load(request.body)
    kind, object_id = int(body.get("ComponentType", 0)), str(body.get("ComponentId", "")).lower()
    names = {derived_id("table", name): name for name in environment.model}
    names |= {derived_id("choice", name): name for name in environment.store.facts("choice")}
    names |= {
        derived_id("column", model.name, column): f"{model.name}.{column}"
        for model in environment.model.values()
        for column in model.columns
    }
    if kind not in COMPONENTS or object_id not in names:
        raise Refused(400, NOT_FOUND, f"There is no component {object_id} of the type {kind}.")
    behavior = 0 if body.get("AddRequiredComponents") is None or not body.get("DoNotIncludeSubcomponents") else 1
    customizing.note_component(environment, str(body.get("SolutionUniqueName")), kind, names[object_id], object_id, behavior)
    return Answer(200, {"id": object_id})


Action = Callable[[Environment, Request], Answer]
ACTIONS: Mapping[str, Action] = {
    "StageSolution": stage,
    "ImportSolution": import_now,
    "ImportSolutionAsync": begin_import,
    "StageAndUpgradeAsync": begin_upgrade,
    "PublishXml": publish,
    "PublishAllXml": publish,
    "ReactivateEntityKey": reactivate_key,
    "AddAppComponents": add_app_components,
    "AddSolutionComponent": add_solution_component,
    "InsertOptionValue": definitions.insert_option,
    "UpdateOptionValue": definitions.update_option,
}


# --- rows that are components --------------------------------------------------------------------------------------


def before_write(environment: Environment, request: Request, table: TableModel) -> None:
    """Refuse (403) who may not customize, as the platform does for forms, views, roles, apps, solutions and steps."""
    if table.name in CUSTOMIZING and request.method != "GET":
        customizing.allow(environment, request.caller.administrator)


def after_write(environment: Environment, request: Request, table: TableModel, row: Row) -> None:
    """Check a written form, view or site map; note that it waits to be published, and the solution it is for."""
    match table.name:
        case "systemform":
            package.check_form(environment, str(row["objecttypecode"]), str(row["formxml"]))
        case "savedquery":
            package.check_view(environment, str(row["returnedtypecode"]), str(row["fetchxml"]), str(row["layoutxml"] or ""))
        case "sitemap":
            package.check_site_map(environment, str(row["sitemapxml"]))
    if table.name in UNPUBLISHED:
        environment.store.keep("unpublished", table.name, True)
    kinds = {"systemform": 60, "savedquery": 26, "sitemap": 62, "appmodule": 80, "role": 20, "webresource": 61}
    unique_name = request.headers.get("mscrm.solutionuniquename")
    if table.name in kinds and unique_name:
        name = str(row.get(table.primary_name) or "")
        customizing.note_component(environment, unique_name, kinds[table.name], name, str(row[table.key]))


def before_delete(environment: Environment, table: TableModel, row: Row) -> bool:
    """Refuse to delete a managed component; uninstall a solution (then True: the row is gone)."""
    kinds = {"systemform": 60, "savedquery": 26, "sitemap": 62, "appmodule": 80, "role": 20, "webresource": 61}
    if table.name in kinds:
        what = f"The {table.name} {row.get(table.primary_name)}"
        customizing.refuse_managed(environment, kinds[table.name], str(row[table.key]), what)
    if table.name == "publisher":
        children = environment.store.find("solution", "publisherid", str(row["publisherid"]))
        if children:
            raise Refused(
                400, customizing.IN_USE, f"The publisher cannot be deleted: the solution {children[0]['uniquename']} is its own."
            )
    if table.name == "solution":
        uninstall(environment, row)
        return True
    return False


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, package.INVALID_FILE, "The CustomizationFile is not base64.") from error
