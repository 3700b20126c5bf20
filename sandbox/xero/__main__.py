"""Serve the stand-in: `python -m sandbox.xero --port 7081 --database FILE`."""

import argparse
import logging

from werkzeug.serving import make_server

from .app import create_app
from .limits import Limits
from .sandbox import LOCAL_CALLBACK, default_apps


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.xero", description=__doc__)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=7081)
    parser.add_argument("--database", default=":memory:", help="SQLite file (default: in memory)")
    parser.add_argument("--public-url", help="the address callers use (default: http://HOST:PORT)")
    parser.add_argument("--redirect-uri", action="append", help=f"an app's callback, repeatable (default: {LOCAL_CALLBACK})")
    parser.add_argument("--day-limit", type=int, default=Limits.day, help="calls a day and organisation (default: %(default)s)")
    parser.add_argument("--minute-limit", type=int, default=Limits.minute, help="calls a minute (default: %(default)s)")
    parser.add_argument("--lenient", action="store_true", help="ignore unknown field names, as the real Xero does")
    parser.add_argument("--verbose", action="store_true", help="log every request")
    options = parser.parse_args()

    if not options.verbose:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = create_app(
        options.database,
        public_url=options.public_url or f"http://{options.host}:{options.port}",
        apps=default_apps(options.redirect_uri or [LOCAL_CALLBACK]),
        limits=Limits(minute=options.minute_limit, day=options.day_limit),
        strict=not options.lenient,
    )
    server = make_server(options.host, options.port, app, threaded=True)
    print(f"Xero sandbox on {app.extensions['sandbox'].public_url}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
