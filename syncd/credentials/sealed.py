"""The sealed store: a keyring backend for servers without a desktop. One file per secret, each sealed by itself.

It is never chosen by the keyring library's own detection: it needs its folder and key, and its priority says no.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from keyring.backend import KeyringBackend
from keyring.compat import properties
from keyring.errors import PasswordDeleteError

from syncd.credentials.errors import UnavailableError
from syncd.credentials.files import private_folder, read_private, replace_private, sync_folder
from syncd.credentials.seal import SealKey, generation_of

SUFFIX: Final = ".sealed"


class SealedKeyring(KeyringBackend):
    """Service is the account (a connection or an event source), username is the name of the secret."""

    @properties.classproperty
    def priority(cls) -> float:  # noqa: N805 - keyring's own protocol
        raise RuntimeError("the sealed store is opened by syncd, never detected")

    def __init__(self, folder: Path, key: SealKey) -> None:
        # Not the base class's: it copies KEYRING_PROPERTY_* variables into the object.
        self.folder = folder
        self._key = key

    def get_password(self, service: str, username: str) -> str | None:
        entry = self._entry(service, username)
        return None if entry is None else self._key.open(service, username, entry)

    def set_password(self, service: str, username: str, password: str) -> None:
        with self._locked():
            entry = self._entry(service, username)
            generation = 1 if entry is None else generation_of(entry, service, username) + 1
            sealed = self._key.seal(service, username, generation, password)
            replace_private(self._path(service, username), sealed, "the sealed store")

    def delete_password(self, service: str, username: str) -> None:
        with self._locked():
            try:
                self._path(service, username).unlink()
            except FileNotFoundError:
                raise PasswordDeleteError("there is no such secret") from None
            except OSError as error:
                raise UnavailableError(f"the sealed store in {self.folder}: {os.strerror(error.errno or 0)}") from None
            sync_folder(self.folder)

    def entries(self) -> list[tuple[str, str]]:
        """Account and name of every entry, without opening any."""
        if not self.folder.is_dir():
            return []
        private_folder(self.folder, "the sealed store")
        found = [path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"[!.]*{SUFFIX}")]
        return sorted((unquote(account), unquote(name)) for account, _, name in (one.partition(".") for one in found))

    def _entry(self, account: str, name: str) -> bytes | None:
        if not self.folder.is_dir():
            return None
        private_folder(self.folder, "the sealed store")
        try:
            return read_private(self._path(account, name), f"the sealed secret {account}.{name}")
        except FileNotFoundError:
            return None

    def _path(self, account: str, name: str) -> Path:
        return self.folder / f"{_file_part(account)}.{_file_part(name)}{SUFFIX}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time: the daemon refreshes tokens while an operator sets secrets."""
        private_folder(self.folder, "the sealed store")
        try:
            handle = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            raise UnavailableError(f"the sealed store in {self.folder}: {os.strerror(error.errno or 0)}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # A writer that was killed leaves its unfinished file behind; under the lock it is nobody's.
            for left in self.folder.glob(".*.new"):
                left.unlink(missing_ok=True)
            yield
        finally:
            os.close(handle)


def _file_part(text: str) -> str:
    part = quote(text, safe="").replace(".", "%2E")
    if not part or len(part) > 110:
        raise UnavailableError("the names of a secret must have 1 to about 100 characters")
    return part
