"""Canonical values: equal things are written equally, and writing twice changes nothing."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syncd.model.value import (
    FieldType,
    InvalidValueError,
    canonical,
    instant_from_ms,
    instant_to_ms,
    minor_digits,
    money,
    money_from_minor,
    money_to_minor,
)

CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "CLP", "GBP"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["amount", "currency", "key", "name", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
EARLIEST, LATEST = instant_to_ms("0001-01-01T00:00:00Z"), instant_to_ms("9999-12-31T23:59:59.999Z")


def refused_or_canonical(kind, raw):
    try:
        once = canonical(kind, raw)
    except InvalidValueError:
        return
    assert canonical(kind, once) == once
    assert not isinstance(once, float)


@given(st.sampled_from(list(FieldType)), JSON_VALUES)
def test_any_value_is_refused_or_canonical_for_good(kind, raw):
    refused_or_canonical(kind, raw)


@given(st.sampled_from(list(FieldType)), st.from_regex(r"[-+0-9 .:TZeE()/@a-z]{0,30}", fullmatch=True))
def test_texts_that_look_like_values_are_refused_or_canonical_for_good(kind, raw):
    refused_or_canonical(kind, raw)


@pytest.mark.parametrize("kind", list(FieldType))
def test_null_stays_null(kind):
    assert canonical(kind, None) is None


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (FieldType.EMAIL, "  Ann.Lee@Example.COM ", "ann.lee@example.com"),
        (FieldType.PHONE, "+49 (30) 123-45.67", "+49301234567"),
        (FieldType.PHONE, "0049 30 1234567", "+49301234567"),
        (FieldType.PHONE, "ask for Ann", "ask for Ann"),
        (FieldType.INTEGER, "12", 12),
        (FieldType.INTEGER, "12.00", 12),
        (FieldType.DECIMAL, "1.50", "1.5"),
        (FieldType.DECIMAL, "-0.0", "0"),
        (FieldType.DECIMAL, "1e3", "1000"),
        (FieldType.DATE, "2026-11-23T10:00:00Z", "2026-11-23"),
        (FieldType.INSTANT, "2026-11-23T10:00:00+02:00", "2026-11-23T08:00:00.000Z"),
        (FieldType.INSTANT, "2026-11-23T08:00:00.1239Z", "2026-11-23T08:00:00.123Z"),
        (FieldType.INSTANT, 0, "1970-01-01T00:00:00.000Z"),
        (FieldType.INSTANT, -1, "1969-12-31T23:59:59.999Z"),
        (FieldType.INSTANT, "0999-01-01T00:00:00Z", "0999-01-01T00:00:00.000Z"),
        (FieldType.MONEY, {"amount": "42", "currency": "eur"}, {"amount": "42.00", "currency": "EUR"}),
        (FieldType.MONEY, {"amount": "42.50", "currency": "JPY"}, {"amount": "42.5", "currency": "JPY"}),
        (FieldType.MONEY, {"amount": "-0", "currency": "EUR"}, {"amount": "0.00", "currency": "EUR"}),
        (FieldType.ITEMS, [{"key": "b"}, {"key": "a"}], [{"key": "a"}, {"key": "b"}]),
    ],
)
def test_values_have_one_form(kind, raw, value):
    assert canonical(kind, raw) == value


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (FieldType.TEXT, 5),
        (FieldType.BOOLEAN, "true"),
        (FieldType.BOOLEAN, 1),
        (FieldType.INTEGER, "1.5"),
        (FieldType.INTEGER, True),
        (FieldType.DECIMAL, "NaN"),
        (FieldType.DECIMAL, "1e99"),
        (FieldType.DECIMAL, 1.5),
        (FieldType.DATE, "23.11.2026"),
        (FieldType.INSTANT, "yesterday"),
        (FieldType.INSTANT, 10**18),
        (FieldType.INSTANT, True),
        (FieldType.INSTANT, "0001-01-01T00:00:00+14:00"),
        (FieldType.MONEY, "42.00"),
        (FieldType.MONEY, {"amount": "42", "currency": "EURO"}),
        (FieldType.MONEY, {"amount": 4.2, "currency": "EUR"}),
        (FieldType.MONEY, {"amount": "4", "currency": 978}),
        (FieldType.ITEMS, [{"key": "a"}, {"key": "a"}]),
        (FieldType.ITEMS, [{"sku": "x"}]),
        (FieldType.ITEMS, {"key": "a"}),
    ],
)
def test_what_does_not_fit_its_type_is_refused(kind, raw):
    with pytest.raises(InvalidValueError):
        canonical(kind, raw)


@given(st.integers(-(10**15), 10**15), CURRENCIES)
def test_money_survives_the_way_through_smallest_units(minor, currency):
    value = money_from_minor(minor, currency)
    assert money_to_minor(value) == minor
    assert canonical(FieldType.MONEY, value) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12), CURRENCIES)
def test_money_never_loses_a_digit(amount, currency):
    value = money(amount, currency)
    assert Decimal(value["amount"]) == amount
    assert len(value["amount"].partition(".")[2]) >= minor_digits(currency)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9), CURRENCIES)
def test_equal_amounts_are_written_equally(amount, currency):
    assert money(amount, currency) == money(str(amount) + ("0" if amount.as_tuple().exponent else ""), currency)


def test_money_finer_than_the_smallest_unit_is_not_cut_silently():
    with pytest.raises(InvalidValueError, match="finer"):
        money_to_minor(money("1.005", "EUR"))


@given(st.integers(EARLIEST, LATEST))
def test_instants_survive_the_way_there_and_back_to_the_millisecond(milliseconds):
    text = instant_from_ms(milliseconds)
    assert instant_to_ms(text) == milliseconds
    assert len(text) == len("2026-11-23T08:00:00.123Z")


@given(st.lists(st.integers(EARLIEST, LATEST), min_size=2, max_size=2))
def test_canonical_instants_sort_as_time_does(two):
    assert (two[0] < two[1]) is (instant_from_ms(two[0]) < instant_from_ms(two[1]))


@given(st.lists(st.text(min_size=1), unique=True), st.randoms())
def test_items_are_equal_whatever_order_they_came_in(keys, dice):
    items = [{"key": key, "quantity": 1} for key in keys]
    mixed = list(items)
    dice.shuffle(mixed)
    assume(keys)
    assert canonical(FieldType.ITEMS, items) == canonical(FieldType.ITEMS, mixed)
