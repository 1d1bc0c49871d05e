"""Where a budget's memory is kept, and how many payers share one save."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol


class BudgetKeeper(Protocol):
    async def load(self, connection: str) -> bytes | None:
        """What was saved last; ``None`` when nothing ever was."""
        ...

    async def save(self, connection: str, state: bytes) -> None:
        """Returns when the state is on disk, for good. A kilobyte or two, up to some twenty times a second."""
        ...


class MemoryKeeper:
    """Keeps nothing beyond the process: for trials, and vendors whose windows need no memory."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}

    async def load(self, connection: str) -> bytes | None:
        return self.states.get(connection)

    async def save(self, connection: str, state: bytes) -> None:
        self.states[connection] = state


class GroupSaver:
    """One save at a time; whoever asks while one runs shares the next."""

    def __init__(self, save: Callable[[bytes], Awaitable[None]], take: Callable[[], bytes]) -> None:
        self._save = save
        self._take = take
        self._next: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def saved(self) -> None:
        """Return when a state taken after this call is on disk; raise what kept it from getting there."""
        # Shielded: a payer that is cancelled must not end the save of the others.
        await asyncio.shield(self.begin())

    def begin(self) -> asyncio.Future[None]:
        """Have the state saved without waiting for it."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            # Read once here, so that a failure nobody waits for is not reported as lost; payers still get it.
            self._next.add_done_callback(lambda done: done.cancelled() or done.exception())
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="budget-save")
        return self._next

    async def _run(self) -> None:
        while self._next is not None:
            batch, self._next = self._next, None
            try:
                await self._save(self._take())
            except Exception as error:  # noqa: BLE001 - handed to every payer of the batch
                batch.set_exception(error)
            except BaseException:
                batch.cancel()
                raise
            else:
                batch.set_result(None)

    async def drained(self) -> None:
        """Return when no save is running."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task})
