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
        if path in aliases.out:
            value = aliases.to_wire(path, value)  # noqa: PLW2901
        # Nearly everything is text already, and this runs for every value of every record.
        if type(value) is str:
            out[path] = value
        elif value is None:
            out[path] = ""
        elif isinstance(value, bool):
            out[path] = "true" if value else "false"
        elif isinstance(value, dict | list):
            out[path] = orjson.dumps(value).decode()
        else:
            out[path] = str(value)
    return out
