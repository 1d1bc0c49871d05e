"""Where a stream of the Webhooks Journal stands, and what of it is being read again. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Final

import orjson

from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError

MARGIN_MS: Final = 60_000
"""How far a span that is read again reaches beyond its ends: clocks differ, and entries are published late."""
RETENTION_MS: Final = 3 * 86_400_000
NEARLY_MS: Final = RETENTION_MS - 3_600_000
"""Away for longer than this, an empty position may hide entries that came and went."""


@dataclass(frozen=True, slots=True)
class Mend:
    """A span under repair. Milliseconds of the vendor's clock."""

    from_at: int
    until_at: int
    reason: str
    poll: str = ""
    """How far the reading of what changed has come: a poll's cursor."""
    archived: str = ""
    """How far the reading of what was deleted has come."""
    step: str = "changed"
    """``changed``, ``archived``, then ``settle``: the end of a recent span is read once more when the index, which
    trails the writes, has certainly caught up."""


@dataclass(frozen=True, slots=True)
class Place:
    offset: str = ""
    """The last entry that was taken; empty: go on with the first one there is."""
    at: int = 0
    """Up to here everything was told."""
    seen_at: int = 0
    """When the subscriptions were last seen to be whole."""
    floor: int = 0
    """What happened before this was told already: the journal may tell it again after a lost position."""
    mend: Mend | None = None

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    def reading(self, mend: Mend | None) -> Place:
        return replace(self, mend=mend)


def parse_place(text: str | None) -> Place | None:
    """Raises :class:`VendorError` with the remedy ASK for what is no cursor of ours."""
    if not text:
        return None
    try:
        data = orjson.loads(text)
        mend = Mend(**data["mend"]) if data["mend"] else None
        return Place(str(data["offset"]), int(data["at"]), int(data["seen_at"]), int(data["floor"]), mend)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise VendorError(Failure(Remedy.ASK, "bad-cursor", "the stream's cursor cannot be read")) from None


def lost(place: Place, reason: str, earliest_at: int, now: int, overlap_ms: int) -> Place:
    """The position is gone. The journal is taken up where it begins now; what lies between is to be read again.

    ``earliest_at``: when the first entry that is left was published, 0 for none. Nothing is lacking where the journal
    reaches back to what was told.
    """
    since = place.mend.from_at if place.mend else max(0, place.at - overlap_ms)
    fresh = Place("", place.at, place.seen_at, max(0, place.at - overlap_ms), None)
    if earliest_at and earliest_at <= place.at and place.mend is None:
        return fresh
    return fresh.reading(Mend(since, (earliest_at or now) + MARGIN_MS, reason))


def forgotten(place: Place, now: int, overlap_ms: int) -> Place:
    """For a while nothing was subscribed to: the position holds, and what happened meanwhile is to be read again."""
    since = max(0, min(place.seen_at or place.at, place.at) - overlap_ms)
    if place.mend is not None:
        since = min(since, place.mend.from_at)
    return place.reading(Mend(since, now + MARGIN_MS, "subscription-lost"))
