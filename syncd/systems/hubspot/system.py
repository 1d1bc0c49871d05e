"""One HubSpot account behind the contract of :mod:`syncd.systems.contract`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import httpx

from syncd.model.change import Change, Lane
from syncd.model.delivery import Action
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import (
    UNKNOWN,
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
    WebhookRequest,
    Write,
)
from syncd.systems.hubspot.auth import Auth, Keep
from syncd.systems.hubspot.capture import Capture
from syncd.systems.hubspot.channels import tells
from syncd.systems.hubspot.check import Checker
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.graphql import GraphQL
from syncd.systems.hubspot.hooks import Hooks
from syncd.systems.hubspot.imports import Imports
from syncd.systems.hubspot.imports_plan import importable
from syncd.systems.hubspot.journal import Journal
from syncd.systems.hubspot.journal_check import JournalChecker
from syncd.systems.hubspot.journal_pages import Files, Pages, app_client
from syncd.systems.hubspot.journal_subscriptions import Subscriptions
from syncd.systems.hubspot.merging import Merger
from syncd.systems.hubspot.objects import READ_ONLY, known, mergeable
from syncd.systems.hubspot.pipelines import Pipelines
from syncd.systems.hubspot.portal import Portal
from syncd.systems.hubspot.provision import Provisioner
from syncd.systems.hubspot.read import Reader
from syncd.systems.hubspot.relation_check import RelationChecker
from syncd.systems.hubspot.relations import Relations
from syncd.systems.hubspot.rights import Rights
from syncd.systems.hubspot.sdk import Sdk
from syncd.systems.hubspot.settings import BATCH, BULK, Paths, Settings
from syncd.systems.hubspot.vitals import Vitals
from syncd.systems.hubspot.webhooks import HubSpotWebhooks
from syncd.systems.hubspot.write import Writer


class HubSpot:
    """Implements ``System``, ``MergingSystem``, ``StreamingSystem``, ``JobSystem`` and ``WebhookSource``. Opening makes
    no call: a vendor that is down must not keep syncd from starting.

    ``keep`` stores a rotated OAuth refresh token before it is used. ``transport`` replaces the network of the batch
    path in tests.
    """

    def __init__(
        self,
        settings: Settings,
        payer: Payer,
        world: World,
        *,
        keep: Keep | None = None,
        jobs: JobBook | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        paths = Paths(settings.api_version)
        vitals = Vitals(settings.time_zone)
        self._sdk = Sdk(settings, payer, world, vitals)
        auth = Auth(settings, world, self._sdk.sign_in, keep)
        self._sdk.use(auth)
        self._client = Client(settings, payer, world, auth, vitals, transport)
        pipelines = Pipelines(self._sdk, world)
        relations = Relations(self._client, paths)
        graphql = GraphQL(self._client, paths) if settings.graphql else None
        self._reader = Reader(self._client, self._sdk, paths, pipelines, relations, graphql)
        self._capture = Capture(self._sdk, world, vitals, pipelines, relations)
        self._merger = Merger(self._client, self._sdk, paths)
        self._imports = Imports(
            settings.connection, self._client, self._sdk, paths, self._reader, jobs or NoJobBook(), world, vitals
        )
        self._writer = Writer(self._client, paths, pipelines, self._imports)
        self._provisioner = Provisioner(settings.connection, self._sdk, pipelines)
        self._webhooks = HubSpotWebhooks(settings, world, vitals)
        self._app = app_client(settings, payer, world, vitals, paths, transport)
        self._files = Files(settings, payer, world, transport)
        subscriptions, portal = Subscriptions(self._app, paths), Portal(settings, self._sdk, paths)
        self._journal = Journal(
            settings.connection, Pages(self._app, self._files, paths, world), subscriptions, portal, self._capture,
            self._reader, world, vitals,
        )  # fmt: skip
        self._asked = JournalChecker(settings, subscriptions, portal)
        self._checker = Checker(
            settings, self._sdk, paths, pipelines, vitals, Rights(settings, self._client, auth, paths),
            Hooks(settings, self._client, paths), self._asked,
            RelationChecker(settings.connection, self._client, paths, graphql),
        )  # fmt: skip

    @property
    def connection(self) -> str:
        return self._settings.connection

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(write_batch=BATCH, read_batch=BATCH, ordered_versions=False, bulk_batch=BULK)

    def abilities(self, object_: str) -> Abilities:
        if not known(object_):
            return UNKNOWN
        writes = object_ not in READ_ONLY
        return Abilities(
            scans=True,
            actions=frozenset({Action.CREATE, Action.UPDATE, Action.DELETE}) if writes else frozenset(),
            keyed=writes,
            tells=tells(self._settings, object_),
            merges=mergeable(object_),
            bulk=writes and importable(object_),
        )

    async def open(self) -> None:
        self._client.open()
        self._app.open()
        self._files.open()

    async def close(self) -> None:
        await self._client.close()
        await self._app.close()
        await self._files.close()
        await self._sdk.close()

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        return await self._checker.run(mappings)

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        findings = await self._provisioner.run(mappings, Lane.OPERATOR, apply=apply)
        return [*findings, *await self._asked.provision(mappings, apply=apply)]

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        return await self._reader.read(mapping, ids, lane)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        return await self._reader.find(mapping, keys, lane)

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return await self._capture.poll(mapping, cursor, lane)

    async def stream(self, mapping: ObjectMapping, cursor: str | None) -> AsyncIterator[Batch]:
        async for batch in self._journal.stream(mapping, cursor):
            yield batch

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return await self._reader.scan(mapping, cursor, lane)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        return await self._writer.write(mapping, writes, lane)

    async def merge(
        self, mapping: ObjectMapping, survivor: str, absorbed: Sequence[str], lane: Lane
    ) -> tuple[Verdict, ...]:
        return await self._merger.merge(mapping, survivor, absorbed, lane)

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> Sequence[Verdict]:
        return await self._imports.resume(mapping, job, lane)

    def accept(self, request: WebhookRequest) -> Sequence[Change]:
        return self._webhooks.accept(request)
