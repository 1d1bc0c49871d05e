"""One request on its way through the store, and the filters, pages and cursors that lists have in common."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import urlencode

import orjson

from syncd.sandbox.bigcommerce.accounts import ApiAccount
from syncd.sandbox.bigcommerce.errors import ApiError, invalid, malformed
from syncd.sandbox.bigcommerce.store import Store, moment
from syncd.sandbox.bigcommerce.table import Row, Table
from syncd.sandbox.http import Request

Answer: TypeAlias = tuple[int, Any]
"""Status and JSON body; ``None`` is no body."""

Test: TypeAlias = Callable[[Row], bool]
"""Whether a row belongs into a list."""

MAX_LIMIT = 250


@dataclass(slots=True)
class Call:
    store: Store
    account: ApiAccount
    request: Request
    rest: list[str]
    """What stands behind the version in the path."""
    params: dict[str, str]

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def actor(self) -> str:
        return self.account.actor

    def json(self) -> Any:
        try:
            return self.request.json()
        except ValueError:
            raise ApiError(400, "Input is invalid", {"body": "The JSON could not be parsed"}) from None

    def many(self, name: str) -> list[str] | None:
        """A comma-separated parameter; ``None`` where it is missing."""
        if name not in self.params:
            return None
        return [one.strip() for one in self.params[name].split(",") if one.strip()]

    def numbers(self, name: str) -> list[int] | None:
        found = self.many(name)
        if found is None:
            return None
        if not all(one.lstrip("-").isdigit() for one in found):
            raise invalid({name: "error.expected.ints"})
        return [int(one) for one in found]

    def number(self, name: str, default: int) -> int:
        raw = self.params.get(name, "")
        if raw and not re.fullmatch(r"[0-9]{1,12}", raw):
            raise invalid({name: "error.expected.int"})
        return int(raw or default)

    def amount(self, name: str) -> float | None:
        """A number, whole or not; ``None`` where it is not asked for. Raises ``ApiError``."""
        raw = self.params.get(name, "")
        if raw and not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", raw):
            raise invalid({name: "error.expected.number"})
        return float(raw) if raw else None

    def page(self) -> tuple[int, int]:
        """Page and limit. Raises ``ApiError`` 422."""
        page, limit = self.number("page", 1), self.number("limit", 50)
        if page < 1:
            raise invalid({"page": "error.min.1"})
        if not 1 <= limit <= MAX_LIMIT:
            raise invalid({"limit": f"error.max.{MAX_LIMIT}"})
        return page, limit

    def not_allowed(self) -> ApiError:
        return ApiError(405, "Method Not Allowed")


def instant(text: str, name: str) -> str:
    """A moment in a query, ISO 8601 or RFC 2822, in the form rows have. Raises ``ApiError`` 422."""
    try:
        found = moment(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        try:
            found = moment(parsedate_to_datetime(text).isoformat())
        except ValueError:
            raise invalid({name: "error.expected.date"}) from None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def link(call: Call, **changes: Any) -> str:
    kept = {key: value for key, value in call.params.items() if key not in {"page", "limit", "after", "before"}}
    return "?" + urlencode({**changes, **kept})


# -- V3 pages


def v3_page(call: Call, ids: Sequence[Any], render: Callable[[Sequence[Any]], list[Row]]) -> Answer:
    """A page by number, in the V3 envelope."""
    page, limit = call.page()
    part = ids[(page - 1) * limit : page * limit]
    pages = -(-len(ids) // limit)
    links = {"current": link(call, page=page, limit=limit)}
    if page > 1:
        links["previous"] = link(call, page=page - 1, limit=limit)
    if page < pages:
        links["next"] = link(call, page=page + 1, limit=limit)
    data = render(part)
    told = {"total": len(ids), "count": len(data), "per_page": limit, "current_page": page, "total_pages": pages}
    return 200, {"data": data, "meta": {"pagination": {**told, "links": links}}}


def v3_cursor_page(call: Call, ids: Sequence[int], render: Callable[[Sequence[Any]], list[Row]]) -> Answer:
    """A page by cursor where the request has one, else by number; with the cursors of either. ``ids`` ascend, or are
    in the order that was asked for."""
    after, before = call.params.get("after", ""), call.params.get("before", "")
    _, limit = call.page()
    if after or before:
        place = _place(ids, _cursor_id(after or before))
        begin = place if after else max(0, place - 1 - limit)
        part = ids[begin : begin + limit] if after else ids[begin : max(0, place - 1)]
        body: dict[str, Any] = {"data": render(part), "meta": {}}
    else:
        page, limit = call.page()
        begin = (page - 1) * limit
        part = ids[begin : begin + limit]
        body = v3_page(call, ids, render)[1]
    told: dict[str, Any] = {"count": len(part), "per_page": limit}
    links = {"current": link(call, limit=limit, **({"after": after} if after else {}))}
    if part:
        told |= {"start_cursor": cursor(part[0]), "end_cursor": cursor(part[-1])}
        if begin:
            links["previous"] = link(call, limit=limit, before=cursor(part[0]))
        if begin + len(part) < len(ids):
            links["next"] = link(call, limit=limit, after=cursor(part[-1]))
    body["meta"]["cursor_pagination"] = {**told, "links": links}
    return 200, body


def cursor(number: int) -> str:
    return base64.b64encode(orjson.dumps({"id": number})).decode().rstrip("=")


def _cursor_id(text: str) -> int:
    try:
        found = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        raise malformed("The cursor is not valid") from None
    if not isinstance(found, dict) or not isinstance(found.get("id"), int):
        raise malformed("The cursor is not valid")
    return int(found["id"])


def _place(ids: Sequence[int], number: int) -> int:
    """How many ids stand up to and including this one, which may be gone."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ids[middle] <= number else (low, middle)
    return low


# -- V2 pages


def v2_page(call: Call, ids: Sequence[int], render: Callable[[Sequence[int]], list[Row]]) -> Answer:
    """A bare array; nothing at all where there is none."""
    page, limit = call.page()
    part = ids[(page - 1) * limit : page * limit]
    return (200, render(part)) if part else (204, None)


# -- filters


@dataclass(frozen=True, slots=True)
class Filters:
    """Which query keys narrow a list. Others are ignored, as the vendor does."""

    numbers: tuple[str, ...] = ()
    """``<name>:in``."""
    texts: tuple[str, ...] = ()
    """``<name>:in``, whatever the case."""
    likes: tuple[str, ...] = ()
    """``<name>:like``."""
    dates: tuple[str, ...] = ("date_created", "date_modified")
    """``<name>``, ``<name>:min`` and ``:max``."""
    sorts: tuple[str, ...] = ()


def select(call: Call, table: Table, filters: Filters, more: Test | None = None) -> Sequence[int]:
    """Ids of the rows that the query asks for, in its order."""
    tests = [*_tests(call, filters), *([more] if more else [])]
    ids: Sequence[int] = _candidates(call, table, filters)
    if tests:
        ids = [number for number in ids if (row := table.get(number)) is not None and all(t(row) for t in tests)]
    return _sorted(call, table, ids, filters)


def _candidates(call: Call, table: Table, filters: Filters) -> Sequence[int]:
    wanted = call.numbers("id:in")
    if wanted is not None:
        return sorted({one for one in wanted if one in table})
    if "date_modified" in filters.dates and "date_modified:min" in call.params:
        return table.changed_since(instant(call.params["date_modified:min"], "date_modified:min"))
    return table.ids()


def _tests(call: Call, filters: Filters) -> Iterable[Test]:
    for name in filters.numbers:
        wanted = call.numbers(f"{name}:in")
        if wanted is not None and name != "id":
            yield partial(_is_in, name, frozenset(wanted))
    for name in filters.texts:
        texts = call.many(f"{name}:in")
        if texts is not None:
            yield partial(_is_among, name, frozenset(one.casefold() for one in texts))
    for name in filters.likes:
        if f"{name}:like" in call.params:
            yield partial(_is_like, name, call.params[f"{name}:like"].casefold())
    for name in filters.dates:
        yield from _date_tests(call, name)


def _date_tests(call: Call, name: str) -> Iterable[Test]:
    for suffix, test in (("", _is_on), (":min", _is_from), (":max", _is_until)):
        # The index has answered the least moment of change already.
        if name + suffix in call.params and not (suffix == ":min" and name == "date_modified"):
            yield partial(test, name, instant(call.params[name + suffix], name + suffix))


def _is_in(name: str, wanted: frozenset[int], row: Row) -> bool:
    return row.get(name) in wanted


def _is_among(name: str, wanted: frozenset[str], row: Row) -> bool:
    return str(named(row, name)).casefold() in wanted


def _is_like(name: str, part: str, row: Row) -> bool:
    return part in str(named(row, name)).casefold()


def _is_on(name: str, edge: str, row: Row) -> bool:
    return str(row[name])[:10] == edge[:10]


def _is_from(name: str, edge: str, row: Row) -> bool:
    return str(row[name]) >= edge


def _is_until(name: str, edge: str, row: Row) -> bool:
    return str(row[name]) <= edge


def _sorted(call: Call, table: Table, ids: Sequence[int], filters: Filters) -> Sequence[int]:
    wanted = call.params.get("sort", "")
    if not wanted:
        return ids
    name, _, order = wanted.partition(":")
    if name not in filters.sorts or order not in {"", "asc", "desc"}:
        raise invalid({"sort": f"error.enum.{','.join(filters.sorts)}"})
    if name == table.stamp:
        found = table.in_time_order(ids)
        return found[::-1] if order == "desc" else found
    keys: Mapping[int, Any] = {one: named(row, name) for one in ids if (row := table.get(one)) is not None}
    return sorted(keys, key=lambda one: (keys[one], one), reverse=order == "desc")


def named(row: Mapping[str, Any], name: str) -> Any:
    """A member, where ``name`` of a person is both names."""
    if name == "name" and "name" not in row:
        return f"{row.get('first_name', '')} {row.get('last_name', '')}".strip()
    return row.get(name)
