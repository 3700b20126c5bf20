"""Serve the console on this machine."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import requests
import simplejson
from werkzeug.serving import make_server

from sandbox.console.app import create_app
from sandbox.demo.dynamics import Dynamics, Refused
from sandbox.demo.xero import BOOKKEEPERS, Books


def main() -> None:
    """Read the command line and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.console", description=__doc__)
    parser.add_argument("--port", type=int, default=7080, help="port on this machine (default: %(default)s)")
    parser.add_argument("--dataverse", default="https://localhost:7082", help="address of the stand-in for Dynamics 365")
    parser.add_argument("--ca-file", type=Path, required=True, help="its certificate authorities")
    parser.add_argument("--xero", default="http://localhost:7081", help="address of the stand-in for Xero")
    parser.add_argument("--app", default="http://localhost:7071", help="address of the Functions host")
    arguments = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    dynamics = Dynamics(arguments.dataverse, arguments.ca_file, f"{arguments.app}/connect/dynamics/callback")
    books = {name: Books(arguments.xero, name) for name in BOOKKEEPERS}
    app = create_app(dynamics, books, lambda: look(dynamics, arguments.app), arguments.app)
    make_server("localhost", arguments.port, app, threaded=True).serve_forever()


def look(dynamics: Dynamics, app: str) -> None:
    """Ask the app to look for due invoices of every connector; a host that is away looks by itself later."""
    session = requests.Session()
    session.trust_env = False
    environment = dynamics.url.removeprefix("https://")
    try:
        for row in dynamics.rows("mag_xeroconnectors", select="mag_xeroconnectorid"):
            message = {"connector": f"{environment}|{row['mag_xeroconnectorid']}", "flow": "invoices-to-xero"}
            session.post(f"{app}/admin/functions/sweeps", json={"input": simplejson.dumps(message)}, timeout=10)
    except (requests.RequestException, Refused):
        return


if __name__ == "__main__":
    main()
