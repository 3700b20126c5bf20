"""A stand-in for Xero in this process, and callers who are connected to it."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox.xero import Sandbox, create_app
from sandbox.xero.demo_company import NZ, UK
from sandbox.xero.limits import Limits
from tests.sandbox.xero.callers import NOW, Caller, contact_id, sign_in


@pytest.fixture
def app() -> Iterator[Flask]:
    app = create_app(now=lambda: NOW, limits=Limits(minute=10_000, day=10_000))
    yield app
    app.extensions["sandbox"].store.close()


@pytest.fixture
def sandbox(app: Flask) -> Sandbox:
    found: Sandbox = app.extensions["sandbox"]
    return found


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def nz(client: FlaskClient) -> Caller:
    return Caller(client, sign_in(client)["access_token"], NZ)


@pytest.fixture
def uk(client: FlaskClient) -> Caller:
    return Caller(client, sign_in(client, tenant=UK)["access_token"], UK)


@pytest.fixture
def contact(sandbox: Sandbox) -> str:
    """The id of an active contact in New Zealand."""
    return contact_id(sandbox, "Kiwi Solar Ltd")


@pytest.fixture
def server(app: Flask) -> Iterator[BaseWSGIServer]:
    """The same stand-in behind a real socket."""
    server = make_server("localhost", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
