"""A BigCommerce store and a HubSpot account with syncd as a process between them: customers both ways, a cart that is
abandoned, and webhooks that the vendor puts to sleep."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from syncd.cli import main as syncd
from syncd.demo.operator import Desk
from syncd.sandbox.bigcommerce import BigcommerceSandbox, LimitSettings, SenderSettings, StoreSettings
from syncd.sandbox.hubspot.simulator import HubspotSandbox
from syncd.sandbox.hubspot.tokens import DEFAULT_TOKEN
from syncd.sandbox.server import Sandbox
from tests.scenarios.town import Syncd, free_port
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRETS = {
    "shop.access_token": "syncd-token", "shop.client_secret": "bc-client-secret-0001",
    "shop.webhook_secret": "a-secret-that-webhooks-carry", "crm.access_token": DEFAULT_TOKEN,
    "crm.client_secret": "an-app-client-secret",
}  # fmt: skip
CONFIG = """
[connections.shop]
system = "bigcommerce"
store_hash = "abc123"
api_url = "{shop}"
b2b_url = "{shop}/api/v3/io"
webhook_url = "http://127.0.0.1:{intake}/v1/webhooks/shop"
signed_webhooks = true
[connections.crm]
system = "hubspot"
base_url = "{crm}"
company_currency = "USD"
webhook_url = "http://127.0.0.1:{intake}/v1/webhooks/crm"
[carts]
idle = "500ms"
[retry]
base = "200ms"
cap = "1s"
[intake]
port = {intake}
[ops]
port = {ops}
[control]
socket = "{folder}/control.sock"
[state]
dir = "{folder}/state"
[log]
format = "json"
[credentials]
order = ["file"]
[credentials.files]
{files}
[[mappings]]
connection = "shop"
object = "customers"
capture = {{ webhook = true, poll = "1s", overlap = "2s", hydrate = true }}
[[mappings]]
connection = "shop"
object = "carts"
capture = {{ webhook = true, poll = "1s", overlap = "2s", hydrate = false }}
[[mappings]]
connection = "shop"
object = "orders"
enabled = false
[[mappings]]
connection = "crm"
object = "orders"
enabled = false
[[mappings]]
connection = "crm"
object = "contacts"
capture = {{ webhook = true, poll = "1h", hydrate = false }}
[[mappings]]
connection = "crm"
object = "deals"
capture = {{ webhook = true, poll = "1h", hydrate = false }}
"""
LINE = {"sku": "MUG-1", "name": "Mug", "quantity": 2, "list_price": 7.5, "product_id": 7, "variant_id": 8}
NEWS = ["contact.creation", "contact.propertyChange:phone", "contact.propertyChange:credit_limit",
        "contact.propertyChange:price_tier"]  # fmt: skip


class Market:
    """A store, a CRM, and syncd between them."""

    async def open(self) -> Market:
        self.folder = Path(tempfile.mkdtemp(prefix="syncd-market-"))
        self.sandbox = Sandbox(seed=5)
        self.store = self.sandbox.add(
            BigcommerceSandbox, settings=StoreSettings(abandon_seconds=1.0),
            limits=LimitSettings(per_thirty_seconds=450),
            webhooks=SenderSettings(flush_seconds=0.05, time_scale=0.001),
        )  # fmt: skip
        self.crm = self.sandbox.add(HubspotSandbox, search_delay=(0.0, 0.0))
        await self.sandbox.open()
        await self.store.act({"op": "group", "values": {"name": "gold"}})
        self.desk = Desk(self.folder / "control.sock")
        self.syncd = Syncd(self.folder, self.folder / "syncd.toml")
        for name, text in SECRETS.items():
            (self.folder / name).touch(mode=0o600)
            (self.folder / name).write_text(text)
        intake = free_port()
        self.syncd.config.write_text(
            CONFIG.format(
                shop=self.sandbox.url("bigcommerce"), crm=self.sandbox.url("hubspot"), folder=self.folder,
                intake=intake, ops=free_port(),
                files="\n".join(f'"{name}" = "{self.folder / name}"' for name in SECRETS),
            )
        )  # fmt: skip
        code = await asyncio.to_thread(syncd, ["provision", "--apply", "--config", str(self.syncd.config)])
        assert code == 0
        target = {"target_url": f"http://127.0.0.1:{intake}/v1/webhooks/crm", "client_secret": "an-app-client-secret"}
        await self.crm.act(
            {"op": "webhooks", "settings": {**target, "subscriptions": NEWS, "time_scale": 0.0005}}
        )  # fmt: skip
        await self.syncd.start()
        return self

    async def close(self) -> None:
        await self.syncd.kill()
        await self.desk.close()
        await self.sandbox.close()
        shutil.rmtree(self.folder)

    async def customer(self, name: str) -> int:
        values = {"email": f"{name}@example.com", "first_name": name.title(), "last_name": "Lovelace"}
        return int(await self.store.act({"op": "create_customer", "values": values}))

    def rows(self, kind: str, **properties: str) -> list[Any]:
        """What the CRM holds with these properties."""
        return [
            one for one in self.crm.objects()[kind]
            if not one["archived"] and properties.items() <= one["properties"].items()
        ]  # fmt: skip

    async def contact_of(self, email: str) -> Any:
        return (await until(lambda: self.rows("contacts", email=email), f"a contact {email}", seconds=20))[0]

    def held(self, number: int) -> dict[str, Any]:
        """A customer of the store, attributes by name."""
        row = next(one for one in self.store.objects()["customers"] if one["id"] == number)
        names = {one["id"]: one["name"] for one in self.store.objects()["customer_attributes"]}
        return {**row, **{names[one["attribute_id"]]: one["attribute_value"] for one in row["attributes"]}}

    async def hooks(self) -> list[Any]:
        return list(self.store.store.hooks.rows())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def market() -> AsyncIterator[Market]:
    made = await Market().open()
    yield made
    await made.close()


async def test_a_customer_becomes_a_contact_and_what_sales_edits_stands_in_the_store(market: Market) -> None:
    number = await market.customer("ada")
    contact = await market.contact_of("ada@example.com")
    assert (contact["properties"]["firstname"], contact["properties"]["customer_number"]) == ("Ada", str(number))
    values = {"phone": "+49301234567", "credit_limit": "2500", "credit_limit_currency": "USD", "price_tier": "gold"}
    await market.crm.act({"op": "edit", "object": "contacts", "id": contact["id"], "values": values})

    def arrived() -> bool:
        held = market.held(number)
        return (
            held["phone"] == "+49301234567" and held.get("credit_limit") is not None and held["customer_group_id"] == 1
        )

    await until(arrived, "the edit in the store", seconds=20)
    assert float(market.held(number)["credit_limit"]) == 2500
    await market.store.act({"op": "edit_customer", "id": number, "values": {"company": "Engines Ltd"}})
    await until(lambda: market.rows("contacts", company="Engines Ltd"), "the edit in the CRM", seconds=20)
    writes = [one for one in market.sandbox.ledger.after(0) if one.actor == "syncd" and one.object == "customers"]
    assert len(writes) <= 4, "nothing is written again and again"


async def test_an_abandoned_cart_becomes_one_deal_that_is_won_when_it_is_ordered(market: Market) -> None:
    cart = await market.store.act({"op": "cart", "values": {"line_items": [LINE]}})
    await market.store.act({"op": "checkout", "id": cart, "email": "guest@example.com"})
    name = {"dealname": "Abandoned Cart: guest@example.com"}
    (deal,) = await until(lambda: market.rows("deals", **name, dealstage="abandoned_checkout"), "the deal", seconds=20)
    assert float(deal["properties"]["amount"]) == 15.0
    await market.store.act({"op": "convert", "id": cart})
    (won,) = await until(lambda: market.rows("deals", **name, dealstage="won"), "the deal won", seconds=20)
    assert won["id"] == deal["id"]
    assert len(market.rows("deals", **name)) == 1


async def test_a_webhook_that_was_put_to_sleep_loses_nothing_and_is_awake_after_a_restart(market: Market) -> None:
    hooks = await market.hooks()
    assert {one["scope"] for one in hooks} == {"store/customer/*", "store/cart/*"}
    for one in hooks:
        await market.store.act({"op": "deactivate_hook", "id": one["id"]})
    await market.customer("sleeper")
    await market.contact_of("sleeper@example.com")  # by the poll
    await market.syncd.kill()
    await market.customer("absent")
    await market.syncd.start()

    async def awake() -> bool:
        return all(one["is_active"] for one in await market.hooks())

    await until(awake, "the webhooks awake", seconds=20)
    await market.contact_of("absent@example.com")
    counts = await market.store.act({"op": "webhook_counts"})
    await market.customer("waker")
    await market.contact_of("waker@example.com")
    told = await market.store.act({"op": "webhook_counts"})
    assert told["delivered"] > counts["delivered"]
