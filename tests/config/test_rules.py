"""Single values: spans of time, numbers, URLs, names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config.problems import meant, shown
from syncd.config.rules import Between, Duration, Name, OneOf, Url, Words, duration_seconds, duration_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("30m", 1800), ("1h30m", 5400), ("250ms", 0.25), ("7d", 604_800), ("1w", 604_800), ("0.5s", 0.5),
     ("2 h", 7200)],
)  # fmt: skip
def test_a_span_of_time_is_written_with_its_units(text, seconds):
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "-5s", "5 minutes", "1e9s", "30m,", "٣s"])
def test_what_is_no_span_of_time_is_refused(text):
    with pytest.raises(ValueError, match="span of time"):
        duration_seconds(text)


@given(st.integers(1, 10**9))
def test_a_span_survives_being_written_and_read(milliseconds):
    seconds = milliseconds / 1000
    assert duration_seconds(duration_text(seconds)) == pytest.approx(seconds, rel=1e-5)


@pytest.mark.parametrize("value", [30, 1.5, True, None, [], "5h"])
def test_a_duration_wants_text_within_its_bounds(value):
    with pytest.raises(ValueError, match=r"expected a span|must lie between 1s and 1h"):
        Duration(1, 3600).check(value)


def test_a_duration_that_may_be_off_takes_false():
    assert Duration(off=True).check(False) is None
    with pytest.raises(ValueError, match="or false"):
        Duration(off=True).check(0)


@pytest.mark.parametrize("value", [True, "x", 0.5, 11, -1, None, "1.5", float("nan"), float("inf")])
def test_a_whole_number_is_whole_and_in_bounds(value):
    with pytest.raises((ValueError, OverflowError)):
        Between(0, 10).check(value)


def test_digits_from_the_environment_are_a_number():
    assert Between(0, 10).check("7") == 7
    assert Between(0, 1, whole=False).check("0.25") == 0.25


@pytest.mark.parametrize(
    "url",
    ["http://example.com", "ftp://example.com", "https://", "example.com", "https://user:pw@example.com",
     "https://example.com/?q=1", "https://example.com/#f", "https://exa mple.com", "https://example.com:99999", 5,
     "http://127.0.0.1.evil.example", "https://[::1"],
)  # fmt: skip
def test_an_address_must_be_safe_to_call(url):
    with pytest.raises(ValueError):
        Url().check(url)


@pytest.mark.parametrize("url", ["https://example.com/", "http://127.0.0.1:8080", "http://[::1]:1", "http://localhost"])
def test_plain_http_is_for_this_machine_only(url):
    assert Url().check(url) == url.rstrip("/")


def test_words_and_names():
    assert Words().check("a") == ("a",)
    assert Words(switch=True).check(False) is False
    with pytest.raises(ValueError, match="list of names"):
        Words().check([1])
    with pytest.raises(ValueError, match="one of: a, b"):
        OneOf(("a", "b")).check("c")
    for bad in ("", "A", "1a", "a b", "../x", "a" * 64, 3):
        with pytest.raises(ValueError, match="must be a name"):
            Name().check(bad)


def test_a_near_miss_is_suggested():
    assert meant("comercetools", ["commercetools", "hubspot"]) == "; did you mean commercetools?"
    assert meant("zzz", ["a", "b"]) == "; known: a, b"


@pytest.mark.parametrize(
    ("key", "value"),
    [("connections.crm.access_token", "hunter2"), ("x.password", "a"), ("x", "pat-eu1-1234"), ("x", "whsec_abc"),
     ("x", "https://ada:lovelace@example.com"), ("x", "Bearer abc"), ("y", "A" * 40)],
)  # fmt: skip
def test_what_may_be_a_secret_is_masked(key, value):
    assert shown(key, value) == "***"


def test_shown_values_are_short_and_on_one_line():
    assert len(shown("x", "word " * 100)) < 70
    assert shown("x", "a\nb\x1b[31m") == r"'a\nb\x1b[31m'"
