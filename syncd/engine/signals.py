"""Wake-ups inside the process, and the news that operators tail. Always sent after the commit they speak of."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from syncd.runtime.clock import Clock
from syncd.runtime.service import Bell

_log = structlog.get_logger("syncd")

BACKLOG = 500
"""News kept for those who start to tail; a reader that falls this far behind misses the oldest."""


@dataclass(frozen=True, slots=True)
class News:
    at: int
    event: str
    level: str = "info"
    connection: str = ""
    entity: str = ""
    record_id: str = ""
    correlation_id: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class Signals:
    """The daemon's bells and its news."""

    def __init__(self, clock: Clock) -> None:
        self.staged = Bell()
        """Something waits to be folded."""
        self.timers = Bell()
        """A timer was set."""
        self.merges = Bell()
        """An operator ordered a merge."""
        self._hints: dict[str, Bell] = {}
        self._due: dict[str, Bell] = {}
        self.folding_behind = False
        """More is staged than one fold takes: deliveries may linger to travel together."""
        self.filling: set[str] = set()
        """Mappings that are being read for the first time: more of the bulk lane is on its way."""
        self.jobs: set[str] = set()
        """Connections with a job of many writes on its way: one at a time, or memory would grow with their number."""
        self._gathering: dict[str, asyncio.Lock] = {}
        self._clock = clock
        self._recent: deque[News] = deque(maxlen=BACKLOG)
        self._readers: set[asyncio.Queue[News]] = set()

    def hints(self, connection: str) -> Bell:
        """Hints of the connection wait to be read."""
        return self._hints.setdefault(connection, Bell())

    def due(self, connection: str) -> Bell:
        """Deliveries to the connection are due."""
        return self._due.setdefault(connection, Bell())

    def gathering(self, connection: str) -> asyncio.Lock:
        """Held while deliveries to the connection are taken that travel together."""
        return self._gathering.setdefault(connection, asyncio.Lock())

    def ring_staged(self) -> None:
        """After a commit that staged changes."""
        self.staged.ring()
        for bell in self._hints.values():
            bell.ring()

    def tell(
        self, event: str, *, level: str = "info", connection: str = "", entity: str = "", record_id: str = "",
        correlation_id: str = "", **detail: Any,
    ) -> None:  # fmt: skip
        """Log an event and show it to whoever tails."""
        news = News(self._clock.now_ms(), event, level, connection, entity, record_id, correlation_id, detail)
        context = {"connection": connection, "entity": entity, "record_id": record_id, "correlation_id": correlation_id}
        getattr(_log, level)(event, **{key: value for key, value in context.items() if value}, **detail)
        self._recent.append(news)
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(news)

    async def follow(self, *, recent: int = 50) -> AsyncIterator[News]:
        """Recent news, then what comes. A slow reader loses the oldest, never holds up the daemon."""
        queue: asyncio.Queue[News] = asyncio.Queue(BACKLOG)
        for news in list(self._recent)[-recent:] if recent else ():
            queue.put_nowait(news)
        self._readers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._readers.discard(queue)

    def recent(self, count: int) -> list[News]:
        return list(self._recent)[-count:]
