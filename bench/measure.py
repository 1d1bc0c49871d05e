"""What every benchmark uses: subjects and peers in processes of their own, medians, ratios, verdicts."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.servers import SERVERS, MissingServerError

HERE = Path(__file__).resolve().parent
PEERS_PYTHON = HERE / ".venv-peers" / "bin" / "python"
TIMEOUT = 900
PEERS = tuple(SERVERS)


@dataclass
class Line:
    """One ratio beside its goal. ``least`` tells whether the ratio must reach the goal or stay below it."""

    goal: str
    what: str
    ratio: float
    wanted: float
    least: bool
    ours: str
    theirs: str

    @property
    def reached(self) -> bool:
        return self.ratio >= self.wanted if self.least else self.ratio <= self.wanted

    def __str__(self) -> str:
        sign = ">=" if self.least else "<="
        mark = "reached" if self.reached else "NOT reached"
        return (
            f"{self.goal:>3}  {self.what:<46} {self.ratio:8.2f}  {sign} {self.wanted:<6g} {mark:<11}  "
            f"{self.ours} / {self.theirs}"
        )


@dataclass
class Report:
    name: str
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def ratio(self, goal: str, what: str, ratio: float, wanted: float, *, least: bool, of: tuple[str, str]) -> None:
        line = Line(goal, what, ratio, wanted, least, *of)
        self.lines.append(line)
        print(line, flush=True)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(f"     {text}", flush=True)

    def save(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        told = {**asdict(self), "reached": [one.reached for one in self.lines]}
        (folder / f"{self.name}.json").write_text(json.dumps(told, indent=1) + "\n")


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk that is measured: ``BENCH_DIR``, or where temporary files go."""
    with tempfile.TemporaryDirectory(prefix="sb-", dir=os.environ.get("BENCH_DIR")) as folder:
        yield Path(folder)


def syncd(name: str, *arguments: int, folder: Path | None = None) -> Any:
    """One subject of :mod:`bench.subjects`, in a process of its own, on a state folder of its own."""
    with contextlib.ExitStack() as stack:
        place = folder or stack.enter_context(scratch())
        return _json([sys.executable, "-m", "bench.subjects", name, str(place), *map(str, arguments)])


def peer(name: str, what: str, count: int, address: str) -> Any:
    with scratch() as folder:
        # Only huey keeps its queue in a file of its own, a new one for every measurement.
        return _json([str(PEERS_PYTHON), str(HERE / "peers"), name, what, str(count), address.format(folder.name)])


@contextlib.contextmanager
def available_peers(report: Report) -> Iterator[dict[str, str]]:
    """Addresses of the peers whose servers run; the others are named, never left out in silence."""
    found: dict[str, str] = {}
    if not PEERS_PYTHON.exists():
        report.note("every queue is skipped: bench/.venv-peers is missing; bash bench/setup.sh makes it")
        yield found
        return
    with contextlib.ExitStack() as stack:
        for name, server in SERVERS.items():
            try:
                found[name] = stack.enter_context(server())
            except MissingServerError as error:
                report.note(f"{name} is skipped: {error}")
        yield found


def quantile(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def middle(runs: Sequence[dict[str, float]], name: str) -> float:
    return median(one[name] for one in runs)


def _json(command: list[str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, cwd=HERE.parent, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
