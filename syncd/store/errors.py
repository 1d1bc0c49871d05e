"""What can go wrong with the state file, sorted by what an operator does next.

::

    StoreError
    |- StoreUnavailableError   full, locked or read-only for now: callers answer 503 and try again
    |- StoreOwnedError         another daemon owns the file
    |- StoreNewerError         a newer syncd wrote the file
    `- StoreDamagedError       SQLite says the file is malformed
"""

from __future__ import annotations

import sqlite3


class StoreError(Exception):
    """The state file cannot be used. The message says what, where and what to do."""


class StoreUnavailableError(StoreError):
    """Full, locked or read-only at the moment; nothing was written."""


class StoreOwnedError(StoreError):
    """Another daemon owns the state file."""


class StoreNewerError(StoreError):
    """The state file was written by a newer version."""


class StoreDamagedError(StoreError):
    """The state file is not a sound SQLite database."""


_UNAVAILABLE = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY,
     sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN}
)  # fmt: skip
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def translate(error: sqlite3.Error, path: str) -> Exception:
    """The store's error for SQLite's; errors of our own making (constraint, syntax) stay as they are."""
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    if primary in _UNAVAILABLE:
        return StoreUnavailableError(f"{path}: {error} ({name}); free the disk or the lock, syncd goes on by itself")
    if primary in _DAMAGED:
        return StoreDamagedError(f"{path}: {error} ({name}); restore a backup, then start again")
    return error
