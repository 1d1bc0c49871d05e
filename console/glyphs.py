"""Signs beside colours: no state is told by colour alone, and each sign has an ASCII form for poor terminals."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One-cell signs. ``blocks`` are the levels of a one-line plot, lowest first."""

    brand: str
    live: str
    paused: str
    stale: str
    lost: str
    good: str
    middling: str
    bad: str
    unknown: str
    waiting: str
    held: str
    same: str
    differs: str
    absent: str
    arrow: str
    pointer: str
    marked: str
    unmarked: str
    bar_own: str
    bar_others: str
    bar_free: str
    bar_reserve: str
    dot: str
    blocks: str
    braille: bool


UNICODE = Glyphs(
    brand="◆", live="●", paused="‖", stale="◌", lost="✕", good="✓", middling="▲", bad="✕", unknown="?",
    waiting="◷", held="■", same="=", differs="≠", absent="·", arrow="→", pointer="▸", marked="●", unmarked="○",
    bar_own="█", bar_others="▓", bar_free="─", bar_reserve="│", dot="·", blocks="▁▂▃▄▅▆▇█", braille=True,
)  # fmt: skip

ASCII = Glyphs(
    brand="*", live="*", paused="=", stale="~", lost="x", good="+", middling="!", bad="x", unknown="?",
    waiting="o", held="#", same="=", differs="#", absent=".", arrow=">", pointer=">", marked="x", unmarked="-",
    bar_own="#", bar_others="%", bar_free="-", bar_reserve="|", dot="-", blocks="_.-=+*%#", braille=False,
)  # fmt: skip


def chosen(environment: Mapping[str, str] = os.environ) -> Glyphs:
    """ASCII on request (``SYNCD_ASCII``), on the kernel's console and where the locale is not UTF-8."""
    if environment.get("SYNCD_ASCII") or environment.get("TERM") in {"linux", "dumb"}:
        return ASCII
    return UNICODE if locale.getencoding().lower().replace("-", "") == "utf8" else ASCII
