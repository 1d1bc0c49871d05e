"""Generated predicates mean what an independent, slow reading says they mean; indexes never hide a match."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.sandbox.commercetools.collection import Collection
from syncd.sandbox.commercetools.fields import FIELDS
from syncd.sandbox.commercetools.grammar import parse_predicate
from syncd.sandbox.commercetools.index import SortedKeys
from syncd.sandbox.commercetools.predicate import bounds, compile_test, exact_values, settle
from syncd.sandbox.commercetools.query import Query, read_query, run_query

_WORDS = st.sampled_from(["a", "b", "c", 'say "x"', "back\\slash", ""])
_STAMPS = st.integers(0, 9).map(lambda number: f"2026-01-01T00:00:00.00{number}Z")
_ADDRESSES = st.lists(st.fixed_dictionaries({}, optional={"country": _WORDS, "city": _WORDS}), max_size=3)

ROWS = st.fixed_dictionaries(
    {
        "lastModifiedAt": _STAMPS,
        "version": st.integers(0, 3),
        "isEmailVerified": st.booleans(),
        "addresses": _ADDRESSES,
    },
    optional={
        "firstName": _WORDS,
        "externalId": _WORDS,
        "shippingAddressIds": st.lists(_WORDS, max_size=3),
        "custom": st.fixed_dictionaries(
            {"fields": st.fixed_dictionaries({}, optional={"n": st.integers(0, 3), "s": _WORDS})}
        ),
    },
)

# A condition is (text, meaning): the meaning is written down beside the text and knows nothing of the parser.
_OPS = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else str(value).lower()


@st.composite
def leaf(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]]) -> tuple[str, Any]:
    name = draw(st.sampled_from(sorted(fields)))
    kind = draw(st.sampled_from(["compare", "unequal", "in", "not in", "defined", "undefined"]))
    values = draw(st.lists(fields[name], min_size=1, max_size=3))
    listed = "(" + ", ".join(map(literal, values)) + ")"
    match kind:
        case "compare":
            op = draw(st.sampled_from(sorted(_OPS)))
            test = _OPS[op]
            return f"{name} {op} {literal(values[0])}", lambda row: name in row and test(row[name], values[0])
        case "unequal":
            return f"{name} != {literal(values[0])}", lambda row: row.get(name) != values[0]
        case "in":
            return f"{name} in {listed}", lambda row: row.get(name) in values
        case "not in":
            return f"{name} NOT IN {listed}", lambda row: row.get(name) not in values
        case "defined":
            return f"{name} is defined", lambda row: name in row
    return f"`{name}` is not defined", lambda row: name not in row


_TOP = {"firstName": _WORDS, "externalId": _WORDS, "version": st.integers(0, 3), "lastModifiedAt": _STAMPS}


@st.composite
def of_lists(draw: st.DrawFn) -> tuple[str, Any]:
    words = draw(st.lists(_WORDS, min_size=1, max_size=3))
    every = draw(st.booleans())
    text = f"shippingAddressIds contains {'all' if every else 'any'} ({', '.join(map(quoted, words))})"
    amount = all if every else any
    return text, lambda row: amount(word in row.get("shippingAddressIds", []) for word in words)


@st.composite
def nested(draw: st.DrawFn) -> tuple[str, Any]:
    if draw(st.booleans()):
        text, test = draw(leaf({"country": _WORDS, "city": _WORDS}))
        return f"addresses({text})", lambda row: any(test(one) for one in row["addresses"])
    text, test = draw(leaf({"n": st.integers(0, 3), "s": _WORDS}))
    return f"custom(fields({text}))", lambda row: test(row.get("custom", {}).get("fields", {}))


def _joined(parts: st.SearchStrategy[tuple[str, Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    pairs = st.lists(parts, min_size=2, max_size=3)
    return st.one_of(
        pairs.map(lambda ps: (" and ".join(f"({t})" for t, _ in ps), lambda row: all(m(row) for _, m in ps))),
        pairs.map(lambda ps: (" or ".join(f"({t})" for t, _ in ps), lambda row: any(m(row) for _, m in ps))),
        parts.map(lambda p: (f"not({p[0]})", lambda row: not p[1](row))),
    )


PREDICATES = st.recursive(st.one_of(leaf(_TOP), nested(), of_lists()), _joined, max_leaves=6)


@given(PREDICATES, st.lists(ROWS, max_size=8))
@settings(max_examples=300, deadline=None)
def test_a_predicate_means_what_it_says(predicate: tuple[str, Any], rows: list[dict[str, Any]]) -> None:
    text, meaning = predicate
    node = settle(parse_predicate(text, {}), FIELDS["customers"])
    test = compile_test(node)
    assert [test(row) for row in rows] == [bool(meaning(row)) for row in rows]


@given(PREDICATES, ROWS)
@settings(max_examples=200, deadline=None)
def test_what_an_index_is_told_is_never_too_narrow(predicate: tuple[str, Any], row: dict[str, Any]) -> None:
    text, meaning = predicate
    node = settle(parse_predicate(text, {}), FIELDS["customers"])
    if not meaning(row):
        return
    low, high = bounds(node, "lastModifiedAt")
    assert low is None or low <= row["lastModifiedAt"]
    assert high is None or row["lastModifiedAt"] <= high
    values = exact_values(node, "externalId")
    assert values is None or row["externalId"] in values


@given(PREDICATES, st.lists(ROWS, max_size=12), st.sampled_from([[], ["lastModifiedAt asc", "id asc"], ["id desc"]]))
@settings(max_examples=150, deadline=None)
def test_a_query_finds_the_same_as_looking_at_every_row(
    predicate: tuple[str, Any], rows: list[dict[str, Any]], sort: list[str]
) -> None:
    text, meaning = predicate
    collection = Collection(grouped=("externalId",))
    stored = [{**row, "id": f"id-{number:02d}"} for number, row in enumerate(rows)]
    for row in stored:
        collection.put(row)
    params = [("where", text), ("limit", "500"), *(("sort", one) for one in sort)]
    query = read_query(params, FIELDS["customers"])
    page = orjson.loads(run_query(collection, query, ("id", "externalId"), lambda row, _: row))
    wanted = [row for row in stored if meaning(row)]
    if sort:
        wanted.sort(key=lambda row: [row[one.split()[0]] for one in sort], reverse="desc" in sort[0])
        assert page["results"] == wanted
    assert sorted(row["id"] for row in page["results"]) == sorted(row["id"] for row in wanted)
    assert page["total"] == page["count"] == len(wanted)


_KEYS = st.text(st.characters(min_codepoint=97, max_codepoint=102), max_size=3)


@given(st.lists(st.tuples(st.booleans(), _KEYS), max_size=80), _KEYS)
def test_the_sorted_index_is_a_sorted_set(steps: list[tuple[bool, str]], start: str) -> None:
    keys: SortedKeys[str] = SortedKeys()
    model: set[str] = set()
    for add, key in steps:
        if add and key not in model:
            keys.add(key)
            model.add(key)
        elif not add and key in model:
            keys.remove(key)
            model.remove(key)
    assert list(keys.walk()) == sorted(model)
    assert len(keys) == len(model)
    assert list(keys.walk(start)) == sorted(key for key in model if key >= start)
    assert list(keys.walk(start, backwards=True)) == sorted((key for key in model if key <= start), reverse=True)


def test_the_sorted_index_holds_many_blocks() -> None:
    keys: SortedKeys[str] = SortedKeys()
    for number in [*range(0, 9000, 2), *range(8999, 0, -2)]:
        keys.add(f"{number:05d}")
    assert list(keys.walk("04000"))[:2] == ["04000", "04001"]
    assert len(list(keys.walk())) == len(keys) == 9000
    for number in range(100, 9000):
        keys.remove(f"{number:05d}")
    assert list(keys.walk(backwards=True)) == [f"{number:05d}" for number in range(99, -1, -1)]


def test_an_empty_query_walks_everything() -> None:
    assert (
        run_query(Collection(), Query(), (), lambda row, _: row)
        == b'{"limit":20,"offset":0,"count":0,"total":0,"results":[]}'
    )
