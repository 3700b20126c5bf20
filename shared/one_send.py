"""HTTP in which every request is one send: no retries, no redirects, time-outs always (SPEC 8, 15).

Xero is spoken to through xero-python's urllib3, Dataverse through requests; both get their connections made here.
"""

from __future__ import annotations

import os
import socket
import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, SSLError
from urllib3.util import create_urllib3_context

from shared.durations import Durations

CONNECTIONS = 16  # no fewer than a host's workers, and far below what Xero and Dataverse allow at once
# A connection that lies idle longer than Azure's outbound NAT allows (4 minutes) must not look alive to the next call.
KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
if hasattr(socket, "TCP_KEEPIDLE"):
    KEEP_ALIVE += [(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20)]
SOCKET_OPTIONS = [*HTTPConnection.default_socket_options, *KEEP_ALIVE]


def one_send_pool(durations: Durations) -> urllib3.PoolManager:
    """Return a connection pool for any hosts; it keeps no cookies and reads no .netrc."""
    return urllib3.PoolManager(
        maxsize=CONNECTIONS,
        ssl_context=_authorities(),
        cert_reqs=ssl.CERT_REQUIRED,
        timeout=urllib3.Timeout(connect=durations.connect, read=durations.read),
        retries=False,
        socket_options=SOCKET_OPTIONS,
    )


class OneSendSession(requests.Session):
    """A requests session for threads: one send a request, no redirects, no cookies kept, nothing taken from the environment."""

    def __init__(self, durations: Durations) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._timeout = (durations.connect, durations.read)
        self.mount("https://", _OneSend(pool_maxsize=CONNECTIONS, max_retries=0))

    def once(self, method: str, url: str, headers: dict[str, str], body: bytes) -> requests.Response:
        """Send one request; raises requests.RequestException when no answer came."""
        return self.request(method, url, headers=headers, data=body or None, timeout=self._timeout, allow_redirects=False)


class _OneSend(HTTPAdapter):
    """Load the authorities once: requests would do it for every new connection, which takes 30 ms."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=_authorities(), socket_options=SOCKET_OPTIONS)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, {"cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, *_: Any) -> None:
        """Say nothing more: the context of the pool verifies."""


def was_never_sent(error: BaseException | None) -> bool:
    """Tell whether the connection was never made (no address, refused, a wrong certificate): then nothing was written."""
    if isinstance(error, requests.RequestException):
        error = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
    if isinstance(error, MaxRetryError):
        error = error.reason
    if isinstance(error, SSLError):
        return bool(error.args) and isinstance(error.args[0], ssl.SSLCertVerificationError)
    return isinstance(error, NewConnectionError | ConnectTimeoutError)


def _authorities() -> ssl.SSLContext:
    """Trust those of REQUESTS_CA_BUNDLE, as azure-identity reads it, or certifi's."""
    context = create_urllib3_context()
    context.load_verify_locations(os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
    return context
