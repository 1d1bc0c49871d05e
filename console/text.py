"""Building what is shown. The only module of the application that makes ``Text``: every string in it is sanitised.

A plain ``str`` handed to a widget would be read as markup, and a field value could then crash the screen or plant a
click; so widgets get what :func:`said` and :func:`line` return. A test holds the rest of the console to that.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Literal, TypeAlias

from rich.console import Console
from rich.text import Text

from console.sanitise import clean

Ink: TypeAlias = Literal[
    "", "strong", "muted", "faint", "ok", "warn", "bad", "accent", "info", "value", "title", "differs", "badge-ok",
    "badge-warn", "badge-bad", "badge-muted", "key", "plot-low", "plot-mid", "plot-high",
]  # fmt: skip
"""Roles of text, not colours: the theme says what they look like."""

# Rich wants a console for wrapping, of which only the size of tabs matters.
_WRAPPING = Console(file=io.StringIO(), width=80)

Part: TypeAlias = str | Text | tuple[object, Ink]


def said(value: object, ink: Ink = "", *, width: int | None = None) -> Text:
    """One line of sanitised text."""
    return Text(clean(value, width=width), style=ink, no_wrap=True, overflow="ellipsis", end="")


def line(*parts: Part) -> Text:
    """Parts set one after the other; strings among them are sanitised."""
    whole = Text(no_wrap=True, overflow="ellipsis", end="")
    for part in parts:
        whole.append_text(_part(part))
    return whole


def lines(rows: Iterable[Text]) -> Text:
    """Rows set one below the other."""
    return Text("\n", no_wrap=True, overflow="ellipsis", end="").join(rows)


def prose(*parts: Part) -> Text:
    """Like :func:`line`, but wrapped where the widget ends."""
    whole = line(*parts)
    whole.no_wrap, whole.overflow = False, "fold"
    return whole


def block(value: object, ink: Ink = "") -> Text:
    """Text of several lines, such as a payload: line feeds are kept."""
    return Text(clean(value, multiline=True), style=ink, no_wrap=False, overflow="fold", end="")


def wrapped(rows: Iterable[Text]) -> Text:
    """Rows set one below the other, each wrapped where the widget ends."""
    return Text("\n", no_wrap=False, overflow="fold", end="").join(rows)


def fitted(text: Text, width: int, *, right: bool = False) -> Text:
    """A copy cut to ``width`` cells, filled up at the left if it stands ``right``."""
    copy = text.copy()
    copy.truncate(width, overflow="ellipsis")
    if right:
        copy.align("right", width)
    return copy


def hung(text: Text, width: int, *, indent: int) -> Text:
    """``text`` wrapped to ``width``, all rows but the first set in by ``indent``."""
    rows = text.wrap(_WRAPPING, max(10, width))
    if len(rows) < 2:
        return text
    rest = text[len(rows[0].plain) :]
    first, set_in = rows[0], Text(" " * indent)
    following = [set_in + row for row in _stripped(rest).wrap(_WRAPPING, max(10, width - indent))]
    return lines([first, *following])


def _stripped(text: Text) -> Text:
    """Without blanks at the start, where a row was broken."""
    return text[len(text.plain) - len(text.plain.lstrip()) :]


def _part(part: Part) -> Text:
    if isinstance(part, Text):
        return part
    if isinstance(part, tuple):
        return said(part[0], part[1])
    return said(part)
