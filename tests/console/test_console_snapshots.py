"""Pictures of the three screens, in the small and in the large terminal, with the clock stopped."""

import asyncio

import msgspec
import pytest
from console_daemon import FakeDaemon
from console_samples import AT
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.client import Client
from console.glyphs import UNICODE
from console.widgets.panel import Strip
from syncd.control.gap_messages import GapLine


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
def test_a_gap_stands_in_the_overview(snap_compare, daemon: FakeDaemon, size: tuple[int, int]) -> None:
    gap = GapLine(
        mapping="crm.Contact", from_at=AT - 345_600_000, until_at=AT - 7_200_000, reason="position-lost",
        stated_at=AT - 60_000,
    )  # fmt: skip
    daemon.world.status = msgspec.structs.replace(daemon.world.snapshot("one"), gaps=[gap])
    app = ConsoleApp(Client(daemon.socket), who="jo", glyphs=UNICODE, clock=lambda: 1000.0)

    async def settle(pilot: Pilot[None]) -> None:
        async with asyncio.timeout(10):
            while not pilot.app.screen.picture_ready():  # type: ignore[attr-defined]
                await pilot.pause(0.02)
        await pilot.pause(0.3)
        assert "re-reading" in str(pilot.app.screen.query_one("#gaps", Strip).render())

    assert snap_compare(app, terminal_size=size, run_before=settle)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
@pytest.mark.parametrize(
    "keys",
    [(), ("2",), ("2", "enter"), ("3",), ("3", "enter")],
    ids=["overview", "records", "record", "failures", "group"],
)
def test_screens_look_as_they_did(
    snap_compare, daemon: FakeDaemon, keys: tuple[str, ...], size: tuple[int, int]
) -> None:
    daemon.world.step = False
    app = ConsoleApp(Client(daemon.socket), who="jo", glyphs=UNICODE, clock=lambda: 1000.0)

    async def settle(pilot: Pilot[None]) -> None:
        for key in ("", *keys):
            before = pilot.app.screen
            if key:
                await pilot.press(key)
            async with asyncio.timeout(10):
                while (key and pilot.app.screen is before) or not pilot.app.screen.picture_ready():  # type: ignore[attr-defined]
                    await pilot.pause(0.02)
        # One more snapshot, so that what came after the first paint is on the screen too.
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=size, run_before=settle)
