"""python -m bench [NAME ...] [--quick]: run benchmarks, print ratios, write bench/results/NAME.json."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Mapping

from bench import hydrate, intake, queues, sandbox, weight
from bench.measure import HERE, Report

BENCHMARKS: Mapping[str, Callable[..., Report]] = {
    "intake": intake.intake,
    "kills": intake.kills,
    "latency": queues.latency,
    "whole": queues.whole,
    "economy": weight.economy,
    "memory": weight.memory,
    "restart": weight.restart,
    "backlog": weight.backlog,
    "sandbox": sandbox.sandbox,
    "hydrate": hydrate.hydrate,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it runs, measures nothing")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}")
    # Told to end, the servers that were started must end too: by way of the context managers that hold them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    for name in options.names or BENCHMARKS:
        print(f"{name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}", flush=True)
        report = BENCHMARKS[name](quick=options.quick)
        if not options.quick:
            report.save(HERE / "results")
    return 0


if __name__ == "__main__":
    sys.exit(main())
