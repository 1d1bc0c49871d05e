"""The demonstration's script, its history and its figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.demo.crm import HUBSPOT
from syncd.demo.history import TRADED_DAYS, History, read_orders
from syncd.demo.report import latencies, percentiles
from syncd.demo.script import Fate, Plant, shoppers
from syncd.demo.stage import StageError

HEAD = "invoice,date,customer,total_gbp\n"


@given(st.integers(0, 10**6), st.floats(1, 40))
def test_the_same_seed_gives_the_same_shop(seed: int, seconds: float) -> None:
    cast = list(shoppers(seed, seconds, 4.0))
    assert cast == list(shoppers(seed, seconds, 4.0))
    assert len({one.email for one in cast}) == len({one.number for one in cast}) == len(cast)
    assert sorted(one.plant for one in cast if one.plant) == sorted([*Plant, *Plant])
    assert all(0 <= one.at <= seconds for one in cast)
    assert all(one.fate is Fate.ABANDONED for one in cast if one.plant is Plant.FORBIDDEN_STAGE)
    assert all((".." in one.email) is (one.plant is Plant.INVALID_EMAIL) for one in cast)


def test_another_seed_gives_another_shop() -> None:
    assert list(shoppers(1, 10, 4.0)) != list(shoppers(2, 10, 4.0))


def write(folder: Path, text: str) -> Path:
    path = folder / "orders.csv"
    path.write_text(text)
    return path


def test_the_last_ten_trading_days_are_the_present(tmp_path: Path) -> None:
    rows = "".join(f"{n},2011-{1 + n // 28:02d}-{1 + n % 28:02d},C{n % 7},{n}.50\n" for n in range(40))
    history = History.of(read_orders(write(tmp_path, HEAD + rows)))
    assert len({one.day for one in history.present}) == TRADED_DAYS
    assert (len(history.past), len(history.present)) == (30, 10)
    assert history.present[-1].pence == 3950
    assert "10 orders" in history.summary


def test_a_short_history_is_traded_whole(tmp_path: Path) -> None:
    history = History.of(read_orders(write(tmp_path, HEAD + "1,2011-01-01,A,1.00\n2,2011-01-02,B,2.00\n")))
    assert (len(history.past), len(history.present)) == (0, 2)


@pytest.mark.parametrize(("text", "told"), [
    ("invoice,date\n1,2\n", "the columns customer, total_gbp are missing"),
    (HEAD + "1,2011-01-01,A,1.00\n2,2011-01-01,A,much\n", "line 3: total_gbp is not a number"),
    (HEAD + "1,2011-01-01,A,NaN\n", "line 2: total_gbp is not a number"),
    (HEAD + "1,2011-01-01,A\n", "line 2"),
    (HEAD, "holds no invoices"),
    ("", "the columns"),
])  # fmt: skip
def test_a_history_that_cannot_be_read_names_the_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(StageError, match=told) as caught:
        read_orders(write(tmp_path, text))
    assert "orders.csv" in str(caught.value)


def test_a_history_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(StageError, match="not UTF-8"):
        read_orders(path)


def test_percentiles_take_the_nearest_rank() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}
    assert percentiles(range(100)) == {"p50": 50, "p95": 95, "p99": 99}


def test_latencies_run_from_the_moment_a_thing_was_due_to_its_creation() -> None:
    effects = [
        {"effect": "create", "object": "contacts", "at_ms": 1500, "values": {"email": "a@example.com"}},
        {"effect": "update", "object": "contacts", "at_ms": 9000, "values": {"email": "a@example.com"}},
        {"effect": "create", "object": "deals", "at_ms": 2000, "values": {"dealname": "Abandoned Cart: a@example.com"}},
        {"effect": "create", "object": "contacts", "at_ms": 2000, "values": {"email": "stranger@example.com"}},
    ]
    asked = {"a@example.com": 1000, "Abandoned Cart: a@example.com": 2500}
    assert latencies(effects, asked, HUBSPOT.titles) == [0.5, 0.0]
