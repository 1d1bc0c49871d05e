"""A vendor that keeps nothing but counts and keys, and answers at once: what is measured is syncd."""

# ruff: noqa: ARG002 - the contract names its parameters

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Abilities, Capabilities, Finding, Page, ReadResult, Snapshot, Verdict, Write


@dataclass
class MemoryVendor:
    """The whole contract of a system. Writes are answered as HubSpot's batch upsert answers them: each input with
    its id and with the properties as stored."""

    connection: str
    ordered_versions: bool = False
    """As commercetools has them, and HubSpot has not."""
    calls: int = 0
    reads: int = 0
    written: int = 0
    first_call_at: float = 0.0
    """``time.monotonic()`` of the first write."""
    on_write: Callable[[Sequence[Write], float], None] | None = None
    """Told the writes of every call and the moment it began."""
    held: dict[str, dict[str, object]] = field(default_factory=dict)
    """By our key, when ``keep``."""
    keep: bool = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(write_batch=100, read_batch=100, ordered_versions=self.ordered_versions)

    def abilities(self, object_: str) -> Abilities:
        del object_
        return Abilities(actions=frozenset({Action.CREATE, Action.UPDATE}), keyed=True)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        return ()

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        return ()

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        self.reads += 1
        found = {
            one: Snapshot(mapping.object, one, data)
            for one in ids
            if (data := self.held.get(one.removeprefix("v-"))) is not None
        }
        return ReadResult(found, frozenset(ids) - found.keys())

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        self.reads += 1
        return {
            key: Snapshot(mapping.object, f"v-{key}", data) for key in keys if (data := self.held.get(key)) is not None
        }

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return Page((), cursor or "", more=False)

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        return Page((), cursor or "", more=False)

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        began = time.monotonic()
        self.calls += 1
        self.written += len(writes)
        self.first_call_at = self.first_call_at or began
        if self.on_write is not None:
            self.on_write(writes, began)
        return [self._applied(mapping, one) for one in writes]

    def _applied(self, mapping: ObjectMapping, write: Write) -> Verdict:
        data = {**write.values, mapping.key_path: write.key}
        if self.keep:
            data = self.held[write.key] = {**self.held.get(write.key, {}), **data}
        id_ = f"v-{write.key}"
        return Verdict(write.key, Outcome.APPLIED, id_, Snapshot(mapping.object, id_, data))
