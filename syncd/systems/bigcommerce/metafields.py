"""Metafields: private named texts at customers, orders, carts, products and channels, mapped as
``metafields.<namespace>.<key>``.

The vendor lists them for one resource, or for all of a kind by time of change, and writes them in batches. A batch may
be stored in part, and which part is not told in a form to rely on: after a refusal they are read again, and what is
left goes one by one. An empty value cannot be stored: clearing deletes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.lens import Raw
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce.client import Client, chunks, each
from syncd.systems.bigcommerce.errors import Doing
from syncd.systems.bigcommerce.form import UnwritableError
from syncd.systems.bigcommerce.kinds import KINDS
from syncd.systems.bigcommerce.objects import Row, snapshot
from syncd.systems.contract import Snapshot, VendorError

BATCH: Final = 10
LONGEST: Final = 65_535
PERMISSION: Final = "write"
"""Of those that syncd makes: other apps of the store see and change them, as befits what is kept in step."""
MEMBER: Final = "metafields"
_REFUSED: Final = (Remedy.ASK, Remedy.SPLIT, Remedy.REREAD, Remedy.LINK)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one metafield is."""

    resource: str
    namespace: str
    key: str


def names(mapping: ObjectMapping) -> list[tuple[str, str]]:
    """Namespaces and keys that the mapping's paths name."""
    found = [path.split(".", 2)[1:] for path in mapping.paths() if path.startswith(f"{MEMBER}.")]
    return [(one[0], one[1]) for one in found if len(one) == 2]


def split(values: Mapping[str, Raw]) -> tuple[dict[str, Raw], dict[str, Raw]]:
    """Other paths, and those of metafields."""
    theirs = {path: value for path, value in values.items() if path.startswith(f"{MEMBER}.")}
    return {path: value for path, value in values.items() if path not in theirs}, theirs


class Metafields:
    def __init__(self, client: Client) -> None:
        self._client = client

    # -- reading

    async def attach(self, mapping: ObjectMapping, found: Sequence[Snapshot], lane: Lane) -> list[Snapshot]:
        """Snapshots with what the mapping names of theirs."""
        wanted = names(mapping)
        if not wanted or not found:
            return list(found)
        rows = await self.rows(mapping, [one.external_id for one in found], lane)
        return [_with(one, wanted, rows[one.external_id]) for one in found]

    async def rows(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> dict[str, list[Row]]:
        """By resource."""
        params = _narrowed(names(mapping))
        path = KINDS[mapping.object].metafields

        async def of_one(number: str) -> list[Row]:
            try:
                return await self._all(f"{path}/{number}/metafields", params, lane)
            except VendorError as error:
                if error.failure.status == 404:  # gone since it was listed
                    return []
                raise

        unique = list(dict.fromkeys(ids))
        found = await each(unique, of_one, self._client.settings.concurrency)
        return dict(zip(unique, found, strict=True))

    async def changed(
        self, mapping: ObjectMapping, since: str, page: int, lane: Lane
    ) -> tuple[list[Row], Mapping[str, Any]]:
        """A page of all of the kind's that changed since a moment (ISO 8601), and its ``meta``."""
        params = [*_narrowed(names(mapping)), ("date_modified:min", since), ("page", str(page))]
        params.append(("limit", str(self._client.settings.page_limit)))
        return await self._client.rows(f"{KINDS[mapping.object].metafields}/metafields", lane, params)

    async def _all(self, path: str, params: list[tuple[str, str]], lane: Lane) -> list[Row]:
        found: list[Row] = []
        page = 1
        while True:
            rows, meta = await self._client.rows(path, lane, [*params, ("limit", "250"), ("page", str(page))])
            found += rows
            pages = (meta.get("pagination") or {}).get("total_pages")
            if not rows or (page >= pages if isinstance(pages, int) else len(rows) < 250):
                return found
            page += 1

    # -- writing

    async def put(
        self, mapping: ObjectMapping, values: Mapping[str, Mapping[str, Raw]], lane: Lane
    ) -> dict[str, Failure]:
        """Store values by path, by resource; failures by resource, of those that could not be stored whole."""
        wanted, failed = _wanted(values)
        for careful in (False, True):
            if not wanted:
                break
            try:
                held = await self.rows(mapping, list(dict.fromkeys(one.resource for one in wanted)), lane)
            except VendorError as error:
                return failed | {one.resource: error.failure for one in wanted}
            wanted = _left(wanted, held)
            refused = await self._send(mapping, wanted, held, lane, 1 if careful else BATCH)
            again = {place: wanted[place] for place, one in refused.items() if one.remedy in _REFUSED}
            if careful:
                again = {}
            failed |= {place.resource: one for place, one in refused.items() if place not in again}
            wanted = again
        return failed

    async def _send(
        self, mapping: ObjectMapping, wanted: Mapping[Place, str | None], held: Mapping[str, Sequence[Row]],
        lane: Lane, size: int,
    ) -> dict[Place, Failure]:  # fmt: skip
        """Failures by place."""
        ids = {place: number for place in wanted if (number := _id_of(place, held)) is not None}
        news = [place for place in wanted if place not in ids]
        refused: dict[Place, Failure] = {}
        path = f"{KINDS[mapping.object].metafields}/metafields"

        async def send(method: str, places: Sequence[Place], body: Any, doing: Doing) -> None:
            try:
                await self._client.v3(method, path, lane, doing, body)
            except VendorError as error:
                failure = error.failure
                if failure.status == 404:  # one that the body names has gone meanwhile: the next read tells which
                    failure = replace(failure, remedy=Remedy.REREAD)
                refused.update(dict.fromkeys(places, failure))

        for part in chunks(news, size):
            body = [_draft(place, wanted[place]) for place in part]
            await send("POST", part, body, Doing.CHANGE_MANY)
        for part in chunks([place for place in ids if wanted[place] is not None], size):
            await send("PUT", part, [{"id": ids[one], "value": wanted[one]} for one in part], Doing.CHANGE_MANY)
        for part in chunks([place for place in ids if wanted[place] is None], size):
            await send("DELETE", part, [ids[one] for one in part], Doing.CHANGE_MANY)
        return refused


def _with(one: Snapshot, wanted: Sequence[tuple[str, str]], rows: Sequence[Row]) -> Snapshot:
    told: dict[str, dict[str, Any]] = {namespace: {} for namespace, _ in wanted}
    for row in rows:
        if (row.get("namespace"), row.get("key")) in wanted:
            told[str(row["namespace"])][str(row["key"])] = row.get("value")
    return snapshot(one.object, one.external_id, {**one.data, MEMBER: told}, one.modified_at, deleted=one.deleted)


def _narrowed(wanted: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    spaces = dict.fromkeys(namespace for namespace, _ in wanted)
    keys = dict.fromkeys(key for _, key in wanted)
    return [("namespace:in", ",".join(spaces)), ("key:in", ",".join(keys))]


def _wanted(values: Mapping[str, Mapping[str, Raw]]) -> tuple[dict[Place, str | None], dict[str, Failure]]:
    """By place, and failures of resources with a value that cannot stand there."""
    wanted: dict[Place, str | None] = {}
    failed: dict[str, Failure] = {}
    for resource, paths in values.items():
        try:
            wanted |= {_place(resource, path): _text(path, value) for path, value in paths.items()}
        except UnwritableError as error:
            failed[resource] = Failure(Remedy.ASK, "value-unwritable", str(error), fields=(error.path,))
    return {place: value for place, value in wanted.items() if place.resource not in failed}, failed


def _place(resource: str, path: str) -> Place:
    parts = path.split(".")
    if len(parts) != 3 or not all(0 < len(one) <= 64 for one in parts):
        raise UnwritableError(path, "a metafield is mapped as metafields.<namespace>.<key>, each of 64 characters")
    return Place(resource, parts[1], parts[2])


def _text(path: str, value: Raw) -> str | None:
    if value in (None, ""):
        return None
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if len(text) > LONGEST:
        raise UnwritableError(path, f"a metafield holds {LONGEST} characters at most")
    return text


def _left(wanted: Mapping[Place, str | None], held: Mapping[str, Sequence[Row]]) -> dict[Place, str | None]:
    """What is not there yet as it should be."""
    return {place: value for place, value in wanted.items() if value != _value_of(place, held)}


def _row_of(place: Place, held: Mapping[str, Sequence[Row]]) -> Row:
    rows = held.get(place.resource, ())
    return next((one for one in rows if (one.get("namespace"), one.get("key")) == (place.namespace, place.key)), {})


def _value_of(place: Place, held: Mapping[str, Sequence[Row]]) -> str | None:
    value = _row_of(place, held).get("value")
    return None if value is None else str(value)


def _id_of(place: Place, held: Mapping[str, Sequence[Row]]) -> Any:
    return _row_of(place, held).get("id")


def _draft(place: Place, value: str | None) -> dict[str, Any]:
    number = int(place.resource) if place.resource.isdigit() else place.resource
    return {
        "resource_id": number, "permission_set": PERMISSION, "namespace": place.namespace, "key": place.key,
        "value": value,
    }  # fmt: skip
