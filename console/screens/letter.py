"""One dead letter, whole: the diff, the vendor's words, what was sent, what came back."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from console.screens.letter_actions import LetterActions
from console.widgets.failure_text import letter_text
from console.widgets.flowing import Flowing
from syncd.control.messages import DeadLetter, DeadLetterDetail, Selection, Status

HELP = """All that is known about one dead letter: what the vendor said, what a replay would write now against what
the vendor held when syncd last looked, what the last attempt sent and what was replied.

e edits values and then replays, r replays as it is, d discards with a reason, o opens the record. m, where two
records may be one, merges them: what would be merged where is shown first."""


class LetterScreen(LetterActions):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit", tooltip="Edit the values, then replay"),
        Binding("r", "replay", "Replay", tooltip="Replay it as it is"),
        Binding("d", "discard", "Discard", tooltip="Discard it, with a reason"),
        Binding("m", "merge", "Merge", tooltip="Merge the two records that this is about"),
        Binding("o", "record", "Record", tooltip="Open the record"),
        Binding("escape", "leave", "Back"),
    ]
    HELP = HELP

    def __init__(self, letter_id: int) -> None:
        super().__init__()
        self.letter_id = letter_id
        self.detail: DeadLetterDetail | None = None

    def body(self) -> ComposeResult:
        yield Flowing(id="letter-box", title=f"Dead letter {self.letter_id}")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#letter-box").focus()

    def news(self, status: Status) -> object:
        return status.counters.dead_letters_open

    def reload(self) -> None:
        self.load(lambda: self.home.client.dead_letter(self.letter_id), self._arrived, group="detail")

    def _arrived(self, detail: DeadLetterDetail) -> None:
        self.detail = detail
        self._draw(detail)
        self.ready = True
        self.refresh_bindings()

    def _draw(self, detail: DeadLetterDetail) -> None:
        now, glyphs = self.home.now(), self.home.glyphs
        self.query_one("#letter-box", Flowing).flow(
            lambda width: letter_text(detail, width=width, now_ms=now, glyphs=glyphs, whole=True)
        )

    def selection(self) -> tuple[Selection, str]:
        return Selection(
            ids=[self.letter_id]
        ), f"1 dead letter: {self.detail.letter.title if self.detail else self.letter_id}"

    @property
    def current(self) -> DeadLetter | None:
        return self.detail.letter if self.detail else None

    @property
    def single(self) -> bool:
        return True

    def after_command(self) -> None:
        self._reload_now()
