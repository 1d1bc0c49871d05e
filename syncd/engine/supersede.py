"""What need not be folded, because something newer of the same object is staged too.

A hot object is told many times while a backlog stands. Its versions are whole states in a known order, so that only
the newest says anything that the others do not: a poll would have seen no other either. All that is staged of an
object goes at once, so that it is folded, and written elsewhere, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from syncd.engine import rules
from syncd.engine.flows import Flows
from syncd.model.change import Change, ChangeKind, Lane
from syncd.store import changes
from syncd.store.changes import Told
from syncd.store.database import Tx


def newest_only(tx: Tx, flows: Flows, batch: Sequence[Change]) -> tuple[list[Change], list[int]]:
    """The batch with, of each object, only the newest state that is staged; and the ids of those it stands for.

    The newest takes over the urgency of those that it replaces, and the start of their latency clock.
    """
    groups = list(_repeated(tx, flows, batch))
    newest = {group: max(group, key=lambda one: int(one.version)) for group in groups}
    here = {one.id: one for one in batch}
    loaded = here | changes.load(tx, [one.id for one in newest.values() if one.id not in here])
    stands_for: dict[int, Change] = {}
    gone: set[int] = set()
    for group, last in newest.items():
        # Equal versions stay: the first of them that is folded makes the others stale.
        older = [one for one in group if int(one.version) < int(last.version)]
        gone.update(one.id for one in older)
        change = replace(
            loaded[last.id],
            lane=Lane(min(one.lane for one in group)),
            received_at=min(one.received_at for one in group),
        )
        first = min(one.id for one in group if one.id in here)
        stands_for[first] = stands_for[last.id] = change
    kept: dict[int, Change] = {}
    for one in batch:
        change = stands_for.get(one.id, one)
        if change.id not in gone:
            kept.setdefault(change.id, change)
    return list(kept.values()), sorted(gone)


def _repeated(tx: Tx, flows: Flows, batch: Sequence[Change]) -> Iterable[tuple[Told, ...]]:
    """What is staged of each object that is told more than once, where only the newest counts."""
    places: dict[tuple[str, str], set[str]] = {}
    for change in batch:
        if _ordered(flows, change):
            places.setdefault((change.connection, change.object), set()).add(change.external_id)
    for (connection, object_), ids in places.items():
        groups: dict[str, list[Told]] = {}
        for one in changes.told_of(tx, connection, object_, sorted(ids)):
            groups.setdefault(one.external_id, []).append(one)
        yield from (tuple(group) for group in groups.values() if len(group) > 1 and all(map(_whole, group)))


def _ordered(flows: Flows, change: Change) -> bool:
    mapping = flows.mapping(change.connection, change.object)
    return mapping is not None and flows.ordered_versions(change.connection) and not rules.counts_steps(mapping.entity)


def _whole(told: Told) -> bool:
    """A whole state of known version. One that was deferred waits for something: it is left alone, and so is what
    surrounds it."""
    return told.kind == ChangeKind.STATE and not told.partial and told.version != "" and told.due_at == 0
