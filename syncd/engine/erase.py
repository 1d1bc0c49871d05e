"""Erase: a person was deleted for privacy at a vendor, so what is stored of them goes too.

The rule: at the connection that erased, everything goes. A personal value of the golden record stays only where
another system still holds the person, and holds that value; with nobody left who does, all values stored of the record
go. The link remains as a tombstone, so that no delivery and no late news brings the person back there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from syncd.engine.workset import Workset
from syncd.model.change import Change
from syncd.model.merge import Decision, Rule
from syncd.model.record import Link, Record
from syncd.model.value import ABSENT
from syncd.store import books, erasure
from syncd.store.database import Tx


@dataclass(frozen=True, slots=True)
class Erasure:
    """What must be overwritten once the fold is saved."""

    record_id: str
    change_id: int
    place: erasure.Place
    places: tuple[erasure.Place, ...]
    """Where nothing of the person may remain."""
    personal: frozenset[str]
    """Fields whose history goes."""
    cleared: tuple[str, ...]
    holders: tuple[str, ...]
    """Mappings that still hold the person."""


def erase(work: Workset, change: Change, link: Link) -> Erasure:
    """Turn the link into a tombstone and clear what nobody else holds. :func:`finish` does the rest."""
    work.load_records((link.record_id,))
    record = work.records[link.record_id]
    work.put_link(replace(link, gone=True, erased=True, shadow={}, sent={}, children={}))
    others = [one for one in work.links_of(record.id) if one.external_id != link.external_id or not _here(one, link)]
    holders = [one for one in others if not one.gone]
    definition = work.flows.entities[record.entity]
    personal = frozenset(name for name, one in definition.fields.items() if one.personal)
    cleared = tuple(name for name in personal if name in record.fields and not _held(name, record, holders))
    after = _without(record, cleared, work.now) if cleared else record
    if cleared:
        work.put_record(after, record)
    work.decided(change, after, [Decision(name, Rule.ERASED, ABSENT, ABSENT, ABSENT, ABSENT) for name in cleared])
    gone = (link,) if holders else (link, *others)
    if not holders:
        for one in others:
            work.put_link(replace(one, shadow={}, sent={}, children={}))
    return Erasure(
        record.id, change.id, _place(link), tuple(_place(one) for one in gone), personal, tuple(sorted(cleared)),
        tuple(sorted(f"{one.connection}.{one.object}" for one in holders)),
    )  # fmt: skip


def unknown(change: Change) -> Erasure:
    """Somebody we never linked was erased: what they told, and was not folded, goes."""
    place = (change.connection, change.object, change.external_id)
    return Erasure("nobody", change.id, place, (place,), frozenset(), (), ("nobody",))


def finish(tx: Tx, erasures: Iterable[Erasure], now: int) -> None:
    """Overwrite what the tables hold of the person, and note that it was done, without a word of what it was."""
    for one in erasures:
        everywhere = not one.holders
        erasure.forget_letters(tx, one.record_id, one.place, one.cleared, now, everywhere=everywhere)
        erasure.forget_changes(tx, one.places, now)
        erasure.forget_deliveries(tx, one.record_id, one.place, one.cleared, now, everywhere=everywhere)
        erasure.forget_history(tx, one.record_id, one.personal if one.holders else None)
        detail = {"cleared": list(one.cleared), "still_held": list(one.holders), "change": one.change_id}
        connection, object_, external_id = one.place
        books.add_audit(
            tx, now, f"erase:{one.change_id}", "syncd", "erase", one.record_id,
            f"erased at {connection}.{object_} {external_id}", detail, "erased",
        )  # fmt: skip


def _held(name: str, record: Record, holders: Iterable[Link]) -> bool:
    value = record.fields[name]
    return any(one.shadow.get(name, ABSENT) == value or one.sent.get(name, ABSENT) == value for one in holders)


def _without(record: Record, names: Iterable[str], now: int) -> Record:
    """The record as if these fields had never been told: absent, so that nothing is cleared elsewhere."""
    gone = frozenset(names)

    def kept(items: Mapping[str, object]) -> dict[str, object]:
        return {name: value for name, value in items.items() if name not in gone}

    return replace(
        record, fields=kept(record.fields), origins=kept(record.origins), version=record.version + 1, updated_at=now  # type: ignore[arg-type]
    )  # fmt: skip


def _here(one: Link, link: Link) -> bool:
    return (one.connection, one.object) == (link.connection, link.object)


def _place(link: Link) -> erasure.Place:
    return link.connection, link.object, link.external_id
