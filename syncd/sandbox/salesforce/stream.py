"""The event bus: what happened in the org, kept for 72 hours, in the order of commits."""

from __future__ import annotations

import bisect
import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.salesforce.avro import EventSchema, bitmap, event_name, event_schema
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.org import Caller, Change, Org

_MASK = (1 << 96) - 1
_SPREAD = 0x9E3779B97F4A7C15F39CC061
_BACK = pow(_SPREAD, -1, 1 << 96)


@dataclass(slots=True)
class StreamSettings:
    retention_seconds: int = 72 * 3600
    keepalive_seconds: float = 270.0
    idle_seconds: float = 60.0
    """How long a stream may stay open with nothing requested."""
    overflow_after: int = 100_000
    """Changes of one transaction that get events of their own."""
    gaps: int = 0
    """So many of the next events come as gaps."""
    max_batch: int = 100


@dataclass(slots=True)
class Event:
    place: int
    at_ms: int
    entity: str
    schema: EventSchema
    id: str
    header: dict[str, Any]
    values: Mapping[str, Any]


@dataclass(slots=True)
class Listener:
    """A subscription that waits to be woken."""

    wake: Callable[[], None]
    cut: str = ""
    """The error code with which its stream is to be ended."""


@dataclass(slots=True)
class _Transaction:
    key: str
    at_ms: int
    number: int
    sequence: int = 0
    events: list[Event] = field(default_factory=list)


class Stream:
    def __init__(self, org: Org, dice: random.Random) -> None:
        self.org = org
        self.settings = StreamSettings()
        self.selected: dict[str, None] = {}
        """Names of the objects selected for change data capture."""
        self.channels: dict[str, tuple[str, ...]] = {}
        """Custom channels (``Sync__chn``) and their objects."""
        self.held: dict[int, Listener] = {}
        self._dice = dice
        self._events: list[Event] = []
        self._places: list[int] = []
        self._next = 1_000_000 + dice.randrange(1_000_000)
        self._lost = self._next - 1
        self._secret = dice.getrandbits(96)
        self._commits = 10_000_000 + dice.randrange(1_000_000)
        self._schemas: dict[str, EventSchema] = {}
        self._current: dict[str, tuple[int, EventSchema]] = {}
        org.tell = self.committed

    # -- schemas

    def schema(self, kind: ObjectType) -> EventSchema:
        held = self._current.get(kind.name)
        if held is None or held[0] != kind.changed_ms:
            held = (kind.changed_ms, event_schema(kind))
            self._current[kind.name] = held
            self._schemas[held[1].id] = held[1]
        return held[1]

    def schema_by_id(self, id_: str) -> EventSchema | None:
        return self._schemas.get(id_)

    # -- topics

    def entities(self, topic: str) -> tuple[str, ...]:
        """The objects whose events a topic carries; empty when there is no such topic."""
        name = topic.removeprefix("/data/")
        if not topic.startswith("/data/"):
            return ()
        if name == "ChangeEvents":
            return tuple(self.selected)
        if name in self.channels:
            return self.channels[name]
        return tuple(entity for entity in self._captured() if event_name(entity) == name)

    def _captured(self) -> dict[str, None]:
        return {**self.selected, **{name: None for names in self.channels.values() for name in names}}

    # -- committing

    def committed(self, caller: Caller, changes: list[Change], now_ms: int) -> None:
        """A transaction becomes events."""
        captured = self._captured()
        relevant = [change for change in changes if change.kind.name in captured]
        if not relevant:
            return
        self._commits += self._dice.randint(1, 9)
        transaction = _Transaction(self._uuid(), now_ms, self._commits)
        spent, overflowed = 0, dict[str, Change]()
        for change in relevant:
            spent += len(change.values) if change.what == "update" else 1
            if spent > self.settings.overflow_after:
                overflowed.setdefault(change.kind.name, change)
            else:
                self._one(transaction, caller, change)
        for change in overflowed.values():
            self._put(transaction, caller, change.kind, "GAP_OVERFLOW", ["000000000000000AAA"], {})
        self._publish(transaction.events)

    def _one(self, transaction: _Transaction, caller: Caller, change: Change) -> None:
        what = change.what.upper()
        if self.settings.gaps > 0:
            self.settings.gaps -= 1
            self._put(transaction, caller, change.kind, f"GAP_{what}", [change.row.id], {})
            return
        row, values = change.row, dict[str, Any]()
        if what in {"CREATE", "UNDELETE"}:
            values = {**change.values, "CreatedDate": row.created, "CreatedById": row.created_by,
                      "LastModifiedDate": row.modified, "LastModifiedById": row.modified_by}  # fmt: skip
        elif what == "UPDATE":
            values = {**change.values, "LastModifiedDate": row.modified}
        last = transaction.events[-1] if transaction.events else None
        if what in {"UPDATE", "DELETE"} and last is not None and _alike(last, change.kind, what, values):
            last.header["recordIds"].append(row.id)
            return
        event = self._put(transaction, caller, change.kind, what, [row.id], values)
        if what == "UPDATE":
            event.header["changedFields"] = bitmap(event.schema, values)
            event.header["nulledFields"] = bitmap(event.schema, (name for name in values if values[name] is None))
            event.header["diffFields"] = bitmap(event.schema, change.diffs)
            event.values = {**values, **change.diffs}

    def _put(
        self,
        transaction: _Transaction,
        caller: Caller,
        kind: ObjectType,
        what: str,
        ids: list[str],
        values: Mapping[str, Any],
    ) -> Event:
        transaction.sequence += 1
        header = {
            "entityName": kind.name,
            "recordIds": ids,
            "changeType": what,
            "changeOrigin": caller.origin,
            "transactionKey": transaction.key,
            "sequenceNumber": transaction.sequence,
            "commitTimestamp": transaction.at_ms,
            "commitNumber": transaction.number,
            "commitUser": caller.user_id,
            "nulledFields": [],
            "diffFields": [],
            "changedFields": [],
        }
        event = Event(0, transaction.at_ms, kind.name, self.schema(kind), self._uuid(), header, values)
        transaction.events.append(event)
        return event

    def announce(self, caller: Caller, kind: ObjectType, what: str, ids: list[str]) -> None:
        """An event that stands for itself: a gap."""
        if kind.name in self._captured():
            self._commits += 1
            transaction = _Transaction(self._uuid(), self.org.clock.now_ms(), self._commits)
            self._put(transaction, caller, kind, what, ids, {})
            self._publish(transaction.events)

    def _publish(self, events: list[Event]) -> None:
        self._age()
        for event in events:
            event.place = self._step()
            self._events.append(event)
            self._places.append(event.place)
        for listener in self.held.values():
            listener.wake()

    def _step(self) -> int:
        self._next += self._dice.randint(1, 6)
        return self._next

    def _uuid(self) -> str:
        text = f"{self._dice.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    # -- keeping

    def _age(self) -> None:
        self.forget_before(self.org.clock.now_ms() - self.settings.retention_seconds * 1000)

    def forget_before(self, ms: int) -> None:
        count = bisect.bisect_left(self._events, ms, key=lambda event: event.at_ms)
        if count:
            self._lost = self._places[count - 1]
            del self._events[:count], self._places[:count]

    def forget(self) -> None:
        """As if retention had passed: everything there was is gone, and no id from before is known."""
        self._lost = self._step()
        self._events.clear()
        self._places.clear()

    def reset(self) -> None:
        """As after a sandbox refresh: no replay id of before means anything."""
        self.forget()
        self._secret = self._dice.getrandbits(96)

    def after(self, place: int, entities: tuple[str, ...], most: int) -> tuple[list[Event], int]:
        """Events behind a place, and how far one has looked."""
        found: list[Event] = []
        wanted = frozenset(entities)
        for event in self._events[bisect.bisect_right(self._places, place) :]:
            if event.entity in wanted:
                if len(found) == most:
                    return found, place
                found.append(event)
            place = event.place
        return found, place

    @property
    def newest(self) -> int:
        return self._next

    @property
    def oldest(self) -> int:
        """The place before the oldest event that is retained."""
        self._age()
        return self._lost

    # -- replay ids

    def replay_id(self, place: int, at_ms: int) -> bytes:
        """Opaque on purpose: not comparable, not contiguous, and it has an age."""
        mixed = ((place << 48 | at_ms) ^ self._secret) * _SPREAD & _MASK
        body = mixed.to_bytes(12, "big")
        return body + hashlib.blake2s(body, key=self._secret.to_bytes(12, "big"), digest_size=4).digest()

    def place_of(self, replay_id: bytes) -> int | None:
        """``None`` for an id that is none, or whose time has passed."""
        body, check = replay_id[:12], replay_id[12:]
        if check != hashlib.blake2s(body, key=self._secret.to_bytes(12, "big"), digest_size=4).digest():
            return None
        plain = int.from_bytes(body, "big") * _BACK & _MASK ^ self._secret
        place, at_ms = plain >> 48, plain & (1 << 48) - 1
        self._age()
        too_old = at_ms < self.org.clock.now_ms() - self.settings.retention_seconds * 1000
        return None if too_old or place < self._lost else place


def _alike(event: Event, kind: ObjectType, what: str, values: Mapping[str, Any]) -> bool:
    """The same change of another row of the transaction: it joins the event."""
    header = event.header
    same = event.entity == kind.name and header["changeType"] == what
    return same and event.values == values and not header["diffFields"]
