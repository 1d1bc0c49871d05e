"""Pictures of screens for the documentation: connects, waits for the first data, writes an SVG and leaves."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from console.app import ConsoleApp
from console.client import UnreachableError
from console.envelope import UsageProblemError
from console.screens.group import GroupScreen
from console.screens.letter import LetterScreen
from console.screens.live import LiveScreen
from console.screens.record import RecordScreen

WAIT_SECONDS = 15.0

_FONT_ELSEWHERE = re.compile(r"@font-face\s*\{[^}]*\}", re.DOTALL)


async def take(app: ConsoleApp, path: str, *, screen: str, size: str) -> None:
    """``screen`` is overview, records or failures; record, group or letter, each with an id after a colon or,
    without one, the first there is. Raises :class:`UsageProblemError` or :class:`UnreachableError`."""
    match = re.fullmatch(r"(\d{2,3})x(\d{2,3})", size)
    if not match:
        raise UsageProblemError(f"--size {size}: expected columns and rows, such as 80x24")
    async with app.run_test(size=(int(match[1]), int(match[2]))) as pilot:
        await _settled(app)
        await _go(app, screen)
        await _settled(app)
        await pilot.pause()
        picture = app.export_screenshot(title=f"syncctl: {screen.partition(':')[0]}")
    # The font would be fetched from elsewhere by whoever looks at the picture; their own will do.
    picture = _FONT_ELSEWHERE.sub("", picture).replace("Fira Code", "DejaVu Sans Mono")
    await asyncio.to_thread(Path(path).write_text, picture, encoding="utf-8")


async def _settled(app: ConsoleApp) -> None:
    for _ in range(int(WAIT_SECONDS / 0.05)):
        screen = app.screen
        if isinstance(screen, LiveScreen) and screen.picture_ready():
            return
        await asyncio.sleep(0.05)
    raise UnreachableError(app.link.reason or "the daemon sent nothing to show in time")


async def _go(app: ConsoleApp, screen: str) -> None:
    name, _, identifier = screen.partition(":")
    if name in {"overview", "records", "failures"}:
        app.action_go(name)
    elif name == "record":
        await app.push_screen(RecordScreen(identifier or await _first_record(app)))
    elif name == "group":
        await app.push_screen(GroupScreen(identifier or await _first_cause(app)))
    elif name == "letter":
        letter = identifier or str((await app.client.dead_letters(await _first_cause(app), limit=1)).items[0].id)
        await app.push_screen(LetterScreen(int(letter)))
    else:
        raise UsageProblemError(f"--screen {screen}: expected overview, records, failures, record, group or letter")
    await asyncio.sleep(0.05)


async def _first_record(app: ConsoleApp) -> str:
    page = await app.client.records(limit=1)
    if not page.items:
        raise UsageProblemError("there is no record to show yet")
    return page.items[0].id


async def _first_cause(app: ConsoleApp) -> str:
    found = await app.client.failures()
    if not found.groups:
        raise UsageProblemError("there is no failure to show")
    return found.groups[0].fingerprint
