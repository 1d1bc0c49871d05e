"""The daemon as a process: ready when it says so, drained when told, ended at once when told twice, the same again."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncd.config import load
from syncd.credentials import open_credentials
from syncd.daemon import Daemon, StartError, serve
from syncd.engine.folder import Folder
from tests.daemon.house import House
from tests.scenarios.town import Town
from tests.waiting import until


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    await made.open(daemon=False)
    yield made
    await made.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "n"))
        one.setblocking(False)
        yield one


def heard(supervisor: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(supervisor.recv(100).decode())
        except BlockingIOError:
            return found


async def test_systemd_is_told_of_readiness_life_and_the_end(town: Town, supervisor: socket.socket) -> None:
    town.syncd.environment = {"NOTIFY_SOCKET": supervisor.getsockname(), "WATCHDOG_USEC": "200000"}
    await town.syncd.launch()
    met: list[str] = []

    def beats() -> bool:
        met.extend(heard(supervisor))
        return met.count("WATCHDOG=1") >= 3

    await until(beats, "three beats")
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{town.ops}/readyz")).status_code == 200
    assert await town.syncd.stop() == 0
    met.extend(heard(supervisor))
    assert met[0] == "READY=1"
    assert met[-1] == "STOPPING=1"


async def test_a_drain_with_work_on_its_way_loses_nothing_and_ends_well(town: Town) -> None:
    await town.syncd.start()
    town.sandbox.set_faults("hubspot.latency=0.2")
    for number in range(40):
        await town.customer(f"d{number}")
    await until(lambda: town.rows("contacts"), "the first contact")
    began = time.monotonic()
    assert await town.syncd.stop() == 0
    assert time.monotonic() - began < 10.5
    assert town.syncd.events("daemon.stopped")
    assert not (town.folder / "control.sock").exists()

    town.sandbox.set_faults("none")
    await town.syncd.start()
    for number in range(40):
        await town.contact_of(f"d{number}@example.com")
    creates = [one.key for one in town.effects("hubspot", "contacts") if one.effect == "create"]
    assert len(creates) == len(set(creates)) == 40


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_second_signal_ends_at_once(town: Town, number: int, code: int) -> None:
    await town.syncd.start()
    town.sandbox.set_faults("hubspot.latency=20")
    await town.customer("slow")

    async def sending() -> bool:
        status = await town.desk.status()
        return status is not None and any(one.state == "sending" for one in status.queue)

    await until(sending, "a call on its way")
    await town.syncd.tell(number)
    await until(lambda: town.syncd.events("daemon.draining"), "the drain")
    began = time.monotonic()
    await town.syncd.tell(number)

    assert await town.syncd.ended() == code
    assert time.monotonic() - began < 2


async def test_a_restart_keeps_counters_pauses_and_plots(town: Town) -> None:
    await town.syncd.start()
    await town.customer("keeper")
    await town.contact_of("keeper@example.com")
    await town.settled()
    body = b'{"command_id":"p","target":"crm.deals","paused":true,"who":"ann","why":"audit"}'
    assert (await town.desk._client.post("/v1/flows", content=body)).status_code == 200

    async def counted() -> Any:
        status = await town.desk.status()
        return status if status and status.counters.delivered == 1 else None

    before = await until(counted, "the delivery in the counters")
    assert await town.syncd.stop() == 0
    await town.syncd.start()
    after = await town.desk.status()

    assert after is not None
    assert after.instance == before.instance
    assert after.counters.delivered == 1
    assert after.counters.acknowledged >= before.counters.acknowledged > 0
    runs = (await town.desk._client.get("/v1/runs")).json()["runs"]
    assert {one["state"] for one in runs if one["mapping"] == "crm.deals"} == {"paused"}
    assert any(value is not None for one in after.series for value in one.values)


async def test_a_vendor_that_answers_html_is_told_and_survived(town: Town) -> None:
    made = await town.customer("html", tell=False)
    town.sandbox.set_faults("html=1.0")
    await town.syncd.start()
    town.outbox.post("shop.customer.changed", made["id"], made)

    async def down() -> bool:
        status = await town.desk.status()
        return status is not None and {one.state for one in status.connections} == {"down"}

    await until(down, "both connections down")
    status = await town.desk.status()
    assert status is not None
    assert all(one.reason for one in status.connections)
    assert "<html" not in town.syncd.words()
    town.sandbox.set_faults("none")
    await town.contact_of("html@example.com")
    assert town.syncd.code is None


async def test_a_wrong_token_takes_the_connection_down_and_nothing_else(town: Town) -> None:
    (town.folder / "secrets" / "crm.access_token").write_text("pat-eu1-hunter2-wrong")
    await town.syncd.start()
    await town.customer("waiting")

    async def down() -> bool:
        status = await town.desk.status()
        return status is not None and {one.name: one.state for one in status.connections} == {
            "shop": "up",
            "crm": "down",
        }

    await until(down, "the CRM's connection down")
    status = await town.desk.status()
    assert status is not None
    assert status.counters.dead_letters_open == 0
    assert "hunter2" not in town.syncd.words()
    assert await town.syncd.stop() == 0

    from syncd.sandbox.hubspot.tokens import DEFAULT_TOKEN

    (town.folder / "secrets" / "crm.access_token").write_text(DEFAULT_TOKEN)
    await town.syncd.start()
    await town.contact_of("waiting@example.com")


# --- in this process --------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="syncd-h-"))
    yield House.build(folder)
    shutil.rmtree(folder)


async def test_a_part_that_dies_ends_the_daemon_loudly(house: House, monkeypatch, capfd) -> None:
    async def turn(_self: Folder) -> None:
        raise RuntimeError("ada@example.com is too long")

    monkeypatch.setattr(Folder, "turn", turn)
    settings = load(house.config)
    async with asyncio.timeout(20):
        code = await serve(settings, open_credentials(settings.credentials))

    assert code == 1
    out, err = capfd.readouterr()
    assert "daemon.part_died" in out + err
    assert "RuntimeError" in out + err
    assert not (house.folder / "control.sock").exists()


async def test_a_daemon_stops_before_during_and_after_its_life_as_often_as_it_is_told(house: House) -> None:
    settings = load(house.config)
    daemon = Daemon(settings, open_credentials(settings.credentials))
    await daemon.stop()
    await daemon.start()
    await daemon.stop(2.0)
    await daemon.stop(2.0)
    again = Daemon(settings, open_credentials(settings.credentials))
    await again.start()
    await again.stop(2.0)


async def test_a_start_that_fails_half_way_leaves_nothing_open(house: House) -> None:
    settings = load(house.config)
    with socket.create_server(("127.0.0.1", house.intake)):
        daemon = Daemon(settings, open_credentials(settings.credentials))
        with pytest.raises(StartError, match="the port is in use"):
            await daemon.start()
        await daemon.stop(2.0)
    again = Daemon(settings, open_credentials(settings.credentials))
    await again.start()
    await again.stop(2.0)
