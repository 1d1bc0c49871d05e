"""One event of the daemon as one line. Pure."""

from __future__ import annotations

from rich.text import Text

from console.glyphs import Glyphs
from console.text import Ink, Part, fitted, line
from console.times import at_time
from console.values import as_json
from syncd.control.messages import TailLine


def event_row(one: TailLine, width: int, glyphs: Glyphs) -> Text:
    """Time, sign, event, what it is about, and details as far as they fit."""
    signs: dict[str, tuple[str, Ink]] = {
        "warning": (glyphs.middling, "warn"),
        "warn": (glyphs.middling, "warn"),
        "error": (glyphs.bad, "bad"),
        "critical": (glyphs.bad, "bad"),
    }
    sign, ink = signs.get(one.level, (glyphs.dot, "muted"))
    parts: list[Part] = [
        (f"{at_time(one.at)} ", "faint"),
        (f"{sign} ", ink),
        (f"{one.event:<20} ", ink if sign != glyphs.dot else "strong"),
        (f"{one.connection:<6} ", "info"),
        (one.record_id or one.entity, "muted"),
    ]
    for key, value in one.detail.items():
        parts += [(f"  {key}=", "faint"), (value if isinstance(value, str) else as_json(value), "muted")]
    return fitted(line(*parts), width)
