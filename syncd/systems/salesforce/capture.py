"""Polling: what changed by (SystemModstamp, Id), what was deleted or merged away by the vendor's feed of deletions.

A sweep is one walk from an overlap behind the last one's end up to the present. The order is total, so rows that share
a stamp are neither missed nor met twice within a sweep; the overlap is for rows whose transaction committed late, with
an early stamp. Each page is a question of its own, so a sweep outlives a restart and no cursor of the vendor's is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import orjson
import structlog

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import instant_from_ms
from syncd.runtime.clock import World
from syncd.systems.contract import Page, Snapshot, VendorError
from syncd.systems.salesforce.describe import Describer
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.read import Reader
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import QUERY_PAGE
from syncd.systems.salesforce.soql import STAMP, instant, literal, name, select
from syncd.systems.salesforce.values import milliseconds
from syncd.systems.salesforce.vitals import Vitals

log = structlog.get_logger(__name__)

MINUTE: Final = 60_000
FEED_DAYS_MS: Final = 29 * 86_400_000
"""The feed of deletions reaches 30 days back, and no window may be longer."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Milliseconds of the vendor's clock."""

    high: int
    """Up to here everything was seen when the last sweep ended."""
    since: int | None = None
    """Where the sweep under way stands; ``None`` between sweeps."""
    past_id: str = ""
    """Inside the stamp ``since``: the last id seen."""
    top: int = 0
    """The newest stamp this sweep has seen."""
    horizon: int = 0
    """When this sweep began: what was committed later may carry an earlier stamp."""
    deleted: int = 0
    """Up to here deletions were fetched."""

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()


def parse_cursor(text: str) -> Cursor:
    """Raises :class:`VendorError` with the remedy ASK for what is no cursor of ours."""
    try:
        data = orjson.loads(text)
        since = None if data["since"] is None else int(data["since"])
        past = str(data["past_id"])
        return Cursor(int(data["high"]), since, past, int(data["top"]), int(data["horizon"]), int(data["deleted"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise VendorError(Failure(Remedy.ASK, "bad-cursor", "the poll's cursor cannot be read")) from None


def where(since: int, past_id: str, until: int = 0) -> str:
    """The condition of the next page. Pure."""
    stamp = instant(since)
    after = (
        f"({STAMP} > {stamp} OR ({STAMP} = {stamp} AND Id > {literal(past_id)}))" if past_id else f"{STAMP} >= {stamp}"
    )
    return f"{after} AND {STAMP} <= {instant(until)}" if until else after


def step(
    cursor: Cursor, found: Sequence[Snapshot], overlap: int, now: int, page: int, *, settles: bool = False
) -> tuple[Cursor, bool]:
    """The cursor after a page, and whether to go on at once. Pure; each step moves on, so a sweep ends.

    ``settles``: ``now`` is the vendor's time for certain, so what lies an overlap behind it is not met again. Otherwise
    only a newer stamp moves the mark on.
    """
    since = max(0, cursor.high - overlap) if cursor.since is None else cursor.since
    horizon = now if cursor.since is None else cursor.horizon
    top = max(cursor.top, *(one.modified_at for one in found)) if found else cursor.top
    if len(found) >= page:
        last = found[-1]
        return replace(
            cursor, since=max(since, last.modified_at), past_id=last.external_id, top=top, horizon=horizon
        ), True
    settled = horizon - overlap if settles else 0
    return Cursor(max(cursor.high, min(top, horizon), settled), deleted=cursor.deleted), False


class Capture:
    def __init__(self, rest: Rest, reader: Reader, describer: Describer, world: World, vitals: Vitals) -> None:
        self._rest = rest
        self._reader = reader
        self._describer = describer
        self._world = world
        self._vitals = vitals

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        # Asked first, so that the vendor's time is known by a reply.
        await self._describer.schema(mapping.object, lane)
        now = self._now()
        place = parse_cursor(cursor) if cursor else Cursor(now, deleted=now - now % MINUTE)
        overlap = round(mapping.capture.overlap_seconds * 1000)
        since = max(0, place.high - overlap) if place.since is None else place.since
        found = await self.changed(mapping, since, place.past_id if place.since is not None else "", lane)
        # This reply's own time: our clock may have been set since the one before.
        known, now = self._vitals.skew_seconds is not None, self._now()
        onward, more = step(place, found, overlap, now, QUERY_PAGE, settles=known)
        if not more:
            gone, covered = await self.deletions(mapping, onward.deleted, now, lane)
            found = [*found, *gone]
            onward = replace(onward, deleted=covered)
        return Page(found, onward.text(), more)

    async def changed(
        self, mapping: ObjectMapping, since: int, past_id: str, lane: Lane, until: int = 0
    ) -> list[Snapshot]:
        """One page of what changed from a stamp on, oldest first."""
        return await self._reader.select(mapping, where(since, past_id, until), lane, f"{STAMP},Id", QUERY_PAGE)

    async def deletions(self, mapping: ObjectMapping, since: int, until: int, lane: Lane) -> tuple[list[Snapshot], int]:
        """Records deleted or merged away in a window, and up to when the feed answers for."""
        schema = await self._describer.schema(mapping.object, lane)
        start, end = since - since % MINUTE, until - until % MINUTE
        if not schema.replicateable or end - start < MINUTE:
            return [], since
        if end - start > FEED_DAYS_MS:
            log.warning("salesforce.deletions_lost", mapping=mapping.name, since=instant(start))
            start = end - FEED_DAYS_MS
        params = {"start": _feed_instant(start), "end": _feed_instant(end)}
        data = await self._rest.get(f"sobjects/{name(mapping.object)}/deleted/", lane, params)
        listed = data.get("deletedRecords") if isinstance(data, Mapping) else None
        if not isinstance(listed, list):
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the feed of deletions has no list", 200))
        gone = {long_id(one["id"]): milliseconds(one.get("deletedDate")) for one in listed if is_id(one.get("id"))}
        covered = milliseconds(data.get("latestDateCovered")) or end
        led = await self._reader.survivors(mapping.object, list(gone), lane) if gone else {}
        return [departed(mapping.object, one, at, led.get(one, "")) for one, at in gone.items()], min(covered, end)

    async def binned(self, mapping: ObjectMapping, since: int, lane: Lane) -> list[Snapshot]:
        """What went into the recycle bin lately: the feed knows whole minutes only, so of the last one it tells
        nothing."""
        schema = await self._describer.schema(mapping.object, lane)
        if not schema.replicateable or schema.field("IsDeleted") is None:
            return []
        columns = ("Id", STAMP, "MasterRecordId") if schema.mergeable else ("Id", STAMP)
        soql = select(columns, name(mapping.object), f"IsDeleted = TRUE AND {STAMP} >= {instant(since)}", f"{STAMP},Id")
        rows = [one for one in await self._rest.query_all(soql, lane, deleted=True) if is_id(one.get("Id"))]
        merged = [long_id(one["Id"]) for one in rows if is_id(one.get("MasterRecordId"))]
        led = await self._reader.survivors(mapping.object, merged, lane) if merged else {}
        ids = [(long_id(one["Id"]), milliseconds(one.get(STAMP))) for one in rows]
        return [departed(mapping.object, one, at, led.get(one, "")) for one, at in ids]

    def _now(self) -> int:
        return self._vitals.vendor_ms(self._world.clock.now_ms())


def departed(object_: str, external_id: str, at: int, into: str) -> Snapshot:
    """A record that is gone, perhaps into another one."""
    word = f"merged-{into}" if into else "deleted"
    return Snapshot(object_, external_id, {}, f"{word}-{at}", at, deleted=not into, merged_into=into)


def _feed_instant(milliseconds_: int) -> str:
    return instant_from_ms(milliseconds_)[:19] + "+00:00"
