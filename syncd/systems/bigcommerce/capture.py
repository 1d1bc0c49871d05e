"""Polls and scans of the store: pages in an order that writes do not disturb.

A *round* of a poll asks for what changed since the last round's high water, less the overlap, and walks it by id, not
by time: what is written meanwhile keeps its place, and what changed behind the walk has a newer moment and is met in
the next round. Moments are the vendor's and have whole seconds; our clock gives nothing but the span of a round.

A customer's attributes have moments of their own, which the customer's does not follow, so a round of customers walks
the attribute values too. Carts have no list: their poll walks the orders, and tells of carts that became one.

A **scan** walks by id. Deletions show in neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import instant_from_ms
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.objects import Row, instant_ms, names_of
from syncd.systems.bigcommerce.read import Reader
from syncd.systems.contract import Page, Snapshot, VendorError

ROWS, VALUES = "rows", "values"
_EARLIEST_MS: Final = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    at: int
    """High water, in milliseconds since the epoch by the vendor's clock."""
    phase: str = ""
    """While walking: what is being walked."""
    after: str = ""
    """While walking: where the last page ended, as the vendor or the phase counts."""
    top: int = 0
    """While walking: the newest moment met."""
    begun: int = 0
    """While walking: our clock when the round began."""
    total: int = -1
    """While walking values: how many there were at the last page."""
    clock: int = 0
    """While walking: the vendor's clock before the round began, where it told one."""

    def encode(self) -> str:
        members: dict[str, Any] = {"at": self.at}
        if self.phase:
            members |= {"phase": self.phase, "after": self.after, "top": self.top, "begun": self.begun}
            members |= {"total": self.total, "clock": self.clock}
        return orjson.dumps(members).decode()


def decode(text: str) -> Cursor:
    """Raises :class:`VendorError` for a cursor that is none of ours."""
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_cursor() from None
    if not isinstance(members, dict) or members.keys() - Cursor.__dataclass_fields__.keys() or "at" not in members:
        raise _bad_cursor()
    kinds = {"phase": str, "after": str}
    if not all(type(value) is kinds.get(name, int) for name, value in members.items()):
        raise _bad_cursor()
    return Cursor(**members)


class Capture:
    def __init__(self, client: Client, reader: Reader, directory: Directory) -> None:
        self._client = client
        self._reader = reader
        self._directory = directory

    async def poll(self, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
        """The next page of changes. Without a cursor: no rows yet, but a cursor that pins the present."""
        if text is None:
            return Page((), Cursor(await self._newest(mapping, lane)).encode(), more=True)
        cursor = decode(text)
        begun = cursor if cursor.phase else self._begun(cursor)
        since = max(_EARLIEST_MS, begun.at - int(mapping.capture.overlap_seconds * 1000))
        try:
            found, following = await self._page(mapping, begun, since, lane)
        except VendorError as error:
            if cursor.phase and cursor.after and error.failure.remedy is Remedy.ASK:
                # The vendor does not take its own cursor back: the round begins anew.
                return Page((), Cursor(cursor.at).encode(), more=True)
            raise
        return Page(found, following.encode(), more=bool(following.phase))

    async def scan(self, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
        """The next page of everything, by id. Carts have no list: nothing is told of them."""
        if mapping.object == "carts":
            return Page((), Cursor(0).encode(), more=False)
        cursor = decode(text) if text else Cursor(0)
        found, after = await self._rows(mapping, cursor.after, None, lane)
        return Page(found, Cursor(0, ROWS if after else "", after or cursor.after).encode(), more=bool(after))

    # -- one page

    async def _page(
        self, mapping: ObjectMapping, cursor: Cursor, since: int, lane: Lane
    ) -> tuple[Sequence[Snapshot], Cursor]:
        if cursor.phase == VALUES:
            return await self._value_page(mapping, cursor, since, lane)
        found, after = await self._rows(mapping, cursor.after, since, lane)
        reached = replace(cursor, after=after, top=max([cursor.top, *(_own_moment(one) for one in found)]))
        if after:
            return found, reached
        if mapping.object == "customers" and names_of(mapping, "attributes"):
            return found, replace(reached, phase=VALUES, after="")
        return found, self._ended(reached)

    def _begun(self, cursor: Cursor) -> Cursor:
        # The vendor's clock at its last answer, which came before anything of this round is asked.
        now, clock = self._client.now_ms(), self._client.vendor_ms
        return replace(cursor, phase=ROWS, begun=now, top=cursor.at, clock=clock)

    def _ended(self, cursor: Cursor) -> Cursor:
        """What became visible behind the walk while it went on must be met in the next round. A clock that was set
        back says nothing of the span: then the round is walked once more.

        Where the vendor told its time, the water rises with that too: after an import of a hundred thousand, a round
        would otherwise walk them all again until something newer happens."""
        now = self._client.now_ms()
        span = now - cursor.begun if now >= cursor.begun else cursor.top
        told = cursor.clock - 1000 if cursor.clock else 0  # the vendor's clock shows whole seconds
        return Cursor(max(cursor.at, cursor.top - span, told))

    async def _rows(
        self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane
    ) -> tuple[list[Snapshot], str]:
        """A page of rows, and where the next one starts; empty at the end."""
        if mapping.object == "customers":
            return await self._customers(mapping, after, since, lane)
        limit = self._client.settings.page_limit
        params = [("min_id", str(int(after or 0) + 1)), ("sort", "id:asc"), ("limit", str(limit))]
        if since is not None:
            params.append(("min_date_modified", _iso(since)))
        rows = await self._client.v2_rows("orders", lane, params)
        last = max((int(one["id"]) for one in rows), default=0)
        if rows and last <= int(after or 0):
            raise _stuck()
        return await self._reader.orders(mapping, rows, lane), str(last) if len(rows) >= limit else ""

    async def _customers(
        self, mapping: ObjectMapping, after: str, since: int | None, lane: Lane
    ) -> tuple[list[Snapshot], str]:
        params = [("limit", str(self._client.settings.page_limit)), *self._reader.includes(mapping)]
        if after:
            params.append(("after", after))
        if since is not None:
            params.append(("date_modified:min", _iso(since)))
        rows, meta = await self._client.rows("customers", lane, params)
        told = meta.get("cursor_pagination")
        if not isinstance(told, Mapping):
            raise VendorError(Failure(Remedy.RETRY, "bad-response", "the list of customers has no cursors"))
        more = rows and isinstance(told.get("links"), Mapping) and told["links"].get("next")
        end = str(told.get("end_cursor") or "") if more else ""
        if more and end in ("", after):
            raise _stuck()
        return await self._reader.customers(mapping, rows, lane), end

    async def _value_page(
        self, mapping: ObjectMapping, cursor: Cursor, since: int, lane: Lane
    ) -> tuple[Sequence[Snapshot], Cursor]:
        """Customers by their attribute values. These come in pages by number, which a deletion between two pages
        shifts: when there are fewer than before, the phase begins anew."""
        names = names_of(mapping, "attributes")
        known = await self._directory.attributes(lane, wanted=names)
        ids = [str(known[name].id) for name in names if name in known]
        if not ids:
            return (), self._ended(cursor)
        page = int(cursor.after or 1)
        params = [("attribute_id:in", ",".join(ids)), ("date_modified:min", _iso(since)), ("page", str(page))]
        params.append(("limit", str(self._client.settings.page_limit)))
        rows, meta = await self._client.rows("customers/attribute-values", lane, params)
        told = meta.get("pagination") or {}
        total, pages = told.get("total"), told.get("total_pages")
        if isinstance(total, int) and total < cursor.total:
            return (), replace(cursor, after="", total=-1)
        wanted = list(dict.fromkeys(str(one["customer_id"]) for one in rows))
        found = await self._reader.customers(
            mapping, await self._reader.customer_rows(mapping, "id", wanted, lane), lane
        )
        reached = replace(cursor, top=max([cursor.top, *(instant_ms(one.get("date_modified")) for one in rows)]))
        ends = page >= pages if isinstance(pages, int) else len(rows) < self._client.settings.page_limit
        if not rows or ends:
            return found, self._ended(reached)
        return found, replace(reached, after=str(page + 1), total=total if isinstance(total, int) else -1)

    async def _newest(self, mapping: ObjectMapping, lane: Lane) -> int:
        """When the newest row changed. With no rows at all, everything that comes is new: the epoch."""
        params = [("sort", "date_modified:desc"), ("limit", "1")]
        rows: Sequence[Row]
        if mapping.object == "customers":
            rows, _ = await self._client.rows("customers", lane, params)
        else:
            rows = await self._client.v2_rows("orders", lane, params)
        return instant_ms(rows[0].get("date_modified")) if rows else 0


def _own_moment(one: Snapshot) -> int:
    """When the row itself changed; its attributes are another phase's business."""
    return instant_ms(one.data.get("date_modified", one.data.get("updated_time")))


def _iso(ms: int) -> str:
    return instant_from_ms(ms)[:19] + "Z"


def _stuck() -> VendorError:
    return VendorError(Failure(Remedy.RETRY, "bad-response", "a page does not go on where the last one ended"))


def _bad_cursor() -> VendorError:
    return VendorError(Failure(Remedy.ASK, "bad-cursor", "the stored cursor is not one of this connector's"))
