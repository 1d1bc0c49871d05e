"""The budget of one connection: the asyncio shell around the ledger and the queue.

Nothing polls: waiters are woken by the end of another call, by a reply, or by one timer set to the next moment at
which something can change. A spend is on disk before its call leaves.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final

import orjson
import structlog

from syncd.budget.headers import DIALECTS, Dialect, silent
from syncd.budget.keeper import BudgetKeeper, GroupSaver
from syncd.budget.ledger import Ledger, Ticket, Wait
from syncd.budget.queue import Queue, Waiter
from syncd.budget.spec import UNNAMED, BudgetSettings, WindowSpec, specs_for
from syncd.budget.window import Now, WindowView
from syncd.model.change import Lane
from syncd.runtime.clock import Clock
from syncd.systems.contract import Call, OutOfBudgetError

_FORMAT: Final = 1
_NO_TIME_KNOWN_SECONDS: Final = 1.0
"""Told to a payer that waited for another call's end in vain."""

log = structlog.get_logger("syncd.budget")


class Budget:
    """Implements :class:`syncd.systems.contract.Payer`. Open it before use; close it once nobody pays any more."""

    def __init__(
        self,
        connection: str,
        specs: Sequence[WindowSpec],
        *,
        clock: Clock,
        keeper: BudgetKeeper,
        settings: BudgetSettings | None = None,
        dialect: Dialect = silent,
        unnamed: str = "",
    ) -> None:
        self.connection = connection
        self._ledger = Ledger(specs, dialect, unnamed)
        self._settings = settings or BudgetSettings()
        self._clock = clock
        self._keeper = keeper
        self._queue = Queue()
        self._saver = GroupSaver(self._save, self._state)
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = math.inf
        self._open = False

    @classmethod
    def for_system(
        cls, system: str, connection: str, *, clock: Clock, keeper: BudgetKeeper, settings: BudgetSettings | None = None
    ) -> Budget:
        """The standard budget of a system. Raises :class:`ValueError` for settings that cannot be."""
        return cls(
            connection, specs_for(system, settings), clock=clock, keeper=keeper, settings=settings,
            dialect=DIALECTS.get(system, silent), unnamed=UNNAMED.get(system, ""),
        )  # fmt: skip

    # --- life -------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take up what an earlier process spent."""
        if self._open:
            return
        saved = await self._keeper.load(self.connection)
        if saved is not None:
            lost = self._ledger.restore(self._now(), _parsed(saved))
            if lost:
                log.warning("budget.state_unreadable", connection=self.connection, windows=list(lost))
        self._open = True

    async def close(self) -> None:
        """Send waiters away and save once more. May come twice."""
        if not self._open:
            return
        self._open = False
        for waiter in self._queue:
            self._queue.remove(waiter)
            if not waiter.gone():
                waiter.refused(Wait(self._clock.monotonic(), "closed", frozenset()))
        self._disarm()
        await self._saver.saved()
        await self._saver.drained()

    def _now(self) -> Now:
        return Now(self._clock.monotonic(), self._clock.now_ms() / 1000)

    def _state(self) -> bytes:
        return orjson.dumps({"format": _FORMAT, "windows": self._ledger.state(self._now())})

    async def _save(self, state: bytes) -> None:
        await self._keeper.save(self.connection, state)

    # --- paying -----------------------------------------------------------------------------------------------------

    def pay(self, call: Call, lane: Lane) -> Payment:
        """See :meth:`syncd.systems.contract.Payer.pay`. What keeps the spend from the disk is raised too, and the
        call must not leave then."""
        return Payment(self, call, lane)

    async def _admit(self, call: Call, lane: Lane) -> Ticket:
        if not self._open:
            raise RuntimeError(f"the budget of {self.connection} is not open")
        ticket = await self._turn(call, lane)
        try:
            if self._ledger.durable(call.kind):
                await self._saver.saved()
        except BaseException:
            # It did not leave: whatever was written down errs on the safe side.
            self._ledger.refund(ticket)
            self._serve()
            raise
        self._ledger.leave(self._now(), ticket)
        self._serve()
        return ticket

    async def _turn(self, call: Call, lane: Lane) -> Ticket:
        """Wait for this call's turn; its spend is made when this returns."""
        patience = self._settings.patience_of(lane)
        now = self._now()
        self._ledger.check(call)
        wait = self._ledger.wait(now, call, lane)
        if wait is not None and math.isfinite(wait.at) and wait.at > now.mono + patience:
            raise self._out(wait)
        answer: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        waiter = Waiter(
            call, lane, now.mono + patience, granted=answer.set_result,
            refused=lambda why: answer.set_exception(self._out(why)), gone=answer.done,
        )  # fmt: skip
        self._queue.add(waiter)
        self._serve()
        try:
            return await answer
        except asyncio.CancelledError:
            self._withdraw(waiter, answer)
            raise

    def _withdraw(self, waiter: Waiter, answer: asyncio.Future[Ticket]) -> None:
        """The payer was cancelled: give its place back, also one that it had just been given."""
        self._queue.remove(waiter)
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            self._ledger.refund(answer.result())
        self._serve()

    def _out(self, wait: Wait) -> OutOfBudgetError:
        left = wait.at - self._clock.monotonic()
        return OutOfBudgetError(wait.window, max(left, 0.0) if math.isfinite(left) else _NO_TIME_KNOWN_SECONDS)

    def _finish(self, ticket: Ticket, *, answered: bool) -> None:
        self._ledger.finish(self._now(), ticket, answered=answered)
        self._serve()

    # --- waking -----------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        if len(self._queue):
            self._arm(self._queue.serve(self._ledger, self._now()))
        else:
            self._disarm()

    def _arm(self, at: float) -> None:
        if at == self._alarm_at and self._alarm is not None:
            return
        self._disarm()
        if math.isfinite(at):
            self._alarm_at = at
            self._alarm = asyncio.create_task(
                self._ring(at - self._clock.monotonic()), name=f"budget {self.connection}"
            )

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, math.inf

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        # Forgotten first: serving arms the next alarm, and must not cancel the task it runs in.
        self._alarm, self._alarm_at = None, math.inf
        self._serve()

    # --- replies and views ------------------------------------------------------------------------------------------

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None:
        """See :meth:`syncd.systems.contract.Payer.observe`. ``status`` 0 means that no reply came."""
        paused = self._ledger.observe(self._now(), call, status, headers, seconds)
        for one in paused:
            log.warning(
                "budget.paused", connection=self.connection, window=one.window, seconds=round(one.seconds, 3),
                status=status,
            )  # fmt: skip
        if paused and self._open and self._ledger.durable(call.kind):
            self._saver.begin()
        if self._open:
            self._serve()

    def snapshot(self) -> list[WindowView]:
        return self._ledger.views(self._now())

    def available(self, kind: str, lane: Lane) -> int:
        """Calls of a kind that the lane could make now without waiting for room, pacing aside."""
        return self._ledger.room(self._now(), kind, lane)

    @property
    def waiting(self) -> int:
        """Payers in the queue."""
        return len(self._queue)


class Payment:
    """Paid on entering, given back its concurrency slot on leaving."""

    __slots__ = ("_budget", "_call", "_lane", "_ticket")

    def __init__(self, budget: Budget, call: Call, lane: Lane) -> None:
        self._budget = budget
        self._call = call
        self._lane = lane
        self._ticket: Ticket | None = None

    async def __aenter__(self) -> None:
        if self._ticket is not None:
            raise RuntimeError("a payment pays for one call")
        self._ticket = await self._budget._admit(self._call, self._lane)  # noqa: SLF001 - two halves of one thing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticket is not None:
            self._budget._finish(self._ticket, answered=kind is None)  # noqa: SLF001 - two halves of one thing


def _parsed(saved: bytes) -> Mapping[str, object] | None:
    try:
        state = orjson.loads(saved)
        return dict(state["windows"]) if state["format"] == _FORMAT else None
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
