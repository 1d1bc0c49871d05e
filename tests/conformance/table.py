"""The table of ``docs/systems.md``: what each system does with each object, from the trials that the suite runs.

``python -m tests.conformance.table`` writes it between its marks; ``make docs`` calls that, and a test demands that it
is current. A sign stands there exactly where a trial is run.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path

from tests.conformance.bench import Bench
from tests.conformance.cases import CASES, NEWS
from tests.conformance.suite import trials

PAGE = Path(__file__).resolve().parents[2] / "docs" / "systems.md"
MARKS = ("<!-- conformance: written by `make docs` -->", "<!-- conformance ends -->")


ORDER = ("commercetools", "hubspot", "salesforce", "bigcommerce")


def benches() -> list[type[Bench]]:
    """Every bench there is: the ``BENCH`` of each module ``bench_<system>``, in the order of the page."""
    names = {path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")}
    modules = [import_module(f"tests.conformance.bench_{name}") for name in ORDER if name in names]
    return [module.BENCH for module in modules]


def section(bench: type[Bench]) -> str:
    """One system's tables: writing and reading, then which channel tells which news."""
    run = list(trials(bench))
    doing = {(one.object, one.case.name) for one in run if one.channel is None}
    telling: dict[tuple[str, str], list[str]] = {}
    for one in run:
        if one.channel is not None:
            telling.setdefault((one.object, one.case.name), []).append(one.channel.value)
    columns = [case.name for case in CASES if any((subject.object, case.name) in doing for subject in bench.subjects)]
    lines = [f"### {bench.title}", "", _row("object", columns), _rule(len(columns))]
    for subject in bench.subjects:
        cells = ["✓" if (subject.object, name) in doing else "" for name in columns]
        lines.append(_row(f"`{subject.object}`", cells))
    heads = [news.name for news in NEWS]
    lines += ["", _row("news of", heads), _rule(len(heads))]
    for subject in bench.subjects:
        cells = [", ".join(telling.get((subject.object, name), ())) for name in heads]
        lines.append(_row(f"`{subject.object}`", cells))
    return "\n".join(lines)


def _row(first: str, cells: list[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _rule(count: int) -> str:
    return f"|{'---|' * (count + 1)}"


def table() -> str:
    return "\n\n".join(section(one) for one in benches())


def written(page: str) -> str:
    """The page with the table renewed. Raises ``ValueError`` where it has no marks."""
    pattern = re.compile(f"{re.escape(MARKS[0])}.*{re.escape(MARKS[1])}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError("docs/systems.md has no place for the table")
    return pattern.sub(lambda _found: f"{MARKS[0]}\n\n{table()}\n\n{MARKS[1]}", page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    sys.exit(0)
