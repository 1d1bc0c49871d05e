"""arq on Redis with an append-only file that is synced on every write. ``address`` is the port. Polls every 5 ms, where
half a second is its default."""

from __future__ import annotations

import asyncio
import contextlib
import time

from arq import create_pool, func
from arq.connections import RedisSettings
from arq.worker import Worker
from common import PAYLOAD, Tally, apaced, by_tasks

POLL_SECONDS = 0.005


async def _opened(address: str, tally: Tally):
    redis = await create_pool(RedisSettings(port=int(address)))
    await redis.flushall()

    async def job(_context: object, number: int, _payload: str = "") -> None:
        tally.start(number)

    worker = Worker(
        [func(job, name="job", keep_result=0)], redis_pool=redis, handle_signals=False, poll_delay=POLL_SECONDS,
        max_jobs=100, queue_read_limit=200,
    )  # fmt: skip
    return redis, worker


async def _stopped(worker: Worker, task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    # A job that had just begun is cancelled with the worker.
    with contextlib.suppress(asyncio.CancelledError):
        await worker.close()


def enqueue(count: int, address: str) -> float:
    async def main() -> float:
        redis, _worker = await _opened(address, Tally(count))
        return await by_tasks(count, lambda number: redis.enqueue_job("job", number, PAYLOAD))

    return asyncio.run(main())


def jobs(count: int, address: str) -> float:
    async def main() -> float:
        tally = Tally(count)
        redis, worker = await _opened(address, tally)
        await by_tasks(count, lambda number: redis.enqueue_job("job", number))
        began = time.perf_counter()
        task = asyncio.create_task(worker.async_run())
        await tally.waited()
        seconds = time.perf_counter() - began
        await _stopped(worker, task)
        return seconds

    return asyncio.run(main())


def latency(count: int, address: str) -> dict[str, list[float]]:
    async def main() -> dict[str, list[float]]:
        tally = Tally(count)
        redis, worker = await _opened(address, tally)
        task = asyncio.create_task(worker.async_run())
        await apaced(count, lambda number: redis.enqueue_job("job", number, PAYLOAD), tally)
        await tally.waited()
        await _stopped(worker, task)
        return tally.latencies()

    return asyncio.run(main())
