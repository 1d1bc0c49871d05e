"""Urgency: who goes first, and what is kept free for whom."""

import asyncio
import random
import statistics

import pytest
from budget_world import API, Clock, Vendor, call, keep_calling, opened, rolling, start, stop

from syncd.budget import BudgetSettings, Form, WindowSpec
from syncd.budget.spec import allowance
from syncd.model.change import Lane
from syncd.systems.contract import Call, OutOfBudgetError


async def test_the_urgent_go_first_and_within_a_lane_the_first_come():
    clock = Clock()
    budget = await opened(clock, WindowSpec("slots", Form.CONCURRENT, 1))
    went = []

    async def pay(lane, name):
        async with budget.pay(API, lane):
            went.append(name)
            await clock.sleep(1)

    first = asyncio.create_task(pay(Lane.BULK, "in hand"))
    await clock.settle()
    tasks = [
        asyncio.create_task(pay(lane, name))
        for lane, name in [
            (Lane.BULK, "b1"),
            (Lane.SCHEDULED, "s"),
            (Lane.BULK, "b2"),
            (Lane.LIVE, "l"),
            (Lane.OPERATOR, "o"),
        ]
    ]
    await clock.advance(20)
    await asyncio.gather(first, *tasks)
    assert went == ["in hand", "o", "l", "s", "b1", "b2"]


async def test_live_calls_keep_their_latency_beside_a_saturating_backfill():
    clock = Clock()
    vendor = Vendor(clock, random.Random(2))
    budget = await opened(clock, rolling(190, 10.0))
    bulk = start(20, lambda: keep_calling(budget, vendor))
    await clock.advance(15)
    waits = []

    async def live():
        began = clock.monotonic()
        async with budget.pay(API, Lane.LIVE):
            waits.append(clock.monotonic() - began)
            await vendor.answer(Lane.LIVE)

    tasks = []
    for _ in range(50):
        tasks.append(asyncio.create_task(live()))
        await clock.advance(0.2)
    await clock.advance(2)
    await asyncio.gather(*tasks)
    await stop(bulk)
    assert statistics.median(waits) < 0.1
    assert max(waits) < 0.5
    assert vendor.most_within(10.0) <= 190


async def test_a_reserve_lets_a_burst_of_live_calls_go_at_once_beside_bulk_work():
    clock = Clock()
    vendor = Vendor(clock, random.Random(2), quickest=0.05, slowest=0.05)
    budget = await opened(clock, rolling(100, 10.0, reserve={Lane.LIVE: 0.3}))
    bulk = start(20, lambda: keep_calling(budget, vendor))
    await clock.advance(25)
    assert budget.snapshot()[0].own <= 71
    began = clock.monotonic()
    tasks = start(25, lambda: call(budget, vendor, Lane.LIVE))
    await clock.advance(0.06)
    assert all(task.done() for task in tasks)
    assert all(at == began for at, lane in vendor.left if lane is Lane.LIVE)
    await stop(bulk)


async def test_bulk_work_stops_at_the_reserve_and_live_work_goes_on():
    clock = Clock()
    spec = WindowSpec("daily", Form.DAILY, 100, reserve={Lane.LIVE: 0.1, Lane.OPERATOR: 0.05}, zone="UTC")
    budget = await opened(clock, spec)
    paid = dict.fromkeys(Lane, 0)

    async def spend_all(lane):
        while True:
            try:
                async with budget.pay(API, lane):
                    paid[lane] += 1
            except OutOfBudgetError:
                return

    for lane in (Lane.BULK, Lane.SCHEDULED, Lane.LIVE, Lane.OPERATOR):
        await spend_all(lane)
    assert paid == {Lane.BULK: 85, Lane.SCHEDULED: 0, Lane.LIVE: 10, Lane.OPERATOR: 5}


async def test_a_window_that_keeps_the_urgent_back_is_closed_to_those_behind_but_others_pass():
    clock = Clock()
    budget = await opened(
        clock, rolling(100, 10.0), WindowSpec("search", Form.ROLLING, 1, 5.0, kinds=frozenset({"search"}))
    )
    search = Call("search")
    async with budget.pay(search, Lane.LIVE):
        pass
    waiting = asyncio.create_task(call(budget, Vendor(clock, random.Random(1)), Lane.LIVE, search))
    behind = asyncio.create_task(call(budget, Vendor(clock, random.Random(1)), Lane.BULK, search))
    passing = asyncio.create_task(call(budget, Vendor(clock, random.Random(1)), Lane.BULK))
    await clock.advance(1)
    assert passing.done()
    assert not waiting.done()
    await clock.advance(5)
    assert waiting.done()
    assert not behind.done()
    await clock.advance(6)
    assert behind.done()


async def test_a_dear_call_is_not_starved_by_a_stream_of_cheap_ones():
    clock = Clock()
    vendor = Vendor(clock, random.Random(4))
    budget = await opened(clock, rolling(10, 1.0))
    cheap = start(5, lambda: keep_calling(budget, vendor))
    await clock.advance(2)
    dear = asyncio.create_task(call(budget, vendor, Lane.BULK, Call(cost=8)))
    await clock.advance(3)
    assert dear.done()
    await stop(cheap)


async def test_patience_can_be_set_by_lane():
    clock = Clock()
    budget = await opened(clock, rolling(1, 10.0), settings=BudgetSettings(patience={Lane.BULK: 5.0}))
    async with budget.pay(API, Lane.LIVE):
        pass
    with pytest.raises(OutOfBudgetError):
        async with budget.pay(API, Lane.BULK):
            pytest.fail("nothing may leave")
    waiting = asyncio.create_task(call(budget, Vendor(clock, random.Random(1)), Lane.SCHEDULED))
    await clock.advance(11)
    assert waiting.done()


async def test_a_planner_is_told_what_a_lane_could_spend_now():
    clock = Clock()
    budget = await opened(
        clock,
        rolling(100, 10.0, reserve={Lane.LIVE: 0.2}),
        WindowSpec("search", Form.ROLLING, 5, 1.0, kinds=frozenset({"search"})),
    )
    assert budget.available("api", Lane.LIVE) == 100
    assert budget.available("api", Lane.BULK) == 80
    assert budget.available("search", Lane.BULK) == 5
    async with budget.pay(API, Lane.BULK):
        assert budget.available("api", Lane.BULK) == 79


def test_a_reserve_shrinks_by_what_its_lane_has_used():
    reserve = {Lane.OPERATOR: 0.1, Lane.LIVE: 0.2}
    assert allowance(100, Lane.BULK, [0, 0, 0, 0], reserve) == 70
    assert allowance(100, Lane.BULK, [0, 15, 0, 0], reserve) == 85
    assert allowance(100, Lane.BULK, [50, 50, 0, 0], reserve) == 100
    assert allowance(100, Lane.LIVE, [0, 0, 0, 0], reserve) == 90
    assert allowance(100, Lane.OPERATOR, [0, 0, 0, 0], reserve) == 100


async def test_a_hard_share_is_never_passed_by_any_lane():
    clock = Clock()
    budget = await opened(clock, rolling(100, 10.0, share=0.25))
    assert budget.available("api", Lane.OPERATOR) == 25
