"""A framed area that paints text; the frame carries a title and a remark."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from console.text import Part, line, said


class Panel(Static):
    """Shows only what :mod:`console.text` made, so that data is never read as markup."""

    def __init__(self, *, id: str | None = None, title: str = "", classes: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=f"panel {classes}", markup=False)
        if title:
            self.border_title = said(title)

    def paint(self, text: Text) -> None:
        self.update(text)

    def head(self, *parts: Part) -> None:
        self.border_title = line(*parts)

    def remark(self, *parts: Part) -> None:
        self.border_subtitle = line(*parts)


class Strip(Static):
    """A line of text without a frame."""

    def __init__(self, *, id: str | None = None, classes: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, markup=False)

    def paint(self, text: Text) -> None:
        self.update(text)
