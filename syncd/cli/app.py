"""The commands and their options. Each command's work is a module of its own, imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from syncd.cli.failures import guarded

HELP: Final = """Keeps CRMs and commerce engines in step, both ways.

Exit codes: 0 fine, 1 the operation failed, 2 usage or configuration, 3 environment (unreachable, credentials, rate).
"""
EPILOG: Final = "Every command takes --debug: errors come with a traceback."

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        help="Configuration file. Default: $SYNCD_CONFIG, ./syncd.toml, ~/.config/syncd/syncd.toml, "
        "/etc/syncd/syncd.toml.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document: command, ok, summary, result, error.")]
LogLevel = Annotated[
    str | None, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error.", show_default=False)
]
LogFormat = Annotated[
    str | None, typer.Option("--log-format", metavar="FORMAT", help="auto, json or text.", show_default=False)
]
StateDir = Annotated[
    str | None, typer.Option("--state-dir", metavar="DIR", help="Where syncd keeps its state.", show_default=False)
]


def _typer(**options: Any) -> typer.Typer:
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


app = _typer(name="syncd", help=HELP, epilog=EPILOG)
credentials = _typer(help="Secrets of connections and event sources.")
config = _typer(help="The configuration.")
app.add_typer(credentials, name="credentials")
app.add_typer(credentials, name="credential", hidden=True)
app.add_typer(config, name="config")


def _finish(code: int) -> None:
    raise typer.Exit(code)


@app.command()
def init(
    systems: Annotated[
        list[str] | None,
        typer.Argument(help="Systems to connect, as SYSTEM or NAME=SYSTEM. Default: shop=commercetools crm=hubspot."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="Where to write; - for stdout.")
    ] = Path("syncd.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write a commented configuration for the systems chosen."""
    from syncd.cli.init import write_configuration

    _finish(write_configuration(systems or [], config or output, force=force, as_json=json))


@app.command()
def check(
    connections: Annotated[
        list[str] | None, typer.Argument(help="Connections to test. Default: all.", show_default=False)
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Validate only; call nobody, read no secret.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each connection.")] = 60.0,
    config: Config = None,
    json: Json = False,
) -> None:
    """The doctor: validate the configuration, then test every connection, its scopes, fields and clock."""
    from syncd.cli.check import check_all

    _finish(check_all(config, tuple(connections or ()), offline=offline, strict=strict, timeout=timeout, as_json=json))


@app.command()
def provision(
    connections: Annotated[
        list[str] | None, typer.Argument(help="Connections to look at. Default: all.", show_default=False)
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Create what is missing. Without it: say what would be.")
    ] = False,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For each connection.")] = 120.0,
    config: Config = None,
    json: Json = False,
) -> None:
    """What the vendors' accounts lack for the mappings: properties, types, pipelines and stages."""
    from syncd.cli.check import provision_all

    _finish(provision_all(config, tuple(connections or ()), apply=apply, timeout=timeout, as_json=json))


Account = Annotated[str, typer.Argument(help="Connection or event source.", metavar="CONNECTION")]
SecretName = Annotated[str, typer.Argument(help="Which secret, such as access_token.", metavar="NAME")]


@credentials.command("set")
def credentials_set(account: Account, name: SecretName, config: Config = None, json: Json = False) -> None:
    """Store a secret, read from a prompt without echo, or from standard input."""
    from syncd.cli.credentials import set_secret

    _finish(set_secret(config, account, name, as_json=json))


@credentials.command("list")
def credentials_list(config: Config = None, json: Json = False) -> None:
    """Which secrets the configuration needs, where each is found, and which backends are usable."""
    from syncd.cli.credentials import list_secrets

    _finish(list_secrets(config, as_json=json))


@credentials.command("test")
def credentials_test(
    accounts: Annotated[
        list[str] | None, typer.Argument(help="Connections or event sources. Default: all.", show_default=False)
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Read every needed secret, and sign in with those of connections."""
    from syncd.cli.credentials import test_secrets

    _finish(test_secrets(config, tuple(accounts or ()), as_json=json))


@credentials.command("delete")
def credentials_delete(account: Account, name: SecretName, config: Config = None, json: Json = False) -> None:
    """Remove a secret from the stores that syncd writes to."""
    from syncd.cli.credentials import delete_secret

    _finish(delete_secret(config, account, name, as_json=json))


@credentials.command("seal-key")
def credentials_seal_key(
    path: Annotated[
        Path | None,
        typer.Argument(help="Default: credentials.seal_key_file of the configuration.", show_default=False),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make the key of the sealed store, in a file that only you can read."""
    from syncd.cli.credentials import make_seal_key

    _finish(make_seal_key(config, path, as_json=json))


@config.command("show")
def config_show(config: Config = None, json: Json = False) -> None:
    """Every effective value and where it comes from."""
    from syncd.cli.show import show_configuration

    _finish(show_configuration(config, as_json=json))


@app.command()
def start(
    config: Config = None, log_level: LogLevel = None, log_format: LogFormat = None, state_dir: StateDir = None
) -> None:
    """Run the daemon in the foreground."""
    from syncd.cli.start import start_daemon

    _finish(start_daemon(config, log_level=log_level, log_format=log_format, state_dir=state_dir))


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="No console: a progress line and a report.")] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="N", help="How long to trade.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Same seed, same shop.")] = 0,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="PATH", help="Write the figures as JSON.", show_default=False)
    ] = None,
    faults: Annotated[str, typer.Option("--faults", metavar="NAME", help="What the vendors do wrong.")] = "none",
    kill: Annotated[int, typer.Option("--kill", metavar="N", help="SIGKILL and restart the daemon N times.")] = 0,
    outage: Annotated[
        str, typer.Option("--outage", metavar="CONNECTION", help="Keep this vendor down.", show_default=False)
    ] = "",
    orders: Annotated[
        Path | None,
        typer.Option("--orders", metavar="CSV", help="Replay a real purchase history.", show_default=False),
    ] = None,
    crm: Annotated[str, typer.Option("--crm", metavar="NAME", help="hubspot or salesforce.")] = "hubspot",
    config: Config = None,
) -> None:
    """Simulated vendors, a trading shop, the daemon and the console, on loopback and in a temporary folder."""
    from syncd.cli.start import run_demo

    _finish(
        run_demo(
            headless=headless, seconds=seconds, seed=seed, report=report, faults=faults, kill=kill, outage=outage,
            orders=orders, config=config, crm=crm,
        )
    )  # fmt: skip


@app.command()
def sandbox(
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="Of the admin door; vendors follow. 0: free ones.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="N")] = 0,
    faults: Annotated[str, typer.Option("--faults", metavar="NAME", help="What the vendors do wrong.")] = "none",
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS")] = "127.0.0.1",
    vendors: Annotated[
        list[str] | None,
        typer.Option("--vendor", metavar="NAME", help="Repeatable; else all four.", show_default=False),
    ] = None,
    scale: Annotated[
        int, typer.Option("--scale", metavar="PEOPLE", help="A world of so many people, known to all vendors.")
    ] = 0,
    plans: Annotated[
        str, typer.Option("--plan", metavar="VENDOR=PLAN,...", help="Editions or plans: salesforce=developer.")
    ] = "",
    config: Config = None,
) -> None:
    """The simulated vendors alone. Prints their addresses as one line of JSON."""
    from syncd.cli.start import run_sandbox

    del config  # the sandbox has no use for it; every command takes it
    _finish(
        run_sandbox(
            port=port, seed=seed, faults=faults, host=host, vendors=tuple(vendors or ()), scale=scale, plans=plans
        )
    )


@app.command()
def version(config: Config = None, json: Json = False) -> None:
    """Versions of syncd, Python and SQLite."""
    del config  # every command takes it
    from syncd.cli.version import show_version

    _finish(show_version(as_json=json))


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    if show:
        from syncd.cli.version import installed_version

        typer.echo(f"syncd {installed_version()}")
        _finish(0)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        _finish(2)


def run(arguments: list[str]) -> int:
    """Parse, run, and turn every failure into one line and an exit code."""
    debug = "--debug" in arguments
    rest = [one for one in arguments if one != "--debug"]
    return guarded(lambda: app(args=rest, prog_name="syncd", standalone_mode=False), rest, debug=debug)
