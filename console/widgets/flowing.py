"""A framed, scrolling area whose text is made for its width, again whenever that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from console.text import Part, line, said
from console.widgets.panel import Strip


class Flowing(VerticalScroll):
    """``make`` gets the width in cells and returns the text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("g", "scroll_home", "Top", show=False),
        Binding("G", "scroll_end", "Bottom", show=False),
    ]

    def __init__(self, *, id: str, title: str = "", classes: str = "panel") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        if title:
            self.border_title = said(title)
        self._make: Callable[[int], Text] | None = None

    def compose(self) -> ComposeResult:
        yield Strip(classes="flowing-text")

    def head(self, *parts: Part) -> None:
        self.border_title = line(*parts)

    def remark(self, *parts: Part) -> None:
        self.border_subtitle = line(*parts)

    def flow(self, make: Callable[[int], Text]) -> None:
        self._make = make
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width = self.scrollable_content_region.width
        if self._make and width > 0 and self.is_mounted:
            self.query_one(".flowing-text", Strip).paint(self._make(width))
