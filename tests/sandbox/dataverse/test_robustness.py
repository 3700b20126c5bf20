"""Whatever is asked, the answer is Dataverse's: a row, or an error with its code; never an internal error."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.dataverse import Sandbox, create_app
from sandbox.dataverse.demo_company import ID

from .conftest import NOW, Api

PROPERTIES = st.sampled_from(
    [
        "name",
        "createdon",
        "statecode",
        "creditlimit",
        "creditonhold",
        "_primarycontactid_value",
        "accountid",
        "address1_latitude",
        "versionnumber",
        "primarycontactid/lastname",
        "primarycontactid",
        "ownerid/name",
        "naam",
    ]
)
VALUES = st.sampled_from(
    "null true 5 -1.5 'x' '[' '[z-a]' 2026-11-21 2026-13-45 2026-11-21T00:00:00Z 2026-11-21T99:00:00Z abc name "
    f"{'9' * 26} {ID['boom']}".split()
)
COMPARISON = st.builds(lambda p, o, v: f"{p} {o} {v}", PROPERTIES, st.sampled_from(["eq", "ne", "gt", "le", "like"]), VALUES)
TEXT_TEST = st.builds(
    lambda f, p, v: f"{f}({p},{v})", st.sampled_from(["contains", "startswith", "endswith", "foo"]), PROPERTIES, VALUES
)
FUNCTION = st.builds(
    lambda f, p, v: f"Microsoft.Dynamics.CRM.{f}(PropertyName='{p}',PropertyValue={v})",
    st.sampled_from(["LastXDays", "NextXDays", "LastXHours", "Today"]),
    PROPERTIES,
    VALUES,
)
LAMBDA = st.builds(
    lambda n, q, p, v: f"{n}/{q}(i:i/{p} eq {v})",
    st.sampled_from(["invoice_customer_accounts", "mag_account_contact_billingcontacts", "contact_customer_accounts", "name"]),
    st.sampled_from(["any", "all"]),
    PROPERTIES,
    VALUES,
)
CONDITIONS = st.recursive(
    COMPARISON | TEXT_TEST | FUNCTION | LAMBDA,
    lambda inner: (
        st.builds(lambda a, o, b: f"({a} {o} {b})", inner, st.sampled_from(["and", "or"]), inner) | inner.map("not {}".format)
    ),
    max_leaves=4,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "@odata.id", "Targets"]), inner, max_size=2)
    ),
    max_leaves=4,
)
COLUMNS = st.sampled_from(
    [
        "name",
        "creditlimit",
        "statecode",
        "lastusedincampaign",
        "creditonhold",
        "numberofemployees",
        "primarycontactid@odata.bind",
        "accountid",
        "contact_customer_accounts",
        "@odata.type",
        "paymenttermscode",
        "primarycontactid",
    ]
)


@pytest.fixture(scope="module")
def shared(image: bytes) -> Iterator[Api]:
    app = create_app(now=lambda: NOW, seed=lambda environment: environment.store.restore(image))
    sandbox: Sandbox = app.extensions["sandbox"]
    yield Api(sandbox, app.test_client(), sandbox.token())
    sandbox.close()


@settings(max_examples=150)
@given(condition=CONDITIONS)
def test_no_filter_breaks_the_service(shared: Api, condition: str) -> None:
    answer = shared.get(f"accounts?$select=name&$filter={quote(condition)}")
    assert answer.status in (200, 400)
    assert answer.status == 200 or answer.code


@settings(max_examples=150)
@given(body=st.dictionaries(COLUMNS, JSON, max_size=3) | JSON, method=st.sampled_from(["POST", "PATCH"]))
def test_no_body_breaks_the_service(shared: Api, body: object, method: str) -> None:
    url = "accounts" if method == "POST" else f"accounts({ID['marine']})"
    answer = shared.send(method, url, body)
    assert answer.status in (204, 400, 404, 412)
    assert answer.status == 204 or answer.code


@pytest.mark.parametrize(
    "token", ["x", '<cookie pagenumber="2" pagingcookie="e30=" />', '<cookie pagenumber="2" pagingcookie="WzFd" />']
)
def test_no_cookie_breaks_the_service(shared: Api, token: str) -> None:
    answer = shared.get(f"accounts?$orderby=name&$skiptoken={quote(token)}")
    assert (answer.status, answer.code) == (400, "0x80060888")
