"""The budget never overspends a vendor's window, and hardly leaves any of it unused."""

import asyncio
import random
from itertools import pairwise

import pytest
from budget_world import API, Clock, Disk, Vendor, budget_of, call, keep_calling, opened, rolling, start, stop
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.systems.contract import Call, OutOfBudgetError

LANES = st.sampled_from(list(Lane))


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 12),
    skew=st.floats(-2, 2),
    seed=st.integers(0, 10**6),
    save_seconds=st.sampled_from([0.0, 0.004, 0.08]),
    steps=st.lists(
        st.tuples(
            st.floats(0, 1.5), st.lists(LANES, max_size=8), st.sampled_from(["", "", "", "kill", "stop", "cancel"])
        ),
        max_size=14,
    ),
)
async def test_no_sequence_of_calls_restarts_and_cancellations_overspends(limit, skew, seed, save_seconds, steps):
    clock = Clock()
    disk = Disk(clock, save_seconds)
    vendor = Vendor(clock, random.Random(seed), skew=skew)
    spec = rolling(limit, 1.0, reserve={Lane.LIVE: 0.2, Lane.OPERATOR: 0.1})
    budget = await opened(clock, spec, keeper=disk)
    tasks = []
    for pause, lanes, event in steps:
        tasks += [asyncio.create_task(call(budget, vendor, lane)) for lane in lanes]
        await clock.advance(pause)
        if event == "cancel":
            for one in tasks[len(tasks) // 2 :: 2]:
                one.cancel()
        if event in ("kill", "stop"):
            if event == "kill":
                budget = await killed(budget, tasks, clock, spec, disk)
            else:
                await clock.run(budget.close())
                budget = await opened(clock, spec, keeper=disk)
            tasks = [] if event == "kill" else tasks
    await clock.advance(40)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert vendor.most_within(1.0) <= limit
    await clock.run(budget.close())


async def killed(budget, tasks, clock, spec, disk):
    """SIGKILL: nothing of the old process acts any more, and a save under way may or may not have reached the disk."""
    before = disk.state
    for task in tasks:
        task.cancel()
    if budget._saver._task:
        budget._saver._task.cancel()
    await clock.settle()
    # What the dying tasks still said is unsaid: a killed process saves nothing more.
    disk.state = before
    budget._disarm()
    return await opened(clock, spec, keeper=disk)


@pytest.mark.parametrize(
    ("limit", "seconds", "quickest", "slowest"),
    [(190, 10.0, 0.02, 0.3), (190, 10.0, 0.3, 0.3), (450, 30.0, 0.02, 0.3)],
)
async def test_a_saturated_window_is_used_to_97_percent_and_never_overspent(limit, seconds, quickest, slowest):
    clock = Clock()
    vendor = Vendor(clock, random.Random(7), skew=-2.0, quickest=quickest, slowest=slowest)
    budget = await opened(clock, rolling(limit, seconds), keeper=Disk(clock, 0.002))
    workers = start(12, lambda: keep_calling(budget, vendor))
    await clock.advance(seconds)
    warm = len(vendor.left)
    await clock.advance(3 * seconds)
    used = (len(vendor.left) - warm) / (3 * limit)
    await stop(workers)
    assert vendor.most_within(seconds) <= limit
    assert used >= 0.97


async def test_bulk_calls_are_spread_evenly_from_the_first_on():
    clock = Clock()
    vendor = Vendor(clock, random.Random(3), quickest=0.05, slowest=0.05)
    budget = await opened(clock, rolling(100, 10.0))
    workers = start(10, lambda: keep_calling(budget, vendor))
    await clock.advance(30)
    await stop(workers)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(vendor.left)]
    assert min(gaps) >= 0.095
    assert max(gaps) <= 0.2


async def test_after_a_burst_what_is_left_is_spread_over_the_time_until_it_comes_back():
    clock = Clock()
    vendor = Vendor(clock, random.Random(3), quickest=0.05, slowest=0.05)
    budget = await opened(clock, rolling(100, 10.0))
    await asyncio.gather(*start(50, lambda: call(budget, vendor, Lane.LIVE)), clock.advance(0.1))
    workers = start(10, lambda: keep_calling(budget, vendor))
    await clock.advance(9.5)
    await stop(workers)
    bulk = [at for at, lane in vendor.left if lane is Lane.BULK]
    assert max(later - earlier for earlier, later in pairwise(bulk)) < 0.35


async def test_a_live_call_in_an_idle_window_goes_at_once():
    clock = Clock()
    budget = await opened(clock, rolling(10, 10.0))
    began = clock.monotonic()
    for _ in range(5):
        async with asyncio.timeout(5), budget.pay(API, Lane.LIVE):
            pass
    assert clock.monotonic() == began


async def test_a_payer_whose_wait_is_longer_than_its_patience_is_told_when_to_come_back():
    clock = Clock()
    budget = await opened(clock, rolling(1, 100.0))
    async with budget.pay(API, Lane.LIVE):
        pass
    with pytest.raises(OutOfBudgetError) as caught:
        async with budget.pay(API, Lane.LIVE):
            pytest.fail("nothing may leave")
    assert caught.value.window == "rolling"
    assert 99 < caught.value.retry_after_seconds < 101
    await clock.advance(caught.value.retry_after_seconds + 0.1)
    async with budget.pay(API, Lane.LIVE):
        pass


async def test_a_payer_in_a_long_queue_is_sent_away_when_its_patience_ends():
    clock = Clock()
    vendor = Vendor(clock, random.Random(1))
    budget = await opened(clock, rolling(1, 4.0))
    tasks = start(12, lambda: call(budget, vendor))
    await clock.advance(60)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(one is None for one in ended) == 8
    assert sum(isinstance(one, OutOfBudgetError) for one in ended) == 4
    assert budget.waiting == 0


async def test_a_cost_that_never_fits_is_refused_at_once():
    budget = await opened(Clock(), rolling(5, 1.0))
    with pytest.raises(ValueError, match="never fits the rolling window"):
        async with budget.pay(Call(cost=6), Lane.LIVE):
            pytest.fail("nothing may leave")


async def test_a_call_that_is_never_answered_gives_its_place_back():
    clock = Clock()
    budget = await opened(clock, rolling(1, 1.0))
    payment = budget.pay(API, Lane.LIVE)
    await payment.__aenter__()
    await clock.advance(1.6)
    assert budget.available("api", Lane.LIVE) == 1
    await payment.__aexit__(None, None, None)
    assert budget.available("api", Lane.LIVE) == 1


async def test_a_cancelled_waiter_loses_no_place_at_any_moment():
    clock = Clock()
    disk = Disk(clock, 0.01)
    vendor = Vendor(clock, random.Random(5))
    for moment in (0.0, 0.005, 0.011, 0.2, 1.0):
        budget = await opened(clock, rolling(2, 1.0), keeper=disk)
        tasks = start(6, lambda b=budget: call(b, vendor, Lane.LIVE))
        await clock.advance(moment)
        await stop(tasks)
        await clock.advance(3)
        assert budget.available("api", Lane.LIVE) == 2
        assert budget.waiting == 0
        await clock.run(budget.close())


async def test_a_waiter_cancelled_in_the_very_moment_of_its_turn_passes_it_on():
    clock = Clock()
    budget = await opened(clock, rolling(1, 1.0))
    first = asyncio.create_task(hold(budget))
    await clock.settle()
    second, third = start(2, lambda: hold(budget))
    await clock.settle()
    first.cancel()
    await clock.settle()
    clock._now_ms += 1503
    budget._serve()  # grants the second ...
    second.cancel()  # ... which is cancelled before it can run
    await clock.settle()
    assert not third.done()
    assert sum(len(window._open) for window in budget._ledger._windows.values()) == 1
    await stop([second, third])


async def hold(budget):
    async with budget.pay(API, Lane.LIVE):
        await asyncio.Event().wait()


async def test_a_budget_is_opened_before_it_pays():
    budget = budget_of(Clock(), rolling(1, 1.0))
    with pytest.raises(RuntimeError, match="not open"):
        async with budget.pay(API, Lane.LIVE):
            pytest.fail("nothing may leave")


async def test_a_payment_pays_for_one_call():
    budget = await opened(Clock(), rolling(5, 1.0))
    payment = budget.pay(API, Lane.LIVE)
    async with payment:
        pass
    with pytest.raises(RuntimeError, match="one call"):
        async with payment:
            pytest.fail("nothing may leave")


async def test_closing_sends_waiters_away():
    clock = Clock()
    budget = await opened(clock, rolling(1, 20.0))
    tasks = start(3, lambda: call(budget, Vendor(clock, random.Random(1))))
    await clock.advance(1)
    await clock.run(budget.close())
    await budget.close()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in ended].count(OutOfBudgetError) == 2
