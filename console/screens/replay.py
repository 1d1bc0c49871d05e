"""Asks before a replay: how many, what would be written, and why; then shows what came of it."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input

from console.client import new_command_id
from console.screens.live import Dialog
from console.text import Part, line, prose, said, wrapped
from console.times import plural
from console.widgets.failure_text import diff
from console.widgets.flowing import Flowing
from console.widgets.panel import Strip
from syncd.control.messages import DeadLetterDetail, ReplayRequest, ReplayResult, Selection


class ReplayDialog(Dialog[bool]):
    """Dismissed with whether something was replayed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "go", "Replay", tooltip="Replay now"),
    ]

    def __init__(
        self, selection: Selection, name: str, *, detail: DeadLetterDetail | None, edits: dict[str, Any]
    ) -> None:
        super().__init__()
        self._selection, self._about, self._detail, self._edits = selection, name, detail, edits
        # One id for the life of the question: pressing twice, or a daemon that restarts in between, has one effect.
        self._command_id = new_command_id()
        self._matched: int | None = None
        self._result: ReplayResult | None = None
        self._sent = False

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Strip(id="question")
            yield Flowing(id="preview-box", classes="")
            yield Input(placeholder="why? (kept in the audit; optional)", id="why", compact=True)
            yield Strip(id="progress")
            with Horizontal(id="buttons"):
                yield Button("Replay", id="go", variant="primary", compact=True, disabled=True)
                yield Button("Cancel", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = said("Replay with edits" if self._edits else "Replay")
        self.query_one("#question", Strip).paint(prose((self._about, "strong")))
        self.query_one("#why", Input).focus()
        self._draw_diff()
        self.tell(line(("asking the daemon what would be replayed …", "muted")))
        self.load(lambda: self.home.client.replay(self._request(preview=True)), self._previewed, group="command")

    def _draw_diff(self) -> None:
        box, detail, glyphs = self.query_one("#preview-box", Flowing), self._detail, self.home.glyphs
        box.display = detail is not None
        if detail:
            where = detail.letter.connection
            box.flow(lambda width: wrapped(diff(detail.diff, where, width=width, glyphs=glyphs, edits=self._edits)))

    def _request(self, *, preview: bool) -> ReplayRequest:
        why = self.query_one("#why", Input).value.strip()
        return ReplayRequest(
            command_id=new_command_id() if preview else self._command_id,
            selection=self._selection, who=self.home.who, why=why, edits=self._edits, preview=preview,
        )  # fmt: skip

    def _previewed(self, result: ReplayResult) -> None:
        self._matched = result.matched - len(result.refused)
        parts: list[Part] = [
            (f"{plural(self._matched, 'dead letter')} would be replayed", "strong" if self._matched else "warn")
        ]
        self.tell(wrapped([line(*parts), *_refusals(result)]))
        self.query_one("#go", Button).disabled = self._matched == 0

    @on(Button.Pressed, "#go")
    @on(Input.Submitted, "#why")
    def action_go(self) -> None:
        if self._result is not None:
            self.dismiss(True)
        elif self._matched and not self._sent:
            self._sent = True
            self.query_one("#go", Button).disabled = True
            self.query_one("#why", Input).disabled = True
            self.tell(line(("replaying …", "info")))
            self.load(
                lambda: self.home.client.replay(self._request(preview=False)),
                self._done,
                group="command",
                failed=self._failed,
            )

    def _failed(self, error: Exception) -> None:
        # The command id stays, so that trying again cannot replay twice.
        self._sent = False
        self.query_one("#go", Button).disabled = False
        self.query_one("#why", Input).disabled = False
        self.tell(prose((f"{self.home.glyphs.bad} {error}", "bad")))

    def _done(self, result: ReplayResult) -> None:
        self._result = result
        sign = (f"{self.home.glyphs.good} ", "ok") if result.replayed else (f"{self.home.glyphs.middling} ", "warn")
        head = line(sign, (f"{result.replayed:,} of {plural(result.matched, 'dead letter')} replayed", "strong"))  # type: ignore[arg-type]
        self.tell(wrapped([head, *_refusals(result)]))
        button, leave = self.query_one("#go", Button), self.query_one("#leave", Button)
        button.label, button.disabled, leave.display = "Done", False, False
        button.focus()

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        self.dismiss(self._result is not None)

    def tell(self, text: Text) -> None:
        self.query_one("#progress", Strip).paint(text)


def _refusals(result: ReplayResult) -> list[Text]:
    rows = [prose(("  ", ""), (reason, "warn")) for reason in result.refused[:5]]
    more = len(result.refused) - len(rows)
    return [*rows, line((f"  and {more:,} more", "warn"))] if more > 0 else rows
