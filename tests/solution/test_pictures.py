"""The pictures of the guide show the forms as they are now."""

import re
import struct
from pathlib import Path

import pytest

from solution.form import QuickView, Section
from solution.forms import FORMS
from solution.labels import label
from solution.pictures import DRAWN_FROM, FOLDER, drawn_from, main, pictures

GUIDE = Path(__file__).parents[2] / "docs" / "admin-guide.md"
PAGES = dict(pictures())


def test_the_pictures_are_drawn_from_the_forms_as_they_are():
    assert (FOLDER / DRAWN_FROM).read_text("utf-8") == drawn_from(), "stale: run `python -m solution pictures`"


def test_there_is_a_picture_of_every_tab_of_every_form_and_no_other():
    assert {path.stem for path in FOLDER.glob("*.png")} == set(PAGES)
    assert len(PAGES) == sum(len(form.tabs) for form in FORMS)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_picture_is_small_and_whole(name):
    content = (FOLDER / f"{name}.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")
    assert len(content) < 150_000
    width, height = struct.unpack(">II", content[16:24])
    assert width in (520, 1240)
    assert 150 < height < 1600


def test_a_page_shows_every_field_of_its_tab():
    html = "".join(PAGES.values())
    for form in FORMS:
        for part in form.parts:
            assert f"<h2>{part.label}</h2>" in html
            if isinstance(part, Section):
                assert all(label(form.table, name) in html for name in part.fields.split() if name != "-")
            assert not isinstance(part, QuickView) or part.lookup == "customerid"


def test_every_picture_the_guide_shows_is_there():
    shown = re.findall(r"!\[[^\]]+\]\(pictures/([a-z0-9-]+)\.png\)", GUIDE.read_text("utf-8"))
    assert {"invoice-summary", "invoice-xero", "xeroconnector-connection", "account"} <= set(shown) <= set(PAGES)


def test_the_pages_can_be_had_without_a_browser(tmp_path):
    assert main(["--html", "--out", str(tmp_path), "--only", "tax"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["taxrate.html"]
    assert (tmp_path / "taxrate.html").read_text("utf-8") == PAGES["taxrate"]
