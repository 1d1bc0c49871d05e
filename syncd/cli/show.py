"""``syncd config show``."""

from __future__ import annotations

from pathlib import Path

from syncd.cli.output import Report, coloured, show


def show_configuration(path: Path | None, *, as_json: bool) -> int:
    from syncd.config import load_with_source
    from syncd.config.describe import describe_effective

    loaded = load_with_source(path)
    lines = describe_effective(loaded)
    shown = [f"{one.key} = {one.value}  {coloured('# ' + one.origin, 'dim')}" for one in lines]
    result = {
        "file": str(loaded.configuration.path),
        "values": [{"key": one.key, "value": one.value, "origin": one.origin} for one in lines],
    }
    summary = f"{len(lines)} values from {loaded.configuration.path}"
    return show(Report("config show", "" if not as_json else summary, result, shown), as_json=as_json)
