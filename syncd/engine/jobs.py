"""Bulk jobs across a crash: the book in which systems note them, and what a job that was noted still owes.

What was in a job when the daemon ended is neither sent again nor looked up one by one: the system is asked for the
verdicts of the whole job. What the writes said stands in the flights, so that the shadows become true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from syncd.engine.deliver import Batch
from syncd.engine.plan import Send, in_raw
from syncd.model.change import Lane
from syncd.model.delivery import Action, Delivery
from syncd.model.diff import Diff, FieldDiff
from syncd.model.mapping import ObjectMapping
from syncd.model.record import Link
from syncd.model.value import ABSENT
from syncd.runtime.clock import World
from syncd.store import flights, jobs, links, records
from syncd.store.database import Database, Tx
from syncd.store.jobs import Noted
from syncd.systems.contract import Job, Write

SETTLED_AT_ONCE = 500
"""Verdicts of a job that are settled in one transaction."""


class DurableJobBook:
    """Implements :class:`syncd.systems.contract.JobBook` for one connection."""

    def __init__(self, connection: str, database: Database, world: World) -> None:
        self._connection = connection
        self._database = database
        self._world = world

    async def begun(self, job: Job) -> None:
        await self._database.write(
            partial(
                jobs.begin, connection=self._connection, id_=job.id, object_=job.object, keys=job.keys,
                now=self._world.clock.now_ms(),
            ),
            urgent=True,
        )  # fmt: skip

    async def ended(self, job: Job) -> None:
        """Nothing: the verdicts were handed over and are not safe yet. Settling the last of them forgets the job."""


def batch_of(tx: Tx, mapping: ObjectMapping, noted: Noted) -> Batch:
    """Some of what a job still owes, as if it had just been sent: the vendor's verdicts are settled against it."""
    rows = jobs.open_deliveries(tx, noted.number, SETTLED_AT_ONCE)
    ids = [one.record_id for one in rows]
    loaded = records.load(tx, ids, origins=False)
    linked = links.of_records(tx, ids)
    flown = flights.of_records(tx, ids)
    place = (mapping.connection, mapping.object)
    childish = {child.field for child in mapping.children}
    sends, blind = [], set[str]()
    for one in rows:
        sent = (flown.get((one.record_id, *place)) or [{}])[-1]
        # Nobody tells of children: what the job did to them is made sure of by writing them once more, whole.
        fields = {name: value for name, value in sent.items() if name not in childish}
        if childish & sent.keys():
            blind.add(one.record_id)
        link = linked.get(one.record_id, {}).get(place)
        record = replace(loaded[one.record_id], fields={**loaded[one.record_id].fields, **fields})
        shadow = link.shadow if link else {}
        parts = tuple(FieldDiff(name, shadow.get(name, ABSENT), value) for name, value in fields.items())
        diff = Diff(Action.UPDATE if link else Action.CREATE, parts)
        sends.append(Send(one, record, link, diff, _write(mapping, one, link, diff)))
    lane = min((one.lane for one in rows), default=Lane.BULK)
    return Batch(mapping, lane, sends, blind=frozenset(blind))


def _write(mapping: ObjectMapping, delivery: Delivery, link: Link | None, diff: Diff) -> Write:
    values = in_raw(mapping, {one.field: one.after for one in diff.fields})
    return Write(delivery.record_id, diff.action, values or {}, link.external_id if link else "")


def left(tx: Tx, connections: Sequence[str]) -> list[Noted]:
    """Jobs of before the restart that somebody can be asked about; the others' deliveries become unknown."""
    jobs.forget(tx)
    found = jobs.noted(tx)
    for one in found:
        if one.connection not in connections:
            jobs.give_up(tx, one.number, "its connection was removed from the configuration")
    return [one for one in found if one.connection in connections]
