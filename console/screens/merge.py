"""Asks before two records become one: what is merged where is shown first, and it cannot be undone."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from console.acting import merge_lines
from console.client import new_command_id
from console.screens.live import Dialog
from console.text import line, prose, said, wrapped
from console.widgets.panel import Strip
from syncd.control.merge_messages import MergeRequest, MergeResult

LOOK_SECONDS = 0.5
"""How often it is asked whether the merge has ended."""


class MergeDialog(Dialog[bool]):
    """Dismissed with whether a merge was ordered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "go", "Merge", tooltip="Merge now"),
        Binding("ctrl+x", "swap", "Swap", tooltip="Let the other one stay"),
    ]

    def __init__(self, survivor: str, absorbed: str) -> None:
        super().__init__()
        self._survivor, self._absorbed = survivor, absorbed
        self._command_id = new_command_id()
        self._possible = False
        self._ordered = False
        self._ended = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="danger"):
            yield Strip(id="question")
            yield Input(placeholder="why? (kept in the audit)", id="why", compact=True)
            yield Strip(id="progress")
            with Horizontal(id="buttons"):
                yield Button("Merge", id="go", variant="error", compact=True, disabled=True)
                yield Button("Cancel", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = said("Merge")
        self.query_one("#why", Input).focus()
        self._look()

    def _request(self, *, preview: bool) -> MergeRequest:
        return MergeRequest(
            command_id=self._command_id, survivor=self._survivor, absorbed=self._absorbed, who=self.home.who,
            why=self.query_one("#why", Input).value.strip(), preview=preview,
        )  # fmt: skip

    def _look(self) -> None:
        request = self._request(preview=True)
        self.load(lambda: self.home.client.merge(request), self._seen, group="preview")

    def _seen(self, seen: MergeResult) -> None:
        self._possible = not seen.refused
        self.query_one("#go", Button).disabled = not self._possible
        head = prose((self._absorbed, "strong"), " becomes part of ", (self._survivor, "strong"))
        lines = [prose((one, "bad" if seen.refused else "value")) for one in merge_lines(seen)]
        last = "It cannot be done:" if seen.refused else "This cannot be undone."
        self.query_one("#question", Strip).paint(wrapped([head, *lines, prose((last, "muted"))]))

    @on(Button.Pressed, "#go")
    @on(Input.Submitted, "#why")
    def action_go(self) -> None:
        if self._ended:
            self.dismiss(True)
        elif self._possible and not self._ordered:
            self._ordered = True
            self.query_one("#go", Button).disabled = True
            self.query_one("#why", Input).disabled = True
            self.tell(line(("merging …", "info")))
            self._send()

    def action_swap(self) -> None:
        # An object that no record has cannot stay.
        if not self._ordered and ":" not in self._absorbed:
            self._survivor, self._absorbed = self._absorbed, self._survivor
            self._look()

    def _send(self) -> None:
        # The same command again says how far it is.
        request = self._request(preview=False)
        self.load(lambda: self.home.client.merge(request), self._told, group="command", failed=self._failed)

    def _failed(self, error: Exception) -> None:
        self._ordered = False
        self.query_one("#go", Button).disabled = False
        self.query_one("#why", Input).disabled = False
        self.tell(prose((f"{self.home.glyphs.bad} {error}", "bad")))

    def _told(self, told: MergeResult) -> None:
        if told.state == "open":
            self.set_timer(LOOK_SECONDS, self._send)
            return
        self._ended = True
        if told.state == "done":
            self.tell(line((f"{self.home.glyphs.good} ", "ok"), ("merged", "strong")))
        else:
            self.tell(prose((f"{self.home.glyphs.bad} not merged: {told.reason}", "bad")))
        button, leave = self.query_one("#go", Button), self.query_one("#leave", Button)
        button.label, button.disabled, leave.display = "Done", False, False
        button.focus()

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        self.dismiss(self._ordered)

    def tell(self, text: Text) -> None:
        self.query_one("#progress", Strip).paint(text)
