"""Merging two records of a type into one."""

from __future__ import annotations

from syncd.sandbox.hubspot.account import Account
from syncd.sandbox.hubspot.errors import validation
from syncd.sandbox.hubspot.events import Event
from syncd.sandbox.hubspot.kinds import CONTACTS, Kind
from syncd.sandbox.hubspot.records import Record, Source

MAX_IDENTITIES = 250
"""A record that absorbed this many can absorb no more."""


def merge(account: Account, kind: Kind, primary_id: str, other_id: str, who: Source) -> Record:
    """The primary record's values win; what it lacks comes from the other. Raises ``ApiError``.

    With the account's ``merge_makes_new`` the survivor has a new id. Either way reads by an absorbed id lead to
    the survivor, while association reads by it come back empty.
    """
    if not kind.merges:
        raise validation(f"Merging is not supported for objects of type {kind.legacy}")
    primary, other = account.need(kind, primary_id), account.need(kind, other_id)
    if primary is other:
        raise validation("Cannot merge an object with itself")
    absorbed = _identities(primary) + _identities(other)
    if len(absorbed) > MAX_IDENTITIES:
        raise validation(f"Merge would exceed the limit of {MAX_IDENTITIES} identities")
    survivor = _survivor(account, kind, primary, other) if account.profile.merge_makes_new else primary
    gone = [one for one in (primary, other) if one is not survivor]
    _take_values(account, survivor, primary, other, who)
    for one in gone:
        _move_links(account, kind, one, survivor, who)
        account.records.drop(one)
        account.records.moved(kind, one.id, survivor.id)
        account.search.forget(one)
    _announce(account, kind, survivor, primary, gone, who)
    return survivor


def _identities(record: Record) -> list[str]:
    return [record.id, *filter(None, record.values.get("hs_merged_object_ids", "").split(";"))]


def _survivor(account: Account, kind: Kind, primary: Record, other: Record) -> Record:
    for one in (primary, other):
        account.records.release(one, account.properties.uniques(kind))
    now = account.clock.now_ms()
    created = min(primary.created_ms, other.created_ms)
    record = Record(kind, account.records.new_id(), created, now, {}, history=primary.history)
    account.records.add(record)
    return record


def _take_values(account: Account, survivor: Record, primary: Record, other: Record, who: Source) -> None:
    kind, now = survivor.kind, account.clock.now_ms()
    account.records.release(other, account.properties.uniques(kind))
    values = {**other.values, **primary.values}
    values["hs_object_id"] = survivor.id
    values[kind.modified] = account.now_iso()
    values["hs_merged_object_ids"] = ";".join(
        one for one in [*_identities(primary), *_identities(other)] if one != survivor.id
    )
    if kind is CONTACTS and other.values.get("email") and other.values["email"] != values.get("email"):
        extra = [*filter(None, values.get("hs_additional_emails", "").split(";")), other.values["email"]]
        values["hs_additional_emails"] = ";".join(dict.fromkeys(extra))
    for name, value in values.items():
        if primary.values.get(name) != value:
            survivor.note(name, value, now, Source("MERGE_OBJECTS", who.id, who.actor))
    survivor.values = values
    survivor.updated_ms = now
    for name in account.properties.uniques(kind):
        account.records.claim(survivor, name, values.get(name, ""), "")
    account.search.touch(survivor)


def _move_links(account: Account, kind: Kind, old: Record, survivor: Record, who: Source) -> None:
    for target, target_id, edges in [(a, b, set(c)) for a, b, c in account.graph.neighbours(old.id)]:
        types = account.graph.types(kind, target)
        account.graph.unlink(kind, old.id, target, target_id)
        if target_id == survivor.id:
            continue
        for edge in sorted(edges):
            account.associate(kind, survivor.id, target, target_id, types[edge], who)
    account.graph.remove(kind, old.id)


def _announce(account: Account, kind: Kind, survivor: Record, primary: Record, gone: list[Record], who: Source) -> None:
    now = account.clock.now_ms()
    merged = [one.id for one in gone]
    account.noted(survivor, "merge", {"merged": merged, "primary": primary.id}, who)
    source = Source("MERGE_OBJECTS", who.id, who.actor)
    more = {
        "primaryObjectId": int(primary.id),
        "mergedObjectIds": [int(one) for one in merged],
        "newObjectId": int(survivor.id),
        "numberOfPropertiesMoved": len(survivor.values),
    }
    account.emit(Event(kind, "merge", survivor.id, now, source, flag="MERGED", extra=more))
    for one in gone:
        account.emit(Event(kind, "deletion", one.id, now, source, flag="DELETED"))
