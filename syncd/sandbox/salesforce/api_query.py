"""``query``, ``queryAll``, their cursors, and ``limits``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from syncd.sandbox.salesforce.call import Answer, Call
from syncd.sandbox.salesforce.errors import SalesforceError, not_there
from syncd.sandbox.salesforce.records import Row
from syncd.sandbox.salesforce.soql_run import Found, Plan, compile_query

LEAST_PAGE, DEFAULT_PAGE, LARGEST_PAGE = 200, 2000, 2000
_CURSOR_MS = 2 * 24 * 3600 * 1000


@dataclass(slots=True)
class Cursor:
    user_id: str
    plan: Plan
    rows: Found
    resource: str
    made_ms: int


class Cursors:
    """Open query results, a few per user; the oldest make room for new ones."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Cursor] = OrderedDict()

    def keep(self, id_: str, cursor: Cursor, most: int) -> None:
        own = [key for key, one in self._open.items() if one.user_id == cursor.user_id]
        for key in own[: max(0, len(own) - most + 1)]:
            del self._open[key]
        self._open[id_] = cursor

    def find(self, id_: str, user_id: str, now_ms: int) -> Cursor | None:
        held = self._open.get(id_)
        if held is None or held.user_id != user_id:
            return None
        if now_ms - held.made_ms > _CURSOR_MS:
            del self._open[id_]
            return None
        return held

    def clear(self) -> None:
        self._open.clear()


def answer(call: Call) -> Answer:
    """``call.path`` begins with ``query`` or ``queryAll``."""
    call.only("GET", "HEAD")
    match call.path:
        case (resource,):
            return _first(call, resource)
        case (_, locator):
            return _next(call, locator)
    raise not_there()


def page_size(call: Call) -> int:
    """``Sforce-Query-Options: batchSize=500``."""
    for part in call.headers.get("sforce-query-options", "").split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "batchsize" and value.strip().isdigit():
            return min(max(int(value), LEAST_PAGE), LARGEST_PAGE)
    return DEFAULT_PAGE


def _first(call: Call, resource: str) -> Answer:
    text = call.param("q")
    if not text:
        raise SalesforceError("MALFORMED_QUERY", "SOQL statement cannot be empty or null")
    plan = compile_query(call.org, text, everything=resource == "queryAll")
    if plan.query.counts:
        return Answer(200, {"totalSize": plan.count(), "done": True, "records": []})
    if plan.query.aggregates:
        records = plan.aggregated()
        return Answer(200, {"totalSize": len(records), "done": True, "records": records})
    rows = plan.found()
    size = page_size(call)
    if len(rows) <= size:
        return Answer(200, _page(call, plan, rows, len(rows), ""))
    id_ = call.org.ids.new("01g")
    cursor = Cursor(call.caller.user_id, plan, rows, resource, call.org.clock.now_ms())
    call.vendor.cursors.keep(id_, cursor, call.vendor.limits.settings.open_cursors)
    return Answer(200, _page(call, plan, rows[:size], len(rows), f"{call.base}/{resource}/{id_}-{size}"))


def _next(call: Call, locator: str) -> Answer:
    id_, _, text = locator.partition("-")
    cursor = call.vendor.cursors.find(id_, call.caller.user_id, call.org.clock.now_ms())
    if cursor is None or not text.isdigit() or int(text) > len(cursor.rows):
        raise SalesforceError("INVALID_QUERY_LOCATOR", "invalid query locator")
    start, size = int(text), page_size(call)
    rows, following = cursor.rows[start : start + size], start + size
    more = f"{call.base}/{cursor.resource}/{id_}-{following}" if following < len(cursor.rows) else ""
    return Answer(200, _page(call, cursor.plan, rows, len(cursor.rows), more))


def _page(call: Call, plan: Plan, rows: Sequence[Row], total: int, more: str) -> dict[str, Any]:
    out: dict[str, Any] = {"totalSize": total, "done": not more}
    if more:
        out["nextRecordsUrl"] = more
    out["records"] = [plan.record(row, call.base) for row in rows]
    return out


# -- limits


def limits(call: Call) -> Answer:
    """``call.path`` begins with ``limits``."""
    call.only("GET", "HEAD")
    org = call.org
    match call.path[1:]:
        case ():
            rows = sum(len(table.rows) for table in org.tables.values())
            return Answer(200, call.vendor.limits.report(rows))
        case ("recordCount",):
            names = [name for name in call.param("sObjects").split(",") if name] or list(org.tables)
            kinds = [kind for name in names if (kind := org.schema.find(name)) is not None]
            return Answer(200, {"sObjects": [{"count": org.table(kind).live, "name": kind.name} for kind in kinds]})
    raise not_there()
