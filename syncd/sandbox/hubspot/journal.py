"""The Webhooks Journal: a log of what happened, kept for three days, that apps read by offset.

What a subscription covers is gathered, published in entries a moment later, and told by URLs that are good for a while.
"""

from __future__ import annotations

import bisect
import hashlib
import hmac
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.runtime.clock import Clock
from syncd.sandbox.hubspot.errors import ApiError
from syncd.sandbox.hubspot.events import Event
from syncd.sandbox.hubspot.journal_filters import holds
from syncd.sandbox.hubspot.values import iso

RETENTION_MS: Final = 3 * 86_400_000
ENTRY_EVENTS: Final = 10_000
BUNDLE_MS: Final = 1000
FILES: Final = "/journal-files/"

ACTIONS: Final = {
    "creation": "CREATE", "propertyChange": "UPDATE", "deletion": "DELETE", "merge": "MERGE", "restore": "RESTORE",
    "privacyDeletion": "GDPR_DELETE",
}  # fmt: skip
TYPE_OF: Final = {
    **dict.fromkeys(("CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE", "SNAPSHOT"), "OBJECT"),
    **dict.fromkeys(("ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"), "ASSOCIATION"),
    "GDPR_DELETE": "GDPR_PRIVACY_DELETION",
}
"""Action to the type of subscription that covers it."""

_SAME_WRITE: Final = ("objectTypeId", "objectId", "occurredAt", "changeSource", "sourceId")

ValuesOf = Callable[[str, str], Mapping[str, str]]
"""Object type id and object id to the values held now."""


@dataclass(slots=True)
class JournalSettings:
    publish_seconds: float = 0.5
    """From a change until it can be read."""
    url_seconds: float = 900.0
    """How long the address of an entry's file is good."""


@dataclass(slots=True)
class JournalSubscription:
    id: int
    type: str
    type_id: str
    portal_id: int
    actions: tuple[str, ...]
    properties: tuple[str, ...]
    object_ids: tuple[int, ...]
    associated: tuple[str, ...]
    created_ms: int
    updated_ms: int

    def covers(self, event: Mapping[str, Any]) -> bool:
        """``event`` as the journal tells it; of an update only the properties asked for count."""
        if event["action"] not in self.actions or self.type != TYPE_OF[event["action"]]:
            return False
        if self.type_id != event["objectTypeId"] or (self.object_ids and event["objectId"] not in self.object_ids):
            return False
        if self.associated and event.get("associatedObjectTypeId") not in (None, *self.associated):
            return False
        changed = event.get("propertyChanges") or {}
        return event["action"] != "UPDATE" or not self.properties or bool(changed.keys() & set(self.properties))


@dataclass(slots=True)
class Entry:
    offset: str
    published_ms: int
    events: Sequence[Mapping[str, Any]]

    def json(self) -> dict[str, Any]:
        return {"offset": self.offset, "journalEvents": list(self.events), "publishedAt": iso(self.published_ms)}


@dataclass(slots=True)
class SnapshotTask:
    id: str
    at_ms: int
    done_ms: int = 0
    failed: str = ""


@dataclass(slots=True)
class Journal:
    clock: Clock
    dice: random.Random
    portal_id: int
    app_id: int
    values_of: ValuesOf
    settings: JournalSettings = field(default_factory=JournalSettings)
    subscriptions: dict[int, JournalSubscription] = field(default_factory=dict)
    filters: dict[int, tuple[int, int, Sequence[Mapping[str, Any]]]] = field(default_factory=dict)
    """Filter id to subscription id, time made, conditions."""
    tasks: dict[str, SnapshotTask] = field(default_factory=dict)
    _open: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    _entries: list[Entry] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    """Offset to its number; numbers rise, and the first entry kept has the number ``_first``."""
    _first: int = 0
    _numbers: int = 9_100_000
    _secret: bytes = b""

    def __post_init__(self) -> None:
        self._secret = self.dice.randbytes(32)

    def new_number(self) -> int:
        self._numbers += 1
        return self._numbers

    @property
    def listening(self) -> bool:
        return bool(self.subscriptions)

    # -- what happened

    def tell(self, event: Event) -> None:
        if event.what == "associationChange":
            self._add(event, self._association(event))
            return
        action = ACTIONS.get(event.what)
        if action is None:
            return
        told = self._event(action, event.kind.type_id, event.id, event.at_ms)
        told |= {"changeSource": event.source.type, "sourceId": event.source.id}
        if event.name:
            told["propertyChanges"] = {event.name: event.value}
        self._add(event, told | dict(event.extra))

    def _event(self, action: str, type_id: str, id_: str, at_ms: int) -> dict[str, Any]:
        return {
            "type": TYPE_OF[action], "portalId": self.portal_id, "occurredAt": iso(at_ms), "action": action,
            "objectTypeId": type_id, "objectId": int(id_),
        }  # fmt: skip

    def _association(self, event: Event) -> dict[str, Any]:
        extra = event.extra
        action = "ASSOCIATION_REMOVED" if extra["associationRemoved"] else "ASSOCIATION_ADDED"
        told = self._event(action, event.kind.type_id, event.id, event.at_ms)
        return told | {
            "associatedObjectId": extra["toObjectId"],
            "associationType": extra["associationType"],
            "isPrimary": extra["isPrimaryAssociation"],
        }

    def _add(self, event: Event, told: dict[str, Any]) -> None:
        if self._open and event.name:
            _, last = self._open[-1]
            same = all(last.get(name) == told[name] for name in _SAME_WRITE)
            if same and last["action"] in {"CREATE", "UPDATE"}:
                # One write is one event, however many properties it changed.
                last.setdefault("propertyChanges", {}).update(told["propertyChanges"])
                return
        self._open.append((event.at_ms, told))

    def _publish(self) -> None:
        now = self.clock.now_ms()
        until = now - round(self.settings.publish_seconds * 1000)
        ready = [(at, told) for at, told in self._open if at <= until]
        self._open = [(at, told) for at, told in self._open if at > until]
        for events in _bundles(ready):
            covered = [self._cut(told) for _, told in events if told["action"] == "SNAPSHOT" or self._covered(told)]
            if covered:
                # Published when it was due, whenever somebody looks.
                entry = Entry(self._uuid(), events[-1][0] + now - until, covered)
                self._places[entry.offset] = self._first + len(self._entries)
                self._entries.append(entry)
        for task in self.tasks.values():
            if not task.done_ms and task.at_ms <= until:
                task.done_ms = now
        self._forget(bisect.bisect_left(self._entries, now - RETENTION_MS, key=lambda one: one.published_ms))

    def _covered(self, told: Mapping[str, Any]) -> bool:
        return any(
            one.covers(told) and all(self._passes(told, filter_) for filter_ in self.filters.values()
                                     if filter_[0] == one.id)
            for one in self.subscriptions.values()
        )  # fmt: skip

    def _passes(self, told: Mapping[str, Any], filter_: tuple[int, int, Sequence[Mapping[str, Any]]]) -> bool:
        held = {**self.values_of(told["objectTypeId"], str(told["objectId"])), **(told.get("propertyChanges") or {})}
        return all(holds(condition, held) for condition in filter_[2])

    def _cut(self, told: dict[str, Any]) -> dict[str, Any]:
        """Without the properties that nobody asked for."""
        changed = told.get("propertyChanges")
        if changed is None or told["action"] == "SNAPSHOT":
            return told
        asked = [one for one in self.subscriptions.values() if one.type_id == told["objectTypeId"] and one.covers(told)]
        if any(not one.properties for one in asked):
            return told
        names = {name for one in asked for name in one.properties}
        return {**told, "propertyChanges": {name: value for name, value in changed.items() if name in names}}

    def _forget(self, count: int) -> None:
        for entry in self._entries[:count]:
            del self._places[entry.offset]
        del self._entries[:count]
        self._first += count

    def expire(self) -> None:
        """As if three days had passed since everything published so far."""
        self._publish()
        self._forget(len(self._entries))

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    # -- reading

    def earliest(self, count: int = 1) -> list[Entry]:
        self._publish()
        return self._entries[:count]

    def latest(self, count: int = 1) -> list[Entry]:
        self._publish()
        return self._entries[-count:]

    def after(self, offset: str, count: int = 1) -> list[Entry]:
        """Raises :class:`ApiError` 404 for an offset that has expired or never was."""
        self._publish()
        place = self._place(offset)
        return self._entries[place + 1 : place + 1 + count]

    def entry(self, offset: str) -> Entry:
        self._publish()
        return self._entries[self._place(offset)]

    def _place(self, offset: str) -> int:
        if offset not in self._places:
            raise ApiError(404, f"No journal entry at offset {offset}", "OBJECT_NOT_FOUND")
        return self._places[offset] - self._first

    def address(self, entry: Entry, host: str) -> dict[str, Any]:
        """How an entry is told: where its file can be fetched, for a while, without signing in."""
        ends = self.clock.now_ms() + round(self.settings.url_seconds * 1000)
        url = f"http://{host}{FILES}{entry.offset}.json?Expires={ends}&Signature={self._sign(entry.offset, str(ends))}"
        return {"url": url, "expiresAt": iso(ends), "currentOffset": entry.offset}

    def _sign(self, offset: str, ends: str) -> str:
        return hmac.new(self._secret, f"{offset}\n{ends}".encode(), hashlib.sha256).hexdigest()

    def file(self, offset: str, ends: str, signature: str) -> Entry | None:
        """What an address leads to; ``None`` where it is forged, expired or leads nowhere any more."""
        if not hmac.compare_digest(signature, self._sign(offset, ends)) or self.clock.now_ms() >= int(ends):
            return None
        return self._entries[self._place(offset)] if offset in self._places else None

    # -- snapshots

    def snapshot(self, type_id: str, id_: int, properties: Sequence[str]) -> SnapshotTask:
        now = self.clock.now_ms()
        held = self.values_of(type_id, str(id_))
        task = SnapshotTask(self._uuid(), now)
        self.tasks[task.id] = task
        if not held:
            task.failed, task.done_ms = "VALIDATION_ERROR", now
            return task
        told = self._event("SNAPSHOT", type_id, str(id_), now)
        told["propertyChanges"] = {name: held.get(name, "") for name in properties}
        self._open.append((now, told))
        return task


def _bundles(events: Sequence[tuple[int, dict[str, Any]]]) -> list[list[tuple[int, dict[str, Any]]]]:
    """Entries to be: what happened within a second, and no more than one may hold."""
    bundles: list[list[tuple[int, dict[str, Any]]]] = []
    for event in events:
        if not bundles or event[0] - bundles[-1][0][0] > BUNDLE_MS or len(bundles[-1]) >= ENTRY_EVENTS:
            bundles.append([])
        bundles[-1].append(event)
    return bundles
