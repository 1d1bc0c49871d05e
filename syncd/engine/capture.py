"""Capture: asks the systems what changed, on a schedule, and stages it with its cursor in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeAlias

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.signals import Signals
from syncd.engine.worker import TROUBLE, WAIT_SECONDS
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import books, changes, gaps
from syncd.store.changes import StageResult
from syncd.store.database import Database, Tx
from syncd.systems.contract import Page, Snapshot, VendorError

Job: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

BACKLOG_LIMIT: Final = 20_000
"""A hydration pauses while this much waits to be folded."""


SILENT_CHANGES: Final = 10
SILENT_SECONDS: Final = 300.0
"""So many changes, found by polls over so long a time without a word of the vendor's, mean that its webhook or stream
is silent."""


@dataclass(frozen=True, slots=True)
class Run:
    """One capture and how its last run went."""

    mapping: str
    kind: str
    every_seconds: float | None
    state: str = "idle"
    last_started_at: int = 0
    last_ended_at: int = 0
    seen: int = 0
    staged: int = 0
    error: str = ""


class Captor:
    """Polls and hydrations of every mapping."""

    def __init__(
        self, *, database: Database, flows: Flows, signals: Signals, health: Health, metrics: Metrics, world: World
    ) -> None:
        self._database = database
        self._flows = flows
        self._signals = signals
        self._health = health
        self._metrics = metrics
        self._world = world
        self._scheduler: Any = None
        self._runs: dict[tuple[str, str], Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._died: asyncio.Future[None] | None = None
        self.silent: dict[str, int] = {}
        """Mappings of which polls find changes that no webhook or stream tells, and since when."""

    async def start(self) -> None:
        if self._scheduler is not None:
            return
        self._died = asyncio.get_running_loop().create_future()
        self._scheduler = AsyncIOScheduler(timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1})
        for mapping in self._flows.mappings:
            await self._schedule(mapping)
        self._scheduler.start()

    async def stop(self, deadline_seconds: float = 10.0) -> None:
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is None:
            return
        scheduler.pause()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            # Also those of the scheduler: nothing may come to the state file once it is closed.
            await asyncio.wait(tasks, timeout=deadline_seconds)
        scheduler.shutdown(wait=False)

    async def wait(self) -> None:
        """Raise what a capture died of; captures handle what vendors and networks do."""
        if self._died is not None:
            await self._died

    def runs(self) -> list[tuple[Run, int]]:
        """Every capture with the time of its next run (0: none)."""
        found = []
        for (name, kind), run in sorted(self._runs.items()):
            job = self._scheduler.get_job(f"{kind}:{name}") if self._scheduler else None
            at = int(job.next_run_time.timestamp() * 1000) if job and job.next_run_time else 0
            paused = self._health.is_paused(name)
            found.append((replace(run, state="paused") if paused and run.state != "running" else run, at))
        return found

    def run_now(self, name: str, kind: str) -> str:
        """Start a capture at once; empty when started, else why not."""
        run = self._runs.get((name, kind))
        mapping = next((one for one in self._flows.mappings if one.name == name), None)
        if mapping is None or (run is None and kind == "poll"):
            return f"{name} has no {kind}"
        if run is not None and run.state == "running":
            return f"the {kind} of {name} is running already"
        if self._health.is_paused(name):
            return f"{name} is paused; resume it first"
        if not self._health.open(mapping.connection):
            return f"{mapping.connection} is down: {self._health.fare(mapping.connection).reason}"
        if kind == "hydrate":
            self._spawn(partial(self._hydrate, mapping, again=True))
        else:
            self._scheduler.modify_job(f"poll:{name}", next_run_time=datetime.now(UTC))
        return ""

    async def _schedule(self, mapping: ObjectMapping) -> None:
        system = self._flows.systems[mapping.connection]
        seconds = mapping.capture.poll_seconds
        able = system.abilities(mapping.object)
        if seconds is not None and able.polled():
            self._runs[mapping.name, "poll"] = Run(mapping.name, "poll", seconds)
            self._scheduler.add_job(
                self._guard(partial(self._poll, mapping)), "interval", seconds=seconds, id=f"poll:{mapping.name}",
                next_run_time=datetime.now(UTC), misfire_grace_time=None,
            )  # fmt: skip
        done = await self._database.read(partial(_cursor, mapping=mapping, kind="hydrate"))
        if mapping.capture.hydrate and able.scans and not (done and done.finished):
            self._spawn(partial(self._hydrate, mapping, again=False))

    def _guard(self, job: Job) -> Job:
        """A job that dies takes the daemon down, not just its schedule."""

        async def run() -> None:
            task = asyncio.current_task()
            if task is not None:
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            try:
                await job()
            except asyncio.CancelledError:
                if self._scheduler is not None:
                    raise
                # Told to stop; the scheduler would take it for a mishap.
            except Exception as error:  # noqa: BLE001 - handed to wait(), which raises it
                if self._died is not None and not self._died.done():
                    self._died.set_exception(error)

        return run

    def _spawn(self, job: Job) -> None:
        task = asyncio.create_task(self._guard(job)(), name="hydrate")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- one run -----------------------------------------------------------------------------------------------

    async def _poll(self, mapping: ObjectMapping) -> None:
        if not self._open(mapping):
            return
        system = self._flows.systems[mapping.connection]
        run = self._begin(mapping, "poll", mapping.capture.poll_seconds)
        cursor = await self._database.read(partial(_cursor, mapping=mapping, kind="poll"))
        text, more = (cursor.cursor if cursor else None), True
        while more and self._scheduler is not None:
            try:
                page = await system.poll(mapping, text, Lane.SCHEDULED)
                result = await self._stage(mapping, page, "poll", Channel.POLL, Lane.LIVE)
            except VendorError as error:
                self._fail(run, error)
                return
            except TROUBLE as error:
                self._halt(run, error)
                return
            run = self._progress(run, page, result)
            text, more = page.cursor, page.more
        self._end(run)
        await self._listen(mapping)

    async def _hydrate(self, mapping: ObjectMapping, *, again: bool) -> None:
        system = self._flows.systems[mapping.connection]
        run = self._begin(mapping, "hydrate", None)
        cursor = await self._database.read(partial(_cursor, mapping=mapping, kind="hydrate"))
        text = None if again or cursor is None else cursor.cursor
        more = True
        self._signals.filling.add(mapping.name)
        while more and self._scheduler is not None:
            await self._room()
            if not self._open(mapping):
                await self._world.clock.sleep(1.0)
                continue
            try:
                page = await system.scan(mapping, text, Lane.BULK)
                result = await self._stage(mapping, page, "hydrate", Channel.HYDRATION, Lane.BULK)
            except VendorError as error:
                self._fail(run, error)
                await self._world.clock.sleep(error.failure.retry_after_seconds or 2.0)
                continue
            except TROUBLE as error:
                self._halt(run, error)
                await self._world.clock.sleep(WAIT_SECONDS)
                continue
            run = self._progress(run, page, result)
            text, more = page.cursor, page.more
        self._end(run)
        self._signals.filling.discard(mapping.name)
        self._signals.tell("hydration.done", connection=mapping.connection, object=mapping.object, seen=run.seen)

    async def _listen(self, mapping: ObjectMapping) -> None:
        """A webhook or a stream that has gone silent is noticed by what polls find meanwhile."""
        if not (mapping.capture.webhook or mapping.capture.stream):
            return
        place = {"connection": mapping.connection, "object": mapping.object}
        found, since = await self._database.read(partial(gaps.unheard, connection=mapping.connection,
                                                         object_=mapping.object))  # fmt: skip
        age = (self._world.clock.now_ms() - since) / 1000
        if found >= SILENT_CHANGES and age >= SILENT_SECONDS:
            if mapping.name not in self.silent:
                self._signals.tell("capture.silent", level="warning", **place, found=found, seconds=round(age))
            self.silent[mapping.name] = since
        elif self.silent.pop(mapping.name, None) is not None:
            self._signals.tell("capture.heard", **place)

    async def _room(self) -> None:
        """Wait while much is staged already."""
        while await self._database.read(changes.backlog) > BACKLOG_LIMIT and self._scheduler is not None:
            await self._world.clock.sleep(0.2)

    def _open(self, mapping: ObjectMapping) -> bool:
        return self._health.open(mapping.connection) and not self._health.is_paused(mapping.name)

    async def _stage(self, mapping: ObjectMapping, page: Page, kind: str, channel: Channel, lane: Lane) -> StageResult:
        now = self._world.clock.now_ms()
        found = [change_of(mapping, one, channel, lane, now) for one in page.snapshots]
        finished = kind == "hydrate" and not page.more
        result = await self._database.write(
            partial(_stage_page, mapping=mapping, kind=kind, found=found, page=page, now=now, finished=finished)
        )
        self._health.succeeded(mapping.connection)
        self._metrics.captured(mapping.connection, channel, result.staged)
        if result.staged:
            self._signals.ring_staged()
        return result

    # --- books of the runs -------------------------------------------------------------------------------------

    def _begin(self, mapping: ObjectMapping, kind: str, every: float | None) -> Run:
        return self._keep(Run(mapping.name, kind, every, "running", self._world.clock.now_ms()))

    def _progress(self, run: Run, page: Page, result: StageResult) -> Run:
        return self._keep(replace(run, seen=run.seen + len(page.snapshots), staged=run.staged + result.staged))

    def _end(self, run: Run) -> None:
        self._keep(replace(run, state="idle", last_ended_at=self._world.clock.now_ms(), error=""))

    def _fail(self, run: Run, error: VendorError) -> None:
        failure = error.failure
        connection = run.mapping.split(".", 1)[0]
        self._health.answered(connection, failure)
        text = f"{failure.code}: {failure.message}"[:300]
        self._keep(replace(run, state="failed", last_ended_at=self._world.clock.now_ms(), error=text))
        self._signals.tell(
            "capture.failed", level="warning", connection=connection, mapping=run.mapping, code=failure.code
        )

    def _halt(self, run: Run, error: Exception) -> None:
        """The state file takes nothing now: the cursor stands where it stood, and the next run goes on from there."""
        self._keep(replace(run, state="failed", last_ended_at=self._world.clock.now_ms(), error=str(error)[:300]))
        self._signals.tell("capture.halted", level="error", mapping=run.mapping, error=type(error).__name__)

    def _keep(self, run: Run) -> Run:
        self._runs[run.mapping, run.kind] = run
        return run


def change_of(mapping: ObjectMapping, snapshot: Snapshot, channel: Channel, lane: Lane, now: int) -> Change:
    """A snapshot as a change. The same version met twice, by poll and hydration or in an overlap, is one change."""
    version = snapshot.version or str(snapshot.modified_at)
    if snapshot.merged_into:
        return Change(
            connection=mapping.connection, object=mapping.object, external_id=snapshot.merged_into,
            kind=ChangeKind.MERGED, channel=channel, lane=lane, received_at=now, occurred_at=snapshot.modified_at,
            dedupe_key=f"{mapping.object}:{snapshot.external_id}:{version}",
            payload={"into": snapshot.merged_into, "from": [snapshot.external_id]},
        )  # fmt: skip
    return Change(
        connection=mapping.connection, object=mapping.object, external_id=snapshot.external_id,
        kind=ChangeKind.DELETED if snapshot.deleted else ChangeKind.STATE, channel=channel, lane=lane,
        dedupe_key=f"{mapping.object}:{snapshot.external_id}:{version}", received_at=now,
        occurred_at=snapshot.modified_at, version=snapshot.version, payload=dict(snapshot.data),
        partial=snapshot.partial,
    )  # fmt: skip


def _cursor(tx: Tx, mapping: ObjectMapping, kind: str) -> books.Cursor | None:
    return books.cursor(tx, mapping.connection, mapping.object, kind)


def _stage_page(
    tx: Tx, mapping: ObjectMapping, kind: str, found: Sequence[Change], page: Page, now: int, *, finished: bool
) -> StageResult:
    result = changes.stage(tx, found)
    books.save_cursor(
        tx, mapping.connection, mapping.object, kind, page.cursor, now, seen=len(found), finished=finished
    )
    books.count(tx, {"staged": result.staged, "duplicates": result.duplicates})
    return result
