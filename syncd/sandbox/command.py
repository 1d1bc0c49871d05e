"""What stands behind ``syncd sandbox``: the simulated vendors as a process of their own.

The command line fills :class:`SandboxOptions` and returns what :func:`run` returns.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from syncd.sandbox.faults import FaultsError
from syncd.sandbox.server import Sandbox
from syncd.sandbox.vendor import Vendor

KNOWN_VENDORS = ("commercetools", "hubspot", "bigcommerce", "salesforce")
"""Each is a package ``syncd.sandbox.<name>`` whose ``SIMULATOR`` is a subclass of :class:`Vendor`."""


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    port: int = 0
    """Of the admin surface. The vendors follow on the next ports, in order, and then the further doors of those that
    have more than one; with 0 all ports are free ones."""
    seed: int = 0
    faults: str = "none"
    vendors: tuple[str, ...] = KNOWN_VENDORS
    host: str = "127.0.0.1"
    scale: int = 0
    """How many people the world has that all vendors share; 0: the vendors begin empty."""
    plans: str = ""
    """``salesforce=enterprise,bigcommerce=pro``: plans or editions that differ from a vendor's usual one."""


class PlansError(ValueError):
    """A ``--plan`` text that cannot be understood, or a scale that cannot be; the message says what was expected."""


def parse_plans(text: str, vendors: Iterable[str]) -> dict[str, str]:
    """Plan by vendor. Raises :class:`PlansError`."""
    plans: dict[str, str] = {}
    here = tuple(vendors)
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, plan = (part.strip().lower() for part in word.partition("="))
        if name not in here:
            raise PlansError(f"plan: no vendor {name!r} here; expected VENDOR=PLAN, vendors are {', '.join(here)}")
        known = simulator(name).plans
        if plan not in known:
            raise PlansError(f"plan: {name} has no plan {plan!r}; there are {', '.join(known) or 'none'}")
        plans[name] = plan
    return plans


def simulator(name: str) -> type[Vendor]:
    """The class of a known vendor. Raises ``KeyError``."""
    if name not in KNOWN_VENDORS:
        raise KeyError(name)
    kind: type[Vendor] = importlib.import_module(f"syncd.sandbox.{name}").SIMULATOR
    return kind


def assemble(options: SandboxOptions) -> Sandbox:
    """A sandbox with the vendors asked for, not yet open. Raises ``FaultsError``, ``PlansError`` and ``KeyError``."""
    plans = parse_plans(options.plans, [name for name in options.vendors if simulator(name)])
    if options.scale < 0:
        raise PlansError(f"scale: expected 0 or more people, not {options.scale}")
    sandbox = Sandbox(seed=options.seed, faults=options.faults, host=options.host, admin_port=options.port)
    beyond = count(options.port + len(options.vendors) + 1)
    for place, name in enumerate(options.vendors, start=1):
        kind = simulator(name)
        more: dict[str, Any] = {port: next(beyond) if options.port else 0 for port in kind.more_ports}
        if more:
            more["host"] = options.host
        if name in plans:
            more |= kind.on_plan(plans[name])
        sandbox.add(kind, port=options.port + place if options.port else 0, **more)
    if options.scale:
        sandbox.populate(options.scale)
    return sandbox


async def serve(options: SandboxOptions, say: Callable[[str], None], until: asyncio.Event | None = None) -> None:
    """Run until SIGTERM or SIGINT (or ``until``). When all ports listen, ``say`` gets one line of JSON:

    ``{"ready": true, "admin": "http://...", "commercetools": "http://...", ...}`` by vendor, and further
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
    except (FaultsError, PlansError, KeyError, OverflowError) as error:
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
