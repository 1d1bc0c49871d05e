"""The one sanitiser: nothing that came from a vendor reaches a terminal without passing through here.

Terminals obey what they are sent: a field value may carry an escape sequence that writes the clipboard, a
bidirectional override that makes a diff read backwards, or ten megabytes on one line. Neither Rich nor Textual
stops that. Here such characters become visible placeholders, so that an operator sees that they are there.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rich.cells import cell_len, set_cell_size

LONGEST: Final = 20_000
"""Characters of one value that are looked at; the rest is counted, not shown."""

_MARKS_PER_LETTER: Final = 2
"""More combining marks than this on one letter are an attack on the line above, not a language."""

# Invisible though Unicode calls them letters or marks: Hangul fillers, the grapheme joiner, Mongolian selectors.
_INVISIBLE: Final = frozenset("\u115f\u1160\u3164\uffa0\u034f\u180b\u180c\u180d\u180f\u17b4\u17b5")

# Only choose between text and emoji looks, about which terminals disagree on the width: left out silently.
_PRESENTATION: Final = re.compile("[\ufe0e\ufe0f]")

_SUSPECT: Final = re.compile("[^\x20-\x7e\xa0-\xac\xae-\u02ff]")
"""Anything that is not a plain Latin letter, digit or sign deserves the slow look."""


def clean(raw: object, *, width: int | None = None, multiline: bool = False) -> str:
    """``raw`` as text that is safe to show, at most ``width`` cells wide.

    With ``multiline`` line feeds are kept; otherwise they are shown as a placeholder and the result is one line.
    """
    text = raw if isinstance(raw, str) else str(raw)
    dropped = max(0, len(text) - LONGEST)
    if dropped:
        text = text[:LONGEST]
    if not (text.isascii() and text.isprintable()):
        text = _visible(text, multiline=multiline)
    if dropped:
        text = f"{text}… (+{dropped:,} characters)"
    return text if width is None else fit(text, width)


def fit(text: str, width: int) -> str:
    """``text`` cut to ``width`` cells, with an ellipsis where something was cut. Expects cleaned text."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def is_clean(text: str) -> bool:
    """Whether showing ``text`` as it is would show all of it."""
    return clean(text) == text


def _visible(text: str, *, multiline: bool) -> str:
    if not _SUSPECT.search(text):
        return text
    shown: list[str] = []
    marks = 0
    for character in _PRESENTATION.sub("", text):
        if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
            marks += 1
            if character in _INVISIBLE:
                shown.append(_code_point(character))
            elif marks <= _MARKS_PER_LETTER:
                # A mark that opens a value would sit on whatever is printed before it.
                shown.append(character if shown else f"◌{character}")
            elif marks == _MARKS_PER_LETTER + 1:
                shown.append("⟨marks⟩")
            continue
        marks = 0
        shown.append(_placeholder(character, multiline=multiline))
    return "".join(shown)


def _placeholder(character: str, *, multiline: bool) -> str:
    number = ord(character)
    if character == "\n" and multiline:
        return character
    if number < 0x20:
        return chr(0x2400 + number)
    if number == 0x7F:
        return "␡"
    if character in _INVISIBLE or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"}:
        return _code_point(character)
    return character


def _code_point(character: str) -> str:
    return f"⟨{ord(character):04X}⟩"
