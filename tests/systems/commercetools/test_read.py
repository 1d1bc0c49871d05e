"""Reading by id and by key."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.systems.commercetools.query import each, literal, one_of
from syncd.systems.commercetools.read import find, read
from syncd.systems.contract import VendorError

from .support import CARTS, CUSTOMERS, ScriptedVendor, client_on, customer, error, page, params


class Shelf:
    """Customers by id; queries do not show those in ``unseen``."""

    def __init__(self, *ids: str, unseen: frozenset[str] = frozenset()) -> None:
        self.ids = ids
        self.unseen = unseen

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/customers"):
            asked = dict(params(request))
            wanted = re.findall(r'"([^"]*)"', asked["where"])
            shown = sorted(one for one in self.ids if one in wanted or f"k-{one}" in wanted if one not in self.unseen)
            shown = [one for one in shown if one > asked.get("var.id", "")]
            limit = int(asked["limit"])
            return page(*(customer(one, key=f"k-{one}") for one in shown[:limit]), limit=limit)
        last = request.url.path.rpartition("/")[2].removeprefix("key=k-")
        return (
            httpx.Response(200, json=customer(last, key=f"k-{last}"))
            if last in self.ids
            else error(404, "ResourceNotFound")
        )


async def test_many_ids_are_read_in_few_calls_and_the_missing_told() -> None:
    ids = [f"c-{number:03}" for number in range(250)]
    vendor = ScriptedVendor(Shelf(*ids).answer)
    got = await read(client_on(vendor), CUSTOMERS, [*ids, "gone", ids[0]], Lane.LIVE)
    assert set(got.found) == set(ids)
    assert got.missing == {"gone"}
    assert len(vendor.requests) == 3 + 1


async def test_what_a_query_does_not_show_yet_is_not_missing() -> None:
    vendor = ScriptedVendor(Shelf("a", "b", "c", "d", "e", unseen=frozenset("c")).answer)
    got = await read(client_on(vendor), CUSTOMERS, list("abcde"), Lane.LIVE)
    assert (set(got.found), got.missing) == (set("abcde"), frozenset())


async def test_a_few_are_read_one_by_one_with_their_group() -> None:
    vendor = ScriptedVendor(Shelf("a").answer)
    got = await read(client_on(vendor), CUSTOMERS, ["a"], Lane.LIVE)
    assert got.found["a"].version == "1"
    assert [params(one) for one in vendor.requests] == [[("expand", "customerGroup")]]


async def test_keys_are_found_with_certainty() -> None:
    vendor = ScriptedVendor(Shelf("a", "b", "c", "d", unseen=frozenset("b")).answer)
    got = await find(client_on(vendor), CUSTOMERS, ["k-a", "k-b", "k-c", "k-d", "k-x"], Lane.LIVE)
    assert {key: one.external_id for key, one in got.items()} == {"k-a": "a", "k-b": "b", "k-c": "c", "k-d": "d"}


async def test_a_key_in_a_custom_field_cannot_be_ruled_out_at_once() -> None:
    mapping = replace(CUSTOMERS, key_path="custom.fields.crmId")
    vendor = ScriptedVendor(lambda _: page(customer("a", custom={"fields": {"crmId": "k-a"}})))
    got = await find(client_on(vendor), mapping, ["k-a"], Lane.LIVE)
    assert set(got) == {"k-a"}
    with pytest.raises(VendorError) as caught:
        await find(client_on(vendor), mapping, ["k-a", "k-b"], Lane.LIVE)
    assert caught.value.failure.remedy is Remedy.WAIT


async def test_an_object_without_a_key_path_says_so() -> None:
    with pytest.raises(VendorError) as caught:
        await find(client_on(ScriptedVendor(lambda _: page())), CARTS, ["k"], Lane.LIVE)
    assert caught.value.failure.code == "no-key-path"


async def test_pages_that_had_to_shrink_are_read_to_their_end() -> None:
    ids = [f"c-{number:02}" for number in range(40)]
    shelf = Shelf(*ids)

    def handler(request: httpx.Request) -> httpx.Response:
        asked = dict(params(request))
        return error(413, "ContentTooLarge") if int(asked.get("limit", 1)) > 8 else shelf.answer(request)

    got = await read(client_on(ScriptedVendor(handler)), CUSTOMERS, ids, Lane.LIVE)
    assert set(got.found) == set(ids)


async def test_an_outage_is_told_as_the_vendors_error_and_nothing_is_missing() -> None:
    vendor = ScriptedVendor(lambda _: error(503, "OverCapacity"))
    with pytest.raises(VendorError) as caught:
        await read(client_on(vendor), CUSTOMERS, list("abcde"), Lane.LIVE)
    assert caught.value.failure.remedy is Remedy.RETRY


def test_literals_are_quoted() -> None:
    assert literal('a"b\\c') == '"a\\"b\\\\c"'
    assert one_of("custom.fields.crmId", ["1", "2"]) == 'custom(fields(crmId in ("1", "2")))'


async def test_each_keeps_the_order_and_the_bound() -> None:
    running, most = 0, 0

    async def work(number: int) -> int:
        nonlocal running, most
        import asyncio

        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0)
        running -= 1
        return number * 2

    assert await each(range(20), work, 3) == [number * 2 for number in range(20)]
    assert most == 3


async def test_an_answer_with_another_resource_says_nothing_of_the_one_that_was_asked_for() -> None:
    vendor = ScriptedVendor(lambda _: httpx.Response(200, json=customer("b", key="k-b")))
    for asking in (read, find):
        with pytest.raises(VendorError) as caught:
            await asking(client_on(vendor), CUSTOMERS, ["k-a"], Lane.LIVE)
        assert caught.value.failure.code == "bad-response"
