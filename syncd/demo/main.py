"""``syncd demo``: build the stage, let the shop trade, disturb, mend, judge, report."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from syncd.control.messages import Status
from syncd.demo.crm import CRMS, HUBSPOT
from syncd.demo.history import History, read_orders
from syncd.demo.judge import LOST, OPEN, WON, Judgement, Truth, judge
from syncd.demo.operator import Desk, Operator
from syncd.demo.report import compose, latencies
from syncd.demo.sales import Sales
from syncd.demo.script import Fate, Plant, Timing, shoppers
from syncd.demo.shop import Outbox, Shop, ShopApi
from syncd.demo.stage import SIGNING_SECRET, Stage, StageError
from syncd.intake.signature import symmetric_key
from syncd.model.value import instant_to_ms

RATE = 4.0
"""Shoppers a second."""
SETTLE_SECONDS = 180.0
"""How long the judge waits, after the trade, for everything to arrive."""
CONSOLE_SECONDS = 24 * 3600.0
RESTORE_SECONDS = 60.0
"""With a console: how long the property of a mapped field stays missing."""
REFUSED, FAILED, FINE = 2, 1, 0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    headless: bool = False
    seconds: float | None = None
    """How long the shop trades; default 30, or until the console is left."""
    seed: int = 0
    report: Path | None = None
    faults: str = "none"
    kill: int = 0
    """How often the daemon is killed."""
    outage: str = ""
    """A connection that is down while the shop trades."""
    orders: Path | None = None
    """A purchase history to hydrate the shop with and to replay."""
    config: Path | None = None
    crm: str = HUBSPOT.vendor


def run(options: DemoOptions) -> int:
    """The exit code: 0 when nothing was lost and nothing doubled."""
    if options.config is not None:
        return _complain("the demo runs on a configuration of its own; to run yours: syncd start --config PATH")
    if options.crm not in CRMS:
        return _complain(f"--crm: there is no {options.crm!r} here; expected {' or '.join(CRMS)}")
    if options.outage and options.outage not in _vendors(options.crm):
        return _complain(f"--outage: there is no {options.outage!r} here; expected crm or shop")
    headless = options.headless or not sys.stdout.isatty()
    with tempfile.TemporaryDirectory(prefix="syncd-demo-") as name:
        try:
            return asyncio.run(_Demo(options, Path(name), headless=headless).run())
        except StageError as error:
            print(f"syncd demo: {error}", file=sys.stderr)
            return FAILED
        except (KeyboardInterrupt, asyncio.CancelledError):
            return FINE


def _vendors(crm: str) -> dict[str, str]:
    """The vendors by the names that ``--outage`` takes."""
    return {"crm": crm, crm: crm, "shop": "commercetools", "commercetools": "commercetools"}


def _complain(text: str) -> int:
    print(f"syncd demo: {text}", file=sys.stderr)
    return REFUSED


class _Demo:
    def __init__(self, options: DemoOptions, folder: Path, *, headless: bool) -> None:
        self._options = options
        self._headless = headless
        self._seconds = options.seconds or (30.0 if headless else CONSOLE_SECONDS)
        self._timing = Timing()
        self._crm = CRMS[options.crm]
        self._outage = _vendors(options.crm).get(options.outage, "")
        self._history = History.of(read_orders(options.orders)) if options.orders else None
        self._stage = Stage(folder, options.seed, options.faults, self._timing.idle, crm=self._crm)
        self._background: list[asyncio.Task[Any]] = []
        self._began = time.monotonic()

    async def run(self) -> int:
        self._say(f"Setting the stage: simulated commercetools and {self._crm.title} on loopback")
        # A terminal that is closed, or a service manager, must not leave a daemon behind.
        if (demo := asyncio.current_task()) is not None:
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, demo.cancel)
        try:
            await self._stage.open()
            await self._prepare()
            return await self._play()
        finally:
            for task in self._background:
                task.cancel()
            await asyncio.gather(*self._background, return_exceptions=True)
            await self._stage.close()

    async def _prepare(self) -> None:
        stage, options = self._stage, self._options
        self._admin = stage.admin
        self._api = ShopApi(stage.commercetools)
        self._outbox = Outbox(f"{stage.intake_url}/v1/events", symmetric_key(SIGNING_SECRET))
        self._shop = Shop(self._api, self._outbox, self._timing)
        self._desk = Desk(stage.socket)
        self._operator = Operator(self._desk)
        await self._shop.stock()
        # An admin of the CRM tidied up: the property of a mapped field is gone.
        await self._crm.tidy(self._admin, away=True)
        if self._history is not None:
            self._say(f"Hydrating the shop with {self._history.summary}")
            await self._history.seed(self._admin)
        await self._admin.set_faults(options.faults)
        if self._outage:
            await self._admin.outage(self._outage, on=True)
        await stage.start_daemon()
        self._spawn(self._outbox.run())

    async def _play(self) -> int:
        self._cast = list(shoppers(self._options.seed, self._seconds, RATE)) if self._headless else []
        if self._history is not None:
            self._cast = []
        self._sales = Sales(
            self._admin, self._crm, frozenset(one.email for one in self._cast if one.sale and not one.guest),
            self._options.seed,
        )  # fmt: skip
        if not self._headless:
            return await self._with_console()
        return await self._without_console()

    # --- with a console ------------------------------------------------------------------------------------------

    async def _with_console(self) -> int:
        self._spawn(self._trade_on())
        self._spawn(self._restore_property())
        console = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console", "--socket", str(self._stage.socket)
        )
        await console.wait()
        return FINE

    async def _trade_on(self) -> None:
        """Shoppers come until the console is left, or the time is up."""
        self._spawn(self._sales.run())
        number, ends = 0, time.monotonic() + self._seconds
        while time.monotonic() < ends:
            block = [
                replace(one, number=number + one.number, email=f"{number}.{one.email}")
                for one in shoppers(self._options.seed + number, 20.0, RATE / 2, planted=number == 0)
            ]
            number += len(block)
            self._sales.wanted |= frozenset(one.email for one in block if one.sale)
            for one in block:
                self._spawn(self._shop.serve(one))
            await asyncio.sleep(20.0)

    async def _restore_property(self) -> None:
        """After a while the CRM's admin puts the property back, so that a replay of that cause succeeds."""
        await asyncio.sleep(RESTORE_SECONDS)
        await self._crm.tidy(self._admin, away=False)

    # --- without -------------------------------------------------------------------------------------------------

    async def _without_console(self) -> int:
        progress = self._spawn(self._progress())
        visits = [self._spawn(self._shop.serve(one)) for one in self._cast]
        self._spawn(self._sales.run())
        killer = self._spawn(self._killer())
        if self._history is not None:
            visits.append(self._spawn(self._history.replay(self._api, self._outbox, self._seconds)))
        await asyncio.sleep(self._seconds)
        if self._outage:
            await self._admin.outage(self._outage, on=False)
        await asyncio.gather(*visits)
        await killer
        judgement = await self._settle()
        progress.cancel()
        return await self._conclude(judgement)

    async def _killer(self) -> None:
        """SIGKILL at random moments of the trade."""
        dice = random.Random(f"kills:{self._options.seed}")
        moments = sorted(dice.uniform(0.5, self._seconds) for _ in range(self._options.kill))
        began = time.monotonic()
        for moment in moments:
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            await self._stage.kill_daemon()

    async def _settle(self) -> Judgement:
        """Let the operator work, and wait until the judge is content or the time is up."""
        ends = time.monotonic() + SETTLE_SECONDS
        if any(one.plant for one in self._cast):
            await self._operate(ends)
        while True:
            judgement = judge(await self._truth())
            if (judgement.clean and self._outbox.waiting == 0) or time.monotonic() > ends:
                return judgement
            await asyncio.sleep(1.0)

    async def _operate(self, ends: float) -> None:
        """Wait until the planted failures show, mend one record by hand, have the causes of the others mended, and
        replay the rest in one go."""
        wanted = sum(
            one.plant in (Plant.INVALID_EMAIL, Plant.MISSING_PROPERTY, Plant.FORBIDDEN_STAGE) for one in self._cast
        )
        while time.monotonic() < ends:
            groups = await self._desk.failures()
            if sum(one.count for one in groups) >= wanted:
                break
            await asyncio.sleep(0.5)
        await self._operator.mend_one_address()
        await self._crm.tidy(self._admin, away=False)
        for one in self._cast:
            await self._shop.mend(one)
        await asyncio.sleep(2.0)
        await self._operator.replay_the_rest("replay-the-rest")

    async def _truth(self) -> Truth:
        shop = await self._admin.dump("commercetools")
        crm, held = self._crm, await self._admin.dump(self._crm.vendor)
        by_fate = {Fate.ABANDONED: OPEN, Fate.TOUCHED: OPEN, Fate.RECOVERED: WON, Fate.EMPTIED: LOST}
        emails = {one.email.lower() for one in self._cast}
        history = self._history
        return Truth(
            customers=shop["customers"] if history is None else history.traded(shop["customers"], "customers"),
            carts=shop["carts"], orders=shop["orders"] if history is None else history.traded(shop["orders"], "orders"),
            groups={one["id"]: one.get("key", "") for one in shop["customer-groups"]},
            abandoned={cart: by_fate[who.fate] for cart, who in self._shop.carts.items() if who.fate in by_fate},
            ordered_in_time=self._ordered_in_time(shop["carts"], shop["orders"]),
            edits=[one for one in self._sales.edits if one.email in emails],
            crm=crm, contacts=crm.entries(crm.contacts, held[crm.contacts.object]),
            deals=crm.entries(crm.deals, held[crm.deals.object]),
            line_items=crm.entries(crm.items, held[crm.items.object] if crm.items else ()),
            crm_orders=crm.entries(crm.orders, held[crm.orders.object]),
        )  # fmt: skip

    def _ordered_in_time(self, carts: Sequence[Any], orders: Sequence[Any]) -> frozenset[str]:
        """Carts whose whole life was shorter than the idle time. A shop in a storm may be too slow for that."""
        began = {one["id"]: instant_to_ms(one["createdAt"]) for one in carts}
        ordered = {one["cart"]["id"]: instant_to_ms(one["createdAt"]) for one in orders if one.get("cart")}
        fates = {cart: who.fate for cart, who in self._shop.carts.items()}
        idle = int(self._timing.idle * 1000)
        return frozenset(
            cart for cart, at in ordered.items() if fates.get(cart) is Fate.ORDERED and at - began[cart] < idle
        )

    # --- telling -------------------------------------------------------------------------------------------------

    async def _conclude(self, judgement: Judgement) -> int:
        status = await self._desk.status()
        if status is None:
            raise StageError("syncd does not answer at the end")
        state = await self._admin.state()
        report = compose(
            judgement=judgement, status=status, acknowledged=self._outbox.acknowledged,
            abandoned=sum(one.fate is not Fate.ORDERED for one in self._shop.carts.values()),
            throttled=int(state["vendors"][self._crm.vendor]["replies"].get(self._crm.throttled, 0)),
            latency_seconds=latencies(
                await self._admin.ledger(self._crm.vendor), await self._asked(), self._crm.titles
            ),
            intake_seconds=self._outbox.seconds,
        )  # fmt: skip
        if self._options.report is not None:
            self._options.report.write_text(json.dumps(report, indent=2) + "\n")
        self._say_end(report, judgement)
        return FINE if judgement.clean and not self._outbox.refused else FAILED

    async def _asked(self) -> dict[str, int]:
        """When each thing was due in the CRM: contacts from their registration, deals from the end of the idle time."""
        asked: dict[str, int] = {}
        for one in await self._admin.dump("commercetools", "customers"):
            asked[one["email"].lower()] = instant_to_ms(one["createdAt"])
        for cart_id, touched in self._shop.filled_at.items():
            name = f"Abandoned Cart: {self._shop.carts[cart_id].email.lower()}"
            asked[name] = touched + int(self._timing.idle * 1000)
        return asked

    async def _progress(self) -> None:
        while True:
            status = await self._desk.status()
            at = time.monotonic() - self._began
            line = "syncd is away" if status is None else self._line(status)
            end = "\r" if sys.stdout.isatty() else "\n"
            print(f"{at:6.1f} s  {line}".ljust(118), end=end, flush=True)
            await asyncio.sleep(1.0 if sys.stdout.isatty() else 2.0)

    def _line(self, status: Status) -> str:
        counters, p95 = status.counters, status.delivery_latency.p95
        return (
            f"acknowledged {self._outbox.acknowledged}  folded {counters.folded}  delivered {counters.delivered}"
            f"  queue {sum(one.depth for one in status.queue)}  failures {counters.dead_letters_open}"
            f"  p95 {'-' if p95 is None else f'{p95:.2f} s'}  restarts {self._stage.restarts}"
        )

    def _say(self, text: str) -> None:
        if self._headless:
            print(text, flush=True)

    def _say_end(self, report: dict[str, Any], judgement: Judgement) -> None:
        print()
        for title, found in (
            ("lost", judgement.lost),
            ("doubled", judgement.doubled),
            ("refused", self._outbox.refused),
        ):
            for line in found[:20]:
                print(f"  {title}: {line}")
        print(json.dumps(report, indent=2))

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._background.append(task)
        task.add_done_callback(_shout)
        return task


def _shout(task: asyncio.Task[Any]) -> None:
    """A part of the demonstration that dies must not die unheard."""
    if not task.cancelled() and (error := task.exception()) is not None:
        print(f"syncd demo: {type(error).__name__}: {error}", file=sys.stderr)
        with contextlib.suppress(RuntimeError):
            for one in asyncio.all_tasks():
                if one.get_name() == "demo":
                    one.cancel()
