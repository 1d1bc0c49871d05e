"""One whole demonstration, as a newcomer runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.scenarios.town import clean_environment

KEYS = [
    "acknowledged", "staged", "folded", "delivered", "dead_letters", "lost", "doubled", "carts_abandoned", "deals_open",
    "deals_won", "vendor_429", "latency_seconds", "intake_seconds",
]  # fmt: skip


def demo(*words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "syncd.cli", "demo", *words], capture_output=True, text=True, timeout=seconds, check=False,
        env=clean_environment(),
    )  # fmt: skip


def test_a_short_demonstration_ends_well_and_reports_its_figures_with_either_crm(tmp_path: Path) -> None:
    """Side by side, as both wait more than they work."""
    runs = {"hubspot": "6", "salesforce": "1"}

    def run(crm: str) -> subprocess.CompletedProcess[str]:
        report = str(tmp_path / f"{crm}.json")
        return demo("--headless", "--seconds", runs[crm], "--seed", "7", "--crm", crm, "--report", report)

    with ThreadPoolExecutor() as pool:
        ended = dict(zip(runs, pool.map(run, runs), strict=True))
    for crm, done in ended.items():
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        told = json.loads((tmp_path / f"{crm}.json").read_text())
        assert list(told) == KEYS
        assert (told["lost"], told["doubled"], told["dead_letters"]) == (0, 0, 0)
        assert told["acknowledged"] > 0
        assert told["carts_abandoned"] > 0
        assert told["deals_open"] > 0
        assert list(told["latency_seconds"]) == list(told["intake_seconds"]) == ["p50", "p95", "p99"]
        assert "Traceback" not in done.stdout + done.stderr


def test_a_demonstration_that_makes_no_sense_says_so(tmp_path: Path) -> None:
    broken = tmp_path / "orders.csv"
    broken.write_text("nothing\n")
    for words, code, told in (
        (("--outage", "erp"), 2, "expected crm or shop"),
        (("--crm", "rolodex"), 2, "expected hubspot or salesforce"),
        (("--config", "x.toml"), 2, "a configuration of its own"),
        (("--orders", str(broken)), 1, "columns"),
    ):
        done = demo("--headless", "--seconds", "1", *words)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done
        assert told in done.stderr
