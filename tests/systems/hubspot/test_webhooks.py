"""Webhooks: only the authentic is taken, nothing authentic is lost, and nothing that arrives raises by accident."""

import json

import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from syncd.model.change import ChangeKind, Channel
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.systems.contract import CannotJudgeError, RefusedError, WebhookRequest
from syncd.systems.hubspot.vitals import Vitals
from syncd.systems.hubspot.webhooks import HubSpotWebhooks, dedupe_key, signature, target_urls

from .kit import NOW, settings

SECRET = Secret("yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy")
URL = "https://hooks.example.com/v1/webhooks/crm"
EVENT = {
    "eventId": 1030198139, "subscriptionId": 4578255, "portalId": 242711451, "appId": 19635961,
    "occurredAt": 1769081993375, "subscriptionType": "deal.creation", "attemptNumber": 0, "objectId": 267448862446,
    "changeFlag": "CREATED", "changeSource": "CRM_UI", "sourceId": "userId:52530071",
}  # fmt: skip


def webhooks(now=NOW, vitals=None, **more):
    options = {"webhook_secrets": (SECRET,), "public_url": URL} | more
    return HubSpotWebhooks(settings(**options), World(ManualClock(now)), vitals or Vitals())


def signed(body, *, at=NOW, url=URL, path="/v1/webhooks/crm", secret=SECRET, method="POST", **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {
        "x-hubspot-signature-v3": signature(secret, method, url, raw, str(at)).decode(),
        "x-hubspot-request-timestamp": str(at),
        "x-hubspot-signature-version": "v1",
        **headers,
    }
    return WebhookRequest(method, path, told, raw, NOW)


def accept(body, **more):
    return webhooks().accept(signed(body, **more))


def test_the_vendors_own_vector():
    got = signature(
        SECRET, "POST", "https://www.example.com/webhook_uri", b"{'example_field':'example_value'}", "1693657560000"
    )
    assert got == b"K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="


def test_the_vendors_escapes_are_decoded_in_the_url_and_no_others():
    plain = signature(SECRET, "post", "https://h.example/a:b?x=@!$'()*,;&y=%20%26", b"", "1")
    assert (
        signature(SECRET, "POST", "https://h.example/a%3Ab%3Fx=%40%21%24%27%28%29%2a%2C%3b&y=%20%26", b"", "1") == plain
    )


def test_an_event_is_a_hint_that_keeps_the_raw_event():
    [change] = accept([EVENT])
    assert (change.object, change.external_id, change.kind) == ("deals", "267448862446", ChangeKind.HINT)
    assert (change.occurred_at, change.received_at) == (1769081993375, NOW)
    assert (change.connection, change.channel) == ("crm", Channel.WEBHOOK)
    assert change.payload == {"event": EVENT, "created": True}


def test_a_hint_tells_the_property_it_speaks_of_so_that_an_echo_is_known_without_a_read():
    [change] = accept(
        [EVENT | {"subscriptionType": "deal.propertyChange", "propertyName": "amount", "propertyValue": "42"}]
    )
    assert change.payload["told"] == {"amount": "42"}


@pytest.mark.parametrize(
    ("event", "object_", "external_id", "kind"),
    [
        ({"subscriptionType": "contact.propertyChange", "objectId": 5, "propertyName": "phone"}, "contacts", "5", ChangeKind.HINT),
        ({"subscriptionType": "company.restore", "objectId": 5}, "companies", "5", ChangeKind.HINT),
        ({"subscriptionType": "line_item.creation", "objectId": "5"}, "line_items", "5", ChangeKind.HINT),
        ({"subscriptionType": "object.creation", "objectTypeId": "0-123", "objectId": 5}, "orders", "5", ChangeKind.HINT),
        ({"subscriptionType": "object.deletion", "objectTypeId": "2-77", "objectId": 5}, "2-77", "5", ChangeKind.DELETED),
        ({"subscriptionType": "contact.deletion", "objectId": 5}, "contacts", "5", ChangeKind.DELETED),
        ({"subscriptionType": "contact.privacyDeletion", "objectId": 5}, "contacts", "5", ChangeKind.ERASED),
        ({"subscriptionType": "deal.associationChange", "fromObjectId": 5, "toObjectId": 6}, "deals", "5", ChangeKind.HINT),
        ({"subscriptionType": "object.associationChange", "fromObjectTypeId": "2-77", "fromObjectId": 5, "toObjectId": 6}, "2-77", "5", ChangeKind.HINT),
        ({"subscriptionType": "object.restore", "objectTypeId": "2-77", "objectId": 5}, "2-77", "5", ChangeKind.HINT),
    ],
)  # fmt: skip
def test_what_happened_is_told_by_the_subscription(event, object_, external_id, kind):
    [change] = accept([{**EVENT, "objectId": None, **event}])
    assert (change.object, change.external_id, change.kind) == (object_, external_id, kind)


def test_a_merge_into_a_new_object_absorbs_the_primary_too():
    event = {"subscriptionType": "contact.merge", "primaryObjectId": 1, "mergedObjectIds": [2, 3], "newObjectId": 9}
    [change] = accept([{**EVENT, **event}])
    assert (change.kind, change.external_id) == (ChangeKind.MERGED, "9")
    assert (change.payload["into"], change.payload["from"]) == ("9", ["1", "2", "3"])


def test_a_merge_that_keeps_the_primary():
    event = {"subscriptionType": "contact.merge", "primaryObjectId": 1, "mergedObjectIds": [1, 2], "newObjectId": 1}
    [change] = accept([{**EVENT, **event}])
    assert (change.payload["into"], change.payload["from"]) == ("1", ["2"])


def test_a_repetition_has_the_same_key_and_another_happening_has_not():
    assert dedupe_key({**EVENT, "attemptNumber": 3}) == dedupe_key(EVENT)
    for name in ("portalId", "subscriptionType", "objectId", "propertyName", "eventId", "occurredAt"):
        assert dedupe_key({**EVENT, name: 1}) != dedupe_key(EVENT)


def test_changes_come_in_the_order_of_their_happening():
    changes = accept([{**EVENT, "eventId": n, "occurredAt": n} for n in (3, 1, 2)])
    assert [one.occurred_at for one in changes] == [1, 2, 3]


@pytest.mark.parametrize(
    "body",
    [b"not json", b"", b"\xff\xfe", [3], ["x"], [None], [{"subscriptionType": "conversation.creation", "objectId": 1}],
     [{}], [{"subscriptionType": "deal.creation"}], [{"subscriptionType": "deal.creation", "objectId": True}], 7, None],
)  # fmt: skip
def test_what_is_authentic_but_not_understood_is_kept(body):
    [change] = accept(body)
    assert change.kind is ChangeKind.OPAQUE
    assert change.payload["reason"]
    assert accept(body)[0].dedupe_key == change.dedupe_key


def test_events_of_another_account_are_parked():
    [change] = webhooks(portal_id=1).accept(signed([EVENT]))
    assert change.kind is ChangeKind.OPAQUE


def test_one_bad_event_does_not_lose_its_neighbours():
    kinds = [one.kind for one in accept([EVENT, 3, {**EVENT, "eventId": 2}])]
    assert sorted(kinds) == [ChangeKind.HINT, ChangeKind.HINT, ChangeKind.OPAQUE]


def test_an_empty_array_is_no_change():
    assert list(accept([])) == []


@pytest.mark.parametrize("name", ["x-hubspot-signature-v3", "x-hubspot-request-timestamp"])
@pytest.mark.parametrize("value", ["", "x", "é", "\udcff", "1" * 400])
def test_missing_or_broken_headers_are_refused_with_401(name, value):
    with pytest.raises(RefusedError) as caught:
        accept([EVENT], **{name: value})
    assert caught.value.status == 401


@pytest.mark.parametrize("off", [-300_001, 300_001, -(10**9)])
def test_a_stale_or_future_timestamp_is_refused(off):
    with pytest.raises(RefusedError) as caught:
        accept([EVENT], at=NOW + off)
    assert (caught.value.status, caught.value.check) == (401, "timestamp")


@pytest.mark.parametrize("off", [-300_000, 0, 300_000])
def test_within_the_window_is_accepted(off):
    assert accept([EVENT], at=NOW + off)


def test_a_stale_timestamp_is_not_judged_by_a_clock_known_to_be_off():
    with pytest.raises(CannotJudgeError):
        webhooks(vitals=Vitals(skew_seconds=400)).accept(signed([EVENT], at=NOW - 400_000))


@pytest.mark.parametrize("more", [{"webhook_secrets": ()}, {"webhook_secrets": (Secret(""),)}, {"public_url": ""}])
def test_without_secret_or_url_syncd_cannot_judge(more):
    with pytest.raises(CannotJudgeError):
        webhooks(**more).accept(signed([EVENT]))


def test_a_clock_that_was_never_set_cannot_judge():
    with pytest.raises(CannotJudgeError):
        webhooks(now=1000).accept(signed([EVENT], at=1000))


def test_both_secrets_hold_while_one_replaces_the_other():
    old = Secret("old")
    both = webhooks(webhook_secrets=(SECRET, old))
    assert both.accept(signed([EVENT], secret=old))
    assert both.accept(signed([EVENT], secret=SECRET))
    with pytest.raises(RefusedError):
        both.accept(signed([EVENT], secret=Secret("third")))


def test_the_configured_url_counts_behind_a_proxy_that_rewrites_the_path():
    assert accept([EVENT], path="/internal/crm")
    assert accept([EVENT], path="/internal/crm?x=1", url=f"{URL}?x=1")
    assert target_urls("https://h.example", "/a?b=1") == [
        "https://h.example",
        "https://h.example?b=1",
        "https://h.example/a?b=1",
    ]
    assert target_urls(URL, "/other") == [URL]


@given(
    st.binary(min_size=1, max_size=80), st.integers(0, 79), st.integers(1, 255),
    st.sampled_from(["body", "signature", "timestamp", "method", "url", "secret"]),
)  # fmt: skip
def test_whatever_single_thing_is_changed_the_request_is_refused(body, where, by, part):
    request = signed(body)
    raw, headers, method = request.body, dict(request.headers), request.method
    hooks = webhooks()
    if part == "body":
        raw = bytearray(raw)
        raw[where % len(raw)] ^= by
    elif part == "signature":
        given_ = bytearray(headers["x-hubspot-signature-v3"].encode())
        given_[where % len(given_)] ^= by & 0x7F or 1
        headers["x-hubspot-signature-v3"] = given_.decode("utf-8", "replace")
    elif part == "timestamp":
        headers["x-hubspot-request-timestamp"] = str(NOW + by)
    elif part == "method":
        method = "PUT"
    elif part == "url":
        hooks = webhooks(public_url=URL + "/x")
    else:
        hooks = webhooks(webhook_secrets=(Secret("other"),))
    with pytest.raises(RefusedError):
        hooks.accept(WebhookRequest(method, request.path, headers, bytes(raw), NOW))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*EVENT, "newObjectId", "mergedObjectIds"]), inner),
    max_leaves=15,
)  # fmt: skip
kinds = st.sampled_from(
    ["deal.creation", "contact.merge", "object.propertyChange", "contact.privacyDeletion", "x", "."]
)


@trials(max_examples=40)
@given(
    st.lists(
        st.builds(
            lambda some, kind: {**some, "subscriptionType": kind},
            st.dictionaries(
                st.sampled_from([*EVENT, "newObjectId", "mergedObjectIds", "primaryObjectId", "objectTypeId"]), values
            ),
            kinds,
        )
        | values,
        max_size=4,
    )
)
def test_no_authentic_body_raises_and_every_event_becomes_one_change(events):
    changes = accept(events)
    assert len(changes) == len(events)
    assert all(one.dedupe_key and (one.external_id or one.kind is ChangeKind.OPAQUE) for one in changes)
