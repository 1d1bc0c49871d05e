"""Help for the screen below: what it shows, the keys that work there now, and the signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll

from console.screens.live import Dialog
from console.text import block, line, said, wrapped
from console.widgets.panel import Strip

KeyRow = tuple[str, str]
"""A key as printed, and what it does."""


class HelpDialog(Dialog[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,f1,q", "leave", "Close")]

    def __init__(self, title: str, text: str, keys: Sequence[KeyRow]) -> None:
        super().__init__()
        self._title, self._text, self._keys = title, text, keys

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="help"), VerticalScroll(id="help-box"):
            yield Strip(id="help-text")

    def on_mount(self) -> None:
        dialog = self.query_one("#dialog")
        dialog.border_title = said(f"Help: {self._title}")
        dialog.border_subtitle = said(" Esc closes ")
        width = max((len(key) for key, _ in self._keys), default=1)
        keys = [line((f"  {key:>{width}}  ", "key"), (what, "value")) for key, what in self._keys]
        paragraphs = [block(" ".join(part.split())) for part in self._text.split("\n\n")]
        spaced = [row for paragraph in paragraphs for row in (paragraph, line())]
        text = wrapped([*spaced, line(("Keys", "title")), *keys, line(), line(("Signs", "title")), self._signs()])
        self.query_one("#help-text", Strip).paint(text)
        self.query_one("#help-box").focus()

    def _signs(self) -> Text:
        g = self.home.glyphs
        rows = (
            (
                (g.good, "good, in step"),
                (g.middling, "degraded"),
                (g.bad, "down, failed"),
                (g.waiting, "waiting"),
                (g.held, "held"),
            ),
            ((g.same, "the same"), (g.differs, "differs"), (g.absent, "not known"), (g.pointer, "at fault")),
            ((g.marked, "selected"), (g.unmarked, "not selected")),
            ((g.live, "live"), (g.paused, "paused"), (g.stale, "stale"), (g.lost, "reconnecting: each with its age")),
            (
                (g.bar_own, "calls of syncd"),
                (g.bar_others, "calls of others"),
                (g.bar_reserve, "less urgent stop here"),
            ),
        )
        return wrapped(line("  ", *(f"{sign} {meaning}   " for sign, meaning in row)) for row in rows)

    def tell(self, text: Text) -> None:
        self.query_one("#help-text", Strip).paint(text)
