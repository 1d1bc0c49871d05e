"""The application: it owns the line to the daemon and the snapshot that all screens paint, and opens screens.

Thin on purpose: screens fetch and paint for themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen

from console.client import Client, ClientError
from console.feed import follow
from console.glyphs import Glyphs, chosen
from console.link import Link, Phase
from console.palette import Command, NowProvider, own_binding
from console.sanitise import clean
from console.screens.discard import DiscardDialog
from console.screens.edit import EditDialog
from console.screens.failures import FailuresScreen
from console.screens.flow import FlowDialog
from console.screens.group import GroupScreen
from console.screens.help import HelpDialog
from console.screens.letter import LetterScreen
from console.screens.live import LiveScreen
from console.screens.merge import MergeDialog
from console.screens.overview import OverviewScreen
from console.screens.record import RecordScreen
from console.screens.records import RecordsScreen
from console.screens.replay import ReplayDialog
from console.themes import DARK, LIGHT, THEMES, inks
from console.widgets.panel import Strip
from console.widgets.topbar import TopBar, badge
from syncd.control.messages import DeadLetterDetail, RunNowRequest, RunNowResult, Selection, Status


class Heard(Message):
    """A snapshot arrived. A newer one replaces one that was not painted yet."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self.status = status

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Heard)


class Lost(Message):
    """The line to the daemon broke."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class ConsoleApp(App[None]):
    """``clock`` gives monotonic seconds; a test may stop it."""

    TITLE = "syncd"
    CSS_PATH = "theme.tcss"
    COMMANDS = {NowProvider}  # noqa: RUF012
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "overview": OverviewScreen,
        "records": RecordsScreen,
        "failures": FailuresScreen,
    }
    DEFAULT_MODE = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "go('overview')", "Overview", show=False, tooltip="Queues, latency, failures, budgets"),
        Binding("2", "go('records')", "Records", show=False, tooltip="Search records"),
        Binding("3", "go('failures')", "Failures", show=False, tooltip="Mend and replay"),
        Binding("p", "pause", "Pause", tooltip="Stop or go on painting what arrives"),
        Binding("question_mark,f1", "help", "Help", key_display="?", tooltip="Help for this screen"),
        Binding("colon,ctrl+p", "command_palette", "Commands", key_display=":", tooltip="All that can be done now"),
        Binding("ctrl+t", "theme", "Light or dark", show=False, tooltip="Change between light and dark colours"),
        Binding("q", "quit", "Quit", tooltip="Leave; the daemon goes on"),
    ]

    status: reactive[Status | None] = reactive(None, init=False)
    """The snapshot that is painted; while paused it does not change."""
    regained: reactive[int] = reactive(0, init=False)
    """Counts the times that the daemon came back."""

    def __init__(
        self,
        client: Client,
        *,
        who: str,
        read_only: bool = False,
        light: bool = False,
        glyphs: Glyphs | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.client, self.who, self.read_only, self.clock = client, who, read_only, clock
        self.glyphs = glyphs or chosen()
        self.link = Link()
        self.newest: Status | None = None
        self.paused = False
        self._painted_at = 0.0
        # Movement costs bytes on a slow line and tells nothing.
        self.animation_level = "none"
        for theme in THEMES.values():
            self.register_theme(theme)
        self.console.push_theme(inks(LIGHT if light else DARK))
        self.theme = (LIGHT if light else DARK).name

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda _theme: self._repaint())
        self._follow()
        self.set_interval(1.0, self._paint_bars)

    async def on_unmount(self) -> None:
        await self.client.close()

    # --- the line to the daemon ---------------------------------------------------------------------------------

    @work(group="feed", exclusive=True)
    async def _follow(self) -> None:
        await follow(
            self.client.stream, sleep=asyncio.sleep,
            heard=lambda status: self.post_message(Heard(status)), lost=lambda reason: self.post_message(Lost(reason)),
        )  # fmt: skip

    @on(Heard)
    def heard(self, message: Heard) -> None:
        back = self.link.lost_at is not None
        restarted = self.newest is not None and self.newest.instance != message.status.instance
        self.newest = message.status
        self.link = self.link.heard(self.clock())
        if not self.paused:
            self._show(message.status)
        if back or restarted:
            self.regained += 1
        if restarted:
            self.say("The daemon was restarted; what you see is from the new one.")
        self._paint_bars()

    @on(Lost)
    def lost(self, message: Lost) -> None:
        self.link = self.link.lost(self.clock(), message.reason)
        self._paint_bars()

    def _show(self, status: Status) -> None:
        self._painted_at = self.clock()
        self.status = status

    def now(self) -> float:
        """The daemon's time in milliseconds, so that ages are right where the two clocks differ."""
        if self.newest is None or self.link.heard_at is None:
            return time.time() * 1000
        return self.newest.at + (self.clock() - self.link.heard_at) * 1000

    def badge(self) -> Text:
        paused_for = self.clock() - self._painted_at if self.paused else None
        return badge(self.link, self.clock(), paused_for=paused_for, glyphs=self.glyphs)

    def _paint_bars(self) -> None:
        phase = self.link.phase(self.clock())
        for screen in self.screen_stack:
            screen.set_class(phase is not Phase.LIVE, "-unsure")
            screen.set_class(self.paused, "-paused")
            for bar in screen.query(TopBar):
                bar.paint()
            if isinstance(screen, LiveScreen) and phase is not Phase.LIVE and self.newest is None and self.link.reason:
                screen.trouble(ClientError(self.link.reason))

    # --- opening ------------------------------------------------------------------------------------------------

    def action_go(self, mode: str) -> None:
        self.call_later(self._go, mode)

    async def _go(self, mode: str) -> None:
        if mode == self.current_mode:
            # The same key again goes back to the top of the screen's own stack.
            while len(self.screen_stack) > 1 and isinstance(self.screen, LiveScreen):
                await self.pop_screen()
        else:
            await self.switch_mode(mode)
        self._paint_bars()

    def open_failures(self, fingerprint: str) -> None:
        self.call_later(self._open_in, "failures", GroupScreen(fingerprint))

    def open_letter(self, letter_id: int) -> None:
        self.push_screen(LetterScreen(letter_id))

    def open_record(self, record_id: str) -> None:
        self.push_screen(RecordScreen(record_id))

    async def _open_in(self, mode: str, screen: Screen[Any]) -> None:
        if self.current_mode != mode:
            await self.switch_mode(mode)
        await self.push_screen(screen)
        self._paint_bars()

    # --- asking -------------------------------------------------------------------------------------------------

    def ask_replay(
        self,
        selection: Selection,
        name: str,
        then: Callable[[], None],
        *,
        detail: DeadLetterDetail | None = None,
        edits: dict[str, Any] | None = None,
    ) -> None:
        self.push_screen(
            ReplayDialog(selection, name, detail=detail, edits=edits or {}), lambda done: then() if done else None
        )

    def ask_discard(self, selection: Selection, name: str, then: Callable[[], None]) -> None:
        self.push_screen(DiscardDialog(selection, name), lambda done: then() if done else None)

    def ask_merge(self, survivor: str, absorbed: str, then: Callable[[], None]) -> None:
        self.push_screen(MergeDialog(survivor, absorbed), lambda ordered: then() if ordered else None)

    def ask_edit(self, detail: DeadLetterDetail, then: Callable[[], None]) -> None:
        def edited(edits: dict[str, Any] | None) -> None:
            if edits:
                one = detail.letter
                self.ask_replay(Selection(ids=[one.id]), one.title or one.record_id, then, detail=detail, edits=edits)

        self.push_screen(EditDialog(detail), edited)

    def ask_flow(self, target: str, *, paused: bool) -> None:
        self.push_screen(FlowDialog(target, paused=paused))

    def run_now(self, mapping: str) -> None:
        def done(result: RunNowResult) -> None:
            self.say(f"{mapping} is being polled" if result.started else f"{mapping} was not started: {result.reason}")

        if isinstance(self.screen, LiveScreen):
            request = RunNowRequest(mapping=mapping, who=self.who)
            self.screen.load(lambda: self.client.run_now(request), done, group="run-now")

    def say(self, text: str) -> None:
        """A passing remark."""
        self.notify(clean(text), markup=False)

    # --- actions ------------------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        self.paused = not self.paused
        if not self.paused and self.newest is not None:
            self._show(self.newest)
        self._paint_bars()

    def action_theme(self) -> None:
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def _repaint(self) -> None:
        self.console.pop_theme()
        self.console.push_theme(inks(THEMES[self.theme]))
        for screen in self.screen_stack:
            for table in screen.query("KeyedTable"):
                table.notify_style_update()
            for strip in screen.query(Strip):
                strip.repaint()
            screen.refresh(layout=True, repaint=True)
        if isinstance(self.screen, LiveScreen) and self.status:
            self.screen.paint(self.status)
            self.screen.reload()
        self._paint_bars()

    def action_help(self) -> None:
        screen = self.screen
        if not isinstance(screen, LiveScreen):
            return
        rows: dict[str, tuple[str, str]] = {}
        for node, binding, enabled, tooltip in screen.active_bindings.values():
            if enabled and own_binding(node, binding):
                what = tooltip or binding.tooltip or binding.description
                keys = rows.get(binding.action, ("", ""))[0].split()
                shown = " ".join(dict.fromkeys([*keys, self.get_key_display(binding)]))
                rows[binding.action] = (shown, what)
        self.push_screen(HelpDialog(screen.__class__.__name__.removesuffix("Screen"), screen.HELP, list(rows.values())))

    def palette_commands(self) -> list[Command]:
        """What is possible on every screen."""
        return [
            ("Go to Overview", "Queues, latency, failures, budgets", lambda: self.action_go("overview")),
            (
                "Go to Records",
                "Search; the golden record beside what each system holds",
                lambda: self.action_go("records"),
            ),
            ("Go to Failures", "Failures by cause: edit, replay, discard", lambda: self.action_go("failures")),
            (
                "Go on with live updates" if self.paused else "Pause live updates",
                "Stop or go on painting what arrives",
                self.action_pause,
            ),
            ("Light or dark colours", "Change the theme", self.action_theme),
            ("Help for this screen", "What it shows, and its keys", self.action_help),
            ("Quit", "Leave the console; the daemon goes on", self.exit),
        ]
