"""Calls at once: a fixed number, or what the vendor bears."""

import asyncio
import random

import pytest
from budget_world import API, Clock, Disk, Vendor, call, opened, start, stop

from syncd.budget import Budget, Form, WindowSpec
from syncd.model.change import Lane
from syncd.systems.contract import Call, OutOfBudgetError

ADAPTIVE = WindowSpec("concurrent", Form.ADAPTIVE, 20)


async def test_no_more_calls_are_under_way_than_there_are_slots():
    clock = Clock()
    budget = await opened(clock, WindowSpec("slots", Form.CONCURRENT, 3))
    inside = most = 0

    async def work():
        nonlocal inside, most
        async with budget.pay(API, Lane.BULK):
            inside += 1
            most = max(most, inside)
            await clock.sleep(1)
            inside -= 1

    tasks = start(10, work)
    await clock.advance(5)
    await asyncio.gather(*tasks)
    assert most == 3


async def test_a_slot_is_given_back_when_the_call_fails():
    clock = Clock()
    budget = await opened(clock, WindowSpec("slots", Form.CONCURRENT, 1))
    with pytest.raises(ConnectionError):
        async with budget.pay(API, Lane.LIVE):
            raise ConnectionError
    async with budget.pay(API, Lane.LIVE):
        pass


async def test_bulk_calls_leave_the_slots_reserved_for_live_ones():
    clock = Clock()
    budget = await opened(clock, WindowSpec("slots", Form.CONCURRENT, 10, reserve={Lane.LIVE: 0.2}))
    vendor = Vendor(clock, random.Random(1), quickest=1, slowest=1)
    tasks = start(20, lambda: call(budget, vendor))
    await clock.settle()
    assert len(vendor.left) == 8
    tasks += start(1, lambda: call(budget, vendor, Lane.LIVE))
    await clock.settle()
    assert len(vendor.left) == 9
    await clock.advance(10)
    await asyncio.gather(*tasks)


async def test_a_waiter_for_a_slot_that_never_comes_free_is_sent_away():
    clock = Clock()
    budget = await opened(clock, WindowSpec("slots", Form.CONCURRENT, 1))
    async with budget.pay(API, Lane.LIVE):
        waiting = asyncio.create_task(call(budget, Vendor(clock, random.Random(1))))
        await clock.advance(31)
        assert isinstance(waiting.exception(), OutOfBudgetError)


async def test_windows_without_memory_write_nothing_to_disk():
    clock = Clock()
    disk = Disk(clock)
    budget = await opened(clock, ADAPTIVE, keeper=disk)
    async with budget.pay(API, Lane.LIVE):
        pass
    assert disk.saves == 0


def width(budget):
    return budget.snapshot()[0].limit


async def shop(clock, budget, bears, slow=False):
    """A vendor that bears so many calls at once, and answers 503 (or slowly) above that."""
    inside = 0

    async def work():
        nonlocal inside
        while True:
            async with budget.pay(API, Lane.BULK):
                inside += 1
                over = inside > bears
                seconds = 0.1 if not over or not slow else 2.0
                await clock.sleep(seconds)
                inside -= 1
                budget.observe(API, 503 if over and not slow else 200, {}, seconds)

    return start(30, work)


async def test_the_gate_opens_while_replies_are_good_up_to_its_cap():
    clock = Clock()
    budget = await opened(clock, ADAPTIVE)
    assert width(budget) == 4
    tasks = await shop(clock, budget, bears=100)
    await clock.advance(20)
    assert width(budget) == 20
    await stop(tasks)


@pytest.mark.parametrize("slow", [False, True])
async def test_the_gate_settles_near_what_the_vendor_bears(slow):
    clock = Clock()
    budget = await opened(clock, ADAPTIVE)
    tasks = await shop(clock, budget, bears=8, slow=slow)
    await clock.advance(20)
    seen = []
    for _ in range(40):
        await clock.advance(0.5)
        seen.append(width(budget))
    await stop(tasks)
    assert min(seen) >= 3
    assert max(seen) <= 10


async def test_one_trouble_halves_the_gate_once_however_many_calls_met_it():
    clock = Clock()
    budget = await opened(clock, ADAPTIVE)
    for _ in range(6):
        budget.observe(API, 502, {}, 0.2)
    assert width(budget) == 2


async def test_a_long_page_beside_short_looks_is_no_overload():
    clock = Clock()
    budget = await opened(clock, ADAPTIVE)
    page = Call("api", uneven=True)
    for _ in range(20):
        await clock.advance(3)
        budget.observe(API, 200, {}, 0.03)
        budget.observe(page, 200, {}, 2.5)
    assert width(budget) >= 4
    budget.observe(page, 503, {}, 2.5)
    assert width(budget) == 2
    await clock.advance(3)
    budget.observe(API, 200, {}, 1.0)
    assert width(budget) == 1, "a short look that takes long is one"


async def test_the_gate_never_closes():
    clock = Clock()
    budget = await opened(clock, ADAPTIVE)
    for _ in range(10):
        await clock.advance(1)
        budget.observe(API, 0, {}, 0.2)
    assert width(budget) == 1


async def test_a_shop_that_asks_for_a_rest_gets_it_and_then_a_gentle_start():
    clock = Clock()
    budget = await opened(clock, WindowSpec("slots", Form.CONCURRENT, 20))
    vendor = Vendor(clock, random.Random(1), quickest=1, slowest=1)
    budget.observe(API, 503, {"Retry-After": "7"}, 0.1)
    began = clock.monotonic()
    tasks = start(30, lambda: call(budget, vendor))
    await clock.advance(6.9)
    assert not vendor.left
    await clock.advance(0.2)
    assert len(vendor.left) == 5
    await clock.advance(20)
    assert vendor.left[0][0] == began + 7
    await asyncio.gather(*tasks)


async def test_unknown_systems_get_an_adaptive_gate():
    clock = Clock()
    budget = Budget.for_system("somebody", "x", clock=clock, keeper=Disk(clock))
    assert [one.window for one in budget.snapshot()] == ["concurrent"]
    await keep_calling_once(budget)


async def keep_calling_once(budget):
    await budget.open()
    async with budget.pay(API, Lane.LIVE):
        pass
