"""One record: its fields everywhere, its history with the origin of every value, and the attempts to write it."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher, DataTable

from console.client import ClientError
from console.screens.live import LiveScreen
from console.text import line
from console.widgets.flowing import Flowing
from console.widgets.panel import Panel, Strip
from console.widgets.record_fields import RecordFields, flow_history
from console.widgets.record_text import ATTEMPT_COLUMNS, attempt_row, attempt_text, headline
from console.widgets.subtab import SubTab
from console.widgets.table import KeyedTable
from syncd.control.messages import AttemptLine, Attempts, History, RecordDetail, Status

HELP = """Fields: the golden record at the left, then what each system held when syncd last looked. = is the same, ≠
differs (something must still be written, or was changed there), · is not known yet. The box below says why
the field under the cursor has its value.

History: every version, newest first, with the rule that decided each field and what it replaced. Attempts:
every try to write the record; the box below shows what was sent and what the vendor answered."""

_TABS = (("fields", "f", "Fields"), ("history", "h", "History"), ("attempts", "t", "Attempts"))


class RecordScreen(LiveScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "tab('fields')", "Fields", tooltip="The golden record beside what each system holds"),
        Binding("h", "tab('history')", "History", tooltip="Every version, and why"),
        Binding("t", "tab('attempts')", "Attempts", tooltip="Every try to write it"),
        Binding("right,l", "turn(1)", "Next tab", show=False),
        Binding("left", "turn(-1)", "Previous tab", show=False),
        Binding("x", "failures", "Its failure", tooltip="Open the dead letter of this record"),
        Binding("escape", "leave", "Back"),
    ]
    HELP = HELP

    def __init__(self, record_id: str) -> None:
        super().__init__()
        self.record_id = record_id
        self._record: RecordDetail | None = None
        self._attempts: dict[str, AttemptLine] = {}
        self._past: History | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="subtabs"):
            for name, key, title in _TABS:
                yield SubTab(f"tab('{name}')", key, title, id=f"sub-{name}")
        with ContentSwitcher(initial="tab-fields", id="record-tabs"):
            yield RecordFields(id="tab-fields")
            with Vertical(id="tab-history"):
                yield Strip(id="history-head", classes="record-head")
                yield Flowing(id="history-box", title="History")
            with Vertical(id="tab-attempts"):
                yield Strip(id="attempts-head", classes="record-head")
                yield KeyedTable(ATTEMPT_COLUMNS, id="attempts", title="Attempts")
                yield Panel(id="attempt", title="The attempt")

    def on_mount(self) -> None:
        super().on_mount()
        self.action_tab("fields")

    # --- data ---------------------------------------------------------------------------------------------------

    def news(self, status: Status) -> object:
        return status.counters.folded, status.counters.delivered, status.counters.dead_letters_open

    def reload(self) -> None:
        client, record_id = self.home.client, self.record_id
        self.load(lambda: client.record(record_id), self._record_arrived, group="record", failed=self._failed)
        self.load(lambda: client.history(record_id), self._history_arrived, group="history")
        self.load(lambda: client.attempts(record_id), self._attempts_arrived, group="attempts")

    def _failed(self, error: ClientError) -> None:
        self.trouble(error)
        if self._record is None:
            self.query_one("#tab-fields", RecordFields).clear("this record could not be read")

    def _record_arrived(self, record: RecordDetail) -> None:
        self._record = record
        self.query_one("#tab-fields", RecordFields).show(record)
        head = headline(record, self.home.now(), self.home.glyphs)
        for name in ("history", "attempts"):
            self.query_one(f"#{name}-head", Strip).paint(head)
        self._paint_history()
        self.ready = True
        self.refresh_bindings()

    def _history_arrived(self, past: History) -> None:
        self._past = past
        self._paint_history()

    def _paint_history(self) -> None:
        if self._past:
            kinds = {one.field: one.type for one in self._record.fields} if self._record else {}
            flow_history(self.query_one("#history-box", Flowing), self._past, kinds, self.home)
            flow_history(self.query_one("#tab-fields", RecordFields).recent, self._past, kinds, self.home)

    def _attempts_arrived(self, tried: Attempts) -> None:
        self._attempts = {str(one.id): one for one in tried.lines}
        self.query_one("#attempts", KeyedTable).show([attempt_row(one, self.home.glyphs) for one in tried.lines])
        self._show_attempt()

    @on(DataTable.RowHighlighted, "#attempts")
    def _show_attempt(self) -> None:
        one = self._attempts.get(self.query_one("#attempts", KeyedTable).current_key or "")
        panel = self.query_one("#attempt", Panel)
        panel.paint(attempt_text(one) if one else line(("nothing was ever written for this record", "muted")))

    # --- actions ------------------------------------------------------------------------------------------------

    def action_tab(self, name: str) -> None:
        self.query_one("#record-tabs", ContentSwitcher).current = f"tab-{name}"
        for one, _, _ in _TABS:
            self.query_one(f"#sub-{one}", SubTab).here = one == name
        focus = {"fields": "#fields", "history": "#history-box", "attempts": "#attempts"}[name]
        self.query_one(focus).focus()

    def action_turn(self, by: int) -> None:
        names = [one for one, _, _ in _TABS]
        current = (self.query_one("#record-tabs", ContentSwitcher).current or "tab-fields").removeprefix("tab-")
        self.action_tab(names[(names.index(current) + by) % len(names)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "failures":
            return self._record is not None and bool(self._record.open_dead_letters)
        return super().check_action(action, parameters)

    def action_failures(self) -> None:
        if self._record and self._record.open_dead_letters:
            self.home.open_letter(self._record.open_dead_letters[0])

    def action_leave(self) -> None:
        self.dismiss(None)
