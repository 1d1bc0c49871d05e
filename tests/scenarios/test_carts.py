"""A cart's life as sales sees it: abandoned, touched, ordered, emptied; one deal, whatever is told how often."""

from __future__ import annotations

import pytest

from tests.scenarios.town import Town
from tests.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADD = {"action": "addLineItem", "sku": "MUG-2", "quantity": 2}


def items(town: Town, deal: object) -> list[tuple[str, int, float]]:
    ids = set(map(str, deal["associations"].get("line_items", ())))
    found = [one["properties"] for one in town.rows("line_items") if one["id"] in ids]
    return sorted((one["name"], int(one["quantity"]), float(one["price"])) for one in found)


async def test_a_cart_is_abandoned_touched_and_ordered_in_one_deal(town: Town) -> None:
    person = await town.customer("buyer")
    cart = await town.cart(person, "MUG-1")
    await town.deal_of("buyer@example.com", dealstage="abandoned_checkout", pipeline="ecommerce_pipeline")
    await until(lambda: items(town, town.deal("buyer@example.com")) == [("MUG-1", 1, 5.0)], "the deal's item")
    deal = town.deal("buyer@example.com")
    assert float(deal["properties"]["amount"]) == 5.0
    assert deal["associations"]["contacts"] == [town.contact("buyer@example.com")["id"]]

    await town.change_cart(cart["id"], ADD)
    await until(lambda: len(items(town, town.deal("buyer@example.com"))) == 2, "the added item")
    deal = await town.deal_of("buyer@example.com", dealstage="abandoned_checkout")
    assert (items(town, deal), float(deal["properties"]["amount"])) == ([("MUG-1", 1, 5.0), ("MUG-2", 2, 7.5)], 20.0)

    await town.order(cart["id"])
    await town.deal_of("buyer@example.com", dealstage="won")
    order = await until(lambda: town.rows("orders"), "the order in the CRM")
    assert float(order[0]["properties"]["hs_total_price"]) == 20.0


async def test_an_emptied_cart_closes_its_deal_and_loses_its_items(town: Town) -> None:
    person = await town.customer("leaver")
    cart = await town.cart(person, "MUG-1", "MUG-2")
    await town.deal_of("leaver@example.com", dealstage="abandoned_checkout")
    await until(lambda: len(items(town, town.deal("leaver@example.com"))) == 2, "the deal's items")
    remove = [{"action": "removeLineItem", "lineItemId": one["id"]} for one in cart["lineItems"]]
    await town.change_cart(cart["id"], *remove)
    deal = await town.deal_of("leaver@example.com", dealstage="lost")
    await until(lambda: items(town, town.deal("leaver@example.com")) == [], "the items' end")
    assert deal["properties"]["dealname"] == "Abandoned Cart: leaver@example.com"


async def test_a_cart_ordered_in_time_never_becomes_a_deal(town: Town) -> None:
    person = await town.customer("quick")
    cart = await town.cart(person, "MUG-1")
    await town.order(cart["id"])
    await town.settled(quiet=1.5)
    assert town.deal("quick@example.com") is None


async def test_an_event_that_is_posted_many_times_has_one_effect(town: Town) -> None:
    person = await town.customer("echoer")
    cart = await town.cart(person, "MUG-1")
    for _ in range(20):
        town.outbox.post("shop.cart.changed", cart["id"], cart)
        town.outbox.post("shop.customer.changed", person["id"], person)
    await town.deal_of("echoer@example.com")
    await town.settled()
    assert town.contact("echoer@example.com")
    made = [one for one in town.effects("hubspot", "deals") if "echoer" in str(one.values.get("dealname"))]
    assert [one.effect for one in made] == ["create"]
    assert town.outbox.refused == []


async def test_webhooks_that_come_twice_in_the_wrong_order_or_never_change_nothing_of_the_outcome(town: Town) -> None:
    person = await town.customer("hooked")
    contact = await town.contact_of("hooked@example.com")
    await town.settled()
    town.sandbox.set_faults("webhook_duplicate=0.5,webhook_reorder=0.5,webhook_drop=0.4")
    try:
        for number in range(12):
            await town.edit("contacts", contact["id"], phone=f"+4930777{number:04d}")
    finally:
        town.sandbox.set_faults("none")

    async def healed() -> bool:
        fields = ((await town.read_customer(person["id"])).get("custom") or {}).get("fields", {})
        return str(fields.get("phone", "")).endswith("0011")

    await until(healed, "the last number, by the poll if need be")
    await town.settled(quiet=1.0)
    assert await healed()


async def test_a_sales_persons_note_on_a_deal_does_not_disturb_it(town: Town) -> None:
    person = await town.customer("noted")
    cart = await town.cart(person, "MUG-1")
    deal = await town.deal_of("noted@example.com")
    await town.edit("deals", deal["id"], description="Called, will order")
    await town.change_cart(cart["id"], ADD)
    await until(lambda: len(items(town, town.deal("noted@example.com"))) == 2, "the added item")
    assert town.deal("noted@example.com")["properties"]["description"] == "Called, will order"
