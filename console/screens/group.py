"""The dead letters of one cause: select one, some or all; see the diff; edit, replay, discard."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import DataTable

from console.client import ClientError, RefusedError
from console.screens.letter import LetterScreen
from console.screens.letter_actions import LetterActions
from console.text import line
from console.times import plural
from console.widgets.failure_text import LETTER_COLUMNS, letter_row, letter_text, summary_of
from console.widgets.flowing import Flowing
from console.widgets.table import KeyedTable
from syncd.control.messages import DeadLetter, DeadLetterDetail, DeadLetterPage, Selection, Status

HELP = """Each row is one dead letter of this cause. The diff shows what the vendor held when syncd last looked, and
what a replay would write now.

Space selects a row, a selects all (again: none). r, d act on the selection, or on the row under the cursor
if nothing is selected. e edits the values of one and then replays it: the original is kept, with your name
and reason. Enter opens the whole letter, with what was sent and what the vendor replied; o opens the
record."""

PAGE = 200


class GroupScreen(LetterActions):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Select", tooltip="Select or unselect the row"),
        Binding("a", "mark_all", "All", tooltip="Select all of this cause, or none"),
        Binding("e", "edit", "Edit", tooltip="Edit the values of this one, then replay it"),
        Binding("r", "replay", "Replay", tooltip="Replay the selection"),
        Binding("d", "discard", "Discard", tooltip="Discard the selection, with a reason"),
        Binding("m", "merge", "Merge", tooltip="Merge the two records that this is about"),
        Binding("o", "record", "Record", tooltip="Open the record"),
        Binding("escape", "leave", "Back"),
    ]
    HELP = HELP

    def __init__(self, fingerprint: str) -> None:
        super().__init__()
        self.fingerprint = fingerprint
        self._letters: dict[str, DeadLetter] = {}
        self._total = 0
        self._after: int | None = None
        self._marked: set[str] = set()
        self._all = False
        """Everything of this cause is selected, on pages not yet fetched too."""
        self.detail: DeadLetterDetail | None = None

    def body(self) -> ComposeResult:
        with Container(id="group-body"):
            yield KeyedTable(LETTER_COLUMNS, id="letters", title="Dead letters", opens=True)
            yield Flowing(id="letter-box", title="What a replay would do")

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#letters").focus()

    # --- data ---------------------------------------------------------------------------------------------------

    def news(self, status: Status) -> object:
        return status.counters.dead_letters_open

    def reload(self) -> None:
        limit = max(PAGE, min(len(self._letters), 5 * PAGE))
        self.load(
            lambda: self.home.client.dead_letters(self.fingerprint, limit=limit),
            self._arrived,
            group="letters",
            failed=self._failed,
        )

    def _failed(self, error: ClientError) -> None:
        # A cause whose last dead letter was closed is not known any more: that is good news.
        if isinstance(error, RefusedError) and error.status == 404:
            self._arrived(DeadLetterPage(items=[], total=0))
        else:
            self.trouble(error)

    def _arrived(self, page: DeadLetterPage) -> None:
        self._letters = {}
        self._more_arrived(page)
        self._marked &= self._letters.keys()
        if not self._letters:
            self._show_detail(None)
        self.ready = True

    def _more_arrived(self, page: DeadLetterPage) -> None:
        self._letters.update({str(one.id): one for one in page.items})
        self._total, self._after = page.total, page.after
        self._paint_letters()

    @on(KeyedTable.NearEnd, "#letters")
    def next_page(self) -> None:
        after = self._after
        if after is not None:
            self._after = None
            self.load(
                lambda: self.home.client.dead_letters(self.fingerprint, limit=PAGE, after=after),
                self._more_arrived,
                group="letters",
            )

    def _paint_letters(self) -> None:
        table, now = self.query_one("#letters", KeyedTable), self.home.now()
        table.show(
            [
                letter_row(one, marked=self._is_marked(key), now_ms=now, glyphs=self.home.glyphs)
                for key, one in self._letters.items()
            ]
        )
        first = next(iter(self._letters.values()), None)
        if first:
            table.head(f"{first.connection}.{first.object} ", (first.code, "warn"))
        chosen = self._total if self._all else len(self._marked)
        table.remark((f" {chosen:,} selected ", "accent") if chosen else "", (f" {self._total:,} open ", "muted"))
        self.refresh_bindings()

    def paint(self, status: Status) -> None:  # noqa: ARG002
        if self._letters:
            self._paint_letters()

    # --- the one under the cursor -------------------------------------------------------------------------------

    @on(DataTable.RowHighlighted, "#letters")
    def highlighted(self, event: DataTable.RowHighlighted) -> None:
        key = event.row_key.value
        if key and (self.detail is None or str(self.detail.letter.id) != key):
            letter_id = int(key)
            self.load(lambda: self.home.client.dead_letter(letter_id), self._show_detail, group="detail")

    def _show_detail(self, detail: DeadLetterDetail | None) -> None:
        self.detail = detail
        box = self.query_one("#letter-box", Flowing)
        glyphs = self.home.glyphs
        if detail is None:
            done = line(
                (f"{glyphs.good} ", "ok"), ("no dead letter of this cause is open any more; Esc goes back", "ok")
            )
            box.flow(lambda _width: done)
        else:
            whole, now = self.size.height >= 34, self.home.now()
            box.flow(lambda width: letter_text(detail, width=width, now_ms=now, glyphs=glyphs, whole=whole))
        self.refresh_bindings()

    # --- selection ----------------------------------------------------------------------------------------------

    def _is_marked(self, key: str) -> bool:
        return self._all or key in self._marked

    def action_mark(self) -> None:
        table = self.query_one("#letters", KeyedTable)
        key = table.current_key
        if key is None:
            return
        if self._all:
            self._all, self._marked = False, set(self._letters)
        self._marked ^= {key}
        self._paint_letters()
        table.action_cursor_down()

    def action_mark_all(self) -> None:
        self._all, self._marked = not (self._all or len(self._marked) == self._total), set()
        self._paint_letters()

    def selection(self) -> tuple[Selection, str]:
        """What the commands act on, and its name for a question."""
        if self._all:
            return Selection(fingerprint=self.fingerprint), f"all {plural(self._total, 'dead letter')} of this cause"
        chosen = [self._letters[key] for key in self._letters if key in self._marked]
        if not chosen and self.current:
            chosen = [self.current]
        return Selection(ids=[one.id for one in chosen]), f"{plural(len(chosen), 'dead letter')}: {summary_of(chosen)}"

    @property
    def current(self) -> DeadLetter | None:
        return self._letters.get(self.query_one("#letters", KeyedTable).current_key or "")

    @property
    def single(self) -> bool:
        return not self._all and len(self._marked) <= 1

    def after_command(self) -> None:
        self._marked, self._all, self.detail = set(), False, None
        self._reload_now()

    # --- actions ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in {"mark", "mark_all"}:
            return bool(self._letters)
        return super().check_action(action, parameters)

    @on(DataTable.RowSelected, "#letters")
    def chosen(self, event: DataTable.RowSelected) -> None:
        if event.row_key.value:
            self.app.push_screen(LetterScreen(int(event.row_key.value)))

    def picture_ready(self) -> bool:
        return super().picture_ready() and (not self._letters or self.detail is not None)
