"""The Xero Accounting API through xero-python: the SDK builds each request, we send it exactly once.

xero-python knows every path, parameter and header of the API, but its transport cannot be used as it is (measured with 15.2.0):

* its urllib3 pool sends a PUT, a create, four times when the connection drops or times out, or on 429 or 503 with Retry-After;
* it waits for ever unless the time-out is an int or a tuple;
* ``Configuration`` is a process-wide singleton, so that two grants may end up with one token;
* it turns Decimal into float, and its models refuse enum members and nulls they do not know.

So ``ApiClient`` is overridden at its two seams: ``update_params_for_auth`` uses the token of the client made for this one call, and
``request`` is one urllib3 send without retries and redirects. The body passes through the SDK as text; the answer is raw JSON.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError

from shared import exact_json, telemetry
from shared.connectors import Connector, Json
from shared.durations import Durations
from shared.errors import ConnectorError, NeedsScope, Retryable
from shared.one_send import one_send_pool, was_never_sent
from shared.services import Clock, Lane
from shared.xero.answers import TokenRefused, translate, unknown_end
from shared.xero.limits import Limits, Reservation, allowance
from shared.xero.tokens import Tokens

log = logging.getLogger(__name__)

LONGEST_KEY = 128


class XeroClient:
    """Call the Accounting API for any connector; the ``Xero`` port of shared.services.

    Each call is one HTTP send; the limiter adds one or two table operations before it and one or two after it, and a token that is
    not in memory one read.
    """

    def __init__(
        self, tokens: Tokens, limits: Limits, clock: Clock, durations: Durations, api_url: str = "https://api.xero.com"
    ) -> None:
        self._tokens = tokens
        self._limits = limits
        self._clock = clock
        self._base_url = f"{api_url.rstrip('/')}/api.xro/2.0"
        self._pool = one_send_pool(durations)

    def call(
        self,
        connector: Connector,
        operation: str,
        *arguments: str,
        body: Json | None = None,
        key: str = "",
        lane: Lane = Lane.INVOICES,
        **options: Any,
    ) -> Json:
        """Call *operation*, a method of xero-python's AccountingApi, for the connector's organisation.

        *arguments* are its ids in their order, *body* a dict in Xero's names (Decimal, never float), *key* the Idempotency-Key of a
        create, *options* the method's keyword parameters; None leaves one out. Every number of the answer is a Decimal, Warnings
        stay in it. A 401 is not tried again here, because a write is sent once: the token is marked stale and TokenRefused, a
        Retryable, raised, so that the next try refreshes. Raises what ``answers.translate``, ``Limits.reserve`` and
        ``Tokens.access_token`` raise, and ValueError or TypeError when the call itself is wrong.
        """
        if len(key) > LONGEST_KEY:
            raise ValueError("An Idempotency-Key has at most 128 characters.")
        if any(not argument.strip(".") for argument in arguments):
            raise ValueError(f"An id given to {operation} is empty: the path would name another resource.")
        positional = (connector.organisation, *arguments, *(() if body is None else (exact_json.dumps(body),)))
        keywords = {name: value for name, value in options.items() if value is not None}
        if key:
            keywords["idempotency_key"] = key
        token = self._tokens.access_token(connector.grant, self._clock.now())
        request, method = _sdk_method(self._pool, token, self._base_url, operation)
        reservation = self._limits.reserve(connector.organisation, lane, self._clock.now(), allowance(connector.settings))
        answer: Any = None
        try:
            answer = method(*positional, **keywords, _preload_content=False)
        except (HTTPError, OSError) as error:
            if was_never_sent(error):
                raise Retryable(f"Xero could not be reached ({type(error).__name__}).") from error
            raise unknown_end(request.method, f"Xero did not answer ({type(error).__name__})") from error
        finally:
            self._settle(reservation, answer)
        try:
            return translate(request.method, answer.status, answer.headers, answer.data)
        except TokenRefused:
            self._tokens.refuse(connector.grant, token, self._clock.now())
            raise
        except NeedsScope:
            self._tokens.note_missing_scope(connector.grant)
            raise

    def budget(self, connector: Connector, lane: Lane) -> int:
        """Return how many calls the organisation's limits allow in *lane* until the next tick; reads one row."""
        return self._limits.budget(connector.organisation, lane, self._clock.now(), allowance(connector.settings))

    def _settle(self, reservation: Reservation, answer: Any) -> None:
        """Give the slot back and learn from the headers; an answer Xero gave must not be lost because our own row is busy."""
        telemetry.called("xero", reservation.tenant)
        status, headers = (answer.status, answer.headers) if answer is not None else (0, {})
        try:
            self._limits.settle(reservation, status, headers, self._clock.now())
        except ConnectorError as error:
            log.warning("The limiter of %s was not settled: %s", reservation.tenant, error)


def _sdk_method(pool: urllib3.PoolManager, token: str, base_url: str, operation: str) -> tuple[Any, Any]:
    """Return the client made for one call and the bound method of the SDK that is to be called."""
    from xero_python.accounting import AccountingApi

    client = _one_send_client()(pool, token)
    return client, getattr(AccountingApi(client, base_url=base_url), operation)


@cache
def _one_send_client() -> type[Any]:
    """Return the ApiClient that sends once; made on the first call, because importing xero-python takes a tenth of a second."""
    from xero_python.api_client import ApiClient

    class OneSendClient(ApiClient):  # type: ignore[misc]
        """xero-python's client for one call with one token."""

        def __init__(self, pool: urllib3.PoolManager, token: str) -> None:
            super().__init__(header_name="Accept-Encoding", header_value="gzip")
            self.method = ""
            self._one_send_pool = pool
            self._token = token

        def update_params_for_auth(self, headers: dict[str, str], querys: Any, auth_settings: Any) -> None:
            headers["Authorization"] = f"Bearer {self._token}"

        def request(
            self, method: str, url: str, query_params: Any = None, headers: Any = None, body: Any = None, **_: Any
        ) -> Any:
            self.method = method
            address = f"{url}?{urlencode(query_params)}" if query_params else url
            return self._one_send_pool.request(method, address, body=body, headers=headers, redirect=False, preload_content=True)

    return OneSendClient
