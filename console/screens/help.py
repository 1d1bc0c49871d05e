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
        signs = self.home.glyphs
        return wrapped([
            line(f"  {signs.good} good, in step   {signs.middling} degraded   {signs.bad} down, failed   {signs.waiting} waiting   {signs.held} held"),
            line(f"  {signs.same} the same   {signs.differs} differs   {signs.absent} not known   {signs.pointer} at fault   {signs.marked}/{signs.unmarked} selected or not"),
            line(f"  {signs.live} live   {signs.paused} paused   {signs.stale} stale   {signs.lost} reconnecting, each with the age of what is shown"),
            line(f"  {signs.bar_own} calls of syncd   {signs.bar_others} calls of others   {signs.bar_reserve} less urgent lanes stop here"),
        ])  # fmt: skip

    def tell(self, text: Text) -> None:
        self.query_one("#help-text", Strip).paint(text)
