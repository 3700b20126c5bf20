"""A scripted https server on localhost: it records every request it receives and answers, stays silent or hangs up as told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

HANG_UP = "hang up"
SILENCE = "silence"


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client: int


@dataclass
class TlsServer:
    """``host`` is localhost with its port; ``reply`` gives (status, headers, body), HANG_UP or SILENCE for a request."""

    host: str
    ca_file: str
    received: list[Received] = field(default_factory=list)
    reply: Callable[[Received], Any] = lambda _: (204, {}, b"")
    closing: threading.Event = field(default_factory=threading.Event)

    def answers(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.reply = lambda _: (status, headers or {}, body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


@contextmanager
def tls_server(folder: Path) -> Iterator[TlsServer]:
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    told: list[TlsServer] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            server = told[0]
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Received(self.command, self.path, dict(self.headers.items()), body, self.client_address[1])
            server.received.append(request)
            reply = server.reply(request)
            if reply == SILENCE:
                server.closing.wait(20)
            if reply in (SILENCE, HANG_UP):
                self.close_connection = True
                return
            status, headers, content = reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status not in (204, 304):
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        told.append(TlsServer(f"localhost:{server.server_address[1]}", str(ca_file)))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield told[0]
        finally:
            told[0].closing.set()
            server.shutdown()
            thread.join()
