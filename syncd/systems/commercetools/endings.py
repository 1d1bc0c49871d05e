"""Deletions, which no poll of a resource shows, from the project's messages.

Messages can be asked for where the API client has ``view_messages`` and the project keeps them (they are off until its
owner switches them on; Settings, Messages). They are walked like resources: by the compound keyset ``(createdAt, id)``,
each round starting an overlap behind, because a message may become visible late. There is no sequence over all
resources, and of the sequence of one only the end is looked at.

A project keeps messages for 1 to 90 days, 15 by default. What was deleted and forgotten while syncd slept longer than
that is told by nobody: a hydration's comparison is the only other way, and the log says when that may have happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import InvalidValueError, instant_from_ms, instant_to_ms
from syncd.systems.commercetools.client import Client, Messages
from syncd.systems.commercetools.events import deleted_message
from syncd.systems.commercetools.query import Query, Rows, query
from syncd.systems.commercetools.resources import Resource, bad_response, resource_of
from syncd.systems.contract import Snapshot, VendorError

log = structlog.get_logger(__name__)

TOLD: Final = frozenset(
    {
        "customers", "business-units", "associate-roles", "orders", "quote-requests", "staged-quotes", "quotes",
        "products", "standalone-prices",
    }
)  # fmt: skip
"""Objects whose end has a message. Customer groups, carts, types and custom objects have none."""

SHORTEST_MEMORY_MS: Final = 24 * 3_600_000
"""For so long every project that keeps messages at all keeps them."""


LOOK_AGAIN_MS: Final = 3_600_000
"""How long messages that cannot be asked for are taken to stay so."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the walk over messages stands."""

    at: str
    """``createdAt`` of the last one met."""
    id: str = ""
    """Of the last one met, while there are more."""
    looked: int = 0
    """Our clock when messages were last asked for, in milliseconds since the epoch."""

    def members(self) -> dict[str, Any]:
        return {"at": self.at, "id": self.id, "looked": self.looked}

    @classmethod
    def of(cls, members: Any) -> Mark | None:
        """The mark in a cursor, where there is one."""
        if not isinstance(members, Mapping):
            return None
        at, identity, looked = members.get("at"), members.get("id", ""), members.get("looked", 0)
        if not (isinstance(at, str) and isinstance(identity, str) and isinstance(looked, int)):
            return None
        return cls(at, identity, looked)


async def probe(client: Client, lane: Lane) -> str:
    """Why messages cannot be asked for; empty where they can, or where that cannot be told. Raises
    :class:`VendorError` for passing trouble."""
    project = client.settings.project_key
    scopes = (await client.token(lane)).scopes
    if scopes and not scopes & {f"view_messages:{project}", f"manage_project:{project}"}:
        return "the API client lacks view_messages"
    try:
        told = (await client.get("", lane)).body.get("messages")
    except VendorError as error:
        if error.failure.remedy is Remedy.STOP:
            return ""  # without view_project_settings nobody says whether they are kept
        raise
    if isinstance(told, Mapping) and told.get("enabled") is False:
        return "the project does not keep messages"
    return ""


async def ended(
    client: Client, mapping: ObjectMapping, mark: Mark, lane: Lane
) -> tuple[list[Snapshot], Mark | None, bool]:
    """The next deletions, the mark behind them (``None`` where no message tells them), and whether there may be more.
    Nothing in passing trouble: the mark stays, and the next round asks from there."""
    if mapping.object not in TOLD:
        return [], None, False
    now, resource = client.now_ms(), resource_of(mapping)
    try:
        if not await _open(client, lane):
            return [], mark, False
        rows = await query(client, "messages", _asked(resource, mapping, mark, client.settings.page_limit), lane)
        found, onward = _walked(resource, rows, mark, now)
    except VendorError as error:
        failure = error.failure
        if failure.remedy is Remedy.STOP:
            client.messages = Messages(f"{failure.code}: {failure.message}", now)
        log.info("deletions_not_asked", mapping=mapping.name, code=failure.code, status=failure.status)
        return [], mark, False
    if mark.looked and now - mark.looked > SHORTEST_MEMORY_MS:
        log.warning("deletions_may_be_missed", mapping=mapping.name, asleep_hours=(now - mark.looked) // 3_600_000)
    return found, onward, rows.full


def _walked(resource: Resource, rows: Rows, mark: Mark, now: int) -> tuple[list[Snapshot], Mark]:
    """What a page of messages tells, and the mark behind it. Pure."""
    if not rows.rows:
        return [], Mark(mark.at, "", now)
    last = rows.rows[-1]
    at, identity = (last.get("createdAt"), last.get("id")) if isinstance(last, Mapping) else (None, None)
    if not isinstance(at, str) or not isinstance(identity, str):
        raise bad_response("a message has no createdAt or no id")
    if mark.id and (_ms(at), identity) <= (_ms(mark.at), mark.id):
        raise bad_response("a page of messages does not go on where the last one ended")
    found = [one for row in rows.rows if (one := _snapshot(resource, row)) is not None]
    return found, Mark(at, identity if rows.full else "", now)


async def _open(client: Client, lane: Lane) -> bool:
    known, now = client.messages, client.now_ms()
    if known is None or (known.closed and now - known.looked_at > LOOK_AGAIN_MS):
        known = client.messages = Messages(await probe(client, lane), now)
        if known.closed:
            log.info("deletions_not_told", reason=known.closed)
    return not known.closed


def _asked(resource: Resource, mapping: ObjectMapping, mark: Mark, limit: int) -> Query:
    kind = f'type = "{deleted_message(resource.type_id)}"'
    if mark.id:
        where, variables = "createdAt > :at or (createdAt = :at and id > :id)", {"at": mark.at, "id": mark.id}
    else:
        start = max(0, _ms(mark.at) - int(mapping.capture.overlap_seconds * 1000))
        where, variables = "createdAt >= :at", {"at": instant_from_ms(start)}
    return Query(f"{kind} and ({where})", variables, ("createdAt asc", "id asc"), limit)


def _snapshot(resource: Resource, row: Any) -> Snapshot | None:
    """The end of one resource; ``None`` for one that cannot be named as links name it."""
    if not isinstance(row, Mapping) or not isinstance(row.get("resource"), Mapping):
        raise bad_response("a message names no resource")
    names = row.get("resourceUserProvidedIdentifiers")
    holder = row["resource"] if resource.identity == "id" else names if isinstance(names, Mapping) else {}
    identity, version = holder.get(resource.identity), row.get("resourceVersion")
    if not isinstance(identity, str) or not identity:
        return None
    told = str(version) if isinstance(version, int) and not isinstance(version, bool) else ""
    return Snapshot(resource.object, identity, {}, told, _ms(str(row.get("createdAt"))), deleted=True)


def _ms(instant: str) -> int:
    try:
        return instant_to_ms(instant)
    except InvalidValueError:
        raise bad_response("a message has a createdAt that is no instant") from None
