"""The search index: behind the records by a delay, never with archived ones, at most 10,000 results."""

from __future__ import annotations

import random
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from heapq import nlargest, nsmallest
from typing import Any

from syncd.runtime.clock import Clock
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, validation
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.properties import Definition
from syncd.sandbox.hubspot.records import AlwaysThere, Record, RecordBase
from syncd.sandbox.hubspot.shapes import integer, mapping, mappings, optional
from syncd.sandbox.hubspot.values import InvalidError, epoch_ms, iso
from syncd.sandbox.lazy import Segment

MAX_PAGE = 200
MAX_RESULTS = 10_000
MAX_GROUPS = 5
MAX_FILTERS = 6
MAX_FILTERS_TOTAL = 18
MAX_QUERY = 3000

_VALUELESS = {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}
_LISTED = {"IN", "NOT_IN"}
_OPERATORS = {
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
} | _VALUELESS | _LISTED  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as the index saw it last."""

    record: Record
    values: Mapping[str, str]
    seen_ms: int


class _Unread(Mapping[str, str]):
    """The values of a record that was always there: its last change can be asked without working out the others."""

    __slots__ = ("_changed", "_record")

    def __init__(self, record: Record) -> None:
        self._record, self._changed = record, iso(record.updated_ms)

    def __getitem__(self, name: str) -> str:
        return self._changed if name == self._record.kind.modified else self._record.values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._record.values)

    def __len__(self) -> int:
        return len(self._record.values)


class SearchIndex:
    """Every change becomes visible ``least`` to ``most`` seconds after it happened."""

    def __init__(self, clock: Clock, dice: random.Random, least: float = 0.0, most: float = 2.0) -> None:
        self.least, self.most = least, most
        self._clock = clock
        self._dice = dice
        self._entries: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
        """In order of last sight, so that the freshest are at the end."""
        self._due: deque[tuple[int, Record]] = deque()
        self._waiting: set[str] = set()
        self._always: dict[str, Segment[str, AlwaysThere]] = {}

    def settle(self, kind: Kind, base: RecordBase) -> None:
        """Know the records of a base, as they always were."""
        self._always[kind.name] = Segment(base)

    def touch(self, record: Record) -> None:
        """Note that a record changed."""
        if record.id not in self._waiting:
            self._waiting.add(record.id)
            delay = self.least + (self.most - self.least) * self._dice.random()
            self._due.append((self._clock.now_ms() + int(delay * 1000), record))

    def forget(self, record: Record) -> None:
        self._entries[record.kind.name].pop(record.id, None)
        if record.kind.name in self._always:
            self._always[record.kind.name].drop(record.id)

    def _catch_up(self, records: Callable[[Record], bool]) -> None:
        now = self._clock.now_ms()
        kept: deque[tuple[int, Record]] = deque()
        while self._due:
            due, record = self._due.popleft()
            if due > now:
                kept.append((due, record))
                continue
            self._waiting.discard(record.id)
            shelf = self._entries[record.kind.name]
            shelf.pop(record.id, None)
            if record.kind.name in self._always:
                self._always[record.kind.name].change(record.id)
            if not record.archived_ms and records(record):
                shelf[record.id] = Entry(record, record.values, now)
        self._due = kept

    def entries(self, kind: Kind, since_ms: int, alive: Callable[[Record], bool]) -> Iterator[Entry]:
        """Entries that can have been modified at or after ``since_ms``."""
        self._catch_up(alive)
        for entry in reversed(self._entries[kind.name].values()):
            if entry.seen_ms < since_ms:
                break  # sights only get older from here, and a change is older than its sight
            yield entry
        if kind.name in self._always:
            segment = self._always[kind.name]
            for at_ms, rank in segment.by_time(since_ms):
                record = segment.row(rank)
                if not record.archived_ms:
                    yield Entry(record, _Unread(record), at_ms)


@dataclass(frozen=True, slots=True)
class Found:
    total: int
    page: Sequence[Entry]
    next_after: str


Test = Callable[[Entry], bool]
Neighbours = Callable[[str, str], set[str]]
"""Record id and object name to associated ids."""


@dataclass(frozen=True, slots=True)
class Query:
    """A checked search request."""

    groups: Sequence[Sequence[Test]]
    words: Sequence[str]
    sort: tuple[str, bool] | None
    limit: int
    after: int
    since_ms: int
    """No group can match what was last modified before."""


def parse(kind: Kind, body: Mapping[str, Any], definitions: Mapping[str, Definition], near: Neighbours) -> Query:
    """Raises :class:`ApiError`."""
    groups = [_filters(one) for one in mappings(body.get("filterGroups"), "filterGroups")]
    _check_size(groups)
    limit = integer(body.get("limit") or 10, "limit")
    after = integer(body.get("after") or 0, "after")
    if after < 0:
        raise validation("after must not be negative")
    if not 1 <= limit <= MAX_PAGE:
        raise validation(f"limit must be between 1 and {MAX_PAGE}")
    if after + limit > MAX_RESULTS:
        raise validation(
            f"Paging beyond the first {MAX_RESULTS} results is not possible", context={"after": [str(after)]}
        )
    words = optional(body, "query").lower()
    if len(words) > MAX_QUERY:
        raise validation(f"query is longer than {MAX_QUERY} characters")
    tests = [[_test(one, definitions, near) for one in group] for group in groups]
    since = min((_since(kind, group) for group in groups), default=0)
    return Query(tests, words.split(), _sort(body.get("sorts") or [], definitions), limit, after, since)


def _filters(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    if group.get("filters") is None:
        raise missing_fields("filters")
    return mappings(group["filters"], "filters")


def _check_size(groups: Sequence[Sequence[Any]]) -> None:
    if len(groups) > MAX_GROUPS:
        raise validation(f"The maximum number of filter groups is {MAX_GROUPS}")
    if any(len(group) > MAX_FILTERS for group in groups):
        raise validation(f"The maximum number of filters per group is {MAX_FILTERS}")
    if sum(len(group) for group in groups) > MAX_FILTERS_TOTAL:
        raise validation(f"The maximum number of filters is {MAX_FILTERS_TOTAL}")


def _since(kind: Kind, filters: Iterable[Mapping[str, Any]]) -> int:
    """The lowest modification time a group of filters admits."""
    lowest = 0
    for one in filters:
        if one.get("propertyName") == kind.modified and one.get("operator") in {"GT", "GTE", "BETWEEN", "EQ"}:
            lowest = max(lowest, epoch_ms(str(one["value"])))
    return lowest


def _sort(raw: Any, definitions: Mapping[str, Definition]) -> tuple[str, bool] | None:
    """One sort: an object, or a property's name with ``-`` in front for descending."""
    if not isinstance(raw, list) or len(raw) > 1:
        raise validation("Only one sort is supported")
    if not raw:
        return None
    if isinstance(raw[0], str):
        name, down = raw[0].removeprefix("-"), raw[0].startswith("-")
    else:
        one = mapping(raw[0], "sorts")
        name, down = optional(one, "propertyName"), one.get("direction") == "DESCENDING"
    if name not in definitions:
        raise _problem(f"Property {name} to sort by does not exist")
    return name, down


def _problem(message: str) -> ApiError:
    return validation("There was a problem with the request.", errors=[{"message": message}])


def _comparable(definition: Definition, text: str) -> Any:
    """A value that orders as the property's type does. Raises ``InvalidError``."""
    match definition.type:
        case "number":
            try:
                return Decimal(text)
            except InvalidOperation:
                raise InvalidError("INVALID_INTEGER", f"{text} was not a valid number.") from None
        case "date" | "datetime":
            return epoch_ms(text)
    return text.lower()


def _test(one: Mapping[str, Any], definitions: Mapping[str, Definition], near: Neighbours) -> Test:
    name, operator = optional(one, "propertyName"), optional(one, "operator")
    if operator not in _OPERATORS:
        raise _problem(f"{operator} is not a valid operator")
    if name.startswith("associations."):
        return _associated(name.removeprefix("associations."), operator, one, near)
    definition = definitions.get(name)
    if definition is None:
        raise _problem(f"Property {name} does not exist")
    if operator in _LISTED and not isinstance(one.get("values"), list):
        raise _problem(f"operator {operator} requires values")
    if operator not in _VALUELESS | _LISTED and one.get("value") is None:
        raise _problem(f"operator {operator} requires a value")
    try:
        return _compare(definition, operator, one)
    except InvalidError as error:
        raise _problem(str(error)) from None


def _associated(name: str, operator: str, one: Mapping[str, Any], near: Neighbours) -> Test:
    if operator not in {"EQ", "IN"}:
        raise _problem(f"operator {operator} is not supported on associations")
    wanted = {str(one["value"])} if operator == "EQ" else {str(each) for each in one.get("values") or []}
    return lambda entry: not wanted.isdisjoint(near(entry.record.id, name))


def _compare(definition: Definition, operator: str, one: Mapping[str, Any]) -> Test:
    name = definition.name
    if operator in _VALUELESS:
        wanted = operator == "HAS_PROPERTY"
        return lambda entry: (name in entry.values) == wanted
    if operator in _LISTED:
        # The index holds lower case: what is listed with capitals is never found.
        listed = {str(each) for each in one["values"]}
        if operator == "IN":
            return lambda entry: entry.values.get(name, "").lower() in listed
        return lambda entry: name in entry.values and entry.values[name].lower() not in listed
    if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        return _contains(name, str(one["value"]), wanted=operator == "CONTAINS_TOKEN")
    if operator == "BETWEEN" and one.get("highValue") is None:
        raise _problem("operator BETWEEN requires a highValue")
    low = _comparable(definition, str(one["value"]))
    high = _comparable(definition, str(one["highValue"])) if operator == "BETWEEN" else None

    def meets(entry: Entry) -> bool:
        held = entry.values.get(name)
        if held is None:
            return operator == "NEQ"
        here = _comparable(definition, held)
        match operator:
            case "EQ":
                return bool(here == low)
            case "NEQ":
                return bool(here != low)
            case "LT":
                return bool(here < low)
            case "LTE":
                return bool(here <= low)
            case "GT":
                return bool(here > low)
            case "GTE":
                return bool(here >= low)
        return bool(low <= here <= high)

    return meets


def _contains(name: str, pattern: str, *, wanted: bool) -> Test:
    """Whole words; ``*`` stands for any letters at either end."""
    inside = r"\S*".join(re.escape(part) for part in pattern.lower().split("*"))
    word = re.compile(rf"(?:^|(?<=[\s@.,;:/_-])){inside}(?=$|[\s@.,;:/_-])")
    return lambda entry: bool(word.search(entry.values.get(name, "").lower())) == wanted


_SEARCHED = ("email", "firstname", "lastname", "phone", "company", "name", "domain", "dealname", "description",
             "subject", "content", "hs_sku", "hs_order_name", "hs_object_id")  # fmt: skip


def _mentions(entry: Entry, words: Sequence[str]) -> bool:
    held = " ".join(entry.values.get(name, "") for name in _SEARCHED).lower()
    return all(word in held for word in words)


def run(query: Query, entries: Iterable[Entry], definitions: Mapping[str, Definition]) -> Found:
    total = 0

    def hits() -> Iterator[Entry]:
        nonlocal total
        for entry in entries:
            if (not query.groups or any(all(test(entry) for test in group) for group in query.groups)) and (
                not query.words or _mentions(entry, query.words)
            ):
                total += 1
                yield entry

    # Only the first of them are kept: an account may have half a million.
    end = query.after + query.limit
    first = _order(query, hits(), end, definitions)
    return Found(total, first[query.after :], str(end) if end < total else "")


def _order(query: Query, hits: Iterable[Entry], most: int, definitions: Mapping[str, Definition]) -> list[Entry]:
    """The first ones by the sort, those without a value last, and by id."""
    if query.sort is None:
        return nsmallest(most, hits, key=lambda entry: int(entry.record.id))
    name, down = query.sort
    definition, sign = definitions[name], -1 if down else 1

    def key(entry: Entry) -> tuple[int, Any, int]:
        id_ = sign * int(entry.record.id)
        return (sign, _comparable(definition, entry.values[name]), id_) if name in entry.values else (2 * sign, "", id_)

    return nlargest(most, hits, key=key) if down else nsmallest(most, hits, key=key)
