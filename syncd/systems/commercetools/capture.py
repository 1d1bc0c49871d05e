"""Polls and scans: pages of a resource in an order that loses nothing.

A **poll** walks the compound keyset ``(lastModifiedAt, id)``. A *round* is one walk from the start to the present:
within it each page goes on exactly where the last one ended, so rows with equal times are not lost between pages.
Writes become visible out of the order of their times, so each new round starts ``overlap_seconds`` before the
point up to which everything is known to have been visible. That point is the newest row met; after a round of several
pages it is as much earlier as the round took, because what became visible behind the walk while it went on must be
met in the next round. All moments are the vendor's; our clock gives nothing but that span.

Rows met twice are the caller's to drop: the dedupe key of a polled change is ``<object>:<id>:<version>``.

A **scan** walks ``id``, which writes never change. Deletions show in neither; a round of a poll ends with a look at the
project's messages, which tell them (:mod:`.endings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.model.mapping import ObjectMapping
from syncd.model.value import InvalidValueError, instant_from_ms, instant_to_ms
from syncd.systems.commercetools.client import Client
from syncd.systems.commercetools.endings import Mark, ended
from syncd.systems.commercetools.query import Query, Rows
from syncd.systems.commercetools.resources import bad_response, expansions, resource_of, snapshot
from syncd.systems.commercetools.rows import rows as page_of
from syncd.systems.contract import Page, Snapshot, VendorError

EPOCH: Final = "1970-01-01T00:00:00.000Z"
_ORDER: Final = ("lastModifiedAt asc", "id asc")
_AFTER: Final = "lastModifiedAt > :at or (lastModifiedAt = :at and id > :id)"


@dataclass(frozen=True, slots=True)
class PollCursor:
    at: str
    """``lastModifiedAt`` in the vendor's own writing: of the last row met while walking, otherwise the point
    from which the next round steps back by the overlap."""
    id: str = ""
    """Of the last row met, while walking."""
    begun: int = 0
    """While walking: our clock when the round began, in milliseconds since the epoch."""
    floor: str = ""
    """While walking: ``at`` of the cursor the round began with. The next round never starts before it."""
    ended: Mark | None = None
    """Where the walk over the messages of deletions stands; see :mod:`.endings`."""

    @property
    def walking(self) -> bool:
        """Inside of a round: the next page goes on exactly here."""
        return bool(self.id)

    def encode(self) -> str:
        members: dict[str, Any] = {"at": self.at}
        if self.walking:
            members |= {"id": self.id, "begun": self.begun, "floor": self.floor}
        if self.ended is not None:
            members["ended"] = self.ended.members()
        return orjson.dumps(members).decode()

    @classmethod
    def decode(cls, text: str) -> PollCursor:
        members = _members(text)
        at = members.get("at")
        if not isinstance(at, str):
            raise _bad_cursor()
        _ms(at)
        identity, begun, floor = members.get("id", ""), members.get("begun", 0), members.get("floor", at)
        if not (isinstance(identity, str) and isinstance(begun, int) and isinstance(floor, str)):
            raise _bad_cursor()
        _ms(floor)
        return cls(at, identity, begun, floor, Mark.of(members.get("ended")))


async def poll(client: Client, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
    """The next page of changes. Without a cursor: no rows yet, but a cursor that pins the present."""
    resource_of(mapping)
    if text is None:
        return Page((), PollCursor(await _newest(client, mapping, lane)).encode(), more=True)
    cursor = PollCursor.decode(text)
    begun = cursor.begun if cursor.walking else client.now_ms()
    rows = await page_of(client, mapping, _poll_query(client, mapping, cursor), lane)
    found = _snapshots(mapping, rows)
    if found:
        _must_advance(cursor, found[-1])
    following = _next(cursor, found, full=rows.full, begun=begun, now=client.now_ms())
    if following.walking:
        return Page(found, replace(following, ended=cursor.ended).encode(), more=True)
    gone, mark, more = await ended(client, mapping, cursor.ended or Mark(cursor.floor or cursor.at), lane)
    return Page([*found, *gone], replace(following, ended=mark).encode(), more=more)


async def scan(client: Client, mapping: ObjectMapping, text: str | None, lane: Lane) -> Page:
    """The next page of everything, by id."""
    resource_of(mapping)
    last = _members(text).get("id") if text else ""
    if not isinstance(last, str):
        raise _bad_cursor()
    asked = Query(
        where="id > :id" if last else "",
        variables={"id": last} if last else {},
        sort=("id asc",),
        limit=client.settings.page_limit,
        expand=expansions(mapping),
    )
    rows = await page_of(client, mapping, asked, lane)
    found = _snapshots(mapping, rows)
    if found and _id(found[-1]) <= last:
        raise bad_response("a page of a scan does not go on where the last one ended")
    end = _id(found[-1]) if found else last
    return Page(found, orjson.dumps({"id": end}).decode(), more=rows.full)


async def _newest(client: Client, mapping: ObjectMapping, lane: Lane) -> str:
    """``lastModifiedAt`` of the newest row. With no rows at all, everything that comes is new: the epoch."""
    rows = await page_of(client, mapping, Query(sort=("lastModifiedAt desc",), limit=1), lane)
    found = _snapshots(mapping, rows)
    return _at(found[0]) if found else EPOCH


def _poll_query(client: Client, mapping: ObjectMapping, cursor: PollCursor) -> Query:
    if cursor.walking:
        where, variables = _AFTER, {"at": cursor.at, "id": cursor.id}
    else:
        start = max(0, _ms(cursor.at) - int(mapping.capture.overlap_seconds * 1000))
        where, variables = "lastModifiedAt >= :at", {"at": instant_from_ms(start)}
    return Query(where, variables, _ORDER, client.settings.page_limit, expansions(mapping))


def _next(cursor: PollCursor, found: list[Snapshot], *, full: bool, begun: int, now: int) -> PollCursor:
    """Where to go on after a page. Pure."""
    floor = cursor.floor if cursor.walking else cursor.at
    if full and found:
        return PollCursor(_at(found[-1]), _id(found[-1]), begun, floor)
    reached = _ms(_at(found[-1]) if found else cursor.at)
    if cursor.walking:
        # A clock that was set back says nothing of the span: then the round is walked once more.
        reached = reached - (now - begun) if now >= begun else 0
    return PollCursor(instant_from_ms(max(reached, _ms(floor))))


def _must_advance(cursor: PollCursor, last: Snapshot) -> None:
    if not cursor.walking:
        return
    here, there = (_ms(cursor.at), cursor.id), (last.modified_at, _id(last))
    if there <= here:
        raise bad_response("a page of a poll does not go on where the last one ended")


def _snapshots(mapping: ObjectMapping, rows: Rows) -> list[Snapshot]:
    resource = resource_of(mapping)
    return [snapshot(resource, row) for row in rows.rows]


def _at(found: Snapshot) -> str:
    return str(found.data["lastModifiedAt"])


def _id(found: Snapshot) -> str:
    """What pages are sorted by, also where links know the resource by its key."""
    return str(found.data["id"])


def _ms(instant: str) -> int:
    try:
        return instant_to_ms(instant)
    except InvalidValueError:
        raise _bad_cursor() from None


def _members(text: str) -> Mapping[str, Any]:
    try:
        members = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _bad_cursor() from None
    if not isinstance(members, dict):
        raise _bad_cursor()
    return members


def _bad_cursor() -> VendorError:
    return VendorError(Failure(Remedy.ASK, "bad-cursor", "the stored cursor is not one of this connector's"))
