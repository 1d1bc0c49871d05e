"""Reading by id and by our key.

Query endpoints show a write some moments late, so what a query does not find is asked for by itself: reading one
resource by id or key is answered from the source. Only that makes something *missing*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.query import Query, each, expand_params, one_of, query
from syncd.systems.commercetools.resources import Resource, bad_response, expansions, resource_of, snapshot
from syncd.systems.commercetools.rows import TOO_LONG, address_parts, parts
from syncd.systems.commercetools.rows import rows as page_of
from syncd.systems.contract import ReadResult, Snapshot, VendorError

FEW = 3
"""Up to so many are fetched one by one: the certain answer at the same price."""


async def read(
    client: Client, mapping: ObjectMapping, ids: Sequence[str], lane: Lane, *, whole: bool = False
) -> ReadResult:
    """Resources by id, any number. ``whole``: with all they have, not with what is mapped only."""
    wanted = list(dict.fromkeys(ids))
    resource = resource_of(mapping)
    path = resource.identity
    found = await shown(client, mapping, path, wanted, lane, whole=whole) if len(wanted) > FEW else {}
    left = [one for one in wanted if one not in found]
    fetched = await each(left, lambda one: fetch(client, mapping, path, one, lane), client.settings.concurrency)
    found |= {asked: one for asked, one in zip(left, fetched, strict=True) if one is not None}
    return ReadResult(found, frozenset(wanted) - found.keys())


async def find(client: Client, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
    """Resources by our record id, in the mapping's ``key_path``."""
    path = mapping.key_path
    if not path:
        raise VendorError(Failure(Remedy.ASK, "no-key-path", f"{mapping.name} has no path that holds our key"))
    wanted = list(dict.fromkeys(keys))
    resource = resource_of(mapping)
    certain = path == "key" and resource.keyed
    found = {} if certain and len(wanted) <= FEW else await shown(client, mapping, path, wanted, lane)
    left = [one for one in wanted if one not in found]
    if left and not certain:
        # A custom field can only be queried, and a query shows a write late.
        raise VendorError(
            Failure(Remedy.WAIT, "not-visible-yet", "a query cannot rule out a recent write", retry_after_seconds=10.0)
        )
    fetched = await each(left, lambda key: fetch(client, mapping, path, key, lane), client.settings.concurrency)
    return found | {key: one for key, one in zip(left, fetched, strict=True) if one is not None}


async def fetch(client: Client, mapping: ObjectMapping, path: str, value: str, lane: Lane) -> Snapshot | None:
    """The resource that has the value at ``path``, ``id`` or ``key``; ``None`` where there is none."""
    resource = resource_of(mapping)
    address = resource.by_key(value) if path == "key" else resource.by_id(value)
    try:
        reply = await client.get(address, lane, expand_params(expansions(mapping)), one=True)
    except VendorError as error:
        if error.failure.remedy is Remedy.GONE:
            return None
        raise
    found = snapshot(resource, reply.body)
    if _text_at(found, path) != value:
        # It says nothing of the one that was asked for.
        raise bad_response(f"another {resource.type_id} than was asked for")
    return found


async def holders(client: Client, resource: Resource, where: str, value: str, lane: Lane) -> list[Snapshot]:
    """Resources that satisfy a predicate on ``:value``; the first few."""
    rows = await query(client, resource.object, Query(where, {"value": value}, limit=5), lane)
    return [snapshot(resource, row) for row in rows.rows]


async def shown(
    client: Client, mapping: ObjectMapping, path: str, wanted: Sequence[str], lane: Lane, *, whole: bool = False
) -> dict[str, Snapshot]:
    """What a query shows, by the value at ``path``."""
    found: dict[str, Snapshot] = {}
    asked = frozenset(wanted)
    for part in address_parts(wanted) if whole else parts(client, mapping, wanted):
        for one in await _listed(client, mapping, path, part, lane, whole=whole):
            value = _text_at(one, path)
            if value in asked:
                found[value] = one
    return found


async def _listed(
    client: Client, mapping: ObjectMapping, path: str, values: Sequence[str], lane: Lane, *, whole: bool
) -> list[Snapshot]:
    try:
        return await _all(client, mapping, one_of(path, values), len(values), lane, whole=whole)
    except VendorError as error:
        if error.failure.code != TOO_LONG:
            raise
    # GraphQL was given up on the way: the list must fit into addresses now.
    found = [await _all(client, mapping, one_of(path, part), len(part), lane) for part in address_parts(values)]
    return [one for some in found for one in some]


async def _all(
    client: Client, mapping: ObjectMapping, where: str, count: int, lane: Lane, *, whole: bool = False
) -> list[Snapshot]:
    """Every row of a predicate that at most ``count`` rows satisfy, also when pages had to shrink."""
    resource, rows_expand, last = resource_of(mapping), expansions(mapping), ""
    found: list[Snapshot] = []
    while True:
        more = f"({where}) and id > :id" if last else where
        asked = Query(more, {"id": last} if last else {}, ("id asc",), count, rows_expand)
        rows = await (query(client, mapping.object, asked, lane) if whole else page_of(client, mapping, asked, lane))
        part = [snapshot(resource, row) for row in rows.rows]
        found += part
        if not part or not rows.full or len(found) >= count:
            return found
        last = str(part[-1].data["id"])


def _text_at(one: Snapshot, path: str) -> str:
    here: object = one.data
    for step in path.split("."):
        here = here.get(step) if isinstance(here, Mapping) else None
    return here if isinstance(here, str) else ""
