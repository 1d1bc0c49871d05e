"""The wire, with raw sockets: limits, deadlines, order, smuggling."""

from __future__ import annotations

import asyncio
import resource
import socket
import time

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.intake.limits import Limits
from syncd.intake.ops import ops_app, ops_routes
from syncd.intake.server import IntakeServer, ListenError
from syncd.runtime.clock import World

from .conftest import TOKEN, Answer, House, event, parse

HOST = b"Host: shop.example\r\n"
GET = b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n"


def post(number: int = 1, *, extra: bytes = b"", body: bytes | None = None) -> bytes:
    body = orjson.dumps(event(number)) if body is None else body
    return (
        b"POST /v1/events/shop HTTP/1.1\r\n" + HOST + b"Content-Type: application/cloudevents+json\r\n"
        b"Authorization: Bearer %b\r\n%bContent-Length: %d\r\n\r\n%b" % (TOKEN.encode(), extra, len(body), body)
    )


class Wire:
    """A client that sends bytes as it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, house: House) -> Wire:
        return cls(*await asyncio.open_connection("127.0.0.1", house.port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> Answer:
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            answer = parse(head.removesuffix(b"\r\n\r\n") + b"\r\n\r\n")
            body = await self.reader.readexactly(int(answer.headers.get("content-length", 0)))
        return Answer(answer.status, answer.headers, body)

    async def ended(self) -> bool:
        """Whether the server closes its side without another byte."""
        async with asyncio.timeout(5):
            return await self.reader.read(1) == b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


@pytest.fixture
async def wire(served):
    one = await Wire.to(served)
    yield one
    await one.close()


async def test_a_connection_serves_many_requests(wire):
    for number in range(3):
        await wire.send(post(number))
        answer = await wire.answer()
        assert (answer.status, answer.json["staged"]) == (202, 1)
    assert "date" in answer.headers
    assert "server" not in answer.headers


async def test_pipelined_requests_are_answered_in_their_order(wire, served):
    served.staging.gate.clear()
    await wire.send(post(1) + GET + post(1) + post(2))
    await served.staging.entered.wait()
    served.staging.gate.set()
    answers = [await wire.answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [202, 404, 202, 202]
    assert [answer.json.get("duplicates") for answer in answers] == [0, None, 1, 0]


async def test_a_request_may_come_byte_by_byte(wire):
    for byte in post():
        await wire.send(bytes([byte]))
    assert (await wire.answer()).status == 202


async def test_chunked_bodies_are_joined(wire):
    body = orjson.dumps(event())
    head = post().partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in (body[:5], body[5:]))
    await wire.send(head + chunks + b"0\r\nTrailer: x\r\n\r\n" + GET)
    assert (await wire.answer()).status == 202
    assert (await wire.answer()).status == 404


async def test_expect_continue_is_answered_before_the_body(wire):
    head, _, body = post(extra=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    await wire.send(head + b"\r\n\r\n")
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.send(body)
    assert (await wire.answer()).status == 202


async def test_a_body_that_is_too_large_is_refused_by_its_length_alone(wire):
    await wire.send(
        b"POST /v1/events/shop HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 26214400\r\n\r\n"
    )
    answer = await wire.answer()
    assert (answer.status, answer.check, answer.headers["connection"]) == (413, "body-size", "close")
    assert await wire.ended()


async def test_the_refused_reads_its_answer_though_it_goes_on_sending(wire):
    await wire.send(b"POST /v1/events/shop HTTP/1.1\r\n" + HOST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 500_000)
    assert (await wire.answer()).status == 413


async def test_an_endless_chunked_body_is_cut_at_the_limit(wire):
    await wire.send(b"POST /v1/events/shop HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
    sent = 0
    while sent < 4_000_000 and not wire.reader._buffer:
        await wire.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await asyncio.sleep(0)
        sent += 65536
    assert (await wire.answer()).status == 413
    assert sent < 4_000_000


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"x" * 65536 + b"\r\n",
        b"".join(b"X-%d: 1\r\n" % number for number in range(10_000)),
        b"x" * 400_000,
        b"X: " + b"y" * 400_000,
    ],
    ids=["one long", "many", "no end of a name", "no end of a value"],
)
async def test_headers_are_limited(wire, head):
    await wire.send(b"POST /v1/events/shop HTTP/1.1\r\n" + HOST + head)
    assert (await wire.answer()).status == 431


async def test_a_long_path_is_limited(wire):
    await wire.send(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (await wire.answer()).status == 414


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Length: 99999999999999999999999\r\n\r\nabc",
        b"Transfer-Encoding: xchunked\r\n\r\nabc",
        b"Transfer-Encoding: chunked, identity\r\n\r\nabc",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
        b"X: a\r\n folded\r\n\r\n",
        b"Host: another.example\r\n\r\n",
        b"ce-id: 1\r\nCE-ID: 2\r\n\r\n",
        b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused_and_the_connection_closed(wire, served, raw):
    await wire.send(b"POST /v1/events/shop HTTP/1.1\r\n" + HOST + raw + post(2))
    assert (await wire.answer()).status == 400
    assert await wire.ended()
    assert not served.staging.kept


@pytest.mark.parametrize(
    "raw",
    [
        b"HELO\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\n\n",
        b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(wire, raw):
    await wire.send(raw)
    assert (await wire.answer()).status == 400
    assert await wire.ended()


async def test_an_offer_to_upgrade_is_ignored_and_the_body_still_read(wire):
    await wire.send(
        post(1, extra=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n") + post(2)
    )
    assert (await wire.answer()).json == {"staged": 1, "duplicates": 0}
    assert (await wire.answer()).json == {"staged": 1, "duplicates": 0}


async def test_a_pile_of_offers_to_upgrade_is_taken_one_by_one(wire):
    offer = b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    sending = asyncio.create_task(wire.send(offer * 2000))
    assert {(await wire.answer()).status for _ in range(2000)} == {404}
    await sending


async def test_two_signature_headers_are_one_list(served, wire):
    from syncd.intake.signature import sign

    from .conftest import KEY

    body, stamp = orjson.dumps(event()), served.clock.now_ms() // 1000
    await wire.send(
        b"POST /v1/events HTTP/1.1\r\n" + HOST + b"content-type: application/cloudevents+json\r\nwebhook-id: m\r\n"
        b"webhook-timestamp: %d\r\nwebhook-signature: v1,AAAA\r\nwebhook-signature: %b\r\ncontent-length: %d\r\n\r\n%b"
        % (stamp, sign("m", stamp, body, KEY).encode(), len(body), body)
    )
    assert (await wire.answer()).status == 202


async def test_http_1_0_and_connection_close_end_after_the_answer(served):
    for first in (b"GET /x HTTP/1.0\r\n\r\n", b"GET /x HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n" + GET):
        wire = await Wire.to(served)
        await wire.send(first)
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (404, "close")
        assert await wire.ended()
        await wire.close()


async def test_absolute_paths_are_understood(wire):
    await wire.send(post().replace(b"POST /v1", b"POST http://shop.example/v1", 1))
    assert (await wire.answer()).status == 202


async def test_a_sender_that_hangs_up_early_is_staged_all_the_same(served, wire):
    served.staging.gate.clear()
    await wire.send(post())
    await served.staging.entered.wait()
    await wire.close()
    served.staging.gate.set()
    await served.commit.stop()
    assert len(served.staging.kept) == 1


async def test_a_half_closed_sender_still_reads_its_answer(served, wire):
    served.staging.gate.clear()
    await wire.send(post())
    wire.writer.write_eof()
    await served.staging.entered.wait()
    await asyncio.sleep(0.01)
    served.staging.gate.set()
    assert (await wire.answer()).status == 202
    assert await wire.ended()


async def test_a_sender_that_never_reads_is_not_read_either(served):
    sock = socket.create_connection(("127.0.0.1", served.port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sent = 0
    for _ in range(3000):
        try:
            sent += sock.send(GET * 1000)
        except BlockingIOError:
            await asyncio.sleep(0)
    connection = next(iter(served.server._listener.connections))
    assert not connection._reading
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
    connection.check_deadlines(asyncio.get_running_loop().time() + 11)
    sock.close()


class TestDeadlines:
    """Time is what the sweep is told, so nothing here waits for it."""

    async def sweep(self, served: House, seconds: float) -> None:
        await asyncio.sleep(0.02)
        served.server._listener.sweep(asyncio.get_running_loop().time() + seconds)

    @pytest.mark.parametrize("part", [b"P", post()[:60], post()[:-1]])
    async def test_a_slow_request_is_cut_after_ten_seconds(self, served, wire, part):
        await wire.send(part)
        await self.sweep(served, 9)
        await self.sweep(served, 10.1)
        answer = await wire.answer()
        assert (answer.status, answer.check) == (408, "request-time")
        assert await wire.ended()

    async def test_a_silent_connection_is_closed_after_ten_seconds_and_a_used_one_later(self, served, wire):
        await self.sweep(served, 11)
        assert await wire.ended()
        other = await Wire.to(served)
        await other.send(GET)
        await other.answer()
        await self.sweep(served, 60)
        await other.send(GET)
        assert (await other.answer()).status == 404
        await self.sweep(served, 80)
        assert await other.ended()
        await other.close()

    async def test_a_commit_that_hangs_is_answered_come_again(self, served, wire):
        served.staging.gate.clear()
        await wire.send(post())
        await served.staging.entered.wait()
        await self.sweep(served, 11)
        answer = await wire.answer()
        assert (answer.status, answer.check) == (503, "commit-time")
        served.staging.gate.set()
        await wire.send(post())
        assert (await wire.answer()).json == {"staged": 0, "duplicates": 1}

    async def test_one_that_does_not_hang_up_after_its_last_answer_is_cut(self, served, wire):
        await wire.send(b"HELO\r\n\r\n")
        await wire.answer()
        await self.sweep(served, 3)
        await asyncio.sleep(0.01)
        assert not served.server._listener.connections


@pytest.mark.parametrize("limits", [Limits(connections=300)])
async def test_slow_ones_do_not_delay_real_deliveries_and_the_surplus_is_told(served, limits):
    slow = [await Wire.to(served) for _ in range(299)]
    for one in slow:
        await one.send(b"P")
    real = await Wire.to(served)
    spent = []
    for number in range(100):
        began = time.perf_counter()
        await real.send(post(number))
        assert (await real.answer()).status == 202
        spent.append(time.perf_counter() - began)
    assert max(spent) < 1
    surplus = await Wire.to(served)
    answer = await surplus.answer()
    assert (answer.status, answer.check) == (503, "connections")
    for one in (*slow, real, surplus):
        await one.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([GET, post(), b"\r\n", b"0\r\n\r\n", b"POST / HTTP/1.1\r\n"]),
        max_size=6,
    )
)
async def test_no_bytes_break_the_server(served, parts):
    wire = await Wire.to(served)
    for part in parts:
        await wire.send(part)
    wire.writer.write_eof()
    async with asyncio.timeout(5):
        raw = await wire.reader.read()
    assert raw == b"" or raw.startswith(b"HTTP/1.1 ")
    assert b"HTTP/1.1 500" not in raw
    await wire.close()


class TestServer:
    async def test_it_drains_what_it_has_and_takes_no_more(self, served, wire):
        served.staging.gate.clear()
        idle = await Wire.to(served)
        await wire.send(post())
        await served.staging.entered.wait()
        stopping = asyncio.create_task(served.server.stop())
        assert await idle.ended()
        served.staging.gate.set()
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (202, "close")
        await wire.close()
        await idle.close()
        await stopping
        with pytest.raises(OSError):
            await Wire.to(served)

    async def test_it_starts_again_after_a_stop_and_may_be_stopped_twice(self, served):
        await served.server.stop()
        await served.server.stop()
        await served.server.start()
        wire = await Wire.to(served)
        await wire.send(GET)
        assert (await wire.answer()).status == 404
        await wire.close()

    async def test_a_deadline_cuts_what_does_not_end(self, served, wire):
        served.staging.gate.clear()
        await wire.send(post())
        await served.staging.entered.wait()
        await served.server.stop(0.05)
        assert not served.server._listener.connections

    async def test_a_port_in_use_is_told_in_one_line(self, served):
        other = IntakeServer(served.intake, World(), port=served.port)
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{served.port}: the port is in use; stop"):
            await other.start()
        unknown = IntakeServer(served.intake, World(), host="no-such-host.invalid", port=0)
        with pytest.raises(ListenError, match=r"no-such-host\.invalid:0"):
            await unknown.start()

    async def test_health_and_metrics_stand_beside_the_hot_routes(self, house):
        async def livez():
            return True, {"version": "1"}

        async def readyz():
            raise OSError("/secret/path")

        async def metrics():
            return b"syncd_build_info 1\n"

        app = ops_app(livez, readyz, metrics)

        async def broken(scope, receive, send):
            raise RuntimeError("x")

        house.server = IntakeServer(
            house.intake, World(clock=house.clock), port=0, extra_routes={**ops_routes(app), "/broken": broken}
        )
        await house.server.start()
        wire = await Wire.to(house)
        answers = []
        for first in (
            b"GET /livez",
            b"GET /readyz",
            b"GET /metrics",
            b"POST /livez",
            b"GET /broken",
            b"GET /v1/events",
        ):
            await wire.send(first + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            answers.append(await wire.answer())
        assert [answer.status for answer in answers] == [200, 503, 200, 405, 503, 405]
        assert answers[0].json == {"status": "ok", "version": "1"}
        assert answers[1].json == {"status": "unavailable", "error": "OSError"}
        assert answers[2].body == b"syncd_build_info 1\n"
        await wire.send(b"HEAD /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await wire.reader.read()).endswith(b"\r\n\r\n")
        await wire.close()
        await house.server.stop()
