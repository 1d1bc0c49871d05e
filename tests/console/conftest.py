"""A fake daemon on a real Unix socket, and the console attached to it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from console_daemon import FakeDaemon
from textual._compositor import LayoutUpdate
from textual.pilot import Pilot
from textual.strip import Strip

from console.app import ConsoleApp
from console.client import Client
from console.glyphs import UNICODE


@pytest.fixture(autouse=True)
def _quiet_surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("SYNCD_SOCKET", "SYNCD_READONLY", "SYNCD_ASCII", "NO_COLOR", "XDG_RUNTIME_DIR", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    # Paths of sockets are limited to about a hundred characters, which tmp_path may exceed.
    folder = tempfile.mkdtemp(prefix="syncd")
    fake = FakeDaemon(Path(folder) / "c.sock")
    fake.start()
    yield fake
    fake.kill()
    shutil.rmtree(folder)


class Driver:
    """Presses keys and waits for what they bring about."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, what: Callable[[], object], about: str = "") -> None:
        """Wait, in turns of the application, until something holds."""
        for _ in range(200):
            try:
                if what():
                    await self.pilot.pause()
                    return
            except LookupError:
                pass
            await self.pilot.pause(0.05)
        raise AssertionError(f"waited in vain for {about or what}; the screen says:\n{self.text()}")

    async def sees(self, *words: str) -> None:
        for word in words:
            await self.until(lambda word=word: word in self.text(), repr(word))

    def text(self) -> str:
        """What is on the screen, as text."""
        return "\n".join(strip.text for strip in self.strips())

    def strips(self) -> list[Strip]:
        """What the terminal would be sent, row by row."""
        app = self.app
        update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
        assert isinstance(update, LayoutUpdate)
        return [Strip.join(row) for row in update.strips]

    async def open(self, screen: type, *keys: str) -> None:
        await self.press(*keys)
        await self.until(lambda: isinstance(self.app.screen, screen), screen.__name__)
        await self.until(self.app.screen.picture_ready, f"{screen.__name__} to be painted")


@pytest.fixture
def attached(daemon: FakeDaemon):
    """Opens the console on the daemon, in a terminal of the given size."""

    @asynccontextmanager
    async def attach(size: tuple[int, int] = (80, 24), **more: object) -> AsyncIterator[Driver]:
        app = ConsoleApp(Client(daemon.socket), who="jo", glyphs=UNICODE, **more)  # type: ignore[arg-type]
        async with app.run_test(size=size, notifications=True) as pilot:
            driver = Driver(app, pilot)
            await driver.until(lambda: app.status is not None, "the first snapshot")
            await driver.until(app.screen.picture_ready, "the overview")
            yield driver

    return attach
