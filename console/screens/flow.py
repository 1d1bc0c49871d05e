"""Asks before a flow is paused or resumed."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from console.client import new_command_id
from console.screens.live import Dialog
from console.text import line, prose, said, wrapped
from console.widgets.panel import Strip
from syncd.control.messages import FlowRequest, FlowResult


class FlowDialog(Dialog[bool]):
    """Dismissed with whether the flow was changed."""

    def __init__(self, target: str, *, paused: bool) -> None:
        super().__init__()
        self._target, self._paused = target, paused
        self._command_id = new_command_id()
        self._sent = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="danger" if self._paused else ""):
            yield Strip(id="question")
            yield Input(placeholder="why? (kept in the audit; optional)", id="why", compact=True)
            yield Strip(id="progress")
            with Horizontal(id="buttons"):
                yield Button("Pause" if self._paused else "Resume", id="go", variant="primary", compact=True)
                yield Button("Cancel", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = said("Pause a flow" if self._paused else "Resume a flow")
        verb = "Pause" if self._paused else "Resume"
        meaning = (
            "Nothing is written there until it is resumed; work waits and nothing is lost."
            if self._paused
            else "What waited is written now."
        )
        self.query_one("#question", Strip).paint(
            wrapped([prose((f"{verb} ", "strong"), (self._target, "title")), prose((meaning, "muted"))])
        )
        self.query_one("#why", Input).focus()

    @on(Button.Pressed, "#go")
    @on(Input.Submitted, "#why")
    def go(self) -> None:
        if self._sent:
            return
        self._sent = True
        why = self.query_one("#why", Input).value.strip()
        request = FlowRequest(
            command_id=self._command_id, target=self._target, paused=self._paused, who=self.home.who, why=why
        )
        self.tell(line(("asking the daemon …", "info")))
        self.load(lambda: self.home.client.set_flow(request), self._done, group="command", failed=self._failed)

    def _failed(self, error: Exception) -> None:
        self._sent = False
        self.tell(prose((f"{self.home.glyphs.bad} {error}", "bad")))

    def _done(self, result: FlowResult) -> None:
        state = "paused" if result.paused else "flowing"
        self.home.say(f"{result.target} is {state}" if result.changed else f"{result.target} was {state} already")
        self.dismiss(result.changed)

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        self.dismiss(False)

    def tell(self, text: Text) -> None:
        self.query_one("#progress", Strip).paint(text)
