"""A table that is updated by key: rows that stay keep their place, the cursor and the eye of the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable

from console.text import Part, fitted, line, said
from console.widgets.panel import same

Row: TypeAlias = tuple[str, Sequence[Text]]
"""The key of a row and its cells, one per column of the specification."""

_GAP = 2
_NEAR_END = 20


@dataclass(frozen=True, slots=True)
class Column:
    """``width`` in cells; those with 0 share what is left. Shown where the table has ``from_width``."""

    key: str
    title: str
    width: int = 0
    right: bool = False
    from_width: int = 0
    yields: bool = False
    """Takes what is left where no column without a width is shown."""


class KeyedTable(DataTable[Text]):
    """Shows rows of ``Text``. Enter, or a second click, on a row posts the usual ``RowSelected``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False),
        Binding("k", "cursor_up", "Up", show=False),
        Binding("g", "scroll_top", "First row", show=False),
        Binding("G", "scroll_bottom", "Last row", show=False),
        Binding("enter", "select_cursor", "Open", tooltip="Open the selected row"),
    ]

    class NearEnd(Message):
        """The cursor comes near the last row: a next page may be wanted."""

        def __init__(self, table: KeyedTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> KeyedTable:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        id: str,  # noqa: A002
        title: str = "",
        classes: str = "",
        header: bool = True,
        opens: bool = False,
    ) -> None:
        super().__init__(id=id, classes=f"panel table {classes}", cursor_type="row", cell_padding=0, show_header=header)
        if title:
            self.border_title = said(title)
        self.opens = opens
        """Whether there is something behind a row."""
        self._spec = tuple(columns)
        self._shown: tuple[tuple[int, Column, int], ...] = ()
        self._rows_by_key: dict[str, tuple[Text, ...]] = {}
        self._laid_out_for = 0

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "select_cursor":
            return self.opens and self.row_count > 0
        return super().check_action(action, parameters)

    def head(self, *parts: Part) -> None:
        self.border_title = line(*parts)

    def remark(self, *parts: Part) -> None:
        self.border_subtitle = line(*parts)

    @property
    def current_key(self) -> str | None:
        """The key of the row under the cursor."""
        keys = list(self._rows_by_key)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns; the rows must be shown again afterwards."""
        if tuple(columns) != self._spec:
            self._spec = tuple(columns)
            self._rows_by_key = {}
            self._lay_out()

    def show(self, rows: Sequence[Row], *, prefer: str | None = None) -> None:
        """Show exactly these rows. The cursor stays on its row, or goes to ``prefer`` at the first showing."""
        wanted = {key: tuple(cells) for key, cells in rows}
        old_keys = list(self._rows_by_key)
        keep = self.current_key if old_keys else prefer
        position = self.cursor_row
        if list(wanted)[: len(old_keys)] == old_keys:
            self._update(wanted)
        else:
            self._refill(wanted, keep, position)
            return
        if not old_keys and keep is not None:
            self.go_to(keep)

    def go_to(self, key: str) -> None:
        keys = list(self._rows_by_key)
        if key in self._rows_by_key:
            self.move_cursor(row=keys.index(key), animate=False)

    def change(self, key: str, cells: Sequence[Text]) -> None:
        """Other cells for one row."""
        if key in self._rows_by_key:
            self._update({**self._rows_by_key, key: tuple(cells)})

    # --- how -----------------------------------------------------------------------------------------------------

    def _update(self, wanted: dict[str, tuple[Text, ...]]) -> None:
        for key, cells in wanted.items():
            before = self._rows_by_key.get(key)
            if before is None:
                self._add(key, cells)
                continue
            for index, column, width in self._shown:
                if not same(before[index], cells[index]):
                    self.update_cell(key, column.key, fitted(cells[index], width, right=column.right))
        self._rows_by_key = wanted

    def _refill(self, wanted: dict[str, tuple[Text, ...]], keep: str | None, position: int) -> None:
        # Filling anew is quicker than removing many rows one by one, and needed when the order changed.
        scroll = self.scroll_y
        self.clear()
        for key, cells in wanted.items():
            self._add(key, cells)
        self._rows_by_key = wanted
        if not wanted:
            return
        if keep is not None and keep in wanted:
            self.go_to(keep)
        else:
            self.move_cursor(row=min(position, len(wanted) - 1), animate=False)
        self.scroll_to(y=scroll, animate=False)

    def _add(self, key: str, cells: tuple[Text, ...]) -> None:
        if self._shown:
            self.add_row(
                *(fitted(cells[index], width, right=column.right) for index, column, width in self._shown), key=key
            )

    def _lay_out(self) -> None:
        """Columns for the present width; the rows are set anew."""
        width = self.scrollable_content_region.width
        self._laid_out_for = width
        if width <= 0:
            return
        keep = self.current_key
        visible = [(index, column) for index, column in enumerate(self._spec) if width >= column.from_width]
        fixed = sum(column.width for _, column in visible) + _GAP * (len(visible) - 1) + 1
        free = [column for _, column in visible if not column.width] or [c for _, c in visible if c.yields]
        left = max(8, (width - fixed + sum(column.width for column in free)) // max(1, len(free)))
        self._shown = tuple((index, column, left if column in free else column.width) for index, column in visible)
        self.clear(columns=True)
        for place, (_, column, size) in enumerate(self._shown):
            title = fitted(said(column.title, "muted"), size, right=column.right)
            self.add_column(title, key=column.key, width=size + (0 if place == len(self._shown) - 1 else _GAP))
        for key, cells in self._rows_by_key.items():
            self._add(key, cells)
        if keep is not None:
            self.go_to(keep)

    def on_resize(self, _event: events.Resize) -> None:
        if self.scrollable_content_region.width != self._laid_out_for:
            self._lay_out()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        if event.data_table is self and event.cursor_row >= self.row_count - _NEAR_END:
            self.post_message(self.NearEnd(self))
