"""Polls and scans lose nothing, whatever the ties, the pages and the lateness of rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.value import instant_from_ms, instant_to_ms
from syncd.runtime.clock import World
from syncd.systems.commercetools.capture import EPOCH, PollCursor, poll, scan
from syncd.systems.commercetools.client import Client
from syncd.systems.contract import Page, Snapshot, VendorError

from .support import CARTS, CUSTOMERS, FreePayer, ScriptedVendor, client_on, error, page, params
from .support import settings as config

START = 1_793_606_400_000
OVERLAP = 10_000


@dataclass
class Row:
    id: str
    at: int
    version: int
    visible_at: int


@dataclass
class Table:
    """A resource whose writes become visible some time after the time they carry."""

    now: int = START
    rows: list[Row] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    per_request_ms: int = 0

    def put(self, identity: str, late_ms: int = 0) -> None:
        older = [one.version for one in self.rows if one.id == identity]
        self.rows.append(Row(identity, self.now, max(older, default=0) + 1, self.now + late_ms))

    def seen(self) -> list[Row]:
        newest: dict[str, Row] = {}
        for one in self.rows:
            if one.visible_at <= self.now and one.version >= newest.get(one.id, one).version:
                newest[one.id] = one
        return list(newest.values())

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = dict(params(request))
        self.asked.append(asked)
        rows = sorted(self.seen(), key=lambda one: (one.at, one.id))
        if "lastModifiedAt desc" in asked.get("sort", ""):
            rows.reverse()
        elif asked.get("sort") == "id asc" and asked.get("where", "id").startswith("id"):
            rows = sorted((one for one in rows if one.id > asked.get("var.id", "")), key=lambda one: one.id)
        elif "or" in asked["where"]:
            after = (instant_to_ms(asked["var.at"]), asked["var.id"])
            rows = [one for one in rows if (one.at, one.id) > after]
        else:
            rows = [one for one in rows if one.at >= instant_to_ms(asked["var.at"])]
        limit = int(asked["limit"])
        self.now += self.per_request_ms
        found = [{"id": one.id, "version": one.version, "lastModifiedAt": instant_from_ms(one.at)} for one in rows]
        return httpx.Response(200, json={"limit": limit, "results": found[:limit]})

    # The vendor's time passes as ours does; how far they are apart must not matter.

    def now_ms(self) -> int:
        return self.now - 7_000_000

    def monotonic(self) -> float:
        return self.now / 1000

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def client_at(table: Table, vendor: ScriptedVendor | None = None, **changes: Any) -> Client:
    made = Client(
        "shop", config(**changes), FreePayer(), World(table), (vendor or ScriptedVendor(table.answer)).transport()
    )
    made.open()
    return made


def keys(snapshots: list[Snapshot]) -> set[tuple[str, str]]:
    return {(one.external_id, one.version) for one in snapshots}


async def round_of(client: Client, cursor: str | None) -> tuple[list[Snapshot], str]:
    """Poll until there is no more."""
    found: list[Snapshot] = []
    for _ in range(1000):
        got: Page = await poll(client, CARTS, cursor, Lane.SCHEDULED)
        found += got.snapshots
        cursor = got.cursor
        if not got.more:
            return found, cursor
    raise AssertionError("the round does not end")


async def test_the_first_poll_pins_the_present_without_the_past() -> None:
    table = Table()
    table.put("old")
    table.now += 3_600_000
    table.put("new")
    client = client_at(table)
    first = await poll(client, CARTS, None, Lane.SCHEDULED)
    assert (list(first.snapshots), first.more) == ([], True)
    found, _ = await round_of(client, first.cursor)
    assert keys(found) == {("new", "1")}


async def test_an_empty_resource_is_polled_from_the_epoch() -> None:
    table = Table()
    client = client_at(table)
    _, cursor = await round_of(client, None)
    assert orjson.loads(cursor) == {"at": EPOCH}
    table.put("first")
    found, _ = await round_of(client, cursor)
    assert keys(found) == {("first", "1")}


async def test_five_thousand_equal_timestamps_are_met_once_each_across_pages_of_200() -> None:
    table = Table()
    for number in range(5000):
        table.put(f"{number:05}")
    client = client_at(table, page_limit=200)
    found, _ = await round_of(client, PollCursor(instant_from_ms(START - 5)).encode())
    assert len(found) == 5000
    assert len(keys(found)) == 5000


async def test_the_overlap_is_read_again_in_each_round_but_not_within_one() -> None:
    table = Table()
    for number in range(30):
        table.put(f"{number:02}")
        table.now += 1000
    client = client_at(table, page_limit=7)
    first, cursor = await round_of(client, PollCursor(instant_from_ms(START)).encode())
    assert len(first) == len(keys(first)) == 30
    again, _ = await round_of(client, cursor)
    assert keys(again) == {(f"{number:02}", "1") for number in range(19, 30)}


async def test_values_travel_as_variables_and_totals_are_not_counted() -> None:
    table = Table()
    client = client_at(table)
    await poll(client, CUSTOMERS, PollCursor(instant_from_ms(START)).encode(), Lane.SCHEDULED)
    (asked,) = table.asked
    assert asked["where"] == "lastModifiedAt >= :at"
    assert asked["var.at"] == instant_from_ms(START - OVERLAP)
    assert (asked["withTotal"], asked["limit"], asked["expand"]) == ("false", "500", "customerGroup")


async def test_a_round_survives_a_restart_in_its_middle() -> None:
    table = Table()
    for number in range(25):
        table.put(f"{number:02}")
    vendor = ScriptedVendor(table.answer)
    cursor, found = PollCursor(instant_from_ms(START)).encode(), []
    more = True
    while more:
        got = await poll(client_at(table, vendor, page_limit=10), CARTS, cursor, Lane.SCHEDULED)
        found, cursor, more = found + list(got.snapshots), got.cursor, got.more
    assert len(found) == len(keys(found)) == 25


async def test_a_row_that_appears_behind_a_long_walk_is_met_in_the_next_round() -> None:
    table = Table(per_request_ms=20_000)
    table.put("late", late_ms=9_000)
    for number in range(8):
        table.now += 1
        table.put(f"{number}")
    client = client_at(table, page_limit=3)
    cursor, found, more, step = PollCursor(instant_from_ms(START)).encode(), set(), True, 0
    while more:
        got = await poll(client, CARTS, cursor, Lane.SCHEDULED)
        cursor, more, step = got.cursor, got.more, step + 1
        found |= keys(list(got.snapshots))
        if step < 5:
            table.put(f"busy-{step}")  # the shop goes on, so the walk ends far from where it began
    assert ("busy-3", "1") in found
    assert ("late", "1") not in found
    again, _ = await round_of(client, cursor)
    assert ("late", "1") in keys(again)


async def test_a_clock_that_was_set_back_has_the_round_walked_again() -> None:
    table = Table()
    for number in range(10):
        table.put(f"{number}")
        table.now += 60_000
    client = client_at(table, page_limit=6)
    got = await poll(client, CARTS, PollCursor(instant_from_ms(START)).encode(), Lane.SCHEDULED)
    table.now -= 3_600_000
    for row in table.rows:
        row.visible_at = 0
    _, cursor = await round_of(client, got.cursor)
    assert orjson.loads(cursor) == {"at": instant_from_ms(START)}


writes = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 3000), st.integers(0, OVERLAP)), min_size=1, max_size=30
)


@given(writes, st.integers(1, 4), st.integers(0, 4000), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
async def test_every_row_is_met_in_its_last_version_however_late_it_becomes_visible(
    todo: list[tuple[str, int, int]], limit: int, per_request_ms: int, every: int
) -> None:
    table = Table()
    client = client_at(table, page_limit=limit)
    found, cursor = await round_of(client, None)
    table.per_request_ms = per_request_ms
    for number, (identity, pause, late) in enumerate(todo):
        table.now += pause
        table.put(identity, late)
        if number % every == 0:
            got = await poll(client, CARTS, cursor, Lane.SCHEDULED)
            found, cursor = found + list(got.snapshots), got.cursor
    table.per_request_ms = 0
    for _ in range(3):
        table.now += OVERLAP + 1
        more, cursor = await round_of(client, cursor)
        found += more
    assert {(one.id, str(one.version)) for one in table.seen()} <= keys(found)


async def test_a_scan_meets_everything_once_and_ends() -> None:
    table = Table()
    for number in range(23):
        table.put(f"{number:02}")
    client = client_at(table, page_limit=5)
    found, cursor, more = [], None, True
    while more:
        got = await scan(client, CARTS, cursor, Lane.BULK)
        found, cursor, more = found + list(got.snapshots), got.cursor, got.more
        table.put("00")  # a write does not disturb the order
    assert [one.external_id for one in found] == [f"{number:02}" for number in range(23)]


@pytest.mark.parametrize(("status", "code"), [(413, "ContentTooLarge"), (400, "QueryTimedOut")])
async def test_a_page_that_is_too_heavy_is_asked_for_smaller(status: int, code: str) -> None:
    table = Table()
    for number in range(30):
        table.put(f"{number:02}")
    vendor = ScriptedVendor(
        lambda request: error(status, code) if int(dict(params(request))["limit"]) > 20 else table.answer(request)
    )
    found, _ = await round_of(client_at(table, vendor, page_limit=50), PollCursor(instant_from_ms(START)).encode())
    assert len(keys(found)) == 30


async def test_a_query_that_times_out_twice_is_given_up() -> None:
    vendor = ScriptedVendor(lambda _: error(400, "QueryTimedOut"))
    with pytest.raises(VendorError) as caught:
        await poll(client_on(vendor), CARTS, PollCursor(EPOCH).encode(), Lane.SCHEDULED)
    assert (caught.value.failure.remedy, len(vendor.requests)) == (Remedy.RETRY, 2)


async def test_a_vendor_that_repeats_a_page_ends_in_an_error_and_no_loop() -> None:
    row = {"id": "a", "version": 1, "lastModifiedAt": instant_from_ms(START)}
    client = client_on(ScriptedVendor(lambda _: page(row, limit=1)), page_limit=1)
    for walk in (poll, scan):
        cursor = (await walk(client, CARTS, PollCursor(EPOCH).encode() if walk is poll else None, Lane.BULK)).cursor
        with pytest.raises(VendorError):
            await walk(client, CARTS, cursor, Lane.BULK)


@pytest.mark.parametrize(
    "cursor", ["", "x", "[]", "{}", '{"at": 5}', '{"at": "soon"}', f'{{"at": "{EPOCH}", "id": 5}}']
)
async def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(VendorError) as caught:
        await poll(client_on(ScriptedVendor(lambda _: page())), CARTS, cursor, Lane.SCHEDULED)
    assert caught.value.failure.code == "bad-cursor"


def rows_without(name: str) -> dict[str, Any]:
    row = {"id": "a", "version": 1, "lastModifiedAt": instant_from_ms(START)}
    return {key: value for key, value in row.items() if key != name}


@pytest.mark.parametrize("name", ["id", "version", "lastModifiedAt"])
async def test_a_row_without_what_the_vendor_promises_is_a_bad_response(name: str) -> None:
    vendor = ScriptedVendor(lambda _: page(rows_without(name)))
    with pytest.raises(VendorError) as caught:
        await scan(client_on(vendor), CARTS, None, Lane.BULK)
    assert caught.value.failure.code == "bad-response"
