"""Small plots of histories: areas drawn in braille dots, or in ASCII where the terminal knows no braille. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from console.glyphs import Glyphs
from console.text import Ink, Part, line, lines

# Bits of the braille cell, bottom dot first: the left and the right column of dots.
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)


def sampled(values: Sequence[float | None], points: int) -> list[float | None]:
    """``values`` brought to exactly ``points``: peaks are kept when there are too many, gaps lead when too few."""
    if len(values) <= points:
        return [None] * (points - len(values)) + list(values)
    out: list[float | None] = []
    for index in range(points):
        part = values[index * len(values) // points : max((index + 1) * len(values) // points, 1)]
        known = [one for one in part if one is not None]
        out.append(max(known) if known else None)
    return out


def stretched(values: Sequence[float | None], points: int) -> list[float | None]:
    """Like :func:`sampled`, but a short history is drawn over the whole width."""
    if not values or len(values) >= points:
        return sampled(values, points)
    return [values[index * len(values) // points] for index in range(points)]


def area(values: Sequence[float | None], *, width: int, height: int, glyphs: Glyphs, ceiling: float = 0.0) -> Text:
    """An area plot of ``width`` times ``height`` cells. It starts at zero and reaches up to the peak or ``ceiling``."""
    if width < 1 or height < 1:
        return line()
    per_cell, levels_per_cell = (2, 4) if glyphs.braille else (1, len(glyphs.blocks))
    points = stretched(values, width * per_cell)
    peak = max((one for one in points if one is not None), default=0.0)
    top = max(peak, ceiling) or 1.0
    levels = [_level(one, top, height * levels_per_cell) for one in points]
    rows = []
    for row in range(height):
        floor = (height - 1 - row) * levels_per_cell
        rows.append(line((_row(levels, floor, glyphs), _ink(row, height))))
    return lines(rows)


def spark(values: Sequence[float | None], *, glyphs: Glyphs, ink: Ink = "info") -> Text:
    """A one-line plot, one cell a value; zero is shown as a dot."""
    top = max((one for one in values if one is not None), default=0.0) or 1.0
    parts: list[Part] = []
    for value in values:
        if not value:
            parts.append((glyphs.dot if value == 0 else " ", "faint"))
        else:
            step = min(len(glyphs.blocks) - 1, round(value / top * (len(glyphs.blocks) - 1)))
            parts.append((glyphs.blocks[step], ink))
    return line(*parts)


def _level(value: float | None, top: float, levels: int) -> int:
    if value is None or value <= 0:
        return 0
    # Something is never drawn as nothing.
    return max(1, round(value / top * levels))


def _row(levels: list[int], floor: int, glyphs: Glyphs) -> str:
    if not glyphs.braille:
        return "".join(_block(level - floor, glyphs) for level in levels)
    return "".join(_dots(left - floor, right - floor) for left, right in zip(levels[::2], levels[1::2], strict=True))


def _dots(left: int, right: int) -> str:
    bits = sum(_LEFT[: max(0, left)]) + sum(_RIGHT[: max(0, right)])
    return chr(0x2800 + bits) if bits else " "


def _block(level: int, glyphs: Glyphs) -> str:
    return " " if level <= 0 else glyphs.blocks[min(level, len(glyphs.blocks)) - 1]


def _ink(row: int, height: int) -> Ink:
    if height == 1:
        return "plot-mid"
    share = row / (height - 1)
    return "plot-high" if share < 0.2 else "plot-mid" if share < 0.6 else "plot-low"
