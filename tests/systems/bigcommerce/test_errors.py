"""The words of failures; what each status means is in test_classification.py."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.systems.bigcommerce.errors import Doing, from_reply, wait_of

V3 = orjson.dumps({"status": 0, "title": "JSON data is missing or invalid", "type": "/x", "errors": {"0.email": "bad"}})
V2 = orjson.dumps([{"status": 0, "message": "The field 'x' is invalid.", "details": {"invalid_reason": "too long"}}])
B2B = orjson.dumps({"code": 0, "data": {"errMsg": {"email": ["taken"]}}, "meta": {"message": "Validation failed"}})


@pytest.mark.parametrize(
    ("body", "words", "fields"),
    [
        (V3, "JSON data is missing or invalid; 0.email: bad", ("email",)),
        (V2, "The field 'x' is invalid.; invalid_reason: too long", ("invalid_reason",)),
        (B2B, "Validation failed; email: taken", ("email",)),
    ],
)
def test_the_vendors_own_words_are_told_whatever_the_generation(body: bytes, words: str, fields: tuple[str]) -> None:
    failure = from_reply(422, {}, body, Doing.CHANGE)
    assert (failure.message, failure.fields, failure.code) == (words, fields, "invalid")


def test_addresses_never_reach_a_message() -> None:
    body = orjson.dumps({"title": "x", "errors": {".customer_create": "email ada@example.com already in use"}})
    assert "ada@" not in from_reply(422, {}, body, Doing.CREATE).message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-rate-limit-time-reset-ms": "21480"}, 21.48),
        ({"x-request-window-resets-after": "0.397 s"}, 0.397),
        ({"x-retry-after": "5"}, 5.0),
        ({"x-rate-limit-time-reset-ms": "soon"}, 1.0),
        ({}, 1.0),
        ({"x-rate-limit-time-reset-ms": "999999999"}, 3600.0),
    ],
)
def test_a_refusal_for_load_waits_as_long_as_its_headers_say(headers: dict[str, str], seconds: float) -> None:
    assert wait_of(headers) == pytest.approx(seconds)
    assert from_reply(429, headers, b"", Doing.CHANGE).retry_after_seconds == pytest.approx(seconds)


@given(st.integers(300, 599), st.binary(max_size=80) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["title", "errors", "message", "meta", "data", "errMsg", "details", "detail"]), inner, max_size=4),
).map(lambda value: orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME) if _fits(value) else b"{}"))  # fmt: skip
def test_no_reply_whatever_breaks_the_classification(status: int, body: bytes) -> None:
    for doing in Doing:
        failure = from_reply(status, {}, body, doing)
        assert failure.message
        assert failure.code


def _fits(value: object) -> bool:
    """JSON of this library has 64-bit integers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return -(2**63) <= value < 2**63
    if isinstance(value, list):
        return all(map(_fits, value))
    return all(map(_fits, value.values())) if isinstance(value, dict) else True
