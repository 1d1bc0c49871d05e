"""Where secrets can be: mounted files, systemd credentials, keyrings, and the environment as the last resort.

Every backend answers the same three questions; all of them may block and are asked in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from syncd.credentials.errors import CredentialError, ReadOnlyError, UnavailableError
from syncd.credentials.files import read_private, text_of
from syncd.runtime.secret import Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

ENV_PREFIX: Final = "SYNCD_SECRET_"
SEAL_KEY: Final = "seal-key"
"""Name of the systemd credential that holds the key of the sealed store."""


class Backend(Protocol):
    name: str
    writable: bool

    def get(self, account: str, name: str) -> Secret | None:
        """The secret, or ``None`` when this backend does not have it. Raises :class:`CredentialError`."""
        ...

    def set(self, account: str, name: str, secret: Secret) -> None: ...

    def delete(self, account: str, name: str) -> bool:
        """Whether there was one."""
        ...

    def describe(self) -> str:
        """What and where it is, for an operator."""
        ...


class _ReadOnly:
    name = ""
    writable = False

    def set(self, account: str, name: str, secret: Secret) -> NoReturn:
        del secret
        raise ReadOnlyError(f"{account}.{name} comes from {self.name}, which syncd only reads")

    def delete(self, account: str, name: str) -> NoReturn:
        raise ReadOnlyError(f"{account}.{name} comes from {self.name}, which syncd only reads")


def variable(account: str, name: str) -> str:
    """The environment variable of a secret: ``SYNCD_SECRET_CRM_ACCESS_TOKEN``."""
    return ENV_PREFIX + re.sub(r"[^A-Z0-9]", "_", f"{account}_{name}".upper())


class FileBackend(_ReadOnly):
    """Files named in ``credentials.files`` or in ``SYNCD_SECRET_<NAME>_FILE``: mounted by an orchestrator."""

    name = "file"

    def __init__(self, files: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._files = files
        self._environ = environ

    def get(self, account: str, name: str) -> Secret | None:
        path = self._files.get(f"{account}.{name}") or self._environ.get(f"{variable(account, name)}_FILE")
        if not path:
            return None
        what = f"the secret {account}.{name}"
        try:
            return Secret(text_of(read_private(Path(path), what), what))
        except FileNotFoundError:
            raise UnavailableError(f"{what} should be in {path}, but there is no such file") from None

    def describe(self) -> str:
        return f"{len(self._files)} configured files"


class SystemdBackend(_ReadOnly):
    """``$CREDENTIALS_DIRECTORY``, filled by ``LoadCredentialEncrypted=<account>.<name>:...``."""

    name = "systemd"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, account: str, name: str) -> Secret | None:
        what = f"the systemd credential {account}.{name}"
        if "/" in f"{account}{name}":
            return None
        try:
            body = read_private(self._folder / f"{account}.{name}", what, trusted_folder=True)
        except FileNotFoundError:
            return None
        return Secret(text_of(body, what))

    def describe(self) -> str:
        return f"credentials of the systemd unit in {self._folder}"


class EnvironmentBackend(_ReadOnly):
    name = "env"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def get(self, account: str, name: str) -> Secret | None:
        text = self._environ.get(variable(account, name))
        return None if text is None else Secret(text)

    def describe(self) -> str:
        return f"environment variables {ENV_PREFIX}*, readable by every process of this user"


class KeyringStore:
    """A keyring backend behind our questions. Made on first use, in the asking thread: detection may block."""

    writable = True

    def __init__(self, name: str, make: Callable[[], KeyringBackend], prefix: str = "") -> None:
        self.name = name
        self._make = make
        self._prefix = prefix
        self._made: KeyringBackend | None = None

    def backend(self) -> KeyringBackend:
        if self._made is None:
            self._made = self._make()
        return self._made

    def get(self, account: str, name: str) -> Secret | None:
        text = self._asked(lambda one: one.get_password(self._prefix + account, name), "read")
        return None if text is None else Secret(text)

    def set(self, account: str, name: str, secret: Secret) -> None:
        self._asked(lambda one: one.set_password(self._prefix + account, name, secret.reveal()), "write")

    def delete(self, account: str, name: str) -> bool:
        if self.get(account, name) is None:
            return False
        self._asked(lambda one: one.delete_password(self._prefix + account, name), "delete from")
        return True

    def _asked(self, question: Callable[[KeyringBackend], str | None], verb: str) -> str | None:
        backend = self.backend()
        try:
            return question(backend)
        except CredentialError:
            raise
        except Exception as error:  # noqa: BLE001 - backends of others raise what they like
            # Only the kind of the error: its text may hold what was to be stored.
            hint = "; unlock it and try again" if "Locked" in type(error).__name__ else ""
            raise UnavailableError(f"cannot {verb} the {self.name} store: {type(error).__name__}{hint}") from None

    def describe(self) -> str:
        backend = self.backend()
        folder = getattr(backend, "folder", None)
        return f"sealed store in {folder}" if folder else f"{type(backend).__module__}.{type(backend).__qualname__}"
