"""Replies that are JSON and in the right envelope, of resources that are not as they are documented; and what is missing
of one record, which must not stop the connection."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.systems.bigcommerce.form import UnwritableError, number, whole
from syncd.systems.bigcommerce.kinds import KINDS
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.bigcommerce.system import Bigcommerce
from syncd.systems.contract import VendorError, Write

from .support import CUSTOMERS, ORDERS, FreePayer, Shop, scanned

PLAIN = replace(CUSTOMERS, key_path="")
ROWS: tuple[Mapping[str, Any], ...] = (
    {},
    {"id": "x", "companyId": "x", "addressId": "x", "userId": "x"},
    {"id": 1, "companyId": 1, "addressId": 1, "addresses": "x", "attributes": [7], "form_fields": 7, "parentCompany": 7,
     "bcGroupId": "x", "extraFields": [None], "permissions": [3], "discount_rules": 5, "status_id": [], "currency": 4,
     "currency_code": "??", "billing_address": "x", "line_items": 3, "bulk_pricing_tiers": [{"amount": "x"}],
     "products": 1, "headers": 3, "name": None, "count": "x", "date_modified": {}, "price": "x", "updatedAt": []},
)  # fmt: skip
METAS: tuple[Any, ...] = ({"cursor_pagination": {}, "pagination": []}, {"pagination": {"total_pages": "x"}}, [])


def hostile(row: Mapping[str, Any], meta: Any) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        body = [row] if "/v2/" in request.url.path else {"code": 200, "data": [row], "meta": meta}
        return httpx.Response(200, json=body)

    return httpx.MockTransport(answer)


@pytest.mark.parametrize("object_", KINDS)
async def test_a_resource_of_another_shape_is_a_failure_to_be_tried_again_and_ends_nothing(object_: str) -> None:
    mapping = replace(CUSTOMERS, object=object_, key_path="")
    for row in ROWS:
        for meta in METAS:
            settings = Settings("shop", "abc123", Secret("t"), webhook_url="https://x.example.com/", webhook_secrets=(
                Secret("s"),))  # fmt: skip
            world = World(ManualClock(), random.Random(1))
            system = Bigcommerce(settings, FreePayer(), world, hostile(row, meta))
            await system.open()
            for work in (
                lambda on: on.poll(mapping, None, Lane.SCHEDULED),
                lambda on: on.poll(mapping, '{"at": 1}', Lane.SCHEDULED),
                lambda on: on.scan(mapping, None, Lane.BULK),
                lambda on: on.read(mapping, ["1"], Lane.LIVE),
                lambda on: on.find(replace(mapping, key_path="name"), ["a"], Lane.LIVE),
            ):
                try:
                    await work(system)
                except VendorError as error:
                    assert error.failure.remedy in (Remedy.RETRY, Remedy.ASK)  # noqa: PT017 - either is right
            writes = [Write("a", Action.CREATE, {"name": "a"}), Write("b", Action.UPDATE, {"name": "b"}, "1"),
                      Write("c", Action.DELETE, {}, "1")]  # fmt: skip
            verdicts = await system.write(mapping, writes, Lane.LIVE)
            assert {one.key for one in verdicts} == {"a", "b", "c"}
            stops = [one for one in verdicts if one.failure is not None and one.failure.remedy is Remedy.STOP]
            assert not stops
            assert await system.check([mapping])
            await system.close()


async def test_what_is_missing_beneath_one_record_does_not_stop_the_connection(shop: Shop) -> None:
    system = await shop.connect()
    place = {"price_list_id": {"typeId": "price_list", "id": "77"}}
    price = Write("a", Action.CREATE, {**place, "sku": "S-1", "price": "9.00", "currency": "USD"})
    (priced,) = await system.write(replace(PLAIN, object="price_records"), [price], Lane.LIVE)
    assigned = Write("b", Action.CREATE, {**place, "customer_group_id": "5", "channel_id": "1"})
    (placed,) = await system.write(replace(PLAIN, object="price_list_assignments"), [assigned], Lane.LIVE)
    for one in (priced, placed):
        assert one.outcome is Outcome.FAILED
        assert one.failure is not None
        assert one.failure.remedy is Remedy.ASK


async def test_an_order_whose_lines_are_gone_is_told_without_them() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/products"):
            return httpx.Response(404, json=[{"status": 404, "message": "The requested resource was not found."}])
        return httpx.Response(200, json=[{"id": 5, "status_id": 10, "currency_code": "USD"}])

    world = World(ManualClock(), random.Random(1))
    system = Bigcommerce(Settings("shop", "abc123", Secret("t")), FreePayer(), world, httpx.MockTransport(answer))
    await system.open()
    (order,) = await scanned(system, ORDERS)
    assert (order.external_id, order.data["items"]) == ("5", [])
    await system.close()


async def test_a_scope_that_the_vendor_refuses_does_not_keep_other_webhooks_from_being_made() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            asked.append(orjson.loads(request.content)["scope"])
            return httpx.Response(422, json={"status": 422, "title": "No", "errors": {"scope": "invalid"}})
        return httpx.Response(200, json={"data": [], "meta": {}})

    settings = Settings(
        "shop", "abc123", Secret("t"), webhook_url="https://x.example.com/", webhook_secrets=(Secret("s"),)
    )
    system = Bigcommerce(settings, FreePayer(), World(ManualClock(), random.Random(1)), httpx.MockTransport(answer))
    await system.open()
    mapping = replace(PLAIN, object="price_lists")
    await system.poll(mapping, '{"at": 1}', Lane.SCHEDULED)
    assert asked == list(KINDS["price_lists"].hooks)
    await system.poll(mapping, '{"at": 1}', Lane.SCHEDULED)
    assert asked == list(KINDS["price_lists"].hooks), "they are asked for again only when it is time"
    await system.close()


@pytest.mark.parametrize("value", ["nan", "inf", "x", [1]])
def test_what_is_no_number_is_not_written(value: Any) -> None:
    for form in (number, whole):
        with pytest.raises(UnwritableError):
            assert form("price", value) is not value
