"""The kit over real HTTP: ledger, disturbances, outages, the admin door."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.http import Reply, Request, reply_json
from syncd.sandbox.server import Sandbox
from syncd.sandbox.vendor import ActError, Vendor


class Counter(Vendor):
    """A vendor whose one effect is to count."""

    name = "counter"
    value = 0
    expired = 0

    async def handle(self, request: Request) -> Reply:
        if request.path == "/bug":
            raise RuntimeError("a bug of the sandbox")
        if request.method == "POST":
            self.value += 1
            self.applied("update", "counters", "1", values={"value": self.value}, actor="test")
        return reply_json({"value": self.value, "path": request.segments(), "padding": "x" * 200})

    def overloaded(self, request: Request) -> Reply:
        return reply_json({"error": "slow down"}, 429, {"retry-after": "1"})

    def broken(self, request: Request) -> Reply:
        return reply_json({"error": "broken"}, 500)

    def unavailable(self, request: Request) -> Reply:
        return reply_json({"error": "away"}, 503)

    def expire_token(self, request: Request) -> None:
        self.expired += 1

    def objects(self) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        return {"counters": [{"id": "1", "value": self.value}]}

    async def act(self, deed: Mapping[str, Any]) -> Any:
        if deed.get("op") != "set":
            raise ActError("knows only set")
        self.value = deed["value"]
        return self.value


class WatchedClock(ManualClock):
    def __init__(self) -> None:
        super().__init__()
        self.slept = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.slept.set()
        await super().sleep(seconds)


class Bench:
    def __init__(self, faults: str = "none", seed: int = 1) -> None:
        self.clock = WatchedClock()
        self.sandbox = Sandbox(seed=seed, faults=faults, clock=self.clock)
        self.counter = self.sandbox.add(Counter)
        self.http = httpx.AsyncClient()

    async def count(self) -> httpx.Response:
        return await self.http.post(self.sandbox.url("counter") + "/a%2Fb/c")

    async def admin(self, method: str, path: str, **more: Any) -> Any:
        reply = await self.http.request(method, f"{self.sandbox.admin_url}/_sandbox/{path}", **more)
        return reply.json() if reply.status_code == 200 else (reply.status_code, reply.json()["error"])


@pytest.fixture
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    bench = Bench(getattr(request, "param", "none"))
    async with bench.sandbox, bench.http:
        yield bench


async def test_an_undisturbed_request_is_answered_and_its_effect_is_in_the_ledger(bench: Bench) -> None:
    reply = await bench.count()
    assert (reply.status_code, reply.json()["path"]) == (200, ["a/b", "c"])
    (effect,) = (await bench.admin("GET", "ledger"))["effects"]
    assert {name: effect[name] for name in ("seq", "vendor", "effect", "object", "id", "values", "actor")} == {
        "seq": 1,
        "vendor": "counter",
        "effect": "update",
        "object": "counters",
        "id": "1",
        "values": {"value": 1},
        "actor": "test",
    }


async def test_the_ledger_can_be_read_on_from_a_place_and_for_one_vendor(bench: Bench) -> None:
    for _ in range(3):
        await bench.count()
    assert [row["seq"] for row in (await bench.admin("GET", "ledger?after=1"))["effects"]] == [2, 3]
    assert [row["seq"] for row in (await bench.admin("GET", "ledger?after=1&limit=1"))["effects"]] == [2]
    assert (await bench.admin("GET", "ledger?vendor=other"))["effects"] == []


@pytest.mark.parametrize(
    ("bench", "status", "applied"),
    [("throttle=1", 429, 0), ("fail_before=1", 500, 0), ("fail_after=1", 500, 1), ("html=1", 502, 0)],
    indirect=["bench"],
)
async def test_a_disturbance_answers_its_status_and_applies_what_it_says(
    bench: Bench, status: int, applied: int
) -> None:
    assert (await bench.count()).status_code == status
    assert len(bench.sandbox.ledger) == applied == bench.counter.value


@pytest.mark.parametrize("bench", ["drop_after=1", "truncate=1"], indirect=True)
async def test_a_reply_that_never_arrives_whole_was_applied_all_the_same(bench: Bench) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await bench.count()
    assert bench.counter.value == len(bench.sandbox.ledger) == 1


@pytest.mark.parametrize("bench", ["expire_token=1"], indirect=True)
async def test_an_expiring_token_is_told_to_the_vendor_before_the_request(bench: Bench) -> None:
    await bench.count()
    assert bench.counter.expired == 1


@pytest.mark.parametrize("bench", ["latency=0.5"], indirect=True)
async def test_latency_waits_on_the_sandbox_own_clock(bench: Bench) -> None:
    task = asyncio.create_task(bench.count())
    await bench.clock.slept.wait()
    assert not task.done()
    await bench.clock.advance(10)
    assert (await task).status_code == 200


@pytest.mark.parametrize("mode", ["abort", "503"])
async def test_an_outage_lasts_until_it_is_lifted(bench: Bench, mode: str) -> None:
    assert await bench.admin("POST", "outage", json={"vendor": "counter", "on": True, "mode": mode}) == {"ok": True}
    if mode == "503":
        assert (await bench.count()).status_code == 503
    else:
        with pytest.raises(httpx.TransportError):
            await bench.count()
    assert (await bench.admin("GET", "state"))["vendors"]["counter"]["outage"] == mode
    await bench.admin("POST", "outage", json={"vendor": "counter", "on": False})
    assert (await bench.count()).status_code == 200
    assert bench.counter.value == 1


async def test_an_outage_in_the_faults_text_begins_with_the_sandbox() -> None:
    bench = Bench("outage=counter")
    async with bench.sandbox, bench.http:
        with pytest.raises(httpx.TransportError):
            await bench.count()


async def test_faults_can_be_exchanged_while_it_runs_and_nonsense_changes_nothing(bench: Bench) -> None:
    assert await bench.admin("POST", "faults", json={"faults": "counter.fail_before=1"}) == {"ok": True}
    assert (await bench.count()).status_code == 500
    status, error = await bench.admin("POST", "faults", json={"faults": "nobody.throttle=1"})
    assert status == 400
    assert "nobody" in error
    assert (await bench.count()).status_code == 500
    await bench.admin("POST", "faults", json={"faults": "none"})
    assert (await bench.count()).status_code == 200


async def test_state_dump_and_deeds_of_people(bench: Bench) -> None:
    assert await bench.admin("POST", "counter/act", json={"op": "set", "value": 9}) == {"result": 9}
    assert await bench.admin("GET", "counter/dump") == {"counters": [{"id": "1", "value": 9}]}
    assert await bench.admin("GET", "counter/dump?object=counters") == {"counters": [{"id": "1", "value": 9}]}
    await bench.count()
    state = (await bench.admin("GET", "state"))["vendors"]["counter"]
    assert (state["objects"], state["requests"], state["replies"]) == ({"counters": 1}, 1, {"200": 1})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "counter/act", {"op": "dance"}, 400),
        ("POST", "outage", {"vendor": "nobody", "on": True}, 400),
        ("POST", "outage", {"vendor": "counter", "on": True, "mode": "slow"}, 400),
        ("POST", "faults", {}, 400),
        ("POST", "faults", [], 400),
        ("GET", "counter/dump?object=stars", None, 400),
        ("GET", "ledger?after=x", None, 400),
        ("GET", "nothing", None, 404),
        ("DELETE", "counter/dump", None, 404),
    ],
)
async def test_the_admin_door_refuses_nonsense(bench: Bench, method: str, path: str, body: Any, status: int) -> None:
    assert (await bench.admin(method, path, json=body))[0] == status


async def test_a_bug_in_a_vendor_is_a_500_that_says_so_and_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    reply = await bench.http.get(bench.sandbox.url("counter") + "/bug")
    assert (reply.status_code, reply.text) == (500, "the sandbox itself failed; see its log")
    assert "a bug of the sandbox" in caplog.text


async def test_pipelined_and_expecting_and_old_fashioned_requests_are_answered(bench: Bench) -> None:
    host, port = bench.sandbox.url("counter").removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\nHEAD /2 HTTP/1.1\r\nhost: x\r\n\r\n")
    writer.write(b"POST /3 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n{}")
    writer.write(b"GET /4 HTTP/1.0\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    assert text.count("HTTP/1.1 200 OK") == 4
    assert "HTTP/1.1 100 Continue" in text
    assert [f'"path":["{number}"]' in text for number in (1, 2, 3, 4)] == [True, False, True, True]


async def test_what_is_no_http_is_answered_400_and_closed(bench: Bench) -> None:
    host, port = bench.sandbox.url("counter").removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open(bench: Bench) -> None:
    port = int(bench.sandbox.url("counter").rpartition(":")[2])
    other = Sandbox()
    other.add(Counter, port=port)
    with pytest.raises(OSError, match="in use"):
        await other.open()
    with pytest.raises(httpx.ConnectError):
        await bench.http.get(other.admin_url + "/_sandbox/state")
    assert (await bench.count()).status_code == 200


async def test_a_vendor_is_added_once() -> None:
    sandbox = Sandbox()
    sandbox.add(Counter)
    with pytest.raises(ValueError, match="twice"):
        sandbox.add(Counter)
