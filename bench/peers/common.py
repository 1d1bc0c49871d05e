"""What the peers share: callers, a pace, and a count that can be waited for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

CALLERS = 64
PER_SECOND = 50
PAYLOAD = "x" * 1024
"""As large as a change of syncd's."""


def by_threads(count: int, enqueue: Callable[[int], object]) -> float:
    """Seconds that 64 threads take to enqueue ``count`` jobs durably."""
    numbers = iter(range(count))
    lock = threading.Lock()

    def call() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            enqueue(number)

    threads = [threading.Thread(target=call) for _ in range(CALLERS)]
    began = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return time.perf_counter() - began


async def by_tasks(count: int, enqueue: Callable[[int], Awaitable[object]]) -> float:
    """The same with tasks of one event loop."""
    numbers = iter(range(count))

    async def call() -> None:
        for number in numbers:
            await enqueue(number)

    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return time.perf_counter() - began


class Tally:
    """Counts jobs and remembers when each started."""

    def __init__(self, count: int) -> None:
        self.started: dict[int, float] = {}
        self.asked: dict[int, float] = {}
        self.committed: dict[int, float] = {}
        self.left = count
        self.done = threading.Event()
        self._lock = threading.Lock()

    def start(self, number: int) -> None:
        now = time.perf_counter()
        with self._lock:
            self.started[number] = now
            self.left -= 1
            if self.left <= 0:
                self.done.set()

    def commit(self, number: int) -> None:
        self.committed[number] = time.perf_counter()

    def wait(self) -> None:
        if not self.done.wait(300):
            raise SystemExit("the jobs were not worked off within five minutes")

    async def waited(self) -> None:
        while not self.done.is_set():  # noqa: ASYNC110 - it must cost the measured loop nothing
            await asyncio.sleep(0.002)

    def latencies(self) -> dict[str, list[float]]:
        """Seconds from handing a job in, and from its commit, to its start. A broker may start a job before it
        confirms the commit: that counts as no time at all."""
        return {
            "asked": [at - self.asked[number] for number, at in sorted(self.started.items())],
            "committed": [max(0.0, at - self.committed[number]) for number, at in sorted(self.started.items())],
        }


def paced(count: int, enqueue: Callable[[int], object], tally: Tally) -> None:
    """Enqueue 50 a second."""
    began = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        tally.asked[number] = time.perf_counter()
        enqueue(number)
        tally.commit(number)


async def apaced(count: int, enqueue: Callable[[int], Awaitable[object]], tally: Tally) -> None:
    began = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        tally.asked[number] = time.perf_counter()
        await enqueue(number)
        tally.commit(number)
