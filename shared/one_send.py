"""HTTP in which every request is one send: no retries, no redirects, time-outs always (SPEC 8, 15)."""

from __future__ import annotations

import os
import socket
import ssl

import certifi
import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError
from urllib3.util import create_urllib3_context

from shared.durations import Durations

CONNECTIONS = 16  # no fewer than a host's workers, and far below what Xero and Dataverse allow at once
# A connection that lies idle longer than Azure's outbound NAT allows (4 minutes) must not look alive to the next call.
KEEP_ALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
if hasattr(socket, "TCP_KEEPIDLE"):
    KEEP_ALIVE += [(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20)]


def one_send_pool(durations: Durations) -> urllib3.PoolManager:
    """Return a connection pool for any hosts; it keeps no cookies and reads no .netrc.

    The authorities of REQUESTS_CA_BUNDLE, as azure-identity reads it, or certifi's are loaded once: that takes 30 ms, and urllib3
    would do it for every connection.
    """
    context = create_urllib3_context()
    context.load_verify_locations(os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
    return urllib3.PoolManager(
        maxsize=CONNECTIONS,
        ssl_context=context,
        cert_reqs=ssl.CERT_REQUIRED,
        timeout=urllib3.Timeout(connect=durations.connect, read=durations.read),
        retries=False,
        socket_options=[*HTTPConnection.default_socket_options, *KEEP_ALIVE],
    )


def was_never_sent(error: Exception) -> bool:
    """Tell whether the connection was never made (no address, refused, a wrong certificate): then nothing was written."""
    if isinstance(error, SSLError):
        return bool(error.args) and isinstance(error.args[0], ssl.SSLCertVerificationError)
    return isinstance(error, NewConnectionError | ConnectTimeoutError)
