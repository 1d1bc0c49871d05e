"""A start that cannot be: one line that says what, where and what to do, the documented exit code, no traceback."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

import pytest
import pytest_asyncio

from syncd.store.database import Database
from tests.daemon.house import Ending, House

Spoil = Callable[[House], AbstractContextManager[Any] | Awaitable[AbstractContextManager[Any] | None] | None]


def listening(port: int) -> AbstractContextManager[socket.socket]:
    return socket.create_server(("127.0.0.1", port))


def answered_socket(house: House) -> AbstractContextManager[socket.socket]:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.bind(str(house.folder / "control.sock"))
    one.listen()
    return one


async def made(house: House) -> sqlite3.Connection:
    """The state file as a first run leaves it."""
    database = Database(house.database)
    await database.open()
    await database.close()
    return sqlite3.connect(house.database, isolation_level=None)


async def locked(house: House) -> AbstractContextManager[None]:
    connection = await made(house)
    connection.execute("BEGIN IMMEDIATE")
    return contextlib.closing(connection)


async def locked_before_it_was_ever_open(house: House) -> AbstractContextManager[None]:
    house.database.parent.mkdir(mode=0o700)
    connection = sqlite3.connect(house.database, isolation_level=None)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("BEGIN EXCLUSIVE")
    return contextlib.closing(connection)


async def newer(house: House) -> None:
    with contextlib.closing(await made(house)) as connection:
        connection.execute("PRAGMA user_version=999")


def owned(house: House) -> AbstractContextManager[IO[str]]:
    """As another daemon does it: the lock is the process's for as long as it lives."""
    house.database.parent.mkdir(mode=0o700)
    held = house.database.with_name("syncd.db.lock").open("w")
    held.write(f"{os.getpid()}\n")
    held.flush()
    fcntl.flock(held, fcntl.LOCK_EX)
    return held


def damaged(house: House) -> None:
    house.database.parent.mkdir(mode=0o700)
    house.database.write_bytes(b"not a database at all" * 500)


def without(name: str) -> Callable[[House], None]:
    return lambda house: (house.folder / name).unlink()


def open_to_all(house: House) -> None:
    (house.folder / "crm.access_token").chmod(0o644)


def rewritten(old: str, new: str) -> Callable[[House], None]:
    def spoil(house: House) -> None:
        text = house.config.read_text()
        assert old in text
        house.config.write_text(text.replace(old, new.format(folder=house.folder)))

    return spoil


def under_a_file(house: House) -> None:
    (house.folder / "file").write_text("")
    rewritten(f'dir = "{house.folder}/state"', 'dir = "{folder}/file/state"')(house)


def blocked_socket(house: House) -> None:
    (house.folder / "control.sock").write_text("precious")


@contextlib.contextmanager
def tmpfs(folder: Path, options: str) -> Iterator[None]:
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def full_disk(house: House) -> Iterator[None]:
    with tmpfs(house.folder / "state", "size=64k,mode=0700"):
        filler = house.folder / "state" / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            for _ in range(64):
                file.write(bytes(1024))
        yield


@contextlib.contextmanager
def read_only_disk(house: House) -> Iterator[None]:
    with tmpfs(house.folder / "state", "ro,mode=0700"):
        yield


MOUNTS = os.getuid() == 0 and shutil.which("mount") is not None
CASES: dict[str, tuple[Spoil, int, str]] = {
    "the intake's port is taken": (lambda house: listening(house.intake), 3, r"127\.0\.0\.1:\d+: the port is in use; stop what"),
    "the operations port is taken": (lambda house: listening(house.ops), 3, r"ops\.port .*choose another"),
    "the control socket is answered": (answered_socket, 3, r"control\.sock: another syncd answers.*stop it"),
    "the control socket's place is taken": (blocked_socket, 3, r"control\.sock: .* not a socket; move it away"),
    "a secret is missing": (without("crm.access_token"), 3, r"crm.*access_token"),
    "a secret is open to all": (open_to_all, 3, r"crm\.access_token.*(mode|readable|private)"),
    "the state file is locked": (locked, 3, r"syncd\.db: database is locked .*free the disk or the lock"),
    "a strange file is locked": (locked_before_it_was_ever_open, 3, r"syncd\.db: database is locked"),
    "the state file is damaged": (damaged, 3, r"syncd\.db: file is not a database .*restore a backup"),
    "the state file is newer": (newer, 3, r"syncd\.db: written by a newer syncd .*install the newer syncd"),
    "the state file is owned": (owned, 3, rf"another syncd owns this state file \(process {os.getpid()}\); stop it"),
    "the state folder cannot be made": (under_a_file, 3, r"file/state: the state folder cannot be made.*state\.dir"),
    "the configuration has a typo": (rewritten("[intake]", "[intakes]"), 2, r"syncd\.toml:\d+: intakes.*did you mean intake"),
    "the configuration is no TOML": (rewritten("[intake]", "[intake"), 2, r"syncd\.toml:\d+"),
    "a port is none": (rewritten("[ops]\nport = ", "[ops]\nport = 9"), 2, r"ops\.port"),
    "the disk is full": (full_disk, 3, r"state"),
    "the disk is read-only": (read_only_disk, 3, r"state: the state folder cannot be written to: Read-only.*state\.dir"),
}  # fmt: skip
NEED_MOUNTS = {"the disk is full", "the disk is read-only"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def endings() -> AsyncIterator[dict[str, Ending]]:
    """All starts, a few at a time: most of a start is waiting for imports, and one waits for a lock."""
    slots = asyncio.Semaphore(3)
    with tempfile.TemporaryDirectory(prefix="syncd-h-") as name:

        async def attempt(number: int, spoil: Spoil) -> Ending:
            async with slots:
                house = House.build(Path(name) / str(number))
                state = spoil(house)
                if isinstance(state, Awaitable):
                    state = await state
                with state or contextlib.nullcontext():
                    return await house.attempt()

        wanted = [one for one in CASES if MOUNTS or one not in NEED_MOUNTS]
        found = await asyncio.gather(*(attempt(n, CASES[one][0]) for n, one in enumerate(wanted)))
        yield dict(zip(wanted, found, strict=True))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("case", CASES)
async def test_a_start_that_cannot_be_says_so_in_one_line(endings: dict[str, Ending], case: str) -> None:
    if case not in endings:
        pytest.skip("needs the right to mount")
    _spoil, code, told = CASES[case]
    ending = endings[case]

    assert ending.code == code, ending.raw
    assert len(ending.said) == 1, ending.said
    assert ending.said[0].startswith("syncd: ")
    assert re.search(told, ending.said[0]), ending.said
    assert "Traceback" not in ending.raw
