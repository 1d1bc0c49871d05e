"""What replies teach: limits, others' use, refusals and how long to rest."""

import asyncio
import random
from email.utils import formatdate

import pytest
from budget_world import API, Clock, Disk, Vendor, call, keep_calling, opened, rolling, start, stop
from hypothesis import given
from hypothesis import strategies as st

from syncd.budget import Budget, Form, WindowSpec
from syncd.budget.headers import hubspot
from syncd.budget.pause import MAX_PAUSE_SECONDS
from syncd.model.change import Lane
from syncd.systems.contract import Call, OutOfBudgetError

SEARCH = Call("search")


async def hubspot_budget(clock, **more):
    budget = Budget.for_system("hubspot", "crm", clock=clock, keeper=Disk(clock), **more)
    await budget.open()
    return budget


def window(budget, name="ten_seconds"):
    return next(one for one in budget.snapshot() if one.window == name)


def told(limit, remaining, daily=None, daily_left=None):
    headers = {
        "X-HubSpot-RateLimit-Max": str(limit),
        "X-HubSpot-RateLimit-Remaining": str(remaining),
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
    }
    if daily is not None:
        headers |= {"X-HubSpot-RateLimit-Daily": str(daily), "X-HubSpot-RateLimit-Daily-Remaining": str(daily_left)}
    return headers


async def test_the_true_limits_are_learned_from_the_first_reply():
    budget = await hubspot_budget(Clock())
    async with budget.pay(API, Lane.LIVE):
        budget.observe(API, 200, told(190, 189, 625_000, 624_999), 0.1)
    assert window(budget).limit == 190
    assert window(budget).used == 1
    assert (window(budget, "daily").limit, window(budget, "daily").used) == (625_000, 1)


async def test_an_operators_own_limit_is_not_lifted_by_the_vendor():
    clock = Clock()
    budget = await opened(clock, WindowSpec("ten_seconds", Form.ROLLING, 50, 10.0, ceiling=50), dialect=hubspot)
    budget.observe(API, 200, told(190, 190), 0.1)
    assert budget.available("api", Lane.OPERATOR) == 50


async def test_another_application_that_spends_from_the_same_window_is_made_room_for_within_that_window():
    clock = Clock()
    budget = await hubspot_budget(clock)
    others = 120
    counted = []

    async def work():
        while True:
            async with budget.pay(API, Lane.BULK):
                counted.append(clock.monotonic())
                recent = sum(at > clock.monotonic() - 10 for at in counted)
                await clock.sleep(0.1)
                budget.observe(API, 200, told(190, max(0, 190 - others - recent)), 0.1)

    workers = start(10, work)
    await clock.advance(30)
    recent = sum(at > clock.monotonic() - 10 for at in counted)
    assert 50 <= recent <= 190 - others
    assert window(budget).used - window(budget).own == pytest.approx(others, abs=8)
    others = 0
    await clock.advance(25)
    assert sum(at > clock.monotonic() - 10 for at in counted) > 150
    await stop(workers)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({}, 10.0),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"Retry-After": "0"}, 10.0),
        ({"Retry-After": "-1"}, 10.0),
        ({"Retry-After": "soon"}, 10.0),
        ({"Retry-After": "\u0663"}, 10.0),
        ({"Retry-After": "1000000000"}, MAX_PAUSE_SECONDS),
        ({"Retry-After": "9" * 400}, 10.0),
        ({"Retry-After": formatdate(1_793_606_400 + 7, usegmt=True)}, 7.0),
        ({"Retry-After": formatdate(1_000_000_007, usegmt=True), "Date": formatdate(1_000_000_000, usegmt=True)}, 7.0),
        ({"Retry-After": formatdate(1_000_000_000, usegmt=True)}, 10.0),
    ],
)
async def test_a_refusal_pauses_the_window_as_long_as_the_vendor_asks_or_as_its_policy_says(header, seconds):
    clock = Clock()
    budget = await hubspot_budget(clock)
    await half_spend(budget)
    budget.observe(API, 429, header, 0.1)
    assert window(budget).paused_for_seconds == pytest.approx(seconds, abs=0.01)
    assert budget.available("api", Lane.OPERATOR) == 0


async def test_a_refusal_that_our_own_count_cannot_explain_pauses_briefly_at_first():
    clock = Clock()
    budget = await hubspot_budget(clock)
    pauses = []
    for _ in range(6):
        budget.observe(API, 429, {}, 0.0)
        pauses.append(window(budget).paused_for_seconds)
        await clock.advance(pauses[-1] + 0.01)
    assert pauses == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 20.0], abs=0.01)


async def half_spend(budget):
    """Use as much of the ten seconds as may leave at once."""
    for _ in range(50):
        async with budget.pay(API, Lane.LIVE):
            pass


async def test_fifty_refused_calls_make_one_pause_and_nobody_storms_out_of_it():
    clock = Clock()
    vendor = Vendor(clock, random.Random(1))
    budget = await hubspot_budget(clock)
    await half_spend(budget)
    for _ in range(50):
        budget.observe(API, 429, {}, 0.2)
    began = clock.monotonic()
    assert window(budget).paused_for_seconds == pytest.approx(10.0, abs=0.01)
    workers = start(50, lambda: keep_calling(budget, vendor))
    workers += start(5, lambda: keep_calling(budget, vendor, Lane.LIVE))
    await clock.advance(9.99)
    assert not vendor.left
    await clock.advance(1.0)
    assert 1 <= len(vendor.left) <= 5
    await clock.advance(10)
    assert len(vendor.left) <= 100
    await stop(workers)
    assert clock.monotonic() > began


async def test_pauses_grow_while_refusals_follow_each_other_and_shrink_back_after_a_success():
    clock = Clock()
    budget = await hubspot_budget(clock)
    seen = []
    for _ in range(3):
        budget.observe(API, 429, {}, 0.1)
        seen.append(round(window(budget).paused_for_seconds))
        await clock.advance(seen[-1] + 1)
    assert seen == [1, 2, 4]
    budget.observe(API, 200, {}, 0.1)
    await clock.advance(1)
    budget.observe(API, 429, {}, 0.1)
    assert round(window(budget).paused_for_seconds) == 1


async def test_a_refused_search_pauses_searches_only():
    clock = Clock()
    budget = await hubspot_budget(clock)
    budget.observe(SEARCH, 429, {}, 0.1)
    assert window(budget, "search").paused_for_seconds == pytest.approx(1.0, abs=0.01)
    assert budget.available("search", Lane.LIVE) == 0
    assert budget.available("api", Lane.LIVE) > 0


async def test_a_refusal_over_the_daily_count_pauses_until_it_is_asked_again_or_the_day_ends():
    clock = Clock()
    budget = await hubspot_budget(clock)
    budget.observe(API, 429, told(190, 100, 1000, 0), 0.1)
    assert window(budget).paused_for_seconds == 0
    assert window(budget, "daily").paused_for_seconds == pytest.approx(MAX_PAUSE_SECONDS, abs=1)
    with pytest.raises(OutOfBudgetError) as caught:
        async with budget.pay(API, Lane.LIVE):
            pytest.fail("nothing may leave")
    assert caught.value.window == "daily"


async def test_a_system_that_reads_the_refusals_body_can_name_the_window():
    budget = await hubspot_budget(Clock())
    budget.observe(API, 429, {"X-Syncd-Window": "daily"}, 0.1)
    assert window(budget, "daily").paused_for_seconds > 0
    assert window(budget).paused_for_seconds == 0


async def test_waiters_are_woken_when_a_pause_ends():
    clock = Clock()
    budget = await hubspot_budget(clock)
    vendor = Vendor(clock, random.Random(1))
    budget.observe(API, 429, {"Retry-After": "5"}, 0.1)
    waiting = asyncio.create_task(call(budget, vendor, Lane.LIVE))
    await clock.advance(5.5)
    assert waiting.done()


async def test_bigcommerce_refusals_without_its_headers_rest_the_gate_and_those_with_them_the_quota():
    clock = Clock()
    budget = Budget.for_system("bigcommerce", "shop", clock=clock, keeper=Disk(clock))
    await budget.open()
    budget.observe(API, 429, {}, 0.1)
    assert window(budget, "concurrent").paused_for_seconds == pytest.approx(1.0)
    headers = {
        "X-Rate-Limit-Requests-Quota": "450",
        "X-Rate-Limit-Requests-Left": "0",
        "X-Rate-Limit-Time-Reset-Ms": "21480",
    }
    budget.observe(API, 429, headers, 0.1)
    assert window(budget, "thirty_seconds").limit == 450
    assert window(budget, "thirty_seconds").paused_for_seconds == pytest.approx(21.48)


async def test_salesforce_tells_what_the_whole_org_used():
    clock = Clock()
    budget = Budget.for_system("salesforce", "crm", clock=clock, keeper=Disk(clock))
    await budget.open()
    budget.observe(API, 200, {"Sforce-Limit-Info": "api-usage=25/5000; per-app-api-usage=17/250(appName=x)"}, 0.1)
    assert (window(budget, "daily").limit, window(budget, "daily").used) == (5000, 25)


async def test_windows_tell_how_full_they_are_and_what_is_reserved():
    clock = Clock()
    budget = await opened(clock, rolling(4, 10.0, reserve={Lane.LIVE: 0.25}))
    vendor = Vendor(clock, random.Random(1))
    tasks = start(4, lambda: call(budget, vendor, Lane.OPERATOR))
    await clock.advance(9)
    await asyncio.gather(*tasks)
    (view,) = budget.snapshot()
    assert (view.window, view.limit, view.used, view.own) == ("rolling", 4, 4, 4)
    assert view.exhausted_in_seconds == 0.0
    assert 0 < view.resets_in_seconds <= 10.1
    assert view.reserves == {"live": 0.25}


HEADER_TEXT = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.sampled_from(["", "NaN", "1e9", "-0", "Mon, 99 Foo 2026", "inf s", "5 times/0 s"]),
)
NAMES = st.sampled_from(
    sorted(
        {
            *map(str.lower, told(1, 1, 1, 1)), "retry-after", "date", "x-rate-limit-requests-quota", "sforce-limit-info",
            "x-rate-limit-requests-left", "x-rate-limit-time-window-ms", "x-rate-limit-time-reset-ms", "x-requests-allocated",
            "x-requests-remaining", "x-request-window-resets-after",
        }
    )
)  # fmt: skip


@given(
    st.sampled_from(["hubspot", "bigcommerce", "salesforce", "commercetools"]),
    st.lists(
        st.tuples(st.dictionaries(NAMES, HEADER_TEXT), st.sampled_from([0, 200, 429, 477, 503]), st.floats(0, 100)),
        max_size=5,
    ),
)
async def test_no_headers_break_the_budget_or_stop_it_for_longer_than_an_hour(system, replies):
    clock = Clock()
    budget = Budget.for_system(system, "crm", clock=clock, keeper=Disk(clock))
    await budget.open()
    for headers, status, seconds in replies:
        budget.observe(API, status, headers, seconds)
        await clock.advance(0.5)
    assert all(one.paused_for_seconds <= MAX_PAUSE_SECONDS for one in budget.snapshot())
