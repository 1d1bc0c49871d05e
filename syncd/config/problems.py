"""What is wrong with a configuration: every problem at once, each with its place, the rule and the value given."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

SHOWN_LENGTH: Final = 60
_SECRET_NAME: Final = re.compile(
    r"(secret|token|password|passwd|passphrase|credential|private_?key|api_?key|access_?key|seal_?key)", re.IGNORECASE
)
_SECRET_TEXT: Final = re.compile(
    r"pat-[a-z0-9]+-|whsec_|whsk_|Bearer\s|://[^/\s]*:[^/\s]*@|-----BEGIN|[A-Za-z0-9+/_=-]{32,}"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, in one line."""

    key: str
    """Dotted, such as ``connections.crm.budget.share``; empty for the file as a whole."""
    rule: str
    """What was expected, and where it helps, what to write instead."""
    file: str = ""
    line: int | None = None
    given: str = ""
    """The offending value as written, shortened; never a secret."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        parts = [part for part in (place, self.key) if part]
        return ": ".join([*parts, self.rule]) + (f" (given: {self.given})" if self.given else "")


class ConfigurationError(Exception):
    """The configuration cannot be used. ``problems`` holds every one that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def looks_secret(name: str) -> bool:
    """Whether a key of this name would hold a secret."""
    return bool(_SECRET_NAME.search(name))


def shown(key: str, value: Any) -> str:
    """A value as it may stand in an error: short, on one line, and masked when it might be a secret."""
    if value is None or isinstance(value, dict | list | tuple):
        return ""
    if isinstance(value, str):
        last = key.rpartition(".")[2]
        if looks_secret(last) or _SECRET_TEXT.search(value):
            return "***"
        value = value if len(value) <= SHOWN_LENGTH else value[:SHOWN_LENGTH] + "..."
        return ascii(value)
    if isinstance(value, bool):
        return str(value).lower()
    return ascii(value)[:SHOWN_LENGTH]


def meant(word: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` when a known word is close, otherwise the known words when they are few."""
    words = sorted(set(known))
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; known: {', '.join(words)}" if 0 < len(words) <= 16 else ""
