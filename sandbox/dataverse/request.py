"""One Web API request and its answer, as values: how Flask and a part of a batch look alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .environment import Caller
from .errors import BAD_REQUEST, Refused

SERVICE = "/api/data/v9.2/"
SEGMENT = re.compile(r"(?P<name>[^/()]+)(?:\((?P<key>(?:'(?:''|[^'])*'|[^()'])*)\))?(?:/|$)")
PREFERENCE = re.compile(r"([\w.\-]+)\s*(?:=\s*(?:\"([^\"]*)\"|([^,;\s]+)))?")


@dataclass(frozen=True)
class Segment:
    """One step of a path: a name, and a key in parentheses (None without parentheses)."""

    name: str
    key: str | None = None


@dataclass(frozen=True)
class Request:
    """A request below the service root. Header names are lower case; `references` are a change set's `$1` → URL.

    `operations` collects what the parts of a batch did, for the call log.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    caller: Caller
    references: Mapping[str, str] = field(default_factory=dict)
    operations: list[dict[str, Any]] = field(default_factory=list)

    @cached_property
    def path(self) -> tuple[Segment, ...]:
        """Return the path below the service root as segments; raises Refused (400) for one that is not well formed."""
        return segments(self.url, self.references)

    @cached_property
    def options(self) -> dict[str, str]:
        """Return the query options, decoded."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @cached_property
    def preferences(self) -> dict[str, str]:
        """Return the Prefer header as name → value ("" without one)."""
        found = PREFERENCE.findall(self.headers.get("prefer", ""))
        return {name.lower(): quoted or plain for name, quoted, plain in found}

    @property
    def wants_row(self) -> bool:
        """Say whether a write should answer with the row."""
        return self.preferences.get("return") == "representation"

    def wants_annotation(self, name: str) -> bool:
        """Say whether `odata.include-annotations` asks for an annotation."""
        wanted = False
        for pattern in self.preferences.get("odata.include-annotations", "").split(","):
            if pattern.startswith("-"):
                wanted = wanted and not fnmatchcase(name, pattern[1:].strip())
            elif pattern:
                wanted = wanted or fnmatchcase(name, pattern.strip())
        return wanted


@dataclass
class Answer:
    """What goes back: JSON (a dict), text or nothing."""

    status: int
    body: dict[str, Any] | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def segments(url: str, references: Mapping[str, str]) -> tuple[Segment, ...]:
    """Split a URL (absolute, from the root, or relative to the service) into segments, `$1` replaced by what it stands for."""
    path = unquote(urlsplit(url).path)
    match = re.match(r"/?\$(\w+)(?=/|$)", path)
    if match and match[1] not in ("metadata", "batch"):
        if match[1] not in references:
            raise Refused(400, BAD_REQUEST, f"Content-ID Reference: '${match[1]}' does not exist in the batch context.")
        path = unquote(urlsplit(references[match[1]]).path) + path[match.end() :]
    _, root, below = path.rpartition(SERVICE)
    path = below if root else path.lstrip("/")
    found, at = [], 0
    while at < len(path):
        step = SEGMENT.match(path, at)
        if step is None:
            raise Refused(400, BAD_REQUEST, f"Error in query syntax: '{path}'.")
        found.append(Segment(step["name"], step["key"]))
        at = step.end()
    return tuple(found)
