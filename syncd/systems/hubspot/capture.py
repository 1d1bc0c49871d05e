"""Polling by search, as a keyset that is sound on an index that sorts by one property only and shifts while it is read.

Each page is a new question from the last stamp on (never an offset: an object that changes while we page would move to
the end and shift an unseen one into a page already read; and the vendor ends at 10,000 results). The stamp at the end
of a page is asked again, so objects that share it are met twice rather than missed. Where one stamp fills a whole page,
its objects are walked by ``hs_object_id`` until they end, however many they are. Every poll starts again an overlap
behind its own high-water mark, because new objects reach the index late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import Page, VendorError
from syncd.systems.hubspot.objects import listed, modified_property, next_of, properties_of
from syncd.systems.hubspot.pipelines import Pipelines
from syncd.systems.hubspot.read import milliseconds, shooter
from syncd.systems.hubspot.relations import Relations
from syncd.systems.hubspot.sdk import SEARCH, Sdk
from syncd.systems.hubspot.settings import SEARCH_PAGE
from syncd.systems.hubspot.vitals import Vitals


@dataclass(frozen=True, slots=True)
class Cursor:
    """Milliseconds of the vendor's clock. A sweep is one walk from the overlap behind ``high`` up to the present."""

    high: int
    """Up to here everything was seen when the last sweep ended."""
    since: int | None = None
    """The stamp from which the sweep under way goes on; ``None`` between sweeps."""
    past_id: int | None = None
    """Inside the one stamp ``since``: the last object id seen."""
    top: int = 0
    """The newest stamp this sweep has seen."""
    horizon: int = 0
    """When this sweep began. What changed later may have reached the index out of order while we walked, so the next
    sweep starts from here at the latest, however far this one got."""

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()


def parse_cursor(text: str) -> Cursor:
    """Raises :class:`VendorError` with the remedy ASK for what is no cursor of ours."""
    try:
        data = orjson.loads(text)
        since, past_id = (None if data[name] is None else int(data[name]) for name in ("since", "past_id"))
        return Cursor(int(data["high"]), since, past_id, int(data["top"]), int(data["horizon"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise VendorError(Failure(Remedy.ASK, "bad-cursor", "the poll's cursor cannot be read")) from None


def question(stamp: str, paths: Sequence[str], cursor: Cursor, overlap_ms: int) -> dict[str, Any]:
    """The search that a cursor asks next."""
    since = cursor.high - overlap_ms if cursor.since is None else cursor.since
    filters = [{"propertyName": stamp, "operator": "GTE", "value": str(since)}]
    order = stamp
    if cursor.past_id is not None:
        filters.append({"propertyName": stamp, "operator": "LTE", "value": str(since)})
        filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": str(cursor.past_id)})
        order = "hs_object_id"
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
        "properties": list(dict.fromkeys((*paths, stamp))),
        "limit": SEARCH_PAGE,
        "after": "0",
    }


def step(
    cursor: Cursor, stamps: Sequence[int], ids: Sequence[int], overlap_ms: int, now_ms: int, *, cut: bool = False,
    settles: bool = False,
) -> tuple[Cursor, bool]:  # fmt: skip
    """The cursor after a page with the given stamps and object ids, and whether to go on at once. Pure.

    ``cut``: the vendor says that more stands behind the page, which may be shorter than was asked for.
    Each step moves on in ``(since, past_id)``, so a sweep ends. ``now_ms`` is the vendor's time. ``settles``: it is
    that for certain, so what lies an overlap behind it has been seen, and the last burst before a quiet time is not
    met in every poll.
    """
    since = cursor.high - overlap_ms if cursor.since is None else cursor.since
    horizon = now_ms if cursor.since is None else cursor.horizon
    top = max(cursor.top, *stamps) if stamps else cursor.top
    full = len(ids) >= SEARCH_PAGE or (cut and bool(ids))
    if cursor.past_id is not None:
        if full:
            return Cursor(cursor.high, since, max(ids), top, horizon), True
        # This stamp is done; the next millisecond goes on by stamp.
        return Cursor(cursor.high, since + 1, None, top, horizon), True
    if not full:
        settled = horizon - overlap_ms if settles else 0
        return Cursor(max(cursor.high, min(top, horizon), settled)), False
    if stamps[-1] > since:
        return Cursor(cursor.high, stamps[-1], None, top, horizon), True
    # One stamp fills the page, in no promised order: walk it by id from the start.
    return Cursor(cursor.high, since, 0, top, horizon), True


class Capture:
    def __init__(self, sdk: Sdk, world: World, vitals: Vitals, pipelines: Pipelines, relations: Relations) -> None:
        self._relations = relations
        self._sdk = sdk
        self._world = world
        self._vitals = vitals
        self._pipelines = pipelines

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        overlap = round(mapping.capture.overlap_seconds * 1000)
        place = parse_cursor(cursor) if cursor else Cursor(self._now_ms())
        aliases = await self._pipelines.aliases(mapping, lane)
        stamp = modified_property(mapping.object)
        body = question(stamp, properties_of(mapping), place, overlap)
        data = await self._sdk.call(SEARCH, mapping.object, public_object_search_request=body, lane=lane, kind="search")
        if not isinstance(data, Mapping) or not isinstance(data.get("results"), list):
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the search answered without results", 200))
        shot = shooter(mapping, aliases)
        shots = [shot(one) for one in listed(data) if str(one.get("id")).isdecimal()]
        if len(shots) < len(data["results"]) or (next_of(data) and not shots):
            # Going on behind a page of which something cannot be read would pass over it.
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the search answered with no objects", 200))
        stamps = [milliseconds(shot.data.get(stamp)) or shot.modified_at for shot in shots]
        ids = [int(shot.external_id) for shot in shots]
        known = self._vitals.skew_seconds is not None
        onward, more = step(place, stamps, ids, overlap, self._now_ms(), cut=bool(next_of(data)), settles=known)
        if more and onward == place:
            raise VendorError(Failure(Remedy.RETRY, "no-progress", "the search repeats itself", 200))
        filled = await self._relations.filled(mapping, {shot.external_id: shot for shot in shots}, lane)
        return Page([filled[shot.external_id] for shot in shots], onward.text(), more)

    def _now_ms(self) -> int:
        """The vendor's time, as far as its replies have told it."""
        return self._world.clock.now_ms() - round((self._vitals.skew_seconds or 0.0) * 1000)
