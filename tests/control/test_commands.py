"""What operators' tools may ask for: once however often it is sent, and nothing at all when it makes no sense."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from syncd.control import messages as m
from syncd.control.merge_messages import MergeRequest, MergeResult
from syncd.engine.merger import Merger
from syncd.store import books, deliveries
from syncd.store.database import Tx
from tests.control.office import Office, client_of
from tests.engine.test_engine import customer
from tests.waiting import until


def replay(command_id: str = "c1", *, who: str = "ann", why: str = "", edits: Any = None, preview: bool = False,
           **selection: Any) -> m.ReplayRequest:  # fmt: skip
    chosen = m.Selection(**selection)
    return m.ReplayRequest(
        command_id=command_id, selection=chosen, who=who, why=why, edits=edits or {}, preview=preview
    )


def discard(command_id: str = "c1", *, why: str = "spam", **selection: Any) -> m.DiscardRequest:
    return m.DiscardRequest(command_id=command_id, selection=m.Selection(**selection), who="ann", why=why)


async def audit(office: Office) -> list[tuple[str, str, str]]:
    sql = "SELECT command_id, who, action FROM audit ORDER BY id"
    return await office.rig.database.read(lambda tx: tx.execute(sql).fetchall())


async def everything(office: Office) -> dict[str, list[Any]]:
    """All that a command could change."""

    def read(tx: Tx) -> dict[str, list[Any]]:
        tables = ("dead_letters", "deliveries", "changes", "records", "audit", "pauses", "counters")
        return {name: tx.execute(f"SELECT * FROM {name}").fetchall() for name in tables}

    return await office.rig.database.read(read)


# --- replay and discard -----------------------------------------------------------------------------------------------


async def test_a_group_is_replayed_once_its_cause_is_mended(office: Office) -> None:
    await office.refuse_addresses("a", "b", "c")
    office.rig.crm.refuse = lambda _object, _write: None
    (group,) = (await office.get("/v1/failures", m.FailureGroups)).groups
    preview = await office.post("/v1/replay", replay(fingerprint=group.fingerprint, preview=True), m.ReplayResult)
    assert (preview.matched, preview.replayed) == (3, 0)
    done = await office.post("/v1/replay", replay(fingerprint=group.fingerprint, why="mended"), m.ReplayResult)
    await office.rig.settle()

    assert (done.matched, done.replayed, done.refused) == (3, 3, [])
    assert len(office.rig.crm.creates) == 3
    assert (await office.status()).counters.dead_letters_open == 0
    assert await audit(office) == [("c1", "ann", "replay")]


async def test_the_same_command_again_gives_the_same_answer_and_has_no_further_effect(office: Office) -> None:
    await office.refuse_addresses("a", "b")
    first = await office.post("/v1/replay", replay(all=True), m.ReplayResult)
    await office.rig.settle()
    before = await everything(office)
    again = await office.post("/v1/replay", replay(all=True), m.ReplayResult)

    assert again == first
    assert await everything(office) == before
    assert (await office.status()).counters.dead_letters_open == 2


async def test_two_consoles_that_replay_at_once_replay_each_letter_once(office: Office) -> None:
    await office.refuse_addresses(*(f"n{number}" for number in range(20)))
    office.rig.crm.refuse = lambda _object, _write: None
    other = client_of(office.socket)

    async def press(client: Any, command: str) -> m.ReplayResult:
        reply = await client.post("/v1/replay", content=msgspec.json.encode(replay(command, all=True)))
        return msgspec.json.decode(reply.content, type=m.ReplayResult)

    results = await asyncio.gather(
        *(press(one, f"{one is other}-{n}") for one in (office.client, other) for n in range(3))
    )
    await office.rig.settle()
    await other.aclose()

    assert sum(one.replayed for one in results) == 20
    assert len(office.rig.crm.creates) == 20
    assert (await office.status()).counters.replays == 20


async def test_an_edit_reaches_both_sides_and_keeps_the_original_in_the_history(office: Office) -> None:
    (letter,) = await office.refuse_addresses("a")
    await office.post("/v1/replay", replay(ids=[letter], edits={"email": "a@example.com"}, why="typo"), m.ReplayResult)
    await office.rig.settle()

    assert office.rig.shop.all("customers")["a"]["email"] == "a@example.com"
    assert [one["email"] for one in office.rig.crm.all("contacts").values()] == ["a@example.com"]
    detail = await office.get(f"/v1/dead-letters/{letter}", m.DeadLetterDetail)
    assert (detail.letter.state, detail.letter.closed_by, detail.letter.closed_why) == ("replayed", "ann", "typo")


async def test_a_parked_change_is_replayed_with_another_payload(office: Office) -> None:
    await office.rig.tell(office.rig.shop, "customers", "odd", email="odd@example.com", credit_limit="no money")
    await office.rig.settle()
    (letter,) = await office.rig.letters()
    mended = {"amount": "5.00", "currency": "EUR"}
    await office.post("/v1/replay", replay(ids=[letter.id], edits={"credit_limit": mended}), m.ReplayResult)
    await office.rig.settle()

    assert await office.rig.letters() == []
    (record,) = (await office.get("/v1/records", m.RecordPage, query="odd@")).items
    assert record.state == "in_step"


async def test_what_is_discarded_stays_with_its_reason_and_is_not_sent(office: Office) -> None:
    letters = await office.refuse_addresses("a", "b")
    done = await office.post("/v1/discard", discard(ids=letters[:1]), m.DiscardResult)
    again = await office.post("/v1/discard", discard(ids=letters[:1]), m.DiscardResult)

    assert (done, again) == (m.DiscardResult(matched=1, discarded=1),) * 2
    detail = await office.get(f"/v1/dead-letters/{letters[0]}", m.DeadLetterDetail)
    assert (detail.letter.state, detail.letter.closed_why) == ("discarded", "spam")
    assert (await office.status()).counters.dead_letters_open == 1


async def test_a_letter_whose_delivery_is_on_its_way_is_refused_by_name(office: Office) -> None:
    (letter,) = await office.refuse_addresses("a")
    await office.rig.database.write(lambda tx: deliveries.claim(tx, [1], 5))
    done = await office.post("/v1/replay", replay(ids=[letter]), m.ReplayResult)

    assert (done.matched, done.replayed) == (1, 0)
    assert done.refused == [f"{letter}: the delivery is on its way already"]


async def test_many_thousand_ids_are_one_selection(office: Office) -> None:
    await office.refuse_addresses("a")
    done = await office.post("/v1/replay", replay(ids=list(range(1, 60_000))), m.ReplayResult)

    assert (done.matched, done.replayed) == (1, 1)


# --- runs and pauses --------------------------------------------------------------------------------------------------


async def test_a_run_is_started_at_once_or_says_why_not(office: Office) -> None:
    async def idle() -> bool:
        return {one.state for one in (await office.get("/v1/runs", m.Runs)).runs} == {"idle"}

    await until(idle, "the end of the first runs")
    office.rig.shop.put("customers", "new", email="new@example.com")
    asked = m.RunNowRequest(mapping="shop.customers", who="ann")
    assert (await office.post("/v1/runs/now", asked, m.RunNowResult)).started

    async def seen() -> bool:
        runs = (await office.get("/v1/runs", m.Runs)).runs
        return any(one.mapping == "shop.customers" and one.seen == 1 and one.state == "idle" for one in runs)

    await until(seen, "the run")
    flow = m.FlowRequest(command_id="p", target="shop.customers", paused=True, who="ann")
    await office.post("/v1/flows", flow, m.FlowResult)
    refused = await office.post("/v1/runs/now", asked, m.RunNowResult)
    assert (refused.started, refused.reason) == (False, "shop.customers is paused; resume it first")
    assert {one.state for one in (await office.get("/v1/runs", m.Runs)).runs if one.mapping == "shop.customers"} == {
        "paused"
    }


async def test_a_paused_connection_gets_nothing_until_it_is_resumed(office: Office) -> None:
    def flow(command: str, *, paused: bool) -> m.FlowRequest:
        return m.FlowRequest(command_id=command, target="crm", paused=paused, who="ann", why="audit")

    done = await office.post("/v1/flows", flow("1", paused=True), m.FlowResult)
    assert (done.paused, done.changed) == (True, True)
    await customer(office.rig)
    await office.rig.settle()
    assert office.rig.crm.all("contacts") == {}
    assert {one.state for one in (await office.status()).connections if one.name == "crm"} == {"paused"}
    assert await office.rig.database.read(books.pauses) == {"crm"}

    await office.post("/v1/flows", flow("2", paused=False), m.FlowResult)
    await office.rig.settle()
    assert len(office.rig.crm.all("contacts")) == 1


async def test_a_pause_that_is_sent_again_after_the_resume_pauses_nothing(office: Office) -> None:
    def flow(command: str, *, paused: bool) -> m.FlowRequest:
        return m.FlowRequest(command_id=command, target="crm", paused=paused, who="ann")

    await office.post("/v1/flows", flow("1", paused=True), m.FlowResult)
    await office.post("/v1/flows", flow("2", paused=False), m.FlowResult)
    again = await office.post("/v1/flows", flow("1", paused=True), m.FlowResult)

    assert again.changed
    assert office.rig.health.paused == frozenset()
    assert [one[0] for one in await audit(office)] == ["1", "2"]


# --- what makes no sense ----------------------------------------------------------------------------------------------

COMMANDS = ("/v1/replay", "/v1/discard", "/v1/flows", "/v1/runs/now")
SENSELESS: list[tuple[str, bytes, int, str]] = [
    *((path, b"{", 400, "") for path in COMMANDS),
    *((path, b"", 400, "") for path in COMMANDS),
    *((path, b"[1]", 400, "object") for path in COMMANDS),
    *((path, b"\xff\xfe", 400, "") for path in COMMANDS),
    *((path, b"[" * 20_000, 400, "") for path in COMMANDS),
    ("/v1/replay", b'{"command_id":"a","selection":{},"who":"x"}', 400, "nothing is selected"),
    ("/v1/replay", b'{"command_id":"a","selection":{"ids":[1],"all":true},"who":"x"}', 400, "not both"),
    ("/v1/replay", b'{"command_id":"a","selection":{"ids":["one"]},"who":"x"}', 400, "$.selection.ids[0]"),
    ("/v1/replay", b'{"command_id":"","selection":{"all":true},"who":"x"}', 400, "command_id"),
    ("/v1/replay", b'{"command_id":"a","selection":{"all":true},"who":" "}', 400, "who"),
    ("/v1/replay", b'{"selection":{"all":true},"who":"x"}', 400, "command_id"),
    ("/v1/replay", b'{"command_id":"a","selection":{"all":true},"who":"x","edits":{"email":"q@example.com"}}', 400,
     "one dead letter at a time; 2 are selected"),
    ("/v1/replay", b'{"command_id":"a","selection":{"ids":[1]},"who":"x","edits":{"nosuch":1}}', 400,
     "customer has no field 'nosuch'"),
    ("/v1/replay", b'{"command_id":"a","selection":{"ids":[1]},"who":"x","edits":{"email":7}}', 400, "email"),
    ("/v1/replay", b'{"command_id":"a","selection":{"ids":[99]},"who":"x","edits":{"email":"q@example.com"}}', 400,
     "0 are selected"),
    ("/v1/discard", b'{"command_id":"a","selection":{"all":true},"who":"x","why":"  "}', 400, "needs a reason"),
    ("/v1/discard", b'{"command_id":"a","selection":{"all":true},"who":"x"}', 400, "why"),
    ("/v1/discard", b'{"command_id":"a","selection":{},"who":"x","why":"y"}', 400, "nothing is selected"),
    ("/v1/flows", b'{"command_id":"a","target":"nobody","paused":true,"who":"x"}', 404, "nobody"),
    ("/v1/runs/now", b'{"mapping":"nobody.nothing"}', 404, "nobody.nothing"),
    ("/v1/runs/now", b'{"mapping":"shop.customers","kind":"dance"}', 400, "kind"),
    ("/v1/replay", b'{"command_id":"' + b"x" * (1024 * 1024) + b'"}', 400, "larger than"),
]  # fmt: skip


async def test_a_command_that_makes_no_sense_is_refused_with_its_reason_and_changes_nothing(office: Office) -> None:
    await office.refuse_addresses("a", "b")
    before = await everything(office)
    for path, body, status, told in SENSELESS:
        found, problem = await office.problem("POST", path, body=body)
        assert (found, told in problem.message) == (status, True), (path, body[:80], problem)
        assert problem.message
        assert "\n" not in problem.message
    assert await everything(office) == before
    assert office.rig.health.paused == frozenset()


@pytest.mark.parametrize(("path", "query"), [
    ("/v1/queue", {"limit": "x"}), ("/v1/queue", {"after": "-1"}), ("/v1/queue", {"lane": "fast"}),
    ("/v1/queue", {"after": "9" * 30}), ("/v1/failures/abc", {"after": "x"}), ("/v1/records", {"after": "x"}),
    ("/v1/records", {"after": "1"}), ("/v1/records", {"limit": "1.5"}), ("/v1/stream", {"interval": "soon"}),
])  # fmt: skip
async def test_a_question_that_makes_no_sense_is_refused_by_its_part(office: Office, path: str, query: Any) -> None:
    status, problem = await office.problem("GET", path, **query)

    assert (status, problem.code) == (400, "bad-request")
    assert next(iter(query)) in problem.message


async def test_what_is_not_there_is_told_by_name(office: Office) -> None:
    for path in ("/v1/records/none", "/v1/records/none/history", "/v1/dead-letters/7"):
        status, problem = await office.problem("GET", path)
        assert (status, problem.code) == (404, "not-found")
        assert path.split("/")[3] in problem.message
    for path in ("/", "/v1", "/v1/nothing", "/v1/dead-letters/seven", "/v2/status"):
        assert (await office.problem("GET", path))[0] == 404
    for path in ("/v1/status", "/v1/records"):
        assert await office.problem("POST", path) == (
            405, m.Problem(code="method-not-allowed", message=(await office.problem("POST", path))[1].message)
        )  # fmt: skip
    assert (await office.problem("GET", f"/v1/dead-letters/{'9' * 40}"))[0] == 400


async def test_a_command_id_that_belongs_to_another_command_is_refused(office: Office) -> None:
    letters = await office.refuse_addresses("a", "b")
    await office.post("/v1/replay", replay("mine", ids=letters[:1]), m.ReplayResult)
    body = msgspec.json.encode(discard("mine", ids=letters[1:]))
    status, problem = await office.problem("POST", "/v1/discard", body=body)

    assert (status, problem.code) == (409, "command-reused")
    assert len(await office.rig.letters()) == 1


async def test_a_failure_of_syncds_own_is_told_logged_and_survived(office: Office, monkeypatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("hunter2 is the password")

    monkeypatch.setattr("syncd.control.queries.queue_page", broken)
    status, problem = await office.problem("GET", "/v1/queue")

    assert (status, problem.code) == (503, "internal")
    assert "RuntimeError" in problem.message
    assert "hunter2" not in problem.message
    assert (await office.status()).state == "running"


async def test_a_full_disk_is_told_and_nothing_is_half_done(office: Office) -> None:
    await office.refuse_addresses("a")
    before = await everything(office)
    pages = await office.rig.database.read(lambda tx: tx.execute("PRAGMA page_count").fetchone()[0])
    connection = office.rig.database._writer
    assert connection is not None
    await connection.execute(f"PRAGMA max_page_count={pages}")
    asked = replay(all=True, why="x" * 500_000)
    status, problem = await office.problem("POST", "/v1/replay", body=msgspec.json.encode(asked))

    assert (status, problem.code) == (503, "store-unavailable")
    assert "SQLITE_FULL" in problem.message
    assert await everything(office) == before
    assert any("SQLITE_FULL" in note for note in (await office.status()).notes)
    await connection.execute("PRAGMA max_page_count=1000000")
    assert (await office.post("/v1/replay", asked, m.ReplayResult)).replayed == 1
    assert (await office.status()).notes == ["a remark"]


async def test_a_merge_is_previewed_ordered_once_and_told_how_far_it_is(office: Office) -> None:
    rig = office.rig
    await customer(rig, "c1", email="ada@example.com", first_name="Ada")
    await rig.settle()
    await rig.tell(rig.crm, "contacts", "other", email="ada@home.example", nickname="Countess")
    await rig.settle()
    first = (await rig.record(rig.shop, "customers", "c1")).id
    second = (await rig.record(rig.crm, "contacts", "other")).id

    def asked(survivor: str, absorbed: str, *, preview: bool = False) -> MergeRequest:
        return MergeRequest(command_id="m1", survivor=survivor, absorbed=absorbed, who="ann", preview=preview)

    refused = await office.post("/v1/merge", asked(first, second, preview=True), MergeResult)
    assert refused.refused == [
        "crm.contacts cannot merge: both stand there, as crm-1 and other; delete one of them there first"
    ]
    status, problem = await office.problem("POST", "/v1/merge", body=msgspec.json.encode(asked(first, second)))
    assert (status, problem.message) == (400, refused.refused[0])
    rig.crm.delete("contacts", "other")
    await rig.hint(rig.crm, "contacts", "other")
    await rig.settle()
    seen = await office.post("/v1/merge", asked(first, second, preview=True), MergeResult)
    assert {one.field: one.result for one in seen.fields}["nickname"] == "Countess"
    for _ in range(2):
        assert (await office.post("/v1/merge", asked(first, second), MergeResult)).state == "open"
    merger = Merger(
        database=rig.database, flows=rig.flows, signals=rig.signals, health=rig.health, world=rig.world
    )  # fmt: skip
    assert await merger.step()
    assert (await office.post("/v1/merge", asked(first, second), MergeResult)).state == "done"
    assert [one for one in await audit(office) if one[2] == "merge"] == [("m1", "ann", "merge")]
    assert (await office.problem("GET", f"/v1/records/{second}"))[0] == 404
