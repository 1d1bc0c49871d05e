"""Time, randomness and ids come in through one small bundle, so that a test can own them."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    def now_ms(self) -> int:
        """Wall clock: milliseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; for spans and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that stands still until told: for tests and the simulated shop.

    ``sleep`` returns when :meth:`advance` has carried the clock past the wake-up time.
    """

    def __init__(self, now_ms: int = 1_793_606_400_000) -> None:
        self._now_ms = float(now_ms)
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return int(self._now_ms)

    def monotonic(self) -> float:
        return self._now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now_ms + seconds * 1000, future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in the order of their times, and let what they wake run."""
        goal = self._now_ms + seconds * 1000
        while True:
            due = sorted((one for one in self._sleepers if one[0] <= goal), key=lambda one: one[0])
            if not due:
                break
            moment, future = due[0]
            self._sleepers.remove(due[0])
            self._now_ms = max(self._now_ms, moment)
            if not future.done():
                future.set_result(None)
            await asyncio.sleep(0)
        self._now_ms = goal
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class World:
    """The clock, the dice and the ids of one daemon."""

    clock: Clock = field(default_factory=SystemClock)
    dice: random.Random = field(default_factory=random.Random)

    def new_id(self) -> str:
        """A correlation id; sortable by nothing, unique by chance."""
        return uuid.UUID(int=self.dice.getrandbits(128), version=4).hex
