"""Every question of the control API, asked over the socket of a database that the engine filled."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from syncd.control import messages as m
from syncd.model.failure import Failure, Remedy
from tests.control.office import WINDOW, Office
from tests.engine.test_engine import cart, customer
from tests.waiting import until


async def test_the_status_tells_what_waits_fails_and_was_done(office: Office) -> None:
    await office.everyday()
    office.rig.crm.down = Failure(Remedy.RETRY, "unreachable", "connection refused")
    await customer(office.rig, "late")
    await office.rig.settle()
    status = await office.status()

    assert (status.version, status.instance, status.state, status.notes) == (
        "1.2.3",
        "instance",
        "running",
        ["a remark"],
    )
    assert status.counters.dead_letters_open == 3
    assert status.counters.delivered == 4
    assert {(one.target, one.object, one.state): one.depth for one in status.queue} == {
        ("crm", "contacts", "waiting"): 1
    }  # fmt: skip
    assert {one.code: one.count for one in status.failures} == {"INVALID_EMAIL": 2, "decode": 1}
    assert status.windows == [WINDOW]
    assert {one.name: one.system for one in status.connections} == {"shop": "commercetools", "crm": "hubspot"}
    assert all(len(one.values) == 60 for one in status.series)
    assert status.delivery_latency.count == 4


async def test_the_status_says_when_the_state_file_takes_nothing(office: Office) -> None:
    await office.captor.stop(1)
    office.rig.database.trouble = "/state: full"

    assert (await office.status()).notes == ["a remark", "/state: full"]


async def test_the_queue_is_paged_and_filtered(office: Office) -> None:
    office.rig.crm.down = Failure(Remedy.RETRY, "unreachable", "connection refused")
    for number in range(7):
        await customer(office.rig, f"c{number}")
    await office.rig.settle()

    met: list[m.QueueItem] = []
    after: int | None = 0
    while after is not None:
        page = await office.get("/v1/queue", m.QueuePage, limit=3, after=after, connection="crm", state="waiting")
        met += page.items
        after = page.after
        assert page.total == 7
    assert sorted(one.title for one in met) == [f"c{number}@example.com" for number in range(7)]
    assert {(one.lane, one.object, one.entity) for one in met} == {("live", "contacts", "customer")}
    assert (await office.get("/v1/queue", m.QueuePage, connection="shop")).items == []
    assert (await office.get("/v1/queue", m.QueuePage, lane="bulk")).total == 0


async def test_failures_are_grouped_paged_and_shown_with_their_diff(office: Office) -> None:
    await office.everyday()
    groups = await office.get("/v1/failures", m.FailureGroups)
    by_code = {one.code: one for one in groups.groups}
    assert groups.open_total == 3
    assert sum(by_code["INVALID_EMAIL"].trend) == 2
    assert (await office.get("/v1/failures", m.FailureGroups, entity="cart")).groups == []

    first = await office.get(f"/v1/failures/{by_code['INVALID_EMAIL'].fingerprint}", m.DeadLetterPage, limit=1)
    rest = await office.get(
        f"/v1/failures/{by_code['INVALID_EMAIL'].fingerprint}", m.DeadLetterPage, limit=5, after=first.after
    )
    assert [one.title for one in first.items + rest.items] == ["bad1@@example.com", "bad2@@example.com"]
    assert (first.total, rest.after) == (2, None)

    detail = await office.get(f"/v1/dead-letters/{first.items[0].id}", m.DeadLetterDetail)
    (email,) = (one for one in detail.diff if one.field == "email")
    assert (email.after, email.at_fault, email.personal, email.editable) == ("bad1@@example.com", True, True, True)
    assert detail.sent["email"] == "bad1@@example.com"
    assert "Correct the address" in detail.advice


async def test_a_payload_that_could_not_be_read_is_shown_as_it_came(office: Office) -> None:
    await office.everyday()
    groups = await office.get("/v1/failures", m.FailureGroups)
    (odd,) = (one for one in groups.groups if one.kind == "change")
    (letter,) = (await office.get(f"/v1/failures/{odd.fingerprint}", m.DeadLetterPage)).items
    detail = await office.get(f"/v1/dead-letters/{letter.id}", m.DeadLetterDetail)

    assert detail.payload["credit_limit"] == "no money"
    assert detail.diff == []
    assert "discard it with a reason" in detail.advice


async def test_a_conflict_shows_both_values_and_what_was_agreed(office: Office) -> None:
    rig = office.rig
    await customer(rig, nickname="A")
    await rig.settle()
    rig.crm.down = Failure(Remedy.RETRY, "unreachable", "connection refused")
    await customer(rig, nickname="B")
    await rig.settle()
    await rig.tell(rig.crm, "contacts", "crm-1", nickname="C")
    rig.crm.down = None
    await rig.settle(seconds=10)
    (letter,) = await rig.letters()
    (line,) = (await office.get(f"/v1/dead-letters/{letter.id}", m.DeadLetterDetail)).diff

    assert (line.field, line.base, line.after, line.before) == ("nickname", "A", "B", "C")
    assert (await office.status()).counters.conflicts_open == 1


async def test_records_are_searched_and_shown_beside_what_each_system_holds(office: Office) -> None:
    await office.everyday()
    found = await office.get("/v1/records", m.RecordPage, query="c1@EXAMPLE")
    assert {one.entity for one in found.items} == {"customer", "cart"}
    (line,) = (await office.get("/v1/records", m.RecordPage, query="crm-1", entity="customer")).items
    assert (line.title, line.connections, line.state) == ("c1@example.com", ["crm", "shop"], "in_step")

    detail = await office.get(f"/v1/records/{line.id}", m.RecordDetail)
    fields = {one.field: one for one in detail.fields}
    assert (fields["phone"].value, fields["phone"].origin_connection) == ("+49301", "crm")
    assert fields["email"].owners == ["shop"]
    assert {place: held.in_step for place, held in fields["phone"].held.items()} == {
        "shop.customers": True, "crm.contacts": True,
    }  # fmt: skip
    assert {one.system for one in detail.held} == {"commercetools", "hubspot"}


async def test_pages_of_records_meet_every_record_once(office: Office) -> None:
    for number in range(9):
        await customer(office.rig, f"c{number}")
    await office.rig.settle()
    met: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await office.get("/v1/records", m.RecordPage, limit=4, after=after)
        met += [one.title for one in page.items]
        after = page.after
    assert sorted(met) == [f"c{number}@example.com" for number in range(9)]


async def test_history_and_attempts_say_who_did_what_and_why(office: Office) -> None:
    (letter,) = await office.refuse_addresses("bad")
    asked = m.ReplayRequest(
        command_id="mend", selection=m.Selection(ids=[letter]), who="ann", why="typo", edits={"email": "ok@example.com"}
    )
    await office.post("/v1/replay", asked, m.ReplayResult)
    await office.rig.settle()
    (line,) = (await office.get("/v1/records", m.RecordPage, query="ok@example.com")).items
    history = await office.get(f"/v1/records/{line.id}/history", m.History)
    attempts = await office.get(f"/v1/records/{line.id}/attempts", m.Attempts)

    edit = next(one for one in history.lines if one.channel == "operator")
    assert (edit.who, edit.why) == ("ann", "typo")
    assert [(one.field, one.before, one.after) for one in edit.decisions] == [
        ("email", "bad@@example.com", "ok@example.com")
    ]
    crm = [one for one in attempts.lines if one.connection == "crm"]
    assert [one.outcome for one in crm] == ["applied", "failed"]
    assert (crm[1].code, crm[1].status) == ("INVALID_EMAIL", 400)
    assert len((await office.get(f"/v1/records/{line.id}/history", m.History, limit=1)).lines) == 1


async def test_budgets_and_runs_are_told(office: Office) -> None:
    assert (await office.get("/v1/budgets", m.Budgets)).windows == [WINDOW]
    runs = (await office.get("/v1/runs", m.Runs)).runs
    assert [(one.mapping, one.kind, one.every_seconds) for one in runs] == [
        (name, "poll", 3600.0) for name in ("crm.contacts", "crm.deals", "shop.carts", "shop.customers")
    ]


async def test_every_reading_route_answers_while_nothing_is_there(office: Office) -> None:
    kinds: dict[str, type[msgspec.Struct]] = {
        "/v1/status": m.Status, "/v1/queue": m.QueuePage, "/v1/failures": m.FailureGroups,
        "/v1/failures/none": m.DeadLetterPage, "/v1/records": m.RecordPage, "/v1/budgets": m.Budgets, "/v1/runs": m.Runs,
    }  # fmt: skip
    for path, kind in kinds.items():
        await office.get(path, kind)


# --- streams ----------------------------------------------------------------------------------------------------------


async def lines_of(reply: httpx.Response, kind: type[Any], count: int) -> list[Any]:
    met: list[Any] = []
    async for line in reply.aiter_lines():
        met.append(msgspec.json.decode(line, type=kind))
        if len(met) == count:
            break
    return met


async def test_the_stream_tells_the_status_again_and_again_to_everybody(office: Office) -> None:
    async def watch() -> list[m.Status]:
        async with office.client.stream("GET", "/v1/stream", params={"interval": "0.1"}) as reply:
            return await lines_of(reply, m.Status, 3)

    for met in await asyncio.gather(*(watch() for _ in range(5))):
        assert [one.state for one in met] == ["running"] * 3


async def test_the_tail_gives_what_was_and_then_what_comes(office: Office) -> None:
    await customer(office.rig)
    await office.rig.settle()
    recent = (await office.client.get("/v1/tail", params={"follow": "false"})).text.splitlines()
    async with office.client.stream("GET", "/v1/tail") as reply:
        await until(lambda: office.rig.signals._readers, "a reader of the tail")
        office.rig.signals.tell("something.new", connection="crm", number=7)
        met = await lines_of(reply, m.TailLine, len(recent) + 1)

    assert "delivery.done" in {one.event for one in met}
    assert (met[-1].event, met[-1].connection, met[-1].detail) == ("something.new", "crm", {"number": 7})


async def test_readers_that_never_read_hold_nobody_up_and_cost_bounded_memory(office: Office) -> None:
    slow = []
    for _ in range(10):
        reader, writer = await asyncio.open_unix_connection(str(office.socket), limit=1024)
        writer.write(b"GET /v1/tail HTTP/1.1\r\nhost: syncd\r\n\r\n")
        slow.append((reader, writer))
    await until(lambda: len(office.rig.signals._readers) == 10, "ten readers")
    for number in range(5000):
        office.rig.signals.tell("flood", text="x" * 200, number=number)
        if number % 500 == 0:
            await asyncio.sleep(0)
    async with office.client.stream("GET", "/v1/tail") as reply:
        assert len(await lines_of(reply, m.TailLine, 5)) == 5
    await office.status()

    assert all(queue.qsize() <= queue.maxsize > 0 for queue in office.rig.signals._readers)
    for _reader, writer in slow:
        writer.close()
    await until(lambda: not office.rig.signals._readers, "the readers' end")


async def test_a_stream_ends_when_the_state_file_is_closed(office: Office) -> None:
    async with office.client.stream("GET", "/v1/stream", params={"interval": "0.1"}) as reply:
        lines = reply.aiter_lines()
        await anext(lines)
        await office.rig.database.close()
        office.board.turn("draining")
        with pytest.raises(StopAsyncIteration):
            await anext(lines)
    assert (await office.problem("GET", "/v1/queue"))[0] == 503
    await office.rig.database.open()


async def test_the_server_stops_though_streams_are_open(office: Office) -> None:
    async with office.client.stream("GET", "/v1/stream") as reply:
        lines = reply.aiter_lines()
        await anext(lines)
        async with asyncio.timeout(3):
            await office.server.stop(2.0)
        with pytest.raises((httpx.HTTPError, StopAsyncIteration)):
            await anext(lines)
    assert not office.socket.exists()


async def test_carts_and_their_deals_are_shown_with_what_blocks_them(office: Office) -> None:
    await office.refuse_addresses()
    await customer(office.rig, email="bad@@example.com")
    await cart(office.rig, customerId="c1")
    await office.rig.settle(seconds=3)
    page = await office.get("/v1/queue", m.QueuePage, state="blocked")
    (blocked,) = page.items

    assert (blocked.entity, blocked.object) == ("cart", "deals")
    assert blocked.reason.startswith("waits for customer-")
