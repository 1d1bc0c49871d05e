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
from syncd.systems.bigcommerce.addresses import CustomerAddresses
from syncd.systems.bigcommerce.b2b import B2bCapture, B2bShelf, Companies, CompanyAddresses, Users
from syncd.systems.bigcommerce.b2b_roles import Roles
from syncd.systems.bigcommerce.capture import Capture
from syncd.systems.bigcommerce.catalogue import Channels, CustomerGroups, Products
from syncd.systems.bigcommerce.check import Checker
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.customers import Customers
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.endpoint import Shelf
from syncd.systems.bigcommerce.errors import Doing, shaped
from syncd.systems.bigcommerce.hooks import Hooks
from syncd.systems.bigcommerce.kinds import KINDS
from syncd.systems.bigcommerce.metafields import Metafields
from syncd.systems.bigcommerce.objects import known
from syncd.systems.bigcommerce.parts import Parts
from syncd.systems.bigcommerce.price_lists import Assignments, PriceLists
from syncd.systems.bigcommerce.price_records import PriceRecords
from syncd.systems.bigcommerce.provision import Provisioner
from syncd.systems.bigcommerce.read import Reader
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.bigcommerce.trade import Carts, Orders
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
        metafields = Metafields(self._client)
        reader = Reader(self._client, directory, metafields)
        orders = Orders(self._client, metafields)
        users = Users(self._client, directory)
        parts = Parts(self._client, reader, metafields)
        b2b: dict[str, B2bShelf] = {
            "companies": Companies(self._client, directory, users),
            "users": users,
            "company_addresses": CompanyAddresses(self._client, directory),
        }
        self._shelves: dict[str, Shelf] = {
            "customers": Customers(self._client, reader, Writer(self._client, reader, directory, parts)),
            "customer_addresses": CustomerAddresses(self._client),
            "customer_groups": CustomerGroups(self._client, directory),
            "carts": Carts(self._client, orders, metafields),
            "orders": orders,
            "products": Products(self._client, directory, metafields),
            "channels": Channels(self._client, metafields),
            "price_lists": PriceLists(self._client),
            "price_records": PriceRecords(self._client),
            "price_list_assignments": Assignments(self._client),
            "roles": Roles(self._client),
            **b2b,
        }
        capture = Capture(self._client, reader, directory, metafields, self._shelves)
        walk = B2bCapture(self._client, b2b)
        self._captures = {name: walk if name in b2b else capture for name in self._shelves}
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
        kind = KINDS.get(object_)
        if kind is None:
            return UNKNOWN
        tells: dict[Channel, frozenset[ChangeKind]] = {}
        if kind.polls:
            tells[Channel.POLL] = frozenset({ChangeKind.STATE})
        if kind.hooks and self._hooks.wanted:
            # A poll never shows a deletion; only a webhook tells.
            deleted = {ChangeKind.DELETED} if kind.deletions_told else set()
            tells[Channel.WEBHOOK] = frozenset({ChangeKind.STATE, *deleted})
        return Abilities(scans=kind.scans, actions=kind.actions, keyed=kind.keyed, tells=tells)

    async def open(self) -> None:
        self._client.open()

    async def close(self) -> None:
        await self._client.close()

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        return await self._checker.run(mappings)

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        return await self._provisioner.run(mappings, apply=apply)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        wanted = dict.fromkeys(ids)
        with shaped(Doing.READ):
            found = await self._shelves[known(mapping)].read(mapping, list(wanted), lane)
        held = {one.external_id: one for one in found if one.external_id in wanted}
        return ReadResult(held, frozenset(wanted) - held.keys())

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        with shaped(Doing.READ):
            return await self._shelves[known(mapping)].find(mapping, list(dict.fromkeys(keys)), lane)

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        object_ = known(mapping)
        await self._hooks.tend(mapping, lane)
        with shaped(Doing.READ):
            return await self._captures[object_].poll(mapping, cursor, lane)

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        with shaped(Doing.READ):
            return await self._captures[known(mapping)].scan(mapping, cursor, lane)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        try:
            object_ = known(mapping)
        except VendorError as error:
            return [_failed(one, error.failure) for one in writes]
        actions = KINDS[object_].actions
        verdicts = [_failed(one, _not_writable(object_, one)) for one in writes if one.action not in actions]
        ready = [one for one in writes if one.action in actions]
        try:
            with shaped(Doing.CHANGE):
                return [*verdicts, *(await self._shelves[object_].write(mapping, ready, lane) if ready else ())]
        except VendorError as error:
            return [*verdicts, *(_failed(one, error.failure) for one in ready)]

    def accept(self, request: WebhookRequest) -> Sequence[Change]:
        return self._webhooks.accept(request)


def _not_writable(object_: str, one: Write) -> Failure:
    return Failure(Remedy.ASK, "not-writable", f"to {one.action.value} {object_} is not in syncd's power")


def _failed(one: Write, failure: Failure) -> Verdict:
    external_id = one.external_id if one.action is not Action.CREATE else ""
    return Verdict(one.key, Outcome.FAILED, external_id, failure=failure)
