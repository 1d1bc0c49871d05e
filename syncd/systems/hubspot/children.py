"""Child objects (line items) of written parents: upserted by our key across all parents of a call, tied to them, and
archived when their item is gone.

A child is told to exist only when it also hangs on its parent. Until then it comes again without an id, is upserted by
its key and tied: repeating either has one effect.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from syncd.model.change import Lane
from syncd.model.failure import Failure
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import ChildrenWrite, ChildWrite, VendorError, Write
from syncd.systems.hubspot.associations import Tie, associate, repeatable, tied
from syncd.systems.hubspot.batch import Done, Input, waves, write_objects
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.deletions import archive
from syncd.systems.hubspot.errors import no_verdict
from syncd.systems.hubspot.objects import value_of
from syncd.systems.hubspot.read import chunks, read_batch
from syncd.systems.hubspot.settings import BATCH, Paths
from syncd.systems.hubspot.values import wire


class Parent(Protocol):
    """A written object, as its draft stands."""

    write: Write
    external_id: str
    children: dict[str, str]

    def fail(self, failure: Failure) -> None: ...


@dataclass(slots=True)
class _Child:
    parent: Parent
    part: ChildrenWrite
    child: ChildWrite
    trace: str
    id: str = ""
    untied: bool = False


async def write_children(
    client: Client, paths: Paths, mapping: ObjectMapping, parents: Sequence[Parent], lane: Lane
) -> None:
    """Failures and ids end up on the parents. Never raises for the vendor or the budget."""
    by_object: dict[tuple[str, int], list[tuple[Parent, ChildrenWrite]]] = defaultdict(list)
    for parent in parents:
        for part in parent.write.children:
            by_object[part.object, part.type_id].append((parent, part))
    for (object_, type_id), pairs in by_object.items():
        born = await _upsert(client, paths, mapping.key_path, object_, pairs, lane)
        await _tie(client, paths, mapping.object, object_, type_id, born, lane)
        strays = await _strays(client, paths, mapping, object_, pairs, lane)
        await _remove(client, paths, object_, pairs, strays, lane)


async def _upsert(
    client: Client,
    paths: Paths,
    key_path: str,
    object_: str,
    pairs: Sequence[tuple[Parent, ChildrenWrite]],
    lane: Lane,
) -> list[_Child]:
    """Children that now exist."""
    children: list[_Child] = []
    inputs: list[Input] = []
    for parent, part in pairs:
        for child in part.upsert:
            key = f"{parent.write.key}:{child.key}"
            trace = f"{len(children)}:{key}"
            properties = wire(child.values) | {key_path: key}
            inputs.append(Input(trace, {"id": key, "idProperty": key_path, "properties": properties}))
            children.append(_Child(parent, part, child, trace))
    path = paths.objects(object_, "batch/upsert")
    done: dict[str, Done] = {}
    for wave in waves(inputs, BATCH):
        for part_done in await asyncio.gather(*(write_objects(client, path, batch, lane) for batch in wave)):
            done.update(part_done)
    born: list[_Child] = []
    for one in children:
        verdict = done[one.trace]
        if verdict.result is None:
            one.parent.fail(repeatable(verdict.failure or no_verdict(200)))
            continue
        one.id = str(verdict.result["id"])
        one.untied = verdict.result.get("new") is True or one.child.external_id != one.id
        born.append(one)
    return born


async def _tie(
    client: Client, paths: Paths, parent_object: str, object_: str, type_id: int, born: Sequence[_Child], lane: Lane
) -> None:
    ties = {one.trace: Tie(one.id, one.parent.external_id, type_id) for one in born if one.untied}
    failures: Mapping[Tie, Failure] = {}
    if ties:
        failures = await associate(client, paths, object_, parent_object, list(ties.values()), lane)
    for one in born:
        tie = ties.get(one.trace)
        if tie is not None and tie in failures:
            one.parent.fail(failures[tie])
        else:
            one.parent.children[one.child.key] = one.id


async def _strays(
    client: Client,
    paths: Paths,
    mapping: ObjectMapping,
    object_: str,
    pairs: Sequence[tuple[Parent, ChildrenWrite]],
    lane: Lane,
) -> list[tuple[Parent, str]]:
    """Children of ours that hang on a parent and should not: looked up where an earlier answer was lost."""
    doubtful = {parent.external_id: (parent, part) for parent, part in pairs if part.complete}
    if not doubtful:
        return []
    found: list[tuple[Parent, str]] = []
    try:
        held = await tied(client, paths, mapping.object, object_, list(doubtful), lane)
        owners = {child: parent for parent in doubtful for child in held[parent]}
        keys = await _keys(client, paths, object_, mapping.key_path, list(owners), lane)
    except VendorError as error:
        for parent, _part in doubtful.values():
            parent.fail(repeatable(error.failure))
        return []
    for child, owner in owners.items():
        key, (parent, part) = keys.get(child, ""), doubtful[owner]
        wanted = {f"{parent.write.key}:{one.key}" for one in part.upsert}
        if key.startswith(f"{parent.write.key}:") and key not in wanted:
            found.append((parent, child))
    return found


async def _keys(
    client: Client, paths: Paths, object_: str, key_path: str, ids: Sequence[str], lane: Lane
) -> dict[str, str]:
    """Our keys of objects, by their ids. Raises as calls do."""
    keys: dict[str, str] = {}
    for part in chunks(ids, BATCH):
        results, _ = await read_batch(client, paths.objects(object_, "batch/read"), part, [key_path], lane)
        keys.update((str(one["id"]), value_of(one, key_path)) for one in results)
    return keys


async def _remove(
    client: Client,
    paths: Paths,
    object_: str,
    pairs: Sequence[tuple[Parent, ChildrenWrite]],
    strays: Sequence[tuple[Parent, str]],
    lane: Lane,
) -> None:
    doomed = [(parent, external_id) for parent, part in pairs for external_id in part.remove.values()]
    doomed += strays
    ids = list(dict.fromkeys(external_id for _, external_id in doomed))
    failures = await archive(client, paths, object_, ids, lane)
    for parent, external_id in doomed:
        if external_id in failures:
            parent.fail(repeatable(failures[external_id]))
