"""Sealing one secret: AES-256-GCM, bound to its account, name and generation. Pure.

An entry is ``magic | generation (8 bytes) | nonce (12) | ciphertext and tag``. The generation counts the writes of
the entry; like the account and the name it is associated data, so an entry cannot be renamed or renumbered.
"""

from __future__ import annotations

import base64
import binascii
import os
from typing import Final

from syncd.credentials.errors import TamperedError

MAGIC: Final = b"syncd-sealed-1\n"
KEY_BYTES: Final = 32
_GENERATION: Final = 8
_NONCE: Final = 12
_HEAD: Final = len(MAGIC) + _GENERATION + _NONCE


class SealKey:
    """32 random bytes that show nothing of themselves."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a seal key has {KEY_BYTES} bytes, not {len(key)}")
        self._key = key

    @classmethod
    def parse(cls, body: bytes, what: str) -> SealKey:
        """From 32 raw bytes, or their hex or base64 text. Raises :class:`TamperedError`."""
        if len(body) == KEY_BYTES:
            return cls(body)
        text = body.strip()
        try:
            key = bytes.fromhex(text.decode("ascii")) if len(text) == 64 else base64.b64decode(text, validate=True)
        except (UnicodeDecodeError, ValueError, binascii.Error):
            key = b""
        if len(key) != KEY_BYTES:
            raise TamperedError(f"{what} is no seal key: expected 32 random bytes, raw, as hex or as base64")
        return cls(key)

    @classmethod
    def new(cls) -> SealKey:
        return cls(os.urandom(KEY_BYTES))

    def text(self) -> str:
        """The key as base64, for the one moment when it is written to its file."""
        return base64.b64encode(self._key).decode("ascii")

    def __repr__(self) -> str:
        return "SealKey(***)"

    def seal(self, account: str, name: str, generation: int, text: str) -> bytes:
        """The entry for a secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE)
        sealed = AESGCM(self._key).encrypt(nonce, text.encode("utf-8"), _associated(account, name, generation))
        return MAGIC + generation.to_bytes(_GENERATION, "big") + nonce + sealed

    def open(self, account: str, name: str, entry: bytes) -> str:
        """The secret in an entry. Raises :class:`TamperedError` when it is not exactly what was sealed."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        generation = generation_of(entry, account, name)
        nonce = entry[_HEAD - _NONCE : _HEAD]
        try:
            opened = AESGCM(self._key).decrypt(nonce, entry[_HEAD:], _associated(account, name, generation))
        except (InvalidTag, ValueError):
            raise TamperedError(
                f"the sealed secret {account}.{name} does not open: it was changed, or sealed with another key. "
                f"Set it again: syncd credentials set {account} {name}"
            ) from None
        return opened.decode("utf-8")


def generation_of(entry: bytes, account: str, name: str) -> int:
    """How often the entry was written. Raises :class:`TamperedError` for what is no entry."""
    if len(entry) < _HEAD or not entry.startswith(MAGIC):
        raise TamperedError(
            f"the sealed secret {account}.{name} is damaged. Set it again: syncd credentials set {account} {name}"
        )
    return int.from_bytes(entry[len(MAGIC) : len(MAGIC) + _GENERATION], "big")


def _associated(account: str, name: str, generation: int) -> bytes:
    parts = (account.encode("utf-8"), name.encode("utf-8"))
    # Lengths first, so that no two pairs of account and name read the same.
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts) + generation.to_bytes(_GENERATION, "big")
