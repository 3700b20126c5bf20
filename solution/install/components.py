"""Files, views, forms, the site map, the roles and the app as rows of the Web API, and how those there differ.

Source: Microsoft Learn, table reference SystemForm, SavedQuery, SiteMap, AppModule, WebResource, Role; actions
AddAppComponents and ReplacePrivilegesRole.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import partial
from xml.etree.ElementTree import ParseError, canonicalize

from solution.app import APP, site_map_xml, tables
from solution.form import Form, form_xml
from solution.forms import FORMS
from solution.install.change import Change, Kind
from solution.install.definitions import CRM, Json
from solution.install.web_api import WebApi
from solution.markup import fragment
from solution.model import MODEL
from solution.publisher import DESCRIPTION, TITLE
from solution.roles import ROLES, Role
from solution.view import View, fetch_xml, layout_xml
from solution.views import VIEWS
from solution.web_resources import ICON, WEB_RESOURCES, WebResource

FORM_TYPES = {"main": 2, "quick": 6}
XML = frozenset({"formxml", "fetchxml", "layoutxml", "sitemapxml"})
WEB_CLIENT = 4
AT_ONCE = 40  # ids in one filter: an address may have 32 KB


def component_changes(api: WebApi) -> Iterator[Change]:
    """Yield what is not as it should be, in the order one needs the other."""
    files = {resource.id: (f"file {resource.name}", _web_resource(resource)) for resource in WEB_RESOURCES}
    yield from _rows(api, "webresourceset", "webresourceid", files, "name")
    views = {view.id: (f"view {view.name} of {view.table}", _view(view)) for view in VIEWS}
    yield from _rows(api, "savedqueries", "savedqueryid", views, "returnedtypecode querytype")
    quick_first = sorted(FORMS, key=lambda form: form.type != "quick")  # main forms show quick ones
    forms = {form.id: (f"form {form.name} of {form.table}", _form(form)) for form in quick_first}
    yield from _rows(api, "systemforms", "formid", forms, "objecttypecode type")
    yield from _site_map(api)
    for role in ROLES:
        yield from _role(api, role)
    yield from _app(api)


def bare(id_: str) -> str:
    """Return an id without its braces."""
    return id_.strip("{}").lower()


def _rows(api: WebApi, entity_set: str, key: str, wanted: Mapping[str, tuple[str, Json]], fixed: str) -> Iterator[Change]:
    """Compare rows by their ids; `fixed` names what is given when a row is made and cannot be changed."""
    ids = [bare(id_) for id_ in wanted]
    columns = ",".join(next(iter(wanted.values()))[1])
    there: dict[str, Json] = {}
    for at in range(0, len(ids), AT_ONCE):
        listed = ",".join(f'"{id_}"' for id_ in ids[at : at + AT_ONCE])
        where = f"{CRM}In(PropertyName='{key}',PropertyValues=[{listed}])"
        there |= {str(row[key]).lower(): row for row in api.rows(f"{entity_set}?$select={columns}&$filter={where}")}
    for row_id, (what, body) in zip(ids, wanted.values(), strict=True):
        found = there.get(row_id)
        if found is None:
            yield Change(Kind.MISSING, what, "", partial(api.write, "POST", entity_set, {key: row_id, **body}))
        elif unlike := [name for name, value in body.items() if not _same(name, value, found.get(name))]:
            changed = {name: value for name, value in body.items() if name not in fixed.split()}
            act = partial(api.write, "PATCH", f"{entity_set}({row_id})", changed, If_Match="*")
            yield Change(Kind.DIFFERENT, what, ", ".join(unlike), act)


def _same(name: str, wanted: object, found: object) -> bool:
    if name in XML and isinstance(found, str) and isinstance(wanted, str):
        try:
            return canonicalize(wanted, strip_text=True) == canonicalize(found, strip_text=True)
        except ParseError:
            return False
    return (wanted or "") == (found or "") or wanted == found


def _web_resource(resource: WebResource) -> Json:
    content = b64encode(resource.content).decode()
    return {"name": resource.name, "displayname": resource.title, "webresourcetype": resource.type, "content": content}


def _view(view: View) -> Json:
    return {
        "name": view.name,
        "description": view.description,
        "returnedtypecode": view.table,
        "querytype": int(view.kind),
        "fetchxml": fragment(fetch_xml(view)),
        "layoutxml": fragment(layout_xml(view)),
    }


def _form(form: Form) -> Json:
    return {
        "name": form.name,
        "description": form.description,
        "objecttypecode": form.table,
        "type": FORM_TYPES[form.type],
        "formxml": fragment(form_xml(form, FORMS)),
    }


def _site_map(api: WebApi) -> Iterator[Change]:
    (site_map,) = site_map_xml().findall("SiteMap")
    wanted: Json = {"sitemapname": TITLE, "sitemapxml": fragment(site_map)}
    found = api.first(f"sitemaps?$select=sitemapid,sitemapname,sitemapxml&$filter=sitemapnameunique eq '{APP}'")
    what = f"site map {APP}"
    if found is None:
        body = {**wanted, "sitemapnameunique": APP, "isappaware": True}
        yield Change(Kind.MISSING, what, "", partial(api.write, "POST", "sitemaps", body))
    elif unlike := [name for name, value in wanted.items() if not _same(name, value, found[name])]:
        act = partial(api.write, "PATCH", f"sitemaps({found['sitemapid']})", wanted, If_Match="*")
        yield Change(Kind.DIFFERENT, what, ", ".join(unlike), act)


# ── roles ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _role(api: WebApi, role: Role) -> Iterator[Change]:
    row_id, what = bare(role.id), f"role {role.name}"
    if api.find(f"roles({row_id})?$select=name") is None:
        yield Change(Kind.MISSING, what, "", partial(_make_role, api, role))
        return
    held = api.get(f"roles({row_id})/{CRM}RetrieveRolePrivilegesRole()")["RolePrivileges"]
    has = {str(one["PrivilegeId"]).lower(): str(one["Depth"]) for one in held}
    ids = privilege_ids(api)
    lacking = [name for name, depth in role.privileges.items() if has.get(ids.get(name.lower(), "")) != depth]
    if lacking:
        detail = f"lacks {', '.join(lacking)}"
        yield Change(Kind.DIFFERENT, what, detail, partial(_grant, api, role, "AddPrivilegesRole"))


def privilege_ids(api: WebApi) -> Mapping[str, str]:
    """Return the id of every privilege of the environment by its name in lower case."""
    rows = api.rows("privileges?$select=name,privilegeid")
    return {str(row["name"]).lower(): str(row["privilegeid"]).lower() for row in rows}


def _make_role(api: WebApi, role: Role) -> None:
    unit = api.first("businessunits?$select=businessunitid&$filter=_parentbusinessunitid_value eq null")
    assert unit is not None, "every environment has a topmost business unit"
    body = {"roleid": bare(role.id), "name": role.name, "businessunitid@odata.bind": f"/businessunits({unit['businessunitid']})"}
    api.write("POST", "roles", body)
    _grant(api, role, "ReplacePrivilegesRole")


def _grant(api: WebApi, role: Role, action: str) -> None:
    ids = privilege_ids(api)
    privileges = [
        {"PrivilegeId": ids[name.lower()], "Depth": depth.value}
        for name, depth in role.privileges.items()
        if name.lower() in ids  # what this environment lacks altogether is listed by the check of the user's privileges
    ]
    api.write("POST", f"roles({bare(role.id)})/{CRM}{action}", {"Privileges": privileges})


# ── the app ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _app(api: WebApi) -> Iterator[Change]:
    found = api.first(f"appmodules?$select=appmoduleid,name,description&$filter=uniquename eq '{APP}'")
    wanted: Json = {"name": TITLE, "description": DESCRIPTION}
    if found is None:
        yield Change(Kind.MISSING, f"app {TITLE}", "", partial(_make_app, api, wanted))
    elif unlike := [name for name, value in wanted.items() if (found.get(name) or "") != value]:
        act = partial(api.write, "PATCH", f"appmodules({found['appmoduleid']})", wanted, If_Match="*")
        yield Change(Kind.DIFFERENT, f"app {TITLE}", ", ".join(unlike), act)


def _make_app(api: WebApi, wanted: Json) -> None:
    made = api.write(
        "POST", "appmodules", {**wanted, "uniquename": APP, "clienttype": WEB_CLIENT, "webresourceid": bare(ICON.id)}
    )
    site_map = api.first(f"sitemaps?$select=sitemapid&$filter=sitemapnameunique eq '{APP}'")
    assert site_map is not None, "made the change before"
    components = [{"@odata.type": f"{CRM}sitemap", "sitemapid": site_map["sitemapid"]}]
    for table in tables():
        definition = api.get(f"EntityDefinitions(LogicalName='{table}')?$select=MetadataId")
        components.append({"@odata.type": f"{CRM}entity", "entityid": definition["MetadataId"]})
    for form in FORMS:
        if not MODEL[form.table].custom and form.type == "main":
            components.append({"@odata.type": f"{CRM}systemform", "formid": bare(form.id)})
    for view in VIEWS:
        if not MODEL[view.table].custom:
            components.append({"@odata.type": f"{CRM}savedquery", "savedqueryid": bare(view.id)})
    api.write("POST", "AddAppComponents", {"AppId": made["id"], "Components": components})
    for role in ROLES[1:]:
        reference = {"@odata.id": f"{api.root}roles({bare(role.id)})"}
        api.write("POST", f"appmodules({made['id']})/appmoduleroles_association/$ref", reference)
