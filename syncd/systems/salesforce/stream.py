"""A mapping's change events as batches with the cursor behind them, and what is done when the stream cannot tell.

The place holds the last replay id and the vendor's time up to which everything was told. Where the position is lost
(it aged out, it is refused, syncd died before it had one) the span since then is stated as a gap, and read again by
SystemModstamp: first what has happened so far, then - once the new subscription has said where it stands - the rest, so
that the two overlap and nothing falls between them. An overflow is mended the same way, without losing the position.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import orjson
import structlog

from syncd.model.change import Change, ChangeKind, Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.systems.contract import Batch, Gap, VendorError
from syncd.systems.salesforce.allocation import Allocation
from syncd.systems.salesforce.avro import UnreadableEventError, decode
from syncd.systems.salesforce.capture import FEED_DAYS_MS, MINUTE, Capture
from syncd.systems.salesforce.describe import Describer
from syncd.systems.salesforce.events import Event, Reread, changes_of, reread_of
from syncd.systems.salesforce.pubsub import Fetched, PubSub, Received, from_text, to_text, topic_of
from syncd.systems.salesforce.read import Reader
from syncd.systems.salesforce.settings import QUERY_PAGE, Settings
from syncd.systems.salesforce.vitals import Vitals

log = structlog.get_logger(__name__)

MARGIN_MS: Final = 60_000
"""How far a span that is read again reaches beyond its ends: clocks differ, and transactions take their time."""


@dataclass(frozen=True, slots=True)
class Mend:
    """A span under repair. Milliseconds of the vendor's clock."""

    from_at: int
    until_at: int
    reason: str
    since: int = 0
    """How far the reading came; 0: not begun."""
    past_id: str = ""
    second: bool = False
    """The first part is read; the rest waits for the subscription to say where it stands."""


@dataclass(frozen=True, slots=True)
class Place:
    replay: str = ""
    """The last replay id, in base64; empty: there is none (yet)."""
    at: int = 0
    """Up to here everything was told."""
    mend: Mend | None = None

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()


def parse_place(text: str | None) -> Place | None:
    """Raises :class:`VendorError` with the remedy ASK for what is no cursor of ours."""
    if not text:
        return None
    try:
        data = orjson.loads(text)
        mend = Mend(**data["mend"]) if data["mend"] else None
        from_text(data["replay"])
        return Place(str(data["replay"]), int(data["at"]), mend)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise VendorError(Failure(Remedy.ASK, "bad-cursor", "the stream's cursor cannot be read")) from None


class Streams:
    def __init__(
        self, settings: Settings, pubsub: PubSub, capture: Capture, reader: Reader, describer: Describer,
        allocation: Allocation, world: World, vitals: Vitals,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._pubsub = pubsub
        self._capture = capture
        self._reader = reader
        self._describer = describer
        self._allocation = allocation
        self._world = world
        self._vitals = vitals

    async def stream(self, mapping: ObjectMapping, cursor: str | None) -> AsyncIterator[Batch]:
        """See :meth:`syncd.systems.contract.StreamingSystem.stream`."""
        place = parse_place(cursor)
        if place is None:
            # From here on nothing may be missed, though the subscription has not said yet where it stands.
            place = Place(at=self._now())
            yield Batch((), place.text())
        elif not place.replay and place.mend is None:
            place = self._lost(mapping, place, "position-unknown")
            yield self._stated(mapping, place)
        while True:
            try:
                async for batch, onward in self._subscribed(mapping, place):
                    yield batch
                    place = onward
            except VendorError as error:
                if error.failure.remedy is not Remedy.REREAD or not place.replay:
                    raise
                place = self._lost(mapping, place, "position-lost")
                yield self._stated(mapping, place)

    async def _subscribed(self, mapping: ObjectMapping, place: Place) -> AsyncIterator[tuple[Batch, Place]]:
        """One subscription. The repair of a lost position happens while it already gathers what is new."""
        if place.replay and place.mend is not None:
            async for batch, onward in self._mended(mapping, place):
                yield batch, onward
                place = onward
        subscription = self._pubsub.subscribe(topic_of(mapping.object), from_text(place.replay), Lane.LIVE)
        # Begun before anything is read again, so that what happens meanwhile waits at the vendor.
        first = asyncio.ensure_future(anext(subscription))
        try:
            if place.mend is not None and not place.mend.second:
                async for batch, onward in self._read_again(mapping, place):
                    yield batch, onward
                    place = onward
            fetched = await first
            while True:
                if not place.replay:
                    async for batch, onward in self._joined(mapping, place):
                        yield batch, onward
                        place = onward
                async for batch, onward in self._told(mapping, place, fetched):
                    yield batch, onward
                    place = onward
                fetched = await anext(subscription)
        finally:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await subscription.aclose()

    # --- events ------------------------------------------------------------------------------------------------

    async def _told(self, mapping: ObjectMapping, place: Place, fetched: Fetched) -> AsyncIterator[tuple[Batch, Place]]:
        """What a response says; a repair that it asks for comes right behind."""
        schema = await self._describer.schema(mapping.object, Lane.LIVE)
        now = self._world.clock.now_ms()
        changes: list[Change] = []
        rereads: list[Reread] = []
        at = place.at
        for received in fetched.events:
            event = await self._event(received)
            if event is None:
                rereads.append(Reread(mapping.object, max(0, at - MARGIN_MS), "event-unreadable"))
                continue
            at = max(at, event.at)
            again = reread_of(event, MARGIN_MS)
            if again is not None:
                rereads.append(again)
                continue
            changes += changes_of(event, mapping, schema, self._settings.marker, now)
        changes = await self._with_merges(mapping, changes)
        last = fetched.events[-1].replay_id if fetched.events else fetched.latest_replay_id
        onward = Place(to_text(last) or place.replay, at if fetched.events else self._now())
        if rereads:
            first = min(rereads, key=lambda one: one.from_at)
            onward = replace(onward, mend=Mend(first.from_at, self._now() + MARGIN_MS, first.reason))
        notice = await self._allocation.notice(len(fetched.events))
        yield Batch(changes, onward.text(), gap=self._gap(mapping, onward), notice=notice), onward
        if onward.mend is not None:
            async for step in self._mended(mapping, onward):
                yield step

    async def _event(self, received: Received) -> Event | None:
        """``None`` for an event that cannot be read: it happened, and what it says is read from the objects."""
        try:
            avro = await self._pubsub.schema(received.schema_id, Lane.LIVE)
            return Event(received.id, decode(avro, received.payload), avro.data)
        except UnreadableEventError as error:
            log.warning(
                "salesforce.event_unreadable", connection=self._settings.connection, event_id=received.id,
                why=str(error),
            )  # fmt: skip
            return None

    async def _with_merges(self, mapping: ObjectMapping, changes: Sequence[Change]) -> list[Change]:
        """A deletion may be one half of a merge, which events do not say."""
        gone = [one.external_id for one in changes if one.kind is ChangeKind.DELETED]
        led = await self._reader.survivors(mapping.object, gone, Lane.LIVE) if gone else {}
        return [
            replace(
                one, kind=ChangeKind.MERGED, external_id=led[one.external_id],
                payload={"into": led[one.external_id], "from": [one.external_id]},
            )
            if one.kind is ChangeKind.DELETED and one.external_id in led
            else one
            for one in changes
        ]  # fmt: skip

    # --- gaps --------------------------------------------------------------------------------------------------

    def _lost(self, mapping: ObjectMapping, place: Place, reason: str) -> Place:
        overlap = max(MARGIN_MS, round(mapping.capture.overlap_seconds * 1000))
        since = place.mend.from_at if place.mend is not None else max(0, place.at - overlap)
        return Place(at=place.at, mend=Mend(since, self._now() + MARGIN_MS, reason))

    def _gap(self, mapping: ObjectMapping, place: Place) -> Gap | None:
        mend = place.mend
        return None if mend is None else Gap((mapping.object,), mend.from_at, mend.until_at, mend.reason)

    def _stated(self, mapping: ObjectMapping, place: Place) -> Batch:
        return Batch((), place.text(), gap=self._gap(mapping, place))

    async def _read_again(self, mapping: ObjectMapping, place: Place) -> AsyncIterator[tuple[Batch, Place]]:
        """The span, page by page, then what was deleted in it. Ends with the first part done."""
        mend = place.mend
        if mend is None:
            raise AssertionError("a span to read comes first")
        while True:
            since = mend.since or mend.from_at
            found = await self._capture.changed(mapping, since, mend.past_id, Lane.SCHEDULED, mend.until_at)
            if len(found) < QUERY_PAGE:
                break
            mend = replace(mend, since=found[-1].modified_at, past_id=found[-1].external_id)
            place = replace(place, mend=mend)
            yield Batch((), place.text(), snapshots=found), place
        start = max(mend.from_at, mend.until_at - FEED_DAYS_MS)
        until = min(mend.until_at, self._now())
        gone, _ = await self._capture.deletions(mapping, start, until, Lane.SCHEDULED)
        told = {one.external_id for one in gone}
        fresh = await self._capture.binned(mapping, until - MARGIN_MS - MINUTE, Lane.SCHEDULED)
        gone = [*gone, *(one for one in fresh if one.external_id not in told)]
        place = replace(place, mend=replace(mend, second=True))
        yield Batch((), place.text(), snapshots=[*found, *gone]), place

    async def _mended(self, mapping: ObjectMapping, place: Place) -> AsyncIterator[tuple[Batch, Place]]:
        """A repair beside a position that still holds."""
        if place.mend is not None and not place.mend.second:
            async for batch, onward in self._read_again(mapping, place):
                yield batch, onward
                place = onward
        place = replace(place, mend=None)
        yield Batch((), place.text(), mended=True), place

    async def _joined(self, mapping: ObjectMapping, place: Place) -> AsyncIterator[tuple[Batch, Place]]:
        """The subscription has said where it stands: everything until now is read once more, from where the repair (or
        the beginning) left off."""
        mend = place.mend
        since = max(0, (mend.until_at if mend else place.at) - 2 * MARGIN_MS)
        rest = Mend(since, self._now() + MARGIN_MS, mend.reason if mend else "joining")
        last = place
        async for batch, onward in self._read_again(mapping, replace(place, mend=rest)):
            last = onward
            # Until the position is stored with the events behind it, a restart repairs the whole span.
            yield replace(batch, cursor=place.text()), place
        if mend is not None:
            yield Batch((), place.text(), mended=True), replace(last, mend=None, replay="")

    def _now(self) -> int:
        return self._vitals.vendor_ms(self._world.clock.now_ms())
