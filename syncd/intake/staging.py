"""One durable commit for all requests that wait together.

While a commit is on its way the next group gathers, so under load many requests share one commit, and a lone
request waits for nothing but its own: no timer ever delays it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import structlog

from syncd.intake.faults import place
from syncd.model.change import Change
from syncd.runtime.service import Service

_log = structlog.get_logger(__name__)


class StorageUnavailableError(Exception):
    """The changes could not be stored now: disk full, locked, read-only, or the queue before it is full."""

    def __init__(self, reason: str, retry_after_seconds: int = 5) -> None:
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class StageResult:
    """What became of the changes of one call; every one of them is durable now."""

    staged: int
    duplicates: int
    """How many were known already, by connection and dedupe key."""
    repeated: frozenset[int] = frozenset()
    """Positions of the duplicates among the changes that were handed over."""


class Staging(Protocol):
    """Where changes are kept. The store's side of the intake."""

    async def stage(self, changes: Sequence[Change]) -> StageResult:
        """Commit durably, in one transaction, before returning. Raises :class:`StorageUnavailableError`."""
        ...


Outcome: TypeAlias = StageResult | StorageUnavailableError
Done: TypeAlias = Callable[[Outcome], None]
"""Told once what became of the changes. A value either way: it is called from the flusher, where raising helps
nobody."""


@dataclass(frozen=True, slots=True)
class GroupLimits:
    group_changes: int = 2_000
    group_bytes: int = 4 * 1024 * 1024
    waiting_changes: int = 20_000
    waiting_bytes: int = 64 * 1024 * 1024


_Entry: TypeAlias = tuple[Sequence[Change], int, Done]


class GroupCommit(Service):
    """Gathers changes, commits them in groups, tells everyone, then announces.

    ``announce`` is called after each commit that staged something new, so that consumers need not poll.
    """

    name = "intake-commit"

    def __init__(
        self,
        staging: Staging,
        *,
        limits: GroupLimits | None = None,
        announce: Callable[[StageResult], None] | None = None,
    ) -> None:
        super().__init__()
        self._staging = staging
        self._limits = limits or GroupLimits()
        self._announce = announce
        self._waiting: deque[_Entry] = deque()
        self._waiting_changes = 0
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._open = False

    @property
    def waiting(self) -> int:
        """Changes that wait for their commit."""
        return self._waiting_changes

    def submit(self, changes: Sequence[Change], size: int, done: Done) -> None:
        """Queue changes of about ``size`` bytes. ``done`` is called after their commit, or after it failed.

        Raises :class:`StorageUnavailableError` at once when the queue is full or not being served.
        """
        if not self._open:
            raise StorageUnavailableError("not-running")
        limits = self._limits
        if self._waiting and (
            self._waiting_changes + len(changes) > limits.waiting_changes
            or self._waiting_bytes + size > limits.waiting_bytes
        ):
            raise StorageUnavailableError("queue-full", retry_after_seconds=1)
        self._waiting.append((changes, size, done))
        self._waiting_changes += len(changes)
        self._waiting_bytes += size
        self._wake.set()

    async def stage(self, changes: Sequence[Change], size: int = 0) -> StageResult:
        """The same for callers who await. Cancelling the caller does not take the changes back."""
        future: asyncio.Future[StageResult] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if future.done():
                return
            if isinstance(outcome, StageResult):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

        self.submit(changes, size, done)
        return await future

    async def start(self) -> None:
        self._open = True
        await super().start()

    async def stop(self, deadline_seconds: float = 10.0) -> None:
        self._open = False
        self._wake.set()
        await super().stop(deadline_seconds)
        # Only a commit that outlasted the deadline leaves anyone here; they are told to come again.
        while self._waiting:
            self._take_one()[2](StorageUnavailableError("stopped"))

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._flush()
                # One round of the loop: what has arrived meanwhile joins the next group.
                await asyncio.sleep(0)
            if self.stopping.is_set():
                return

    def _take_one(self) -> _Entry:
        entry = self._waiting.popleft()
        self._waiting_changes -= len(entry[0])
        self._waiting_bytes -= entry[1]
        return entry

    def _take_group(self) -> list[_Entry]:
        group = [self._take_one()]
        count, size = len(group[0][0]), group[0][1]
        while self._waiting:
            changes, weight, _ = self._waiting[0]
            if count + len(changes) > self._limits.group_changes or size + weight > self._limits.group_bytes:
                break
            count += len(changes)
            size += weight
            group.append(self._take_one())
        return group

    async def _flush(self) -> None:
        group = self._take_group()
        try:
            await self._commit(group)
        except asyncio.CancelledError:
            _tell_all(group, StorageUnavailableError("stopped"))
            raise

    async def _commit(self, group: list[_Entry]) -> None:
        try:
            result = await self._staging.stage([change for changes, _, _ in group for change in changes])
        except StorageUnavailableError as error:
            _log.warning("intake.storage_unavailable", reason=error.reason, requests=len(group))
            _tell_all(group, error)
        except Exception as error:  # noqa: BLE001
            _log.error("intake.stage_failed", error=type(error).__name__, place=place(error), requests=len(group))
            if len(group) == 1:
                _tell_all(group, StorageUnavailableError("stage-failed"))
                return
            # One set of changes that the store cannot take must not fail its neighbours.
            for entry in group:
                await self._commit([entry])
        else:
            if result.staged and self._announce is not None:
                self._announce(result)
            _tell_each(group, result)


def _tell_all(group: Sequence[_Entry], outcome: Outcome) -> None:
    for _, _, done in group:
        done(outcome)


_ONE = StageResult(1, 0)


def _tell_each(group: Sequence[_Entry], result: StageResult) -> None:
    """Give every request its own part of the group's result."""
    if not result.duplicates:
        for changes, _, done in group:
            done(_ONE if len(changes) == 1 else StageResult(len(changes), 0))
        return
    position = 0
    for changes, _, done in group:
        count = len(changes)
        own = frozenset(index for index in range(count) if position + index in result.repeated)
        done(StageResult(count - len(own), len(own), own))
        position += count
