import pytest

from console.times import age, duration, plural, rate, short_count
from console.values import ValueProblemError, parsed, shown, typed


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1500 eur", "money", {"amount": "1500", "currency": "EUR"}),
        ("EUR 1,500.50", "money", {"amount": "1500.50", "currency": "EUR"}),
        (" Ada@Example.ORG ", "email", "ada@example.org"),
        ("0049 (30) 123-456", "phone", "+4930123456"),
        ("4.250", "decimal", "4.25"),
        ("42", "integer", 42),
        ("yes", "boolean", True),
        ("2026-01-31", "date", "2026-01-31"),
        ('[{"key": "a"}]', "items", [{"key": "a"}]),
        ("gold", "choice", "gold"),
        ("", "money", None),
    ],
)  # fmt: skip
def test_what_is_typed_becomes_the_canonical_value(text: str, kind: str, value: object) -> None:
    assert parsed(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [("a@@b", "email"), ("1500", "money"), ("x", "integer"), ("1.5", "integer"), ("maybe", "boolean"), ("31.1.26", "date"),
     ("noon", "instant"), ("{}", "items"), ("[1", "items"), ("call me", "phone"), ("NaN", "decimal")],
)  # fmt: skip
def test_what_does_not_fit_the_type_is_refused_with_the_expected_form(text: str, kind: str) -> None:
    with pytest.raises(ValueProblemError):
        parsed(text, kind)


@pytest.mark.parametrize(
    ("value", "kind"),
    [({"amount": "1500.00", "currency": "EUR"}, "money"), ([{"key": "a", "quantity": 2}], "items"), ("a@b.org", "email"), (True, "boolean"), (7, "integer")],
)  # fmt: skip
def test_what_an_editor_starts_with_reads_back_as_the_same_value(value: object, kind: str) -> None:
    assert parsed(typed(value, kind), kind) == value


def test_absent_null_and_value_look_different() -> None:
    assert [shown(None, known=False), shown(None), shown("x"), shown(False)] == ["—", "(empty)", "x", "false"]
    assert shown({"amount": "1500.00", "currency": "EUR"}, "money") == "1,500.00 EUR"
    assert shown([{"key": "1", "name": "Tea", "quantity": 2}], "items") == "1: 2 x Tea"


def test_spans_and_counts_are_short_and_exact() -> None:
    assert [age(8), age(200), age(3_900), age(900_000)] == ["8s", "3m 20s", "1h 5m", "10d"]
    assert [duration(None), duration(0.0004), duration(0.038), duration(1.24), duration(200)] == [
        "—",
        "0.4 ms",
        "38 ms",
        "1.24 s",
        "3m 20s",
    ]
    assert [short_count(950), short_count(12_400), short_count(250_000), short_count(1_200_000)] == [
        "950",
        "12.4k",
        "250k",
        "1.2M",
    ]
    assert [rate(42.13), rate(1234)] == ["42.1", "1,234"]
    assert [plural(1, "try", "tries"), plural(2, "try", "tries")] == ["1 try", "2 tries"]
