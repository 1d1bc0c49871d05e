"""What is on disk before a call leaves, and what a new process makes of it."""

import asyncio
import random

import orjson
import pytest
from budget_world import API, Clock, Disk, Vendor, call, opened, rolling, start, stop

from syncd.budget import Form, MemoryKeeper, WindowSpec
from syncd.budget.headers import hubspot
from syncd.model.change import Lane

TEN = WindowSpec("ten_seconds", Form.ROLLING, 100, 10.0)


async def test_a_spend_is_on_disk_before_its_call_leaves():
    clock = Clock()
    disk = Disk(clock, 0.05)
    vendor = Vendor(clock, random.Random(1))
    budget = await opened(clock, rolling(5, 1.0), keeper=disk)
    paying = asyncio.create_task(call(budget, vendor, Lane.LIVE))
    await clock.advance(0.04)
    assert not vendor.left
    await clock.advance(0.02)
    assert len(vendor.left) == 1
    assert orjson.loads(disk.state)["windows"]["rolling"]["pending"] == [0, 1, 0, 0]
    await clock.advance(1)
    await paying


async def test_payers_who_come_together_share_a_save():
    clock = Clock()
    disk = Disk(clock, 0.05)
    vendor = Vendor(clock, random.Random(1))
    budget = await opened(clock, rolling(100, 1.0), keeper=disk)
    tasks = start(40, lambda: call(budget, vendor, Lane.LIVE))
    await clock.advance(1)
    await asyncio.gather(*tasks)
    assert disk.saves <= 2


async def test_a_call_does_not_leave_when_its_spend_cannot_be_written_and_costs_nothing():
    clock = Clock()
    disk = Disk(clock)
    budget = await opened(clock, rolling(1, 1.0), keeper=disk)
    disk.broken = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"):
        async with budget.pay(API, Lane.LIVE):
            pytest.fail("nothing may leave")
    disk.broken = None
    async with asyncio.timeout(5), budget.pay(API, Lane.LIVE):
        pass


async def test_a_save_that_outlives_its_cancelled_payers_ends_well():
    clock = Clock()
    disk = Disk(clock, 0.05)
    vendor = Vendor(clock, random.Random(1))
    budget = await opened(clock, rolling(5, 1.0), keeper=disk)
    tasks = start(3, lambda: call(budget, vendor, Lane.LIVE))
    await clock.advance(0.01)
    await stop(tasks)
    await clock.advance(1)
    assert disk.saves == 1
    assert budget.available("api", Lane.LIVE) == 5


async def test_learned_limits_spends_and_pauses_survive_a_restart():
    clock = Clock()
    disk = Disk(clock)
    budget = await opened(clock, TEN, keeper=disk, dialect=hubspot)
    for _ in range(20):
        async with asyncio.timeout(5), budget.pay(API, Lane.LIVE):
            budget.observe(API, 200, {"X-HubSpot-RateLimit-Max": "190"}, 0.1)
    await budget.close()
    budget = await opened(clock, TEN, keeper=disk, dialect=hubspot)
    (view,) = budget.snapshot()
    assert (view.limit, view.own) == (190, 20)
    budget.observe(API, 429, {"Retry-After": "40"}, 0.1)
    await clock.advance(0.1)
    budget = await opened(clock, TEN, keeper=disk, dialect=hubspot)
    assert budget.snapshot()[0].paused_for_seconds == pytest.approx(39.9, abs=0.01)
    await clock.advance(60)
    assert budget.snapshot()[0].own == 0


async def test_a_wall_clock_that_was_set_back_holds_calls_for_one_window_at_most():
    clock = Clock()
    disk = Disk(clock)
    budget = await opened(clock, TEN, keeper=disk)
    async with budget.pay(API, Lane.LIVE):
        pass
    await budget.close()
    earlier = Clock(clock.now_ms() - 3_600_000)
    budget = await opened(earlier, TEN, keeper=disk)
    assert 9 < budget.snapshot()[0].resets_in_seconds <= 10.6


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'{"format":99}',
        b'{"format":1,"windows":{"ten_seconds":{"limit":"x"}}}',
        b'{"format":1,"windows":{"ten_seconds":null}}',
    ],
)
async def test_a_state_that_cannot_be_read_counts_as_spent(state):
    clock = Clock()
    disk = Disk(clock)
    disk.state = state
    budget = await opened(clock, TEN, keeper=disk)
    assert budget.available("api", Lane.OPERATOR) == 0
    await clock.advance(10.6)
    assert budget.available("api", Lane.OPERATOR) == 100


async def test_a_window_the_state_does_not_know_starts_empty():
    clock = Clock()
    disk = Disk(clock)
    disk.state = b'{"format":1,"windows":{}}'
    budget = await opened(clock, TEN, keeper=disk)
    assert budget.available("api", Lane.OPERATOR) == 100


async def test_a_days_window_keeps_its_memory_small():
    clock = Clock()
    keeper = MemoryKeeper()
    spec = WindowSpec("daily", Form.ROLLING, 100_000, 86_400.0)
    budget = await opened(clock, spec, keeper=keeper)
    for _ in range(3000):
        async with asyncio.timeout(5), budget.pay(API, Lane.BULK):
            pass
        await clock.advance(20)
    assert budget.snapshot()[0].own == 3000
    assert len(keeper.states["crm"]) < 20_000
    again = await opened(clock, spec, keeper=keeper)
    assert again.snapshot()[0].own == 3000
