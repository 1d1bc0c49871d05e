"""A framed figure: one large number, one remark, and its history as a small plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import events

from console.text import line, lines
from console.times import age
from console.widgets.panel import Panel
from console.widgets.plot import area
from syncd.control.messages import Series

if TYPE_CHECKING:
    from console.app import ConsoleApp


class Tile(Panel):
    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, title=title, classes="tile")
        self._big, self._small = line(), line()
        self._series: Series | None = None
        self._unit: Callable[[float], str] = str

    def show(self, big: Text, small: Text, series: Series | None, unit: Callable[[float], str]) -> None:
        """``unit`` writes the peak of the plot."""
        self._big, self._small, self._series, self._unit = big, small, series, unit
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        width, height = self.content_size.width, self.content_size.height
        values = self._series.values if self._series else []
        rows = [self._big, self._small]
        if height >= 3 and values:
            glyphs = cast("ConsoleApp", self.app).glyphs
            room = height - 2 if height < 7 else height - 3
            plot = area(values, width=width, height=room, glyphs=glyphs)
            rows += [line(), plot] if height >= 7 else [plot]
        known = [one for one in values if one is not None]
        if self._series and known and height >= 7:
            span = age(self._series.step_seconds * len(values))
            self.remark((f" last {span}, peak {self._unit(max(known))} ", "muted"))
        else:
            self.remark()
        self.paint(lines(rows))
