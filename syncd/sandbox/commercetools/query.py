"""``GET /{resource}``: parameters, the walk over the indexes, the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import orjson

from syncd.sandbox.commercetools.collection import Collection, Row
from syncd.sandbox.commercetools.errors import invalid_input
from syncd.sandbox.commercetools.fields import Kind
from syncd.sandbox.commercetools.grammar import Both, Node, parse_predicate
from syncd.sandbox.commercetools.predicate import Test, bounds, compile_test, exact_values, settle

MAX_LIMIT = 500
MAX_OFFSET = 10_000
TOTAL_CAP = 10_000
"""With a predicate the total is counted no further."""

Expander: TypeAlias = Callable[[Row, Sequence[str]], Row]


@dataclass(slots=True)
class Query:
    where: Node | None = None
    sort: list[tuple[list[str], bool]] = field(default_factory=list)
    """Path and whether descending."""
    limit: int = 20
    offset: int = 0
    with_total: bool = True
    expand: list[str] = field(default_factory=list)


def read_query(params: Iterable[tuple[str, str]], fields: dict[str, Kind]) -> Query:
    """Raises ``ApiError`` InvalidInput."""
    query, wheres, variables = Query(), [], dict[str, list[str]]()
    for name, value in params:
        match name:
            case "where":
                wheres.append(value)
            case "sort":
                query.sort.append(_sort(value, fields))
            case "limit":
                query.limit = _number(name, value, MAX_LIMIT)
            case "offset":
                query.offset = _number(name, value, MAX_OFFSET)
            case "withTotal":
                # Client libraries in the field write "False" too.
                if value.lower() not in {"true", "false"}:
                    raise invalid_input(f"Malformed parameter: withTotal: '{value}' is not a boolean.")
                query.with_total = value.lower() == "true"
            case "expand":
                query.expand.append(value)
            case _ if name.startswith("var."):
                variables.setdefault(name[4:], []).append(value)
            case _:
                raise invalid_input(f"Malformed parameter: '{name}' is not a parameter of this endpoint.")
    nodes = [settle(parse_predicate(text, variables), fields) for text in wheres]
    if nodes:
        query.where = nodes[0] if len(nodes) == 1 else Both(tuple(nodes))
    return query


def _number(name: str, value: str, most: int) -> int:
    if not value.isdecimal() or int(value) > most:
        raise invalid_input(f"Malformed parameter: {name}: '{value}' is not within 0 and {most}.")
    return int(value)


def _sort(text: str, fields: dict[str, Kind]) -> tuple[list[str], bool]:
    words = text.split()
    if not 1 <= len(words) <= 2 or (len(words) == 2 and words[1] not in {"asc", "desc"}):
        raise invalid_input(f"Malformed parameter: sort: '{text}'. Expected 'field', 'field asc' or 'field desc'.")
    path = words[0].replace("`", "").split(".")
    kind: Kind = fields
    for part in path:
        if isinstance(kind, str) and kind != "any":
            raise invalid_input(f"Malformed parameter: sort: The field '{words[0]}' does not exist.")
        if isinstance(kind, dict):
            if part not in kind:
                raise invalid_input(f"Malformed parameter: sort: The field '{words[0]}' does not exist.")
            kind = kind[part]
    return path, words[-1] == "desc" and len(words) == 2


def run_query(collection: Collection, query: Query, indexed: Sequence[str], expander: Expander) -> bytes:
    """The response body. ``indexed`` are the paths the collection can be asked for exactly."""
    test = compile_test(query.where) if query.where is not None else None
    ordered, order_known = _candidates(collection, query, indexed)
    matches = _matching(collection, ordered, test)
    if not order_known:
        matches = iter(_sorted(collection, matches, query.sort))
    page = list(islice(matches, query.offset, query.offset + query.limit))
    head = f'{{"limit":{query.limit},"offset":{query.offset},"count":{len(page)}'
    if query.with_total:
        head += f',"total":{_total(collection, query, len(page), matches)}'
    rows = [collection.raw(id_) for id_ in page]
    if query.expand:
        rows = [orjson.dumps(expander(orjson.loads(raw), query.expand)) for raw in rows]
    return head.encode() + b',"results":[' + b",".join(rows) + b"]}"


def _total(collection: Collection, query: Query, on_page: int, rest: Iterator[str]) -> int:
    if query.where is None:
        return len(collection)
    # An empty page says nothing of how many were skipped: fewer than the offset.
    if not on_page and query.offset:
        unpaged = Query(where=query.where, limit=MAX_LIMIT)
        return _total(collection, unpaged, 0, _matching(collection, collection.ids(), compile_test(query.where)))
    seen = query.offset + on_page
    return seen + sum(1 for _ in islice(rest, max(0, TOTAL_CAP - seen)))


def exists(collection: Collection, query: Query, indexed: Sequence[str]) -> bool:
    test = compile_test(query.where) if query.where is not None else None
    ordered, _ = _candidates(collection, query, indexed)
    return next(_matching(collection, ordered, test), None) is not None


def _matching(collection: Collection, ids: Iterable[str], test: Test | None) -> Iterator[str]:
    if test is None:
        return iter(ids)
    return (id_ for id_ in ids if test(collection.get(id_) or {}))


def _candidates(collection: Collection, query: Query, indexed: Sequence[str]) -> tuple[Iterable[str], bool]:
    """Ids among which all matches are, and whether they already stand in the order asked for."""
    where = query.where
    if where is not None:
        for path in indexed:
            values = exact_values(where, path)
            if values is None:
                continue
            if path == "id":
                return [id_ for id_ in sorted(values) if id_ in collection], not query.sort
            found = collection.holders(path, values)
            if found is not None:
                return found, not query.sort
    match query.sort:
        case [(["id"], down)]:
            low, high = bounds(where, "id") if where is not None else (None, None)
            return _walk_ids(collection, low, high, down), True
        case [(["lastModifiedAt"], down)]:
            return _walk_modified(collection, where, down), True
        case [(["lastModifiedAt"], down), (["id"], down_too)] if down == down_too:
            return _walk_modified(collection, where, down), True
    if where is not None and bounds(where, "lastModifiedAt") != (None, None):
        return _walk_modified(collection, where, down=False), not query.sort
    return collection.ids(), not query.sort


def _walk_ids(collection: Collection, low: str | None, high: str | None, down: bool) -> Iterator[str]:
    for id_ in collection.walk_ids(high if down else low, backwards=down):
        if (down and low is not None and id_ < low) or (not down and high is not None and id_ > high):
            return
        yield id_


def _walk_modified(collection: Collection, where: Node | None, down: bool) -> Iterator[str]:
    low, high = bounds(where, "lastModifiedAt") if where is not None else (None, None)
    edge = high if down else low
    # Upwards the smallest id of that instant, downwards something above all ids.
    start = None if edge is None else (edge, "\uffff" if down else "")
    for stamp, id_ in collection.walk_modified(start, backwards=down):
        if (down and low is not None and stamp < low) or (not down and high is not None and stamp > high):
            return
        yield id_


def _sorted(collection: Collection, ids: Iterable[str], sort: list[tuple[list[str], bool]]) -> list[str]:
    rows = [(id_, collection.get(id_) or {}) for id_ in ids]
    # Sorts are stable, so the least important order goes first.
    for path, down in reversed(sort):
        rows.sort(key=lambda row: _sort_key(row[1], path), reverse=down)
    return [id_ for id_, _ in rows]


def _sort_key(row: Row, path: list[str]) -> tuple[int, Any]:
    value: Any = row
    for part in path:
        if isinstance(value, list):
            value = value[0] if value else None
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or isinstance(value, list | dict):
        return 0, 0
    return (1, float(value)) if isinstance(value, int | float) else (2, str(value))
