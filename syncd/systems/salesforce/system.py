"""One Salesforce org behind the contract of :mod:`syncd.systems.contract`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import httpx

from syncd.model.change import ChangeKind, Channel, Lane
from syncd.model.delivery import Action
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import (
    Abilities,
    Batch,
    Capabilities,
    Finding,
    Page,
    Payer,
    ReadResult,
    Snapshot,
    Verdict,
    Write,
)
from syncd.systems.salesforce.allocation import Allocation
from syncd.systems.salesforce.auth import Auth
from syncd.systems.salesforce.capture import Capture
from syncd.systems.salesforce.check import Checker
from syncd.systems.salesforce.describe import Describer
from syncd.systems.salesforce.ingest import Ingest
from syncd.systems.salesforce.pubsub import PubSub
from syncd.systems.salesforce.read import Reader
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.scan import Scanner
from syncd.systems.salesforce.settings import COLLECTION, RETRIEVE, Settings
from syncd.systems.salesforce.soap import Conversion, Merged, Soap
from syncd.systems.salesforce.stream import Streams
from syncd.systems.salesforce.vitals import Vitals
from syncd.systems.salesforce.web import Web
from syncd.systems.salesforce.write import Writer

BULK_WRITES = 10_000
"""Writes that one Bulk job takes from the engine: one of the vendor's own slices."""


POLLS_TELL: Final = frozenset({ChangeKind.STATE, ChangeKind.DELETED})
STREAMS_TELL: Final = frozenset({ChangeKind.STATE, ChangeKind.DELETED})


class Salesforce:
    """Implements ``System`` and ``StreamingSystem``. Opening makes no call: a vendor that is down must not keep syncd
    from starting.

    ``transport`` replaces the network of our own HTTP in tests; simple-salesforce brings its own.
    """

    def __init__(
        self,
        settings: Settings,
        payer: Payer,
        world: World,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        vitals = Vitals()
        self._web = Web(settings, payer, world, vitals, transport)
        self._auth = Auth(settings, world, self._web, vitals)
        self._web.use(self._auth)
        self._rest = Rest(settings, payer, world, self._auth, vitals)
        describer = Describer(self._rest, world)
        self._reader = Reader(self._rest, describer)
        self._capture = Capture(self._rest, self._reader, describer, world, vitals)
        self._scanner = Scanner(settings, self._rest, self._web, describer, world)
        self._writer = Writer(settings, self._rest, describer, Ingest(settings, self._web, payer, world))
        self._pubsub = PubSub(settings, self._auth)
        self._streams = Streams(
            settings, self._pubsub, self._capture, self._reader, describer, Allocation(settings, self._rest, world),
            world, vitals,
        )  # fmt: skip
        self._checker = Checker(settings, self._auth, self._rest, describer, self._pubsub, vitals)
        self._soap = Soap(settings, self._web, self._auth)

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
        """The same for every object: which ones there are, the org alone knows."""
        del object_
        return Abilities(
            scans=True,
            actions=frozenset({Action.CREATE, Action.UPDATE}),
            keyed=True,
            tells={Channel.POLL: POLLS_TELL, Channel.STREAM: STREAMS_TELL},
            bulk=True,
        )

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

    # --- what only this vendor has --------------------------------------------------------------------------------

    async def convert_lead(
        self, lead_id: str, status: str, lane: Lane, *, account_id: str = "", contact_id: str = "",
        opportunity: str | None = None,
    ) -> Conversion:  # fmt: skip
        """See :meth:`syncd.systems.salesforce.soap.Soap.convert_lead`."""
        return await self._soap.convert_lead(
            lead_id, status, lane, account_id=account_id, contact_id=contact_id, opportunity=opportunity
        )

    async def merge(
        self, object_: str, master_id: str, losers: Sequence[str], lane: Lane, keep: Mapping[str, str] | None = None
    ) -> Merged:
        """See :meth:`syncd.systems.salesforce.soap.Soap.merge`."""
        return await self._soap.merge(object_, master_id, losers, lane, keep)
