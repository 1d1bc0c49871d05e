"""huey on SQLite, with fsync. ``address`` is the database file. Polls every 5 ms, the least that makes sense."""

from __future__ import annotations

import time

from common import PAYLOAD, Tally, by_threads, paced
from huey import SqliteHuey

WORKERS = 2
POLL_SECONDS = 0.005


def _queue(address: str, tally: Tally):
    huey = SqliteHuey("bench", filename=address, fsync=True, results=False, timeout=60)

    @huey.task()
    def job(number: int, _payload: str = "") -> None:
        tally.start(number)

    return huey, job


def _consumer(huey, workers: int):
    return huey.create_consumer(
        workers=workers, periodic=False, initial_delay=POLL_SECONDS, backoff=1.0, max_delay=POLL_SECONDS
    )


def enqueue(count: int, address: str) -> float:
    _huey, job = _queue(address, Tally(count))
    return by_threads(count, lambda number: job(number, PAYLOAD))


def jobs(count: int, address: str) -> float:
    """The better of one worker and two."""
    return min(_jobs(count, f"{address}-{workers}", workers) for workers in (1, WORKERS))


def _jobs(count: int, address: str, workers: int) -> float:
    tally = Tally(count)
    huey, job = _queue(address, tally)
    for number in range(count):
        job(number)
    consumer = _consumer(huey, workers)
    began = time.perf_counter()
    consumer.start()
    tally.wait()
    seconds = time.perf_counter() - began
    consumer.stop(graceful=True)
    return seconds


def latency(count: int, address: str) -> dict[str, list[float]]:
    tally = Tally(count)
    huey, job = _queue(address, tally)
    consumer = _consumer(huey, WORKERS)
    consumer.start()
    paced(count, lambda number: job(number, PAYLOAD), tally)
    tally.wait()
    consumer.stop(graceful=True)
    return tally.latencies()
