"""Events of the Webhooks Journal as changes. Pure.

What they say of an object is a hint, as with webhooks, in the same form: so our own writes are known by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from syncd.model.change import Change, ChangeKind, Channel
from syncd.systems.hubspot.objects import TYPE_IDS
from syncd.systems.hubspot.read import milliseconds
from syncd.systems.hubspot.webhooks import merged_ids, object_id

HINTS: Final = frozenset({"CREATE", "UPDATE", "RESTORE", "ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"})
OTHERS: Final = frozenset({"SNAPSHOT", "APP_INSTALL", "APP_UNINSTALL", "ADDED_TO_LIST", "REMOVED_FROM_LIST"})
"""Actions that nobody here asked for, and that tell of no change."""


def object_of(event: Mapping[str, Any]) -> str:
    """The object's name as mappings have it."""
    type_id = str(event.get("objectTypeId") or "")
    return TYPE_IDS.get(type_id, type_id)


def occurred_at(event: Mapping[str, Any]) -> int:
    """Milliseconds; 0 when the event does not say."""
    return milliseconds(event.get("occurredAt"))


def change_of(event: Mapping[str, Any], connection: str, offset: str, place: int, received_at: int) -> Change | None:
    """``None`` for what is no change of an object. An offset and the place behind it never name another event."""
    action = str(event.get("action") or "")
    if action in OTHERS:
        return None
    external_id = object_id(event.get("objectId")) or object_id(event.get("fromObjectId"))
    kind = ChangeKind.HINT
    payload: dict[str, Any] = {"event": dict(event)}
    if action in HINTS:
        told = _told(event.get("propertyChanges"))
        if told:
            payload["told"] = told
        elif action == "CREATE":
            payload["created"] = True
    elif action in {"DELETE", "GDPR_DELETE"}:
        kind = ChangeKind.ERASED if action == "GDPR_DELETE" else ChangeKind.DELETED
        payload = dict(event)
    elif action == "MERGE":
        into, absorbed = merged_ids(event)
        external_id = into or external_id
        if absorbed:
            # Where the event does not say who was absorbed, reading the survivor tells.
            kind, payload = ChangeKind.MERGED, {"into": into, "from": absorbed, "event": dict(event)}
    else:
        kind, payload = ChangeKind.OPAQUE, {"raw": dict(event), "reason": "the action is not known"}
    object_ = object_of(event)
    if kind is not ChangeKind.OPAQUE and not external_id:
        kind, payload = ChangeKind.OPAQUE, {"raw": dict(event), "reason": "the event names no object"}
    opaque = kind is ChangeKind.OPAQUE
    return Change(
        connection=connection,
        object="" if opaque else object_,
        external_id="" if opaque else external_id,
        kind=kind,
        channel=Channel.STREAM,
        dedupe_key=orjson.dumps(["journal", offset, place]).decode(),
        received_at=received_at,
        occurred_at=occurred_at(event),
        payload=payload,
    )


def _told(changes: Any) -> dict[str, Any]:
    """Names and values; the value may stand by itself or in an object with what it was before."""
    if not isinstance(changes, Mapping):
        return {}
    told: dict[str, Any] = {}
    for name, value in changes.items():
        if isinstance(value, Mapping):
            now = next((value[key] for key in ("value", "newValue", "to") if key in value), None)
            if now is None:
                return {}  # What was told cannot be read: the object is.
            value = now  # noqa: PLW2901
        told[str(name)] = value
    return told
