"""The state file: one connection that writes and checkpoints, one that reads, nobody else.

A unit of work is a plain function of a ``sqlite3.Connection``. It runs whole, inside BEGIN IMMEDIATE, on the
writer's thread: one thread hop per unit, and cancelling the caller neither stops nor splits it. Nothing in a unit
awaits; nothing in it touches the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import sqlite3
from collections import deque
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import aiosqlite

from syncd.store.errors import (
    StoreError,
    StoreNewerError,
    StoreOwnedError,
    StoreUnavailableError,
    translate,
)
from syncd.store.gate import WalPolicy, wal_policy

T = TypeVar("T")
Tx: TypeAlias = sqlite3.Connection
"""The connection inside a unit of work."""

CHECKPOINT_BYTES = 32 * 1024 * 1024
"""A WAL larger than this is checkpointed by the next quiet moment, or at four times this at once."""

_log = logging.getLogger(__name__)


class Turnstile:
    """One unit of work at a time; urgent ones first, though never two in a row while others wait."""

    def __init__(self) -> None:
        self._busy = False
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._patient: deque[asyncio.Future[None]] = deque()
        self._last_urgent = False

    async def enter(self, *, urgent: bool) -> None:
        if self._busy:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            (self._urgent if urgent else self._patient).append(turn)
            await turn
        self._busy = True
        self._last_urgent = urgent

    def leave(self) -> None:
        first, second = (self._patient, self._urgent) if self._last_urgent else (self._urgent, self._patient)
        queue = first or second
        if queue:
            queue.popleft().set_result(None)
        else:
            self._busy = False


class Database:
    """The state file of one daemon."""

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        self.path = path
        try:
            self.policy: WalPolicy = wal_policy(sqlite3.sqlite_version_info[:3])
        except ValueError as error:
            raise StoreError(str(error)) from error
        self.trouble = ""
        """Why the last write was not taken, while that lasts; empty when writes are taken."""
        self._busy_seconds = busy_seconds
        self._writer: aiosqlite.Connection | None = None
        self._reader: aiosqlite.Connection | None = None
        self._lock_handle: int | None = None
        self._turnstile = Turnstile()

    async def open(self) -> None:
        """Own, open and migrate the file. Raises :class:`StoreError`."""
        _make_private_folder(self.path.parent)
        self._own()
        try:
            self._writer = await self._connect(read_only=False)
            await self._run(self._writer, _prepare_writer)
            await self._run(self._writer, migrate)
            self._reader = await self._connect(read_only=True)
            await self._run(self._reader, _prepare_reader)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish the unit that runs, then close. Units that still wait for their turn fail."""
        await self._turnstile.enter(urgent=True)
        reader, writer = self._reader, self._writer
        self._reader = self._writer = None
        try:
            # The reader goes first: the last connection to close checkpoints, and that must be the writer.
            for connection in (reader, writer):
                if connection is not None:
                    await connection.close()
        finally:
            self._turnstile.leave()
        if self._lock_handle is not None:
            os.close(self._lock_handle)
            self._lock_handle = None

    async def write(self, unit: Callable[[Tx], T], *, urgent: bool = False) -> T:
        """Run a unit in one transaction and commit it durably. ``urgent``: somebody waits for the answer.

        Raises :class:`StoreError`, or what the unit raises; then nothing of it stays.
        """
        return await asyncio.shield(asyncio.ensure_future(self._in_turn(unit, urgent=urgent)))

    async def _in_turn(self, unit: Callable[[Tx], T], *, urgent: bool) -> T:
        await self._turnstile.enter(urgent=urgent)
        try:
            if self._writer is None:
                raise StoreUnavailableError(f"{self.path}: the state file is not open")
            result = await self._run(self._writer, lambda tx: _transaction(tx, unit))
        except StoreError as error:
            self.trouble = str(error)
            await self._make_room(error)
            raise
        finally:
            self._turnstile.leave()
        self.trouble = ""
        return result

    async def _make_room(self, error: StoreError) -> None:
        """On a full disk the WAL may hold room that a checkpoint gives back; it is taken early then."""
        full = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        if full and self._writer is not None:
            with contextlib.suppress(StoreError, sqlite3.Error):
                # Fails where the file itself would have to grow; then only somebody else can make room.
                await self._run(self._writer, lambda tx: tx.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    async def read(self, query: Callable[[Tx], T]) -> T:
        """Run a query on the read-only connection, in one snapshot."""
        if self._reader is None:
            raise StoreUnavailableError(f"{self.path}: the state file is not open")
        return await self._run(self._reader, lambda tx: _snapshot(tx, query))

    async def checkpoint(self, *, quiet: bool) -> int:
        """Checkpoint when the WAL has grown; off the commit path unless it has grown very large.

        Returns the bytes the WAL had. Only the writer may do this: see :mod:`syncd.store.gate`.
        """
        size = self.wal_bytes()
        if self._writer is None or size < (CHECKPOINT_BYTES if quiet else 4 * CHECKPOINT_BYTES):
            return size
        await self._run(self._writer, lambda tx: tx.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall())
        return size

    def wal_bytes(self) -> int:
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    async def integrity(self) -> list[str]:
        """What ``integrity_check`` finds; empty when sound. Slow on a large file."""
        rows = await self.read(lambda tx: tx.execute("PRAGMA integrity_check").fetchall())
        return [row[0] for row in rows if row[0] != "ok"]

    async def _connect(self, *, read_only: bool) -> aiosqlite.Connection:
        mode = "ro" if read_only else "rwc"
        # as_uri() escapes the characters that mean something in a URI.
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        try:
            return await aiosqlite.connect(
                uri, uri=True, isolation_level=None, timeout=self._busy_seconds, cached_statements=256
            )
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{self.path}: cannot be opened: {error}") from error

    async def _run(self, connection: aiosqlite.Connection, function: Callable[[Tx], T]) -> T:
        # aiosqlite's own door for running a function on its thread: statement by statement would cost one
        # thread hop each, and leave a cancelled task's transaction open.
        execute: Callable[..., Any] = connection._execute  # noqa: SLF001
        try:
            result: T = await execute(function, connection._conn)  # noqa: SLF001
        except sqlite3.Error as error:
            translated = translate(error, str(self.path))
            if translated is error:
                raise
            raise translated from error
        return result

    def _own(self) -> None:
        """One daemon per state file: an advisory lock held for as long as the process lives."""
        path = self.path.with_name(self.path.name + ".lock")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"{path.parent}: the state folder cannot be written to: {error.strerror}; give it to the user that "
                "syncd runs as, or set state.dir"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(handle, 20).decode(errors="replace").strip()
            os.close(handle)
            raise StoreOwnedError(
                f"{self.path}: another syncd owns this state file{f' (process {owner})' if owner.isdigit() else ''}; "
                "stop it, or give this one its own state folder"
            ) from None
        with contextlib.suppress(OSError):
            # Says who; on a full disk the lock holds without.
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        self._lock_handle = handle


def _make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_mode & 0o077 and folder.stat().st_uid == os.getuid():
            folder.chmod(0o700)
    except OSError as error:
        raise StoreError(
            f"{folder}: the state folder cannot be made, for this user alone: {error.strerror}; set state.dir"
        ) from error


def _prepare_writer(tx: Tx) -> None:
    path = Path(tx.execute("PRAGMA database_list").fetchone()[2])
    # -wal and -shm take the mode of the database file.
    path.chmod(0o600)
    mode = tx.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StoreError(f"{path}: this file system cannot hold a WAL database (journal mode is {mode})")
    tx.execute("PRAGMA synchronous=FULL")
    tx.execute("PRAGMA wal_autocheckpoint=0")
    tx.execute("PRAGMA foreign_keys=ON")
    tx.execute("PRAGMA temp_store=MEMORY")
    tx.execute("PRAGMA cache_size=-16384")


def _prepare_reader(tx: Tx) -> None:
    tx.execute("PRAGMA query_only=ON")
    tx.execute("PRAGMA wal_autocheckpoint=0")
    tx.execute("PRAGMA cache_size=-8192")


def _transaction(tx: Tx, unit: Callable[[Tx], T]) -> T:
    tx.execute("BEGIN IMMEDIATE")
    try:
        result = unit(tx)
        tx.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            # A full disk may have rolled back already.
            tx.execute("ROLLBACK")
        raise
    return result


def _snapshot(tx: Tx, query: Callable[[Tx], T]) -> T:
    tx.execute("BEGIN")
    try:
        return query(tx)
    finally:
        tx.execute("COMMIT")


def _place(tx: Tx) -> str:
    return str(tx.execute("PRAGMA database_list").fetchone()[2])


def migrations() -> list[tuple[int, str]]:
    """Numbered steps with their SQL, in order."""
    folder = resources.files("syncd.store") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(int(name.split("_", 1)[0]), (folder / name).read_text("utf-8")) for name in names]


def migrate(tx: Tx) -> int:
    """Bring the schema to the newest number, each step in one transaction with its record. Returns the number."""
    present = int(tx.execute("PRAGMA user_version").fetchone()[0])
    steps = migrations()
    newest = steps[-1][0]
    if present > newest:
        raise StoreNewerError(
            f"{_place(tx)}: written by a newer syncd (schema {present}, not {newest}); install the newer syncd "
            "again, or restore a backup of its time"
        )
    for number, script in steps:
        if number > present:
            _log.info("store.migrate", extra={"schema": number})
            tx.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version={number};\nCOMMIT;")
    return newest
