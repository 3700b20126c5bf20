"""The demo's verdict fails when either system holds something else: one run of the story, then tampered with."""

import pytest
import requests

from sandbox.demo.invoices import INVOICES
from sandbox.demo.story import Story
from sandbox.demo.verdict import Verdict
from sandbox.demo.xero import NZ, UK
from tests.product import running

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Run the whole story once."""
    with running(tmp_path_factory.mktemp("story") / "run") as product:
        story = Story(product, say=lambda line: None)
        story.connect()
        story.write()
        story.flag()
        story.watch()
        yield story


def change_in_xero(story, organisation: str, invoice: str, **fields: object) -> None:
    """Change a stored document past every rule."""
    asked = {"organisation": organisation, "kind": "invoice", "id": invoice, "fields": fields}
    requests.post(f"{story.product.xero_url}/sandbox/change", json=asked, timeout=10).raise_for_status()


def followed(story, words: str):
    """Return the invoice whose plan contains these words."""
    return next(one for one in story.followed if words in one.plan.what)


def test_an_honest_run_is_verified(story):
    assert Verdict(story).missing == []
    assert len(story.followed) == len(INVOICES) >= 12


def test_a_wrong_cent_in_xero_is_found(story):
    one = followed(story, "freight")
    change_in_xero(story, NZ, one.row["mag_xeroid"], Total=608.13)
    (found,) = Verdict(story).missing
    change_in_xero(story, NZ, one.row["mag_xeroid"], Total=608.12)
    assert "Total in Xero is Decimal('608.13'), not Decimal('608.12')" in found


def test_a_document_that_stands_twice_is_found(story):
    one, other = followed(story, "euros"), followed(story, "US dollars")
    mark = story.product.books[UK].invoice(one.row["mag_xeroid"])["Url"]
    own = story.product.books[UK].invoice(other.row["mag_xeroid"])["Url"]
    change_in_xero(story, UK, other.row["mag_xeroid"], Url=mark)
    missing = Verdict(story).missing
    change_in_xero(story, UK, other.row["mag_xeroid"], Url=own)
    assert any(one.number in problem and "2 documents in Xero bear its mark" in problem for problem in missing)
    assert any(other.number in problem and "0 documents in Xero bear its mark" in problem for problem in missing)


def test_a_column_that_was_not_written_back_is_found(story):
    one = followed(story, "bundle")
    kept = one.row["mag_xeropaynowlink"]
    one.row["mag_xeropaynowlink"] = None
    (found,) = Verdict(story).missing
    one.row["mag_xeropaynowlink"] = kept
    assert "Xero Pay Now Link in Dynamics 365 is False, not True" in found


def test_a_failure_without_its_reason_is_found(story):
    one = followed(story, "does not allow")
    for row in story.history(one):
        story.dynamics.change(f"mag_synchistories({row['mag_synchistoryid']})", mag_fix=None)
    missing = Verdict(story).missing
    assert any(one.number in problem and "has no fix" in problem for problem in missing)


def test_what_waits_must_not_stand_in_xero(story):
    one = followed(story, "in two weeks")
    other = followed(story, "euros")
    mark = story.product.books[UK].invoice(other.row["mag_xeroid"])["Url"].replace(other.id, one.id)
    change_in_xero(story, UK, other.row["mag_xeroid"], Url=mark)
    assert any(one.number in problem and "there must be none" in problem for problem in Verdict(story).missing)
