"""procrastinate on PostgreSQL with fsync. ``address`` is the connection string."""

from __future__ import annotations

import asyncio
import time

import procrastinate
from common import PAYLOAD, Tally, apaced, by_tasks


def _app(address: str, tally: Tally):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address, min_size=4, max_size=16))

    @app.task(name="job")
    async def job(number: int, payload: str = "") -> None:
        del payload
        tally.start(number)

    return app, job


async def _emptied(app) -> None:
    if not await app.check_connection_async():
        await app.schema_manager.apply_schema_async()
    await app.connector.execute_query_async("TRUNCATE procrastinate_jobs CASCADE")


def _worker(app) -> asyncio.Task[None]:
    return asyncio.create_task(
        app.run_worker_async(concurrency=16, install_signal_handlers=False, delete_jobs="always")
    )


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def enqueue(count: int, address: str) -> float:
    async def main() -> float:
        app, job = _app(address, Tally(count))
        async with app.open_async():
            await _emptied(app)
            return await by_tasks(count, lambda number: job.defer_async(number=number, payload=PAYLOAD))

    return asyncio.run(main())


def jobs(count: int, address: str) -> float:
    async def main() -> float:
        tally = Tally(count)
        app, job = _app(address, tally)
        async with app.open_async():
            await _emptied(app)
            await by_tasks(count, lambda number: job.defer_async(number=number))
            began = time.perf_counter()
            task = _worker(app)
            await tally.waited()
            seconds = time.perf_counter() - began
            await _stopped(task)
        return seconds

    return asyncio.run(main())


def latency(count: int, address: str) -> dict[str, list[float]]:
    async def main() -> dict[str, list[float]]:
        tally = Tally(count)
        app, job = _app(address, tally)
        async with app.open_async():
            await _emptied(app)
            task = _worker(app)
            await asyncio.sleep(0.5)
            await apaced(count, lambda number: job.defer_async(number=number, payload=PAYLOAD), tally)
            await tally.waited()
            await _stopped(task)
        return tally.latencies()

    return asyncio.run(main())
