"""What stands behind ``syncd sandbox``: the simulated vendors as a process of their own.

The command line fills :class:`SandboxOptions` and returns what :func:`run` returns.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from syncd.sandbox.faults import FaultsError
from syncd.sandbox.server import Sandbox
from syncd.sandbox.vendor import Vendor

KNOWN_VENDORS = ("commercetools", "hubspot", "bigcommerce", "salesforce")
"""Each is a package ``syncd.sandbox.<name>`` whose ``SIMULATOR`` is a subclass of :class:`Vendor`."""

DEFAULT_VENDORS = ("commercetools", "hubspot")
"""Those that run when none is asked for."""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    port: int = 0
    """Of the admin surface. The vendors follow on the next ports, in order, and then the further doors of those that
    have more than one; with 0 all ports are free ones."""
    seed: int = 0
    faults: str = "none"
    vendors: tuple[str, ...] = DEFAULT_VENDORS
    host: str = "127.0.0.1"


def simulator(name: str) -> type[Vendor]:
    """The class of a known vendor. Raises ``KeyError``."""
    if name not in KNOWN_VENDORS:
        raise KeyError(name)
    kind: type[Vendor] = importlib.import_module(f"syncd.sandbox.{name}").SIMULATOR
    return kind


def assemble(options: SandboxOptions) -> Sandbox:
    """A sandbox with the vendors asked for, not yet open. Raises ``FaultsError`` and ``KeyError``."""
    sandbox = Sandbox(seed=options.seed, faults=options.faults, host=options.host, admin_port=options.port)
    beyond = count(options.port + len(options.vendors) + 1)
    for place, name in enumerate(options.vendors, start=1):
        kind = simulator(name)
        more: dict[str, Any] = {port: next(beyond) if options.port else 0 for port in kind.more_ports}
        if more:
            more["host"] = options.host
        sandbox.add(kind, port=options.port + place if options.port else 0, **more)
    return sandbox


async def serve(options: SandboxOptions, say: Callable[[str], None], until: asyncio.Event | None = None) -> None:
    """Run until SIGTERM or SIGINT (or ``until``). When all ports listen, ``say`` gets one line of JSON:

    ``{"ready": true, "admin": "http://...", "commercetools": "http://...", "hubspot": "http://..."}``, and further
    doors as ``salesforce_pubsub``, ``salesforce_https``, ``salesforce_ca``.
    """
    end = until or asyncio.Event()
    sandbox = assemble(options)
    if until is None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end.set)
    async with sandbox:
        urls = {name: sandbox.url(name) for name in sandbox.vendors}
        for name, vendor in sandbox.vendors.items():
            urls |= {f"{name}_{door}": where for door, where in vendor.endpoints().items()}
        say(orjson.dumps({"ready": True, "admin": sandbox.admin_url, **urls}).decode())
        await end.wait()


def run(options: SandboxOptions, say: Callable[[str], None] | None = None) -> int:
    """Exit code: 0 after an orderly end, 2 for options that make no sense, 3 when a port cannot be had."""
    speak = say or _print
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(options, speak))
    except (FaultsError, KeyError, OverflowError) as error:
        _complain(error)
        return 2
    except OSError as error:
        _complain(f"cannot listen on {options.host}: {error.strerror or error}; choose another --port")
        return 3
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _complain(error: object) -> None:
    text = (
        f"no vendor {error} in the sandbox; there are {', '.join(KNOWN_VENDORS)}"
        if isinstance(error, KeyError)
        else error
    )
    sys.stderr.write(f"syncd sandbox: {text}\n")
