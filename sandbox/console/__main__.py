"""Serve the console on this machine."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from werkzeug.serving import make_server

from sandbox.console.app import create_app
from sandbox.console.looking import Looker
from sandbox.demo.dynamics import Dynamics
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
    app = create_app(dynamics, books, Looker(dynamics, arguments.app).look, arguments.app)
    make_server("localhost", arguments.port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main()
