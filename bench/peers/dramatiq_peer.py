"""dramatiq on RabbitMQ, durable queues, persistent messages, publisher confirms. ``address`` is the AMQP URL."""

from __future__ import annotations

import time

import dramatiq
from common import PAYLOAD, Tally, by_threads, paced
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.middleware import AgeLimit, ShutdownNotifications

THREADS = 8


def _queue(address: str, tally: Tally):
    broker = RabbitmqBroker(url=address, confirm_delivery=True, middleware=[AgeLimit(), ShutdownNotifications()])
    dramatiq.set_broker(broker)

    @dramatiq.actor(queue_name="bench")
    def job(number: int, _payload: str = "") -> None:
        tally.start(number)

    broker.declare_queue("bench", ensure=True)
    broker.flush("bench")
    return broker, job


def enqueue(count: int, address: str) -> float:
    _broker, job = _queue(address, Tally(count))
    return by_threads(count, lambda number: job.send(number, PAYLOAD))


def jobs(count: int, address: str) -> float:
    tally = Tally(count)
    broker, job = _queue(address, tally)
    by_threads(count, job.send)
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    began = time.perf_counter()
    worker.start()
    tally.wait()
    seconds = time.perf_counter() - began
    worker.stop()
    return seconds


def latency(count: int, address: str) -> dict[str, list[float]]:
    tally = Tally(count)
    broker, job = _queue(address, tally)
    worker = dramatiq.Worker(broker, worker_threads=THREADS)
    worker.start()
    paced(count, lambda number: job.send(number, PAYLOAD), tally)
    tally.wait()
    worker.stop()
    return tally.latencies()
