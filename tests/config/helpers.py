"""What the configuration tests share."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from syncd.config import Configuration, ConfigurationError, loads

BASE = """
[connections.shop]
system = "commercetools"
project = "acme"
region = "europe-west1.gcp"
client_id = "syncd-client"

[connections.crm]
system = "hubspot"
"""

ENVIRON = {"HOME": "/home/ada", "STATE_DIRECTORY": "/var/lib/syncd"}


def read(text: str = "", *, base: str = BASE, environ: Mapping[str, str] | None = None) -> Configuration:
    return loads(base + text, environ=ENVIRON if environ is None else environ)


def problems(text: str = "", *, base: str = BASE, environ: Mapping[str, str] | None = None) -> list[str]:
    """Every problem as one line, without the file's name."""
    with pytest.raises(ConfigurationError) as caught:
        read(text, base=base, environ=environ)
    return [str(one).partition(": ")[2] for one in caught.value.problems]


def only(text: str = "", *, base: str = BASE, environ: Mapping[str, str] | None = None) -> str:
    found = problems(text, base=base, environ=environ)
    assert len(found) == 1, found
    return found[0]
