"""A worker: a service that takes one turn after the other and waits while the state file takes nothing.

A full or locked disk is no reason to end: nothing was written, so the turn is taken again until the disk has room.
"""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from syncd.runtime.service import Service
from syncd.store.database import Database, Tx
from syncd.store.errors import StoreUnavailableError

T = TypeVar("T")

WAIT_SECONDS: Final = 0.5
"""Between two tries of a state file that is full or locked."""
STRIKES: Final = 5
"""Statements in a row that may fail for a reason SQLite does not tell apart; then the worker dies of it, loudly."""

TROUBLE: Final = (StoreUnavailableError, sqlite3.OperationalError)

_log = structlog.get_logger("syncd.engine")


class Worker(Service):
    """Subclasses write :meth:`turn`, which may be taken again after it failed."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self._strikes = 0
        self._waiting = False

    @abstractmethod
    async def turn(self) -> None:
        """One step, or a rest when there was nothing to do."""

    async def run(self) -> None:
        while not self.stopping.is_set():
            try:
                await self.turn()
            except TROUBLE as error:
                await self._wait_out(error)
            else:
                self._go_on()

    async def insist(self, unit: Callable[[Tx], T]) -> T:
        """Write what exists nowhere else yet, such as a vendor's verdict: until the state file takes it, or the
        daemon is told to stop (what was being sent is looked up by the next one)."""
        while True:
            try:
                result = await self._database.write(unit)
            except TROUBLE as error:
                if self.stopping.is_set():
                    raise
                await self._wait_out(error)
            else:
                self._go_on()
                return result

    async def _wait_out(self, error: Exception) -> None:
        if not isinstance(error, StoreUnavailableError):
            self._strikes += 1
            if self._strikes > STRIKES:
                raise error
        if not self._waiting:
            self._waiting = True
            _log.error("store.unavailable", worker=self.name, error=str(error))
        await self.pause(WAIT_SECONDS)

    def _go_on(self) -> None:
        if self._waiting:
            _log.info("store.available", worker=self.name)
        self._waiting, self._strikes = False, 0
