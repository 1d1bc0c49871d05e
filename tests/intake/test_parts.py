"""The small parts: the clock's guard, the meter, the store behind the intake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.intake.clock_guard import ClockGuard
from syncd.intake.meter import Spread
from syncd.intake.staging import StageResult, StorageUnavailableError
from syncd.intake.store_staging import StoreStaging
from syncd.model.change import Change, ChangeKind, Channel
from syncd.runtime.clock import ManualClock
from syncd.store.database import Database


def test_a_clock_that_runs_on_is_trusted_and_one_that_jumped_is_not_until_confirmed():
    clock = ManualClock()
    guard = ClockGuard(clock)
    assert guard.doubt(clock.now_ms()) == ""
    assert guard.doubt(clock.now_ms() + 59_000) == ""
    assert guard.doubt(clock.now_ms() - 61_000) == "jumped"
    assert guard.doubt(clock.now_ms()) == "jumped"
    guard.confirm()
    assert guard.doubt(clock.now_ms()) == ""
    assert guard.doubt(1_600_000_000_000) == "before-release"


def test_a_vendors_clock_confirms_or_doubts_ours():
    clock = ManualClock()
    guard = ClockGuard(clock)
    guard.observe(clock.now_ms() + 120_000)
    assert guard.doubt(clock.now_ms()) == "disagrees-with-vendor"
    guard.observe(clock.now_ms() + 1_000)
    assert guard.doubt(clock.now_ms()) == ""


@given(st.lists(st.floats(1e-5, 100), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_percentiles_are_right_within_an_eighth(seconds, fraction):
    spread = Spread()
    for one in seconds:
        spread.add(one)
    wanted = sorted(seconds)[max(0, -int(-fraction * len(seconds) // 1) - 1)]
    found = spread.percentile(fraction)
    assert wanted * 0.99 <= found <= wanted * 1.13 + 2e-6
    assert spread.count == len(seconds)


def test_nothing_measured_has_no_percentile_and_edges_add_up():
    spread = Spread()
    assert spread.percentile(0.5) is None
    for one in (0.001, 0.01, 0.1, 1.0):
        spread.add(one)
    assert spread.cumulative((0.005, 0.05, 5.0)) == [1, 2, 4]


def change(key: str, connection: str = "shop") -> Change:
    return Change(connection, "customers", key, ChangeKind.HINT, Channel.EVENT, key, 1, payload={"x": 1})


@pytest.fixture
async def database(tmp_path):
    one = Database(tmp_path / "state" / "syncd.db")
    await one.open()
    yield one
    await one.close()


async def test_the_store_tells_which_of_a_group_it_knew(database):
    staging = StoreStaging(database)
    assert await staging.stage([change("a"), change("b")]) == StageResult(2, 0)
    result = await staging.stage([change("c"), change("a"), change("c"), change("a", "till")])
    assert result == StageResult(2, 2, frozenset({1, 2}))
    rows = await database.read(lambda tx: tx.execute("SELECT count(*) FROM changes").fetchone())
    assert rows[0] == 4


async def test_a_store_that_is_not_open_is_unavailable(database):
    await database.close()
    with pytest.raises(StorageUnavailableError):
        await StoreStaging(database).stage([change("a")])
