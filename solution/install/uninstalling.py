"""Take the solution away again: say first what would be lost, then remove it, dependants before what they need.

A managed solution is removed by Dataverse as a whole. Of an unmanaged one Dataverse only forgets the list of its parts, so
that they are deleted here one by one. A run that stopped half-way is simply gone on with.
"""

from collections.abc import Callable, Iterator

from solution.app import APP
from solution.forms import FORMS
from solution.install import webhooks
from solution.install.components import bare
from solution.install.importing import Installed
from solution.install.problem import Refused
from solution.install.web_api import WebApi
from solution.publisher import PUBLISHER
from solution.roles import ROLES
from solution.schema import CHOICES, MANY_TO_MANY, TABLES
from solution.table import entity_set, relationship
from solution.views import VIEWS
from solution.web_resources import WEB_RESOURCES

CAPPED = 5000
TOLD = {"invoice": "mag_xeroid", "account": "mag_amountowed", "contact": "mag_amountowed"}


def losses(api: WebApi) -> Iterator[str]:
    """Count what uninstalling would delete: the rows of our tables, and rows of Dynamics 365's that know their Xero document."""
    for table in TABLES:
        column = TOLD.get(table.name)
        if not table.custom and column is None:
            continue
        address = entity_set(table.name)
        where = f"&$filter={column} ne null" if column else ""
        found = (
            api.find(f"{address}?$select={table.name}id&$top=1&$count=true{where}")
            if _is_there(api, table.name, column)
            else None
        )
        count = int((found or {}).get("@odata.count", 0))
        if count:
            number = f"{count:,} or more" if count >= CAPPED else f"{count:,}"
            of = f"the Xero columns of {number} {table.plural}" if column else f"{number} {table.plural}"
            yield of


def _is_there(api: WebApi, table: str, column: str | None) -> bool:
    if column is None:
        return api.find(f"EntityDefinitions(LogicalName='{table}')?$select=LogicalName") is not None
    return api.find(f"EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{column}')") is not None


def uninstall(api: WebApi, found: Installed | None, say: Callable[[str], None]) -> int:
    """Remove everything; return how many deletions it took. Raises Refused when Dataverse will not let something go."""
    before = api.writes
    for gone in webhooks.remove(api):
        say(f"Removed {gone}.")
    if found is not None and found.managed:
        api.write("DELETE", f"solutions({found.id})")
        say("Removed the managed solution with everything it brought.")
        return api.writes - before
    for what, path in _parts(api):
        if _delete(api, path):
            say(f"Deleted {what}.")
    if found is not None:
        api.write("DELETE", f"solutions({found.id})")
        say("Deleted the solution.")
    publisher = api.first(f"publishers?$select=publisherid&$filter=uniquename eq '{PUBLISHER}'")
    if (
        publisher is not None
        and api.first(f"solutions?$select=solutionid&$filter=_publisherid_value eq {publisher['publisherid']}") is None
    ):
        api.write("DELETE", f"publishers({publisher['publisherid']})")
        say("Deleted the publisher.")
    api.write("POST", "PublishAllXml")
    return api.writes - before


def _delete(api: WebApi, path: str) -> bool:
    """Delete what is there; False for what is not."""
    try:
        api.write("DELETE", path)
    except Refused as refused:
        if refused.status == 404:
            return False
        raise
    return True


def _parts(api: WebApi) -> Iterator[tuple[str, str]]:
    """Yield every component with its address, dependants first; tables point at each other, so their lookups go before them."""
    for row in api.rows(f"appmodules?$select=appmoduleid&$filter=uniquename eq '{APP}'"):
        yield "the app", f"appmodules({row['appmoduleid']})"
    for row in api.rows(f"sitemaps?$select=sitemapid&$filter=sitemapnameunique eq '{APP}'"):
        yield "the site map", f"sitemaps({row['sitemapid']})"
    for form in sorted(FORMS, key=lambda form: form.type == "quick"):
        yield f"the form {form.name} of {form.table}", f"systemforms({bare(form.id)})"
    for view in VIEWS:
        yield f"the view {view.name} of {view.table}", f"savedqueries({bare(view.id)})"
    for resource in WEB_RESOURCES:
        yield f"the file {resource.name}", f"webresourceset({bare(resource.id)})"
    for link in MANY_TO_MANY:
        yield f"the relationship {link.name}", f"RelationshipDefinitions(SchemaName='{link.name}')"
    for table in TABLES:
        for key in table.keys:
            yield f"the key {key.name}", f"EntityDefinitions(LogicalName='{table.name}')/Keys(LogicalName='{key.name}')"
    ours = {table.name for table in TABLES if table.custom}
    for table in TABLES:
        for column in table.columns:
            name = relationship(table.name, column.name)
            if not table.custom or set(column.type.targets) & ours:
                of = f"the column {table.name}.{column.name}"
                by_relationship = f"RelationshipDefinitions(SchemaName='{name}')"
                by_name = f"EntityDefinitions(LogicalName='{table.name}')/Attributes(LogicalName='{column.name}')"
                yield of, by_relationship if column.type.targets else by_name
    for table in TABLES:
        if table.custom:
            yield f"the table {table.name}", f"EntityDefinitions(LogicalName='{table.name}')"
    for choice in CHOICES:
        yield f"the choice {choice.name}", f"GlobalOptionSetDefinitions(Name='{choice.name}')"
    for role in ROLES:
        yield f"the role {role.name}", f"roles({bare(role.id)})"
