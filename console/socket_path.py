"""Where the control socket of the daemon is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

SYSTEM_SOCKET = Path("/run/syncd/control.sock")


def socket_path(given: str | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The first of: what was given, ``SYNCD_SOCKET``, the user's own runtime folder, the system's.

    Of the last two the one that exists is taken, so that one command serves a daemon of either kind.
    """
    named = given or environment.get("SYNCD_SOCKET")
    if named:
        return Path(named).expanduser()
    runtime = environment.get("XDG_RUNTIME_DIR")
    if not runtime:
        return SYSTEM_SOCKET
    own = Path(runtime) / "syncd" / "control.sock"
    return SYSTEM_SOCKET if SYSTEM_SOCKET.exists() and not own.exists() else own
