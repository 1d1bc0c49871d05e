"""One commercetools connection, as the engine sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import httpx

from syncd.model.change import ChangeKind, Channel, Lane
from syncd.model.delivery import Action
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.commercetools import capture, check, provision, read, write
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.endings import TOLD
from syncd.systems.commercetools.imports import Importer
from syncd.systems.commercetools.resources import resource_named
from syncd.systems.commercetools.settings import CommercetoolsSettings
from syncd.systems.commercetools.subscriptions import subscriptions
from syncd.systems.contract import (
    UNKNOWN,
    Abilities,
    Capabilities,
    Finding,
    Job,
    JobBook,
    NoJobBook,
    Page,
    Payer,
    ReadResult,
    Snapshot,
    VendorError,
    Verdict,
    Write,
)

CAPABILITIES: Final = Capabilities(
    # There is no batch endpoint: a batch is what shares one look, and is sent side by side.
    write_batch=50,
    read_batch=500,
    ordered_versions=True,
)
IMPORT_BATCH: Final = 2000
"""Records in one import; 100 requests."""


class CommercetoolsSystem:
    """Implements :class:`syncd.systems.contract.System`. ``transport`` replaces the network, for tests."""

    def __init__(
        self,
        connection: str,
        settings: CommercetoolsSettings,
        payer: Payer,
        world: World,
        transport: httpx.AsyncBaseTransport | None = None,
        jobs: JobBook | None = None,
    ) -> None:
        self._connection = connection
        self._world = world
        self._client = Client(connection, settings, payer, world, transport)
        self._importer = Importer(connection, self._client, jobs or NoJobBook(), world) if settings.import_url else None

    @property
    def connection(self) -> str:
        return self._connection

    @property
    def capabilities(self) -> Capabilities:
        return replace(CAPABILITIES, bulk_batch=IMPORT_BATCH) if self._importer is not None else CAPABILITIES

    def abilities(self, object_: str) -> Abilities:
        resource = resource_named(object_)
        if resource is None:
            return UNKNOWN
        # A poll never shows a deletion by itself; the project's messages do, where it keeps them.
        closed = self._client.messages is not None and self._client.messages.closed
        told = {ChangeKind.STATE, ChangeKind.DELETED} if object_ in TOLD and not closed else {ChangeKind.STATE}
        tells = {Channel.POLL: frozenset(told)}
        erased = {ChangeKind.ERASED} if resource.personal else set()
        tells[Channel.EVENT] = frozenset({ChangeKind.STATE, ChangeKind.DELETED, *erased})
        keyed = resource.keyed and Action.CREATE in resource.actions
        bulk = self._importer is not None and self._importer.serves(object_)
        return Abilities(scans=True, actions=resource.actions, keyed=keyed, versioned=True, tells=tells, bulk=bulk)

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        findings = await check.check(self._client, self._connection, mappings, self._world)
        if any(one.code == "credential" for one in findings):
            findings += await subscriptions(self._client, self._connection, mappings, apply=False)
        return findings

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        try:
            findings = await provision.provision(self._client, self._connection, mappings, apply=apply)
        except VendorError as error:
            subject = f"{self._connection}.types"
            findings = [provision.refused("types-unreadable", subject, "custom types cannot be read", error)]
        return findings + await subscriptions(self._client, self._connection, mappings, apply=apply)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        return await read.read(self._client, mapping, ids, lane)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        return await read.find(self._client, mapping, keys, lane)

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return await capture.poll(self._client, mapping, cursor, lane)

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return await capture.scan(self._client, mapping, cursor, lane)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        verdicts: list[Verdict] = []
        if self._importer is not None and self._importer.serves(mapping.object) and lane is Lane.BULK:
            verdicts, writes = await self._importer.write(mapping, writes, lane)
        return [*verdicts, *await write.write(self._client, mapping, writes, lane)] if writes else verdicts

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> Sequence[Verdict]:
        if self._importer is None:
            raise VendorError(Failure(Remedy.ASK, "bad-job", "there is no import_url any more, and so nobody to ask"))
        return await self._importer.resume(mapping, job, lane)
