"""Overview: how much waits and since when, how quickly it flows, what fails, what the vendors still allow."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import DataTable

from console.feed import follow
from console.screens.live import LiveScreen
from console.text import Ink, Part, line, lines, said
from console.times import age, count, duration, plural, rate, short_count
from console.values import gap_words
from console.widgets.event_text import event_row
from console.widgets.flowing import Flowing
from console.widgets.meter import bar_of, budget_rows
from console.widgets.panel import Panel, Strip
from console.widgets.states import connection_state, delivery_state
from console.widgets.table import Column, KeyedTable, Row
from console.widgets.tile import Tile
from syncd.control.messages import (
    ConnectionLine,
    FailureGroup,
    Percentiles,
    QueueLine,
    Series,
    Status,
    TailLine,
    WindowLine,
)

HELP = """Everything here is one snapshot of the daemon, taken every second; the badge at the top right says how old
it is.

Work waiting: deliveries by the connection they go to and by lane (operator before live before scheduled
before bulk), with the age of the oldest. "fold" are changes that are staged but not yet folded into
records.

Latency: from the receipt of a change to its being applied at the vendor, over the last five minutes.
Intake: from the request of the shop to its acknowledgement.

Budgets: full blocks are calls of syncd, shaded ones those of others; a bar in the scale marks where a less
urgent lane must stop. "Runs out in" is the forecast at the present burn.

A gap is a span of which a vendor's stream could not tell every change. It stands below the first line until
that span has been read again.

Enter on a cause opens its failures. Tab goes from table to table; P on a connection pauses what is written
to it."""

AGE_WARNING_SECONDS = 60.0
AGE_ALARM_SECONDS = 900.0

EVENTS = 200
"""Newest events kept for the tall layout."""


class OverviewScreen(LiveScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "P", "flow", "Pause flow", key_display="P", tooltip="Pause or resume writing to the selected connection"
        ),
    ]
    HELP = HELP

    def __init__(self) -> None:
        super().__init__()
        self._events: deque[TailLine] = deque(maxlen=EVENTS)

    def body(self) -> ComposeResult:
        yield Strip(id="road")
        yield Strip(id="gaps")
        with Horizontal(id="tiles"):
            yield Tile("Work waiting", id="tile-queue")
            yield Tile("Latency", id="tile-latency")
            yield Tile("Throughput", id="tile-throughput")
            yield Tile("Failures", id="tile-failures")
        with Container(id="overview-grid"):
            yield KeyedTable(_QUEUE, id="queue", title="Work waiting")
            yield KeyedTable(_CONNECTIONS, id="connections", title="Connections")
            yield KeyedTable(_CAUSES, id="causes", title="Failures by cause", opens=True)
            with VerticalScroll(id="budgets", classes="panel"):
                yield Strip(id="budget-lines")
            yield Panel(id="hydrations", title="First fills")
        yield Flowing(id="tail", title="Events")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#budgets", VerticalScroll).border_title = said("Budgets")
        self.query_one("#causes").focus()

    def paint(self, status: Status) -> None:
        self._paint_road(status)
        self._paint_gaps(status)
        self._paint_tiles(status)
        self.query_one("#queue", KeyedTable).show(self._queue_rows(status.queue))
        self.query_one("#connections", KeyedTable).show([self._connection_row(one) for one in status.connections])
        self.query_one("#causes", KeyedTable).show([self._cause_row(one, status.at) for one in status.failures])
        self._paint_budgets(status.windows)
        self._paint_hydrations(status)
        self._paint_tail()
        self.ready = True
        self.refresh_bindings()

    # --- parts --------------------------------------------------------------------------------------------------

    def _paint_road(self, status: Status) -> None:
        numbers, wide = status.counters, self.size.width >= 120
        stations = (
            (numbers.acknowledged, "acknowledged", ""),
            (numbers.staged, "staged", f"{count(numbers.duplicates)} doubled"),
            (numbers.folded, "folded", f"{count(numbers.echoes)} echoes"),
            (numbers.delivered, "delivered", f"{count(numbers.retries)} retries"),
        )
        parts: list[Part] = []
        for number, name, aside in stations:
            parts += [
                (f" {self.home.glyphs.arrow} " if parts else " ", "faint"),
                (count(number), "strong"),
                (f" {name}", "muted"),
            ]
            parts += [(f" ({aside})", "faint")] if wide and aside else []
        if status.state != "running":
            parts += ["  ", (f" {status.state} ", "badge-warn")]
        if wide:
            parts += [(f"   {note}", "warn") for note in status.notes]
        self.query_one("#road", Strip).paint(line(*parts))

    def _paint_gaps(self, status: Status) -> None:
        strip = self.query_one("#gaps", Strip)
        strip.display = bool(status.gaps)
        sign = self.home.glyphs.bad
        rows = [line((f" {sign} {one.mapping} ", "bad"), (gap_words(one), "warn")) for one in status.gaps]
        strip.paint(lines(rows))

    def _paint_tiles(self, status: Status) -> None:
        series: dict[str, Series] = {one.name: one for one in status.series}
        depth = sum(one.depth for one in status.queue)
        oldest = max((one.oldest_age_seconds for one in status.queue), default=0.0)
        delivery, intake = status.delivery_latency, status.intake_latency
        opened, conflicts = status.counters.dead_letters_open, status.counters.conflicts_open
        asks: list[Part] = [(f", {plural(conflicts, 'conflict')}", "warn")] if conflicts else []
        self._tile(
            "queue",
            [(count(depth), "strong"), (" items", "muted")],
            [("oldest ", "muted"), (age(oldest), _age_ink(oldest))],
            series.get("queue_depth"),
            lambda value: short_count(int(value)),
        )
        self._tile(
            "latency",
            *_percentiles(delivery, roomy=self.size.width >= 100),
            series.get("latency_p95"),
            duration,
        )
        self._tile(
            "throughput",
            [(rate(status.throughput_per_second), "strong"), (" /s", "muted")],
            [("intake p99 ", "muted"), duration(intake.p99)],
            series.get("throughput"),
            rate,
        )
        self._tile(
            "failures",
            [(count(opened), "bad" if opened else "ok"), (" open", "muted")],
            [(plural(len(status.failures), "cause"), "muted"), *asks] if opened else [("nothing to mend", "muted")],
            series.get("failures"),
            rate,
        )

    def _tile(
        self, name: str, big: list[Part], small: list[Part], series: Series | None, unit: Callable[[float], str]
    ) -> None:
        self.query_one(f"#tile-{name}", Tile).show(line(*big), line(*small), series, unit)

    def _queue_rows(self, queue: list[QueueLine]) -> list[Row]:
        lanes: dict[tuple[str, str, str], list[QueueLine]] = defaultdict(list)
        for one in queue:
            lanes[one.target, one.lane, one.state].append(one)
        deepest = max((sum(one.depth for one in some) for some in lanes.values()), default=0)
        rows: list[Row] = []
        for (target, lane, state), some in lanes.items():
            depth, oldest = sum(one.depth for one in some), max(one.oldest_age_seconds for one in some)
            ink: Ink = "value" if state == "waiting" else "warn"
            sign = delivery_state(state, self.home.glyphs)[:1] if state not in {"waiting", "staged"} else line()
            lane_text = line((f"{lane} ", "muted"), sign)
            share = bar_of(depth, deepest, width=10, glyphs=self.home.glyphs)
            rows.append(
                (
                    f"{target}/{lane}/{state}",
                    [
                        said(target, "strong"),
                        lane_text,
                        said(state, ink),
                        said(count(depth), "value"),
                        said(age(oldest), _age_ink(oldest)),
                        share,
                    ],
                )
            )
        return rows

    def _connection_row(self, one: ConnectionLine) -> Row:
        errors: Ink = "bad" if one.errors_last_minute else "muted"
        ago = age((self.home.now() - one.last_success_at) / 1000) if one.last_success_at else "never"
        return one.name, [
            said(one.name, "strong"),
            connection_state(one.state, self.home.glyphs),
            said(one.calls_last_minute, "value"),
            said(one.errors_last_minute, errors),
            said(ago, "muted"),
            said(one.reason or one.system, "warn" if one.reason else "muted"),
        ]

    def _cause_row(self, group: FailureGroup, at: int) -> Row:
        return group.fingerprint, [
            said(count(group.count), "bad"),
            said(f"{group.connection}.{group.object}", "strong"),
            said(group.code, "warn"),
            said(age((at - group.last_at) / 1000), "muted"),
            said(group.message, "muted"),
        ]

    def _paint_budgets(self, windows: list[WindowLine]) -> None:
        width = max(30, self.query_one("#budgets", VerticalScroll).scrollable_content_region.width)
        rows = [row for one in windows for row in budget_rows(one, width=width, glyphs=self.home.glyphs)]
        self.query_one("#budget-lines", Strip).paint(lines(rows) if rows else said("no limits are known yet", "muted"))

    def _paint_hydrations(self, status: Status) -> None:
        panel = self.query_one("#hydrations", Panel)
        panel.set_class(not status.hydrations, "-none")
        self.query_one("#overview-grid").set_class(not status.hydrations, "-bare")
        rows = []
        for one in status.hydrations:
            done = f"{count(one.seen)} of {count(one.total)}" if one.total else f"{count(one.seen)} seen"
            progress = bar_of(one.seen, one.total, width=24, glyphs=self.home.glyphs) if one.total else line()
            since = age((status.at - one.started_at) / 1000)
            rows.append(
                line((f"{one.mapping} ", "strong"), progress, f" {done} ", (f"{one.state}, since {since}", "muted"))
            )
        panel.paint(lines(rows))

    # --- events: only where there is room for them ----------------------------------------------------------------

    @property
    def tall(self) -> bool:
        return self.query_one("#tail").display

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self.call_after_refresh(self._follow_tail)

    def on_screen_suspend(self) -> None:
        self.workers.cancel_group(self, "tail")

    def on_resize(self) -> None:
        self.call_after_refresh(self._follow_tail)

    def _follow_tail(self) -> None:
        following = any(one.group == "tail" and one.is_running for one in self.workers if one.node is self)
        if self.tall and not following:
            self._tail()
        elif not self.tall:
            self.workers.cancel_group(self, "tail")

    @work(group="tail", exclusive=True)
    async def _tail(self) -> None:
        await follow(self.home.client.tail, heard=self._events.append, lost=self._tail_lost, sleep=asyncio.sleep)

    def _tail_lost(self, reason: str) -> None:
        self.query_one("#tail", Flowing).remark((f" {reason} ", "warn") if not self._events else "")

    def _paint_tail(self) -> None:
        if self.tall:
            # The newest stand on top, where the eye is; what does not fit is not drawn.
            box, glyphs = self.query_one("#tail", Flowing), self.home.glyphs
            newest = list(self._events)[: -1 - box.size.height : -1]
            box.flow(
                lambda width: lines(
                    [event_row(one, width, glyphs) for one in newest] or [said("nothing happened yet", "muted")]
                )
            )

    # --- actions ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "flow":
            here = self.focused is not None and self.focused.id == "connections"
            return not self.home.read_only and here and self._connection() is not None
        return super().check_action(action, parameters)

    def _connection(self) -> ConnectionLine | None:
        key = self.query_one("#connections", KeyedTable).current_key
        lines_ = self.home.status.connections if self.home.status else []
        return next((one for one in lines_ if one.name == key), None)

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    @on(DataTable.RowSelected, "#causes")
    def open_cause(self, event: DataTable.RowSelected) -> None:
        if event.row_key.value:
            self.home.open_failures(event.row_key.value)

    def action_flow(self) -> None:
        one = self._connection()
        if one:
            self.home.ask_flow(one.name, paused=one.state != "paused")


def _percentiles(latency: Percentiles, *, roomy: bool) -> tuple[list[Part], list[Part]]:
    """The figure and the remark of the tile; where there is no room, three short figures over their names."""
    if roomy:
        big: list[Part] = [(duration(latency.p95), "strong"), (" p95", "muted")]
        return big, [("p50 ", "muted"), duration(latency.p50), ("  p99 ", "muted"), duration(latency.p99)]
    figures = " ".join(f"{_short_seconds(one):4}" for one in (latency.p50, latency.p95, latency.p99))
    return [(figures, "strong"), (" s", "muted")], [("p50  p95  p99", "muted")]


def _short_seconds(seconds: float | None) -> str:
    """At most four characters."""
    if seconds is None:
        return "—"
    return f"{seconds:.2f}" if seconds < 9.995 else f"{seconds:.1f}" if seconds < 99.95 else f"{seconds:.0f}"


def _age_ink(seconds: float) -> Ink:
    return "bad" if seconds >= AGE_ALARM_SECONDS else "warn" if seconds >= AGE_WARNING_SECONDS else "ok"


_QUEUE = (
    Column("target", "target", 6),
    Column("lane", "lane", 9),
    Column("state", "state", 8, from_width=52),
    Column("depth", "depth", 8, right=True),
    Column("oldest", "oldest", 7, right=True),
    Column("share", "", 10, from_width=60),
)
_CONNECTIONS = (
    Column("name", "name", 6),
    Column("state", "state", 10),
    Column("calls", "calls/m", 7, right=True),
    Column("errors", "err", 4, right=True),
    Column("last", "last ok", 7, right=True, from_width=50),
    Column("reason", "", 0, from_width=62),
)
_CAUSES = (
    Column("count", "n", 4, right=True),
    Column("where", "where", 13),
    Column("code", "cause", 22, yields=True),
    Column("last", "last", 5, right=True),
    Column("message", "the vendor says", 0, from_width=60),
)
