"""A sandbox: simulated vendors on loopback ports, one ledger, one admin port.

In a test::

    sandbox = Sandbox(seed=7, faults="none")        # clock=ManualClock() if the test owns time
    shop = sandbox.add(CommercetoolsSandbox)        # port=..., and options of that vendor
    async with sandbox:
        ... sandbox.url("commercetools"), sandbox.admin_url, sandbox.ledger.after(0)

The admin surface (see :mod:`syncd.sandbox.admin`) is on a port of its own: no vendor has it.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from syncd.runtime.clock import Clock, SystemClock
from syncd.sandbox.admin import Admin
from syncd.sandbox.faults import FaultsError, FaultSpec, VendorFaults, parse
from syncd.sandbox.http import MAX_BODY_BYTES, Handler, HttpProtocol
from syncd.sandbox.ledger import Ledger
from syncd.sandbox.vendor import Room, Vendor
from syncd.sandbox.world.world import World

_V = TypeVar("_V", bound=Vendor)
_BACKLOG = 512


@dataclass(slots=True)
class _Door:
    """One listening port."""

    port: int
    handler: Handler
    refusing: Callable[[], bool]
    connections: set[HttpProtocol]
    server: asyncio.Server | None = None
    max_body_bytes: int = MAX_BODY_BYTES


class Sandbox:
    """Vendors are added with :meth:`add`; :meth:`open` lets all that are not yet listening listen."""

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: str = "none",
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        admin_port: int = 0,
    ) -> None:
        """Raises :class:`~syncd.sandbox.faults.FaultsError`."""
        self.seed = seed
        self.clock: Clock = clock or SystemClock()
        self.ledger = Ledger(self.clock)
        self.vendors: dict[str, Vendor] = {}
        self.world: World | None = None
        self._spec: FaultSpec = parse(faults)
        self._host = host
        self._doors: dict[str, _Door] = {"": _Door(admin_port, Admin(self).handle, lambda: False, set())}

    def add(self, kind: type[_V], *, port: int = 0, **options: Any) -> _V:
        """Make a vendor that will listen on ``port`` (0 takes a free one); ``options`` go to its constructor."""
        if kind.name in self.vendors:
            raise ValueError(f"sandbox: {kind.name} was added twice")
        room = self._room(kind.name)
        vendor = kind(room, **options)
        self.vendors[kind.name] = vendor
        self._doors[kind.name] = _Door(
            port, vendor.serve, lambda: room.faults.outage == "abort", set(), max_body_bytes=kind.max_body_bytes
        )
        return vendor

    def populate(self, people: int) -> World:
        """Let a world of that many people have been at all vendors always; before anything else happens there."""
        self.world = World(self.seed, people)
        for vendor in self.vendors.values():
            vendor.populate(self.world)
        return self.world

    def _room(self, name: str) -> Room:
        faults = VendorFaults(name, self.seed, self._spec.plan(name))
        faults.outage = "abort" if name in self._spec.outages else ""
        return Room(self.clock, random.Random(f"{self.seed}:{name}"), faults, self.ledger)

    # -- disturbing it while it runs

    def set_faults(self, text: str) -> None:
        """Replace all plans (the dice go on) and outages. Raises ``FaultsError``, changing nothing."""
        spec = parse(text)
        self._check(spec)
        self._spec = spec
        for name, vendor in self.vendors.items():
            vendor.room.faults.plan = spec.plan(name)
            self.set_outage(name, on=name in spec.outages)

    def _check(self, spec: FaultSpec) -> None:
        unknown = (set(spec.own) | spec.outages) - set(self.vendors)
        if unknown:
            raise FaultsError(f"faults: no vendor {min(unknown)!r}; there are {', '.join(self.vendors)}")

    def set_outage(self, vendor: str, *, on: bool, mode: str = "abort") -> None:
        """Take a vendor off the net. ``abort`` resets connections, ``503`` answers so. Raises KeyError, ValueError."""
        if mode not in {"abort", "503"}:
            raise ValueError(f"outage: no mode {mode!r}; expected abort or 503")
        self.vendors[vendor].room.faults.outage = mode if on else ""
        if on and mode == "abort":
            for connection in list(self._doors[vendor].connections):
                connection.abort()

    # -- where it is

    def url(self, vendor: str) -> str:
        """``http://127.0.0.1:<port>``, known once open."""
        return f"http://{self._host}:{self._doors[vendor].port}"

    @property
    def admin_url(self) -> str:
        return self.url("")

    # -- life

    async def open(self) -> None:
        """Raises ``OSError`` when a port is taken, ``OverflowError`` when it is none; all is closed again then.

        Raises ``FaultsError`` when the faults name a vendor that is not here.
        """
        self._check(self._spec)
        try:
            for name, door in self._doors.items():
                if door.server is None:
                    await self._listen(door)
                    if name:
                        await self.vendors[name].start()
        except BaseException:
            await self.close()
            raise

    async def _listen(self, door: _Door) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((self._host, door.port))
        except (OSError, OverflowError):
            sock.close()
            raise
        door.port = sock.getsockname()[1]
        loop = asyncio.get_running_loop()
        door.server = await loop.create_server(
            lambda: HttpProtocol(door.handler, door.refusing, door.connections, door.max_body_bytes),
            sock=sock,
            backlog=_BACKLOG,
        )

    async def close(self) -> None:
        """Requests in hand are finished, connections dropped. May be called twice."""
        for door in self._doors.values():
            if door.server is not None:
                door.server.close()
                door.server = None
            for connection in list(door.connections):
                await connection.settle()
                connection.abort()
        for vendor in self.vendors.values():
            await vendor.stop()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
