"""Write the table of disturbances in systems.md: how faults and deeds of a simulator are called, and who has them.

It is made of what the code declares: the settings of ``FaultPlan``, the common ``DEEDS`` and each vendor's ``words``.
"""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path

from syncd.sandbox.command import simulator
from syncd.sandbox.deeds import DEEDS
from syncd.sandbox.faults import VENDORS, FaultPlan

PAGE = Path(__file__).parent / "systems.md"
MARKS = ("<!-- disturbances: written by `make docs` -->", "<!-- disturbances end -->")


def table() -> str:
    head = ["| | what | " + " | ".join(VENDORS) + " |", "|---|---|" + "---|" * len(VENDORS)]
    rates = [_row(one.name, one.metadata["means"], one.metadata["vendors"]) for one in fields(FaultPlan)]
    known = {name: simulator(name).words for name in VENDORS}
    deeds = [_row(word, means, [name for name in VENDORS if word in known[name]]) for word, means in DEEDS.items()]
    return "\n".join([*head, *rates, "| **deeds** | |" + " |" * len(VENDORS), *deeds])


def _row(name: str, means: str, vendors: object) -> str:
    here = set(vendors) if isinstance(vendors, list | tuple) else set()
    return f"| `{name}` | {means} | " + " | ".join("✓" if one in here else "" for one in VENDORS) + " |"


def written(page: str) -> str:
    """The page with the table renewed. Raises ``ValueError`` where it has no marks."""
    pattern = re.compile(f"{re.escape(MARKS[0])}.*{re.escape(MARKS[1])}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError("docs/systems.md has no place for the table of disturbances")
    return pattern.sub(lambda _found: f"{MARKS[0]}\n\n{table()}\n\n{MARKS[1]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    sys.exit(0)
