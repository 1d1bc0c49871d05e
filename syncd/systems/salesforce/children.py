"""Child records (line items): upserted by our key across all parents of a write, removed when their item is gone.

The key and the reference to the parent travel together, so a child that exists hangs on its parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import ChildrenWrite, ChildWrite, OutOfBudgetError, VendorError
from syncd.systems.mishaps import failure_of
from syncd.systems.salesforce.collections import (
    Done,
    Input,
    Target,
    delete_records,
    updateable,
    write_records,
)
from syncd.systems.salesforce.describe import Describer, Schema
from syncd.systems.salesforce.draft import Draft, repeatable
from syncd.systems.salesforce.ids import is_id
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.soql import literal, name, select
from syncd.systems.salesforce.values import body


@dataclass(slots=True)
class Child:
    parent: Draft
    part: ChildrenWrite
    child: ChildWrite
    schema: Schema
    lookup: str

    @property
    def key(self) -> str:
        return f"{self.parent.write.key}:{self.child.key}"

    def fields(self, key_path: str, parent_id: str) -> dict[str, Any]:
        """The body of an upsert."""
        return {**body(self.child.values, self.schema), key_path: self.key, self.lookup: parent_id}


def lookup_of(part: ChildrenWrite, schema: Schema, parent: str) -> str:
    """The child's reference field to its parent. Raises :class:`VendorError` with ASK where that is not clear."""
    if part.path:
        return part.path
    found = schema.lookup_to(parent)
    if found is None:
        told = f"{part.object} has no single reference field to {parent}; name it as the path of the children"
        raise VendorError(Failure(Remedy.ASK, "no-reference-field", told))
    return found.name


async def write_children(
    rest: Rest, describer: Describer, mapping: ObjectMapping, parents: Sequence[Draft], lane: Lane
) -> None:
    """For parents that stand. Failures and ids end up on them. Never raises for the vendor or the budget."""
    for object_ in dict.fromkeys(part.object for one in parents for part in one.write.children):
        pairs = [(one, part) for one in parents for part in one.write.children if part.object == object_]
        try:
            schema = await describer.schema(object_, lane)
            born = [
                Child(parent, part, child, schema, lookup_of(part, schema, mapping.object))
                for parent, part in pairs
                for child in part.upsert
            ]
            doomed = await _doomed(rest, mapping, schema, pairs, lane)
        except (VendorError, OutOfBudgetError) as error:
            for parent, _ in pairs:
                parent.fail(repeatable(failure_of(error)))
            continue
        await _upsert(rest, mapping, schema, born, lane)
        await _remove(rest, doomed, lane)


async def _upsert(rest: Rest, mapping: ObjectMapping, schema: Schema, born: Sequence[Child], lane: Lane) -> None:
    updates, upserts = [], []
    for mark, one in enumerate(born):
        fields = one.fields(mapping.key_path, one.parent.external_id)
        if one.child.external_id:
            known = {"id": one.child.external_id, **updateable(schema, fields)}
            updates.append(Input(mark, one.child.external_id, known))
        else:
            upserts.append(Input(mark, one.key, fields))
    done = await write_records(rest, Target(schema), updates, lane)
    # A child that somebody deleted is made again: its item is still there.
    gone = {mark for mark, one in done.items() if one.failure is not None and one.failure.remedy is Remedy.GONE}
    upserts += [
        Input(mark, born[mark].key, born[mark].fields(mapping.key_path, born[mark].parent.external_id))
        for mark in sorted(gone)
    ]
    done |= await write_records(rest, Target(schema, mapping.key_path), upserts, lane)
    for mark, child in enumerate(born):
        settle_child(child, done[mark])


def settle_child(child: Child, done: Done) -> None:
    if done.failure is None:
        child.parent.children[child.child.key] = done.id
    else:
        child.parent.fail(repeatable(done.failure))


async def _doomed(
    rest: Rest, mapping: ObjectMapping, schema: Schema, pairs: Sequence[tuple[Draft, ChildrenWrite]], lane: Lane
) -> list[tuple[Draft, str]]:
    """Children to delete: those whose item is gone, and where it is not known what hangs there, those of ours that no
    item stands for."""
    doomed = [(parent, external_id) for parent, part in pairs for external_id in part.remove.values()]
    for parent, part in pairs:
        if not part.complete or parent.write.action is Action.DELETE:
            continue
        lookup = lookup_of(part, schema, mapping.object)
        where = f"{name(lookup)} = {literal(parent.external_id)} AND {name(mapping.key_path)} != NULL"
        rows = await rest.query_all(select(("Id", mapping.key_path), schema.name, where), lane)
        kept = {f"{parent.write.key}:{child.key}".casefold() for child in part.upsert}
        known = {one for _, one in doomed}
        for row in rows:
            key = str(row.get(mapping.key_path) or "")
            ours = key.startswith(f"{parent.write.key}:") and key.casefold() not in kept
            if ours and is_id(row.get("Id")) and row["Id"] not in known:
                doomed.append((parent, row["Id"]))
    return doomed


async def _remove(rest: Rest, doomed: Sequence[tuple[Draft, str]], lane: Lane) -> None:
    done = await delete_records(rest, [one for _, one in doomed], lane)
    for parent, external_id in doomed:
        failure = done[external_id].failure
        if failure is not None and failure.remedy not in (Remedy.GONE, Remedy.REREAD):
            parent.fail(repeatable(failure))
