"""The one place where parts are built, wired, supervised and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import structlog

from syncd import __version__
from syncd.budget import Budget
from syncd.budget.configured import budget_settings
from syncd.config import Configuration
from syncd.config.secrets import connection_needs
from syncd.control.app import Control
from syncd.control.exposition import Exposition
from syncd.control.messages import WindowLine
from syncd.control.socket import ControlSocket, ControlSocketError, OpsServer
from syncd.control.status import Standing, StatusBoard
from syncd.credentials import CredentialError, Credentials, open_credentials
from syncd.engine import jobs
from syncd.engine.capture import Captor
from syncd.engine.courier import Courier
from syncd.engine.fit import misfits
from syncd.engine.flows import Flows
from syncd.engine.folder import Folder
from syncd.engine.health import Health
from syncd.engine.housekeeping import Housekeeping, Retention
from syncd.engine.idle import IdleWatch
from syncd.engine.jobs import DurableJobBook
from syncd.engine.merger import Merger
from syncd.engine.reader import Reader
from syncd.engine.signals import Signals
from syncd.engine.stream import Streamer, streamed
from syncd.intake.ops import ops_app
from syncd.intake.server import IntakeServer, ListenError
from syncd.intake.wiring import build_intake
from syncd.model.backoff import RetryPolicy
from syncd.runtime.clock import World
from syncd.runtime.log import configure
from syncd.runtime.metrics import Metrics
from syncd.runtime.secret import Secret
from syncd.store import books, deliveries
from syncd.store.database import Database, Tx
from syncd.store.errors import StoreError
from syncd.store.jobs import Noted
from syncd.systems.build import MissingSecret, build_system
from syncd.systems.contract import Call, Severity, System

COURIERS: Final = 4
"""Calls to one connection that may be on their way at once; its budget decides how many really are."""
DRAIN_SECONDS: Final = 10.0
SHORT_SECONDS: Final = 60.0
"""Windows that reset sooner are the ones that make calls travel together."""
FINE, FAILED, ENVIRONMENT = 0, 1, 3
DAY: Final = 86_400.0

_log = structlog.get_logger("syncd.daemon")


class StartError(Exception):
    """Syncd cannot start; the message says what, where and what to do. Exit code 3."""


class Part(Protocol):
    """Anything with the start/stop contract."""

    async def start(self) -> None: ...

    async def stop(self, deadline_seconds: float = ...) -> None: ...


class Keeper:
    """Budgets remember what they spent in the state file."""

    def __init__(self, database: Database, world: World) -> None:
        self._database = database
        self._world = world

    async def load(self, connection: str) -> bytes | None:
        return await self._database.read(partial(books.load_budget, connection=connection))

    async def save(self, connection: str, state: bytes) -> None:
        now = self._world.clock.now_ms()
        await self._database.write(lambda tx: books.save_budgets(tx, [(connection, state)], now), urgent=True)


class Metered:
    """A budget whose replies are counted."""

    def __init__(self, budget: Budget, metrics: Metrics) -> None:
        self.pay = budget.pay
        self._budget = budget
        self._metrics = metrics

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None:
        self._budget.observe(call, status, headers, seconds)
        self._metrics.called(self._budget.connection, call.kind, status)


@dataclass
class Daemon:
    """A whole syncd. :meth:`start`, then :meth:`wait`, then :meth:`stop`."""

    configuration: Configuration
    credentials: Credentials
    world: World = field(default_factory=World)
    _running: list[Part] = field(default_factory=list)
    _closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def start(self) -> None:
        """Everything up, in order: the state first, the doors last. Raises :class:`StartError`."""
        try:
            await self._build()
        except (StoreError, CredentialError, MissingSecret, ListenError, ControlSocketError) as error:
            raise StartError(str(error)) from error
        self._board.turn("running")
        _notify("READY=1")
        _log.info("daemon.ready", version=__version__, instance=self._standing.instance)

    async def _build(self) -> None:
        clock, settings = self.world.clock, self.configuration
        self.database = Database(settings.database)
        await self.database.open()
        self._closers.append(self.database.close)
        self.metrics = Metrics(clock)
        self.signals = Signals(clock)
        standing = await self.database.write(
            partial(_found, new_id=self.world.new_id(), now=clock.now_ms(), connections=list(settings.connections))
        )
        self.health = Health(settings.connections, clock, self.signals, self._pressure)
        self.health.paused = frozenset(standing.paused)
        if standing.recovered:
            _log.warning("daemon.recovered", deliveries=standing.recovered)
        if standing.left:
            _log.warning("daemon.jobs_left", jobs=len(standing.left))
        self._left = standing.left
        systems = await self._systems()
        self.flows = Flows(
            settings.entities, settings.mappings, systems, cart_idle_ms=int(settings.carts.idle * 1000),
            retry=RetryPolicy(settings.retry.base, settings.retry.cap, settings.retry.attempts),
        )  # fmt: skip
        self.captor = Captor(**self._shared())
        kinds = {name: one.system for name, one in settings.connections.items()}
        notes = [one for one in (self.database.policy.note, *self._misfits(systems)) if one]
        self._standing = Standing(__version__, standing.instance, clock.now_ms(), notes, kinds)
        self._board = StatusBoard(
            database=self.database, health=self.health, captor=self.captor, metrics=self.metrics, world=self.world,
            windows=self._windows, standing=self._standing,
        )  # fmt: skip
        for part in await self._parts(systems, kinds):
            await part.start()
            self._running.append(part)

    def _misfits(self, systems: Mapping[str, System]) -> Iterator[str]:
        """What the mappings ask of systems that cannot do it, in words; logged too."""
        for name, system in systems.items():
            for one in misfits(system, list(self.flows.of_connection(name))):
                level = _log.error if one.severity is Severity.ERROR else _log.warning
                level("mapping.misfit", mapping=one.subject, code=one.code, message=one.message)
                yield f"{one.subject}: {one.message}"

    def _shared(self) -> dict[str, Any]:
        return {
            "database": self.database, "flows": self.flows, "signals": self.signals, "health": self.health,
            "metrics": self.metrics, "world": self.world,
        }  # fmt: skip

    async def _systems(self) -> dict[str, System]:
        """Every connection with its budget, open."""
        self._budgets: dict[str, Budget] = {}
        systems: dict[str, System] = {}
        keeper = Keeper(self.database, self.world)
        for name, connection in self.configuration.connections.items():
            secrets: dict[str, Secret] = {}
            for need in connection_needs(self.configuration, connection):
                found = await self.credentials.find(need.account, need.name)
                if found is not None:
                    secrets[need.name] = found
            budget = Budget.for_system(
                connection.system, name, clock=self.world.clock, keeper=keeper, settings=budget_settings(connection)
            )
            await budget.open()
            self._closers.append(budget.close)
            system = build_system(
                connection, secrets, Metered(budget, self.metrics), self.world,
                keep=partial(self.credentials.set, name), jobs=DurableJobBook(name, self.database, self.world),
            )  # fmt: skip
            await system.open()
            self._closers.append(system.close)
            self._budgets[name], systems[name] = budget, system
        return systems

    async def _parts(self, systems: Mapping[str, System], kinds: dict[str, str]) -> list[Part]:
        """What lives long, in the order of starting: what consumes first, what lets work in last."""
        settings, shared = self.configuration, self._shared()
        parts: list[Part] = [Folder(**shared)]
        for name in systems:
            parts.append(Reader(name, **shared))
            left = [one for one in self._left if one.connection == name]
            parts.append(Courier(name, 1, left=left, **shared))
            parts += [Courier(name, number, **shared) for number in range(2, COURIERS + 1)]
        parts += [Streamer(mapping, **shared) for mapping in streamed(self.flows)]
        retention = Retention(
            settings.retention.changes / DAY, settings.retention.attempts / DAY, settings.retention.history / DAY
        )
        parts += [
            IdleWatch(
                database=self.database, flows=self.flows, signals=self.signals, health=self.health, world=self.world
            ),
            Merger(
                database=self.database, flows=self.flows, signals=self.signals, health=self.health, world=self.world
            ),
            Housekeeping(
                database=self.database, world=self.world, retention=retention, gauges=self._board.gauges
            ),
            self.captor,
        ]  # fmt: skip
        control = Control(
            database=self.database, flows=self.flows, signals=self.signals, health=self.health, captor=self.captor,
            status=self._board, systems=kinds, world=self.world, metrics=self.metrics,
        )  # fmt: skip
        parts.append(ControlSocket(settings.socket, control.app()))
        commit, intake = await build_intake(
            settings, self.credentials, systems, database=self.database, signals=self.signals,
            metrics=self.metrics, world=self.world,
        )  # fmt: skip
        parts += [commit, IntakeServer(intake, self.world, host=settings.intake.host, port=settings.intake.port)]
        if settings.ops.enabled:
            exposition = Exposition(
                board=self._board, captor=self.captor, database=self.database, metrics=self.metrics, world=self.world
            )
            app = ops_app(exposition.alive, exposition.ready, exposition.text)
            parts.append(OpsServer(app, host=settings.ops.host, port=settings.ops.port))
        return parts

    def _pressure(self, connection: str) -> float:
        """The share of the tightest window that is used, of those that run for seconds rather than for a day."""
        budget = self._budgets.get(connection)
        short = [one for one in budget.snapshot() if 0 < one.resets_in_seconds <= SHORT_SECONDS] if budget else []
        return max((one.used / one.limit for one in short if one.limit), default=0.0)

    def _windows(self) -> list[WindowLine]:
        return [
            WindowLine(
                connection=name, window=one.window, limit=one.limit, used=one.used, own=one.own,
                resets_in_seconds=one.resets_in_seconds, exhausted_in_seconds=one.exhausted_in_seconds,
                reserves=dict(one.reserves),
            )
            for name, budget in self._budgets.items()
            for one in budget.snapshot()
        ]  # fmt: skip

    async def wait(self) -> None:
        """Return never; raise what a part died of."""
        tasks = {
            asyncio.ensure_future(waiter()): part
            for part in self._running
            if (waiter := getattr(part, "wait", None)) is not None
        }
        try:
            done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
                raise RuntimeError(f"{getattr(tasks[task], 'name', tasks[task])} ended though nobody stopped it")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self, deadline_seconds: float = DRAIN_SECONDS) -> None:
        """Let nothing more in, finish what is on its way, close. May come at any time, and twice."""
        if hasattr(self, "_board"):
            self._board.turn("draining")
        _notify("STOPPING=1")
        ends_at = self.world.clock.monotonic() + deadline_seconds
        while self._running:
            # The doors were opened last and close first; parts of one kind end together.
            part = self._running.pop()
            same = [one for one in self._running if type(one) is type(part)]
            for one in same:
                self._running.remove(one)
            left = max(0.1, ends_at - self.world.clock.monotonic())
            await asyncio.gather(*(one.stop(left) for one in (part, *same)))
        while self._closers:
            try:
                await self._closers.pop()()
            except StoreError as error:
                # On a full disk the budgets' last figures are not kept; everything else still closes.
                _log.error("daemon.not_closed", error=str(error))


@dataclass(frozen=True, slots=True)
class _Found:
    instance: str
    paused: set[str]
    recovered: int
    left: Sequence[Noted]


def _found(tx: Tx, new_id: str, now: int, connections: Sequence[str]) -> _Found:
    """What the state file says at the start; whatever was being sent when syncd ended is unknown now, save what is in
    a job that its vendor can tell of."""
    known = books.meta(tx)
    instance = known.get("instance") or new_id[:8]
    books.set_meta(tx, [("instance", instance), ("started_at", str(now)), ("version", __version__)])
    left = jobs.left(tx, connections)
    return _Found(instance, books.pauses(tx), deliveries.recover(tx), left)


def _notify(state: str) -> None:
    """Tell systemd (``Type=notify``), when it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker,
        contextlib.suppress(OSError),
    ):
        # A supervisor that does not listen is no reason not to run.
        speaker.connect("\0" + address[1:] if address.startswith("@") else address)
        speaker.sendall(state.encode())


async def _watchdog() -> None:
    """Beat for systemd's watchdog at half its interval: a stuck event loop is restarted."""
    meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    interval = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000 if meant else 0.0
    while interval:
        _notify("WATCHDOG=1")
        await asyncio.sleep(interval)
    await asyncio.Event().wait()


async def serve(configuration: Configuration, credentials: Credentials) -> int:
    """Run until SIGTERM or SIGINT; a second signal ends at once. A changed configuration needs a restart, so SIGHUP
    does nothing. The exit code."""
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.put_nowait, number)
    # A terminal that goes away, or a reload out of habit, is no reason to stop syncing.
    loop.add_signal_handler(signal.SIGHUP, _log.warning, "daemon.hangup_ignored")
    daemon = Daemon(configuration, credentials)
    code = FINE
    try:
        await daemon.start()
        died, signalled = asyncio.ensure_future(daemon.wait()), asyncio.ensure_future(told.get())
        beating = asyncio.ensure_future(_watchdog())
        done, pending = await asyncio.wait({died, signalled, beating}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if signalled in done:
            _log.info("daemon.draining", signal=signal.Signals(signalled.result()).name)
        elif error := next(iter(done)).exception():
            _log.critical("daemon.part_died", error=type(error).__name__, message=_own_words(error), exc_info=error)
            code = FAILED
        return await _drain(daemon, told) or code
    except BaseException:
        # Whatever it is: what was opened is closed, or its threads would hold the process.
        await daemon.stop()
        raise


def _own_words(error: BaseException) -> str:
    """The message of an error of ours or of the machine's. The text of any other could quote a customer's data."""
    ours = type(error).__module__.startswith("syncd.") or isinstance(error, sqlite3.Error | OSError)
    return str(error) if ours else ""


async def _drain(daemon: Daemon, told: asyncio.Queue[int]) -> int:
    """Stop in order; a second signal does not wait for it."""
    stopping = asyncio.ensure_future(daemon.stop())
    again = asyncio.ensure_future(told.get())
    await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        _log.warning("daemon.ended_at_once")
        os._exit(128 + again.result())
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    stopping.result()
    _log.info("daemon.stopped")
    return FINE


def run(configuration: Configuration) -> int:
    """``syncd start``: the exit code. Raises :class:`StartError` and :class:`CredentialError`."""
    configure(level=configuration.log.level, fmt=configuration.log.format)
    os.umask(0o077)
    sys.setswitchinterval(0.001)
    _log.info("daemon.starting", version=__version__, python=sys.version.split()[0], sqlite=sqlite3.sqlite_version)
    credentials = open_credentials(configuration.credentials)
    for warning in credentials.warnings:
        _log.warning("credentials.warning", warning=warning)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(configuration, credentials))
