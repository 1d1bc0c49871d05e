"""Deliveries as the vendor makes them: what is authentic, and what it tells."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.change import Change, ChangeKind, Channel
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.bigcommerce.hooks import SCOPES
from syncd.sandbox.bigcommerce.sender import signed
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.bigcommerce.webhooks import BigcommerceWebhooks, signature, subjects
from syncd.systems.contract import CannotJudgeError, RefusedError, WebhookRequest

CLIENT_SECRET = "bc-client-secret-0001"
CLOCK = ManualClock()
NOW = CLOCK.now_ms() // 1000


def source(**changes: Any) -> BigcommerceWebhooks:
    given: dict[str, Any] = {
        "connection": "shop", "store_hash": "abc123", "access_token": Secret("t"),
        "webhook_secrets": (Secret("new"), Secret("old")), "client_secret": Secret(CLIENT_SECRET), **changes,
    }  # fmt: skip
    return BigcommerceWebhooks(Settings(**given), World(CLOCK, random.Random(1)))


def event(scope: str, data: Any, **more: Any) -> bytes:
    told = {
        "scope": scope,
        "store_id": "11",
        "data": data,
        "hash": "h1",
        "created_at": NOW,
        "producer": "stores/abc123",
    }
    return orjson.dumps({**told, **more})


def request(
    body: bytes, headers: Mapping[str, str] | None = None, *, sign: bool = True, key: str = "new"
) -> WebhookRequest:
    given = {"x-syncd-key": key, **(signed(CLIENT_SECRET, "msg_1", NOW, body) if sign else {}), **(headers or {})}
    return WebhookRequest("POST", "/v1/webhooks/shop", given, body, CLOCK.now_ms())


def one(scope: str, data: Any) -> Change:
    (change,) = source().accept(request(event(scope, data)))
    return change


def test_the_signature_is_the_vector_of_the_facts() -> None:
    body = (b'{"scope":"store/customer/updated","store_id":"11111","data":{"type":"customer","id":61},"hash":"x",'
            b'"created_at":1793606400,"producer":"stores/abc123"}')  # fmt: skip
    assert signature(CLIENT_SECRET, "msg_2f9a1c", "1793606400", body) == "oYql4Kxfer9XCfBHlCrwTNmUp5+NwlYVaGBD3xaZEw0="


@pytest.mark.parametrize(
    ("scope", "data", "expected"),
    [
        ("store/customer/created", {"type": "customer", "id": 61}, ("customers", "61", ChangeKind.HINT)),
        ("store/customer/updated", {"type": "customer", "id": 61}, ("customers", "61", ChangeKind.HINT)),
        ("store/customer/deleted", {"type": "customer", "id": 61}, ("customers", "61", ChangeKind.DELETED)),
        ("store/cart/abandoned", {"type": "cart", "id": "0a-1", "token": "t"}, ("carts", "0a-1", ChangeKind.HINT)),
        ("store/cart/lineItem/created", {"id": "9", "cartId": "0a-1"}, ("carts", "0a-1", ChangeKind.HINT)),
        ("store/order/statusUpdated", {"type": "order", "id": 250, "status": {}}, ("orders", "250", ChangeKind.HINT)),
        ("store/order/archived", {"type": "order", "id": 250}, ("orders", "250", ChangeKind.DELETED)),
        ("store/order/transaction/created", {"order_id": "250", "transaction_id": "1"}, ("orders", "250", ChangeKind.HINT)),
        ("store/order/metafield/updated", {"metafield_id": 1, "resource_id": "250"}, ("orders", "250", ChangeKind.HINT)),
        ("store/metafield/updated", {"metafield_id": 1, "resource_id": 61, "resource_type": "customer"},
         ("customers", "61", ChangeKind.HINT)),
        ("store/company/statusUpdated", {"company_id": 9}, ("companies", "9", ChangeKind.HINT)),
        ("store/company/user/deleted", {"company_id": 9, "user_id": 4}, ("users", "4", ChangeKind.DELETED)),
        ("store/company/address/deleted", {"company_id": 9, "address_id": 4},
         ("company_addresses", "4", ChangeKind.DELETED)),
        ("store/channel/2/cart/abandoned", {"cart_id": "0a-1"}, ("carts", "0a-1", ChangeKind.HINT)),
        ("store/channel/updated", {"type": "channel", "id": 2}, ("channels", "2", ChangeKind.HINT)),
        ("store/product/deleted", {"type": "product", "id": 7}, ("products", "7", ChangeKind.DELETED)),
        ("store/priceList/deleted", {"price_list_id": 3}, ("price_lists", "3", ChangeKind.DELETED)),
        ("store/priceList/record/deleted", {"price_list_id": 3, "variant_id": 8, "currency": "USD"},
         ("price_records", "3/8/USD", ChangeKind.DELETED)),
        ("store/priceList/assignment/updated", {"price_list_id": 3, "customer_group_id": 4, "channel_id": None},
         ("price_list_assignments", "3/4/0", ChangeKind.HINT)),
    ],
)  # fmt: skip
def test_a_thin_event_names_what_must_be_read(scope: str, data: Any, expected: tuple[str, str, ChangeKind]) -> None:
    change = one(scope, data)
    assert (change.object, change.external_id, change.kind) == expected
    assert (change.channel, change.occurred_at) == (Channel.WEBHOOK, NOW * 1000)


def test_a_cart_that_is_gone_tells_its_end_itself() -> None:
    change = one("store/cart/converted", {"type": "cart", "id": "0a-1", "orderId": 252})
    assert (change.kind, change.partial, change.payload) == (ChangeKind.STATE, True, {"id": "0a-1", "state": "Ordered"})
    told, look = source().accept(request(event("store/cart/deleted", {"type": "cart", "id": "0a-1"})))
    assert (told.payload["state"], look.kind) == ("Merged", ChangeKind.HINT)
    assert told.dedupe_key != look.dedupe_key


def test_an_address_event_is_of_the_address_and_a_hint_of_its_customer() -> None:
    data = {"type": "customer", "id": 88, "address": {"customer_id": 61}}
    changes = source().accept(request(event("store/customer/address/deleted", data)))
    assert [(one.object, one.external_id, one.kind) for one in changes] == [
        ("customers", "61", ChangeKind.HINT), ("customer_addresses", "88", ChangeKind.DELETED),
    ]  # fmt: skip
    lists = source().accept(request(event("store/priceLists/deleted", {"price_list_ids": [3, 4]})))
    assert [(one.object, one.external_id) for one in lists] == [("price_lists", "3"), ("price_lists", "4")]


def test_a_batch_of_prices_tells_of_each() -> None:
    rows = [{"price_list_id": 3, "variant_id": n, "currency": "USD"} for n in (1, 2)]
    changes = source().accept(request(event("store/priceList/records/updated", rows)))
    assert [one.external_id for one in changes] == ["3/1/USD", "3/2/USD"]
    assert len({one.dedupe_key for one in changes}) == 2


def test_a_repetition_has_the_same_key_and_without_an_id_every_delivery_counts() -> None:
    body = event("store/customer/updated", {"type": "customer", "id": 61})
    first, again = (source().accept(request(body))[0] for _ in range(2))
    assert first.dedupe_key == again.dedupe_key
    other = source().accept(request(body, signed(CLIENT_SECRET, "msg_2", NOW, body)))[0]
    assert other.dedupe_key != first.dedupe_key
    plain = WebhookRequest("POST", "/", {"x-syncd-key": "new"}, body, 5)
    later = WebhookRequest("POST", "/", {"x-syncd-key": "new"}, body, 6)
    assert source().accept(plain)[0].dedupe_key != source().accept(later)[0].dedupe_key


def test_every_scope_of_the_vendor_that_concerns_an_object_is_understood() -> None:
    data = {"id": 1, "cartId": "c", "order_id": "1", "resource_id": 1, "resource_type": "customer", "customer_id": 1,
            "address": {"customer_id": 1}, "price_list_id": 1, "variant_id": 1, "currency": "USD", "company_id": 1,
            "user_id": 1, "quote_id": 1, "address_id": 1, "product_id": 1, "price_list_ids": [1]}  # fmt: skip
    silent = {scope for scope in SCOPES if not subjects(scope, data)}
    assert silent == {
        "store/information/updated", "store/app/uninstalled", "store/hook/deliveryException",
        "store/superadmin/created", "store/superadmin/updated", "store/superadmin/deleted",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "the body is not JSON"),
        (b"[]", "the event is not an object"),
        (event("store/fruit/eaten", {"id": 1}), "the scope is not known"),
        (event("store/customer/created", {"id": True}), "the scope is not known"),
        (event("store/customer/created", {"id": 1}, producer="stores/other"), "the event is of another store"),
    ],
)
def test_what_is_authentic_but_not_understood_is_kept(body: bytes, reason: str) -> None:
    (change,) = source().accept(request(body))
    assert change.kind is ChangeKind.OPAQUE
    assert reason in change.payload["reason"]


def test_the_former_secret_still_opens_while_it_is_rotated() -> None:
    body = event("store/customer/created", {"id": 1})
    assert source().accept(request(body, key="old"))[0].external_id == "1"


@pytest.mark.parametrize(
    ("headers", "check"),
    [
        ({"x-syncd-key": "wrong"}, "secret"),
        ({"x-syncd-key": ""}, "secret"),
        ({"webhook-signature": "v1,AAAA"}, "signature"),
        ({"webhook-signature": "v2,AAAA garbage ,"}, "signature"),
        ({"webhook-timestamp": str(NOW - 400)}, "signature"),
        ({"webhook-timestamp": "soon"}, "signature"),
        ({"webhook-id": ""}, "signature"),
        ({"webhook-signature": "v1,\udcff"}, "signature"),
    ],
)
def test_what_is_certainly_bad_is_refused(headers: Mapping[str, str], check: str) -> None:
    with pytest.raises(RefusedError) as caught:
        source().accept(request(event("store/customer/created", {"id": 1}), headers))
    assert (caught.value.status, caught.value.check) == (401, check)


def test_an_old_delivery_is_refused_though_its_signature_fits() -> None:
    body = event("store/customer/created", {"id": 1})
    with pytest.raises(RefusedError, match="timestamp"):
        source().accept(request(body, signed(CLIENT_SECRET, "msg_1", NOW - 301, body)))


def test_an_unsigned_delivery_passes_by_its_secret_unless_signatures_are_demanded() -> None:
    body = event("store/customer/created", {"id": 1})
    assert source().accept(request(body, sign=False))
    assert source(client_secret=None).accept(request(body, {"webhook-signature": "v1,AAAA"}))
    with pytest.raises(RefusedError):
        source(signed_only=True).accept(request(body, sign=False))
    with pytest.raises(CannotJudgeError):
        source(signed_only=True, client_secret=None).accept(request(body, sign=False))


def test_without_a_secret_nothing_can_be_judged() -> None:
    with pytest.raises(CannotJudgeError):
        source(webhook_secrets=()).accept(request(event("store/customer/created", {"id": 1})))


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from(["webhook-signature", "webhook-id", "webhook-timestamp",
                                                                "x-syncd-key"]), st.text(max_size=20)))  # fmt: skip
def test_no_request_whatever_breaks_the_intake(body: bytes, headers: dict[str, str]) -> None:
    try:
        changes = source().accept(WebhookRequest("POST", "/", headers, body, 1))
    except (RefusedError, CannotJudgeError):
        return
    assert changes


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                        ["scope", "data", "id", "hash", "created_at", "producer", "address"]), inner, max_size=4)),
       st.sampled_from(sorted(SCOPES)))  # fmt: skip
def test_no_authentic_event_whatever_breaks_the_translation(data: Any, scope: str) -> None:
    changes = source().accept(request(event(scope, data)))
    assert changes
    assert all(one.dedupe_key for one in changes)
