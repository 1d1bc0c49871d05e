"""What the shop, or commercetools itself, tells us by events. Pure.

Accepted types, and what they become:

======================================  ==========================================  =====================
``type``                                ``data``                                    change
======================================  ==========================================  =====================
``shop.customer.changed``               the customer's JSON as commercetools has it STATE of ``customers``
``shop.cart.changed``                   the cart's JSON                             STATE of ``carts``
``shop.order.placed``                   the order's JSON                            STATE of ``orders``
the same three                          ``{"id": ...}``, with or without            HINT: it is read before
                                        ``version``                                 it is folded
``com.commercetools.<t>.message.<M>``   the message in Platform form                HINT; DELETED for
                                                                                    ``CustomerDeleted`` and
                                                                                    the like
``com.commercetools.<t>.change.<C>``    the change notification in Platform form    HINT; DELETED for
                                                                                    ``ResourceDeleted``,
                                                                                    ERASED where that was
                                                                                    for privacy
any, with ``notificationType`` in it    a Platform payload, itself or as ``data``   as the two above
======================================  ==========================================  =====================

``<t>`` is the type of any resource that mappings may name. Of what a message holds nothing is taken, nor missed where
it was too large to be sent (``payloadNotIncluded``): the resource itself is read, unless the version told is one that
syncd has seen, as it has its own writes'. Notifications about other resources, the test notification of a new
subscription among them, are HINTs of an object named like the resource's type: no mapping has it, so the engine drops
them with that reason. So are those that do not tell the key of a resource that syncd knows by key: the poll finds them.
Another type gives no change; the intake keeps such an event for an operator.

A STATE needs ``id``, ``version`` and ``lastModifiedAt``: with them it meets the poll's row of the same version as an
equal. A customer whose group is not expanded is a HINT, since its price tier cannot be read from the bare id.

Dedupe keys: ``ce:<source>:<id>`` for the shop's own events, ``message:<type>:<id>:<sequence>`` and
``change:<type>:<id>:<version>:<kind>`` for commercetools' (these come at least once, in any order). The changes that
the engine makes of polled snapshots have ``<object>:<id>:<version>``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Change, ChangeKind, Channel, Lane
from syncd.model.value import InvalidValueError, instant_to_ms
from syncd.systems.commercetools.resources import BY_TYPE_ID, CUSTOM_OBJECTS, resource_named
from syncd.systems.commercetools.values import reference_key
from syncd.systems.contract import RefusedError

SHOP_TYPES: Final[Mapping[str, str]] = {
    "shop.customer.changed": "customers",
    "shop.cart.changed": "carts",
    "shop.order.placed": "orders",
}

NOTIFICATIONS: Final = ("Message", "ResourceCreated", "ResourceUpdated", "ResourceDeleted", "Event")
CUSTOM_OBJECT: Final = "key-value-document"
PREFIX: Final = "com.commercetools."


def changes_from_event(
    connection: str, event: Mapping[str, Any], received_at: int, correlation_id: str = ""
) -> Sequence[Change]:
    """The change that one event tells; none where its type is not understood.

    ``event`` is a CloudEvent's attributes with its decoded ``data``, or a Platform payload. ``received_at`` is in
    milliseconds since the epoch. Raises :class:`RefusedError` where the event lacks what its type needs.
    """
    tell = _Teller(connection, received_at, correlation_id)
    kind = event.get("type")
    for told in (event, event.get("data")):
        if isinstance(told, Mapping) and told.get("notificationType") in NOTIFICATIONS:
            return [tell.notification(told)]
    if not isinstance(kind, str):
        raise RefusedError(400, "event", "the event has no type")
    if kind.startswith(PREFIX):
        return [tell.notification(_platform(event, kind))]
    return [tell.shop(event, SHOP_TYPES[kind])] if kind in SHOP_TYPES else []


class _Teller:
    """What all changes of one event share."""

    def __init__(self, connection: str, received_at: int, correlation_id: str) -> None:
        self._connection = connection
        self._received_at = received_at
        self._correlation_id = correlation_id

    def shop(self, event: Mapping[str, Any], object_: str) -> Change:
        data = event.get("data")
        if not isinstance(data, Mapping):
            raise RefusedError(400, "event", "the event's data is not an object")
        identity = _needed(data, "id", "the event's data")
        version = data.get("version")
        has_version = isinstance(version, int) and not isinstance(version, bool)
        modified = _instant(data.get("lastModifiedAt"))
        whole = has_version and modified > 0 and not _needs_expansion(data)
        return self._change(
            object_,
            identity,
            ChangeKind.STATE if whole else ChangeKind.HINT,
            _event_key(event),
            occurred_at=modified or _instant(event.get("time")),
            version=str(version) if has_version else "",
            payload={name: value for name, value in data.items() if name != "password"} if whole else None,
        )

    def notification(self, told: Mapping[str, Any]) -> Change:
        """The change of a Platform payload."""
        kind = _needed(told, "notificationType", "the notification")
        if kind == "Event":
            # Of checkout and the import API: what they did to resources shows as changes of these.
            type_id, identity = _needed(told, "resourceType", "the event"), _needed(told, "id", "the event")
            return self._change(type_id, identity, ChangeKind.HINT, f"event:{type_id}:{identity}", occurred_at=0)
        resource = told.get("resource")
        if not isinstance(resource, Mapping):
            raise RefusedError(400, "event", "the notification names no resource")
        type_id = _needed(resource, "typeId", "the notification's resource")
        identity = _needed(resource, "id", "the notification's resource")
        if kind == "Message":
            return self._message(told, type_id, identity)
        version = _number(told, "version")
        object_, external_id = _place(type_id, identity, told)
        return self._change(
            object_,
            external_id,
            _ended(kind, object_, erased=told.get("dataErasure") is True),
            f"change:{type_id}:{identity}:{version}:{kind}",
            occurred_at=_instant(told.get("modifiedAt")),
            version=version,
        )

    def _message(self, told: Mapping[str, Any], type_id: str, identity: str) -> Change:
        object_, external_id = _place(type_id, identity, told)
        gone = resource_named(object_) is not None and told.get("type") == deleted_message(type_id)
        return self._change(
            object_,
            external_id,
            ChangeKind.DELETED if gone else ChangeKind.HINT,
            f"message:{type_id}:{identity}:{_number(told, 'sequenceNumber')}",
            occurred_at=_instant(told.get("createdAt")),
            version=_number(told, "resourceVersion") if "resourceVersion" in told else "",
        )

    def _change(
        self,
        object_: str,
        identity: str,
        kind: ChangeKind,
        dedupe_key: str,
        *,
        occurred_at: int,
        version: str = "",
        payload: Any = None,
    ) -> Change:
        return Change(
            connection=self._connection,
            object=object_,
            external_id=identity,
            kind=kind,
            channel=Channel.EVENT,
            dedupe_key=dedupe_key,
            received_at=self._received_at,
            occurred_at=occurred_at,
            version=version,
            payload=payload,
            lane=Lane.LIVE,
            correlation_id=self._correlation_id,
        )


def deleted_message(type_id: str) -> str:
    """The message that tells of a resource's end.

    >>> deleted_message("business-unit")
    'BusinessUnitDeleted'
    """
    return "".join(word.title() for word in type_id.split("-")) + "Deleted"


def _place(type_id: str, identity: str, told: Mapping[str, Any]) -> tuple[str, str]:
    """The object and the external id that mappings and links know the resource by."""
    named = told.get("resourceUserProvidedIdentifiers")
    names: Mapping[str, Any] = named if isinstance(named, Mapping) else {}
    resource = BY_TYPE_ID.get(type_id)
    if resource is not None:
        key = identity if resource.identity == "id" else names.get("key")
        return (resource.object, key) if isinstance(key, str) and key else (type_id, identity)
    both = names.get("containerAndKey")
    if type_id == CUSTOM_OBJECT and isinstance(both, Mapping):
        container, key = both.get("container"), both.get("key")
        if isinstance(container, str) and isinstance(key, str) and container and key:
            return f"{CUSTOM_OBJECTS}/{container}", key
    return type_id, identity


def _ended(kind: str, object_: str, *, erased: bool) -> ChangeKind:
    if kind != "ResourceDeleted" or resource_named(object_) is None:
        return ChangeKind.HINT
    return ChangeKind.ERASED if erased else ChangeKind.DELETED


def _platform(event: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The Platform payload in a CloudEvent of commercetools; where it was left out, what the attributes tell."""
    data = event.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("notificationType"), str):
        return data
    parts = kind.removeprefix(PREFIX).split(".")
    if len(parts) != 3:
        raise RefusedError(400, "event", "the event's type has not the form of commercetools'")
    type_id, family, name = parts
    told = dict(data) if isinstance(data, Mapping) else {}
    told.setdefault("resource", {"typeId": type_id, "id": event.get("subject")})
    if family == "message":
        told |= {"notificationType": "Message", "type": name}
        told.setdefault("sequenceNumber", event.get("sequence"))
    else:
        told["notificationType"] = name
    return told


def _needs_expansion(data: Mapping[str, Any]) -> bool:
    group = data.get("customerGroup")
    # Carts and orders carry a group as well, but nothing of theirs is read from it.
    return "email" in data and group is not None and reference_key(group) is None


def _event_key(event: Mapping[str, Any]) -> str:
    return f"ce:{_needed(event, 'source', 'the event')}:{_needed(event, 'id', 'the event')}"


def _needed(holder: Mapping[str, Any], name: str, what: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError(400, "event", f"{what} has no {name}")
    return value


def _number(told: Mapping[str, Any], name: str) -> str:
    """A count as text: a JSON integer, or the decimal string of a CloudEvent's sequence."""
    value = told.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.isdecimal():
        return str(int(value))
    raise RefusedError(400, "event", f"the notification has no {name}")


def _instant(value: object) -> int:
    """Milliseconds since the epoch, 0 where it is no instant."""
    if not isinstance(value, str):
        return 0
    try:
        return instant_to_ms(value)
    except InvalidValueError:
        return 0
