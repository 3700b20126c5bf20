"""Serve an application on this machine, in threads of this process, with or without TLS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.entra import Certificates


class _Connection(WSGIRequestHandler):
    """Speak HTTP/1.1 (werkzeug closes after each answer), send at once, and log nothing: there is a call log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    thread: threading.Thread

    def wait(self) -> None:
        """Block until the server stops."""
        while self.thread.is_alive():
            self.thread.join(0.5)


@contextmanager
def serving(app: Flask, certificates: Certificates | None, *, port: int = 0) -> Iterator[Server]:
    """Serve *app* while the block runs; port 0 takes a free one."""
    context = certificates.server_context() if certificates else None
    server: BaseWSGIServer = make_server("localhost", port, app, threaded=True, request_handler=_Connection, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="dataverse", daemon=True)
    thread.start()
    try:
        yield Server(server.port, thread)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
