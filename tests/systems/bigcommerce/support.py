"""What the tests of the connector share: the standard mappings, a budget that always pays, and a store to speak to."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from syncd.config import loads
from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.entity import Entity
from syncd.model.mapping import ObjectMapping, decode, encode
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.bigcommerce import BigcommerceSandbox, LimitSettings
from syncd.sandbox.server import Sandbox
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.bigcommerce.system import Bigcommerce
from syncd.systems.contract import Call, OutOfBudgetError, Page, Snapshot, Write

HOOK = "https://sync.example.com/v1/webhooks/shop"
CONFIGURATION = loads(
    f"""
[connections.shop]
system = "bigcommerce"
store_hash = "abc123"
webhook_url = "{HOOK}"

[entities.company]
identity = ["name"]
title = ["name"]
fields = {{ name = "text", phone = "phone", credit = "money", tier = "choice", status = "choice" }}

[[mappings]]
connection = "shop"
object = "companies"
inherit = false
entity = "company"
key_path = "uuid"
write = ["create", "update", "delete"]
capture = {{ poll = "1m", webhook = true }}
fields.name = "companyName"
fields.phone = "companyPhone"
fields.tier = "customer_group"
fields.status = "status"
fields.credit = ["credit.availableCredit", "credit.creditCurrency"]
""",
    environ={},
)
CUSTOMERS, CARTS, ORDERS, COMPANIES = (
    next(one for one in CONFIGURATION.mappings if one.object == name)
    for name in ("customers", "carts", "orders", "companies")
)
ENTITIES: Mapping[str, Entity] = CONFIGURATION.entities
ATTRIBUTES = ("credit_limit", "credit_limit_currency", "syncd_external_id")
FULL = {
    "email": "ada@example.com", "first_name": "Ada", "last_name": "Byron", "company": "Engines Ltd",
    "phone": "+49228123", "credit_limit": {"amount": "42.00", "currency": "EUR"}, "price_tier": "Gold",
}  # fmt: skip


class FreePayer:
    """Pays for everything, and remembers. ``broke`` names call kinds that it cannot pay for."""

    def __init__(self) -> None:
        self.paid: list[Call] = []
        self.seen: list[tuple[Call, int, Mapping[str, str]]] = []
        self.broke: set[str] = set()

    @asynccontextmanager
    async def pay(self, call: Call, lane: Lane) -> AsyncIterator[None]:
        if call.kind in self.broke:
            raise OutOfBudgetError(call.kind, 7.0)
        self.paid.append(call)
        yield

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None:
        self.seen.append((call, status, headers))


@dataclass
class Shop:
    sandbox: Sandbox
    account: BigcommerceSandbox
    clock: ManualClock
    payer: FreePayer = field(default_factory=FreePayer)
    systems: list[Bigcommerce] = field(default_factory=list)

    async def connect(self, **changes: Any) -> Bigcommerce:
        url = self.sandbox.url("bigcommerce")
        given: dict[str, Any] = {
            "connection": "shop", "store_hash": "abc123", "access_token": Secret("syncd-token"), "api_url": url,
            "b2b_url": f"{url}/api/v3/io", "client_secret": Secret("bc-client-secret-0001"),
            "webhook_secrets": (Secret("s3cret"),), "webhook_url": HOOK, **changes,
        }  # fmt: skip
        system = Bigcommerce(Settings(**given), self.payer, World(self.clock, random.Random(1)))
        await system.open()
        self.systems.append(system)
        return system

    async def act(self, **deed: Any) -> Any:
        return await self.account.act(deed)

    async def customer(self, email: str = "ada@example.com", **more: Any) -> int:
        values = {"email": email, "first_name": "Ada", "last_name": "Byron", **more}
        return int(await self.act(op="create_customer", values=values))

    async def prepared(self) -> Bigcommerce:
        """A system whose store has the attributes and groups of the standard mappings."""
        await self.act(op="group", values={"name": "Gold"})
        await self.act(op="group", values={"name": "Silver"})
        system = await self.connect()
        await system.provision([CUSTOMERS], apply=True)
        return system


@asynccontextmanager
async def opened(seed: int = 7) -> AsyncIterator[Shop]:
    clock = ManualClock()
    sandbox = Sandbox(seed=seed, clock=clock)
    account = sandbox.add(BigcommerceSandbox, limits=LimitSettings(per_thirty_seconds=0, b2b_per_minute=100_000))
    async with sandbox:
        shop = Shop(sandbox, account, clock)
        yield shop
        for one in shop.systems:
            await one.close()


def create(fields: Mapping[str, Any], key: str = "customer-1", mapping: ObjectMapping = CUSTOMERS) -> Write:
    return Write(key, Action.CREATE, encode(mapping, fields, fields))


def update(
    snapshot: Snapshot, fields: Mapping[str, Any], key: str = "customer-1", mapping: ObjectMapping = CUSTOMERS
) -> Write:
    """As the engine forms it: against what was last seen."""
    held = told(snapshot, mapping)
    current = encode(mapping, held, [one.field for one in mapping.fields if not one.references])
    return Write(key, Action.UPDATE, encode(mapping, fields, fields), snapshot.external_id, snapshot.version, current)


def told(snapshot: Snapshot, mapping: ObjectMapping = CUSTOMERS) -> dict[str, Any]:
    return decode(ENTITIES[mapping.entity], mapping, snapshot.data)


async def polled(system: Bigcommerce, mapping: ObjectMapping, cursor: str | None) -> tuple[list[Snapshot], str]:
    """Pages until a round ends."""
    found: list[Snapshot] = []
    while True:
        page: Page = await system.poll(mapping, cursor, Lane.SCHEDULED)
        found += page.snapshots
        cursor = page.cursor
        if not page.more:
            return found, cursor


async def scanned(system: Bigcommerce, mapping: ObjectMapping) -> list[Snapshot]:
    found: list[Snapshot] = []
    cursor: str | None = None
    while True:
        page = await system.scan(mapping, cursor, Lane.BULK)
        found += page.snapshots
        cursor = page.cursor
        if not page.more:
            return found


def without(mapping: ObjectMapping, *names: str) -> ObjectMapping:
    return replace(mapping, fields=tuple(one for one in mapping.fields if one.field not in names))
