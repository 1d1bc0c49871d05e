"""``syncd version``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version

from syncd.cli.output import Report, show


def installed_version() -> str:
    try:
        return _version("syncd")
    except PackageNotFoundError:
        return "0 (not installed)"


def show_version(*, as_json: bool) -> int:
    import sqlite3

    versions = {
        "syncd": installed_version(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    summary = f"syncd {versions['syncd']} (Python {versions['python']}, SQLite {versions['sqlite']})"
    return show(Report("version", summary, versions), as_json=as_json)
