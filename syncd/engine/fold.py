"""Fold: changes into golden records, a batch in one transaction.

Decode through lenses, identify the record, drop echoes and stale news, merge three ways with field ownership, write
version and provenance, derive deliveries. Everything is loaded once and saved once per batch; a record that changes
twice in a batch is compared with its connections once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.engine import parking, rules
from syncd.engine.erase import Erasure, erase, finish, unknown
from syncd.engine.flows import Flows, reference_fields
from syncd.engine.supersede import newest_only
from syncd.engine.workset import Place, Workset, evolve
from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import DecodeError, ObjectMapping, decode, pluck_text
from syncd.model.merge import Decision, Merge, apply_edit, merge
from syncd.model.record import Link, Origin, Record, record_id
from syncd.model.value import ABSENT, Value
from syncd.store import books, changes, flights, letters
from syncd.store.database import Tx

ORPHAN_ATTEMPTS = 30
"""How often a change waits for the thing it refers to before it is parked."""
ORPHAN_DELAY_MS = 1000
RETURNED = "returned:"
"""Begins the dedupe key of a reading of what had been deleted: what it tells stands there now."""


@dataclass(slots=True)
class FoldResult:
    """What a fold did; for wake-ups, metrics and the tail."""

    folded: int = 0
    echoes: int = 0
    parked: int = 0
    deferred: int = 0
    connections: set[str] = field(default_factory=set)
    """Those that have deliveries now."""
    hinted: bool = False
    """Parents were asked for."""
    timers: bool = False
    records: dict[str, str] = field(default_factory=dict)
    """Id to entity of the records that changed."""
    wanted: int = 0
    parked_changes: list[Change] = field(default_factory=list)


class Orphan(Exception):  # noqa: N818 - an expected outcome inside one fold, not an error
    """The change refers to something not known yet."""

    def __init__(self, place: Place) -> None:
        self.place = place


def fold(tx: Tx, flows: Flows, batch: Sequence[Change], now: int, *, supersede: bool = True) -> FoldResult:
    """Fold a batch; the whole unit of work. With ``supersede``, of an object only the newest state that is staged is
    folded, in the batch or not; see :mod:`syncd.engine.supersede`."""
    return _Fold(tx, flows, now, newest=supersede).run(batch)


@dataclass(slots=True)
class _Reading:
    """One change, decoded."""

    change: Change
    mapping: ObjectMapping
    fields: dict[str, Value]
    problem: Failure | None = None


def _place(change: Change) -> Place:
    return change.connection, change.object, change.external_id


class _Fold:
    def __init__(self, tx: Tx, flows: Flows, now: int, *, newest: bool) -> None:
        self._tx = tx
        self._flows = flows
        self._now = now
        self._newest_only = newest
        self._work = Workset(tx, flows, now)
        self._settled: dict[str, list[int]] = {"folded": [], "dropped": [], "parked": []}
        self._superseded: list[int] = []
        self._deferred: list[Change] = []
        self._hints: list[Change] = []
        self._result = FoldResult()
        self._flights: dict[flights.Place, list[flights.Flight]] = {}
        self._erasures: list[Erasure] = []
        self._rivals: dict[int, list[str]] = {}
        """Records that a change may speak of, where that is not clear."""

    def run(self, batch: Sequence[Change]) -> FoldResult:
        if self._newest_only:
            batch, self._superseded = newest_only(self._tx, self._flows, batch)
        readings = [reading for change in batch if (reading := self._read(change)) is not None]
        self._prefetch(readings)
        waiting = {reading.change.id: reading for reading in readings}
        for change in batch:
            self._take(change, waiting.get(change.id))
        self._save()
        return self._result

    # --- reading -----------------------------------------------------------------------------------------------

    def _read(self, change: Change) -> _Reading | None:
        if change.kind is not ChangeKind.STATE or change.connection == rules.INTERNAL:
            return None
        mapping = self._flows.mapping(change.connection, change.object)
        if mapping is None:
            return None
        entity = self._flows.entities[mapping.entity]
        try:
            return _Reading(change, mapping, decode(entity, mapping, change.payload, partial=change.partial))
        except DecodeError as error:
            failure = Failure(Remedy.ASK, "decode", str(error), fields=tuple(error.problems))
            return _Reading(change, mapping, error.readable, failure)

    def _prefetch(self, readings: Iterable[_Reading]) -> None:
        places: list[Place] = []
        identities: dict[tuple[str, str], set[str]] = {}
        keys: list[str] = []
        for one in readings:
            change, mapping = one.change, one.mapping
            places.append(_place(change))
            places.extend(
                (change.connection, str(item.references), str(one.fields[item.field]))
                for item in reference_fields(mapping)
                if one.fields.get(item.field)
            )
            for name in self._flows.entities[mapping.entity].identity:
                if one.fields.get(name) not in (None, ""):
                    identities.setdefault((mapping.entity, name), set()).add(str(one.fields[name]))
            keys.append(self._key(one))
        self._work.load_links(places)
        self._work.load_identities(identities)
        known = [link.record_id for place in places if (link := self._work.links.get(place))]
        found = [one for key, values in identities.items() for value in values
                 for one in self._work.identified(*key, value)]  # fmt: skip
        # What is not known may become a record of its own, if it does not stand there already.
        fresh = [record_id(one.mapping.entity, *_place(one.change)) for one in readings
                 if _place(one.change) not in self._work.links]  # fmt: skip
        wanted = list(dict.fromkeys(one for one in (*known, *found, *keys) if one))
        self._work.load_records([*wanted, *fresh])
        self._flights = flights.of_records(self._tx, wanted)

    def _key(self, reading: _Reading) -> str:
        """Our own record id, as the vendor gave it back."""
        if not reading.mapping.key_path or not isinstance(reading.change.payload, dict):
            return ""
        text = pluck_text(reading.change.payload, reading.mapping.key_path)
        return text if text.startswith(f"{reading.mapping.entity}-") else ""

    # --- one change --------------------------------------------------------------------------------------------

    def _take(self, change: Change, reading: _Reading | None) -> None:
        try:
            outcome = self._outcome(change, reading)
        except Orphan as orphan:
            self._wait_for(change, orphan.place)
            return
        self._settled[outcome].append(change.id)

    def _outcome(self, change: Change, reading: _Reading | None) -> str:
        if change.channel is Channel.CLOCK:
            return "folded" if rules.abandon(self._work, change) else "dropped"
        if change.kind is ChangeKind.EDIT:
            return self._edit(change)
        if change.kind is ChangeKind.OPAQUE:
            reason = str(change.payload.get("reason", "not understood"))
            return self._park(change, Failure(Remedy.ASK, "not-understood", reason))
        if change.kind is ChangeKind.DELETED:
            return self._delete(change)
        if change.kind is ChangeKind.ERASED:
            return self._erase(change)
        if change.kind is ChangeKind.MERGED:
            return self._merged(change)
        if reading is None:
            return "dropped"
        outcome = self._state(reading)
        # Only the field that cannot be read waits for a human; the rest flows.
        return outcome if reading.problem is None or outcome == "parked" else self._park(change, reading.problem)

    def _state(self, reading: _Reading) -> str:
        change, mapping = reading.change, reading.mapping
        link = self._work.links.get(_place(change))
        if link is not None and link.gone and not change.dedupe_key.startswith(RETURNED):
            if not link.erased:
                # News of a thing that was deleted: it was restored, or the news is old. Reading it tells.
                self._hint(change, _place(change), f"{RETURNED}{change.dedupe_key}")
            return "dropped"
        if link is not None and link.gone:
            link = self._returning(link)
        elif link is not None and self._stale(change, link):
            self._result.echoes += 1
            return "dropped"
        theirs = self._references(reading)
        record = self._identify(reading, link, theirs)
        if isinstance(record, Failure):
            return self._park(change, record)
        if (
            record is None and change.partial and change.channel is Channel.STREAM
            and not change.dedupe_key.startswith("whole:")
        ):  # fmt: skip
            # A few fields of a thing never seen make no record; the whole of it does.
            self._hint(change, (change.connection, change.object, change.external_id), f"whole:{change.dedupe_key}")
            return "dropped"
        if record is None and self._not_ours(reading, theirs):
            return "dropped"
        base = self._base(change, record, link, theirs)
        merged = merge(
            self._flows.entities[mapping.entity], change.connection, base=base, mine=record.fields if record else {},
            theirs=theirs, origins=dict(record.origins) if record else {},
            occurred_at=change.occurred_at or change.received_at,
        )  # fmt: skip
        known = self._settle_record(change, mapping.entity, record, merged)
        self._settle_link(reading, known, link, theirs, merged)
        returned = link is not None and link.gone
        if returned:
            self._work.decided(change, known, ())
            self._work.touch(known.id, change)
        news = bool(merged.decisions) or record is None or returned
        if not news:
            self._result.echoes += 1
        return "folded" if news else "dropped"

    def _returning(self, link: Link) -> Link | None:
        """The link of a thing that was restored; ``None`` where another has taken its place meanwhile, so that it is a
        thing of its own now."""
        held = self._work.link_of(link.record_id, link.connection, link.object)
        return link if held is None or held.gone else None

    def _base(
        self, change: Change, record: Record | None, link: Link | None, theirs: Mapping[str, Value]
    ) -> Mapping[str, Value]:
        """What we last agreed on: the shadow, and what a write of ours with an unknown end may have put there. Without
        that, the echo of such a write would pass for an edit, and win over a newer one of the other side."""
        base: Mapping[str, Value] = link.shadow if link else {}
        if record is None:
            return base
        place = (record.id, change.connection, change.object)
        for sent in self._flights.get(place, ()):
            base = {**base, **{name: value for name, value in sent.items() if theirs.get(name, ABSENT) == value}}
        return base

    def _not_ours(self, reading: _Reading, theirs: dict[str, Value]) -> bool:
        """Nothing is known of the object: it is empty, or a thing that only syncd makes there (a deal that a sales
        person made for a purpose of their own has no key, and nothing that could identify it)."""
        if not any(value not in (None, []) for value in theirs.values()):
            return True
        mapping = reading.mapping
        return bool(mapping.key_path) and not self._flows.entities[mapping.entity].identity

    def _stale(self, change: Change, link: Link) -> bool:
        """Older than, or the same as, what we have looked at already."""
        if change.partial:
            return False
        if self._flows.ordered_versions(change.connection) and change.version and link.version:
            return int(change.version) <= int(link.version)
        return bool(change.occurred_at and change.occurred_at < link.modified_at)

    def _references(self, reading: _Reading) -> dict[str, Value]:
        """Vendor ids of other things to the ids of our records. Raises :class:`Orphan`."""
        items = reference_fields(reading.mapping)
        if not items:
            return reading.fields
        fields = dict(reading.fields)
        for item in items:
            if fields.get(item.field):
                place = (reading.change.connection, str(item.references), str(fields[item.field]))
                self._work.load_links((place,))
                link = self._work.links.get(place)
                if link is None:
                    raise Orphan(place)
                fields[item.field] = link.record_id
        return fields

    def _identify(self, reading: _Reading, link: Link | None, theirs: dict[str, Value]) -> Record | Failure | None:
        """The record the change speaks of: by link, by our own key, then by identity; ``None`` is a new one."""
        work, mapping = self._work, reading.mapping
        if link is not None:
            work.load_records((link.record_id,))
            return work.records[link.record_id]
        key = self._key(reading)
        if key and key in work.records:
            return work.records[key]
        for name in self._flows.entities[mapping.entity].identity:
            value = theirs.get(name)
            if value in (None, ""):
                continue
            found = work.identified(mapping.entity, name, value)
            if len(found) > 1:
                self._rivals[reading.change.id] = sorted(found)
                return Failure(
                    Remedy.ASK, "identity-ambiguous", f"{len(found)} records share the {name}", fields=(name,)
                )
            if found:
                return self._unless_taken(reading, next(iter(found)), name)
        number = record_id(mapping.entity, *_place(reading.change))
        work.load_records((number,))
        if number in work.records:
            # It was this record's before something else took its place.
            return self._unless_taken(reading, number, "id")
        return None

    def _unless_taken(self, reading: _Reading, number: str, name: str) -> Record | Failure:
        mapping = reading.mapping
        held = self._work.link_of(number, mapping.connection, mapping.object)
        if held is not None and not held.gone:
            self._rivals[reading.change.id] = [number]
            return Failure(
                Remedy.ASK, "identity-taken",
                f"the {name} belongs to {number}, which is {held.external_id} in {mapping.name}", fields=(name,),
            )  # fmt: skip
        return self._work.records[number]

    def _settle_record(self, change: Change, entity: str, record: Record | None, merged: Merge) -> Record:
        work = self._work
        fields = merged.fields
        derived = rules.derived(work, change, entity, record, fields)
        decisions = [*merged.decisions, *derived]
        if record is not None and not any(one.changed for one in decisions):
            if merged.conflicts:
                self._conflicts(change, record, merged.conflicts)
            if any(one.rule != "agreed" for one in decisions):
                work.decided(change, record, decisions)
                work.touch(record.id, change)
            return record
        at = change.occurred_at or change.received_at
        ours = {one.field for one in derived}
        origins = {
            one.field: Origin(rules.INTERNAL if one.field in ours else change.connection, change.id, at, one.rule)
            for one in decisions
            if one.changed
        }
        if record is None:
            number = record_id(entity, change.connection, change.object, change.external_id)
            work.load_records((number,))
            record = work.records.get(number)
        if record is None:
            after = Record(number, entity, fields, origins, 1, self._now)
        else:
            after = evolve(record, fields, origins, self._now)
        work.put_record(after, record)
        work.decided(change, after, decisions)
        work.touch(after.id, change)
        rules.set_timer(work, after)
        rules.follow(work, change, after, record)
        self._result.records[after.id] = entity
        self._conflicts(change, after, merged.conflicts)
        return after

    def _settle_link(
        self, reading: _Reading, record: Record, link: Link | None, theirs: dict[str, Value], merged: Merge
    ) -> None:
        change = reading.change
        version, at = change.version, max(change.occurred_at, link.modified_at if link else 0)
        if reading.problem is not None:
            # Not seen whole: the same version may come again, by replay.
            version, at = (link.version, link.modified_at) if link else ("", 0)
        shadow = {**(link.shadow if link else {}), **theirs}
        news = {one.field for one in merged.decisions}
        sent = {name: value for name, value in (link.sent if link else {}).items() if name not in news}
        for one in merged.conflicts:
            # Until an operator decides, our value is not pushed over theirs.
            sent[one.field] = record.fields.get(one.field)
        self._work.put_link(
            Link(
                record.id, change.connection, change.object, change.external_id, shadow, sent, version,
                at, link.children if link else {}, gone=False,
            )
        )  # fmt: skip

    # --- other kinds -------------------------------------------------------------------------------------------

    def _edit(self, change: Change) -> str:
        payload = change.payload
        work = self._work
        work.load_records((payload["record_id"],))
        record = work.records.get(payload["record_id"])
        if record is None:
            return "dropped"
        merged = apply_edit(self._flows.entities[record.entity], record.fields, payload["fields"])
        edited = frozenset(payload["fields"])
        for link in work.links_of(record.id):
            if edited & link.sent.keys():
                work.put_link(replace(link, sent={k: v for k, v in link.sent.items() if k not in edited}))
        decisions: list[Decision] = list(merged.decisions)
        if decisions:
            origins = {one.field: Origin("operator", change.id, self._now, one.rule) for one in decisions}
            after = evolve(record, merged.fields, origins, self._now)
            work.put_record(after, record)
            rules.set_timer(work, after)
            rules.follow(work, change, after, record)
            record = after
        work.decided(change, record, decisions, who=payload["who"], why=payload["why"])
        work.touch(record.id, change)
        subjects = [f"{record.id} {name}" for name in edited]
        letters.resolve_conflicts(self._tx, subjects, self._now, payload["who"], payload["why"])
        self._result.records[record.id] = record.entity
        return "folded"

    def _delete(self, change: Change) -> str:
        """The vendor deleted its object: nothing is written to it any more, and nothing elsewhere is deleted."""
        place = _place(change)
        self._work.load_links((place,))
        link = self._work.links.get(place)
        if link is None or link.gone:
            return "dropped"
        self._work.put_link(replace(link, gone=True))
        self._work.load_records((link.record_id,))
        self._work.decided(change, self._work.records[link.record_id], ())
        return "folded"

    def _erase(self, change: Change) -> str:
        """Deleted for privacy: see :mod:`syncd.engine.erase`."""
        place = _place(change)
        self._work.load_links((place,))
        link = self._work.links.get(place)
        if link is not None and link.erased:
            return "dropped"
        self._erasures.append(erase(self._work, change, link) if link else unknown(change))
        return "folded"

    def _merged(self, change: Change) -> str:
        """The vendor merged objects: the absorbed ids are gone, and the survivor is read anew."""
        into = str(change.payload["into"])
        for absorbed in change.payload["from"]:
            if str(absorbed) != into:
                self._delete(replace(change, external_id=str(absorbed)))
        self._hint(change, (change.connection, change.object, into), f"merge:{change.dedupe_key}")
        return "folded"

    # --- endings -----------------------------------------------------------------------------------------------

    def _park(self, change: Change, failure: Failure) -> str:
        mapping = self._flows.mapping(change.connection, change.object)
        self._work.letters.append(
            parking.parked(
                change, mapping.entity if mapping else "", failure, self._now, self._rivals.get(change.id, ())
            )
        )
        self._result.parked_changes.append(change)
        return "parked"

    def _conflicts(self, change: Change, record: Record, conflicts: Iterable[Decision]) -> None:
        self._work.letters += [parking.conflict(change, record, one, self._now) for one in conflicts]

    def _wait_for(self, change: Change, parent: Place) -> None:
        """An orphan waits; its parent is asked for, once."""
        if change.attempts >= ORPHAN_ATTEMPTS:
            reason = f"{parent[1]} {parent[2]} of {parent[0]} never came"
            self._settled[self._park(change, Failure(Remedy.ASK, "orphan", reason, fields=(parent[1],)))].append(
                change.id
            )
            return
        self._deferred.append(change)
        self._hint(change, parent, f"parent:{parent[1]}:{parent[2]}:{change.attempts // 10}")

    def _hint(self, change: Change, place: Place, dedupe_key: str) -> None:
        self._hints.append(
            Change(
                connection=place[0], object=place[1], external_id=place[2], kind=ChangeKind.HINT,
                channel=change.channel, dedupe_key=dedupe_key, received_at=change.received_at,
                lane=Lane(change.lane), correlation_id=change.correlation_id,
            )
        )  # fmt: skip

    def _save(self) -> None:
        wants = self._work.save()
        for state, ids in self._settled.items():
            changes.settle(self._tx, state, ids, self._now)
        finish(self._tx, self._erasures, self._now)
        changes.settle(self._tx, "dropped", self._superseded, self._now, "a newer version came too")
        due = self._now + ORPHAN_DELAY_MS
        changes.defer(self._tx, [one.id for one in self._deferred], due, "waits for what it refers to", attempt=True)
        if self._hints:
            changes.stage(self._tx, self._hints)
        result = self._result
        result.folded = len(self._settled["folded"])
        result.parked = len(self._settled["parked"])
        result.deferred = len(self._deferred)
        result.hinted = bool(self._hints)
        result.timers = any(due is not None for due in self._work.timers.values())
        result.wanted = len(wants)
        result.connections = {one.connection for one in wants} | self._work.released
        books.count(
            self._tx,
            Counter(folded=result.folded, echoes=result.echoes, parked=result.parked),
        )
