"""The courier: takes deliveries to one connection, a batch a call, several calls at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from syncd.engine import deliver, jobs
from syncd.engine.deliver import Batch, Settled
from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.signals import Signals
from syncd.engine.worker import Worker
from syncd.model.change import Lane
from syncd.model.delivery import Delivery, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import deliveries, links
from syncd.store.database import Database, Tx
from syncd.store.errors import StoreUnavailableError
from syncd.store.jobs import Noted, give_up
from syncd.systems.contract import Job, JobSystem, OutOfBudgetError, Snapshot, VendorError, Verdict

LINGER_SECONDS = 0.25
"""While more is staged than one fold takes, a delivery may wait this long for company: one call for a hundred."""
LONGEST_LINGER_SECONDS = 1.0
"""The same when the vendor's window is all but spent."""
JOB_LINGER_SECONDS = 0.2
"""How often it is looked whether enough has come together for a job."""
STALLED_SECONDS = 3.0
"""When nothing has come to it for so long, a job is begun with what there is."""
PLENTY = 0.3
"""While less than this share of the window is used, nobody waits for company."""
RESUME_SECONDS = 1.0
"""Between two questions after a job of before the restart."""
IDLE_SECONDS = 30.0
"""The table is looked at this often even if no bell rings."""


class Courier(Worker):
    """One of a connection's couriers. All of them share the connection's bell; a claim keeps them apart."""

    def __init__(
        self, connection: str, number: int, *, database: Database, flows: Flows, signals: Signals, health: Health,
        metrics: Metrics, world: World, left: Sequence[Noted] = (),
    ) -> None:  # fmt: skip
        """``left`` are jobs of before the restart that this courier goes on with."""
        super().__init__(database)
        self.name = f"courier:{connection}:{number}"
        self._left = list(left)
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
        """Deliver one batch; whether there was one."""
        if self._left:
            return await self._resume(self._left[0])
        if await self._look():
            return True
        await self._linger()
        # One at a time: what can travel in one job is not shared out among couriers.
        async with self._signals.gathering(self._connection):
            groups = await self._gather()
        for group in groups or ():
            await self._send(group)
        return groups is not None

    async def _gather(self) -> list[list[Batch]] | None:
        """What is sent now: batches that go together, a group a call. ``None`` when nothing is due."""
        batch = await self._claim()
        if batch is None:
            return None
        return await self._with_more(batch) if batch.sends else []

    async def _claim(self) -> Batch | None:
        now = self._world.clock.now_ms()
        paused = self._health.paused_objects(self._connection)
        batch = await self._database.write(
            partial(
                deliver.claim, flows=self._flows, connection=self._connection, now=now,
                limit=self._system.capabilities.write_batch, paused=paused,
            )
        )  # fmt: skip
        if batch is not None and (batch.unchanged or batch.died):
            self._metrics.deliveries_ended(self._connection, batch.mapping.object, "unchanged", batch.unchanged)
            self._metrics.deliveries_ended(self._connection, batch.mapping.object, "dead", batch.died)
        return batch

    async def _with_more(self, batch: Batch) -> list[list[Batch]]:
        """More of the same for one job of the vendor's, where it takes many and nobody urgent waits. Claimed a batch at
        a time, so that no transaction is long. Something else that came first is a group of its own."""
        if self._connection in self._signals.jobs:
            return [[batch]]
        batches, most = [batch], self._system.capabilities.bulk_batch
        full = self._system.capabilities.write_batch
        while (
            batches[-1].lane is Lane.BULK
            and len(batches[-1].sends) + batches[-1].settled >= full
            and sum(len(one.sends) for one in batches) < most
        ):
            more = await self._claim()
            if more is None:
                break
            if more.sends and (more.mapping is not batch.mapping or more.lane is not Lane.BULK):
                return [[more], batches]
            batches.append(more)
        if sum(len(one.sends) for one in batches) > full:
            self._signals.jobs.add(self._connection)
        return [batches]

    async def _send(self, batches: Sequence[Batch]) -> None:
        """Write batches of one mapping at once; settle each by itself."""
        started = self._world.clock.now_ms()
        writes = [one.write for batch in batches for one in batch.sends]
        job = len(writes) > self._system.capabilities.write_batch
        # The signal to stop does not reach a call on its way: its verdict is recorded first.
        try:
            verdicts = await self._system.write(batches[0].mapping, writes, batches[0].lane)
        except StoreUnavailableError as error:
            # The spend could not be written down, so a call did not leave; others of the batch may have.
            verdicts = [one for batch in batches for one in _unknown_all(batch, error)]
        finally:
            if job:
                self._signals.jobs.discard(self._connection)
        told = {one.key: one for one in verdicts}
        for batch in batches:
            mine = [told[one.record.id] for one in batch.sends if one.record.id in told]
            await self._settle(batch, mine, started)

    async def _settle(self, batch: Batch, verdicts: Sequence[Verdict], started: int) -> None:
        settled = await self.insist(
            partial(
                deliver.settle, flows=self._flows, batch=batch, verdicts=verdicts, now=self._world.clock.now_ms(),
                started=started, chance=self._world.dice.random(),
            )
        )  # fmt: skip
        self._announce(batch, settled, started)

    def _announce(self, batch: Batch, settled: Settled, started: int) -> None:
        now = self._world.clock.now_ms()
        place = (self._connection, batch.mapping.object)
        for one in settled.delivered:
            self._metrics.delivered(*place, (now - one.since_at) / 1000)
        if batch.lane is Lane.BULK:
            # A first fill is told by the call, not by the record.
            self._signals.tell(
                "delivery.done", connection=self._connection, object=place[1], records=len(settled.delivered)
            )
        else:
            self._tell_each(settled, place[1], now)
        for event, rows in (("delivery.dead", settled.died), ("delivery.retry", settled.retried)):
            for one, failure in rows:
                self._signals.tell(
                    event, level="warning" if event == "delivery.dead" else "info", connection=self._connection,
                    entity=one.entity, record_id=one.record_id, correlation_id=one.correlation_id, object=one.object,
                    code=failure.code, remedy=failure.remedy,
                )  # fmt: skip
        self._metrics.deliveries_ended(*place, "dead", len(settled.died))
        self._metrics.deliveries_ended(*place, "retry", len(settled.retried))
        self._metrics.delivery_duration(self._connection, (now - started) / 1000)
        if settled.stop is not None:
            self._health.stopped(self._connection, settled.stop)
        elif settled.outage is not None:
            self._health.unreached(self._connection, settled.outage)
        elif settled.delivered:
            self._health.succeeded(self._connection)
        if settled.hinted:
            self._signals.ring_staged()
        if settled.again or settled.released:
            self._signals.due(self._connection).ring()

    # --- jobs of before a restart --------------------------------------------------------------------------------

    async def _resume(self, noted: Noted) -> bool:
        """Hear what became of a job, and settle it; whether that came to an end."""
        system, mapping = self._system, self._flows.mapping(self._connection, noted.object)
        if mapping is None or not isinstance(system, JobSystem):
            await self._give_up(noted, "its mapping was removed from the configuration")
            return True
        started = self._world.clock.now_ms()
        self._signals.jobs.add(self._connection)
        try:
            verdicts = await system.resume(mapping, Job(noted.id, noted.object, noted.keys), Lane.BULK)
        except VendorError as error:
            self._health.answered(self._connection, error.failure)
            if error.failure.remedy in (Remedy.GONE, Remedy.ASK):
                await self._give_up(noted, f"its job cannot be asked about: {error.failure.code}")
                return True
            await self.pause(error.failure.retry_after_seconds or RESUME_SECONDS)
            return False
        except OutOfBudgetError as error:
            await self.pause(error.retry_after_seconds)
            return False
        finally:
            self._signals.jobs.discard(self._connection)
        told = {one.key: one for one in verdicts}
        while True:
            batch = await self._database.read(partial(jobs.batch_of, mapping=mapping, noted=noted))
            if not batch.sends:
                break
            mine = [told[one.record.id] for one in batch.sends if one.record.id in told]
            await self._settle(batch, mine, started)
        self._left.remove(noted)
        self._signals.tell("job.resumed", connection=self._connection, object=noted.object, records=len(noted.keys))
        return True

    async def _give_up(self, noted: Noted, reason: str) -> None:
        count = await self._database.write(partial(give_up, number=noted.number, reason=reason))
        self._left.remove(noted)
        self._signals.tell(
            "job.given_up", level="warning", connection=self._connection, object=noted.object, deliveries=count,
            reason=reason,
        )  # fmt: skip

    # --- unknown deliveries ------------------------------------------------------------------------------------

    async def _look(self) -> bool:
        """Look up deliveries whose fate is not known; whether there were any."""
        now = self._world.clock.now_ms()
        rows, external = await self._database.read(partial(_unknown, connection=self._connection, now=now))
        if not rows:
            return False
        mapping = self._flows.mapping(self._connection, rows[0].object)
        if mapping is None:
            await self._database.write(partial(deliver.hold, rows=rows, now=now))
            return True
        lane = min(one.lane for one in rows)
        try:
            created = [one.record_id for one in rows if one.record_id not in external]
            found: dict[str, Snapshot] = dict(await self._system.find(mapping, created, lane)) if created else {}
            if external:
                read = await self._system.read(mapping, list(external.values()), lane)
                found |= {record: read.found[one] for record, one in external.items() if one in read.found}
        except VendorError as error:
            self._health.answered(self._connection, error.failure)
            await self.pause(error.failure.retry_after_seconds or 1.0)
            return False
        await self._database.write(
            partial(deliver.settle_look, mapping=mapping, rows=rows, found=found, now=self._world.clock.now_ms())
        )
        self._signals.ring_staged()
        return True

    # --- resting -----------------------------------------------------------------------------------------------

    def _tell_each(self, settled: Settled, object_: str, now: int) -> None:
        for one in settled.delivered:
            self._signals.tell(
                "delivery.done", connection=self._connection, entity=one.entity, record_id=one.record_id,
                correlation_id=one.correlation_id, object=object_, seconds=round((now - one.since_at) / 1000, 3),
            )  # fmt: skip

    async def _linger(self) -> None:
        """Let more come together while folds are behind or calls grow scarce, unless somebody urgent waits."""
        if await self._await_job():
            return
        scarce = max(0.0, self._health.pressure(self._connection) - PLENTY) / (1 - PLENTY)
        seconds = max(LINGER_SECONDS if self._signals.folding_behind else 0.0, LONGEST_LINGER_SECONDS * scarce)
        if not seconds:
            return
        enough = self._system.capabilities.write_batch
        waiting, lane = await self._database.read(
            partial(deliveries.waiting, connection=self._connection, limit=2 * enough)
        )
        if 0 < waiting < enough and lane != Lane.OPERATOR:
            await self.pause(seconds)

    async def _await_job(self) -> bool:
        """While something is filled for the first time, what is written goes in few large jobs, one after the other,
        where the vendor takes such: whether it was waited for company, or for the job before."""
        most, before, stalled = self._system.capabilities.bulk_batch, -1, 0.0
        waited = False
        while most and not self.stopping.is_set() and stalled < STALLED_SECONDS:
            running = self._connection in self._signals.jobs
            waiting, lane = await self._database.read(
                partial(deliveries.waiting, connection=self._connection, limit=most)
            )
            full = waiting >= most or not self._signals.filling
            if not waiting or lane != Lane.BULK or (full and not running):
                break
            stalled = 0.0 if running or waiting > before else stalled + JOB_LINGER_SECONDS
            before, waited = waiting, True
            await self.pause(JOB_LINGER_SECONDS)
        return waited

    async def _rest(self) -> None:
        now = self._world.clock.now_ms()
        due = await self._database.read(partial(deliveries.next_due, connection=self._connection, now=now))
        seconds = IDLE_SECONDS if due is None else min(IDLE_SECONDS, max(0.0, (due - now) / 1000))
        if not self._health.open(self._connection):
            seconds = max(seconds, 1.0)
        await self.listen(self._signals.due(self._connection), seconds)


def _unknown(tx: Tx, connection: str, now: int) -> tuple[Sequence[Delivery], dict[str, str]]:
    """Unknown deliveries that are due, with the vendor's ids of those that are linked."""
    rows = deliveries.due(tx, connection, now, 100, state="unknown")
    if not rows:
        return (), {}
    linked = links.of_records(tx, [one.record_id for one in rows])
    external = {}
    for one in rows:
        link = linked.get(one.record_id, {}).get((connection, one.object))
        if link is not None:
            external[one.record_id] = link.external_id
    return rows, external


def _unknown_all(batch: Batch, error: Exception) -> list[Verdict]:
    failure = Failure(Remedy.LOOK, "state-file-unavailable", str(error), single=True)
    return [Verdict(one.record.id, Outcome.FAILED, failure=failure) for one in batch.sends]
