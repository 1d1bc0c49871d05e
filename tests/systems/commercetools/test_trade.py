"""Companies and their people, products, prices and custom objects: the connector against the simulated project."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.commercetools import CommercetoolsSandbox
from syncd.sandbox.commercetools.account import RESOURCES
from syncd.sandbox.commercetools.project import Actor
from syncd.sandbox.commercetools.resource import create
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.system import CommercetoolsSystem
from syncd.systems.contract import UNKNOWN, Snapshot, Verdict, Write

from .support import FreePayer, settings

Json = dict[str, Any]
SHOP = Actor("shop-frontend")


def ref(type_id: str, **known: str) -> Json:
    return {"typeId": type_id, **known}


def mapped(object_: str) -> ObjectMapping:
    every = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})
    return ObjectMapping("thing", "shop", object_, (), key_path="key", write=every)


@dataclass
class Trade:
    system: CommercetoolsSystem
    account: CommercetoolsSandbox
    sandbox: Sandbox

    def seed(self, path: str, **draft: Any) -> Json:
        return create(self.account.project, RESOURCES[path], draft, SHOP)

    async def read(self, object_: str, external_id: str) -> Snapshot:
        return (await self.system.read(mapped(object_), [external_id], Lane.LIVE)).found[external_id]

    async def write(self, object_: str, action: Action, values: Json, external_id: str = "", **more: Any) -> Verdict:
        if action is Action.UPDATE and "version" not in more:
            more["version"] = (await self.read(object_, external_id)).version
        one = Write(more.pop("key", "thing-1"), action, values, external_id, **more)
        (verdict,) = await self.system.write(mapped(object_), [one], Lane.LIVE)
        return verdict


@pytest.fixture
async def trade() -> AsyncIterator[Trade]:
    clock = ManualClock()
    sandbox = Sandbox(seed=7, clock=clock)
    account = sandbox.add(CommercetoolsSandbox)
    async with sandbox:
        url = sandbox.url("commercetools")
        given = settings(
            project_key="demo-shop", api_url=url, auth_url=url, client_id=Secret("syncd"),
            client_secret=Secret("syncd-secret"),
        )  # fmt: skip
        system = CommercetoolsSystem("shop", given, FreePayer(), World(clock, random.Random(3)))
        await system.open()
        yield Trade(system, account, sandbox)
        await system.close()


async def test_a_company_gets_a_parent_people_and_addresses_and_is_freed_again(trade: Trade) -> None:
    ada = trade.seed("customers", email="ada@x.org", authenticationMode="ExternalAuth")
    trade.seed("associate-roles", key="buyer")
    trade.seed("business-units", key="hold", unitType="Company", name="Holding")
    units = "business-units"
    made = await trade.write(units, Action.CREATE, {"name": "Acme"})
    assert (made.outcome, made.external_id) == (Outcome.APPLIED, "thing-1")
    assert made.snapshot is not None
    assert made.snapshot.data["unitType"] == "Company"

    moved = await trade.write(units, Action.UPDATE, {"parentUnit": ref("business-unit", key="hold")}, "thing-1")
    assert moved.snapshot is not None
    assert (moved.snapshot.data["unitType"], moved.snapshot.data["topLevelUnit"]["key"]) == ("Division", "hold")
    given = [{"associateRole": ref("associate-role", key="buyer")}]
    person = {"customer": ref("customer", id=ada["id"]), "associateRoleAssignments": given}
    values = {"associates": [person], "addresses": [{"key": "hq", "country": "DE"}], "defaultBillingAddressId": "hq"}
    peopled = await trade.write(units, Action.UPDATE, values, "thing-1")
    assert peopled.snapshot is not None
    held = peopled.snapshot.data
    assert held["associates"][0]["customer"]["id"] == ada["id"]
    assert held["defaultBillingAddressId"] == held["addresses"][0]["id"]
    before = trade.account.requests
    again = await trade.write(units, Action.UPDATE, values, "thing-1", version=peopled.snapshot.version)
    assert again.outcome is Outcome.APPLIED
    assert trade.account.requests - before == 1, "read, and nothing sent"

    freed = await trade.write(units, Action.UPDATE, {"parentUnit": None}, "thing-1")
    assert freed.snapshot is not None
    assert (freed.snapshot.data["unitType"], freed.snapshot.data["associateMode"]) == ("Company", "Explicit")


async def test_what_is_immutable_never_leaves(trade: Trade) -> None:
    price = trade.seed("standalone-prices", sku="TEA", value={"currencyCode": "EUR", "centAmount": 5})
    before = trade.account.requests
    verdict = await trade.write("standalone-prices", Action.UPDATE, {"sku": "MUG"}, price["id"], version="1",
                                current={"sku": "TEA"})  # fmt: skip
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.failure.fields) == (Remedy.ASK, ("sku",))
    assert "create another price" in verdict.failure.message
    assert trade.account.requests == before


async def test_the_holder_of_a_price_scope_is_named_and_an_overlapping_time_is_for_a_human(trade: Trade) -> None:
    held = trade.seed("standalone-prices", sku="TEA", value={"currencyCode": "EUR", "centAmount": 5})
    values = {"sku": "TEA", "value": {"currencyCode": "EUR", "centAmount": 7}}
    verdict = await trade.write("standalone-prices", Action.CREATE, values)
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.failure.existing_id) == (Remedy.LINK, held["id"])
    trade.seed("standalone-prices", **values, validFrom="2026-01-01T00:00:00.000Z")
    late = {**values, "validFrom": "2026-06-01T00:00:00.000Z"}
    verdict = await trade.write("standalone-prices", Action.CREATE, late)
    assert verdict.failure is not None
    assert verdict.failure.remedy is Remedy.ASK


async def test_deletes_find_their_version_say_who_refers_and_take_products_off_the_shop(trade: Trade) -> None:
    group = trade.seed("customer-groups", groupName="Gold", key="gold")
    price = trade.seed(
        "standalone-prices", sku="TEA", value={"currencyCode": "EUR", "centAmount": 5},
        customerGroup=ref("customer-group", key="gold"),
    )  # fmt: skip
    refused = await trade.write("customer-groups", Action.DELETE, {}, group["id"])
    assert refused.failure is not None
    assert refused.failure.remedy is Remedy.ASK
    assert "referenced by: standalone-price" in refused.failure.message
    assert (await trade.write("standalone-prices", Action.DELETE, {}, price["id"], version="1")).failure is None
    assert (await trade.write("customer-groups", Action.DELETE, {}, group["id"])).outcome is Outcome.APPLIED
    assert (await trade.write("customer-groups", Action.DELETE, {}, group["id"])).outcome is Outcome.APPLIED

    trade.seed("product-types", key="goods", name="Goods", description="")
    product = trade.seed(
        "products", productType=ref("product-type", key="goods"), name={"en": "Tea"}, slug={"en": "tea"}, publish=True
    )
    stale = await trade.write("products", Action.DELETE, {}, product["id"], version="9")
    assert stale.failure is not None
    assert stale.failure.remedy is Remedy.REREAD
    gone = await trade.write("products", Action.DELETE, {}, product["id"], version="1")
    assert gone.outcome is Outcome.APPLIED
    assert not trade.account.counts()["products"]


async def test_a_custom_object_is_never_overwritten_and_keeps_what_is_not_ours(trade: Trade) -> None:
    credit = "custom-objects/credit"
    made = await trade.write(credit, Action.CREATE, {"value.limit": 5})
    assert (made.outcome, made.external_id) == (Outcome.APPLIED, "thing-1")
    taken = await trade.write(credit, Action.CREATE, {"value.limit": 6})
    assert taken.failure is not None
    assert (taken.failure.remedy, taken.failure.existing_id) == (Remedy.LINK, "thing-1")
    await trade.write(credit, Action.UPDATE, {"value.note": "n"}, "thing-1")
    stale = await trade.write(credit, Action.UPDATE, {"value.limit": 9}, "thing-1", version="1")
    assert stale.failure is not None
    assert stale.failure.remedy is Remedy.REREAD
    changed = await trade.write(credit, Action.UPDATE, {"value.limit": 9}, "thing-1")
    assert changed.snapshot is not None
    assert changed.snapshot.data["value"] == {"limit": 9, "note": "n"}
    odd = await trade.write(credit, Action.UPDATE, {"container": "x"}, "thing-1")
    assert odd.failure is not None
    assert odd.failure.fields == ("container",)


async def test_in_a_storm_of_conflicts_nothing_is_written_over(trade: Trade) -> None:
    unit = trade.seed("business-units", key="acme", unitType="Company", name="Acme")
    trade.sandbox.set_faults("conflict=1,version_bump=1")
    verdict = await trade.write("business-units", Action.UPDATE, {"name": "Looms"}, "acme")
    assert verdict.failure is not None
    assert (verdict.failure.remedy, verdict.failure.code) == (Remedy.REREAD, "ConcurrentModification")
    trade.sandbox.set_faults("version_bump=1")
    for name in ("Looms", "Mills"):
        verdict = await trade.write("business-units", Action.UPDATE, {"name": name}, "acme")
        assert verdict.outcome is Outcome.APPLIED
    assert (await trade.read("business-units", "acme")).data["name"] == "Mills"
    assert unit["version"] == 1


def test_what_can_be_done_is_said_per_object() -> None:
    system = CommercetoolsSystem("shop", settings(), FreePayer(), World(ManualClock(), random.Random(3)))
    assert system.abilities("wishlists") is UNKNOWN
    assert system.abilities("custom-objects/credit").keyed
    for name in ("carts", "orders", "quotes"):
        able = system.abilities(name)
        assert (able.actions, able.keyed, able.versioned) == ({Action.UPDATE, Action.DELETE}, False, True)
