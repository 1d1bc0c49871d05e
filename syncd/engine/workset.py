"""What one fold works on: records, links and identities, loaded in bulk and saved in bulk, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from syncd.engine.convert import BUYER, ORDER
from syncd.engine.flows import Flows
from syncd.model.change import Change, Lane
from syncd.model.diff import compare
from syncd.model.merge import Decision
from syncd.model.record import Link, Origin, Record
from syncd.model.value import Value
from syncd.store import books, deliveries, letters, links, records
from syncd.store.database import Tx
from syncd.store.deliveries import Want
from syncd.store.letters import DeadLetter
from syncd.store.records import HistoryRow

Place = tuple[str, str, str]
"""Connection, object, external id."""


class Workset:
    """The cache and the pen of one fold transaction."""

    def __init__(self, tx: Tx, flows: Flows, now: int) -> None:
        self.tx = tx
        self.flows = flows
        self.now = now
        self.links: dict[Place, Link] = {}
        self.records: dict[str, Record] = {}
        self._of_record: dict[str, dict[tuple[str, str], Link]] = {}
        self._identities: dict[tuple[str, str, str], set[str]] = {}
        self._identity_rows: list[tuple[str, str, str | None, str | None, str]] = []
        self._dirty_records: set[str] = set()
        self._dirty_links: set[Place] = set()
        self._history: list[HistoryRow] = []
        self._touched: dict[str, Change] = {}
        self._since: dict[str, int] = {}
        self._lane: dict[str, Lane] = {}
        self._born: dict[str, list[str]] = {}
        self._left: list[Link] = []
        self._buyers: set[str] = set()
        self.released: set[str] = set()
        """Connections to which deliveries may go now that waited for a parent."""
        self.timers: dict[str, int | None] = {}
        self.letters: list[DeadLetter] = []

    # --- loading -----------------------------------------------------------------------------------------------

    def load_links(self, places: Iterable[Place]) -> None:
        """Links at places not looked at yet."""
        wanted: dict[tuple[str, str], set[str]] = {}
        for connection, object_, external_id in places:
            if (connection, object_, external_id) not in self.links:
                wanted.setdefault((connection, object_), set()).add(external_id)
        for (connection, object_), ids in wanted.items():
            for external_id, link in links.of_objects(self.tx, connection, object_, sorted(ids)).items():
                self.links[connection, object_, external_id] = link

    def load_identities(self, wanted: Mapping[tuple[str, str], set[str]]) -> None:
        """Records by ``(entity, field)`` and values."""
        for (entity, field), values in wanted.items():
            new = [value for value in values if (entity, field, value) not in self._identities]
            found = records.identify(self.tx, entity, field, new)
            for value in new:
                self._identities[entity, field, value] = found.get(value, set())

    def load_records(self, ids: Iterable[str]) -> None:
        """Records with all their links."""
        wanted = [one for one in dict.fromkeys(ids) if one and one not in self._of_record]
        if not wanted:
            return
        self.records.update(records.load(self.tx, wanted))
        found = links.of_records(self.tx, wanted)
        for one in wanted:
            self._of_record[one] = {}
            for place, link in found.get(one, {}).items():
                known = self.links.setdefault((*place, link.external_id), link)
                self._of_record[one][place] = known

    # --- looking up --------------------------------------------------------------------------------------------

    def identified(self, entity: str, field: str, value: Value) -> set[str]:
        """Records that carry an identity value; loads it when the batch did not foresee it."""
        key = (entity, field, str(value))
        if key not in self._identities:
            self.load_identities({(entity, field): {str(value)}})
        return self._identities[key]

    def link_of(self, record_id: str, connection: str, object_: str) -> Link | None:
        self.load_records((record_id,))
        return self._of_record[record_id].get((connection, object_))

    def links_of(self, record_id: str) -> list[Link]:
        self.load_records((record_id,))
        return list(self._of_record[record_id].values())

    # --- writing -----------------------------------------------------------------------------------------------

    def put_link(self, link: Link) -> None:
        place = (link.connection, link.object, link.external_id)
        known = self.links.get(place)
        if not link.gone and (known is None or known.gone):
            self._born.setdefault(link.connection, []).append(link.record_id)
        elif link.gone and known is not None and not known.gone:
            self._left.append(link)
        self.load_records((link.record_id,))
        here = self._of_record[link.record_id]
        former = here.get(place[:2])
        if former is not None and former.external_id != link.external_id and not former.gone and not link.gone:
            self.put_link(replace(former, gone=True))
        self.links[place] = link
        self._dirty_links.add(place)
        if former is None or former.gone or former.external_id == link.external_id or not link.gone:
            here[place[:2]] = link

    def put_record(self, record: Record, former: Record | None) -> None:
        self._of_record.setdefault(record.id, {})
        self.records[record.id] = record
        self._dirty_records.add(record.id)
        if record.entity == ORDER and record.fields.get(BUYER):
            self._buyers.add(str(record.fields[BUYER]))
        for field in self.flows.indexed(record.entity):
            before = None if former is None else former.fields.get(field)
            after = record.fields.get(field)
            if before != after:
                self._move_identity(record, field, before, after)

    def _move_identity(self, record: Record, field: str, before: Value, after: Value) -> None:
        old, new = (None if one in (None, "") else str(one) for one in (before, after))
        self._identity_rows.append((record.entity, field, old, new, record.id))
        if old is not None:
            self.identified(record.entity, field, old).discard(record.id)
        if new is not None:
            self.identified(record.entity, field, new).add(record.id)

    def touch(self, record_id: str, change: Change) -> None:
        """The record, or what a connection holds of it, changed: compare every connection at the end."""
        self._touched[record_id] = change
        self._since[record_id] = min(self._since.get(record_id, change.received_at), change.received_at)
        self._lane[record_id] = min(self._lane.get(record_id, change.lane), change.lane)

    def decided(
        self, change: Change, record: Record, decisions: Iterable[Decision], *, who: str = "", why: str = ""
    ) -> None:
        self._history.append(
            HistoryRow(
                record.id, record.version, self.now, change.id, change.connection, change.channel,
                change.correlation_id, tuple(decisions), who, why,
            )
        )  # fmt: skip

    def save(self) -> list[Want]:
        """Write everything, and return the deliveries that were asked for."""
        records.save(
            self.tx,
            (
                (one, self.flows.title(one.entity, one.fields))
                for one in map(self.records.get, self._dirty_records)
                if one
            ),
        )
        # Links that went leave before those that came: a record has one live link per object.
        dirty = sorted((self.links[place] for place in self._dirty_links), key=lambda one: not one.gone)
        links.save(self.tx, dirty)
        for connection, parents in self._born.items():
            # Whoever learns first that the parent stands there, lets go what waited for it.
            if deliveries.release(self.tx, parents, connection):
                self.released.add(connection)
        records.save_identities(self.tx, self._identity_rows)
        self._release_buyers()
        records.add_history(self.tx, self._history)
        books.set_timers(self.tx, "idle", self.timers)
        letters.put(self.tx, self.letters)
        wants = [one for record_id, change in self._touched.items() for one in self._wants(record_id, change)]
        deliveries.want(self.tx, wants)
        return wants

    def _release_buyers(self) -> None:
        """Who has an order now, and whose lead is gone, need not wait any longer to be created."""
        waiting = dict.fromkeys(self.flows.systems, self._buyers)
        for link in self._left:
            lead = self.records.get(link.record_id)
            for mapping in self.flows.converts(link.connection, link.object) if lead else ():
                for name in self.flows.entities[mapping.entity].identity:
                    if lead is not None and lead.fields.get(name):
                        found = self.identified(mapping.entity, name, lead.fields[name])
                        waiting[link.connection] = waiting[link.connection] | found
        for connection, numbers in waiting.items():
            if numbers and deliveries.release(self.tx, sorted(numbers), connection):
                self.released.add(connection)

    def _wants(self, record_id: str, change: Change) -> Iterable[Want]:
        record = self.records[record_id]
        for mapping in self.flows.of_entity(record.entity):
            if not mapping.write:
                continue
            link = self.link_of(record_id, mapping.connection, mapping.object)
            if link is None and forgotten(self._of_record[record_id].values()):
                continue
            if compare(mapping, record, link):
                yield Want(
                    record_id, record.entity, mapping.connection, mapping.object, self._lane[record_id],
                    self._since[record_id], change.id, change.correlation_id, record.version,
                )  # fmt: skip


def forgotten(held: Iterable[Link]) -> bool:
    """Whether these links are of a person who was erased, and whom nobody holds any more: nothing is made of them."""
    known = list(held)
    return any(one.erased for one in known) and all(one.gone for one in known)


def evolve(record: Record, fields: Mapping[str, Value], origins: Mapping[str, Origin], now: int) -> Record:
    """The record with new contents and the next version."""
    return Record(record.id, record.entity, fields, {**record.origins, **origins}, record.version + 1, now)
