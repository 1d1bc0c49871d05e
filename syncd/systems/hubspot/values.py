"""Values as they stand on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from syncd.systems.hubspot.pipelines import PLAIN, Aliases


def wire(values: Mapping[str, Any], aliases: Aliases = PLAIN) -> dict[str, str]:
    """Values as the vendor takes them: text throughout, ``""`` for null (``null`` does not clear reliably)."""
    out: dict[str, str] = {}
    for path, value in values.items():
        match aliases.to_wire(path, value):
            case None:
                out[path] = ""
            case bool(truth):
                out[path] = "true" if truth else "false"
            case dict() | list() as nested:
                out[path] = orjson.dumps(nested).decode()
            case plain:
                out[path] = str(plain)
    return out
