"""``syncd start``, ``demo`` and ``sandbox``: the commands that run for long. Their rooms are imported here only."""

from __future__ import annotations

from pathlib import Path

from syncd.cli.output import USAGE, CommandError


def start_daemon(path: Path | None, *, log_level: str | None, log_format: str | None, state_dir: str | None) -> int:
    from syncd.config import load

    flags = {("log", "level"): log_level, ("log", "format"): log_format, ("state", "dir"): state_dir}
    configuration = load(path, flags={key: value for key, value in flags.items() if value})
    from syncd.daemon import run

    return run(configuration)


def run_demo(
    *,
    headless: bool,
    seconds: float | None,
    seed: int,
    report: Path | None,
    faults: str,
    kill: int,
    outage: str,
    orders: Path | None,
    config: Path | None,
    crm: str,
) -> int:
    if seconds is not None and not 0 < seconds <= 86_400:
        raise CommandError("--seconds must be above 0 and at most 86400", USAGE, code="usage")
    if not 0 <= kill <= 10_000:
        raise CommandError("--kill must be between 0 and 10000", USAGE, code="usage")
    if orders is not None and not orders.is_file():
        raise CommandError(f"--orders: there is no file {orders}", USAGE, code="usage")
    from syncd.demo.main import DemoOptions, run

    return run(
        DemoOptions(
            headless=headless, seconds=seconds, seed=seed, report=report, faults=faults, kill=kill, outage=outage,
            orders=orders, config=config, crm=crm,
        )
    )  # fmt: skip


def run_sandbox(
    *, port: int, seed: int, faults: str, host: str, vendors: tuple[str, ...], scale: int, plans: str
) -> int:
    from syncd.sandbox.command import KNOWN_VENDORS, SandboxOptions, run

    return run(
        SandboxOptions(
            port=port, seed=seed, faults=faults, vendors=vendors or KNOWN_VENDORS, host=host, scale=scale, plans=plans
        )
    )
