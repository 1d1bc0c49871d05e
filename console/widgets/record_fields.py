"""The golden record beside what each system holds. Used in the record's own screen and as a preview in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import DataTable

from console.text import lines, said
from console.widgets.flowing import Flowing
from console.widgets.panel import Panel, Strip
from console.widgets.record_text import field_columns, field_rows, headline, history, origin_sentence, places
from console.widgets.table import KeyedTable
from syncd.control.messages import History, RecordDetail

if TYPE_CHECKING:
    from console.app import ConsoleApp


class RecordFields(Vertical):
    """Heads, the table of fields, and a sentence about the origin of the field under the cursor."""

    record: RecordDetail | None = None

    def compose(self) -> ComposeResult:
        yield Strip(classes="record-head")
        yield KeyedTable((), id="fields", title="Fields")
        yield Panel(id="origin", title="Why")
        yield Flowing(id="recent", title="History")

    @property
    def recent(self) -> Flowing:
        """The history below the fields, where the terminal is tall enough for both."""
        return self.query_one("#recent", Flowing)

    def show(self, record: RecordDetail) -> None:
        if not self.is_mounted:
            self.call_after_refresh(self.show, record)
            return
        home = cast("ConsoleApp", self.app)
        now, glyphs = home.now(), home.glyphs
        other = self.record is None or self.record.id != record.id
        self.record = record
        self.query_one(".record-head", Strip).paint(
            lines([headline(record, now, glyphs), *places(record, now, glyphs)])
        )
        table = self.query_one("#fields", KeyedTable)
        if other:
            table.set_columns(field_columns(record))
        table.show(field_rows(record, glyphs))
        out = sum(any(x.known and not x.in_step for x in one.held.values()) for one in record.fields)
        table.remark((f" {glyphs.differs} {out} differ ", "differs") if out else (f" {glyphs.good} all in step ", "ok"))
        self._explain()

    def clear(self, text: str) -> None:
        self.record = None
        self.query_one(".record-head", Strip).paint(said(text, "muted"))
        self.query_one("#fields", KeyedTable).show([])
        self.query_one("#origin", Panel).paint(said(""))
        self.recent.flow(lambda _width: said(""))

    @on(DataTable.RowHighlighted, "#fields")
    def _explain(self) -> None:
        key = self.query_one("#fields", KeyedTable).current_key
        field = next((one for one in self.record.fields if one.field == key), None) if self.record else None
        if field:
            self.query_one("#origin", Panel).paint(origin_sentence(field, cast("ConsoleApp", self.app).glyphs))


def flow_history(box: Flowing, past: History, kinds: dict[str, str], home: ConsoleApp) -> None:
    """Write the history of a record into ``box``, for whatever width it has."""
    now, glyphs = home.now(), home.glyphs
    box.flow(lambda width: history(past, kinds, now, glyphs, width=width))
