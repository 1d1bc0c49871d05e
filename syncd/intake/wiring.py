"""The intake of a configuration: who may post, for which connection, and where it is staged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from syncd.config import Configuration
from syncd.config.secrets import PREVIOUS
from syncd.credentials import Credentials
from syncd.engine.signals import Signals
from syncd.intake.app import Intake
from syncd.intake.limits import Limits
from syncd.intake.meter import Meter, Spread
from syncd.intake.sources import NO_KEYS, EventSource, SourceKeys, Translator
from syncd.intake.staging import GroupCommit
from syncd.intake.store_staging import StoreStaging
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store.database import Database
from syncd.systems.build import event_translator
from syncd.systems.contract import System, WebhookSource


async def build_intake(
    configuration: Configuration,
    credentials: Credentials,
    systems: Mapping[str, System],
    *,
    database: Database,
    signals: Signals,
    metrics: Metrics,
    world: World,
) -> tuple[GroupCommit, Intake]:
    """The group commit (to be started first, stopped last) and the intake in front of it."""
    commit = GroupCommit(StoreStaging(database), announce=lambda _result: signals.ring_staged())
    settings = configuration.intake
    limits = Limits(
        body_bytes=settings.max_body_bytes, depth=settings.max_depth, batch_events=settings.max_batch_events,
        connections=settings.max_connections, request_seconds=settings.request_timeout,
    )  # fmt: skip
    sources = [await _source(configuration, credentials, name) for name in settings.sources]
    webhooks: dict[str, WebhookSource] = {name: one for name, one in systems.items() if isinstance(one, WebhookSource)}
    meter = Meter(ack=_Acknowledgements(metrics))
    metrics.registry.register(_MeterCollector(meter))
    return commit, Intake(commit=commit, world=world, sources=sources, webhooks=webhooks, limits=limits, meter=meter)


async def _source(configuration: Configuration, credentials: Credentials, name: str) -> EventSource:
    settings = configuration.intake.sources[name]
    connection = settings.connection or configuration.side("commerce")[0]
    secret = "signing_secret" if settings.auth == "signature" else "token"
    found = [await credentials.find(name, one) for one in (secret, PREVIOUS + secret)]
    texts = [one.reveal() for one in found if one]
    keys = SourceKeys.of(secrets=texts) if settings.auth == "signature" else SourceKeys.of(tokens=texts)
    translate: Translator = event_translator(configuration.connections[connection].system)
    # Without keys the source cannot be judged: its events are answered 503, and come again once the key is there.
    keys = keys if len(keys) else NO_KEYS
    return EventSource(
        name, connection, translate, lambda: keys, frozenset(settings.origins), settings.rate_per_minute or None
    )


class _Acknowledgements(Spread):
    """The intake's acknowledgement times, for the daemon's metrics."""

    __slots__ = ("_metrics",)

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def add(self, seconds: float) -> None:
        self._metrics.acknowledged(seconds)


class _MeterCollector(Collector):
    """What the intake counted, at the moment somebody asks."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def collect(self) -> Iterator[Metric]:
        ingested = CounterMetricFamily("syncd_events_ingested", "Events staged.", labels=["source", "kind"])
        for (source, kind), count in self._meter.staged.items():
            ingested.add_metric([source, kind], count)
        duplicate = CounterMetricFamily("syncd_events_duplicate", "Events staged before.", labels=["source"])
        for source, count in self._meter.duplicates.items():
            duplicate.add_metric([source], count)
        refused = CounterMetricFamily("syncd_intake_refused", "Requests refused.", labels=["status", "check"])
        for (status, check), count in self._meter.refused.items():
            refused.add_metric([str(status), check], count)
        yield from (ingested, duplicate, refused)
