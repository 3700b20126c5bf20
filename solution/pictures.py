"""Pictures of the forms for the guide, drawn from the rows in forms.py: `python -m solution pictures`.

They show what is on a form and where. How Dynamics 365 draws it may differ a little; what it shows does not.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path

from solution.app import AREAS
from solution.example_company import Example, example
from solution.form import SPACER, Form, Grid, Part, QuickView, Section, Tab, grid_target, read_only, rows_of
from solution.forms import FORMS
from solution.labels import label
from solution.model import MODEL, ColumnModel
from solution.schema import TABLES
from solution.table import Level
from solution.views import view

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
DRAWN_FROM = "drawn-from.txt"
WIDTH, TALLEST = 1240, 1600
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)

STYLE = """
* { box-sizing: border-box; margin: 0 }
body { font: 14px/20px "Segoe UI", "DejaVu Sans Condensed", "Noto Sans", Arial, sans-serif; color: #242424; background: #f5f5f5; width: 1240px }
.bar { background: #0b556a; color: #fff; height: 44px; display: flex; align-items: center; padding: 0 18px; gap: 12px; font-weight: 600 }
.bar i { opacity: .5; font-style: normal; font-weight: 400 }
.page { display: flex }
nav { width: 168px; background: #efefef; padding: 10px 0 20px; flex: none }
nav h4 { font-size: 12px; color: #616161; padding: 12px 18px 4px; font-weight: 600 }
nav a { display: block; padding: 5px 18px 5px 24px }
nav a.here { background: #fff; border-left: 3px solid #0b6a9b; padding-left: 21px; font-weight: 600 }
main { flex: 1; padding: 14px 18px 22px; min-width: 0 }
.notice { background: #fde7e9; border-left: 4px solid #c50f1f; padding: 10px 14px; margin-bottom: 12px }
.head, .card { background: #fff; border-radius: 6px; box-shadow: 0 1px 3px #0002 }
.head { padding: 16px 20px 0 }
.top { display: flex; justify-content: space-between; gap: 30px }
h1 { font-size: 21px; line-height: 28px; font-weight: 600 }
.sub { color: #616161; font-size: 13px }
.facts { display: flex; gap: 26px; text-align: left; flex: none }
.facts b { display: block; font-weight: 600 }
.facts small { display: block; color: #616161; font-size: 12px }
.tabs { display: flex; gap: 22px; margin-top: 12px; white-space: nowrap }
.tabs span { padding: 5px 0 9px; color: #424242 }
.tabs .here { border-bottom: 3px solid #0b6a9b; font-weight: 600; color: #242424 }
.columns { display: flex; gap: 14px; margin-top: 14px; align-items: flex-start }
.column { min-width: 0 }
.card { padding: 14px 18px 16px; margin-bottom: 14px }
h2 { font-size: 15px; font-weight: 600; margin-bottom: 8px }
.row { display: flex; gap: 30px }
.field { flex: 1; display: flex; padding: 6px 0; min-width: 0; border-bottom: 1px solid #f3f3f3 }
.field .name { width: 152px; flex: none; color: #424242; padding-right: 10px }
.field .value { flex: 1; min-width: 0; overflow-wrap: anywhere; font-weight: 500 }
.field .lock { color: #9a9a9a; width: 14px; flex: none; margin-right: 6px }
.req { color: #c50f1f }
.link { color: #0b6a9b }
.none { color: #9a9a9a }
.deep { min-height: 66px }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-size: 13px }
th { text-align: left; font-weight: 600; color: #424242; padding: 6px 8px 6px 0; border-bottom: 1px solid #d6d6d6; vertical-align: bottom; line-height: 17px }
td { padding: 6px 8px 6px 0; border-bottom: 1px solid #f0f0f0; vertical-align: top; overflow-wrap: anywhere; line-height: 18px }
.quick { width: 520px; padding: 18px }
"""
LOCK = (
    '<svg class="lock" width="14" height="20" viewBox="0 0 14 20"><path fill="none" stroke="currentColor" '
    'd="M3 9.5h8v6H3zM4.5 9V7a2.5 2.5 0 0 1 5 0v2"/></svg>'
)


def pictures() -> Iterator[tuple[str, str]]:
    """Return name and page of every picture: one for each tab of each form."""
    for form in FORMS:
        for tab in form.tabs:
            name = _file(form, tab)
            yield name, page(form, tab, example(name))


def drawn_from() -> str:
    """Return a line per picture with the SHA-256 of its page, by which a test sees that a picture is out of date."""
    return "".join(f"{sha256(html.encode()).hexdigest()}  {name}\n" for name, html in pictures())


def page(form: Form, tab: Tab, shown: Example) -> str:
    """Return one tab of a form as an HTML page that needs nothing else."""
    body = _quick(form, tab, shown) if form.type == "quick" else _main(form, tab, shown)
    head = f'<meta charset="utf-8"><title>{escape(form.name)}</title><style>{STYLE}</style>'
    measure = "<script>document.documentElement.dataset.height = document.body.scrollHeight</script>"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}{measure}</body></html>\n'


def _file(form: Form, tab: Tab) -> str:
    words = [form.table.removeprefix("mag_"), *(["quick"] if form.type == "quick" else [])]
    if len(form.tabs) > 1:
        words.append(tab.label)
    return "-".join(words).lower().replace(" ", "-")


def _main(form: Form, tab: Tab, shown: Example) -> str:
    notice = f'<div class="notice">{escape(shown.notice)}</div>' if shown.notice else ""
    title = shown.values.get(f"{form.table}.{MODEL[form.table].primary_name}", form.name)
    facts = "".join(
        f"<div><b>{_value(form.table, name, shown)}</b><small>{escape(label(form.table, name))}</small></div>"
        for name in form.header.split()
    )
    tabs = "".join(f'<span class="{"here" if one is tab else ""}">{escape(one.label)}</span>' for one in form.tabs)
    subtitle = escape(f"{_table_label(form.table)} · {form.name}")
    head = (
        f'<div class="head"><div class="top"><div><h1>{escape(title)}</h1><div class="sub">{subtitle}</div></div>'
        f'<div class="facts">{facts}</div></div><div class="tabs">{tabs}</div></div>'
    )
    columns = "".join(
        f'<div class="column" style="width:{width}%">{"".join(_part(form, part, shown) for part in parts)}</div>'
        for width, parts in zip(_widths(len(tab.columns)), tab.columns, strict=True)
    )
    bar = '<div class="bar">Dynamics 365 <i>|</i> Xero Connector</div>'
    body = f'{notice}{head}<div class="columns">{columns}</div>'
    return f'{bar}<div class="page"><nav>{_site_map(form.table)}</nav><main>{body}</main></div>'


def _quick(form: Form, tab: Tab, shown: Example) -> str:
    return f'<div class="quick">{"".join(_part(form, part, shown) for column in tab.columns for part in column)}</div>'


def _widths(n: int) -> tuple[int, ...]:
    return {1: (100,), 2: (64, 36), 3: (34, 33, 33)}[n]


def _site_map(table: str) -> str:
    here = "invoice" if table == "invoicedetail" else table
    lines = []
    for _, groups in AREAS:
        if here not in [of for _, sub_areas in groups for of, _, _ in sub_areas]:
            continue
        for title, sub_areas in groups:
            lines.append(f"<h4>{escape(title)}</h4>")
            lines += [f'<a class="{"here" if of == here else ""}">{escape(name)}</a>' for of, name, _ in sub_areas]
    return "".join(lines)


def _part(form: Form, part: Part, shown: Example) -> str:
    if isinstance(part, Grid):
        inside = _grid(form, part, shown)
    elif isinstance(part, QuickView):
        quick = next(one for one in FORMS if (one.table, one.type, one.name) == ("account", "quick", part.form))
        inside = "".join(_fields(quick, section, shown) for section in quick.sections)
    else:
        inside = _fields(form, part, shown)
    return f'<div class="card"><h2>{escape(part.label)}</h2>{inside}</div>'


def _fields(form: Form, section: Section, shown: Example) -> str:
    return "".join(
        f'<div class="row">{"".join(_field(form, section, name, shown) for name in _filled(row, section, form.table))}</div>'
        for row in rows_of(section, form.table)
    )


def _filled(row: Iterable[str], section: Section, table: str) -> list[str]:
    names = list(row)
    alone = len(names) == 1 and names[0] != SPACER and MODEL[table].columns[names[0]].type != "memo"
    return [*names, SPACER] if alone and section.columns == 2 else names


def _field(form: Form, section: Section, name: str, shown: Example) -> str:
    if name == SPACER:
        return '<div class="field" style="border:0"></div>'
    column = MODEL[form.table].columns[name]
    locked = section.locked or read_only(column) or form.type == "quick"
    star = ' <span class="req">*</span>' if column.level is Level.REQUIRED and not locked else ""
    deep = " deep" if column.type == "memo" else ""
    lock = LOCK if locked else '<span class="lock"></span>'
    return (
        f'<div class="field{deep}">{lock}<div class="name">{escape(label(form.table, name))}{star}</div>'
        f'<div class="value">{_value(form.table, name, shown)}</div></div>'
    )


def _value(table: str, name: str, shown: Example) -> str:
    column = MODEL[table].columns[name]
    value = shown.values.get(f"{table}.{name}", shown.values.get(name, _default(column)))
    if not value:
        return '<span class="none">---</span>'
    link = column.is_lookup or value.startswith("https://")
    return f'<span class="link">{escape(value)}</span>' if link else escape(value)


def _default(column: ColumnModel) -> str:
    if column.default is None:
        return "No" if column.type == "boolean" else ""
    return str(column.options.get(int(column.default), column.default)) if column.options else str(column.default)


def _grid(form: Form, part: Grid, shown: Example) -> str:
    target = grid_target(form.table, part.relationship)
    cells = view(target, part.view).cells
    total = sum(width for _, width in cells)
    titles = "".join(f'<th style="width:{100 * width / total:.1f}%">{escape(label(target, name))}</th>' for name, width in cells)
    rows = shown.rows.get(target, ())
    if not rows:
        body = f'<tr><td colspan="{len(cells)}" class="none">No data available</td></tr>'
    else:
        body = "".join(f"<tr>{_line(row, [name for name, _ in cells])}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def _line(row: Mapping[str, str], names: Sequence[str]) -> str:
    return "".join(f"<td>{escape(row.get(name) or '')}</td>" for name in names)


def _table_label(table: str) -> str:
    return next(row.label for row in TABLES if row.name == table)


def draw(browser: str, html: str, path: Path) -> None:
    """Have a browser draw a page as tall as it is; CalledProcessError when it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "page.html")
        source.write_text(html, "utf-8")
        common = [browser, *FLAGS, f"--user-data-dir={folder}/profile"]
        width = 520 if 'class="quick"' in html else WIDTH
        measured = _run([*common, f"--window-size={width},{TALLEST}", "--dump-dom", source.as_uri()])
        height = re.search(r'data-height="(\d+)"', measured)
        if height is None:
            raise RuntimeError(f"{browser} did not say how tall {path.name} is")
        path.parent.mkdir(parents=True, exist_ok=True)
        _run([*common, f"--window-size={width},{height[1]}", f"--screenshot={path}", source.as_uri()])


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def main(arguments: list[str]) -> int:
    """Draw the pictures, or with --html write the pages only."""
    parser = argparse.ArgumentParser(prog="python -m solution pictures", description="Draw the forms for the guide.")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder to write into (default: docs/pictures)")
    parser.add_argument("--html", action="store_true", help="write the pages only; no browser needed")
    parser.add_argument("--only", default="", help="only pictures whose name begins like this")
    chosen = parser.parse_args(arguments)
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None and not chosen.html:
        print(
            f"No browser of {', '.join(BROWSERS)} is on the PATH. With --html the pages are written without one.", file=sys.stderr
        )
        return 1
    for name, html in pictures():
        if not name.startswith(chosen.only):
            continue
        path = chosen.out.resolve() / f"{name}.{'html' if chosen.html else 'png'}"
        if browser is None or chosen.html:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(html, "utf-8")
        else:
            draw(browser, html, path)
        print(f"{path.name}  {path.stat().st_size:,} bytes")
    if not chosen.html and not chosen.only:
        (chosen.out / DRAWN_FROM).write_text(drawn_from(), "utf-8", newline="\n")
    return 0
