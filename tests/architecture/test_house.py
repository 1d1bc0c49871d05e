"""The house holds: arrows point downwards, commands start light, modules stay small, nothing is left half done."""

from __future__ import annotations

import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("syncd", "console", "bench")
    for path in (ROOT / folder).rglob("*.py")
    if ".venv" not in str(path) and not path.stem.endswith("_pb2")  # environments, and what protoc made
)
HEAVY = {
    "textual", "textual_plotext", "plotext", "hubspot", "simple_salesforce", "zeep", "httpx", "uvicorn", "starlette",
    "pydantic", "apscheduler", "aiosqlite", "cryptography", "keyring", "prometheus_client", "uvloop", "grpc",
}  # fmt: skip
"""What a command that only says its version has no use for."""


def loaded(*modules: str) -> set[str]:
    """Top-level packages in memory after importing ``modules`` in a fresh interpreter."""
    code = f"import sys, {', '.join(modules)}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.split())


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout[-4000:]


@pytest.mark.parametrize(
    ("module", "needs"), [("syncd.cli", set()), ("syncd.cli.app", set()), ("console.cli", {"httpx"})]
)
def test_a_command_starts_without_what_it_may_not_need(module: str, needs: set[str]) -> None:
    assert loaded(module) & HEAVY <= needs


def test_an_idle_daemon_does_not_carry_the_vendors_clients() -> None:
    assert not loaded("syncd.daemon") & {"hubspot", "simple_salesforce", "zeep", "grpc", "fastavro", "textual"}


def test_the_model_needs_nothing_but_the_standard_library() -> None:
    foreign = loaded("syncd.model.merge", "syncd.model.diff", "syncd.model.mapping", "syncd.model.failure") - loaded(
        "json", "decimal"
    )
    assert not {name for name in foreign if name not in sys.stdlib_module_names} - {"syncd"}


def test_no_module_is_longer_than_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in SOURCES
        if (count := len(path.read_text("utf-8").splitlines())) > 500
    }
    assert not long


def test_every_module_says_what_it_is_for() -> None:
    assert not [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name != "__main__.py" and _code(path) and not _documented(path)
    ]


def test_nothing_is_marked_as_unfinished() -> None:
    mark = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|pragma: no " + "cover")
    found = []
    for path in SOURCES:
        with tokenize.open(path) as source:
            found += [
                f"{path.relative_to(ROOT)}:{number}" for number, line in enumerate(source, 1) if mark.search(line)
            ]
    assert not found


def test_every_silenced_finding_names_what_it_silences() -> None:
    bare = re.compile(r"#\s*(noqa(?!:)|type: ignore(?!\[))")
    assert not [str(path.relative_to(ROOT)) for path in SOURCES if bare.search(path.read_text("utf-8"))]


def _code(path: Path) -> bool:
    return bool(path.read_text("utf-8").strip())


def _documented(path: Path) -> bool:
    return path.read_text("utf-8").lstrip().startswith(('"""', 'r"""'))
