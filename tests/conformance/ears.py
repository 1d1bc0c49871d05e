"""What a channel tells: the same news whether it is polled, pushed or streamed."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Self

from syncd.engine.capture import change_of
from syncd.model.change import Change, Channel, Lane
from syncd.model.mapping import ObjectMapping
from syncd.sandbox.http import HttpProtocol, Reply, Request
from syncd.systems.contract import Batch, StreamingSystem, System, WebhookRequest, WebhookSource

Settle = Callable[[], Awaitable[None]]


class Ear(ABC):
    @abstractmethod
    async def news(self) -> Sequence[Change]:
        """What came since the last call; may be nothing yet."""

    async def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Listen no more."""


class PollEar(Ear):
    """Polls round by round, from the present on."""

    def __init__(self, system: System, mapping: ObjectMapping) -> None:
        self._system = system
        self._mapping = mapping
        self._cursor: str | None = None

    async def open(self) -> Self:
        await self.news()
        return self

    async def news(self) -> Sequence[Change]:
        found: list[Change] = []
        more = True
        while more:
            page = await self._system.poll(self._mapping, self._cursor, Lane.SCHEDULED)
            found += [change_of(self._mapping, one, Channel.POLL, Lane.LIVE, 0) for one in page.snapshots]
            assert not page.more or page.cursor != self._cursor, "a poll with more to come goes on"
            self._cursor, more = page.cursor, page.more
        return found


class StreamEar(Ear):
    """Follows a stream, from the present on, and takes it up again where it broke."""

    def __init__(self, system: System, mapping: ObjectMapping, settle: Settle) -> None:
        assert isinstance(system, StreamingSystem), "a system that tells by stream is a StreamingSystem"
        self._system = system
        self._mapping = mapping
        self._settle = settle
        self._batches: asyncio.Queue[Batch] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        # The first batch says where the stream stands: what happens from now on will be told.
        first = asyncio.ensure_future(self._batches.get())
        for _ in range(500):
            await asyncio.wait({first, self._task}, timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
            if first.done() or self._task.done():
                break
            await self._settle()
        if self._task.done():
            self._task.result()
        assert first.done(), "a stream tells where it stands"
        return self

    async def _follow(self) -> None:
        stream: AsyncIterator[Batch] = self._system.stream(self._mapping, None)
        async for batch in stream:
            await self._batches.put(batch)

    async def news(self) -> Sequence[Change]:
        await asyncio.sleep(0.01)
        assert self._task is not None
        if self._task.done():
            self._task.result()
        found: list[Change] = []
        while not self._batches.empty():
            batch = self._batches.get_nowait()
            found += batch.changes
            found += [change_of(self._mapping, one, Channel.STREAM, Lane.LIVE, 0) for one in batch.snapshots]
        return found

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class Inbox:
    """An address on loopback for webhooks; every request is judged by the system that it is for."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.url = ""
        self._connections: set[HttpProtocol] = set()
        self._server: asyncio.Server | None = None

    async def open(self, path: str = "/v1/webhooks/it") -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: HttpProtocol(self._keep, lambda: False, self._connections), "127.0.0.1", 0
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{path}"
        return self

    async def _keep(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply(200)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for one in list(self._connections):
            one.abort()


class WebhookEar(Ear):
    """What comes into an inbox, as the system's own side of the intake understands it."""

    def __init__(self, system: System, mapping: ObjectMapping, inbox: Inbox, now: Callable[[], int]) -> None:
        assert isinstance(system, WebhookSource), "a system that tells by webhook is a WebhookSource"
        self._source = system
        self._mapping = mapping
        self._inbox = inbox
        self._now = now
        self._heard = len(inbox.requests)

    async def news(self) -> Sequence[Change]:
        await asyncio.sleep(0.005)
        fresh = self._inbox.requests[self._heard :]
        self._heard += len(fresh)
        found: list[Change] = []
        for one in fresh:
            told = WebhookRequest(one.method, one.target, one.headers, one.body, self._now())
            found += [change for change in self._source.accept(told) if change.object == self._mapping.object]
        return found
