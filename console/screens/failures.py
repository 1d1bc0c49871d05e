"""Failures by cause: how many, how quickly they grow, when first and last; open one to see its dead letters."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Input

from console.screens.live import LiveScreen
from console.text import line
from console.times import plural
from console.widgets.failure_text import GROUP_COLUMNS, group_row, group_text
from console.widgets.panel import Panel
from console.widgets.table import KeyedTable
from syncd.control.messages import FailureGroup, FailureGroups, Selection, Status

HELP = """Dead letters (changes and deliveries that gave up, or cannot succeed) grouped by cause. The small plot shows
how many came in each five minutes of the last hour, oldest first.

Enter opens a cause. r replays all of the selected cause, R replays everything that is open; both first say
how many and ask. d discards, and asks for a reason. Nothing is removed: who did what, and why, is kept."""


class FailuresScreen(LiveScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Filter", key_display="/", tooltip="Filter by connection, object, code or words"),
        Binding("r", "replay", "Replay cause", tooltip="Replay all dead letters of the selected cause"),
        Binding("R", "replay_all", "Replay all", key_display="R", tooltip="Replay every open dead letter"),
        Binding("d", "discard", "Discard", tooltip="Discard all dead letters of the selected cause, with a reason"),
        Binding("escape", "clear", "Clear filter"),
    ]
    HELP = HELP

    def __init__(self) -> None:
        super().__init__()
        self._answer: FailureGroups | None = None
        self._filter = ""

    def body(self) -> ComposeResult:
        yield Input(placeholder="/ filter: connection, object, code, words", id="search", compact=True)
        yield KeyedTable(GROUP_COLUMNS, id="groups", title="Failures by cause", opens=True)
        yield Panel(id="cause", title="The cause")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#groups").focus()

    # --- data ---------------------------------------------------------------------------------------------------

    def news(self, status: Status) -> object:
        return status.counters.dead_letters_open, [(one.fingerprint, one.count, one.last_at) for one in status.failures]

    def reload(self) -> None:
        self.load(self.home.client.failures, self._arrived, group="groups")

    def _arrived(self, answer: FailureGroups) -> None:
        self._answer = answer
        self._paint_groups()
        self.ready = True

    def paint(self, status: Status) -> None:  # noqa: ARG002
        self._paint_groups()

    def _visible(self) -> list[FailureGroup]:
        words = self._filter.lower().split()
        groups = self._answer.groups if self._answer else []
        return [one for one in groups if all(word in _searched(one) for word in words)]

    def _paint_groups(self) -> None:
        if self._answer is None:
            return
        table, visible, now = self.query_one("#groups", KeyedTable), self._visible(), int(self.home.now())
        table.show([group_row(one, now, self.home.glyphs) for one in visible])
        hidden = len(self._answer.groups) - len(visible)
        table.remark((f" {self._answer.open_total:,} open in {plural(len(self._answer.groups), 'cause')} ", "muted"),
                     (f"{hidden} filtered out " if hidden else "", "warn"))  # fmt: skip
        self._paint_cause()
        self.refresh_bindings()

    @on(DataTable.RowHighlighted, "#groups")
    def _paint_cause(self) -> None:
        one = self._current()
        panel = self.query_one("#cause", Panel)
        if one:
            panel.paint(group_text(one, int(self.home.now()), self.home.glyphs))
        elif self._answer and self._answer.groups:
            panel.paint(line(("no cause matches the filter; Esc clears it", "muted")))
        else:
            panel.paint(line((f"{self.home.glyphs.good} ", "ok"), ("nothing has failed, or all of it is mended", "ok")))

    def _current(self) -> FailureGroup | None:
        key = self.query_one("#groups", KeyedTable).current_key
        return next((one for one in self._visible() if one.fingerprint == key), None)

    # --- filter -------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        self.query_one("#search", Input).focus()

    @on(Input.Changed, "#search")
    def typed(self, event: Input.Changed) -> None:
        self._filter = event.value
        self._paint_groups()

    @on(Input.Submitted, "#search")
    def submitted(self) -> None:
        self.query_one("#groups").focus()

    def action_clear(self) -> None:
        self.query_one("#search", Input).value = ""
        self.query_one("#groups").focus()

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    # --- actions ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in {"replay", "discard"}:
            return not self.home.read_only and self._current() is not None
        if action == "replay_all":
            return not self.home.read_only and bool(self._answer and self._answer.groups)
        if action == "clear":
            return bool(self._filter) or self.focused is self.query_one("#search")
        return super().check_action(action, parameters)

    @on(DataTable.RowSelected, "#groups")
    def chosen(self, event: DataTable.RowSelected) -> None:
        if event.row_key.value:
            self.home.open_failures(event.row_key.value)

    def action_replay(self) -> None:
        one = self._current()
        if one:
            self.home.ask_replay(
                Selection(fingerprint=one.fingerprint),
                f"{plural(one.count, 'dead letter')} of {one.code}",
                self._changed,
            )

    def action_replay_all(self) -> None:
        total = self._answer.open_total if self._answer else 0
        self.home.ask_replay(Selection(all=True), f"all {plural(total, 'open dead letter')}", self._changed)

    def action_discard(self) -> None:
        one = self._current()
        if one:
            self.home.ask_discard(
                Selection(fingerprint=one.fingerprint),
                f"{plural(one.count, 'dead letter')} of {one.code}",
                self._changed,
            )

    def _changed(self) -> None:
        self._reload_now()


def _searched(one: FailureGroup) -> str:
    return f"{one.connection}.{one.object} {one.entity} {one.code} {one.message} {one.fingerprint}".lower()
