"""Time passing becomes a change: carts that have lain idle long enough are staged as abandoned.

Before that the shop is asked once more: a cart that was ordered or touched while nobody told us (a late poll, an
outage, a restart) was not abandoned. While the shop cannot be asked, nothing is declared abandoned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.rules import INTERNAL
from syncd.engine.signals import Signals
from syncd.engine.worker import Worker
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.store import books, changes, links
from syncd.store.database import Database, Tx
from syncd.systems.contract import Snapshot, VendorError

BATCH = 500
LONGEST_SECONDS = 30.0
AGAIN_SECONDS = 1.0
"""After the shop could not be asked."""
TOUCHED = "touched_at"
"""The field that says when somebody last touched a thing; whoever maps it can be asked."""


class IdleWatch(Worker):
    name = "idle-watch"

    def __init__(self, *, database: Database, flows: Flows, signals: Signals, health: Health, world: World) -> None:
        super().__init__(database)
        self._flows = flows
        self._signals = signals
        self._health = health
        self._world = world

    async def turn(self) -> None:
        fired = await self.step()
        if fired is None:
            await self.pause(AGAIN_SECONDS)
        elif not fired:
            await self._rest()

    async def step(self) -> int | None:
        """Stage the timers that have fired; how many. ``None`` when they wait for the shop."""
        now = self._world.clock.now_ms()
        due = dict(await self._database.read(partial(books.due_timers, kind="idle", now=now, limit=BATCH)))
        if not due:
            return 0
        places = await self._database.read(partial(_places, flows=self._flows, records=list(due)))
        seen: list[Change] = []
        held: set[str] = set()
        for mapping, ids in places:
            told = await self._ask(mapping, list(ids))
            if told is None:
                held.update(ids.values())
            else:
                seen += [_told(mapping, one, ids[number], now) for number, one in told.items()]
        due = {record: at for record, at in due.items() if record not in held}
        if not due:
            return None
        await self._database.write(partial(_fire, seen=seen, asked=due, now=self._world.clock.now_ms()))
        self._signals.ring_staged()
        return len(due)

    async def _ask(self, mapping: ObjectMapping, ids: Sequence[str]) -> Mapping[str, Snapshot] | None:
        """What stands there now, by id; ``None`` when nobody answers."""
        connection = mapping.connection
        if not self._health.open(connection):
            return None
        try:
            read = await self._flows.systems[connection].read(mapping, ids, Lane.LIVE)
        except VendorError as error:
            self._health.answered(connection, error.failure)
            return None
        self._health.succeeded(connection)
        return read.found

    async def _rest(self) -> None:
        due = await self._database.read(books.next_timer)
        wait = LONGEST_SECONDS if due is None else max(0.0, (due - self._world.clock.now_ms()) / 1000)
        await self.listen(self._signals.timers, min(wait, LONGEST_SECONDS))


def _places(tx: Tx, flows: Flows, records: Sequence[str]) -> list[tuple[ObjectMapping, dict[str, str]]]:
    """Whom to ask: each mapping with its vendor's ids and the records these are."""
    sources = [one for one in flows.mappings if TOUCHED in {item.field for item in one.readable()}]
    linked = links.of_records(tx, records)
    found = []
    for one in sources:
        places = ((record, links_.get((one.connection, one.object))) for record, links_ in linked.items())
        ids = {link.external_id: record for record, link in places if link is not None and not link.gone}
        if ids:
            found.append((one, ids))
    return found


def _told(mapping: ObjectMapping, snapshot: Snapshot, record: str, now: int) -> Change:
    return Change(
        connection=mapping.connection, object=mapping.object, external_id=snapshot.external_id, kind=ChangeKind.STATE,
        channel=Channel.POLL, lane=Lane.LIVE, dedupe_key=f"idle:{record}:{now}", received_at=now,
        occurred_at=snapshot.modified_at, version=snapshot.version, payload=dict(snapshot.data),
        partial=snapshot.partial,
    )  # fmt: skip


def _fire(tx: Tx, seen: Iterable[Change], asked: Mapping[str, int], now: int) -> None:
    """What the shop said first, then the time that has passed: they are folded in this order."""
    # A record may have been touched while the shop was asked; then its timer stands at another time.
    still = {record: at for record, at in books.due_timers(tx, "idle", now, -1) if asked.get(record) == at}
    changes.stage(
        tx,
        [
            *seen,
            *(
                Change(
                    connection=INTERNAL, object="idle", external_id=record, kind=ChangeKind.STATE,
                    channel=Channel.CLOCK, dedupe_key=f"idle:{record}:{at}", received_at=at, occurred_at=at,
                    lane=Lane.LIVE,
                )
                for record, at in still.items()
            ),
        ],
    )  # fmt: skip
    books.set_timers(tx, "idle", dict.fromkeys(still, None))
