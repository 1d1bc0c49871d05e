"""One Salesforce org behind the contract of :mod:`syncd.systems.contract`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import httpx

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import (
    Abilities,
    Batch,
    Capabilities,
    Finding,
    Job,
    JobBook,
    NoJobBook,
    Page,
    Payer,
    ReadResult,
    Snapshot,
    Verdict,
    Write,
)
from syncd.systems.salesforce.abilities import abilities_of
from syncd.systems.salesforce.allocation import Allocation
from syncd.systems.salesforce.auth import Auth
from syncd.systems.salesforce.capture import Capture
from syncd.systems.salesforce.check import Checker
from syncd.systems.salesforce.columns import Columns
from syncd.systems.salesforce.describe import Describer
from syncd.systems.salesforce.ingest import Ingest
from syncd.systems.salesforce.lifecycle import Lifecycle
from syncd.systems.salesforce.pubsub import PubSub
from syncd.systems.salesforce.read import Reader
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.scan import Scanner
from syncd.systems.salesforce.settings import COLLECTION, RETRIEVE, Settings
from syncd.systems.salesforce.soap import Soap
from syncd.systems.salesforce.stream import Streams
from syncd.systems.salesforce.vitals import Vitals
from syncd.systems.salesforce.web import Web
from syncd.systems.salesforce.write import Writer

BULK_WRITES = 10_000
"""Writes that one Bulk job takes from the engine: one of the vendor's own slices."""


class Salesforce:
    """Implements ``System``, ``StreamingSystem``, ``MergingSystem`` and ``JobSystem``. Opening makes no call: a vendor
    that is down must not keep syncd from starting.

    ``transport`` replaces the network of our own HTTP in tests; simple-salesforce brings its own.
    """

    def __init__(
        self,
        settings: Settings,
        payer: Payer,
        world: World,
        *,
        jobs: JobBook | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        vitals = Vitals()
        self._web = Web(settings, payer, world, vitals, transport)
        self._auth = Auth(settings, world, self._web, vitals)
        self._web.use(self._auth)
        self._rest = Rest(settings, payer, world, self._auth, vitals)
        describer = Describer(self._rest, world)
        columns = Columns(describer, world)
        self._reader = Reader(self._rest, describer, columns)
        self._capture = Capture(self._rest, self._reader, describer, world, vitals)
        self._scanner = Scanner(settings, self._rest, self._web, describer, world, self._reader, columns)
        self._lifecycle = Lifecycle(self._rest, self._reader, Soap(settings, self._web, self._auth))
        ingest = Ingest(settings, self._web, payer, world, self._reader, jobs or NoJobBook())
        self._writer = Writer(settings, self._rest, describer, ingest, self._lifecycle)
        self._pubsub = PubSub(settings, self._auth)
        self._streams = Streams(
            settings, self._pubsub, self._capture, self._reader, describer, Allocation(settings, self._rest, world),
            world, vitals,
        )  # fmt: skip
        self._checker = Checker(settings, self._auth, self._rest, describer, self._pubsub, vitals)

    @property
    def connection(self) -> str:
        return self._settings.connection

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            write_batch=COLLECTION,
            read_batch=RETRIEVE,
            ordered_versions=False,
            bulk_batch=BULK_WRITES,
        )

    def abilities(self, object_: str) -> Abilities:
        return abilities_of(object_)

    async def open(self) -> None:
        await self._web.open()

    async def close(self) -> None:
        await self._pubsub.close()
        await self._web.close()
        await self._rest.close()

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        return await self._checker.run(mappings)

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        """What to create by hand. ``apply`` changes nothing: custom fields are the org's to deploy."""
        del apply
        return await self._checker.keys(mappings)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        return await self._reader.read(mapping, ids, lane)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        return await self._reader.find(mapping, keys, lane)

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return await self._capture.poll(mapping, cursor, lane)

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return await self._scanner.scan(mapping, cursor, lane)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        return await self._writer.write(mapping, writes, lane)

    def stream(self, mapping: ObjectMapping, cursor: str | None) -> AsyncIterator[Batch]:
        return self._streams.stream(mapping, cursor)

    async def merge(
        self, mapping: ObjectMapping, survivor: str, absorbed: Sequence[str], lane: Lane
    ) -> tuple[Verdict, ...]:
        return await self._lifecycle.merge(mapping, survivor, absorbed, lane)

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> Sequence[Verdict]:
        return await self._writer.resume(mapping, job, lane)
