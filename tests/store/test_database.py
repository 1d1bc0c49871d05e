"""The state file: owned by one daemon, written whole or not at all, private, and the same by both roads."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from syncd.store import books
from syncd.store.database import Database, migrate, migrations
from syncd.store.errors import (
    StoreDamagedError,
    StoreNewerError,
    StoreOwnedError,
    StoreUnavailableError,
)
from syncd.store.gate import wal_policy


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(tmp_path / "state" / "syncd.db", busy_seconds=0.1)
    await made.open()
    yield made
    await made.close()


def _schema(connection: sqlite3.Connection) -> dict[str, Any]:
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    shape: dict[str, Any] = {}
    for table in tables:
        shape[table] = connection.execute(f"PRAGMA table_xinfo({table})").fetchall()
        shape[f"{table} keys"] = sorted(connection.execute(f"PRAGMA foreign_key_list({table})").fetchall())
    shape["sql"] = sorted(
        re.sub(r"\s*([(),])\s*", r"\1", " ".join(row[0].split()))
        for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    )
    return shape


def test_the_migrations_lead_to_the_full_schema() -> None:
    walked, whole = sqlite3.connect(":memory:", isolation_level=None), sqlite3.connect(":memory:")
    migrate(walked)
    whole.executescript((resources.files("syncd.store") / "schema.sql").read_text("utf-8"))

    assert _schema(whole) == _schema(walked)
    walked.close()
    whole.close()


def test_migrations_are_numbered_without_gaps() -> None:
    assert [number for number, _sql in migrations()] == list(range(1, len(migrations()) + 1))


async def test_a_failing_unit_leaves_nothing_behind(database: Database) -> None:
    def fails(tx: Any) -> None:
        books.count(tx, {"folded": 1})
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        await database.write(fails)

    assert await database.read(books.counters) == {}
    await database.write(lambda tx: books.count(tx, {"folded": 2}))
    assert await database.read(books.counters) == {"folded": 2}


async def test_a_cancelled_caller_neither_stops_nor_splits_its_unit(database: Database) -> None:
    """Aiosqlite alone would leave the connection inside BEGIN IMMEDIATE, and everyone else locked out."""
    began, may_end = threading.Event(), threading.Event()

    def slow(tx: Any) -> None:
        began.set()
        may_end.wait(5)
        books.count(tx, {"folded": 1})

    task = asyncio.create_task(database.write(slow))
    await asyncio.to_thread(began.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_end.set()
    await database.write(lambda tx: books.count(tx, {"folded": 1}))

    assert await database.read(books.counters) == {"folded": 2}


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises((sqlite3.OperationalError, StoreUnavailableError)):
        await database.read(lambda tx: tx.execute("INSERT INTO meta VALUES ('a', 'b')"))


async def test_folder_and_files_are_private_to_the_user(database: Database) -> None:
    await database.write(lambda tx: books.count(tx, {"folded": 1}))
    folder = database.path.parent

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {one.name: oct(one.stat().st_mode & 0o777) for one in folder.iterdir()} == {
        "syncd.db": "0o600", "syncd.db-wal": "0o600", "syncd.db-shm": "0o600", "syncd.db.lock": "0o600",
    }  # fmt: skip


async def test_a_second_daemon_is_refused(database: Database) -> None:
    second = Database(database.path)
    with pytest.raises(StoreOwnedError, match="another syncd owns this state file"):
        await second.open()


async def test_the_file_can_be_opened_again_after_it_was_closed(database: Database) -> None:
    await database.write(lambda tx: books.count(tx, {"folded": 3}))
    await database.close()
    await database.close()
    await database.open()

    assert await database.read(books.counters) == {"folded": 3}


async def test_a_newer_state_file_is_refused(database: Database) -> None:
    await database.write(lambda tx: tx.execute("PRAGMA user_version=999").fetchall())
    await database.close()

    with pytest.raises(StoreNewerError, match="install the newer syncd"):
        await database.open()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    path.write_bytes(b"this is not a database, not at all" * 100)

    with pytest.raises(StoreDamagedError, match="restore a backup"):
        await Database(path).open()
    assert path.read_bytes().startswith(b"this is not")


async def test_a_locked_file_is_unavailable_for_now_and_works_again_afterwards(database: Database) -> None:
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="SQLITE_BUSY"):
        await database.write(lambda tx: books.count(tx, {"folded": 1}))
    other.execute("ROLLBACK")
    other.close()

    await database.write(lambda tx: books.count(tx, {"folded": 1}))
    assert await database.read(books.counters) == {"folded": 1}


async def test_a_full_disk_is_unavailable_for_now_and_works_again_on_the_same_connection(database: Database) -> None:
    pages = await database.read(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda tx: None)
    await database._run(database._writer, lambda tx: tx.execute(f"PRAGMA max_page_count={pages}").fetchall())
    blob = [(f"k{number}", "x" * 4000) for number in range(50)]
    with pytest.raises(StoreUnavailableError, match="SQLITE_FULL"):
        await database.write(lambda tx: books.set_meta(tx, blob))
    assert await database.read(books.meta) == {}
    await database._run(database._writer, lambda tx: tx.execute("PRAGMA max_page_count=1000000").fetchall())

    await database.write(lambda tx: books.set_meta(tx, blob))
    assert len(await database.read(books.meta)) == 50
    assert await database.integrity() == []


async def test_the_wal_is_checkpointed_in_quiet_moments_only_when_it_has_grown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(lambda tx: books.set_meta(tx, [(str(n), "x" * 1000) for n in range(500)]))
    before = database.wal_bytes()
    await database.checkpoint(quiet=True)
    assert database.wal_bytes() == before
    monkeypatch.setattr("syncd.store.database.CHECKPOINT_BYTES", 1000)
    await database.checkpoint(quiet=True)
    await database.write(lambda tx: books.count(tx, {"folded": 1}))

    assert database.wal_bytes() == before, "after a checkpoint the WAL is written again from its start"


@pytest.mark.parametrize(
    ("version", "second"),
    [
        ((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 50, 6), False),
        ((3, 50, 7), True), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 52, 0), True),
    ],
)  # fmt: skip
def test_only_a_sqlite_with_the_fix_may_have_a_second_checkpointer(version: tuple[int, int, int], second: bool) -> None:
    policy = wal_policy(version)

    assert policy.second_checkpointer is second
    assert bool(policy.note) is not second


def test_a_sqlite_without_strict_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="too old"):
        wal_policy((3, 36, 0))


_WRITER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from syncd.store import books
    from syncd.store.database import Database

    async def main() -> None:
        database = Database(Path(sys.argv[1]))
        await database.open()
        number = (await database.read(books.counters)).get("a", 0)
        while True:
            number += 1
            await database.write(lambda tx: books.count(tx, {"a": 1, "b": 1}))
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()

    asyncio.run(main())
    """
)


@pytest.mark.faults
def test_no_acknowledged_commit_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    for lines in (1, 7, 40, 3, 90):
        process = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        told = 0
        for _ in range(lines):
            told = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        told = max([told, *(int(one) for one in rest if one)])
        connection = sqlite3.connect(path)
        found = dict(connection.execute("SELECT name, value FROM counters"))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()

        assert found["a"] == found["b"], "a unit is whole"
        assert found["a"] in (told, told + 1), "what was told is there; one more may have been on its way"


async def test_urgent_units_go_first_but_never_shut_the_others_out(database: Database) -> None:
    order: list[str] = []
    began, may_end = threading.Event(), threading.Event()

    def block(_tx: Any) -> None:
        began.set()
        may_end.wait(5)

    first = asyncio.create_task(database.write(block))
    await asyncio.to_thread(began.wait, 5)
    names = ["patient 1", "patient 2", "urgent 1", "urgent 2", "urgent 3"]
    rest = [
        asyncio.create_task(database.write(lambda _tx, name=name: order.append(name), urgent=name[0] == "u"))
        for name in names
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(first, *rest)

    assert order == ["urgent 1", "patient 1", "urgent 2", "patient 2", "urgent 3"]


async def test_a_full_disk_gives_back_what_the_wal_holds(database: Database) -> None:
    """The same few pages, written again and again, fill a WAL but not the file."""
    writer = database._writer
    assert writer is not None
    for number in range(300):
        await database.write(lambda tx, n=number: books.set_meta(tx, [("k", f"{n}" * 500)]))  # type: ignore[misc]
    grown = database.wal_bytes()
    pages = await database.read(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0])
    await (await writer.execute(f"PRAGMA max_page_count={pages}")).close()
    with pytest.raises(StoreUnavailableError, match="SQLITE_FULL"):
        await database.write(lambda tx: books.set_meta(tx, [("big", "x" * 1_000_000)]))
    assert database.trouble

    assert database.wal_bytes() < grown
    await database.write(lambda tx: books.set_meta(tx, [("k", "small")]))
    assert database.trouble == ""
