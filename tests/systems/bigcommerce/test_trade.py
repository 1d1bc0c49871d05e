"""Carts, orders and companies through the connector, against the simulated store."""

from __future__ import annotations

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.systems.contract import Write

from .support import CARTS, COMPANIES, CUSTOMERS, ORDERS, Shop, create, polled, scanned, told, update

LINE = {"sku": "TEA", "name": "Tea", "quantity": 2, "list_price": 4.55, "product_id": 7, "variant_id": 8}
ADDRESS = {"first_name": "Ada", "last_name": "Byron", "zip": "LS1", "email": "ada@example.com"}
COMPANY = {"companyName": "Acme", "companyPhone": "+491", "companyEmail": "office@acme.example", "country": "Germany",
           "adminFirstName": "Ada", "adminLastName": "Byron", "adminEmail": "ada@example.com"}  # fmt: skip


async def test_a_cart_is_read_with_whose_it_is_and_what_is_in_it(shop: Shop) -> None:
    system = await shop.connect()
    customer = await shop.customer()
    cart = await shop.act(op="cart", values={"line_items": [LINE, LINE], "customer_id": customer})
    guest = await shop.act(op="cart", values={"line_items": [LINE]})
    read = await system.read(CARTS, [cart, guest, "00000000-0000-4000-a000-000000000000"], Lane.LIVE)
    assert read.missing == {"00000000-0000-4000-a000-000000000000"}
    fields = told(read.found[cart], CARTS)
    assert (fields["state"], fields["email"], fields["customer"]) == ("Active", "ada@example.com", str(customer))
    assert fields["total"] == {"amount": "18.20", "currency": "USD"}
    assert [one["key"] for one in fields["items"]] == ["7.8", "7.8#2"]
    assert fields["items"][0]["price"] == {"amount": "4.55", "currency": "USD"}
    nobody = told(read.found[guest], CARTS)
    assert (nobody["customer"], nobody["email"]) == (None, None)
    shop.account.store.carts[guest]["billing_address"] = {"email": "guest@example.com"}
    assert told((await system.read(CARTS, [guest], Lane.LIVE)).found[guest], CARTS)["email"] == "guest@example.com"


async def test_a_cart_that_became_an_order_is_told_from_the_order_by_read_and_by_poll(shop: Shop) -> None:
    system = await shop.connect()
    _, cursor = await polled(system, CARTS, None)
    cart = await shop.act(op="cart", values={"line_items": [LINE]})
    await shop.act(op="checkout", id=cart, email="ada@example.com")
    before = told((await system.read(CARTS, [cart], Lane.LIVE)).found[cart], CARTS)
    await shop.act(op="convert", id=cart)
    after = told((await system.read(CARTS, [cart], Lane.LIVE)).found[cart], CARTS)
    assert after["state"] == "Ordered"
    assert (after["items"], after["total"], after["email"]) == (before["items"], before["total"], before["email"])
    found, _ = await polled(system, CARTS, cursor)
    assert [(one.external_id, told(one, CARTS)["state"]) for one in found] == [(cart, "Ordered")]
    assert await scanned(system, CARTS) == []


async def test_orders_are_scanned_polled_and_read_but_unpaid_checkouts_are_none(shop: Shop) -> None:
    system = await shop.connect(page_limit=10)
    line = {"name": "Tea", "quantity": 3, "price_inc_tax": 5, "price_ex_tax": 4}
    body = {"billing_address": ADDRESS, "products": [line]}
    await shop.act(op="seed", orders=[body] * 25 + [{**body, "status_id": 0}])
    assert len(await scanned(system, ORDERS)) == 25
    _, cursor = await polled(system, ORDERS, None)
    await shop.clock.advance(3600)
    await shop.act(op="edit_order", id=5, values={"status_id": 2})
    number = await shop.act(op="order", values=body)
    found, _ = await polled(system, ORDERS, cursor)
    changed = {one.external_id: told(one, ORDERS) for one in found}
    assert changed["5"]["state"] == "Shipped"
    new = changed[str(number)]
    assert (new["number"], new["email"], new["customer"]) == (str(number), "ada@example.com", None)
    assert (new["total"], new["state"]) == ({"amount": "15.00", "currency": "USD"}, "Pending")
    assert new["placed_at"].endswith("Z")
    assert [(one["name"], one["quantity"]) for one in new["items"]] == [("Tea", 3)]
    assert (await system.read(ORDERS, ["26", "999"], Lane.LIVE)).missing == {"26", "999"}
    await shop.act(op="archive_order", id=number)
    assert (await system.read(ORDERS, [str(number)], Lane.LIVE)).found[str(number)].deleted


async def test_an_empty_store_is_polled_without_a_stumble(shop: Shop) -> None:
    system = await shop.connect()
    for mapping in (ORDERS, CARTS, CUSTOMERS, COMPANIES):
        found, cursor = await polled(system, mapping, None)
        assert found == []
        assert await scanned(system, mapping) == []
        assert (await polled(system, mapping, cursor))[0] == []


async def test_carts_and_orders_are_not_made_by_us(shop: Shop) -> None:
    system = await shop.connect()
    for mapping in (CARTS, ORDERS):
        (verdict,) = await system.write(mapping, [Write("k", Action.CREATE, {"x": 1})], Lane.LIVE)
        assert verdict.failure is not None
        assert (verdict.failure.remedy, verdict.failure.code) == (Remedy.ASK, "not-writable")


async def test_a_company_is_read_with_its_credit_and_group_and_written_to_three_endpoints(shop: Shop) -> None:
    await shop.act(op="group", values={"name": "Gold"})
    made = (await shop.act(op="company", values=COMPANY))["companyId"]
    system = await shop.connect()
    before = (await scanned(system, COMPANIES))[0]
    held = told(before, COMPANIES)
    assert (held["name"], held["tier"], held["status"]) == ("Acme", None, "Approved")
    change = {"name": "Acme GmbH", "tier": "Gold", "status": "Inactive",
              "credit": {"amount": "2500.00", "currency": "EUR"}}  # fmt: skip
    (verdict,) = await system.write(COMPANIES, [update(before, change, mapping=COMPANIES)], Lane.LIVE)
    assert verdict.outcome is Outcome.APPLIED, verdict
    after = (await system.read(COMPANIES, [str(made)], Lane.LIVE)).found[str(made)]
    assert {name: told(after, COMPANIES)[name] for name in change} == change
    (again,) = await system.write(COMPANIES, [update(after, change, mapping=COMPANIES)], Lane.LIVE)
    assert again.outcome is Outcome.APPLIED
    await shop.act(op="settings", settings={"b2b_credit": False})
    assert told((await scanned(system, COMPANIES))[0], COMPANIES)["credit"] is None


async def test_a_company_is_created_with_our_id_and_a_second_one_for_its_admin_is_linked(shop: Shop) -> None:
    system = await shop.connect()
    one = create({"name": "Acme", "phone": "+491"}, "company-1", COMPANIES)
    more = {
        name: COMPANY[name] for name in ("companyEmail", "country", "adminFirstName", "adminLastName", "adminEmail")
    }
    one = Write(one.key, one.action, {**one.values, **more})
    (made,) = await system.write(COMPANIES, [one], Lane.LIVE)
    assert made.outcome is Outcome.APPLIED, made
    held = (await system.read(COMPANIES, [made.external_id], Lane.LIVE)).found[made.external_id]
    assert held.data["uuid"] == "company-1"
    (again,) = await system.write(COMPANIES, [one], Lane.LIVE)
    assert (again.outcome, again.external_id) == (Outcome.APPLIED, made.external_id)
    (other,) = await system.write(COMPANIES, [Write("company-3", one.action, one.values)], Lane.LIVE)
    assert other.failure is not None
    assert (other.failure.remedy, other.failure.existing_id) == (Remedy.LINK, made.external_id)
    assert set(await system.find(COMPANIES, ["company-1"], Lane.LIVE)) == {"company-1"}
    (bad,) = await system.write(COMPANIES, [create({"name": "X"}, "company-2", COMPANIES)], Lane.LIVE)
    assert bad.failure is not None
    assert bad.failure.remedy is Remedy.ASK
    gone = Write("company-1", Action.DELETE, {}, made.external_id)
    for _ in range(2):
        (verdict,) = await system.write(COMPANIES, [gone], Lane.LIVE)
        assert verdict.outcome is Outcome.APPLIED


async def test_companies_updated_during_a_walk_are_not_missed(shop: Shop) -> None:
    system = await shop.connect()
    for place in range(3):
        values = {**COMPANY, "companyName": f"C{place}", "adminEmail": f"{place}@example.com"}
        await shop.act(op="company", values=values)
        await shop.clock.advance(10)
    _, cursor = await polled(system, COMPANIES, None)
    await shop.clock.advance(3600)
    first = (await scanned(system, COMPANIES))[0]
    (verdict,) = await system.write(COMPANIES, [update(first, {"name": "New"}, mapping=COMPANIES)], Lane.LIVE)
    assert verdict.outcome is Outcome.APPLIED
    found, _ = await polled(system, COMPANIES, cursor)
    assert "New" in [told(one, COMPANIES)["name"] for one in found]


async def test_companies_imported_at_one_moment_are_walked_once_and_not_in_every_round_after(shop: Shop) -> None:
    system = await shop.connect()
    for place in range(3):
        await shop.act(op="company", values={**COMPANY, "companyName": f"C{place}", "adminEmail": f"{place}@x.example"})
    found, cursor = await polled(system, COMPANIES, None)
    assert len(found) == 3
    for _ in range(2):
        await shop.clock.advance(3600)
        found, cursor = await polled(system, COMPANIES, cursor)
    assert found == []
