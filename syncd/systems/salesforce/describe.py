"""What the org says of its objects, asked again with a conditional request so that an unchanged answer costs little."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.systems.contract import VendorError
from syncd.systems.salesforce.rest import Rest
from syncd.systems.salesforce.soql import name

FRESH_SECONDS: Final = 3600.0
"""How long a description is used unasked. A refusal that speaks of a field asks at once."""
MERGEABLE: Final = frozenset({"account", "contact", "lead", "case"})
"""Objects whose records may be merged, and then name the survivor in MasterRecordId."""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: str
    """The vendor's: ``string``, ``double``, ``currency``, ``date``, ``datetime``, ``reference``, ..."""
    createable: bool
    updateable: bool
    nillable: bool
    calculated: bool
    external_id: bool
    unique: bool
    case_sensitive: bool
    length: int
    refers_to: tuple[str, ...]
    relationship: str
    """How a path goes on to the parent: ``Account`` for AccountId."""
    compound: str


@dataclass(frozen=True, slots=True)
class Schema:
    """One object. Names are found whatever their case, as the vendor finds them."""

    name: str
    fields: Mapping[str, Field] = field(repr=False)
    createable: bool = True
    updateable: bool = True
    deletable: bool = True
    queryable: bool = True
    replicateable: bool = True
    key_prefix: str = ""

    def field(self, name: str) -> Field | None:
        return self.fields.get(name.lower())

    def parent(self, relationship: str) -> Field | None:
        """The reference field behind a relationship's name."""
        wanted = relationship.lower()
        return next((one for one in self.fields.values() if one.relationship.lower() == wanted), None)

    def lookup_to(self, object_: str) -> Field | None:
        """The field that leads to another object: the one that cannot be empty, or is called after it, else the only
        one; ``None`` where that leaves a choice."""
        wanted = object_.lower()
        found = [one for one in self.fields.values() if any(to.lower() == wanted for to in one.refers_to)]
        named = [one for one in found if one.name.lower() in (f"{wanted}id", wanted)]
        bound = [one for one in found if not one.nillable]
        for part in (named, bound, found):
            if len(part) == 1:
                return part[0]
        return None

    @property
    def mergeable(self) -> bool:
        return self.name.lower() in MERGEABLE and self.field("MasterRecordId") is not None


def read_schema(data: Mapping[str, Any]) -> Schema:
    """A describe reply. Missing attributes are read the cautious way."""
    fields: dict[str, Field] = {}
    listed = data.get("fields")
    for one in listed if isinstance(listed, list) else ():
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            continue
        refers = one.get("referenceTo")
        fields[one["name"].lower()] = Field(
            name=one["name"],
            type=str(one.get("type") or "string"),
            createable=one.get("createable") is True,
            updateable=one.get("updateable") is True,
            nillable=one.get("nillable") is not False,
            calculated=one.get("calculated") is True,
            external_id=one.get("externalId") is True,
            unique=one.get("unique") is True,
            case_sensitive=one.get("caseSensitive") is True,
            length=one["length"] if isinstance(one.get("length"), int) else 0,
            refers_to=tuple(str(to) for to in refers) if isinstance(refers, list) else (),
            relationship=str(one.get("relationshipName") or ""),
            compound=str(one.get("compoundFieldName") or ""),
        )
    return Schema(
        name=str(data.get("name") or ""), fields=fields, createable=data.get("createable") is not False,
        updateable=data.get("updateable") is not False, deletable=data.get("deletable") is not False,
        queryable=data.get("queryable") is not False,
        replicateable=data.get("replicateable") is not False, key_prefix=str(data.get("keyPrefix") or ""),
    )  # fmt: skip


@dataclass(slots=True)
class _Known:
    schema: Schema
    stamp: str
    """For ``If-Modified-Since``: the vendor's own word, else when we asked."""
    asked: float


class Describer:
    """Descriptions by object. Concurrent askers of one object share the answer."""

    def __init__(self, rest: Rest, world: World) -> None:
        self._rest = rest
        self._world = world
        self._known: dict[str, _Known] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def schema(self, object_: str, lane: Lane, *, fresh: bool = False) -> Schema:
        """``fresh`` asks without a condition: what a user may see can change without the object being modified.

        Raises :class:`VendorError`: ASK where there is no such object, or it is hidden from our user.
        """
        key = name(object_).lower()
        known = self._known.get(key)
        now = self._world.clock.monotonic()
        if known is not None and not fresh and now < known.asked + FRESH_SECONDS:
            return known.schema
        async with self._turns.setdefault(key, asyncio.Lock()):
            newer = self._known.get(key)
            if newer is not None and newer is not known:
                return newer.schema
            return await self._ask(object_, key, None if fresh else known, lane)

    async def _ask(self, object_: str, key: str, known: _Known | None, lane: Lane) -> Schema:
        # By path: an attribute of the library is an object of that name only as long as it has no method of that name.
        headers = {"If-Modified-Since": known.stamp} if known else {}
        path = f"sobjects/{name(object_)}/describe"
        answer = await self._rest.call(lambda sf: sf.restful(path, headers=headers), lane, accept=frozenset({304}))
        now = self._world.clock.monotonic()
        if answer.status == 304 and known is not None:
            self._known[key] = _Known(known.schema, known.stamp, now)
            return known.schema
        if not isinstance(answer.data, dict) or not isinstance(answer.data.get("fields"), list):
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the description has no fields", 200))
        stamp = answer.headers.get("last-modified") or answer.headers.get("date")
        stamp = stamp or formatdate(self._world.clock.now_ms() / 1000, usegmt=True)
        schema = read_schema(answer.data)
        self._known[key] = _Known(schema, stamp, now)
        return schema
