"""A visitor of HTML pages: follows redirects, keeps cookies, fills in and sends forms, as a browser does."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

TIMEOUT = (5, 90)


@dataclass
class Form:
    """One form of a page: where it goes, what it holds, and the choices its radio buttons offer (value and words)."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Page:
    """What the visitor sees: the address arrived at, the title, the text and the forms."""

    url: str
    status: int
    title: str
    text: str
    forms: list[Form]

    def form(self, *fields: str) -> Form:
        """Return the first form that has all of these fields; raises LookupError with what the page says instead."""
        for form in self.forms:
            if all(name in form.fields or name in form.choices for name in fields):
                return form
        raise LookupError(f"{self.url} ({self.status}) shows no form with {', '.join(fields)}: {self.text[:400]}")


class Browser:
    """One browser of one person."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Accept"] = "text/html"

    def open(self, url: str) -> Page:
        """Go to an address and return the page it leads to."""
        return self._read(self._session.get(url, timeout=TIMEOUT))

    def send(self, page: Page, form: Form, **values: str) -> Page:
        """Fill in a form of *page*, press its button and return the page that follows."""
        data = {**form.fields, **values}
        target = urljoin(page.url, form.action)
        if form.method == "get":
            return self._read(self._session.get(target, params=data, timeout=TIMEOUT))
        parts = urlsplit(page.url)
        origin = {"Origin": f"{parts.scheme}://{parts.netloc}"}
        return self._read(self._session.post(target, data=data, headers=origin, timeout=TIMEOUT))

    @staticmethod
    def _read(response: requests.Response) -> Page:
        reader = _Reader()
        reader.feed(response.text)
        return Page(response.url, response.status_code, reader.title.strip(), " ".join(reader.text.split()), reader.forms)


class _Reader(HTMLParser):
    """Collect what Page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.title = self.text = ""
        self.forms: list[Form] = []
        self._hidden = ""
        self._choice: tuple[dict[str, str], str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("title", "style", "script"):
            self._hidden = tag
        elif tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "input" and self.forms and (name := given.get("name")):
            self._input(self.forms[-1], name, given)
        elif tag == "label":
            self._choice = None

    def _input(self, form: Form, name: str, given: dict[str, str]) -> None:
        value = given.get("value", "")
        if given.get("type") == "radio":
            options = form.choices.setdefault(name, {})
            options[value] = ""
            self._choice = (options, value)
            if "checked" in given:
                form.fields[name] = value
        elif given.get("type") == "checkbox":
            if "checked" in given:
                form.fields[name] = value or "on"
        else:
            form.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden:
            self._hidden = ""
        elif tag == "label":
            self._choice = None

    def handle_data(self, data: str) -> None:
        if self._hidden == "title":
            self.title += data
        elif not self._hidden:
            self.text += f"{data} "
            if self._choice:
                options, value = self._choice
                options[value] = f"{options[value]} {data}".strip()
