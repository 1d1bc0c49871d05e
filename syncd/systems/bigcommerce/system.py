"""One BigCommerce store behind the contract of :mod:`syncd.systems.contract`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.bigcommerce.b2b import B2b
from syncd.systems.bigcommerce.capture import Capture
from syncd.systems.bigcommerce.check import Checker
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.hooks import Hooks
from syncd.systems.bigcommerce.objects import B2B, OBJECTS, WRITABLE, known
from syncd.systems.bigcommerce.provision import Provisioner
from syncd.systems.bigcommerce.read import Reader
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.bigcommerce.webhooks import BigcommerceWebhooks
from syncd.systems.bigcommerce.write import Writer
from syncd.systems.contract import (
    UNKNOWN,
    Abilities,
    Capabilities,
    Finding,
    Page,
    Payer,
    ReadResult,
    Snapshot,
    VendorError,
    Verdict,
    WebhookRequest,
    Write,
)

WRITE_BATCH: Final = 50
"""Five calls of ten, behind one read."""
READ_BATCH: Final = 100


class Bigcommerce:
    """Implements ``System`` and ``WebhookSource``. Opening makes no call: a vendor that is down must not keep syncd
    from starting. Webhooks are looked after by the polls. ``transport`` replaces the network, for tests."""

    def __init__(
        self, settings: Settings, payer: Payer, world: World, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._settings = settings
        self._client = Client(settings, payer, world, transport)
        directory = Directory(self._client)
        self._reader = Reader(self._client, directory)
        self._capture = Capture(self._client, self._reader, directory)
        self._writer = Writer(self._client, self._reader, directory)
        self._b2b = B2b(self._client, directory)
        self._hooks = Hooks(self._client)
        self._provisioner = Provisioner(self._client, directory, self._hooks)
        self._checker = Checker(self._client, directory, self._hooks, self._provisioner)
        self._webhooks = BigcommerceWebhooks(settings, world)

    @property
    def connection(self) -> str:
        return self._settings.connection

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            write_batch=WRITE_BATCH,
            read_batch=READ_BATCH,
            # Nothing here counts versions, except carts, which are not written.
            ordered_versions=False,
        )

    def abilities(self, object_: str) -> Abilities:
        if object_ not in OBJECTS:
            return UNKNOWN
        tells = {Channel.POLL: frozenset({ChangeKind.STATE})}
        if self._hooks.wanted:
            # A poll never shows a deletion; only a webhook tells.
            tells[Channel.WEBHOOK] = frozenset({ChangeKind.STATE, ChangeKind.DELETED})
        writable = object_ in WRITABLE
        actions = frozenset({Action.CREATE, Action.UPDATE}) if writable else frozenset()
        # There are no keys, but customers, and users of companies, have unique e-mail addresses.
        return Abilities(scans=object_ != "carts", actions=actions, keyed=writable, tells=tells)

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        return await self._checker.run(mappings)

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        return await self._provisioner.run(mappings, apply=apply)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        if known(mapping) in B2B:
            return await self._b2b.read(mapping, ids, lane)
        return await self._reader.read(mapping, ids, lane)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        if known(mapping) in B2B:
            return await self._b2b.find(mapping, keys, lane)
        return await self._reader.find(mapping, keys, lane)

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        known(mapping)
        await self._hooks.tend(mapping, lane)
        if mapping.object in B2B:
            return await self._b2b.poll(mapping, cursor, lane)
        return await self._capture.poll(mapping, cursor, lane)

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        if known(mapping) in B2B:
            return await self._b2b.scan(mapping, cursor, lane)
        return await self._capture.scan(mapping, cursor, lane)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        try:
            object_ = known(mapping)
        except VendorError as error:
            return [_failed(one, error.failure) for one in writes]
        if object_ not in WRITABLE:
            told = f"{object_} are only read from BigCommerce"
            return [_failed(one, Failure(Remedy.ASK, "not-writable", told)) for one in writes]
        if object_ in B2B:
            return await self._b2b.write(mapping, writes, lane)
        return await self._writer.write(mapping, writes, lane)

    def accept(self, request: WebhookRequest) -> Sequence[Change]:
        return self._webhooks.accept(request)


def _failed(one: Write, failure: Failure) -> Verdict:
    external_id = one.external_id if one.action is not Action.CREATE else ""
    return Verdict(one.key, Outcome.FAILED, external_id, failure=failure)
