"""Bars of vendor windows: what syncd used, what others used, what is left, and where each lane must stop. Pure."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from console.glyphs import Glyphs
from console.text import Ink, Part, fitted, line
from console.times import age, short_count
from syncd.control.messages import WindowLine

_WINDOWS: Final = {"ten_seconds": "10 s", "daily": "24 h", "concurrent": "at once", "search": "search/s"}
"""Short words for the windows that syncd names; others are shown as they are called."""


def window_name(name: str) -> str:
    return _WINDOWS.get(name, name.replace("_", " "))


def budget_rows(window: WindowLine, *, width: int, glyphs: Glyphs) -> list[Text]:
    """Name, bar, figures and forecast on one line; in a narrow frame only an alarming forecast is told, below."""
    roomy = width >= 66
    name = fitted(line((window.connection, "strong"), " ", (window_name(window.window), "muted")), 14)
    name.pad_right(14 - name.cell_len)
    numbers = fitted(
        line((short_count(window.used), "value"), (f"/{short_count(window.limit)}", "muted")), 9, right=True
    )
    if roomy:
        told = fitted(forecast(window), 33)
        return [line(name, " ", bar(window, width=width - 60, glyphs=glyphs), " ", numbers, "  ", told)]
    rows = [line(name, " ", bar(window, width=width - 25, glyphs=glyphs), " ", numbers)]
    alarming = window.exhausted_in_seconds is not None or window.used >= window.limit
    return [*rows, line(f"{'':15}", forecast(window, resets=False))] if alarming else rows


def bar(window: WindowLine, *, width: int, glyphs: Glyphs) -> Text:
    """The bar of one window. A mark stands where a less urgent lane is no longer let in."""
    limit = max(1, window.limit)
    # Something used is never drawn as nothing.
    used = max(int(window.used > 0), min(width, round(window.used / limit * width)))
    own = min(used, round(min(window.own, window.used) / limit * width))
    marks = {min(width - 1, round((1 - share) * width)) for share in window.reserves.values() if 0 < share < 1}
    ink = level(window)
    parts: list[Part] = []
    for cell in range(width):
        if cell in marks:
            parts.append((glyphs.bar_reserve, "value" if cell >= used else "strong"))
        elif cell < own:
            parts.append((glyphs.bar_own, ink))
        elif cell < used:
            parts.append((glyphs.bar_others, "muted"))
        else:
            parts.append((glyphs.bar_free, "faint"))
    return line(*parts)


def level(window: WindowLine) -> Ink:
    """How worried to be: ``bad`` when the forecast says it runs out or the last reserve is touched."""
    share = window.used / max(1, window.limit)
    if window.exhausted_in_seconds is not None or share >= 1:
        return "bad"
    if share >= 1 - max(window.reserves.values(), default=0.1):
        return "warn"
    return "ok"


def forecast(window: WindowLine, *, resets: bool = True) -> Text:
    """What will happen, in words."""
    reset = f", resets in {age(window.resets_in_seconds)}" if resets and window.resets_in_seconds >= 1 else ""
    if window.used >= window.limit:
        return line(("spent", "bad"), (reset, "muted"))
    if window.exhausted_in_seconds is not None:
        return line((f"runs out in {age(window.exhausted_in_seconds)}", "bad"), (reset, "muted"))
    return line(("lasts", "ok"), (reset, "muted"))


def bar_of(done: int, total: int, *, width: int, glyphs: Glyphs) -> Text:
    """A plain bar: ``done`` of ``total``."""
    filled = min(width, round(done / max(1, total) * width))
    return line((glyphs.bar_own * filled, "info"), (glyphs.bar_free * (width - filled), "faint"))
