"""A mapping's changes from the Webhooks Journal, as batches with the cursor behind them.

Every mapping has its own place; the pages are shared. Where the place is lost (the journal keeps three days, and a
place at its very end may age out with nothing having happened) the journal is taken up where it begins now, and exactly
the span between is read again: what changed by search, what was deleted from the list of the archived, what was merged
away from what the survivors say of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import structlog

from syncd.model.change import Change, Lane
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import Batch, Gap, VendorError
from syncd.systems.hubspot.capture import Capture, Cursor, parse_cursor
from syncd.systems.hubspot.journal_events import change_of
from syncd.systems.hubspot.journal_pages import Entry, Pages, PositionLostError, unavailable
from syncd.systems.hubspot.journal_place import MARGIN_MS, NEARLY_MS, Mend, Place, forgotten, lost, parse_place
from syncd.systems.hubspot.journal_subscriptions import Subscriptions
from syncd.systems.hubspot.portal import Portal
from syncd.systems.hubspot.read import Reader
from syncd.systems.hubspot.vitals import Vitals

log = structlog.get_logger(__name__)

TICK_MS: Final = 30_000
"""With nothing to tell the cursor moves on this often, lest it ages."""
AUDIT_MS: Final = 3_600_000
"""How often the subscriptions are looked at."""


class Journal:
    def __init__(
        self, connection: str, pages: Pages, subscriptions: Subscriptions, portal: Portal, capture: Capture,
        reader: Reader, world: World, vitals: Vitals,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._pages = pages
        self._subscriptions = subscriptions
        self._portal = portal
        self._capture = capture
        self._reader = reader
        self._world = world
        self._vitals = vitals

    async def stream(self, mapping: ObjectMapping, cursor: str | None) -> AsyncIterator[Batch]:
        """See :meth:`syncd.systems.contract.StreamingSystem.stream`."""
        place = parse_place(cursor)
        self._pages.portal = await self._portal.id(Lane.LIVE)
        anew = await self._asked(mapping, Lane.LIVE)
        if place is None:
            now = self._now()
            place = Place(await self._pages.latest(Lane.LIVE), now, now)
            yield Batch((), place.text())
        elif anew:
            place = forgotten(place, self._now(), self._overlap(mapping))
            yield self._stated(mapping, place)
        elif not place.offset and self._now() - place.at > NEARLY_MS:
            place = await self._lost(mapping, place, "position-lost")
            yield self._stated(mapping, place)
        place = replace(place, seen_at=self._now())
        while True:
            async for batch, onward in self._step(mapping, place):
                place = onward
                yield batch

    async def _step(self, mapping: ObjectMapping, place: Place) -> AsyncIterator[tuple[Batch, Place]]:
        """What comes next: a piece of a repair, an entry, or a wait."""
        if place.mend is not None and self._due(mapping, place.mend):
            async for batch, onward in self._mended(mapping, place, place.mend):
                yield batch, onward
            return
        if self._now() - place.seen_at > AUDIT_MS:
            if await self._asked(mapping, Lane.SCHEDULED):
                place = forgotten(place, self._now(), self._overlap(mapping))
            place = replace(place, seen_at=self._now())
            yield self._stated(mapping, place), place
        try:
            entry = await self._pages.next(place.offset, Lane.LIVE)
        except PositionLostError:
            place = await self._lost(mapping, place, "position-lost")
            yield self._stated(mapping, place), place
            return
        if entry is not None:
            place, changes = self._told(mapping, place, entry)
            yield Batch(changes, place.text()), place
            return
        wait, asked = self._pages.quiet(place.offset)
        at = self._vendor_ms(asked) if asked else place.at
        if at - place.at >= TICK_MS:
            place = replace(place, at=at)
            yield Batch((), place.text()), place
        await self._world.clock.sleep(wait)

    async def _asked(self, mapping: ObjectMapping, lane: Lane) -> bool:
        """See to the subscriptions; whether there was none for the object."""
        try:
            return await self._subscriptions.ensure(mapping, self._pages.portal, lane)
        except VendorError as error:
            raise VendorError(unavailable(error.failure)) from None

    def _told(self, mapping: ObjectMapping, place: Place, entry: Entry) -> tuple[Place, list[Change]]:
        now = self._world.clock.now_ms()
        found = [
            change_of(event, self._connection, entry.offset, number, now)
            for number, event in entry.events.get(mapping.object, ())
        ]
        changes = [one for one in found if one is not None and not 0 < one.occurred_at < place.floor]
        return replace(place, offset=entry.offset, at=max(place.at, entry.published_at)), changes

    # --- gaps --------------------------------------------------------------------------------------------------

    async def _lost(self, mapping: ObjectMapping, place: Place, reason: str) -> Place:
        first = await self._pages.next("", Lane.LIVE)
        return lost(place, reason, first.published_at if first else 0, self._now(), self._overlap(mapping))

    def _stated(self, mapping: ObjectMapping, place: Place) -> Batch:
        mend = place.mend
        gap = None
        if mend is not None and (mend.step, mend.poll, mend.archived) == ("changed", "", ""):
            gap = Gap((mapping.object,), mend.from_at, mend.until_at, mend.reason)
        return Batch((), place.text(), gap=gap)

    def _due(self, mapping: ObjectMapping, mend: Mend) -> bool:
        return mend.step != "settle" or self._now() >= mend.until_at + self._overlap(mapping)

    async def _mended(self, mapping: ObjectMapping, place: Place, mend: Mend) -> AsyncIterator[tuple[Batch, Place]]:
        """One page of a repair."""
        if mend.step == "archived":
            gone, after = await self._reader.archived(
                mapping, mend.archived, mend.from_at, mend.until_at, Lane.SCHEDULED
            )
            onward = replace(mend, archived=after) if after else self._settled(mapping, mend)
            place = place.reading(onward)
            yield Batch((), place.text(), snapshots=gone, mended=onward is None), place
            return
        overlap = self._overlap(mapping)
        since = mend.from_at if mend.step == "changed" else max(mend.from_at, mend.until_at - 2 * overlap - MARGIN_MS)
        cursor = mend.poll or Cursor(since, since).text()
        page = await self._capture.poll(mapping, cursor, Lane.SCHEDULED)
        shots = [one for one in page.snapshots if one.modified_at <= mend.until_at]
        shots += await self._reader.absorbed(mapping, shots, Lane.SCHEDULED)
        place_now = parse_cursor(page.cursor)
        if page.more and (place_now.since or 0) <= mend.until_at:
            onward = replace(mend, poll=page.cursor)
        elif mend.step == "changed":
            onward = replace(mend, poll="", step="archived")
        else:
            onward = None
        place = place.reading(onward)
        yield Batch((), place.text(), snapshots=shots, mended=onward is None), place

    def _settled(self, mapping: ObjectMapping, mend: Mend) -> Mend | None:
        """What lies back far enough is in the index; the end of a recent span is read once more, later."""
        if self._now() >= mend.until_at + self._overlap(mapping):
            return None
        return replace(mend, step="settle", archived="")

    def _overlap(self, mapping: ObjectMapping) -> int:
        return max(MARGIN_MS, round(mapping.capture.overlap_seconds * 1000))

    def _vendor_ms(self, ours: int) -> int:
        return ours - round((self._vitals.skew_seconds or 0.0) * 1000)

    def _now(self) -> int:
        return self._vendor_ms(self._world.clock.now_ms())
