"""What the verbs print: one envelope for all of them with ``--json``, plain lines otherwise; and the exit codes.

Nothing here knows the terminal application, so that a verb starts without loading it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from console.client import ClientError, GarbledError, RefusedError, UnreachableError
from console.sanitise import clean, fit

FINE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
ENVIRONMENT: Final = 3

_BY_STATUS: Final = {
    400: USAGE,
    404: USAGE,
    409: FAILED,
    401: ENVIRONMENT,
    403: ENVIRONMENT,
    429: ENVIRONMENT,
    503: ENVIRONMENT,
}


class UsageProblemError(Exception):
    """The command line cannot mean anything; exit code 2."""

    code = "usage"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb found out or did."""

    summary: str
    result: Any = None
    lines: Sequence[str] = field(default=())
    """For people; not yet sanitised."""
    ok: bool = True


def exit_code(error: Exception) -> int:
    """0 fine, 1 the operation failed, 2 usage or not found, 3 the daemon or its vendors cannot be reached."""
    if isinstance(error, UsageProblemError):
        return USAGE
    if isinstance(error, UnreachableError | GarbledError):
        return ENVIRONMENT
    return _BY_STATUS.get(error.status, FAILED) if isinstance(error, RefusedError) else FAILED


def as_text(command: str, answer: Answer | None, error: Exception | None = None) -> str:
    """The envelope. Only ASCII leaves, so that no terminal acts on a value; escapes keep every value exact."""
    problem = None
    if error is not None:
        code = error.code if isinstance(error, ClientError | UsageProblemError) else "error"
        problem = {"code": code, "message": str(error)}
    elif answer is not None and not answer.ok:
        problem = {"code": "failed", "message": answer.summary}
    envelope = {
        "command": command,
        "ok": problem is None,
        "summary": answer.summary if answer else str(error),
        "result": msgspec.to_builtins(answer.result) if answer else None,
        "error": problem,
    }
    # json leaves DEL as it is.
    return json.dumps(envelope, ensure_ascii=True).replace("\x7f", "\\u007f")


def print_answer(command: str, answer: Answer, *, as_json: bool) -> None:
    if as_json:
        _write(as_text(command, answer))
        return
    for text in answer.lines:
        _write(clean(text))
    if not answer.lines or not answer.ok or sys.stdout.isatty():
        _write(clean(answer.summary))


def print_problem(command: str, error: Exception, *, as_json: bool) -> None:
    """One line: to standard output as an envelope, or to standard error in words."""
    if as_json:
        _write(as_text(command, None, error))
    else:
        sys.stderr.write(f"syncctl: {clean(error)}\n")


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[int] = ()) -> list[str]:
    """Aligned columns. On a terminal the last column is cut to its width; piped, nothing is cut."""
    cells = [[clean(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    out = []
    for row in cells:
        parts = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.append("  ".join(parts).rstrip())
    width = _terminal_width()
    return out if width is None else [fit(text, width) for text in out]


def _terminal_width() -> int | None:
    if not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return None
