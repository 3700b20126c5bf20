"""Serve the stand-in for Dataverse and Entra ID over https, until interrupted."""

from __future__ import annotations

import argparse
from pathlib import Path

from cryptography import x509
from flask import redirect, request

from sandbox.entra import Certificates

from . import demo_company
from .live import serving
from .server import Sandbox, create_app


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.dataverse", description=__doc__)
    parser.add_argument("--port", type=int, default=7082, help="port on this machine (default 7082)")
    parser.add_argument("--database", default=":memory:", help="SQLite file that keeps the rows (default: none are kept)")
    parser.add_argument(
        "--ca-file", type=Path, required=True, help="file the certificate authorities are written to, for REQUESTS_CA_BUNDLE"
    )
    parser.add_argument("--client-certificate", type=Path, help="PEM certificate to register on the connector's application")
    parser.add_argument("--redirect-uri", action="append", default=[], help="another redirect URI of the set-up application")
    parser.add_argument("--pages", help="address of the console, whose page of a row main.aspx leads to")
    parser.add_argument(
        "--bare", action="store_true", help="without the connector's solution: for trying `python -m solution install`"
    )
    arguments = parser.parse_args()
    url = f"https://localhost:{arguments.port}"
    app = create_app(arguments.database, bare=arguments.bare, public_url=url, enforces_roles=True)
    sandbox: Sandbox = app.extensions["sandbox"]
    connector = sandbox.directory.applications[demo_company.CLIENT_ID]
    setup = sandbox.directory.applications[demo_company.SETUP_CLIENT_ID]
    if arguments.client_certificate:
        connector.certificates.append(x509.load_pem_x509_certificate(arguments.client_certificate.read_bytes()))
    for application in (connector, setup):
        application.redirects += tuple(arguments.redirect_uri)
    if arguments.pages:
        to = f"{arguments.pages}/main.aspx"
        app.add_url_rule("/main.aspx", "page", lambda: redirect(f"{to}?{request.query_string.decode()}"))
    with serving(app, Certificates.at(arguments.ca_file), port=arguments.port) as server:
        print(f"Dataverse and Entra ID: {sandbox.environment.url} (authorities: {arguments.ca_file})", flush=True)
        try:
            server.wait()
        except KeyboardInterrupt:
            print("stopped", flush=True)
        finally:
            sandbox.close()


if __name__ == "__main__":
    main()
