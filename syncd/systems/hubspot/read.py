"""Reading: batches by id or by our own key, single look-ups for what was merged, the list for hydration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import Page, ReadResult, Snapshot, VendorError
from syncd.systems.hubspot.client import Client, Reply
from syncd.systems.hubspot.errors import failure_of_item, incomplete, parse, read_error
from syncd.systems.hubspot.graphql import GraphQL
from syncd.systems.hubspot.objects import listed, modified_property, next_of, properties_of, value_of
from syncd.systems.hubspot.pipelines import PLAIN, Aliases, Pipelines
from syncd.systems.hubspot.relations import Relations, laid, relations_of
from syncd.systems.hubspot.sdk import SINGLE, Sdk
from syncd.systems.hubspot.settings import BATCH, LIST_PAGE, Paths

MERGED: Final = "hs_merged_object_ids"
"""Property of a survivor: the ids of what was merged into it."""

LATEST_MS: Final = 10**14
"""What lies beyond is no instant."""

PROBES: Final = 20
"""Ids reported missing that are looked at one by one per read, in case they were merged away rather than deleted."""


def milliseconds(told: Any) -> int:
    """An ISO 8601 instant, or milliseconds as a number or as text, as milliseconds; 0 for anything else."""
    if isinstance(told, int) and not isinstance(told, bool):
        return told if 0 < told < LATEST_MS else 0
    return _milliseconds(told) if isinstance(told, str) and told else 0


@lru_cache(maxsize=1024)
def _milliseconds(text: str) -> int:
    # Objects of one batch mostly carry the same stamp.
    if text.isdecimal():
        return milliseconds(int(text)) if len(text) < 20 else 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    return round(moment.timestamp() * 1000) if moment.tzinfo else 0


def snapshot(
    object_: str, result: Mapping[str, Any], aliases: Aliases = PLAIN, asked: frozenset[str] = frozenset()
) -> Snapshot:
    """A CRM object of any reply as a snapshot. HubSpot has no ordered versions. What was asked for and is empty is told
    as null (the vendor's guide to objects); what is not told at all is no property any more."""
    properties = result.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    modified = milliseconds(known.get(modified_property(object_))) or milliseconds(result.get("updatedAt"))
    return Snapshot(
        object=object_,
        external_id=str(result["id"]),
        data=aliases.from_wire(known),
        modified_at=modified,
        deleted=result.get("archived") is True,
        partial=not asked <= known.keys(),
    )


def shooter(mapping: ObjectMapping, aliases: Aliases) -> Callable[[Mapping[str, Any]], Snapshot]:
    """Makes snapshots of what was read for a mapping."""
    asked = frozenset(properties_of(mapping))
    return lambda result: snapshot(mapping.object, result, aliases, asked)


def results_of(reply: Reply) -> list[Mapping[str, Any]]:
    """The results of a batch or list reply. Raises :class:`VendorError` where the envelope is not one."""
    found = reply.data.get("results") if isinstance(reply.data, Mapping) else None
    if not isinstance(found, list):
        raise VendorError(incomplete(reply.status, reply.body, writes=False))
    return [one for one in listed(reply.data) if one.get("id") is not None]


def chunks(things: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (things[start : start + size] for start in range(0, len(things), size))


async def read_batch(
    client: Client, path: str, ids: Sequence[str], properties: Sequence[str], lane: Lane, *, id_property: str = ""
) -> tuple[list[Mapping[str, Any]], set[str]]:
    """Up to a batch of objects, and the ids the vendor says it does not have. Raises as calls do."""
    body: dict[str, Any] = {
        "inputs": [{"id": one} for one in ids],
        "properties": list(properties),
        "propertiesWithHistory": [],
    }
    if id_property:
        body["idProperty"] = id_property
    try:
        reply = await client.post(path, body, lane)
    except VendorError as error:
        if error.failure.status == 404 and error.failure.remedy is Remedy.GONE:
            return [], set(ids)  # Older behaviour: not one of them exists.
        raise
    missed: set[str] = set()
    for one in listed(reply.data, "errors"):
        failure = failure_of_item(one)
        if failure.remedy is not Remedy.GONE:
            raise VendorError(failure)
        missed |= read_error(one).marks
    return results_of(reply), missed


class Reader:
    def __init__(
        self,
        client: Client,
        sdk: Sdk,
        paths: Paths,
        pipelines: Pipelines,
        relations: Relations,
        graphql: GraphQL | None = None,
    ) -> None:
        self._client = client
        self._graphql = graphql
        self._relations = relations
        self._sdk = sdk
        self._paths = paths
        self._pipelines = pipelines

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return ReadResult({}, frozenset())
        aliases = await self._pipelines.aliases(mapping, lane)
        told = await self._short(mapping, wanted, aliases, lane)
        rest = [one for one in wanted if one not in told]
        return await self._by_rest(mapping, rest, told, aliases, lane) if rest else ReadResult(told, frozenset())

    async def _short(
        self, mapping: ObjectMapping, wanted: Sequence[str], aliases: Aliases, lane: Lane
    ) -> dict[str, Snapshot]:
        """What GraphQL tells, where the connection has it."""
        if self._graphql is None:
            return {}
        objects, near = await self._graphql.read(mapping, wanted, lane)
        relations, shot = relations_of(mapping), shooter(mapping, aliases)
        return {id_: laid(shot(one), relations, near) for id_, one in objects.items()}

    async def _by_rest(
        self, mapping: ObjectMapping, wanted: Sequence[str], told: Mapping[str, Snapshot], aliases: Aliases, lane: Lane
    ) -> ReadResult:
        parts = await asyncio.gather(*(self._batch(mapping, part, "", lane) for part in chunks(wanted, BATCH)))
        found, shot = dict[str, Snapshot](), shooter(mapping, aliases)
        strangers: list[Mapping[str, Any]] = []
        refused: set[str] = set()
        asked = frozenset(wanted)
        for results, missed in parts:
            refused |= missed
            for one in results:
                if str(one["id"]) in asked:
                    found[str(one["id"])] = shot(one)
                else:
                    strangers.append(one)
        lost = [one for one in wanted if one not in found]
        if len(lost) == len(strangers) == 1:
            # One asked-for id without an answer, one answer nobody asked for: the survivor of a merge.
            found[lost[0]] = shot(strangers[0])
        else:
            found.update(await self._probe(mapping, lost, refused, lane, aliases))
        missing = frozenset(one for one in wanted if one not in found)
        return ReadResult({**told, **await self._relations.filled(mapping, found, lane)}, missing)

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """By our record id in the mapping's key property. Batch reads are consistent; search is not, so it is not
        used here."""
        wanted = list(dict.fromkeys(keys))
        if not wanted:
            return {}
        if not mapping.key_path:
            told = f"{mapping.name} has no key_path, so nothing can be found by record id"
            raise VendorError(Failure(Remedy.ASK, "no-key-path", told))
        shot = shooter(mapping, await self._pipelines.aliases(mapping, lane))
        found: dict[str, Snapshot] = {}
        for part in chunks(wanted, BATCH):
            results, _ = await self._batch(mapping, part, mapping.key_path, lane)
            by_key = {value_of(one, mapping.key_path).casefold(): one for one in results}
            for key in part:
                if (one := by_key.get(key.casefold())) is not None:
                    found[key] = shot(one)
        return await self._relations.filled(mapping, found, lane)

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        """Every living object in the order of ids, which writes do not disturb."""
        place = _scan_place(cursor)
        if place is None:
            return Page((), cursor or "", more=False)
        shot = shooter(mapping, await self._pipelines.aliases(mapping, lane))
        query = {"limit": str(LIST_PAGE), "properties": ",".join(properties_of(mapping)), "archived": "false"}
        if place:
            query["after"] = place
        reply = await self._client.get(self._paths.objects(mapping.object), query, lane)
        results = results_of(reply)
        after = next_of(reply.data)
        mark = {"after": after} if after else {"done": True}
        shots = {str(one["id"]): shot(one) for one in results}
        shots = await self._relations.filled(mapping, shots, lane)
        return Page(list(shots.values()), orjson.dumps(mark).decode(), more=bool(after))

    async def archived(
        self, mapping: ObjectMapping, after: str, since: int, until: int, lane: Lane
    ) -> tuple[list[Snapshot], str]:
        """Of a page of the archived, those archived in a span of milliseconds; and where the next page begins."""
        query = {"limit": str(LIST_PAGE), "archived": "true"} | ({"after": after} if after else {})
        reply = await self._client.get(self._paths.objects(mapping.object), query, lane)
        gone = [
            Snapshot(mapping.object, str(one["id"]), {}, modified_at=at, deleted=True)
            for one in results_of(reply)
            if since <= (at := milliseconds(one.get("archivedAt")) or milliseconds(one.get("updatedAt"))) <= until
        ]
        return gone, next_of(reply.data)

    async def absorbed(self, mapping: ObjectMapping, survivors: Sequence[Snapshot], lane: Lane) -> list[Snapshot]:
        """What was merged away into these objects, as they say themselves."""
        found: list[Snapshot] = []
        for part in chunks(survivors, BATCH):
            body = {
                "inputs": [{"id": one.external_id} for one in part],
                "properties": [MERGED],
                "propertiesWithHistory": [],
            }
            reply = await self._client.post(self._paths.objects(mapping.object, "batch/read"), body, lane)
            stamps = {one.external_id: one.modified_at for one in part}
            for one in results_of(reply):
                into = str(one["id"])
                found += [
                    Snapshot(mapping.object, gone, {}, modified_at=stamps.get(into, 0), merged_into=into)
                    for gone in value_of(one, MERGED).split(";")
                    if gone.isdecimal() and gone != into
                ]
        return found

    async def _batch(
        self, mapping: ObjectMapping, ids: Sequence[str], id_property: str, lane: Lane
    ) -> tuple[list[Mapping[str, Any]], set[str]]:
        path = self._paths.objects(mapping.object, "batch/read")
        return await read_batch(self._client, path, ids, properties_of(mapping), lane, id_property=id_property)

    async def _probe(
        self, mapping: ObjectMapping, lost: Sequence[str], refused: set[str], lane: Lane, aliases: Aliases
    ) -> dict[str, Snapshot]:
        """Merged-away ids: a single read by the old id answers with the survivor."""
        silent = [one for one in lost if one not in refused]
        doubtful = silent + [one for one in lost if one in refused][: max(0, PROBES - len(silent))]
        found, shot = dict[str, Snapshot](), shooter(mapping, aliases)
        for one in doubtful:
            try:
                data = await self._sdk.call(
                    SINGLE, mapping.object, one, lane=lane, properties=properties_of(mapping), archived=False
                )
            except VendorError as error:
                if error.failure.remedy is not Remedy.GONE:
                    raise
                continue
            if isinstance(data, Mapping) and data.get("id") is not None:
                found[one] = shot(data)
        return found


def _scan_place(cursor: str | None) -> str | None:
    """Where a scan goes on: ``""`` for the beginning, ``None`` when it is over."""
    if not cursor:
        return ""
    mark = parse(cursor)
    if not isinstance(mark, Mapping):
        raise VendorError(Failure(Remedy.ASK, "bad-cursor", "the scan's cursor cannot be read"))
    return None if mark.get("done") else str(mark.get("after") or "")
