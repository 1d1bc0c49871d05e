"""What the shop, or a bridge that carries BigCommerce's own events, tells us by events. Pure.

======================================  ==========================================  =====================
``type``                                ``data``                                    change
======================================  ==========================================  =====================
``shop.customer.changed``               ``{"id": 61}``, or the customer's JSON      HINT of ``customers``
``shop.cart.changed``                   ``{"id": "<uuid>"}``, or the cart's JSON    HINT of ``carts``
``shop.order.placed``                   ``{"id": 250}``, or the order's JSON        HINT of ``orders``
any                                     a webhook's payload (``scope``, ``data``)   as the webhook
none, but ``scope``                     (a webhook's payload by itself)             as the webhook
======================================  ==========================================  =====================

Nothing is taken from the shop's JSON: resources have no versions here, so an event that comes late could not be told
from a newer one. Another type gives no change; the intake keeps such an event for an operator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncd.model.change import Change, ChangeKind, Channel
from syncd.model.value import InvalidValueError, instant_to_ms
from syncd.systems.bigcommerce.webhooks import changes_of
from syncd.systems.contract import RefusedError

SHOP_TYPES: Final[Mapping[str, str]] = {
    "shop.customer.changed": "customers",
    "shop.cart.changed": "carts",
    "shop.order.placed": "orders",
}


def changes_from_event(
    connection: str, event: Mapping[str, Any], received_at: int, correlation_id: str = ""
) -> Sequence[Change]:
    """The changes that one event tells; none where its type is not understood.

    ``event`` is a CloudEvent's attributes with its decoded ``data``, or a webhook's payload. ``received_at`` is in
    milliseconds since the epoch. Raises :class:`RefusedError` where the event lacks what its type needs.
    """
    if isinstance(event.get("scope"), str):
        return changes_of(connection, event, received_at, "", Channel.EVENT, correlation_id)
    kind, data = event.get("type"), event.get("data")
    if not isinstance(kind, str):
        raise RefusedError(400, "event", "the event has no type")
    if kind in SHOP_TYPES:
        return [_shop(connection, event, SHOP_TYPES[kind], received_at, correlation_id)]
    if isinstance(data, Mapping) and isinstance(data.get("scope"), str):
        return changes_of(connection, data, received_at, _event_key(event), Channel.EVENT, correlation_id)
    return []


def _shop(connection: str, event: Mapping[str, Any], object_: str, received_at: int, correlation_id: str) -> Change:
    data = event.get("data")
    number = data.get("id") if isinstance(data, Mapping) else None
    text = str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise RefusedError(400, "event", "the event's data has no id")
    return Change(
        connection=connection,
        object=object_,
        external_id=text,
        kind=ChangeKind.HINT,
        channel=Channel.EVENT,
        dedupe_key=f"ce:{_event_key(event)}",
        received_at=received_at,
        occurred_at=_instant(event.get("time")),
        correlation_id=correlation_id,
    )


def _event_key(event: Mapping[str, Any]) -> str:
    parts = [event.get(name) for name in ("source", "id")]
    if not all(isinstance(one, str) and one for one in parts):
        raise RefusedError(400, "event", "the event has no source and id")
    return ":".join(map(str, parts))


def _instant(value: object) -> int:
    """Milliseconds since the epoch, 0 where it is no instant."""
    if not isinstance(value, str):
        return 0
    try:
        return instant_to_ms(value)
    except InvalidValueError:
        return 0
