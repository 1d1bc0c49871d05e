"""Pictures of the three screens, in the small and in the large terminal, with the clock stopped."""

import asyncio

import pytest
from console_daemon import FakeDaemon
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.client import Client
from console.glyphs import UNICODE


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
