"""Asks before dead letters are given up: the count is stated, and a reason is required."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from console.client import new_command_id
from console.screens.live import Dialog
from console.text import line, prose, said, wrapped
from console.times import plural
from console.widgets.panel import Strip
from syncd.control.messages import DiscardRequest, DiscardResult, Selection


class DiscardDialog(Dialog[bool]):
    """Dismissed with whether something was discarded."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "go", "Discard", tooltip="Discard now"),
    ]

    def __init__(self, selection: Selection, name: str) -> None:
        super().__init__()
        self._selection, self._about = selection, name
        self._command_id = new_command_id()
        self._result: DiscardResult | None = None
        self._sent = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="danger"):
            yield Strip(id="question")
            yield Input(placeholder="why? (required; kept in the audit)", id="why", compact=True)
            yield Strip(id="progress")
            with Horizontal(id="buttons"):
                yield Button("Discard", id="go", variant="error", compact=True, disabled=True)
                yield Button("Cancel", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = said("Discard")
        consequence = prose(
            (
                "What they wanted to write will not be written. The rows are kept, closed, with your name and reason.",
                "muted",
            )
        )
        self.query_one("#question", Strip).paint(wrapped([prose((self._about, "strong")), consequence]))
        self.query_one("#why", Input).focus()

    @property
    def _why(self) -> str:
        return self.query_one("#why", Input).value.strip()

    @on(Input.Changed, "#why")
    def typed(self) -> None:
        self.query_one("#go", Button).disabled = not self._why or self._sent

    @on(Button.Pressed, "#go")
    @on(Input.Submitted, "#why")
    def action_go(self) -> None:
        if self._result is not None:
            self.dismiss(True)
        elif not self._why:
            self.tell(line(("a reason is required", "warn")))
        elif not self._sent:
            self._sent = True
            self.query_one("#go", Button).disabled = True
            self.query_one("#why", Input).disabled = True
            self.tell(line(("discarding …", "info")))
            request = DiscardRequest(
                command_id=self._command_id, selection=self._selection, who=self.home.who, why=self._why
            )
            self.load(lambda: self.home.client.discard(request), self._done, group="command", failed=self._failed)

    def _failed(self, error: Exception) -> None:
        # The command id stays, so that trying again cannot discard twice.
        self._sent = False
        self.query_one("#go", Button).disabled = False
        self.query_one("#why", Input).disabled = False
        self.tell(prose((f"{self.home.glyphs.bad} {error}", "bad")))

    def _done(self, result: DiscardResult) -> None:
        self._result = result
        sign = (f"{self.home.glyphs.good} ", "ok") if result.discarded else (f"{self.home.glyphs.middling} ", "warn")
        self.tell(line(sign, (f"{result.discarded:,} of {plural(result.matched, 'dead letter')} discarded", "strong")))  # type: ignore[arg-type]
        button, leave = self.query_one("#go", Button), self.query_one("#leave", Button)
        button.label, button.disabled, leave.display = "Done", False, False
        button.focus()

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        self.dismiss(self._result is not None)

    def tell(self, text: Text) -> None:
        self.query_one("#progress", Strip).paint(text)
