"""Encryption of what must not be readable in Table Storage, and keyed hashes for what must only be compared (SPEC 1.5, 10).

A sealed text is ``v1.<key id>.<base64url of nonce + AES-256-GCM ciphertext>``. The key id is derived from the key, so that several
keys may stand in TOKEN_ENCRYPTION_KEYS: the newest seals, every one opens. The context, the identity of the row, is authenticated
with the text, so that a sealed value moved to another row does not open.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import ConfigurationError

KEY_BYTES, NONCE_BYTES = 32, 12
VERSION = "v1"


class Seal:
    """Seal and open texts with versioned keys, the newest first; the ``Secrets`` port of shared.services."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ConfigurationError("TOKEN_ENCRYPTION_KEYS needs at least one key of 32 bytes.")
        self._keys = {_key_id(key): key for key in keys}
        self._newest = _key_id(keys[0])

    def seal(self, text: str, context: str) -> str:
        """Encrypt *text* with the newest key, bound to *context*."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        ciphertext = AESGCM(self._keys[self._newest]).encrypt(nonce, text.encode(), _bound(self._newest, context))
        return ".".join((VERSION, self._newest, base64.urlsafe_b64encode(nonce + ciphertext).decode()))

    def open(self, sealed: str, context: str) -> str:
        """Decrypt what ``seal`` made for the same *context*; raise ConfigurationError when the key is gone or it was tampered with."""
        version, _, rest = sealed.partition(".")
        key_id, _, blob = rest.partition(".")
        if version != VERSION or key_id not in self._keys:
            raise ConfigurationError("A stored secret was encrypted with a key that is not in TOKEN_ENCRYPTION_KEYS.")
        try:
            raw = base64.b64decode(blob.encode(), altchars=b"-_", validate=True)
            opened = AESGCM(self._keys[key_id]).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(key_id, context))
        except (InvalidTag, ValueError):
            raise ConfigurationError("A stored secret does not open: it was changed, or moved from another row.") from None
        return opened.decode()

    def reseal(self, sealed: str, context: str) -> str:
        """Return *sealed* under the newest key; the very same text when it is already."""
        if sealed.startswith(f"{VERSION}.{self._newest}."):
            return sealed
        return self.seal(self.open(sealed, context), context)

    def keyed_hash(self, text: str, purpose: str) -> str:
        """Return ``<key id>.<hash>`` of *text*, useless without the key: personal data is never kept as a plain hash."""
        return self._hash(self._newest, text, purpose)

    def is_hash_of(self, stored: str, text: str, purpose: str) -> bool:
        """Tell whether *stored* is the keyed hash of *text*, with any key still configured; False for one that is gone."""
        key_id = stored.partition(".")[0]
        return key_id in self._keys and hmac.compare_digest(stored, self._hash(key_id, text, purpose))

    def _hash(self, key_id: str, text: str, purpose: str) -> str:
        derived = hmac.digest(self._keys[key_id], f"keyed-hash|{purpose}".encode(), "sha256")
        return f"{key_id}.{hmac.digest(derived, text.encode(), 'sha256').hex()}"


def _key_id(key: bytes) -> str:
    return hmac.digest(key, b"key-id", "sha256").hex()[:8]


def _bound(key_id: str, context: str) -> bytes:
    return f"{VERSION}|{key_id}|{context}".encode()
