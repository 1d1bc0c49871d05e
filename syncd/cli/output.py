"""What a command says: text for people, one envelope for scripts, and errors in one line."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

FINE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
ENVIRONMENT: Final = 3
INTERRUPTED: Final = 130
_OWN_COLOUR: Final = re.compile(r"(\x1b\[(?:32|33|31|2|1|0)m)")


class CommandError(Exception):
    """A command cannot do its work. The message says what, where and what to do, in one line."""

    def __init__(self, message: str, exit_code: int = FAILED, *, code: str = "failed") -> None:
        self.exit_code = exit_code
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a command."""

    command: str
    summary: str
    """One line."""
    result: Any = None
    """Anything JSON can hold."""
    lines: Sequence[str] = field(default_factory=tuple)
    """What is shown to people above the summary."""
    exit_code: int = FINE
    error: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        return self.exit_code == FINE


def show(report: Report, *, as_json: bool) -> int:
    """Write the report to standard output; the exit code."""
    if as_json:
        say(envelope(report.command, ok=report.ok, summary=report.summary, result=report.result, error=report.error))
    else:
        for line in report.lines:
            say(line)
        if report.summary:
            say(report.summary)
    return report.exit_code


def envelope(command: str, *, ok: bool, summary: str, result: Any = None, error: dict[str, Any] | None = None) -> str:
    """The one JSON shape of every command: ``command, ok, summary, result, error``."""
    shape = {"command": command, "ok": ok, "summary": summary, "result": result, "error": error}
    return json.dumps(shape, ensure_ascii=False, default=str)


def say(line: str) -> None:
    sys.stdout.write(_encodable(line, sys.stdout.encoding) + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    sys.stderr.write(_encodable(line, sys.stderr.encoding) + "\n")
    sys.stderr.flush()


def _encodable(line: str, encoding: str | None) -> str:
    """Without control characters but our own colours, and in what the terminal can show."""
    parts = _OWN_COLOUR.split(line)
    clean = "".join(part if place % 2 else _visible(part) for place, part in enumerate(parts))
    return clean.encode(encoding or "utf-8", "backslashreplace").decode(encoding or "utf-8")


def _visible(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in text)


def coloured(text: str, colour: str) -> str:
    """Text in a colour when people look at it: a terminal, and neither ``NO_COLOR`` nor a dumb one."""
    codes = {"green": "32", "yellow": "33", "red": "31", "dim": "2", "bold": "1"}
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if plain else f"\x1b[{codes[colour]}m{text}\x1b[0m"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, two spaces apart."""
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
