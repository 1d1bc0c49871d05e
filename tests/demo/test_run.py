"""One whole demonstration, as a newcomer runs it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

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


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes where Linux lists them")
def test_a_demonstration_whose_terminal_is_closed_leaves_no_process_and_no_file_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="sd-") as folder:
        running = subprocess.Popen(
            [sys.executable, "-m", "syncd.cli", "demo", "--headless", "--seconds", "60"], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=clean_environment() | {"TMPDIR": folder},
        )  # fmt: skip
        assert running.stdout is not None
        with running.stdout as said:
            assert any("acknowledged" in line for line in said), "it never began"
            assert of(folder)
            running.send_signal(signal.SIGHUP)
            running.wait(20)
        assert not of(folder)
        assert list(Path(folder).iterdir()) == []


def of(folder: str) -> list[str]:
    """Processes that speak of a folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(one.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [one for one in found if folder in one]
