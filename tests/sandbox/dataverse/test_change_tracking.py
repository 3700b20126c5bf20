"""Source: Microsoft Learn, "Use change tracking to synchronize data with external systems"."""

import pytest

from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import ID

from .conftest import Api, Reply

TRACK = "odata.track-changes"


def below(link: str) -> str:
    return link.rpartition("/api/data/v9.2/")[2]


def start(api: Api) -> str:
    return below(api.get("accounts?$select=name", Prefer=TRACK).json["@odata.deltaLink"])


def test_a_delta_tells_changed_and_deleted_rows(api: Api) -> None:
    link = start(api)
    api.patch(f"accounts({ID['boom']})", {"name": "Boom Radio"})
    api.delete(f"accounts({ID['rex']})")
    delta = api.get(link)
    changed, deleted = delta.values
    assert changed["name"] == "Boom Radio"
    assert (deleted["id"], deleted["reason"]) == (ID["rex"], "deleted")
    assert deleted["@odata.context"].endswith("$metadata#accounts/$deletedEntity")
    assert api.get(below(delta.json["@odata.deltaLink"])).values == []


def test_a_row_made_and_deleted_in_between_shows_as_deleted(api: Api) -> None:
    link = start(api)
    row_id = api.post("accounts", {"name": "brief"}).id
    api.delete(f"accounts({row_id})")
    assert [row["id"] for row in api.get(link).values] == [row_id]


def test_the_delta_link_comes_with_the_last_page(api: Api) -> None:
    pages: list[Reply] = []
    url = "accounts?$select=name"
    while url:
        pages.append(api.get(url, Prefer=f"{TRACK},odata.maxpagesize=10"))
        url = below(pages[-1].json.get("@odata.nextLink", ""))
    assert [("@odata.deltaLink" in page.json) for page in pages] == [False, True]
    assert sum(len(page.values) for page in pages) == 18


@pytest.mark.parametrize(
    "option", ["$filter=name eq 'x'", "$orderby=name", "$top=1", "$expand=primarycontactid($select=fullname)"]
)
def test_tracking_takes_no_other_options(api: Api, option: str) -> None:
    assert api.get(f"accounts?$select=name&{option}", Prefer=TRACK).status == 400


def test_a_token_older_than_the_organization_keeps_is_expired(api: Api, sandbox: Sandbox) -> None:
    """organization.expirechangetrackingindays: 7; then a full read is needed (0x80044352)."""
    link = start(api)
    sandbox.clock.advance(7 * 86_400 + 1)
    api.token = sandbox.token()
    answer = api.get(link)
    assert (answer.status, answer.code) == (400, "0x80044352")
