from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from syncd.intake.app import Intake
from syncd.intake.sources import NO_KEYS, SourceKeys
from syncd.intake.staging import StorageUnavailableError
from syncd.model.change import ChangeKind
from syncd.runtime.clock import World

from .conftest import KEY, OLD_KEY, TOKEN, House, event, keys, shop

BEARER = f"Bearer {TOKEN}"
JSON_EVENT = "application/cloudevents+json"


def with_sources(house: House, *sources) -> House:
    house.intake = Intake(commit=house.commit, world=World(clock=house.clock), sources=sources)
    return house


async def test_a_signed_event_is_staged_before_it_is_acknowledged(house):
    house.staging.gate.clear()
    waiting = asyncio.create_task(house.signed(event()))
    await house.staging.entered.wait()
    assert not waiting.done()
    house.staging.gate.set()
    answer = await waiting
    assert (answer.status, answer.json) == (202, {"staged": 1, "duplicates": 0})
    assert [change.external_id for change in house.staging.kept.values()] == ["c1"]


async def test_the_same_delivery_a_thousand_times_has_one_effect(house):
    answers = await asyncio.gather(*(house.signed(event()) for _ in range(1000)))
    assert {answer.status for answer in answers} == {202}
    assert sum(answer.json["staged"] for answer in answers) == 1
    assert len(house.staging.kept) == 1
    assert house.intake.meter.duplicates["shop"] == 999
    assert house.intake.meter.staged["shop", "hint"] == 1


async def test_every_mode_is_accepted(house):
    body = orjson.dumps(event()["data"])
    binary = await house.post(
        body, content_type="application/json", authorization=BEARER, ce_specversion="1.0", ce_id="b1",
        ce_source="/acme/customers", ce_type="shop.customer.changed", ce_subject="c9",
    )  # fmt: skip
    batch = await house.signed(
        orjson.dumps([event(1), event(2), event(1)]), content_type="application/cloudevents-batch+json"
    )
    empty = await house.signed(b"[]", content_type="application/cloudevents-batch+json")
    plain = await house.signed({"type": "shop.customer.new", "data": {"id": "c5"}}, content_type="application/json")
    assert binary.json == plain.json == {"staged": 1, "duplicates": 0}
    assert batch.json == {"staged": 2, "duplicates": 1}
    assert (empty.status, empty.json) == (202, {"staged": 0, "duplicates": 0})


async def test_a_token_is_as_good_as_a_signature(house):
    body = orjson.dumps(event())
    assert (await house.post(body, content_type=JSON_EVENT, authorization=BEARER)).status == 202
    wrong = await house.post(body, content_type=JSON_EVENT, authorization="Bearer not-the-token")
    assert (wrong.status, wrong.check) == (401, "token")
    assert wrong.headers["www-authenticate"] == "Bearer"
    for scheme in ("Basic " + TOKEN, TOKEN, "Bearer ", ""):
        assert (await house.post(body, content_type=JSON_EVENT, authorization=scheme)).check == "credential"


async def test_both_keys_count_while_they_rotate(house):
    assert (await house.signed(event(1), key=OLD_KEY)).status == 202
    assert (await house.signed(event(2), key=KEY)).status == 202
    assert (await house.signed(event(3), key=b"x" * 32)).check == "signature"


async def test_a_stale_timestamp_is_told_apart_from_a_forged_one(house):
    for shift in (-301, 301):
        answer = await house.signed(event(), shift=shift)
        assert (answer.status, answer.check) == (401, "timestamp")
    assert (await house.signed(event(), shift=-301, key=b"x" * 32)).check == "signature"


async def test_a_replay_is_a_duplicate_within_the_window_and_refused_after_it(house):
    body, stamp = orjson.dumps(event()), house.clock.now_ms() // 1000
    from syncd.intake.signature import sign

    async def send():
        return await house.post(
            body, content_type=JSON_EVENT, webhook_id="m", webhook_timestamp=str(stamp),
            webhook_signature=sign("m", stamp, body, KEY),
        )  # fmt: skip

    assert (await send()).json == {"staged": 1, "duplicates": 0}
    await house.clock.advance(299)
    assert (await send()).json == {"staged": 0, "duplicates": 1}
    await house.clock.advance(2)
    assert (await send()).status == 401


async def test_the_source_is_found_by_its_keys_when_the_path_names_none(house):
    other = b"another key of the same length!!"
    with_sources(house, shop(), shop(name="till", connection="till", keys=lambda: SourceKeys(secrets=(other,))))
    assert (await house.signed(event(1), path="/v1/events", key=other)).status == 202
    assert (await house.signed(event(2), path="/v1/events")).status == 202
    assert {change.connection for change in house.staging.kept.values()} == {"shop", "till"}
    assert (await house.signed(event(3), path="/v1/events/shop", key=other)).status == 401
    assert (await house.signed(event(3), path="/v1/events", key=b"x" * 32)).status == 401


@pytest.mark.parametrize(
    ("method", "path", "status", "check"),
    [
        ("POST", "/", 404, "path"),
        ("POST", "/v1/eventsx", 404, "path"),
        ("POST", "/v1/events/nobody", 404, "source"),
        ("POST", "/v1/webhooks/nobody", 404, "connection"),
        ("POST", "/v1/webhooks", 404, "path"),
        ("GET", "/v1/events", 405, "method"),
        ("DELETE", "/v1/webhooks/crm", 405, "method"),
    ],
)
async def test_wrong_paths_and_methods_are_told(house, method, path, status, check):
    answer = await house.ask(method, path, {}, b"")
    assert (answer.status, answer.check) == (status, check)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {"title", "status", "detail", "check"}
    assert ("allow" in answer.headers) == (status == 405)


async def test_limits_come_before_the_signature(house):
    deep = b'{"a":' * 100 + b"1" + b"}" * 100
    assert (await house.post(deep, content_type=JSON_EVENT)).check == "too-deep"
    assert (await house.post(deep, content_type="text/html")).status == 415
    assert (await house.post(b"{", content_type=JSON_EVENT)).status == 401
    assert (await house.signed(b"{")).check == "json"


async def test_what_is_authentic_but_not_understood_is_kept(house):
    assert (await house.signed(event(1, type="shop.unknown"))).json["staged"] == 1
    with capture_logs() as logs:
        assert (await house.signed(event(2, type="shop.broken"))).json["staged"] == 1
    unreadable = await house.post(
        b"{not json", content_type="application/json", authorization=BEARER, ce_specversion="1.0", ce_id="u",
        ce_source="/acme", ce_type="shop.customer.changed",
    )  # fmt: skip
    assert unreadable.status == 202
    kept = list(house.staging.kept.values())
    assert [change.kind for change in kept] == [ChangeKind.OPAQUE] * 3
    assert kept[0].payload["raw"]["subject"] == "c1"
    assert [change.payload["reason"] for change in kept] == [
        "no mapping understands this type of event",
        "the event could not be read (KeyError)",
        "the data is not the JSON it claims to be",
    ]
    assert "somebody@example.com" not in str(logs)


async def test_when_syncd_cannot_judge_or_store_the_sender_is_told_to_come_again(house, full):
    house.staging.broken = full
    answers = [await house.signed(event())]
    house.staging.broken = RuntimeError("constraint")
    answers.append(await house.signed(event()))
    answers.append(await house.ask("POST", "/v1/webhooks/crm", {}, b"blind"))
    answers.append(await house.ask("POST", "/v1/webhooks/crm", {}, b"crash"))
    with_sources(house, shop(keys=lambda: NO_KEYS))
    answers.append(await house.signed(event()))
    answers.append(await house.signed(event(), path="/v1/events"))
    with_sources(house)
    answers.append(await house.signed(event(), path="/v1/events"))
    await house.commit.stop()
    answers.append(await with_sources(house, shop()).signed(event()))
    assert [answer.status for answer in answers] == [503] * 8
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert not house.staging.kept


async def test_one_blind_source_makes_a_mismatch_uncertain(house):
    with_sources(house, shop(), shop(name="till", keys=lambda: NO_KEYS))
    assert (await house.signed(event(), path="/v1/events", key=b"x" * 32)).status == 503
    assert (await house.signed(event(), path="/v1/events")).status == 202


async def test_a_clock_from_before_the_release_judges_nothing(house):
    house.clock._now_ms = 0
    assert (await house.signed(event())).status == 503
    assert (await house.post(b"", content_type=JSON_EVENT, authorization="Bearer x")).status == 503


async def test_after_a_jump_stale_is_uncertain_until_an_authentic_fresh_message_ends_the_doubt(house, monkeypatch):
    offset = house.clock.now_ms() / 1000
    monkeypatch.setattr(house.clock, "monotonic", lambda: offset)
    house.clock._now_ms += 400 * 86_400_000
    assert (await house.signed(event(), shift=-400 * 86_400)).check == "clock"
    assert (await house.ask("POST", "/v1/webhooks/crm", {}, b"stale")).status == 503
    assert (await house.signed(event(), key=b"x" * 32)).status == 401
    assert (await house.ask("POST", "/v1/webhooks/crm", {}, b"refuse")).status == 401
    assert (await house.signed(event())).status == 202
    assert (await house.signed(event(), shift=-400 * 86_400)).status == 401


async def test_a_vendors_webhooks_are_staged_by_their_connection(house):
    answer = await house.ask("POST", "/v1/webhooks/crm?x=1", {"x-correlation-id": "trace-1"}, b"[1,2,1]")
    assert (answer.status, answer.json) == (200, {"staged": 2, "duplicates": 1})
    assert {change.correlation_id for change in house.staging.kept.values()} == {"trace-1"}
    refused = await house.ask("POST", "/v1/webhooks/crm", {}, b"refuse")
    assert (refused.status, refused.check) == (401, "signature")
    assert (await house.ask("POST", "/v1/webhooks/crm", {}, b"[" * 70)).check == "too-deep"


async def test_the_correlation_id_follows_the_request(house):
    trace = "0af7651916cd43dd8448eb211c80319c"
    for headers, expected in (
        ({"traceparent": f"00-{trace}-b7ad6b7169203331-01"}, trace),
        ({"traceparent": "garbage", "x-correlation-id": "order.7_x-1"}, "order.7_x-1"),
    ):
        answer = await house.signed(event(len(expected)), **headers)
        assert answer.headers["x-correlation-id"] == expected
        assert expected in {change.correlation_id for change in house.staging.kept.values()}
    for hostile in ("a\x1b[31m", "x" * 65, "", "a b"):
        answer = await house.signed(event(), x_correlation_id=hostile)
        assert len(answer.headers["x-correlation-id"]) == 32


async def test_a_sender_is_granted_delivery_only_where_a_source_names_it(house):
    with_sources(house, shop(origins=frozenset({"eventgrid.azure.net"}), rate_per_minute=120))
    asked = {"webhook-request-origin": "eventgrid.azure.net", "webhook-request-rate": "1000"}
    granted = await house.ask("OPTIONS", "/v1/events/shop", asked)
    assert granted.status == 200
    assert granted.headers["webhook-allowed-origin"] == "eventgrid.azure.net"
    assert granted.headers["webhook-allowed-rate"] == "120"
    assert "POST" in granted.headers["allow"]
    other = await house.ask("OPTIONS", "/v1/events/shop", {"webhook-request-origin": "evil.example"})
    assert "webhook-allowed-origin" not in other.headers
    assert (await house.ask("OPTIONS", "/v1/webhooks/crm", asked)).status == 405


async def test_a_source_has_its_own_rate(house):
    with_sources(house, shop(rate_per_minute=12))
    answers = [await house.signed(event(number)) for number in range(3)]
    assert [answer.status for answer in answers] == [202, 202, 429]
    assert answers[2].headers["retry-after"] == "5"


async def test_logs_hold_no_body_and_no_credential(house):
    with capture_logs() as logs:
        await house.signed(event(1, data={"email": "ada@example.com"}), key=b"x" * 32)
        await house.post(b"ada@example.com", content_type=JSON_EVENT, authorization="Bearer hunter2-hunter2")
        await house.ask("POST", "/v1/webhooks/crm", {}, b"crash")
    assert len(logs) >= 3
    assert "example.com" not in str(logs)
    assert "hunter2" not in str(logs)


def test_keys_do_not_show_themselves():
    assert "AAEC" not in repr(keys())
    assert repr(shop()).count("token") == 0
    with pytest.raises(ValueError, match="16 characters"):
        SourceKeys.of(tokens=["short"])
    with pytest.raises(ValueError, match="16 event sources"):
        Intake(commit=None, world=World(), sources=[replace(shop(), name=str(n)) for n in range(17)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.sampled_from(["/v1/events", "/v1/events/shop", "/v1/events/", "/v1/webhooks/crm", "/x"]),
    st.dictionaries(
        st.sampled_from(
            [
                "content-type",
                "webhook-id",
                "webhook-timestamp",
                "webhook-signature",
                "authorization",
                "ce-specversion",
                "traceparent",
            ]
        ),
        st.text(max_size=30) | st.sampled_from([JSON_EVENT, "v1,abc", "1793606400", "1.0"]),
    ),
    st.binary(max_size=60),
)
async def test_nothing_unauthentic_is_staged_or_answered_500(house, path, headers, body):
    house.staging.kept.clear()
    answer = await house.ask("POST", path, headers, body)
    assert answer.status in (200, 202, 400, 401, 404, 415, 503)
    if path != "/v1/webhooks/crm":
        assert not house.staging.kept


async def test_a_full_queue_is_told_with_a_time(house):
    house.intake._commit.submit = lambda *_: (_ for _ in ()).throw(StorageUnavailableError("queue-full", 1))
    answer = await house.signed(event())
    assert (answer.status, answer.check, answer.headers["retry-after"]) == (503, "queue-full", "1")
