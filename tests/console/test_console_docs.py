"""The manual names every verb and every key, so that it cannot fall behind."""

from pathlib import Path

import pytest
from textual.binding import Binding

from console.app import ConsoleApp
from console.cli import app
from console.screens.failures import FailuresScreen
from console.screens.group import GroupScreen
from console.screens.record import RecordScreen
from console.screens.records import RecordsScreen

MANUAL = (Path(__file__).parents[2] / "docs" / "console.md").read_text(encoding="utf-8")
NAMES = {
    "question_mark": "?",
    "colon": ":",
    "slash": "/",
    "escape": "Esc",
    "space": "Space",
    "f1": "F1",
    "ctrl+p": "Ctrl+P",
    "ctrl+t": "Ctrl+T",
}


def test_every_verb_stands_in_the_manual() -> None:
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        if not command.hidden:
            assert f"`syncctl {name}" in MANUAL, name
    for group in app.registered_groups:
        if not group.hidden:
            assert f"`syncctl {group.name}" in MANUAL
            for command in group.typer_instance.registered_commands:
                assert command.name in MANUAL


@pytest.mark.parametrize("where", [ConsoleApp, RecordsScreen, RecordScreen, FailuresScreen, GroupScreen])
def test_every_key_of_the_last_line_stands_in_the_manual(where: type) -> None:
    for binding in where.BINDINGS:
        assert isinstance(binding, Binding)
        for key in binding.key.split(","):
            if binding.show:
                assert f"`{NAMES.get(key, key)}`" in MANUAL, key


def test_every_key_says_more_than_its_name() -> None:
    for where in (ConsoleApp, RecordsScreen, RecordScreen, FailuresScreen, GroupScreen):
        for binding in where.BINDINGS:
            assert binding.description
