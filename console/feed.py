"""Following the daemon's stream of snapshots, through its restarts, for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count

from console.client import Client, ClientError, backoff_seconds
from syncd.control.messages import Status


async def follow(
    client: Client,
    *,
    heard: Callable[[Status], object],
    lost: Callable[[str], object],
    sleep: Callable[[float], Awaitable[None]],
    interval_seconds: float = 1.0,
) -> None:
    """Report every snapshot to ``heard``, and every loss of the line, with its reason, to ``lost``."""
    for attempt in count(1):
        reason = "the daemon closed the line"
        fresh = True
        try:
            async for status in client.stream(interval_seconds):
                fresh = False
                heard(status)
        except ClientError as error:
            reason = str(error)
        lost(reason)
        # After a line that worked the first new try comes quickly; a daemon that is down is asked once a second.
        await sleep(backoff_seconds(min(attempt, 5) if fresh else 1))
