"""What the daemon measures, for machines and for the console."""

import random

import pytest

from syncd.runtime.clock import ManualClock
from syncd.runtime.metrics import LatencyWindow, Metrics, RateWindow


async def test_percentiles_are_right_within_a_tenth():
    window = LatencyWindow(ManualClock())
    dice = random.Random(3)
    seen = [dice.lognormvariate(-3, 1.5) for _ in range(20_000)]
    for seconds in seen:
        window.add(seconds)
    seen.sort()
    told = window.percentiles()
    assert told.count == 20_000
    for got, part in ((told.p50, 0.5), (told.p95, 0.95), (told.p99, 0.99)):
        assert got == pytest.approx(seen[int(part * len(seen))], rel=0.1)


async def test_percentiles_forget_what_is_older_than_five_minutes():
    clock = ManualClock()
    window = LatencyWindow(clock)
    window.add(9.0, count=100)
    await clock.advance(200)
    window.add(0.01)
    assert window.percentiles().count == 101
    await clock.advance(120)
    told = window.percentiles()
    assert told.count == 1
    assert told.p99 == pytest.approx(0.01, rel=0.1)
    await clock.advance(301)
    assert window.percentiles().p50 is None


async def test_odd_durations_do_no_harm():
    window = LatencyWindow(ManualClock())
    for seconds in (0.0, -1.0, 1e-9, 1e6):
        window.add(seconds)
    assert window.percentiles().count == 4


async def test_a_rate_counts_the_last_seconds_only():
    clock = ManualClock()
    window = RateWindow(clock)
    for _ in range(20):
        window.add(3)
        await clock.advance(1)
    assert 27 <= window.total(10) <= 33
    await clock.advance(60)
    assert window.total(10) == 0


async def test_what_happened_stands_in_the_exposition_under_the_agreed_names():
    metrics = Metrics(ManualClock())
    metrics.acknowledged(0.002)
    metrics.captured("shop", "poll", 3)
    metrics.folded(3, 1, 0)
    metrics.delivered("crm", "contacts", 1.5)
    metrics.deliveries_ended("crm", "contacts", "dead", 2)
    metrics.delivery_duration("crm", 0.2)
    metrics.called("crm", "api", 200)
    metrics.called("crm", "api", 429)
    metrics.called("crm", "api", 0)
    metrics.replayed("replayed", 4)
    text = metrics.text().decode()
    for line in (
        'syncd_captured_changes_total{channel="poll",connection="shop"} 3.0',
        'syncd_deliveries_total{object="contacts",outcome="delivered",target="crm"} 1.0',
        'syncd_deliveries_total{object="contacts",outcome="dead",target="crm"} 2.0',
        'syncd_api_calls_total{api="api",outcome="429",vendor="crm"} 1.0',
        'syncd_replays_total{outcome="replayed"} 4.0',
        "syncd_echo_suppressed_total 1.0",
        'syncd_end_to_end_latency_seconds_count{target="crm"} 1.0',
        'syncd_delivery_duration_seconds_count{target="crm"} 1.0',
    ):
        assert line in text, line
    assert metrics.calls_last_minute("crm") == (3, 2)
    assert metrics.throughput(10) == pytest.approx(0.1)
    assert metrics.intake_latency().p50 == pytest.approx(0.002, rel=0.1)
    assert metrics.delivery_latency().count == 1


async def test_nothing_of_zero_is_counted():
    metrics = Metrics(ManualClock())
    metrics.captured("shop", "poll", 0)
    metrics.deliveries_ended("crm", "contacts", "dead", 0)
    metrics.replayed("replayed", 0)
    assert "shop" not in metrics.text().decode()
    assert "contacts" not in metrics.text().decode()
