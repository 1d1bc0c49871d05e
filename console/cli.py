"""The ``syncctl`` command: the terminal application, and the same verbs for scripts.

Exit codes: 0 fine, 1 the operation failed, 2 usage (also not found), 3 the daemon cannot be reached.
The terminal application is loaded only when it is wanted: verbs start without it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final

import typer
from typer._click.exceptions import ClickException

from console import acting, reading
from console.client import Client, ClientError
from console.envelope import FAILED, FINE, USAGE, Answer, UsageProblemError, exit_code, print_answer, print_problem
from console.socket_path import socket_path

EPILOG: Final = "Exit codes: 0 fine, 1 the operation failed, 2 usage or not found, 3 the daemon cannot be reached."

Socket = Annotated[
    str, typer.Option("--socket", metavar="PATH", help="The daemon's control socket.", envvar="SYNCD_SOCKET")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON envelope: command, ok, summary, result, error.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, kept in the audit.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many rows.")]
Connection = Annotated[str, typer.Option("--connection", metavar="NAME", help="Only this connection.")]
EntityName = Annotated[str, typer.Option("--entity", metavar="NAME", help="Only this entity.")]
Fingerprint = Annotated[str, typer.Option("--fingerprint", metavar="FP", help="All open ones of this cause.")]
Everything = Annotated[bool, typer.Option("--all", help="All open ones.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Dead letters by id.")]
RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="The id of a record.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="A connection, or a mapping as connection.object.")]

app = typer.Typer(
    name="syncctl", epilog=EPILOG, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="The operator's console of syncd. Without a verb it opens the terminal application.",
)  # fmt: skip


class _Context:
    """What was said before the verb."""

    socket: str = ""
    read_only: bool = False


_context = _Context()


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    socket: Socket = "",
    read_only: Annotated[bool, typer.Option("--read-only", envvar="SYNCD_READONLY", help="Change nothing.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours (also: NO_COLOR).")] = False,
    light: Annotated[bool, typer.Option("--light", help="Light colours.")] = False,
    screenshot: Annotated[str, typer.Option("--screenshot", hidden=True)] = "",
    screen: Annotated[str, typer.Option("--screen", hidden=True)] = "overview",
    size: Annotated[str, typer.Option("--size", hidden=True)] = "80x24",
) -> None:
    _context.socket, _context.read_only = socket, read_only
    if no_color:
        os.environ["NO_COLOR"] = "1"
    if context.invoked_subcommand is not None:
        return
    _open(light=light, screenshot=screenshot, screen=screen, size=size)


def _open(*, light: bool, screenshot: str, screen: str, size: str) -> None:
    path = socket_path(_context.socket or None)
    if not screenshot and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageProblemError(
            "the terminal application needs a terminal; `syncctl --help` names the verbs for scripts"
        )
    # Late, so that verbs do not pay for it.
    from console.app import ConsoleApp

    console = ConsoleApp(Client(path), who=acting.operator(), read_only=_context.read_only, light=light)
    if screenshot:
        from console.picture import take

        asyncio.run(take(console, screenshot, screen=screen, size=size))
        return
    console.run()
    raise typer.Exit(console.return_code or FINE)


# --- running a verb -------------------------------------------------------------------------------------------------


def _do(
    command: str, socket: str, as_json: bool, verb: Callable[[Client], Awaitable[Answer]], *, changes: bool = False
) -> None:
    """Run ``verb`` against the daemon, print its answer, and leave with the exit code it deserves."""

    async def work() -> Answer:
        if changes and _context.read_only:
            raise UsageProblemError("read-only: nothing is changed; leave out --read-only, or unset SYNCD_READONLY")
        async with Client(socket_path(socket or _context.socket or None)) as client:
            return await verb(client)

    try:
        answer = asyncio.run(work())
    except (ClientError, UsageProblemError) as error:
        print_problem(command, error, as_json=as_json)
        raise typer.Exit(exit_code(error)) from None
    print_answer(command, answer, as_json=as_json)
    raise typer.Exit(FINE if answer.ok else FAILED)


def _noun(*names: str, about: str) -> typer.Typer:
    """A group of verbs, under its plural and its singular name."""
    group = typer.Typer(help=about, invoke_without_command=True, epilog=EPILOG, rich_markup_mode=None)
    for name in names:
        app.add_typer(group, name=name, hidden=name != names[0])
    return group


# --- looking --------------------------------------------------------------------------------------------------------


@app.command(epilog=EPILOG)
def status(socket: Socket = "", as_json: Json = False) -> None:
    """How much waits, how quickly it flows, what fails."""
    _do("status", socket, as_json, reading.status)


@app.command("queue", epilog=EPILOG)
@app.command("queues", hidden=True)
def queue(
    connection: Connection = "",
    state: Annotated[str, typer.Option("--state", help="Only this state.")] = "",
    lane: Annotated[str, typer.Option("--lane", help="Only this lane.")] = "",
    limit: Limit = 100,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Deliveries that wait, oldest first."""
    _do(
        "queue", socket, as_json, lambda c: reading.queue(c, connection=connection, state=state, lane=lane, limit=limit)
    )


failures = _noun("failures", "failure", about="Dead letters, grouped by cause.")


@failures.callback()
def failures_default(context: typer.Context, socket: Socket = "", as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        failures_list(socket=socket, as_json=as_json)


@failures.command("list")
def failures_list(
    connection: Connection = "", entity: EntityName = "", socket: Socket = "", as_json: Json = False
) -> None:
    """The causes of open failures."""
    _do("failures list", socket, as_json, lambda c: reading.failures(c, connection=connection, entity=entity))


@failures.command("show")
def failures_show(
    fingerprint: Annotated[str, typer.Argument(metavar="FINGERPRINT")],
    limit: Limit = 100,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """The dead letters of one cause."""
    _do("failures show", socket, as_json, lambda c: reading.failure(c, fingerprint, limit=limit))


records = _noun("records", "record", about="Golden records, and what each system holds of them.")


@records.callback()
def records_default(context: typer.Context, socket: Socket = "", as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        records_list(socket=socket, as_json=as_json)


@records.command("list")
def records_list(
    query: Annotated[str, typer.Argument(metavar="[QUERY]", help="Words to search for.")] = "",
    entity: EntityName = "",
    limit: Limit = 100,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Search records by name, e-mail, number or id."""
    _do("records list", socket, as_json, lambda c: reading.records(c, query, entity=entity, limit=limit))


@records.command("show")
def records_show(record: RecordId, socket: Socket = "", as_json: Json = False) -> None:
    """The golden record beside what each system holds."""
    _do("records show", socket, as_json, lambda c: reading.record(c, record, differences_only=False))


@records.command("diff")
def records_diff(record: RecordId, socket: Socket = "", as_json: Json = False) -> None:
    """The fields that are not in step."""
    _do("records diff", socket, as_json, lambda c: reading.record(c, record, differences_only=True))


@records.command("history")
def records_history(record: RecordId, limit: Limit = 100, socket: Socket = "", as_json: Json = False) -> None:
    """Every version, and why each field got its value."""
    _do("records history", socket, as_json, lambda c: reading.history(c, record, limit=limit))


@records.command("attempts")
def records_attempts(record: RecordId, limit: Limit = 100, socket: Socket = "", as_json: Json = False) -> None:
    """Every try to write the record."""
    _do("records attempts", socket, as_json, lambda c: reading.attempts(c, record, limit=limit))


@records.command("merge")
def records_merge(
    survivor: Annotated[str, typer.Argument(metavar="SURVIVOR", help="The record that stays.")],
    absorbed: Annotated[
        str, typer.Argument(metavar="ABSORBED", help="The record that goes into it, or connection.object:id.")
    ],
    why: Why = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would be merged where.")] = False,
    yes: Yes = False,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Make two records one, also at the vendors; that cannot be undone."""
    _do(
        "records merge", socket, as_json,
        lambda c: acting.merge(c, survivor, absorbed, why=why, preview=preview, yes=yes), changes=not preview,
    )  # fmt: skip


@app.command("budgets", epilog=EPILOG)
@app.command("budget", hidden=True)
def budgets(socket: Socket = "", as_json: Json = False) -> None:
    """What the vendors still allow, and the forecast."""
    _do("budgets", socket, as_json, reading.budgets)


@app.command(epilog=EPILOG)
def tail(
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Wait for more.")] = True,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """What happens, line by line, until interrupted."""

    async def work() -> None:
        async with Client(socket_path(socket or _context.socket or None)) as client:
            await reading.tail(client.tail(follow=follow), in_json=as_json)

    try:
        asyncio.run(work())
    except ClientError as error:
        print_problem("tail", error, as_json=as_json)
        raise typer.Exit(exit_code(error)) from None


# --- acting ---------------------------------------------------------------------------------------------------------


@app.command(epilog=EPILOG)
def replay(
    ids: Ids = None,
    fingerprint: Fingerprint = "",
    connection: Connection = "",
    entity: EntityName = "",
    everything: Everything = False,
    edits: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Edit a value first (one id only).")
    ] = None,
    why: Why = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would happen.")] = False,
    yes: Yes = False,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Try dead letters again, as they are or with edited values."""

    async def verb(client: Client) -> Answer:
        which = acting.selection(
            ids or [], fingerprint=fingerprint, connection=connection, entity=entity, everything=everything
        )
        return await acting.replay(client, which, edits=edits or [], why=why, preview=preview, yes=yes)

    _do("replay", socket, as_json, verb, changes=not preview)


@app.command(epilog=EPILOG)
def discard(
    ids: Ids = None,
    fingerprint: Fingerprint = "",
    connection: Connection = "",
    entity: EntityName = "",
    everything: Everything = False,
    why: Why = "",
    yes: Yes = False,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Give dead letters up. They are kept, closed, with the reason."""

    async def verb(client: Client) -> Answer:
        which = acting.selection(
            ids or [], fingerprint=fingerprint, connection=connection, entity=entity, everything=everything
        )
        return await acting.discard(client, which, why=why, yes=yes)

    _do("discard", socket, as_json, verb, changes=True)


runs = _noun("runs", "run", about="Captures: their schedules and last runs.")


@runs.callback()
def runs_default(context: typer.Context, socket: Socket = "", as_json: Json = False) -> None:
    if context.invoked_subcommand is None:
        runs_list(socket=socket, as_json=as_json)


@runs.command("list")
def runs_list(socket: Socket = "", as_json: Json = False) -> None:
    """Captures, their schedules and last runs."""
    _do("runs list", socket, as_json, reading.runs)


@runs.command("now")
def runs_now(
    mapping: Annotated[str, typer.Argument(metavar="MAPPING", help="As connection.object.")],
    hydrate: Annotated[bool, typer.Option("--hydrate", help="A first fill instead of a poll.")] = False,
    socket: Socket = "",
    as_json: Json = False,
) -> None:
    """Run a capture now."""
    kind = "hydrate" if hydrate else "poll"
    _do("runs now", socket, as_json, lambda c: acting.run_now(c, mapping, kind=kind), changes=True)


flows = _noun("flows", "flow", about="Pause and resume what is written.")


@flows.callback()
def flows_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        raise UsageProblemError("flows: say pause or resume, and a target")


@flows.command("pause")
def flows_pause(target: Target, why: Why = "", socket: Socket = "", as_json: Json = False) -> None:
    """Write nothing there until it is resumed; work waits."""
    _do("flows pause", socket, as_json, lambda c: acting.set_flow(c, target, paused=True, why=why), changes=True)


@flows.command("resume")
def flows_resume(target: Target, why: Why = "", socket: Socket = "", as_json: Json = False) -> None:
    """Go on writing."""
    _do("flows resume", socket, as_json, lambda c: acting.set_flow(c, target, paused=False, why=why), changes=True)


# --- entry ----------------------------------------------------------------------------------------------------------


def run(arguments: Sequence[str]) -> int:
    """Run ``syncctl`` with these arguments and return the exit code."""
    as_json = "--json" in arguments
    try:
        code = app(args=list(arguments), prog_name="syncctl", standalone_mode=False)
    except (ClickException, UsageProblemError) as error:
        problem = UsageProblemError(error.format_message() if isinstance(error, ClickException) else str(error))
        print_problem("syncctl", problem, as_json=as_json)
        return USAGE
    except ClientError as error:
        print_problem("syncctl", error, as_json=as_json)
        return exit_code(error)
    except typer.Abort:
        return 130
    return code if isinstance(code, int) else FINE


def main() -> None:
    """The entry point of the ``syncctl`` command."""
    # A terminal that cannot show a letter gets its escape, not a traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader (head, less) had enough; what is buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FINE
    sys.exit(code)
