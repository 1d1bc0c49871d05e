"""Signs and roles for the states that messages name. Pure tables: an unknown state is shown as unknown."""

from __future__ import annotations

from rich.text import Text

from console.glyphs import Glyphs
from console.text import Ink, line


def connection_state(state: str, glyphs: Glyphs) -> Text:
    signs: dict[str, tuple[str, Ink]] = {
        "up": (glyphs.good, "ok"),
        "degraded": (glyphs.middling, "warn"),
        "down": (glyphs.bad, "bad"),
        "paused": (glyphs.paused, "warn"),
    }
    return _signed(state, signs, glyphs)


def record_state(state: str, glyphs: Glyphs) -> Text:
    signs: dict[str, tuple[str, Ink]] = {
        "in_step": (glyphs.good, "ok"),
        "waiting": (glyphs.waiting, "info"),
        "failed": (glyphs.bad, "bad"),
        "held": (glyphs.held, "warn"),
    }
    return _signed(state, signs, glyphs, state.replace("_", " "))


def delivery_state(state: str, glyphs: Glyphs) -> Text:
    signs: dict[str, tuple[str, Ink]] = {
        "done": (glyphs.good, "ok"),
        "read": (glyphs.good, "ok"),
        "gone": (glyphs.bad, "warn"),
        "staged": (glyphs.waiting, "info"),
        "waiting": (glyphs.waiting, "info"),
        "sending": (glyphs.arrow, "info"),
        "unknown": (glyphs.unknown, "warn"),
        "blocked": (glyphs.held, "warn"),
        "held": (glyphs.held, "warn"),
        "dead": (glyphs.bad, "bad"),
    }
    return _signed(state, signs, glyphs)


def outcome(state: str, glyphs: Glyphs) -> Text:
    signs: dict[str, tuple[str, Ink]] = {
        "applied": (glyphs.good, "ok"),
        "unchanged": (glyphs.same, "muted"),
        "failed": (glyphs.bad, "bad"),
        "unknown": (glyphs.unknown, "warn"),
    }
    return _signed(state, signs, glyphs)


def _signed(state: str, signs: dict[str, tuple[str, Ink]], glyphs: Glyphs, words: str = "") -> Text:
    sign, ink = signs.get(state, (glyphs.unknown, "muted"))
    return line((f"{sign} ", ink), (words or state, ink))
