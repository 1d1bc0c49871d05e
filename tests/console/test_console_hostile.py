"""Nothing a vendor sends can steer the terminal or the application."""

import unicodedata
from typing import Any

import console_samples as samples
import msgspec
import pytest
from console_daemon import FakeDaemon
from rich.cells import cell_len

from console.screens.edit import EditDialog
from console.screens.failures import FailuresScreen
from console.screens.group import GroupScreen
from console.screens.letter import LetterScreen
from console.screens.record import RecordScreen
from console.screens.records import RecordsScreen
from console.screens.replay import ReplayDialog
from syncd.control import messages as m

EVIL = (
    "\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x1b\\\x1b]8;;http://x\x1b\\\x9b31m\x90q\x9c\x00\x7f\r\u202elive\u2066\u200b\ufeff"
    "é́́́́́[/nope][@click=app.quit]press me[/][bold red]"
)
CLICK = "[@click=app.quit]press[/]"


def poison(value: Any) -> Any:
    """Every text of a message, apart from what selects and names things, made hostile."""
    kept = {
        "id",
        "fingerprint",
        "record_id",
        "state",
        "kind",
        "delivery_state",
        "type",
        "origin_rule",
        "rule",
        "outcome",
        "lane",
        "name",
    }

    def walk(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: item if key in kept else walk(item) for key, item in one.items()}
        if isinstance(one, list):
            return [walk(item) for item in one]
        return EVIL + one if isinstance(one, str) else one

    return msgspec.convert(walk(msgspec.to_builtins(value)), type=type(value))


@pytest.fixture
def evil_daemon(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> FakeDaemon:
    world = daemon.world
    world.status = msgspec.structs.replace(poison(samples.status()), state="running")
    world.letters = {n: msgspec.structs.replace(poison(one), id=n) for n, one in world.letters.items()}
    world.details = {n: poison(samples.letter_detail(n)) for n in world.letters}
    world.records = [poison(one) for one in world.records[:30]]
    detail = samples.record_detail(0)
    evil = poison(msgspec.structs.replace(detail, held=[]))
    world.record_details = {
        one.id: msgspec.structs.replace(
            evil, held=[msgspec.structs.replace(x, delivery_reason=EVIL, external_id=EVIL) for x in detail.held]
        )
        for one in world.records
    }
    world.tail_lines = [poison(one) for one in world.tail_lines]
    groups, history, attempts = [poison(one) for one in samples.groups()], samples.history, samples.attempts
    monkeypatch.setattr(samples, "groups", lambda: groups)
    monkeypatch.setattr(samples, "history", lambda name: poison(history(name)))
    monkeypatch.setattr(samples, "attempts", lambda name: poison(attempts(name)))
    return daemon


def check(driver) -> None:
    """No code point that a terminal obeys, in any segment, and every row exactly as wide as the terminal."""
    app = driver.app
    for strip in driver.strips():
        for segment in strip:
            bad = [hex(ord(x)) for x in segment.text if unicodedata.category(x) in {"Cc", "Cs", "Cf", "Zl", "Zp"}]
            assert not bad, (bad, segment.text)
            assert not (segment.style and segment.style.meta and "@click" in segment.style.meta)
        assert cell_len(strip.text) == app.size.width


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_hostile_values_are_harmless_on_every_screen(
    attached, evil_daemon: FakeDaemon, size: tuple[int, int]
) -> None:
    async with attached(size=size) as driver:
        check(driver)
        assert "␛" in driver.text()
        await driver.open(RecordsScreen, "2")
        check(driver)
        await driver.open(RecordScreen, "enter")
        for key in ("f", "h", "t"):
            await driver.press(key)
            check(driver)
        await driver.open(FailuresScreen, "3")
        check(driver)
        await driver.open(GroupScreen, "enter")
        check(driver)
        await driver.press("r")
        await driver.until(lambda: isinstance(driver.app.screen, ReplayDialog))
        check(driver)
        await driver.press("escape", "e")
        await driver.until(lambda: isinstance(driver.app.screen, EditDialog))
        check(driver)
        await driver.sees("invisible characters")
        await driver.press("escape")
        await driver.open(LetterScreen, "enter")
        check(driver)
        await driver.press(":")
        await driver.sees("Go to Overview")
        check(driver)


async def test_messages_of_the_daemon_are_harmless_in_notices_and_toasts(attached, daemon: FakeDaemon) -> None:
    async with attached() as driver:
        daemon.world.refuse["/v1/records"] = (503, m.Problem(code="x", message=EVIL))
        await driver.press("2")
        await driver.sees("]52;c;")
        check(driver)
        driver.app.say(EVIL)
        await driver.pilot.pause()
        check(driver)
        assert driver.app.title == "syncd"


async def test_a_click_planted_in_a_value_fires_nothing(attached, daemon: FakeDaemon) -> None:
    daemon.world.records = [msgspec.structs.replace(samples.record_line(0), title=CLICK)]
    daemon.world.letters = {1: msgspec.structs.replace(samples.letter(1), title=CLICK, message=CLICK)}
    async with attached() as driver:
        await driver.open(RecordsScreen, "2")
        await driver.sees(CLICK)
        for column in range(2, 60, 4):
            await driver.pilot.click(offset=(column, 5))
        assert driver.app.is_running
        await driver.open(FailuresScreen, "3")
        await driver.open(GroupScreen, "enter")
        await driver.sees(CLICK)
        for column in range(2, 60, 4):
            await driver.pilot.click(offset=(column, 11))
        assert driver.app.is_running


async def test_a_value_of_ten_megabytes_does_not_stop_the_screen(attached, daemon: FakeDaemon) -> None:
    daemon.world.letters = {1: msgspec.structs.replace(samples.letter(1), title="x" * 10_000_000)}
    async with attached() as driver:
        await driver.open(FailuresScreen, "3")
        await driver.open(GroupScreen, "enter")
        check(driver)
