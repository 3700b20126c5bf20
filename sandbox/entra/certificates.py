"""A certificate authority of our own, so that clients can speak https to a stand-in on this machine."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificates:
    """The authority; `bundle` is the file for REQUESTS_CA_BUNDLE. It holds ours alone: a client loads it for every connection."""

    authority: trustme.CA
    bundle: Path

    @classmethod
    def at(cls, bundle: Path) -> Certificates:
        """Return the authority kept in *bundle* (its private key beside it), made there the first time."""
        key = bundle.with_suffix(".key")
        if bundle.exists() and key.exists():
            return cls(trustme.CA.from_pem(bundle.read_bytes(), key.read_bytes()), bundle)
        authority = trustme.CA(organization_name="Sandbox")
        bundle.parent.mkdir(parents=True, exist_ok=True)
        _write_private(key, authority.private_key_pem.bytes())
        bundle.write_bytes(authority.cert_pem.bytes())
        return cls(authority, bundle)

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS context of a server on this machine."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*HOSTS).configure_cert(context)
        return context


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
