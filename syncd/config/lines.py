"""On which line of a TOML text a key stands. Best effort, for error messages; the parser itself does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

Key: TypeAlias = tuple[str | int, ...]

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT: Final = re.compile(rf"^\s*({_DOTTED})\s*=")
_TRIPLE: Final = re.compile(r'"""|\'\'\'')


def _split(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


def key_lines(text: str) -> Mapping[Key, int]:
    """Line numbers, from 1, by key. Elements of arrays of tables have their index in the key."""
    found: dict[Key, int] = {}
    arrays: dict[Key, int] = {}
    prefix: Key = ()
    quote = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if quote:
            quote = "" if quote in line else quote
            continue
        if header := _HEADER.match(line):
            prefix = _enter(_split(header[2]), arrays, is_array=header[1] == "[[")
            for length in range(1, len(prefix) + 1):
                found.setdefault(prefix[:length], number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault(prefix + tuple(_split(assignment[1])), number)
            marks = _TRIPLE.findall(line)
            quote = marks[0] if len(marks) % 2 else ""
    return found


def _enter(parts: list[str], arrays: dict[Key, int], *, is_array: bool) -> Key:
    """The key a header opens: within the newest element of every array of tables on the way."""
    here: Key = ()
    for place, part in enumerate(parts, start=1):
        here = (*here, part)
        if is_array and place == len(parts):
            arrays[here] = arrays.get(here, -1) + 1
        if here in arrays:
            here = (*here, arrays[here])
    return here


def line_of(lines: Mapping[Key, int], key: Key) -> int | None:
    """The line of a key, of the first thing inside it, or of the nearest thing around it."""
    if key in lines:
        return lines[key]
    inside = [number for one, number in lines.items() if key and one[: len(key)] == key]
    if inside:
        return min(inside)
    return next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), None)


def dotted(key: Key) -> str:
    """``mappings[2].fields.email``.

    >>> dotted(("mappings", 2, "fields", "email"))
    'mappings[2].fields.email'
    """
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else ascii(part[:40])
            text += f".{name}" if text else name
    return text
