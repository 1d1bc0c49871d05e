"""Lenses: what goes through and back is unchanged, and what cannot be read is said to be so."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.lens import (
    AmountIn,
    Associated,
    CentMoney,
    Choice,
    FirstOf,
    LensError,
    LineItems,
    MoneyPair,
    Plain,
    Prefixed,
    PriceTiers,
    ReferenceId,
    ReferenceKey,
    Rows,
    Stringly,
)
from syncd.model.shop_lenses import ListPrice, Localized, QuantityPrices
from syncd.model.value import FieldType, canonical, instant_from_ms, money_from_minor

TEXTS = st.text(min_size=1, max_size=20)
MONEY = st.builds(money_from_minor, st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
EUROS = st.builds(money_from_minor, st.integers(-(10**12), 10**12), st.just("EUR"))
VALUES = {
    FieldType.TEXT: TEXTS,
    FieldType.EMAIL: st.emails().map(lambda one: canonical(FieldType.EMAIL, one)),
    FieldType.PHONE: st.from_regex(r"\+[0-9]{6,14}", fullmatch=True),
    FieldType.INTEGER: st.integers(-(10**15), 10**15),
    FieldType.DECIMAL: st.decimals(-(10**9), 10**9, places=4).map(lambda one: canonical(FieldType.DECIMAL, str(one))),
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DATE: st.dates().map(lambda one: one.isoformat()),
    FieldType.INSTANT: st.integers(0, 4 * 10**12).map(instant_from_ms),
    FieldType.CHOICE: TEXTS,
    FieldType.REFERENCE: TEXTS,
}


def items(one):
    return st.lists(one, max_size=5, unique_by=lambda item: item["key"]).map(
        lambda many: canonical(FieldType.ITEMS, many)
    )


TIERS = Choice({"gold": "TIER_1", "silver": "TIER_2"})

LENSES = [
    *[pytest.param(Plain(kind), values, id=f"plain-{kind}") for kind, values in VALUES.items()],
    *[pytest.param(Stringly(kind), values, id=f"string-{kind}") for kind, values in VALUES.items()],
    pytest.param(Plain(FieldType.MONEY), MONEY, id="plain-money"),
    pytest.param(CentMoney(), MONEY, id="cent-money"),
    pytest.param(MoneyPair(), MONEY, id="money-pair"),
    pytest.param(MoneyPair("EUR"), MONEY, id="money-pair-default"),
    pytest.param(AmountIn("EUR"), EUROS, id="amount-in"),
    pytest.param(TIERS, st.sampled_from(["gold", "silver", "bronze"]), id="choice"),
    pytest.param(Prefixed("Abandoned Cart: "), TEXTS, id="prefixed"),
    pytest.param(ReferenceKey("customer-group"), TEXTS, id="reference-key"),
    pytest.param(ReferenceId("customer"), TEXTS, id="reference-id"),
    pytest.param(Associated(), TEXTS, id="associated"),
    pytest.param(Rows(), items(st.fixed_dictionaries({"key": TEXTS})), id="rows-of-texts"),
    pytest.param(
        Rows("key", {"quantity": "amount"}),
        items(st.fixed_dictionaries({"key": TEXTS}, optional={"quantity": st.integers()})),
        id="rows",
    ),
    pytest.param(
        PriceTiers(),
        st.dictionaries(st.integers(1, 10**6), MONEY, max_size=5).map(
            lambda prices: canonical(
                FieldType.ITEMS,
                [{"key": str(least), "quantity": least, "price": price} for least, price in prices.items()],
            )
        ),
        id="price-tiers",
    ),
    pytest.param(
        QuantityPrices(),
        st.dictionaries(st.integers(2, 10**6), MONEY, max_size=5).map(
            lambda prices: canonical(
                FieldType.ITEMS,
                [{"key": str(least), "quantity": least, "price": price} for least, price in prices.items()],
            )
        ),
        id="quantity-prices",
    ),
    pytest.param(
        ListPrice("EUR"), st.integers(0, 10**9).map(lambda cents: money_from_minor(cents, "EUR")), id="list-price"
    ),
    pytest.param(Localized(("de", "en")), TEXTS, id="localized"),
]

RAW = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["", "true", "²", "--5", "1e9", "NaN", "9" * 30, "EUR", "2026-11-23"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from([
            "centAmount", "currencyCode", "fractionDigits", "preciseAmount", "key", "obj", "id", "name", "variant", "sku",
            "quantity", "price", "value", "amount", "currency", "quantity_min", "minimumQuantity", "en",
        ]),
        inner, max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip
READERS = [
    *LENSES,
    pytest.param(LineItems(), None, id="line-items"),
    pytest.param(FirstOf(Plain()), None, id="first-of"),
]


@pytest.mark.parametrize(("lens", "values"), LENSES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_value_written_and_read_back_is_the_same(lens, values, data):
    value = data.draw(values)
    assert lens.decode(*lens.encode(value)) == value


@pytest.mark.parametrize(("lens", "values"), LENSES)
def test_null_is_null_on_both_sides(lens, values):
    assert lens.decode(*lens.encode(None)) is None


@pytest.mark.parametrize(("lens", "values"), READERS)
@settings(max_examples=60)
@given(raw=st.tuples(RAW, RAW))
def test_any_raw_value_is_read_or_refused_and_what_was_read_is_stable(lens, values, raw):
    paths = raw if isinstance(lens, MoneyPair) else raw[:1]
    try:
        value = lens.decode(*paths)
    except LensError:
        return
    try:
        again = lens.encode(value)
    except LensError:
        return
    assert lens.decode(*again) == value


@given(RAW)
def test_line_items_in_a_list_are_read_or_refused(raw):
    try:
        LineItems().decode([raw])
    except LensError:
        return


def line(key="l1", **more):
    price = {"value": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1999, "fractionDigits": 2}}
    return {
        "id": key,
        "name": {"de": "Hemd", "en": "Shirt"},
        "variant": {"sku": "S-1"},
        "quantity": 2,
        "price": price,
        **more,
    }


def test_line_items_take_the_first_known_language_and_the_price_of_one():
    assert LineItems(("fr", "de")).decode([line()]) == [
        {"key": "l1", "sku": "S-1", "name": "Hemd", "quantity": 2, "price": {"amount": "19.99", "currency": "EUR"}}
    ]
    assert LineItems(("xx",)).decode([line()])[0]["name"] == "Hemd"
    assert LineItems().decode(None) == []


def test_what_is_only_read_is_never_written():
    for lens in (LineItems(), FirstOf(Plain())):
        with pytest.raises(LensError):
            lens.encode("x")


def test_high_precision_money_keeps_its_digits_and_is_not_written_rounded():
    raw = {"type": "highPrecision", "currencyCode": "EUR", "centAmount": 1, "preciseAmount": 12345, "fractionDigits": 6}
    value = CentMoney().decode(raw)
    assert value == {"amount": "0.012345", "currency": "EUR"}
    with pytest.raises(LensError, match="finer"):
        CentMoney().encode(value)


def test_an_amount_without_a_currency_is_refused_unless_there_is_a_default():
    with pytest.raises(LensError, match="without a currency"):
        MoneyPair().decode("5", None)
    assert MoneyPair("EUR").decode("5", None) == {"amount": "5.00", "currency": "EUR"}
    assert MoneyPair("EUR").decode("5", "USD")["currency"] == "USD"


def test_money_in_another_currency_is_not_written_into_an_amount():
    with pytest.raises(LensError, match="EUR only"):
        AmountIn("EUR").encode({"amount": "1.00", "currency": "USD"})


def test_choices_are_one_to_one():
    with pytest.raises(LensError, match="share"):
        Choice({"a": "x", "b": "x"})


def test_a_reference_without_its_key_says_that_it_was_not_expanded():
    with pytest.raises(LensError, match="expanded"):
        ReferenceKey("customer-group").decode({"typeId": "customer-group", "id": "1"})
    expanded = {"typeId": "customer-group", "id": "1", "obj": {"key": "gold"}}
    assert ReferenceKey("customer-group").decode(expanded) == "gold"


def test_the_first_path_that_has_a_value_is_taken():
    assert FirstOf(Plain()).decode(None, "b", "c") == "b"
    assert FirstOf(Plain()).decode(None, None) is None


def test_instants_come_as_text_or_as_milliseconds():
    assert Stringly(FieldType.INSTANT).decode("1793606400000") == Stringly(FieldType.INSTANT).decode(
        "2026-11-02T08:00:00Z"
    )


def test_price_tiers_say_up_to_which_quantity_they_hold():
    tiers = [
        {"key": one, "quantity": int(one), "price": {"amount": "9.50", "currency": "EUR"}} for one in ("100", "20")
    ]
    (rows,) = PriceTiers().encode(tiers)
    assert [(one["quantity_min"], one["quantity_max"]) for one in rows] == [(20, 99), (100, 0)]
    with pytest.raises(LensError):
        PriceTiers().encode([{"key": "1"}])


def test_a_list_price_is_the_one_for_everybody():
    euros = {"currencyCode": "EUR", "centAmount": 500}
    prices = [
        {"value": {**euros, "centAmount": 400}, "customerGroup": {"typeId": "customer-group", "id": "g"}},
        {"value": {"currencyCode": "USD", "centAmount": 600}},
        {"value": euros},
    ]
    assert ListPrice("EUR").decode(prices) == {"amount": "5.00", "currency": "EUR"}
    assert ListPrice().decode(prices) == {"amount": "6.00", "currency": "USD"}
    assert ListPrice("EUR").encode(None) == ([{"value": {"currencyCode": "EUR"}}],)
    with pytest.raises(LensError, match="currency"):
        ListPrice().encode(None)


def test_a_text_is_read_in_the_first_language_there_is():
    assert Localized(("de", "en")).decode({"fr": "Thé", "en": "Tea"}) == "Tea"
    assert Localized(("de",)).decode({"fr": "Thé"}) == "Thé"
    assert Localized(("de",)).encode("Tee") == ({"de": "Tee"},)
