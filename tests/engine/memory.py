"""An invented platform, whole: versions, unique keys, modification times, faults on request. A full connector that
happens to keep everything in memory, so that the engine's tests need no vendor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from syncd.model.change import ChangeKind, Channel, Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.runtime.clock import Clock
from syncd.systems.contract import (
    Abilities,
    Capabilities,
    Finding,
    Job,
    JobBook,
    NoJobBook,
    Page,
    ReadResult,
    Snapshot,
    VendorError,
    Verdict,
    Write,
)

PAGE = 3


@dataclass
class Thing:
    id: str
    data: dict[str, Any]
    version: int
    modified_at: int
    deleted: bool = False


class CrashError(Exception):
    """The daemon ends here."""


@dataclass
class MemorySystem:
    connection: str
    clock: Clock
    ordered_versions: bool = True
    write_batch: int = 100
    things: dict[str, dict[str, Thing]] = field(default_factory=dict)
    relations: set[tuple[str, str, str]] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    creates: list[str] = field(default_factory=list)
    refuse: Callable[[str, Write], Failure | None] = lambda _object, _write: None
    """Judges a write before it is applied."""
    forget: Callable[[str, Write], bool] = lambda _object, _write: False
    """Apply the write, but answer as if nobody knew."""
    down: Failure | None = None
    converts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By object: the objects that become one of these."""
    normalise: Callable[[dict[str, Any]], dict[str, Any]] = dict
    bulk_batch: int = 0
    """Writes of the bulk lane go in jobs when this is not 0."""
    book: JobBook = field(default_factory=NoJobBook)
    jobs: dict[str, tuple[Verdict, ...] | None] = field(default_factory=dict)
    """The platform's own: the results by job; ``None`` while nothing was uploaded."""
    uploads: list[tuple[str, ...]] = field(default_factory=list)
    crash: str = ""
    """The daemon ends when it has noted a job (``begun``), uploaded it (``uploaded``), or heard its end (``ended``)."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            write_batch=self.write_batch,
            read_batch=100,
            ordered_versions=self.ordered_versions,
            bulk_batch=self.bulk_batch,
        )

    def abilities(self, object_: str) -> Abilities:
        news = frozenset({ChangeKind.STATE, ChangeKind.DELETED})
        tells = {Channel.POLL: news, Channel.WEBHOOK: news}
        return Abilities(
            scans=True, actions=frozenset({Action.CREATE, Action.UPDATE}), keyed=True, tells=tells,
            converts=self.converts.get(object_, frozenset()),
        )  # fmt: skip

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        return ()

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        return ()

    # --- people use it ---

    def put(self, object_: str, id_: str, **data: Any) -> Thing:
        """A human writes through the platform's own screens."""
        here = self.things.setdefault(object_, {})
        old = here.get(id_)
        merged = {**(old.data if old else {}), **data}
        here[id_] = Thing(id_, merged, old.version + 1 if old else 1, self.clock.now_ms())
        return here[id_]

    def delete(self, object_: str, id_: str) -> None:
        self.things[object_][id_].deleted = True

    def all(self, object_: str) -> dict[str, dict[str, Any]]:
        return {id_: one.data for id_, one in self.things.get(object_, {}).items() if not one.deleted}

    # --- the contract ---

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.down is not None:
            raise VendorError(self.down)

    def _snapshot(self, object_: str, thing: Thing) -> Snapshot:
        version = str(thing.version) if self.ordered_versions else ""
        return Snapshot(object_, thing.id, dict(thing.data), version, thing.modified_at, thing.deleted)

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        self._call("read")
        here = self.things.get(mapping.object, {})
        found = {id_: self._snapshot(mapping.object, here[id_]) for id_ in ids if id_ in here and not here[id_].deleted}
        return ReadResult(found, frozenset(ids) - found.keys())

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        self._call("find")
        here = self.things.get(mapping.object, {}).values()
        by_key = {one.data.get(mapping.key_path): one for one in here if not one.deleted}
        return {key: self._snapshot(mapping.object, by_key[key]) for key in keys if key in by_key}

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        self._call("poll")
        at, id_ = json.loads(cursor) if cursor else (0, "")
        rows = sorted(self.things.get(mapping.object, {}).values(), key=lambda one: (one.modified_at, one.id))
        rows = [one for one in rows if (one.modified_at, one.id) > (at, id_)]
        page = rows[:PAGE]
        last = (page[-1].modified_at, page[-1].id) if page else (at, id_)
        return Page([self._snapshot(mapping.object, one) for one in page], json.dumps(last), len(rows) > PAGE)

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        self._call("scan")
        rows = sorted(self.things.get(mapping.object, {}).values(), key=lambda one: one.id)
        rows = [one for one in rows if one.id > (cursor or "") and not one.deleted]
        page = rows[:PAGE]
        last = page[-1].id if page else (cursor or "")
        return Page([self._snapshot(mapping.object, one) for one in page], last, len(rows) > PAGE)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        self.calls.append("write")
        if self.down is not None:
            return [Verdict(one.key, Outcome.FAILED, failure=self.down) for one in writes]
        if self.bulk_batch and lane is Lane.BULK:
            return await self._job(mapping, writes)
        return [self._write(mapping, one) for one in writes]

    async def _job(self, mapping: ObjectMapping, writes: Sequence[Write]) -> Sequence[Verdict]:
        job = Job(f"job-{len(self.jobs) + 1}", mapping.object, tuple(one.key for one in writes))
        self.jobs[job.id] = None
        await self.book.begun(job)
        self._end("begun")
        self.uploads.append(job.keys)
        self.jobs[job.id] = tuple(self._write(mapping, one) for one in writes)
        self._end("uploaded")
        await self.book.ended(job)
        self._end("ended")
        return self.jobs[job.id] or ()

    def _end(self, moment: str) -> None:
        if self.crash == moment:
            self.crash = ""
            raise CrashError(moment)

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> Sequence[Verdict]:
        self._call("resume")
        known = self.jobs[job.id]
        if known is None:
            failure = Failure(Remedy.RETRY, "job-aborted", "it never got its rows")
            return [Verdict(one, Outcome.FAILED, failure=failure) for one in job.keys]
        return known

    def _write(self, mapping: ObjectMapping, write: Write) -> Verdict:
        refusal = self.refuse(mapping.object, write)
        if refusal is not None:
            return Verdict(write.key, Outcome.FAILED, failure=refusal)
        here = self.things.setdefault(mapping.object, {})
        if write.action is Action.UPDATE:
            thing = here.get(write.external_id)
            if thing is None or thing.deleted:
                return Verdict(write.key, Outcome.FAILED, failure=Failure(Remedy.GONE, "404", "gone", 404))
            if self.ordered_versions and write.version != str(thing.version):
                failure = Failure(Remedy.REREAD, "ConcurrentModification", "stale", 409)
                return Verdict(write.key, Outcome.FAILED, failure=failure)
        else:
            held = next((one for one in here.values() if one.data.get(mapping.key_path) == write.key), None)
            thing = held or Thing(f"{self.connection}-{len(here) + 1}", {}, 0, 0)
            if held is None:
                self.creates.append(write.key)
            if write.converts is not None:
                lead = self.things[write.converts.object][write.converts.external_id]
                if lead.deleted:
                    return Verdict(write.key, Outcome.FAILED, failure=Failure(Remedy.GONE, "404", "no lead", 404))
                lead.deleted = True
                thing.data = {**lead.data, "was": lead.id}
        values = self.normalise({k: v for k, v in write.values.items() if v is not None})
        cleared = [k for k, v in write.values.items() if v is None]
        thing.data = {k: v for k, v in {**thing.data, **values}.items() if k not in cleared}
        if write.action is Action.CREATE:
            thing.data[mapping.key_path] = write.key
        thing.version += 1
        thing.modified_at = self.clock.now_ms()
        here[thing.id] = thing
        for relation in write.relations:
            edge = (thing.id, relation.object, relation.external_id)
            (self.relations.discard if relation.remove else self.relations.add)(edge)
        children: dict[str, str] = {}
        for part in write.children:
            kids = self.things.setdefault(part.object, {})
            for child in part.upsert:
                kid = f"{thing.id}:{child.key}"
                kids[kid] = Thing(kid, dict(child.values), 1, self.clock.now_ms())
                children[child.key] = kid
            for kid in part.remove.values():
                kids.pop(kid, None)
            wanted = {f"{thing.id}:{child.key}" for child in part.upsert}
            for kid in [one for one in kids if part.complete and one.startswith(f"{thing.id}:") and one not in wanted]:
                del kids[kid]
        if self.forget(mapping.object, write):
            failure = Failure(Remedy.LOOK, "timeout", "no answer in time")
            return Verdict(write.key, Outcome.FAILED, failure=failure)
        return Verdict(write.key, Outcome.APPLIED, thing.id, self._snapshot(mapping.object, thing), children)
