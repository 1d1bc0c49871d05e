"""Following the daemon's streams, through its restarts, for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import TypeVar

from console.client import ClientError, backoff_seconds

T = TypeVar("T")


async def follow(
    stream: Callable[[], AsyncIterator[T]],
    *,
    heard: Callable[[T], object],
    lost: Callable[[str], object],
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Report every message of ``stream`` to ``heard``, and every loss of the line, with its reason, to ``lost``."""
    silent = 0
    for _ in count():
        reason = "the daemon closed the line"
        silent += 1
        try:
            async for message in stream():
                silent = 0
                heard(message)
        except ClientError as error:
            reason = str(error)
        lost(reason)
        # After a line that worked the first new try comes quickly; a daemon that is down is asked once a second.
        await sleep(backoff_seconds(silent + 1))
