"""Ports for servers that must be told where to listen before they start."""

import contextlib
import itertools
import os
import socket
import sys
from collections.abc import Iterator

# Below what systems give to connections by themselves (from 32,768 on Linux, 49,152 elsewhere): none of ours takes one meanwhile.
FIRST, MANY = 20_000, 12_000
_next = itertools.count(os.getpid() * 601)  # two workers begin far from each other


def free_port() -> int:
    """Return a port of this machine that nobody listens on, another each time."""
    while True:
        port = FIRST + next(_next) % MANY
        with socket.socket() as probe:
            if sys.platform != "win32":  # there it would take the port of another
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextlib.contextmanager
def unanswered() -> Iterator[int]:
    """Hold a port at which everybody is refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and never listens
        yield held.getsockname()[1]
