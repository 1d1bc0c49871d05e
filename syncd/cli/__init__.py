"""The ``syncd`` command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 fine, 1 failed, 2 usage or configuration, 3 environment."""
    from syncd.cli.app import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
