"""The daily count: midnight by the vendor's clock, others' use, the reserve of the urgent, the forecast."""

import asyncio
import random
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from budget_world import API, Clock, Disk, Vendor, keep_calling, opened, start, stop
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.budget import BudgetSettings, Form, WindowSpec, specs_for
from syncd.budget.headers import hubspot
from syncd.budget.server_clock import ServerClock
from syncd.model.change import Lane
from syncd.systems.contract import OutOfBudgetError


def at(text):
    return Clock(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000))


def daily(limit, zone="UTC", **more):
    return WindowSpec("daily", Form.DAILY, limit, zone=zone, **more)


def told(limit, used):
    return {"X-HubSpot-RateLimit-Daily": str(limit), "X-HubSpot-RateLimit-Daily-Remaining": str(limit - used)}


async def pay(budget, lane=Lane.LIVE):
    """Pay where no wait is needed."""
    async with asyncio.timeout(5), budget.pay(API, lane):
        pass


async def test_the_count_starts_again_at_midnight_in_the_accounts_zone():
    clock = at("2026-11-02T22:00:00")
    budget = await opened(clock, daily(2, "Europe/Berlin"))
    await pay(budget)
    await pay(budget)
    with pytest.raises(OutOfBudgetError) as caught:
        await pay(budget)
    assert caught.value.retry_after_seconds == pytest.approx(3600, abs=3)
    await clock.advance(caught.value.retry_after_seconds + 0.1)
    await pay(budget)
    assert budget.snapshot()[0].own == 1


@settings(max_examples=40, deadline=None)
@given(
    skew=st.floats(-2, 2),
    seed=st.integers(0, 10**6),
    limit=st.integers(3, 40),
    restarts=st.lists(st.floats(0.1, 9), max_size=3),
)
async def test_neither_day_is_overspent_whatever_the_vendors_clock_shows(skew, seed, limit, restarts):
    clock = at("2026-11-02T23:59:55")
    midnight = datetime(2026, 11, 3, tzinfo=UTC).timestamp()
    vendor = Vendor(clock, random.Random(seed), skew=skew)
    disk = Disk(clock, 0.003)
    budget = await opened(clock, daily(limit), keeper=disk)
    for pause in [*sorted(restarts), 10]:
        workers = start(3, lambda b=budget: keep_calling(b, vendor))
        await clock.advance(pause)
        await stop(workers)
        await clock.run(budget.close())
        budget = await opened(clock, daily(limit), keeper=disk)
    days = [sum(one < midnight for one in vendor.counted), sum(one >= midnight for one in vendor.counted)]
    assert max(days) <= limit


async def test_others_use_counts_and_the_urgent_keep_their_reserve():
    clock = at("2026-11-02T12:00:00")
    spec = daily(1000, reserve={Lane.OPERATOR: 0.02, Lane.LIVE: 0.10, Lane.SCHEDULED: 0.08})
    budget = await opened(clock, spec, dialect=hubspot)
    async with budget.pay(API, Lane.LIVE):
        budget.observe(API, 200, told(1000, 801), 0.05)
    assert budget.snapshot()[0].used == 801
    assert budget.available("api", Lane.BULK) == 0
    assert budget.available("api", Lane.SCHEDULED) == 80
    assert budget.available("api", Lane.LIVE) == 179
    with pytest.raises(OutOfBudgetError):
        await pay(budget, Lane.BULK)
    await pay(budget, Lane.LIVE)


async def test_the_vendors_figure_is_believed_downwards_too_after_some_seconds():
    clock = at("2026-11-02T12:00:00")
    budget = await opened(clock, daily(1000), dialect=hubspot)
    budget.observe(API, 200, told(1000, 900), 0.05)
    for _ in range(4):
        await clock.advance(11)
        budget.observe(API, 200, told(1000, 100), 0.05)
    assert budget.snapshot()[0].used == 100


async def test_replies_that_overtake_each_other_do_not_lower_the_count():
    clock = at("2026-11-02T12:00:00")
    budget = await opened(clock, daily(1000), dialect=hubspot)
    budget.observe(API, 200, told(1000, 105), 0.05)
    budget.observe(API, 200, told(1000, 101), 0.30)
    assert budget.snapshot()[0].used == 105


async def test_the_forecast_tells_when_the_count_ends_at_the_present_burn():
    clock = at("2026-11-02T12:00:00")
    budget = await opened(clock, daily(1000))
    for _ in range(100):
        await pay(budget)
        await clock.advance(1)
    (view,) = budget.snapshot()
    assert view.resets_in_seconds == pytest.approx(12 * 3600 - 100, abs=3)
    assert view.exhausted_in_seconds == pytest.approx(900, rel=0.1)


async def test_a_burn_that_lasts_until_the_reset_is_no_forecast():
    clock = at("2026-11-02T23:00:00")
    budget = await opened(clock, daily(100_000))
    for _ in range(30):
        await pay(budget)
        await clock.advance(1)
    assert budget.snapshot()[0].exhausted_in_seconds is None


async def test_where_the_zone_is_not_known_a_spent_count_is_tried_once_an_hour():
    clock = at("2026-11-02T03:00:00")
    budget = await opened(clock, daily(10, None), dialect=hubspot)
    async with budget.pay(API, Lane.LIVE):
        budget.observe(API, 200, told(10, 10), 0.05)
    with pytest.raises(OutOfBudgetError) as caught:
        await pay(budget)
    assert caught.value.retry_after_seconds <= 3600
    await clock.advance(3601)
    async with budget.pay(API, Lane.LIVE):
        budget.observe(API, 200, told(10, 1), 0.05)
    await pay(budget)


async def test_a_zone_that_is_none_is_refused_with_its_name():
    with pytest.raises(ValueError, match="Mars/Olympus"):
        await opened(Clock(), daily(10, "Mars/Olympus"))


@given(
    st.floats(-600, 600),
    st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 1), st.floats(0.1, 300)), min_size=1, max_size=12),
)
def test_the_estimate_of_the_vendors_clock_always_holds_the_truth(skew, replies):
    clock, wall = ServerClock(), 1_793_606_400.0
    for seconds, part, pause in replies:
        sent, replied = wall, wall + seconds
        date = (sent + part * seconds + skew) // 1
        clock.observe(date, sent, replied)
        assert clock.low - 1e-6 <= skew <= clock.high + 1e-6
        assert clock.width <= 1 + 0.5 + 1e-6
        wall = replied + pause


async def test_the_vendors_clock_is_learned_from_its_dates():
    clock = at("2026-11-02T23:59:00")
    budget = await opened(clock, daily(1))
    await pay(budget)
    vendor_says = formatdate(clock.now_ms() / 1000 + 45, usegmt=True)
    budget.observe(API, 200, {"Date": vendor_says}, 0.1)
    await clock.advance(17)
    await pay(budget)


def test_standard_windows_take_the_operators_settings():
    chosen = BudgetSettings(reserve={Lane.LIVE: 0.3}, share=0.5, zone="Europe/Berlin")
    specs = {one.name: one for one in specs_for("hubspot", chosen)}
    assert specs["daily"].zone == "Europe/Berlin"
    assert specs["ten_seconds"].share == 0.5
    assert specs["ten_seconds"].reserve == {Lane.LIVE: 0.3}
    assert specs["concurrent"].share == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"seconds": 0.0},
        {"share": 0.0},
        {"share": 1.5},
        {"reserve": {Lane.LIVE: 1.0}},
        {"reserve": {Lane.LIVE: -0.1}},
    ],
)
def test_windows_that_cannot_be_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match="window w"):
        WindowSpec(**{"name": "w", "form": Form.ROLLING, "limit": 5, "seconds": 1.0} | wrong)
