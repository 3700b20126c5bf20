"""The composition root: builds the world once and registers every trigger; no logic.

Timers tick, keep-alive and nightly, the queue of sweeps, one queue per flow (a loop over FLOWS), and the HTTP routes (SPEC 3, 11).
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import azure.functions as func

from functions.flows import FLOWS, QUEUES, SWEEPS, Flow
from functions.self_check import OK, Check, at_start
from shared import telemetry
from shared.durations import Durations
from shared.errors import ConfigurationError
from shared.services import Services, SystemClock
from shared.settings import AppSettings

if TYPE_CHECKING:
    from shared.xero.oauth import OAuth
    from shared.xero.tokens import Tokens

STORAGE = "AzureWebJobsStorage"
CLOCK = SystemClock()
log = logging.getLogger(__name__)

try:
    SETTINGS = AppSettings.from_environment(os.environ)
except ConfigurationError as error:
    raise ConfigurationError(f"The app cannot start. {error}") from None
logging.getLogger("azure").setLevel(logging.WARNING)  # each request to storage is a line otherwise
telemetry.start(bool(os.environ.get("APPLICATIONINSIGHTS_CONNECTION_STRING")))


@dataclass(frozen=True)
class World:
    """The services of the pipeline, and what only connecting and keep-alive need."""

    services: Services
    oauth: OAuth
    tokens: Tokens


@cache
def checks() -> tuple[Check, ...]:
    """Look once at what cannot change while the process runs; the log says what is not as it should be."""
    found = at_start(SETTINGS)
    for check in found:
        if check.state != OK:
            log.warning("self-check of %s: %s. %s", check.name, check.state, check.detail)
    return found


@cache
def world() -> World:
    """Build everything on first use; the SDKs are imported here, so that a start pays only for what it uses."""
    checks()
    from shared.dataverse.auth import EntraTokens
    from shared.dataverse.client import DataverseClient
    from shared.storage.queues import StorageQueues
    from shared.storage.seal import Seal
    from shared.storage.tables import Tables
    from shared.xero.client import XeroClient
    from shared.xero.limits import Limits
    from shared.xero.oauth import OAuth
    from shared.xero.tokens import Tokens

    durations = Durations().scaled(SETTINGS.time_scale)
    if SETTINGS.storage_connection_string:
        tables = Tables.from_connection_string(SETTINGS.storage_connection_string)
        queues = StorageQueues.from_connection_string(SETTINGS.storage_connection_string)
        tables.create()  # in Azure the deployment makes them
        queues.create((*QUEUES, *(f"{queue}-poison" for queue in QUEUES)))
    else:
        from azure.identity import ManagedIdentityCredential

        credential = ManagedIdentityCredential(client_id=SETTINGS.storage_client_id or None)
        tables = Tables.from_endpoint(SETTINGS.storage_table_url, credential)
        queues = StorageQueues.from_endpoint(SETTINGS.storage_queue_url, credential)
    seal = Seal(SETTINGS.token_encryption_keys)
    oauth = OAuth(
        SETTINGS.xero_client_id,
        SETTINGS.xero_client_secret,
        CLOCK,
        durations,
        SETTINGS.xero_login_url,
        SETTINGS.xero_identity_url,
        SETTINGS.xero_api_url,
    )
    tokens = Tokens(tables, seal, oauth, durations)
    xero = XeroClient(tokens, Limits(tables, durations), CLOCK, durations, SETTINGS.xero_api_url)
    dataverse = DataverseClient(EntraTokens(SETTINGS), durations)
    return World(Services(xero, dataverse, tables, queues, seal, CLOCK, durations), oauth, tokens)


app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name("tick")
@app.timer_trigger(arg_name="timer", schedule="%TICK_SCHEDULE%", use_monitor=False)
def run_tick(timer: func.TimerRequest) -> None:
    """Ask for every sweep that is due, drain the poison queues, and forget the sign-ins that ended."""
    from functions.connect_dynamics import forget_ended
    from functions.tick import tick

    tick(world().services, CLOCK.now())
    forget_ended(world().services.store, CLOCK.now())


@app.function_name("keep-alive")
@app.timer_trigger(arg_name="timer", schedule="%KEEPALIVE_SCHEDULE%", use_monitor=False)
def run_keep_alive(timer: func.TimerRequest) -> None:
    """Keep every consent alive, and say which are gone."""
    from functions.keep_alive import keep_alive

    keep_alive(world().tokens.keep(CLOCK.now()), world().services)


@app.function_name("nightly")
@app.timer_trigger(arg_name="timer", schedule="%NIGHTLY_SCHEDULE%", use_monitor=True)
def run_nightly(timer: func.TimerRequest) -> None:
    """Ask for the full checks."""
    from functions.nightly import nightly

    nightly(world().services, CLOCK.now())


@app.function_name(SWEEPS)
@app.queue_trigger(arg_name="message", queue_name=SWEEPS, connection=STORAGE)
def run_sweep(message: func.QueueMessage) -> None:
    """Look for due records of one connector and flow."""
    from functions.sweep import sweep

    sweep(_text(message), world().services, CLOCK.now())


def register(flow: Flow) -> None:
    """Register the queue trigger of *flow*: function and queue bear the flow's name."""

    @app.function_name(flow.name)
    @app.queue_trigger(arg_name="message", queue_name=flow.name, connection=STORAGE)
    def run(message: func.QueueMessage, context: func.Context) -> None:
        from functions.sync import sync

        with telemetry.record(flow.name) as told:
            told(sync(_text(message), world().services, owner=context.invocation_id, now=CLOCK.now()))


for each_flow in FLOWS:
    register(each_flow)


@app.function_name("health")
@app.route("health", methods=["GET"])
def answer_health(req: func.HttpRequest) -> func.HttpResponse:
    """Tell whether the app runs: versions and ages, no secrets."""
    from functions.health import health

    status, told = health(world().services, CLOCK.now(), checks())
    return func.HttpResponse(json.dumps(told), status_code=status, mimetype="application/json")


@app.function_name("connect")
@app.route("connect/{*rest}", methods=["GET", "POST"])
def answer_connect(req: func.HttpRequest) -> func.HttpResponse:
    """Connect an environment with an organisation: pages behind the platform's sign-in."""
    from functions.connect import Connecting, connect
    from functions.pages import PageRequest

    known = world()
    request = PageRequest.of(req.method, req.url, dict(req.headers), req.get_body())
    page = connect(request, Connecting(known.services, SETTINGS, known.oauth, known.tokens), CLOCK.now())
    return func.HttpResponse(page.html, status_code=page.status, headers=dict(page.headers))


def _text(message: func.QueueMessage) -> str:
    return message.get_body().decode("utf-8", errors="replace")
