"""One measurement of one queue, in the peers' own environment; nothing here imports syncd.

    python bench/peers NAME WHAT COUNT ADDRESS

``WHAT`` is ``enqueue`` (durable, from 64 callers), ``jobs`` (no-op jobs worked off) or ``latency`` (commit to start,
at 50 a second). Prints JSON: seconds taken, or lists of latencies in seconds.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import warnings


def main() -> None:
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.ERROR)
    logging.disable(logging.CRITICAL)
    name, what, count, address = sys.argv[1:5]
    peer = importlib.import_module(f"{name}_peer")
    print(json.dumps(getattr(peer, what)(int(count), address)))


main()
