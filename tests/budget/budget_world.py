"""A clock, a disk and a vendor for trials of the budget: time stands still unless told, replies take what they take."""

import asyncio
import random
from dataclasses import dataclass, field

from syncd.budget import Budget, Form, WindowSpec
from syncd.model.change import Lane
from syncd.runtime.clock import ManualClock
from syncd.systems.contract import Call, OutOfBudgetError

API = Call()


class Clock(ManualClock):
    """Lets everything run that can run before it moves on to the next moment."""

    async def advance(self, seconds):
        goal = self._now_ms + seconds * 1000
        while True:
            await self.settle()
            self._sleepers = [one for one in self._sleepers if not one[1].done()]
            due = [one for one in self._sleepers if one[0] <= goal]
            if not due:
                break
            moment, future = min(due, key=lambda one: one[0])
            self._sleepers.remove((moment, future))
            self._now_ms = max(self._now_ms, moment)
            future.set_result(None)
        self._now_ms = goal
        await self.settle()

    async def settle(self):
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)
        while loop._ready:  # noqa: ASYNC110 - nothing tells that a loop is idle
            await asyncio.sleep(0)

    async def run(self, work, limit=1e6):
        """Move on until the task is done."""
        task = asyncio.ensure_future(work)
        spent = 0.0
        while not task.done() and spent < limit:
            await self.settle()
            if task.done():
                break
            ahead = [one[0] for one in self._sleepers if not one[1].done()]
            assert ahead, "nothing will ever happen"
            step = max(0.0, (min(ahead) - self._now_ms) / 1000)
            spent += step
            await self.advance(step)
        return await task


class Disk:
    """Keeps states across budgets; each save takes ``seconds``, and is on disk at its end."""

    def __init__(self, clock, seconds=0.0):
        self.clock = clock
        self.seconds = seconds
        self.state = None
        self.saves = 0
        self.broken = None

    async def load(self, connection):
        return self.state

    async def save(self, connection, state):
        if self.broken:
            raise self.broken
        if self.seconds:
            await self.clock.sleep(self.seconds)
        self.state = state
        self.saves += 1


@dataclass
class Vendor:
    """Counts each call somewhere between its leaving and its reply, by its own clock."""

    clock: Clock
    dice: random.Random
    skew: float = 0.0
    quickest: float = 0.02
    slowest: float = 0.3
    counted: list = field(default_factory=list)
    left: list = field(default_factory=list)

    async def answer(self, lane=Lane.BULK):
        now = self.clock.monotonic()
        seconds = self.dice.uniform(self.quickest, self.slowest)
        # Most vendors count on arrival; the worst case is anywhere up to the reply, above all at its two ends.
        at = now + seconds * self.dice.choice((0.0, self.dice.random(), 1.0))
        self.left.append((now, lane))
        self.counted.append(at + self.skew)
        await self.clock.sleep(seconds)
        return seconds

    def most_within(self, seconds):
        """The most calls in any span of that length."""
        times = sorted(self.counted)
        most = begin = 0
        for end, time in enumerate(times):
            while times[begin] <= time - seconds:
                begin += 1
            most = max(most, end - begin + 1)
        return most


def rolling(limit, seconds, **more):
    return WindowSpec("rolling", Form.ROLLING, limit, seconds, **more)


def budget_of(clock, *specs, keeper=None, **more):
    return Budget("crm", specs, clock=clock, keeper=keeper or Disk(clock), **more)


async def opened(clock, *specs, **more):
    budget = budget_of(clock, *specs, **more)
    await budget.open()
    return budget


async def call(budget, vendor, lane=Lane.BULK, what=API):
    async with budget.pay(what, lane):
        await vendor.answer(lane)


async def keep_calling(budget, vendor, lane=Lane.BULK, what=API):
    """A worker that never runs out of work."""
    while True:
        try:
            await call(budget, vendor, lane, what)
        except OutOfBudgetError as empty:
            await vendor.clock.sleep(max(empty.retry_after_seconds, 0.01))


def start(count, make):
    return [asyncio.create_task(make()) for _ in range(count)]


async def stop(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
