"""Records: search, list, and beside it (where there is room) what the selected record holds everywhere."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import DataTable, Input

from console.screens.live import LiveScreen
from console.screens.record import RecordScreen
from console.text import Part
from console.times import count
from console.widgets.record_fields import RecordFields, flow_history
from console.widgets.record_text import LIST_COLUMNS, list_row
from console.widgets.table import KeyedTable
from syncd.control.messages import History, RecordDetail, RecordLine, RecordPage, Status

HELP = """Type / and words to search: a name, an e-mail address, a number, an id of a vendor. Enter goes to the list,
Esc clears the search.

The sign before each record says how it stands: in step, waiting (something must still be written), failed
(a dead letter is open), held (a guard or a pause stopped it). Enter opens the record: fields, history,
attempts. In a wide terminal the selected record is shown beside the list."""

PAGE = 200
SEARCH_PAUSE_SECONDS = 0.25


class RecordsScreen(LiveScreen):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/", tooltip="Search by name, e-mail, number or id"),
        Binding("escape", "clear", "Clear search", tooltip="Back to all records"),
    ]
    HELP = HELP

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, RecordLine] = {}
        self._after: str | None = None
        self._query = ""
        self._pause: Timer | None = None
        self._previewed: str | None = None

    def body(self) -> ComposeResult:
        with Horizontal(id="records-body"):
            with Vertical(id="records-left"):
                yield Input(placeholder="/ search: name, e-mail, number, id", id="search", compact=True)
                yield KeyedTable(LIST_COLUMNS, id="records", title="Records", opens=True)
            yield RecordFields(id="preview")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#records").focus()

    # --- list ---------------------------------------------------------------------------------------------------

    def news(self, status: Status) -> object:
        return status.counters.folded, status.counters.delivered, status.counters.dead_letters_open

    def reload(self) -> None:
        query, limit = self._query, max(PAGE, min(len(self._lines), 5 * PAGE))
        self.load(lambda: self.home.client.records(query, limit=limit), self._arrived, group="list")
        if self._previewed:
            self._preview(self._previewed)

    def _arrived(self, page: RecordPage) -> None:
        self._lines = {one.id: one for one in page.items}
        self._after = page.after
        self._paint_list(page)
        self.ready = True

    def _more_arrived(self, page: RecordPage) -> None:
        self._lines.update({one.id: one for one in page.items})
        self._after = page.after
        self._paint_list(page)

    def _paint_list(self, page: RecordPage) -> None:
        table, now = self.query_one("#records", KeyedTable), self.home.now()
        table.show([list_row(one, now, self.home.glyphs) for one in self._lines.values()])
        remark: list[Part] = [(f" {count(len(self._lines))} of {count(page.total)} ", "muted")]
        if page.capped:
            remark += [(f"only the first {count(page.searched)} were searched: be more precise ", "warn")]
        table.remark(*remark)
        if not self._lines:
            self.query_one("#preview", RecordFields).clear("nothing found" if self._query else "no records yet")
        self.refresh_bindings()

    @on(KeyedTable.NearEnd, "#records")
    def next_page(self) -> None:
        after, query = self._after, self._query
        if after is not None:
            self._after = None
            self.load(
                lambda: self.home.client.records(query, limit=PAGE, after=after), self._more_arrived, group="list"
            )

    # --- search -------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        self.query_one("#search", Input).focus()

    @on(Input.Changed, "#search")
    def typed(self, event: Input.Changed) -> None:
        if self._pause:
            self._pause.stop()
        self._pause = self.set_timer(SEARCH_PAUSE_SECONDS, lambda: self._search(event.value))

    @on(Input.Submitted, "#search")
    def submitted(self, event: Input.Submitted) -> None:
        self._search(event.value)
        self.query_one("#records").focus()

    def _search(self, query: str) -> None:
        if self._pause:
            self._pause.stop()
        if query.strip() != self._query:
            self._query, self._lines = query.strip(), {}
            self._reload_now()

    def action_clear(self) -> None:
        self.query_one("#search", Input).value = ""
        self._search("")
        self.query_one("#records").focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "clear":
            return bool(self._query) or self.focused is self.query_one("#search")
        return super().check_action(action, parameters)

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    # --- one record ---------------------------------------------------------------------------------------------

    @on(DataTable.RowHighlighted, "#records")
    def highlighted(self, event: DataTable.RowHighlighted) -> None:
        if event.row_key.value and event.row_key.value != self._previewed:
            self._preview(event.row_key.value)

    def _preview(self, record_id: str) -> None:
        self._previewed = record_id
        if self.query_one("#preview").display:
            self.load(lambda: self.home.client.record(record_id), self._preview_arrived, group="preview")
            if self.size.height >= 34:
                self.load(lambda: self.home.client.history(record_id, limit=20), self._past_arrived, group="past")

    def _preview_arrived(self, record: RecordDetail) -> None:
        self.query_one("#preview", RecordFields).show(record)

    def _past_arrived(self, past: History) -> None:
        preview = self.query_one("#preview", RecordFields)
        kinds = {one.field: one.type for one in preview.record.fields} if preview.record else {}
        flow_history(preview.recent, past, kinds, self.home)

    @on(DataTable.RowSelected, "#records")
    def chosen(self, event: DataTable.RowSelected) -> None:
        if event.row_key.value:
            self.app.push_screen(RecordScreen(event.row_key.value))

    def picture_ready(self) -> bool:
        preview = self.query_one("#preview", RecordFields)
        return super().picture_ready() and (not preview.display or not self._lines or preview.record is not None)
