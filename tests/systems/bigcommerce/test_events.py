"""Events of a shop on BigCommerce, and its webhooks carried by a bridge."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.model.change import ChangeKind, Channel
from syncd.systems.build import event_translator
from syncd.systems.contract import RefusedError

translate = event_translator("bigcommerce")
CARRIED = {
    "scope": "store/customer/updated",
    "data": {"type": "customer", "id": 61},
    "hash": "h",
    "created_at": 1_793_606_400,
}


def cloud(kind: str, data: Any, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/shop", "type": kind, "data": data, **more}


@pytest.mark.parametrize(
    ("kind", "number", "object_"),
    [
        ("shop.customer.changed", 61, "customers"),
        ("shop.cart.changed", "0a-1", "carts"),
        ("shop.order.placed", 250, "orders"),
    ],
)
def test_the_shops_own_events_are_hints(kind: str, number: Any, object_: str) -> None:
    (change,) = translate("shop", cloud(kind, {"id": number, "email": "x"}, time="2026-11-02T08:00:00Z"), 5, "c-1")
    assert (change.object, change.external_id, change.kind) == (object_, str(number), ChangeKind.HINT)
    assert (change.channel, change.payload, change.occurred_at) == (Channel.EVENT, None, 1_793_606_400_000)
    assert (change.dedupe_key, change.correlation_id) == ("ce:/shop:1", "c-1")


def test_a_webhook_that_a_bridge_carries_is_understood_bare_and_in_an_envelope() -> None:
    (bare,) = translate("shop", CARRIED, 5, "")
    (wrapped,) = translate("shop", cloud("com.example.bridge", CARRIED), 5, "")
    for change in (bare, wrapped):
        assert (change.object, change.external_id, change.channel) == ("customers", "61", Channel.EVENT)
    again = translate("shop", cloud("com.example.bridge", CARRIED), 9, "")[0]
    assert again.dedupe_key == wrapped.dedupe_key


def test_what_lacks_its_parts_is_refused_and_what_is_unknown_gives_nothing() -> None:
    assert list(translate("shop", cloud("shop.fruit.eaten", {"id": 1}), 5, "")) == []
    for bad in ({"data": {}}, cloud("shop.cart.changed", {}), cloud("shop.cart.changed", {"id": True}),
                cloud("shop.cart.changed", {"id": "a"}, source="")):  # fmt: skip
        with pytest.raises(RefusedError):
            translate("shop", bad, 5, "")
