from __future__ import annotations

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.intake.limits import too_deep
from syncd.intake.rate import RateBucket


def nesting(value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nesting, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    return 0


TREES = st.recursive(
    st.none() | st.integers(0, 9) | st.text(alphabet='[]{}"\\ a', max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[]{}"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=30,
)


@given(TREES, st.integers(1, 8))
def test_depth_is_what_recursion_would_count(tree, depth):
    assert too_deep(orjson.dumps(tree), depth) == (nesting(tree) > depth)


@pytest.mark.parametrize("unit", [b"[", b"]", b'{"a":', b"[]", b'["', b'"\\', b"[{}"])
def test_a_megabyte_of_brackets_is_judged_at_once(unit):
    body = unit * (1024 * 1024 // len(unit))
    began = time.process_time()
    too_deep(body, 64)
    assert time.process_time() - began < 0.5


def test_a_hundred_thousand_levels_are_too_deep():
    assert too_deep(b"[" * 100_000 + b"]" * 100_000, 64)


def test_a_bucket_allows_its_rate_after_a_burst_of_ten_seconds():
    bucket = RateBucket(60, 0.0)
    assert [bucket.take(0.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(0.0) == 1.0
    assert bucket.take(1.0) == 0.0
    assert bucket.take(1.5) == 0.5
