"""What events tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.change import ChangeKind, Channel
from syncd.systems.commercetools.events import changes_from_event
from syncd.systems.contract import RefusedError

from .support import customer

MODIFIED_MS = 1_793_606_400_123


def event(**members: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "e-1", "source": "/storefront", "type": "shop.cart.changed"} | members


def notification(kind: str, type_id: str = "customer", **members: Any) -> dict[str, Any]:
    told = {"notificationType": kind, "projectKey": "acme", "resource": {"typeId": type_id, "id": "c-1"}}
    return told | {"version": 4, "modifiedAt": "2026-11-02T08:00:00.123Z"} | members


MESSAGE = notification(
    "Message",
    id="m",
    version=1,
    sequenceNumber=2,
    resourceVersion=5,
    type="CustomerLastNameSet",
    createdAt="2026-11-02T08:00:00.123Z",
)


@pytest.mark.parametrize(
    ("kind", "object_"),
    [("shop.customer.changed", "customers"), ("shop.cart.changed", "carts"), ("shop.order.placed", "orders")],
)
def test_a_whole_resource_is_a_state(kind: str, object_: str) -> None:
    data = customer(version=7, password="****aGg=")
    (change,) = changes_from_event("shop", event(type=kind, data=data), 99, "corr")
    assert (change.kind, change.object, change.external_id) == (ChangeKind.STATE, object_, "c-1")
    assert (change.version, change.occurred_at, change.received_at) == ("7", MODIFIED_MS, 99)
    assert (change.channel, change.dedupe_key, change.correlation_id) == (Channel.EVENT, "ce:/storefront:e-1", "corr")
    assert change.payload == customer(version=7)


@pytest.mark.parametrize("data", [{"id": "c-1"}, {"id": "c-1", "version": 3}, {"id": "c-1", "lastModifiedAt": "x"}])
def test_less_than_a_resource_is_a_hint(data: dict[str, Any]) -> None:
    (change,) = changes_from_event("shop", event(data=data, time="2026-11-02T08:00:00.123Z"), 99)
    assert (change.kind, change.payload, change.occurred_at) == (ChangeKind.HINT, None, MODIFIED_MS)
    assert change.version == str(data.get("version", ""))


def test_a_customer_whose_group_is_not_expanded_is_a_hint() -> None:
    group = {"typeId": "customer-group", "id": "g"}
    (hint,) = changes_from_event("shop", event(type="shop.customer.changed", data=customer(customerGroup=group)), 9)
    assert hint.kind is ChangeKind.HINT
    group["obj"] = {"id": "g", "key": "gold"}  # type: ignore[assignment]
    (state,) = changes_from_event("shop", event(type="shop.customer.changed", data=customer(customerGroup=group)), 9)
    assert state.kind is ChangeKind.STATE


def test_a_message_is_a_hint_deduplicated_by_its_sequence() -> None:
    (change,) = changes_from_event("shop", MESSAGE, 9)
    assert (change.kind, change.object, change.external_id) == (ChangeKind.HINT, "customers", "c-1")
    assert (change.version, change.dedupe_key) == ("5", "message:customer:c-1:2")


def test_the_cloudevents_form_tells_the_same_as_the_platform_form() -> None:
    kind = "com.commercetools.customer.message.CustomerLastNameSet"
    wrapped = event(type=kind, source="/acme/customers", subject="c-1", sequence="2", data=MESSAGE)
    assert changes_from_event("shop", wrapped, 9) == changes_from_event("shop", MESSAGE, 9)
    bare = event(type=kind, source="/acme/customers", subject="c-1", sequence="2")
    (change,) = changes_from_event("shop", bare, 9)
    assert (change.dedupe_key, change.external_id) == ("message:customer:c-1:2", "c-1")


@pytest.mark.parametrize("kind", ["ResourceCreated", "ResourceUpdated"])
def test_a_change_notification_is_a_hint_with_its_version(kind: str) -> None:
    (change,) = changes_from_event("shop", notification(kind, "order"), 9)
    assert (change.kind, change.object, change.version) == (ChangeKind.HINT, "orders", "4")
    assert change.dedupe_key == f"change:order:c-1:4:{kind}"


@pytest.mark.parametrize(
    "told",
    [
        notification("ResourceDeleted"),
        {**MESSAGE, "type": "CustomerDeleted"},
        event(type="com.commercetools.customer.change.ResourceDeleted", data=notification("ResourceDeleted")),
    ],
)
def test_deletions_are_told_as_such(told: dict[str, Any]) -> None:
    (change,) = changes_from_event("shop", told, 9)
    assert change.kind is ChangeKind.DELETED


def named(**names: Any) -> dict[str, Any]:
    return {"resourceUserProvidedIdentifiers": names}


@pytest.mark.parametrize(
    ("told", "object_", "external_id"),
    [
        (notification("ResourceUpdated", "business-unit", **named(key="acme-de")), "business-units", "acme-de"),
        (notification("ResourceUpdated", "associate-role", **named(key="buyer")), "associate-roles", "buyer"),
        (notification("ResourceUpdated", "standalone-price", **named(key="p", sku="s")), "standalone-prices", "c-1"),
        (notification("ResourceUpdated", "quote-request"), "quote-requests", "c-1"),
        (notification("ResourceUpdated", "customer-group"), "customer-groups", "c-1"),
        (
            notification(
                "ResourceUpdated", "key-value-document", **named(containerAndKey={"container": "x", "key": "k"})
            ),
            "custom-objects/x",
            "k",
        ),
    ],
)
def test_every_resource_is_named_as_mappings_and_links_name_it(
    told: dict[str, Any], object_: str, external_id: str
) -> None:
    (change,) = changes_from_event("shop", told, 9)
    assert (change.object, change.external_id, change.kind) == (object_, external_id, ChangeKind.HINT)
    (gone,) = changes_from_event("shop", {**told, "notificationType": "ResourceDeleted"}, 9)
    assert (gone.object, gone.external_id, gone.kind) == (object_, external_id, ChangeKind.DELETED)
    (erased,) = changes_from_event("shop", {**told, "notificationType": "ResourceDeleted", "dataErasure": True}, 9)
    assert erased.kind is ChangeKind.ERASED


@pytest.mark.parametrize(
    "kind", ["BusinessUnitDeleted", "StandalonePriceDeleted", "QuoteRequestDeleted", "ProductDeleted"]
)
def test_every_resource_that_has_a_message_for_its_end_is_deleted_by_it(kind: str) -> None:
    type_id = "-".join(word.lower() for word in re.findall("[A-Z][a-z]+", kind)[:-1])
    told = {**MESSAGE, "type": kind, "resource": {"typeId": type_id, "id": "c-1"}, **named(key="acme")}
    (change,) = changes_from_event("shop", told, 9)
    assert change.kind is ChangeKind.DELETED
    (variant,) = changes_from_event("shop", {**told, "type": "ProductVariantDeleted"}, 9)
    assert variant.kind is ChangeKind.HINT


def test_a_message_too_large_to_be_sent_is_a_hint_like_others() -> None:
    left_out = {"payloadNotIncluded": {"reason": "Payload too large.", "payloadType": "CustomerCreated"}}
    (change,) = changes_from_event("shop", {**MESSAGE, "type": "CustomerCreated", **left_out}, 9)
    assert (change.kind, change.version) == (ChangeKind.HINT, "5")


@pytest.mark.parametrize(
    ("told", "object_"),
    [
        (notification("ResourceCreated", "subscription"), "subscription"),
        (notification("ResourceDeleted", "payment"), "payment"),
        (notification("ResourceDeleted", "business-unit"), "business-unit"),
        ({"notificationType": "Event", "id": "x", "type": "X", "resourceType": "import-container"}, "import-container"),
    ],
)
def test_what_concerns_nothing_mapped_is_a_hint_of_an_object_that_no_mapping_has(
    told: dict[str, Any], object_: str
) -> None:
    (change,) = changes_from_event("shop", told, 9)
    assert (change.kind, change.object) == (ChangeKind.HINT, object_)


def test_an_unknown_type_is_left_to_the_intake() -> None:
    assert list(changes_from_event("shop", event(type="shop.wishlist.changed", data={"id": "w"}), 9)) == []


@pytest.mark.parametrize(
    "told",
    [
        {},
        event(data=None),
        event(data=[]),
        event(data={}),
        event(id="", data={"id": "c"}),
        event(type="com.commercetools.customer", data={}),
        {"notificationType": "ResourceUpdated"},
        {"notificationType": "ResourceUpdated", "resource": {"typeId": "customer"}},
        {"notificationType": "ResourceUpdated", "resource": {"typeId": "customer", "id": "c"}},
    ],
)
def test_an_event_that_lacks_the_needful_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as caught:
        changes_from_event("shop", told, 9)
    assert caught.value.status == 400


names = ["type", "notificationType", "resource", "typeId", "id", "version", "data", "source", "sequence", "subject"]
kinds = ["shop.cart.changed", "com.commercetools.cart.change.ResourceUpdated", "Message", "cart", "x", "7"]
json = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.sampled_from(kinds),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(names), inner, max_size=6),
)


@given(st.dictionaries(st.sampled_from(names), json))
def test_any_event_is_understood_or_refused(told: dict[str, Any]) -> None:
    try:
        changes_from_event("shop", told, 9)
    except RefusedError:
        return
