"""The WSGI application: identity, accounting and the sandbox's own switches on one address."""

import gzip
from collections.abc import Callable, Iterable
from datetime import datetime

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from . import accounting, console, identity
from .clock import utc_now
from .limits import Limits
from .sandbox import XeroApp, open_sandbox

SMALLEST_COMPRESSED = 200


def create_app(
    database: str = ":memory:",
    *,
    now: Callable[[], datetime] = utc_now,
    public_url: str = "http://localhost:7081",
    apps: Iterable[XeroApp] | None = None,
    limits: Limits | None = None,
    strict: bool = True,
    emails_per_day: int = 20,
) -> Flask:
    """Build the application on a SQLite file (or in memory); `app.extensions["sandbox"]` is its Sandbox.

    *now* is the clock, *apps* the registered apps (`default_apps()` otherwise), *limits* the rate limits of the tier,
    *strict* refuses field names Xero does not know.
    """
    app = Flask(__name__, static_folder=None)
    app.extensions["sandbox"] = open_sandbox(
        database, now=now, public_url=public_url, apps=apps, limits=limits, strict=strict, emails_per_day=emails_per_day
    )
    # A dropped connection must reach the server (or the test) as the exception it is.
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_blueprint(identity.blueprint())
    app.register_blueprint(accounting.blueprint())
    app.register_blueprint(console.blueprint())
    app.register_error_handler(HTTPException, _not_found)
    app.after_request(_compressed)
    return app


def _not_found(error: HTTPException) -> Response:
    """Answer as Xero does for what it does not know: an empty page."""
    return Response(status=error.code or 500, content_type="text/html")


def _compressed(response: Response) -> Response:
    if (
        "gzip" in request.headers.get("Accept-Encoding", "")
        and not response.direct_passthrough
        and len(response.get_data()) >= SMALLEST_COMPRESSED
    ):
        response.set_data(gzip.compress(response.get_data(), mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.vary.add("Accept-Encoding")
    return response
