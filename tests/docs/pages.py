"""The documents as the tests read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_SKIPPED: Final = frozenset({".venv", ".venv-tools", ".git", "node_modules", ".pytest_cache", ".hypothesis"})


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown page of the repository."""
    found = (path for path in ROOT.rglob("*.md") if not _SKIPPED & set(path.relative_to(ROOT).parts))
    return tuple(sorted(path for path in found if not any(part.startswith(".venv") for part in path.parts)))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def text(page: Path | str) -> str:
    return (ROOT / page).read_text("utf-8")


def all_text() -> str:
    return "\n".join(text(page) for page in pages())


@dataclass(frozen=True)
class Example:
    """A fenced block."""

    page: Path
    line: int
    language: str
    body: str

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"


_FENCE: Final = re.compile(r"^```([^\n`]*)\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> Iterator[Example]:
    for found in _FENCE.finditer(text(page)):
        line = text(page)[: found.start()].count("\n") + 1
        yield Example(page, line, found[1].strip(), found[2])


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text(page))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    plain = re.sub(r"[`*_]", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(page: Path) -> frozenset[str]:
    return frozenset(slug(found[1]) for found in re.finditer(r"^#{1,6} (.+)$", prose(page), re.MULTILINE))
