"""Writing: objects first, then what hangs on them, in as few calls as there can be.

For a hundred new deals with items: one upsert of deals, one association batch to contacts, one upsert per hundred line
items across all the deals, one association batch of those to their deals. Creates and children are upserts on our own
unique property, so sending them twice has one effect.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Snapshot, VendorError, Verdict, Write
from syncd.systems.hubspot.associations import Tie, associate
from syncd.systems.hubspot.batch import Done, Input, waves, write_objects
from syncd.systems.hubspot.children import write_children
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.deletions import delete
from syncd.systems.hubspot.imports import Imports
from syncd.systems.hubspot.pipelines import Aliases, Pipelines
from syncd.systems.hubspot.read import snapshot
from syncd.systems.hubspot.settings import BATCH, Paths
from syncd.systems.hubspot.values import wire


@dataclass(slots=True)
class Draft:
    """One write on its way to its verdict."""

    write: Write
    external_id: str
    applied: bool = False
    """The object's own values stand."""
    snapshot: Snapshot | None = None
    failure: Failure | None = None
    children: dict[str, str] = field(default_factory=dict)

    def fail(self, failure: Failure) -> None:
        """The first failure speaks."""
        self.failure = self.failure or failure

    def verdict(self) -> Verdict:
        return Verdict(
            key=self.write.key,
            outcome=Outcome.APPLIED if self.failure is None else Outcome.FAILED,
            external_id=self.external_id,
            snapshot=self.snapshot,
            children=self.children,
            failure=self.failure,
            main_applied=self.failure is not None and self.applied,
        )


class Writer:
    def __init__(self, client: Client, paths: Paths, pipelines: Pipelines, imports: Imports) -> None:
        self._client = client
        self._paths = paths
        self._pipelines = pipelines
        self._imports = imports

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> list[Verdict]:
        """One verdict per write. Never raises for the vendor or the budget."""
        drafts = [Draft(one, one.external_id) for one in writes]
        try:
            aliases = await self._pipelines.aliases(mapping, lane)
        except VendorError as error:
            return _all_failed(drafts, error.failure)
        if len(drafts) > BATCH and lane is Lane.BULK:
            await self._import(mapping, drafts, aliases, lane)
        await self._objects(mapping, [one for one in drafts if not (one.applied or one.failure)], aliases, lane)
        if any(draft.failure is not None and draft.failure.code == "INVALID_OPTION" for draft in drafts):
            self._pipelines.forget()  # A stage may have been renamed or remade.
        standing = [draft for draft in drafts if draft.applied and draft.write.action is not Action.DELETE]
        await self._relations(mapping, standing, lane)
        await write_children(self._client, self._paths, mapping, standing, lane)
        return [draft.verdict() for draft in drafts]

    async def _import(self, mapping: ObjectMapping, drafts: Sequence[Draft], aliases: Aliases, lane: Lane) -> None:
        """As many as an import is worth it for. What it did not write is left as it was."""
        rows = [(one.write, wire(one.write.values, aliases)) for one in drafts]
        done = await self._imports.write(mapping, rows, lane)
        for draft in drafts:
            outcome = done.get(draft.write.key)
            if isinstance(outcome, Failure):
                draft.fail(outcome)
            elif outcome:
                draft.external_id, draft.applied = outcome, True

    async def _objects(self, mapping: ObjectMapping, drafts: Sequence[Draft], aliases: Aliases, lane: Lane) -> None:
        groups: dict[str, dict[str, tuple[Draft, Input]]] = {"batch/upsert": {}, "batch/update": {}}
        deletes: list[Draft] = []
        for number, draft in enumerate(drafts):
            write = draft.write
            if write.action is Action.DELETE:
                deletes.append(draft)
            elif write.external_id:
                self._plan_update(mapping, draft, aliases, groups["batch/update"], number)
            elif write.action is Action.CREATE and mapping.key_path:
                properties = wire(write.values, aliases) | {mapping.key_path: write.key}
                body = {"id": write.key, "idProperty": mapping.key_path, "properties": properties}
                trace = f"{number}:{write.key}"
                groups["batch/upsert"][trace] = draft, Input(trace, body)
            elif write.action is Action.CREATE:
                told = f"{mapping.name} has no key_path, so a create could not be told from its repetition"
                draft.fail(Failure(Remedy.ASK, "no-key-path", told))
            else:
                draft.fail(Failure(Remedy.LOOK, "no-external-id", "an update without the vendor's id"))
        for tail, planned in groups.items():
            done = await self._waves(mapping.object, tail, [one for _, one in planned.values()], lane)
            for trace, (draft, _) in planned.items():
                _settle(mapping.object, draft, done[trace], aliases)
        await self._archive(mapping.object, deletes, lane)

    def _plan_update(
        self,
        mapping: ObjectMapping,
        draft: Draft,
        aliases: Aliases,
        planned: dict[str, tuple[Draft, Input]],
        number: int,
    ) -> None:
        write = draft.write
        properties = wire(write.values, aliases)
        if write.action is Action.CREATE and mapping.key_path:
            # A create that names an object adopts it: from now on it carries our key.
            properties[mapping.key_path] = write.key
        if not properties:
            draft.applied = True
            return
        trace = f"{number}:{write.key}"
        planned[trace] = draft, Input(trace, {"id": write.external_id, "properties": properties})

    async def _waves(self, object_: str, tail: str, inputs: Sequence[Input], lane: Lane) -> dict[str, Done]:
        path = self._paths.objects(object_, tail)
        done: dict[str, Done] = {}
        for wave in waves(inputs, BATCH):
            for part in await asyncio.gather(*(write_objects(self._client, path, batch, lane) for batch in wave)):
                done.update(part)
        return done

    async def _archive(self, object_: str, drafts: Sequence[Draft], lane: Lane) -> None:
        known = [draft for draft in drafts if draft.external_id]
        for draft in drafts:
            if not draft.external_id:
                draft.fail(Failure(Remedy.LOOK, "no-external-id", "a deletion without the vendor's id"))
        failures = await delete(self._client, self._paths, object_, [draft.external_id for draft in known], lane)
        for draft in known:
            failure = failures.get(draft.external_id)
            if failure is None:
                draft.applied = True
            else:
                draft.fail(failure)

    async def _relations(self, mapping: ObjectMapping, drafts: Sequence[Draft], lane: Lane) -> None:
        groups: dict[tuple[str, bool], list[tuple[Draft, Tie]]] = defaultdict(list)
        for draft in drafts:
            for one in draft.write.relations:
                tie = Tie(draft.external_id, one.external_id, one.type_id, one.category)
                groups[one.object, one.remove].append((draft, tie))
        # New associations stand before the ones they replace are taken away.
        for (object_, remove), pairs in sorted(groups.items(), key=lambda item: item[0][1]):
            failures = await associate(
                self._client, self._paths, mapping.object, object_, [tie for _, tie in pairs], lane, remove=remove
            )
            for draft, tie in pairs:
                if tie in failures:
                    draft.fail(failures[tie])


def _all_failed(drafts: Sequence[Draft], failure: Failure) -> list[Verdict]:
    """Before anything was sent."""
    for draft in drafts:
        draft.fail(failure)
    return [draft.verdict() for draft in drafts]


def _settle(object_: str, draft: Draft, done: Done, aliases: Aliases) -> None:
    if done.result is None:
        draft.fail(done.failure or Failure(Remedy.LOOK, "no-verdict", "the reply does not mention this input"))
        return
    draft.applied = True
    draft.snapshot = snapshot(object_, done.result, aliases)
    draft.external_id = draft.snapshot.external_id
