"""Change events over gRPC: schemas, bitmaps, flow control, replay ids, gaps."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import grpc.aio
import pytest

from syncd.systems.salesforce import pubsub_pb2 as pb
from tests.sandbox.salesforce.conftest import KEY, Bus, House

CONTACTS = "/data/ContactChangeEvent"
PREFIX = "sfdc.platform.eventbus.grpc."


def named(schema: dict[str, Any], bitmaps: list[str]) -> set[str]:
    """Bitmaps read the way the vendor's documents describe."""
    fields, out = schema["fields"], set[str]()
    records = {
        kind["name"]: kind
        for field in fields
        for kind in (field["type"] if isinstance(field["type"], list) else ())
        if isinstance(kind, dict) and kind.get("type") == "record"
    }
    for one in bitmaps:
        place, dash, bits = one.rpartition("-")
        number = int(bits, 16)
        if not dash:
            out |= {field["name"] for at, field in enumerate(fields) if number >> at & 1}
            continue
        parent = fields[int(place)]
        last = parent["type"][-1]
        inner = last if isinstance(last, dict) else records[last]  # a type that was defined before is only named
        out |= {f"{parent['name']}.{field['name']}" for at, field in enumerate(inner["fields"]) if number >> at & 1}
    return out


async def refusal(stream: Any) -> tuple[grpc.StatusCode, str]:
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        codes = dict(error.trailing_metadata())
        return error.code(), str(codes.get("error-code", "")).removeprefix(PREFIX)
    raise AssertionError("the stream ended without a refusal")


async def test_a_topic_has_a_schema_of_the_orgs_own_fields(house: House, bus: Bus) -> None:
    info = await bus.topic(CONTACTS)
    assert (info.can_subscribe, info.topic_name) == (True, CONTACTS)
    schema = await bus.schema(info.schema_id)
    names = [one["name"] for one in schema["fields"]]
    assert (names[0], schema["name"]) == ("ChangeEventHeader", "com.sforce.eventbus.ContactChangeEvent")
    assert {KEY, "Name", "MailingAddress", "OwnerId"} <= set(names)
    assert not {"Id", "IsDeleted", "SystemModstamp", "FirstName", "MailingCity"} & set(names)
    await house.act(op="create_field", object="Contact", field={"name": "Shoe__c", "type": "number"})
    assert (await bus.topic(CONTACTS)).schema_id != info.schema_id


async def test_topics_that_are_none(bus: Bus) -> None:
    for topic in ("/data/CaseChangeEvent", "/data/PermissionSetChangeEvent", "/event/Nope__e"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bus.topic(topic)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_changes_arrive_as_they_were_made(house: House, bus: Bus) -> None:
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    house.http.headers["sforce-call-options"] = "client=syncd-pair"
    id_ = await house.create("Contact", LastName="Doe", Email="ann@example.com", MailingCity="Bonn")
    await house.call("PATCH", f"/sobjects/Contact/{id_}", json={"Email": None, "FirstName": "Ann", "MailingCity": None})
    await house.act(op="edit", object="Contact", id=id_, values={"Phone": "5"})
    await house.call("DELETE", f"/sobjects/Contact/{id_}")
    await house.act(op="undelete", object="Contact", id=id_)
    events: list[Any] = []
    while len(events) < 5:
        events += await bus.decoded(await stream.read())
    headers = [one["ChangeEventHeader"] for one in events]
    assert [one["changeType"] for one in headers] == ["CREATE", "UPDATE", "UPDATE", "DELETE", "UNDELETE"]
    assert [one["recordIds"] for one in headers] == [[id_]] * 5
    assert headers[0]["changeOrigin"] == "com/salesforce/api/rest/67.0;client=syncd-pair"
    assert headers[2]["changeOrigin"] == ""
    assert (events[0]["Name"]["LastName"], events[0]["MailingAddress"]["City"]) == ("Doe", "Bonn")
    assert events[0]["CreatedDate"] == house.clock.now_ms()
    schema = await bus.schema((await bus.topic(CONTACTS)).schema_id)
    assert named(schema, headers[1]["changedFields"]) == {
        "Email", "Name.FirstName", "MailingAddress.City", "LastModifiedDate",
    }  # fmt: skip
    assert named(schema, headers[1]["nulledFields"]) == {"Email", "MailingAddress.City"}
    assert (events[1]["Email"], events[1]["Phone"], events[2]["Phone"]) == (None, None, "5")
    assert all(len(bits.rpartition("x")[2]) % 2 == 0 for bits in headers[1]["changedFields"])
    assert len({one["transactionKey"] for one in headers}) == 5
    stream.cancel()


async def test_the_same_change_of_many_rows_in_one_transaction_is_one_event(house: House, bus: Bus) -> None:
    ids = [await house.create("Contact", LastName="Doe") for _ in range(3)]
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    records = [{"attributes": {"type": "Contact"}, "id": id_, "Title": "Boss"} for id_ in ids]
    await house.call("PATCH", "/composite/sobjects", json={"records": records})
    (event,) = await bus.decoded(await stream.read())
    assert event["ChangeEventHeader"]["recordIds"] == ids
    stream.cancel()


async def test_several_changes_of_a_row_in_one_transaction_are_one_event_and_one_effect(house: House, bus: Bus) -> None:
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    path = f"/services/data/v67.0/sobjects/Contact/{KEY}/a"
    requests = [
        {"method": "PATCH", "url": path, "referenceId": f"r{n}", "body": {"LastName": f"L{n}"}} for n in range(3)
    ]
    await house.call("POST", "/composite", json={"allOrNone": True, "compositeRequest": requests})
    (event,) = await bus.decoded(await stream.read())
    assert (event["ChangeEventHeader"]["changeType"], event["Name"]["LastName"]) == ("CREATE", "L2")
    assert house.effects() == [("create", "Contact", "a")]
    stream.cancel()


async def test_no_more_is_sent_than_was_requested(house: House, bus: Bus) -> None:
    stream = await bus.subscribe(CONTACTS, 2)
    await bus.listening()
    for n in range(5):
        await house.create("Contact", LastName=f"L{n}")
    seen = 0
    while seen < 2:
        response = await stream.read()
        seen += len(response.events)
    assert (seen, response.pending_num_requested) == (2, 0)
    await stream.write(pb.FetchRequest(topic_name=CONTACTS, num_requested=3))
    while seen < 5:
        seen += len((await stream.read()).events)
    assert seen == 5
    stream.cancel()


async def test_a_stream_resumes_strictly_after_a_replay_id(house: House, bus: Bus) -> None:
    for n in range(4):
        await house.create("Contact", LastName=f"L{n}")
    stream = await bus.subscribe(CONTACTS, replay_preset=pb.EARLIEST)
    response = await stream.read()
    replay_ids = [one.replay_id for one in response.events]
    stream.cancel()
    assert len(set(replay_ids)) == 4
    assert replay_ids != sorted(replay_ids) or len({one[:4] for one in replay_ids}) == 4
    stream = await bus.subscribe(CONTACTS, replay_preset=pb.CUSTOM, replay_id=replay_ids[1])
    events = await bus.decoded(await stream.read())
    assert [one["Name"]["LastName"] for one in events] == ["L2", "L3"]
    stream.cancel()


async def test_replay_ids_that_are_no_use(house: House, bus: Bus) -> None:
    await house.create("Contact", LastName="Doe")
    stream = await bus.subscribe(CONTACTS, replay_preset=pb.EARLIEST)
    held = (await stream.read()).latest_replay_id
    stream.cancel()
    corrupted = (grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.replayid.corrupted")
    custom = {"replay_preset": pb.CUSTOM}
    assert await refusal(await bus.subscribe(CONTACTS, replay_id=b"nonsense", **custom)) == corrupted
    missing = "subscription.fetch.replayid.validation.failed"
    assert await refusal(await bus.subscribe(CONTACTS, **custom)) == (grpc.StatusCode.INVALID_ARGUMENT, missing)
    await house.act(op="reset_stream")
    assert await refusal(await bus.subscribe(CONTACTS, replay_id=held, **custom)) == corrupted


async def test_a_replay_id_ages_out_after_three_days_unless_a_keepalive_renews_it(house: House, bus: Bus) -> None:
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    await house.create("Contact", LastName="Doe")
    old = (await stream.read()).latest_replay_id
    await asyncio.sleep(0.02)
    await house.clock.advance(271)
    alive = await stream.read()
    assert (list(alive.events), alive.pending_num_requested) == ([], 9)
    stream.cancel()
    await house.clock.advance(72 * 3600 - 60)
    await house.sign_in()
    stream = await bus.subscribe(CONTACTS, replay_preset=pb.CUSTOM, replay_id=alive.latest_replay_id)
    await bus.listening()
    stream.cancel()
    lost = await bus.subscribe(CONTACTS, replay_preset=pb.CUSTOM, replay_id=old)
    assert (await refusal(lost))[1] == "subscription.fetch.replayid.corrupted"


async def test_gaps_and_overflow_carry_no_fields(house: House, bus: Bus) -> None:
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    await house.act(op="gap", next=1)
    id_ = await house.create("Contact", LastName="Doe")
    (event,) = await bus.decoded(await stream.read())
    header = event["ChangeEventHeader"]
    assert (header["changeType"], header["recordIds"], event["Name"]) == ("GAP_CREATE", [id_], None)
    await house.act(op="stream", settings={"overflow_after": 1})
    records = [{"attributes": {"type": "Contact"}, "LastName": f"L{n}"} for n in range(3)]
    await house.call("POST", "/composite/sobjects", json={"records": records})
    kinds: list[str] = []
    while len(kinds) < 2:
        kinds += [one["ChangeEventHeader"]["changeType"] for one in await bus.decoded(await stream.read())]
    assert kinds == ["CREATE", "GAP_OVERFLOW"]
    await house.act(op="retype_field", object="Contact", field={"name": "Customer_Number__c", "type": "number"})
    (event,) = await bus.decoded(await stream.read())
    assert event["ChangeEventHeader"]["recordIds"] == ["003*"]
    stream.cancel()


async def test_long_texts_come_as_differences(house: House, bus: Bus) -> None:
    id_ = await house.create("Contact", LastName="Doe", Description="line\n" * 300)
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    await house.call("PATCH", f"/sobjects/Contact/{id_}", json={"Description": "line\n" * 300 + "more\n"})
    (event,) = await bus.decoded(await stream.read())
    schema = await bus.schema((await bus.topic(CONTACTS)).schema_id)
    assert named(schema, event["ChangeEventHeader"]["diffFields"]) == {"Description"}
    assert "+more" in event["Description"]
    assert len(event["Description"]) < 100
    stream.cancel()


async def test_who_may_not_listen(house: House, bus: Bus) -> None:
    auth = (grpc.StatusCode.UNAUTHENTICATED, "service.auth.error")
    kept = dict(house.token)
    house.token["id"] = "http://x/id/00Dxx0000000000AAA/005"
    assert await refusal(await bus.subscribe(CONTACTS)) == auth
    house.token = kept
    await house.act(op="expire_tokens")
    assert await refusal(await bus.subscribe(CONTACTS)) == auth


async def test_the_daily_allowance_of_events_ends_the_stream(house: House, bus: Bus) -> None:
    await house.act(op="limits", settings={"events_delivered": 1})
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    await house.create("Contact", LastName="A")
    assert len((await stream.read()).events) == 1
    await house.create("Contact", LastName="B")
    assert await refusal(stream) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "subscription.limit.exceeded")
    report = (await house.call("GET", "/limits")).json()
    assert report["DailyDeliveredPlatformEvents"] == {"Max": 1, "Remaining": 0}


async def test_requests_that_end_a_stream(house: House, bus: Bus) -> None:
    invalid = (grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.requested.events.invalid")
    assert await refusal(await bus.subscribe(CONTACTS, 0)) == invalid
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    await stream.write(pb.FetchRequest(topic_name="/data/AccountChangeEvent", num_requested=1))
    assert (await refusal(stream))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_streams_are_cut_by_outages_and_on_request(house: House, bus: Bus) -> None:
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    await house.act(op="cut_streams")
    assert await refusal(stream) == (grpc.StatusCode.UNAVAILABLE, "service.unavailable")
    stream = await bus.subscribe(CONTACTS)
    await bus.listening()
    house.box.set_outage("salesforce", on=True)
    assert await refusal(stream) == (grpc.StatusCode.UNAVAILABLE, "service.unavailable")


async def test_a_channel_carries_several_objects(house: House, bus: Bus) -> None:
    await house.act(op="channel", name="Sync", entities=["Contact", "Case"])
    for topic, kinds in (("/data/ChangeEvents", ["Contact"]), ("/data/Sync__chn", ["Contact", "Case"])):
        stream = await bus.subscribe(topic)
        await bus.listening()
        await house.create("Contact", LastName="Doe")
        await house.create("Case", Subject="Help")
        seen: list[str] = []
        while len(seen) < len(kinds):
            seen += [one["ChangeEventHeader"]["entityName"] for one in await bus.decoded(await stream.read())]
        assert seen == kinds
        stream.cancel()
        await bus.listening(some=False)


async def test_the_bus_speaks_tls_with_the_private_authority(house: House) -> None:
    assert house.vendor.identity is not None
    credentials = grpc.ssl_channel_credentials(house.vendor.identity.authority)
    async with grpc.aio.secure_channel(house.vendor.endpoints()["pubsub_tls"], credentials) as channel:
        info = await Bus(house, channel).topic(CONTACTS)
        text = house.vendor.stream.schema_by_id(info.schema_id)
    assert text is not None
    assert json.loads(text.text)["uuid"]
