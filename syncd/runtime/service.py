"""One start/stop contract for everything that lives long.

A service may be stopped before it was started, stopped twice, and started again. ``stop`` returns when the
service's task has ended; work in hand is finished up to the deadline, then cancelled. A service whose task dies
takes the daemon down loudly: see :meth:`Service.wait`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod


class Bell:
    """Rings once for all who wait; ringing before anyone waits is remembered."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Whether it rang within the time; it is quiet again afterwards."""
        try:
            # Not wait_for: in Python 3.11 it can lose a cancellation that comes together with the ring.
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Service(ABC):
    """A named task with orderly ends. Subclasses write :meth:`run` and watch :attr:`stopping`."""

    name: str = "service"

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    @abstractmethod
    async def run(self) -> None:
        """Work until :attr:`stopping` is set. Raising ends the daemon."""

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        if self.running:
            return
        self.stopping = asyncio.Event()
        self._task = asyncio.create_task(self.run(), name=self.name)

    async def stop(self, deadline_seconds: float = 10.0) -> None:
        self.stopping.set()
        task = self._task
        if task is None:
            return
        if not task.done():
            await asyncio.wait({task}, timeout=deadline_seconds)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        self._task = None

    async def wait(self) -> None:
        """Return when the service has stopped; raise what it died of."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def listen(self, bell: Bell, seconds: float) -> None:
        """Wait until the bell rings, the time is up, or the service is told to stop."""
        waiters = [asyncio.ensure_future(bell.wait(seconds)), asyncio.ensure_future(self.stopping.wait())]
        try:
            await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiters:
                one.cancel()
            await asyncio.gather(*waiters, return_exceptions=True)

    async def pause(self, seconds: float) -> None:
        """Sleep, but wake at once when told to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return
