import asyncio
from pathlib import Path

import console_samples as samples
import httpx
import msgspec
import pytest
from console_daemon import FakeDaemon

from console.client import Client, GarbledError, RefusedError, UnreachableError, backoff_seconds, new_command_id
from console.feed import follow
from console.socket_path import SYSTEM_SOCKET, socket_path
from syncd.control import messages as m


async def no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


async def test_pages_follow_each_other_to_the_end(daemon: FakeDaemon) -> None:
    async with Client(daemon.socket) as client:
        first = await client.records(limit=200)
        second = await client.records(limit=200, after=first.after)
        third = await client.records(limit=200, after=second.after)
    assert [len(x.items) for x in (first, second, third)] == [200, 200, 50]
    assert third.after is None


async def test_a_command_whose_answer_was_lost_is_sent_again_with_one_effect(daemon: FakeDaemon) -> None:
    daemon.world.drop_replies = 2
    request = m.ReplayRequest(
        command_id=new_command_id(), selection=m.Selection(fingerprint=samples.BAD_MAIL), who="jo"
    )
    async with Client(daemon.socket, sleep=no_wait) as client:
        result = await client.replay(request)
    assert result.replayed == 8
    assert len(daemon.world.commands) == 3
    assert daemon.world.effects == [request.command_id]


async def test_a_command_survives_a_daemon_that_restarts_meanwhile(daemon: FakeDaemon) -> None:
    daemon.kill()

    async def restart_while_waiting(_seconds: float) -> None:
        if daemon._server is None:
            await asyncio.to_thread(daemon.start)

    request = m.DiscardRequest(command_id=new_command_id(), selection=m.Selection(ids=[1]), who="jo", why="test")
    async with Client(daemon.socket, sleep=restart_while_waiting) as client:
        assert (await client.discard(request)).discarded == 1


async def test_without_a_daemon_the_error_says_what_to_do(tmp_path: Path) -> None:
    async with Client(tmp_path / "none.sock") as client:
        with pytest.raises(UnreachableError, match="does not exist; start it, or pass --socket"):
            await client.status()


async def test_a_problem_of_the_daemon_keeps_its_code_and_words(daemon: FakeDaemon) -> None:
    async with Client(daemon.socket) as client:
        with pytest.raises(RefusedError, match="no failures with fingerprint zz") as caught:
            await client.dead_letters("zz")
    assert (caught.value.status, caught.value.code) == (404, "not-found")


async def test_unknown_fields_are_ignored_and_odd_answers_are_named() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/runs":
            return httpx.Response(200, content=b'{"at": 1, "runs": [], "news": {"x": 1}}')
        return (
            httpx.Response(502, content=b"<html>")
            if request.url.path == "/v1/budgets"
            else httpx.Response(200, content=b"[]")
        )

    async with Client(Path("/none"), transport=httpx.MockTransport(answer)) as client:
        assert (await client.runs()).at == 1
        with pytest.raises(GarbledError, match="answered 502 without saying why"):
            await client.budgets()
        with pytest.raises(GarbledError, match="not understood"):
            await client.status()


async def test_lone_surrogates_and_unicode_line_breaks_inside_values_do_not_break_the_stream() -> None:
    status = msgspec.to_builtins(samples.status())
    status["notes"] = ["a\u2028b\x85c"]
    plain = msgspec.json.encode(status)
    odd = plain.replace(b'"state":"running"', b'"state":"running","x":"\\ud800"').replace(
        b'"version":"0.1.0"', b'"version":"\\ud800"'
    )
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, content=plain + b"\n\n" + odd + b"\n"))
    async with Client(Path("/none"), transport=transport) as client:
        got = [one async for one in client.stream()]
    assert [one.notes for one in got] == [["a\u2028b\x85c"]] * 2
    assert got[1].version == "\ud800"


async def test_the_feed_reports_loss_and_comes_back(daemon: FakeDaemon) -> None:
    heard: asyncio.Queue[m.Status] = asyncio.Queue()
    lost: asyncio.Queue[str] = asyncio.Queue()
    async with Client(daemon.socket) as client:
        feed = asyncio.create_task(follow(client.stream, heard=heard.put_nowait, lost=lost.put_nowait, sleep=no_wait))
        assert (await heard.get()).instance == "run-1"
        await asyncio.to_thread(daemon.kill)
        assert await lost.get()
        await asyncio.to_thread(daemon.start)
        while (await heard.get()).instance != "run-2":
            pass
        feed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await feed


def test_a_restarted_daemon_is_asked_within_three_seconds() -> None:
    assert all(backoff_seconds(attempt) <= 1.0 for attempt in range(1, 50))


def test_the_socket_is_found_by_flag_then_environment_then_place() -> None:
    assert socket_path("/a", {"SYNCD_SOCKET": "/b"}) == Path("/a")
    assert socket_path(None, {"SYNCD_SOCKET": "/b", "XDG_RUNTIME_DIR": "/run/user/1"}) == Path("/b")
    assert socket_path(None, {"XDG_RUNTIME_DIR": "/run/user/1"}) == Path("/run/user/1/syncd/control.sock")
    assert socket_path(None, {}) == SYSTEM_SOCKET
