"""Areas that paint text: framed with a title and a remark, or a bare strip."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from console.text import Part, line, said


class Strip(Static):
    """Shows only what :mod:`console.text` made, so that data is never read as markup."""

    _painted: Text | None = None

    def __init__(self, *, id: str | None = None, classes: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes, markup=False)

    def paint(self, text: Text) -> None:
        # What is there already costs nothing: neither a layout here nor bytes on a slow line.
        if self._painted is None or not same(self._painted, text):
            self._painted = text
            self.update(text)

    def repaint(self) -> None:
        """Paint what is there again, in the colours of another theme."""
        if self._painted is not None:
            self.update(self._painted)


class Panel(Strip):
    """A strip in a frame."""

    def __init__(self, *, id: str | None = None, title: str = "", classes: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=f"panel {classes}")
        if title:
            self.border_title = said(title)

    def head(self, *parts: Part) -> None:
        self.border_title = line(*parts)

    def remark(self, *parts: Part) -> None:
        self.border_subtitle = line(*parts)


def same(one: Text, other: Text) -> bool:
    """Whether two texts look the same; Rich's own comparison leaves out the style of the whole."""
    return one == other and one.style == other.style
