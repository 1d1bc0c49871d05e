"""The one door to secrets: backends in their order, off the event loop, within a time limit, cached."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from syncd.credentials.backends import (
    SEAL_KEY,
    Backend,
    EnvironmentBackend,
    FileBackend,
    KeyringStore,
    SystemdBackend,
)
from syncd.credentials.errors import (
    BackendRefusedError,
    CredentialError,
    MissingSecretError,
    ReadOnlyError,
    TamperedError,
    UnavailableError,
)
from syncd.credentials.files import read_private
from syncd.runtime.secret import Secret

T = TypeVar("T")
OS_PREFIX = "syncd/"
"""In an OS keyring, which other programs share, before the account."""


class Settings(Protocol):
    """What must be known; the section ``[credentials]`` of the configuration fits."""

    @property
    def order(self) -> Sequence[str]: ...
    @property
    def keyring_class(self) -> str: ...
    @property
    def seal_key_file(self) -> str: ...
    @property
    def sealed_dir(self) -> str: ...
    @property
    def files(self) -> Mapping[str, str]: ...
    @property
    def allow_env_secrets(self) -> bool: ...
    @property
    def timeout(self) -> float: ...


class Credentials:
    """Secrets by connection (or event source) and name. Nothing here ever shows one."""

    def __init__(self, backends: Sequence[Backend], *, absent: Mapping[str, str], timeout_seconds: float) -> None:
        self._backends = tuple(backends)
        self._absent = dict(absent)
        self._timeout = timeout_seconds
        self._cache: dict[tuple[str, str], Secret] = {}

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Those that are set up, in order."""
        return self._backends

    @property
    def warnings(self) -> tuple[str, ...]:
        """To be told at every start."""
        if any(isinstance(one, EnvironmentBackend) for one in self._backends):
            return (
                (
                    "credentials.allow_env_secrets is on: environment variables are inherited by children and "
                    "readable by every process of this user; use it in throw-away containers and CI only"
                ),
            )
        return ()

    async def get(self, connection: str, name: str) -> Secret:
        """The secret. Raises :class:`CredentialError` with what to do."""
        found = await self.find(connection, name)
        if found is None:
            raise MissingSecretError(self._missing(connection, name))
        return found

    async def find(self, connection: str, name: str) -> Secret | None:
        """As :meth:`get`, ``None`` when no backend holds it. Raises :class:`CredentialError` for other trouble."""
        kept = self._cache.get((connection, name))
        return kept if kept is not None else (await self.locate(connection, name))[1]

    def cached(self, connection: str, name: str) -> Secret | None:
        """The secret if it was read before; never blocks."""
        return self._cache.get((connection, name))

    async def locate(self, connection: str, name: str) -> tuple[str, Secret | None]:
        """The name of the backend that holds it, and the secret, read afresh."""
        where, found = await self._run(lambda: self._look(connection, name), f"reading {connection}.{name}")
        if found is None:
            self._cache.pop((connection, name), None)
        else:
            self._cache[connection, name] = found
        return where, found

    async def set(self, connection: str, name: str, secret: Secret) -> str:
        """Store durably in the first backend that can; its name. Raises :class:`CredentialError`."""
        if not secret or "\0" in secret.reveal():
            raise UnavailableError(f"the secret {connection}.{name} is empty or holds a zero character; not stored")
        where = await self._run(lambda: self._store(connection, name, secret), f"storing {connection}.{name}")
        self._cache.pop((connection, name), None)
        return where

    async def delete(self, connection: str, name: str) -> tuple[str, ...]:
        """Remove from every backend that can; the names of those that held it."""
        removed = await self._run(lambda: self._remove(connection, name), f"deleting {connection}.{name}")
        self._cache.pop((connection, name), None)
        return removed

    def forget(self) -> None:
        """Read everything afresh from now on, after secrets were changed elsewhere."""
        self._cache.clear()

    async def survey(self) -> list[tuple[str, bool, str]]:
        """Every backend of the order: name, whether it is usable, and what it is or why it is not."""

        def ask() -> list[tuple[str, bool, str]]:
            lines = []
            for one in self._backends:
                try:
                    lines.append((one.name, True, one.describe()))
                except CredentialError as error:
                    lines.append((one.name, False, str(error)))
            told = {name for name, _, _ in lines}
            return [*lines, *((name, False, why) for name, why in self._absent.items() if name not in told)]

        return await self._run(ask, "asking the credential backends")

    # --- in the thread ----------------------------------------------------------------------------------------------

    def _look(self, account: str, name: str) -> tuple[str, Secret | None]:
        for backend in self._backends:
            try:
                found = backend.get(account, name)
            except BackendRefusedError as error:
                # Detection found nothing fit: as good as not set up. A backend asked for by name raised at opening.
                self._absent[backend.name] = str(error)
                continue
            if found is not None:
                if not found:
                    raise UnavailableError(
                        f"the secret {account}.{name} in {backend.name} is empty; "
                        f"set it again: syncd credentials set {account} {name}"
                    )
                return backend.name, found
        return "", None

    def _store(self, account: str, name: str, secret: Secret) -> str:
        reasons = dict(self._absent)
        for backend in self._backends:
            if backend.writable:
                try:
                    backend.set(account, name, secret)
                except BackendRefusedError as error:
                    reasons[backend.name] = str(error)
                    continue
                return backend.name
        told = "; ".join(f"{one}: {reason}" for one, reason in reasons.items() if one in {"sealed", "keyring"})
        raise ReadOnlyError(f"no backend here can store a secret safely ({told or 'none is configured'})")

    def _remove(self, account: str, name: str) -> tuple[str, ...]:
        removed = []
        for backend in self._backends:
            try:
                if backend.writable and backend.delete(account, name):
                    removed.append(backend.name)
            except BackendRefusedError as error:
                self._absent[backend.name] = str(error)
        return tuple(removed)

    def _missing(self, account: str, name: str) -> str:
        asked = ", ".join(one.name for one in self._backends if one.name not in self._absent) or "nowhere"
        told = "; ".join(f"{one}: {reason}" for one, reason in self._absent.items())
        hint = f" Not usable here: {told}." if told else ""
        return (
            f"the secret {name} of {account} is not set (looked in: {asked}). "
            f"Run: syncd credentials set {account} {name}.{hint}"
        )

    async def _run(self, work: Callable[[], T], what: str) -> T:
        """In a thread of its own that cannot hold up the end of the process: a D-Bus call can hang for ever."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if done.cancelled() or done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def body() -> None:
            result, failure = None, None
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - carried over to the asking task
                failure = error
            try:
                loop.call_soon_threadsafe(settle, result, failure)
            except RuntimeError:
                return  # the loop ended meanwhile; nobody waits any more

        threading.Thread(target=body, name="credentials", daemon=True).start()
        try:
            return await asyncio.wait_for(done, self._timeout)
        except TimeoutError:
            raise UnavailableError(
                f"{what} took longer than {self._timeout:g} s; is the keyring locked, or its service hanging?"
            ) from None


def open_credentials(settings: Settings, *, environ: Mapping[str, str] | None = None) -> Credentials:
    """The backends of the order that are set up here. Reads no secret but the seal key.

    Raises :class:`CredentialError` for a backend that is named but may not be used, and for a bad seal key.
    """
    environ = os.environ if environ is None else environ
    backends: list[Backend] = []
    absent: dict[str, str] = {}
    for name in dict.fromkeys(settings.order):
        made = _make(name, settings, environ)
        if isinstance(made, str):
            absent[name] = made
        else:
            backends.append(made)
    if settings.allow_env_secrets:
        backends.append(EnvironmentBackend(environ))
    return Credentials(backends, absent=absent, timeout_seconds=settings.timeout)


def _make(name: str, settings: Settings, environ: Mapping[str, str]) -> Backend | str:
    """The backend, or why it is not set up."""
    match name:
        case "file":
            return FileBackend(settings.files, environ)
        case "systemd":
            folder = environ.get("CREDENTIALS_DIRECTORY")
            return SystemdBackend(Path(folder)) if folder else "not started by systemd with credentials"
        case "sealed":
            return _sealed(settings, environ)
        case "keyring":
            from syncd.credentials.judge import detected_backend, named_backend

            if settings.keyring_class:
                chosen = named_backend(settings.keyring_class)
                return KeyringStore("keyring", lambda: chosen, OS_PREFIX)
            return KeyringStore("keyring", detected_backend, OS_PREFIX)
        case _:
            raise ValueError(f"no credential backend is called {name}")


def _sealed(settings: Settings, environ: Mapping[str, str]) -> Backend | str:
    from syncd.credentials.seal import SealKey

    body = None
    if folder := environ.get("CREDENTIALS_DIRECTORY"):
        what = f"the systemd credential {SEAL_KEY}"
        try:
            body = read_private(Path(folder) / SEAL_KEY, what, trusted_folder=True)
        except FileNotFoundError:
            body = None
    if body is None and settings.seal_key_file:
        what = "the seal key"
        try:
            body = read_private(Path(settings.seal_key_file), what)
        except FileNotFoundError:
            raise UnavailableError(
                f"the seal key {settings.seal_key_file} is missing. Make one: syncd credentials seal-key"
            ) from None
    if body is None:
        return "there is no seal key (systemd credential seal-key, or credentials.seal_key_file)"
    key = SealKey.parse(body, what)
    from syncd.credentials.sealed import SealedKeyring

    store = SealedKeyring(Path(settings.sealed_dir), key)
    return KeyringStore("sealed", lambda: store)


def write_seal_key(path: Path) -> None:
    """Make a new seal key in a file of mode 0400. Raises :class:`CredentialError`, also when there is one already."""
    from syncd.credentials.files import sync_folder
    from syncd.credentials.seal import SealKey

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(SealKey.new().text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except FileExistsError:
        raise TamperedError(f"{path} exists already; a new key would make every sealed secret unreadable") from None
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {os.strerror(error.errno or 0)}") from None
