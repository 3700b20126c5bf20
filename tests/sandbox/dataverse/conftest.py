"""An environment in process, and one served over TLS."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import simplejson
from flask import Flask
from werkzeug.test import Client

from sandbox.dataverse import Sandbox
from sandbox.dataverse.demo_company import ID
from sandbox.dataverse.live import serving
from sandbox.entra import Certificates
from sandbox.xero.clock import utc_now
from tests import images
from tests.ports import free_port

NOW = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)
ROOT = "/api/data/v9.2/"


@dataclass(frozen=True)
class Reply:
    """One answer, its decimals exact."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return simplejson.loads(self.text, use_decimal=True)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])

    @property
    def id(self) -> str:
        return self.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")

    @property
    def values(self) -> list[Any]:
        found: list[Any] = self.json["value"]
        return found


class Api:
    """Speak to an environment's Web API as its application user."""

    def __init__(self, sandbox: Sandbox, client: Client, token: str) -> None:
        self.sandbox = sandbox
        self.client = client
        self.token = token

    def send(self, method: str, url: str, body: Any = None, **headers: str) -> Reply:
        given = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if isinstance(body, bytes):
            data = body
        elif body is not None:
            data = simplejson.dumps(body, use_decimal=True).encode()
            given.setdefault("Content-Type", "application/json")
        answer = self.client.open(ROOT + url, method=method, data=data, headers=given)
        return Reply(answer.status_code, answer.text, dict(answer.headers))

    def get(self, url: str, **headers: str) -> Reply:
        return self.send("GET", url, **headers)

    def post(self, url: str, body: Any, **headers: str) -> Reply:
        return self.send("POST", url, body, **headers)

    def patch(self, url: str, body: Any, **headers: str) -> Reply:
        return self.send("PATCH", url, body, **headers)

    def delete(self, url: str, **headers: str) -> Reply:
        return self.send("DELETE", url, **headers)

    def invoice(self, customer: str = "ridgeway", currency: str = "NZD", **values: Any) -> str:
        """Create an invoice and return its id."""
        body = {
            "name": "Consulting November",
            "customerid_account@odata.bind": f"/accounts({ID[customer]})",
            "pricelevelid@odata.bind": f"/pricelevels({ID[f'{currency} prices']})",
            "transactioncurrencyid@odata.bind": f"/transactioncurrencies({ID[currency]})",
            **values,
        }
        answer = self.post("invoices", body)
        assert answer.status == 204, answer.text
        return answer.id

    def write_in(self, invoice: str, text: str = "Design work", quantity: Any = 1, price: Any = 100, **values: Any) -> Reply:
        """Add a write-in line."""
        return self.post(
            "invoicedetails",
            {
                "invoiceid@odata.bind": f"/invoices({invoice})",
                "isproductoverridden": True,
                "productdescription": text,
                "quantity": quantity,
                "priceperunit": price,
                **values,
            },
        )

    def catalogue(self, invoice: str, product: str, unit: str, quantity: Any = 1, **values: Any) -> Reply:
        """Add a catalogue line."""
        return self.post(
            "invoicedetails",
            {
                "invoiceid@odata.bind": f"/invoices({invoice})",
                "productid@odata.bind": f"/products({ID[product]})",
                "uomid@odata.bind": f"/uoms({ID[unit]})",
                "quantity": quantity,
                **values,
            },
        )


@pytest.fixture(scope="session")
def image() -> bytes:
    """Seed once; every test starts from a copy."""
    return images.image(NOW)


@pytest.fixture
def app() -> Iterator[Flask]:
    made = images.dataverse(lambda: NOW)
    yield made
    made.extensions["sandbox"].close()


@pytest.fixture
def sandbox(app: Flask) -> Sandbox:
    found: Sandbox = app.extensions["sandbox"]
    return found


@pytest.fixture
def api(app: Flask, sandbox: Sandbox) -> Api:
    return Api(sandbox, app.test_client(), sandbox.token())


@pytest.fixture
def administrator(app: Flask, sandbox: Sandbox) -> Api:
    """Speak as a System Administrator, signed in as a person."""
    return Api(sandbox, app.test_client(), sandbox.person_token("aroha.ngata@kowhai.example"))


@dataclass(frozen=True)
class Live:
    """An environment served over TLS, and where the authorities' file is."""

    app: Flask
    url: str
    bundle: Path

    @property
    def sandbox(self) -> Sandbox:
        found: Sandbox = self.app.extensions["sandbox"]
        return found


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.at(tmp_path_factory.mktemp("authority") / "authorities.pem")


@pytest.fixture
def live(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    port = free_port()
    url = f"https://localhost:{port}"
    app = images.dataverse(utc_now, seeded=NOW, public_url=url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.bundle))
    with serving(app, certificates, port=port):
        yield Live(app, url, certificates.bundle)
    app.extensions["sandbox"].close()
