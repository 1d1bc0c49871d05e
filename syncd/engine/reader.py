"""The reader: turns hints ("something happened to contact 42") into states, by reading in bulk.

One per connection. Hints that need no read cost no call: those that tell a value the shadow already has are echoes
of our own writes, and several about one object need one read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.signals import Signals
from syncd.engine.worker import Worker
from syncd.model.change import Change, ChangeKind, Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import DecodeError, ObjectMapping, decode, encode
from syncd.model.record import Link
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import books, changes, links
from syncd.store.database import Database, Tx
from syncd.systems.contract import ReadResult, VendorError

IDLE_SECONDS = 5.0
RETRY_MS = 1000


class Reader(Worker):
    def __init__(
        self, connection: str, *, database: Database, flows: Flows, signals: Signals, health: Health,
        metrics: Metrics, world: World,
    ) -> None:  # fmt: skip
        super().__init__(database)
        self.name = f"reader:{connection}"
        self._connection = connection
        self._flows = flows
        self._signals = signals
        self._health = health
        self._metrics = metrics
        self._world = world
        self._system = flows.systems[connection]

    async def turn(self) -> None:
        if not self._health.open(self._connection) or not await self.step():
            await self._rest()

    async def step(self) -> bool:
        """Answer one batch of hints of one object; whether there was one."""
        now = self._world.clock.now_ms()
        limit = self._system.capabilities.read_batch * 4
        hints = await self._database.read(partial(changes.to_read, connection=self._connection, now=now, limit=limit))
        if not hints:
            return False
        object_ = hints[0].object
        hints = [one for one in hints if one.object == object_]
        mapping = self._flows.mapping(self._connection, object_)
        if mapping is None:
            ids = [one.id for one in hints]
            await self._database.write(
                partial(changes.settle, state="dropped", ids=ids, now=now, reason="the object is not mapped")
            )
            return True
        news = await self._without_echoes(mapping, hints, now)
        if news:
            await self._answer(mapping, news)
        return True

    async def _without_echoes(self, mapping: ObjectMapping, hints: Sequence[Change], now: int) -> list[Change]:
        """Drop hints of what we know already, before paying for a read."""
        ids = list({one.external_id for one in hints})
        known = await self._database.read(
            partial(links.of_objects, connection=self._connection, object_=mapping.object, external_ids=ids)
        )
        ordered = self._system.capabilities.ordered_versions
        echoes = [one.id for one in hints if self._echo(mapping, one, known.get(one.external_id), ordered=ordered)]
        if echoes:
            await self._database.write(partial(_drop_echoes, ids=echoes, now=now))
            self._metrics.folded(0, len(echoes), 0)
        dropped = set(echoes)
        return [one for one in hints if one.id not in dropped]

    def _echo(self, mapping: ObjectMapping, hint: Change, link: Link | None, *, ordered: bool) -> bool:
        if link is None or link.gone:
            return False
        if ordered and hint.version and link.version:
            return int(hint.version) <= int(link.version)
        payload = hint.payload if isinstance(hint.payload, dict) else {}
        if payload.get("created"):
            # We made it, or have looked at it since.
            return bool(link.shadow)
        told = payload.get("told")
        if not told:
            return False
        # What is not mapped is no news to us. Of a value in several parts (an amount, its currency) each is told by
        # itself: the other parts are taken as they were.
        named = {item.field for item in mapping.readable() if told.keys() & set(item.paths)}
        try:
            whole = {**encode(mapping, link.shadow, named), **told}
            fields = decode(self._flows.entities[mapping.entity], mapping, whole, partial=True)
        except DecodeError:
            return False
        return named <= fields.keys() and all(link.shadow.get(name) == value for name, value in fields.items())

    async def _answer(self, mapping: ObjectMapping, hints: Sequence[Change]) -> None:
        newest = {one.external_id: one for one in hints}
        lane = min((one.lane for one in hints), default=Lane.LIVE)
        try:
            result = await self._system.read(mapping, list(newest), lane)
        except VendorError as error:
            await self._defer(hints, error)
            return
        now = self._world.clock.now_ms()
        await self._database.write(partial(_record_answers, hints=hints, result=result, now=now))
        self._health.succeeded(self._connection)
        self._signals.staged.ring()

    async def _defer(self, hints: Sequence[Change], error: VendorError) -> None:
        failure = error.failure
        self._health.answered(self._connection, failure)
        wait = RETRY_MS if failure.retry_after_seconds is None else int(failure.retry_after_seconds * 1000)
        due = self._world.clock.now_ms() + max(wait, 50)
        passing = failure.remedy in (Remedy.WAIT, Remedy.STOP, Remedy.REFRESH) or failure.status in (0, 502, 503, 504)
        await self._database.write(
            partial(
                changes.defer, ids=[one.id for one in hints], due_at=due, attempt=not passing,
                reason=f"{failure.code}: {failure.message}"[:300],
            )
        )  # fmt: skip

    async def _rest(self) -> None:
        now = self._world.clock.now_ms()
        due = await self._database.read(partial(changes.next_due, now=now, hints_of=self._connection))
        seconds = IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.0, (due - now) / 1000))
        if not self._health.open(self._connection):
            seconds = max(seconds, 0.5)
        await self.listen(self._signals.hints(self._connection), seconds)


def _drop_echoes(tx: Tx, ids: Sequence[int], now: int) -> None:
    changes.settle(tx, "dropped", ids, now, "an echo: it tells what we hold")
    books.count(tx, {"echoes": len(ids)})


def _record_answers(tx: Tx, hints: Iterable[Change], result: ReadResult, now: int) -> None:
    """The first hint about an object becomes what was read; further ones have been answered by it."""
    answers: list[tuple[int, Change]] = []
    answered: set[str] = set()
    repeats: list[int] = []
    for one in hints:
        if one.external_id in answered:
            repeats.append(one.id)
            continue
        answered.add(one.external_id)
        snapshot = result.found.get(one.external_id)
        if snapshot is None:
            answers.append((one.id, replace(one, kind=ChangeKind.DELETED, payload=None)))
            continue
        answers.append(
            (
                one.id,
                replace(
                    one, kind=ChangeKind.STATE, external_id=snapshot.external_id, version=snapshot.version,
                    occurred_at=snapshot.modified_at or one.occurred_at, payload=dict(snapshot.data),
                    partial=snapshot.partial,
                ),
            )
        )  # fmt: skip
    changes.resolve(tx, answers)
    changes.settle(tx, "dropped", repeats, now, "answered together with an earlier hint")
