"""Polls and scans of the store: pages in an order that writes do not disturb.

A *round* of a poll asks for what changed since the last round's high water, less the overlap, and walks it by id, not
by time: what is written meanwhile keeps its place, and what changed behind the walk has a newer moment and is met in
the next round. Moments are the vendor's and have whole seconds; our clock gives nothing but the span of a round.

A customer's attributes have moments of their own, which the customer's does not follow, so a round of customers walks
the attribute values too. Carts have no list: their poll walks the orders, and tells of carts that became one.
A metafield has a moment of its own too, which the resource's does not follow: where metafields are mapped, a round
walks those that changed. Deletions show in none of these walks.

A **scan** walks everything, without a moment to start from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce.addresses import turned
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.directory import Directory
from syncd.systems.bigcommerce.endpoint import Listed, Shelf
from syncd.systems.bigcommerce.metafields import Metafields, names
from syncd.systems.bigcommerce.objects import instant_ms, iso, names_of
from syncd.systems.bigcommerce.read import Reader
from syncd.systems.contract import Page, Snapshot, VendorError

ROWS, VALUES, FIELDS = "rows", "values", "metafields"
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
    seen: str = ""
    """While walking: what was told lately, lest it be told twice."""

    def encode(self) -> str:
        members: dict[str, Any] = {"at": self.at}
        if self.phase:
            members |= {"phase": self.phase, "after": self.after, "top": self.top, "begun": self.begun}
            members |= {"total": self.total, "clock": self.clock, **({"seen": self.seen} if self.seen else {})}
        return orjson.dumps(members).decode()


def decode(text: str) -> Cursor:
    """Raises :class:`VendorError` for a cursor that is none of ours."""
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_cursor() from None
    if not isinstance(members, dict) or members.keys() - Cursor.__dataclass_fields__.keys() or "at" not in members:
        raise _bad_cursor()
    kinds = {"phase": str, "after": str, "seen": str}
    if not all(type(value) is kinds.get(name, int) for name, value in members.items()):
        raise _bad_cursor()
    return Cursor(**members)


def begin(cursor: Cursor, client: Client) -> Cursor:
    """The first page of a round is to be asked for."""
    # The vendor's clock at its last answer, which came before anything of this round is asked.
    return replace(cursor, phase=ROWS, begun=client.now_ms(), top=cursor.at, clock=client.vendor_ms)


def ended(cursor: Cursor, client: Client) -> Cursor:
    """What became visible behind the walk while it went on must be met in the next round. A clock that was set back
    says nothing of the span: then the round is walked once more.

    Where the vendor told its time, the water rises with that too: after an import of a hundred thousand, a round would
    otherwise walk them all again until something newer happens."""
    now = client.now_ms()
    span = now - cursor.begun if now >= cursor.begun else cursor.top
    told = cursor.clock - 1000 if cursor.clock else 0  # the vendor's clock shows whole seconds
    return Cursor(max(cursor.at, cursor.top - span, told))


class Capture:
    """``shelves`` are the kinds of objects by name."""

    def __init__(
        self, client: Client, reader: Reader, directory: Directory, metafields: Metafields,
        shelves: Mapping[str, Shelf],
    ) -> None:  # fmt: skip
        self._client = client
        self._reader = reader
        self._directory = directory
        self._metafields = metafields
        self._shelves = shelves

    async def poll(self, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
        """The next page of changes. Without a cursor: no rows yet, but a cursor that pins the present."""
        if text is None:
            return Page((), Cursor(await self._newest(mapping, lane)).encode(), more=True)
        cursor = decode(text)
        begun = cursor if cursor.phase else begin(cursor, self._client)
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
        """The next page of everything."""
        cursor = decode(text) if text else Cursor(0)
        listed = await self._shelves[mapping.object].page(mapping, cursor.after, None, lane)
        if 0 <= listed.total < cursor.total:
            return Page((), Cursor(0, ROWS, total=-1).encode(), more=True)
        after = listed.after
        following = Cursor(0, ROWS if after else "", after or cursor.after, total=listed.total)
        return Page(listed.snapshots, following.encode(), more=bool(after))

    # -- one page

    async def _page(
        self, mapping: ObjectMapping, cursor: Cursor, since: int, lane: Lane
    ) -> tuple[Sequence[Snapshot], Cursor]:
        """A page of the phase that is being walked. Lists that are paged by number are shifted by a deletion between
        two pages: when there are fewer than before, the phase begins anew."""
        listed = await self._phase(mapping, cursor, since, lane)
        if 0 <= listed.total < cursor.total:
            return (), replace(cursor, after="", total=-1)
        reached = replace(cursor, after=listed.after, total=listed.total, top=max(cursor.top, listed.top))
        if listed.after:
            return listed.snapshots, reached
        phases = [ROWS]
        phases += [VALUES] if mapping.object == "customers" and names_of(mapping, "attributes") else []
        phases += [FIELDS] if names(mapping) else []
        rest = phases[phases.index(cursor.phase) + 1 :]
        if rest:
            return listed.snapshots, replace(reached, phase=rest[0], after="", total=-1)
        return listed.snapshots, ended(reached, self._client)

    async def _phase(self, mapping: ObjectMapping, cursor: Cursor, since: int, lane: Lane) -> Listed:
        if cursor.phase == VALUES:
            return await self._values(mapping, cursor, since, lane)
        if cursor.phase == FIELDS:
            return await self._fields(mapping, cursor, since, lane)
        return await self._shelves[mapping.object].page(mapping, cursor.after, since, lane)

    async def _values(self, mapping: ObjectMapping, cursor: Cursor, since: int, lane: Lane) -> Listed:
        """Customers by their attribute values."""
        wanted = names_of(mapping, "attributes")
        known = await self._directory.attributes(lane, wanted=wanted)
        ids = [str(known[name].id) for name in wanted if name in known]
        if not ids:
            return Listed(())
        page, limit = int(cursor.after or 1), self._client.settings.page_limit
        params = [("attribute_id:in", ",".join(ids)), ("date_modified:min", iso(since)), ("page", str(page))]
        rows, meta = await self._client.rows("customers/attribute-values", lane, [*params, ("limit", str(limit))])
        owners = list(dict.fromkeys(str(one["customer_id"]) for one in rows))
        found = await self._reader.read(mapping, owners, lane)
        top = max((instant_ms(one.get("date_modified")) for one in rows), default=0)
        return Listed(found, *turned(meta, page, len(rows), limit), top)

    async def _fields(self, mapping: ObjectMapping, cursor: Cursor, since: int, lane: Lane) -> Listed:
        """Resources by their metafields."""
        page = int(cursor.after or 1)
        rows, meta = await self._metafields.changed(mapping, iso(since), page, lane)
        owners = list(dict.fromkeys(str(one["resource_id"]) for one in rows))
        found = await self._shelves[mapping.object].read(mapping, owners, lane)
        top = max((instant_ms(one.get("date_modified")) for one in rows), default=0)
        return Listed(found, *turned(meta, page, len(rows), self._client.settings.page_limit), top)

    async def _newest(self, mapping: ObjectMapping, lane: Lane) -> int:
        """When the newest row changed, where a list tells; else the vendor's clock. With no rows at all, everything
        that comes is new: the epoch."""
        params = [("sort", "date_modified:desc"), ("limit", "1")]
        if mapping.object == "customers":
            rows, _ = await self._client.rows("customers", lane, params)
        elif mapping.object in ("orders", "carts"):
            rows = await self._client.v2_rows("orders", lane, params)
        else:
            # A small question that says what time it is there.
            await self._shelves[mapping.object].page(mapping, "", self._client.now_ms(), lane)
            return (self._client.vendor_ms or self._client.now_ms()) - 1000
        return instant_ms(rows[0].get("date_modified")) if rows else 0


def _bad_cursor() -> VendorError:
    return VendorError(Failure(Remedy.ASK, "bad-cursor", "the stored cursor is not one of this connector's"))
