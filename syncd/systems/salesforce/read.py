"""Reading: by id, by our key, and what became of what is not there any more."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.contract import ReadResult, Snapshot, VendorError
from syncd.systems.salesforce.columns import Columns
from syncd.systems.salesforce.describe import Describer
from syncd.systems.salesforce.ids import is_id, long_id
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.settings import QUERY_IDS, RETRIEVE
from syncd.systems.salesforce.soql import among, name, portions, select
from syncd.systems.salesforce.values import from_json, shaped, snapshot


def chunks(things: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (things[start : start + size] for start in range(0, len(things), size))


def snapshots(
    mapping: ObjectMapping, records: Iterable[Mapping[str, Any]], *, partial: bool = False
) -> list[Snapshot]:  # fmt: skip
    """Records of a query's reply."""
    paths = mapping.paths()
    return [
        snapshot(mapping.object, shaped(from_json(one), paths), partial=partial)
        for one in records
        if is_id(one.get("Id"))
    ]


class Reader:
    def __init__(self, rest: Rest, describer: Describer, columns: Columns) -> None:
        self._rest = rest
        self._describer = describer
        self._columns = columns

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        """By id; after a merge the answer is the survivor, under the id that was asked for."""
        wanted = [one for one in dict.fromkeys(map(long_id, ids)) if is_id(one)]
        found = await self._present(mapping, wanted, lane)
        lost = [one for one in wanted if one not in found]
        if lost:
            survivors = await self.survivors(mapping.object, lost, lane)
            there = await self._present(mapping, sorted(set(survivors.values())), lane)
            found |= {old: there[new] for old, new in survivors.items() if new in there}
        by_asked = {one: found[long_id(one)] for one in ids if long_id(one) in found}
        return ReadResult(by_asked, frozenset(one for one in ids if one not in by_asked))

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        """By our record id. A query sees what is committed, so an answer without the key means: it is not there."""
        if not mapping.key_path:
            told = f"{mapping.name} has no key_path, so nothing can be found by record id"
            raise VendorError(Failure(Remedy.ASK, "no-key-path", told))
        found: dict[str, Snapshot] = {}
        for part in portions(dict.fromkeys(keys), QUERY_IDS):
            where = among(name(mapping.key_path), part)
            by_key = {
                str(shot.data.get(mapping.key_path)).casefold(): shot
                for shot in await self.select(mapping, where, lane)
            }
            found |= {key: by_key[key.casefold()] for key in part if key.casefold() in by_key}
        return found

    async def select(
        self, mapping: ObjectMapping, where: str, lane: Lane, order: str = "", limit: int = 0
    ) -> list[Snapshot]:
        """Records by a condition, with the mapped fields."""
        rows, partial = await self._columns.asking(
            mapping, lane, lambda asked: self._rest.query_all(select(asked, mapping.object, where, order, limit), lane)
        )
        return snapshots(mapping, rows, partial=partial)

    async def ids(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> dict[str, str]:
        """The vendor's ids by our record ids, of those that carry them."""
        found: dict[str, str] = {}
        for part in portions(dict.fromkeys(keys), QUERY_IDS):
            soql = select(("Id", name(mapping.key_path)), mapping.object, among(name(mapping.key_path), part))
            held = {
                str(row.get(mapping.key_path)).casefold(): long_id(row["Id"])
                for row in await self._rest.query_all(soql, lane)
                if is_id(row.get("Id"))
            }
            found |= {key: held[key.casefold()] for key in part if key.casefold() in held}
        return found

    async def survivors(self, object_: str, ids: Sequence[str], lane: Lane) -> dict[str, str]:
        """Of records that are gone: those merged away, with the id that stands in the end."""
        schema = await self._describer.schema(object_, lane)
        if not schema.mergeable:
            return {}
        led: dict[str, str] = {}
        asking = list(ids)
        for _ in range(5):  # A survivor may itself have been merged away since.
            if not asking:
                break
            step: dict[str, str] = {}
            for part in chunks(asking, QUERY_IDS):
                where = f"{among('Id', part)} AND IsDeleted = TRUE AND MasterRecordId != NULL"
                soql = select(("Id", "MasterRecordId"), object_, where)
                for one in await self._rest.query_all(soql, lane, deleted=True):
                    if is_id(one.get("Id")) and is_id(one.get("MasterRecordId")):
                        step[long_id(one["Id"])] = long_id(one["MasterRecordId"])
            led |= step
            asking = [one for one in set(step.values()) if one not in led]
        return {one: end for one in ids if (end := _end(led, one)) != one}

    async def _present(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> dict[str, Snapshot]:
        plain = not any("." in one for one in self._columns.of(mapping))
        found: dict[str, Snapshot] = {}
        for part in chunks(ids, RETRIEVE if plain else QUERY_IDS):
            ask = functools.partial(self._retrieve if plain else self._select, mapping.object, part, lane)
            records, partial = await self._columns.asking(mapping, lane, ask)
            shots = snapshots(mapping, records, partial=partial)
            found |= {shot.external_id: shot for shot in shots if not shot.deleted}
        return found

    async def _retrieve(
        self, object_: str, ids: Sequence[str], lane: Lane, fields: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        data = await self._rest.send(
            "POST", f"composite/sobjects/{name(object_)}", {"ids": list(ids), "fields": list(fields)}, lane,
            writes=False,
        )  # fmt: skip
        if data is not None and not isinstance(data, list):
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the read answered without a list", 200))
        return [one for one in data or () if isinstance(one, dict)]

    async def _select(
        self, object_: str, ids: Sequence[str], lane: Lane, fields: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        """Paths through parents are known to queries only."""
        return await self._rest.query_all(select(fields, object_, among("Id", ids)), lane)


def _end(led: Mapping[str, str], one: str) -> str:
    seen = {one}
    while one in led and led[one] not in seen:
        one = led[one]
        seen.add(one)
    return one
