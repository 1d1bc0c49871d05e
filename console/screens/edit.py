"""Edits the values of one dead letter, each checked against its type; what was changed goes on to the replay."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Input

from console.sanitise import clean, is_clean
from console.screens.live import Dialog
from console.text import Part, line, prose, said
from console.times import plural
from console.values import HINTS, ValueProblemError, parsed, shown, typed
from console.widgets.panel import Strip
from syncd.control.messages import DeadLetterDetail, FieldDiff


class EditDialog(Dialog[dict[str, Any]]):
    """Dismissed with canonical values by field: those that were changed, and only those."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back"),
        Binding("ctrl+s", "go", "Continue", tooltip="On to the preview of the replay"),
    ]

    def __init__(self, detail: DeadLetterDetail) -> None:
        super().__init__()
        self._detail = detail
        # The field that the vendor named is the one to mend: it comes first.
        self._fields = sorted((one for one in detail.diff if one.editable), key=lambda one: not one.at_fault)
        # What an input starts with is cleaned like everything that is shown; only what differs from it was typed.
        self._initial = [clean(typed(one.after, one.type)) for one in self._fields]

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="form"):
            yield Strip(id="question")
            with VerticalScroll(id="fields-box"):
                for index, one in enumerate(self._fields):
                    yield Strip(id=f"name-{index}", classes="field-name")
                    yield Input(
                        self._initial[index],
                        placeholder=HINTS.get(one.type, "text"),
                        id=f"field-{index}",
                        compact=True,
                        select_on_focus=False,
                    )
                    yield Strip(id=f"remark-{index}", classes="field-remark")
            yield Strip(id="progress")
            with Horizontal(id="buttons"):
                yield Button("Continue", id="go", variant="primary", compact=True, disabled=True)
                yield Button("Cancel", id="leave", compact=True)

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = said("Edit, then replay")
        one = self._detail.letter
        self.query_one("#question", Strip).paint(
            prose((one.title or one.record_id, "strong"), "  ", (one.code, "warn"), "  ", (one.message, "muted"))
        )
        for index, field in enumerate(self._fields):
            self.query_one(f"#name-{index}", Strip).paint(self._label(field))
            self.query_one(f"#remark-{index}", Strip).paint(self._remark(field, self._initial[index]))
        self.query_one("#field-0", Input).focus()
        self._judge()

    def _label(self, field: FieldDiff) -> Text:
        parts: list[Part] = [(field.field, "strong"), (f"  {field.type}", "muted")]
        if field.at_fault:
            parts += [(f"  {self.home.glyphs.pointer} the vendor named this field", "bad")]
        return line(*parts)

    def _remark(self, field: FieldDiff, initial: str) -> Text:
        parts: list[Part] = []
        if initial and not is_clean(typed(field.after, field.type)):
            parts += [("  has invisible characters, shown as signs: type it anew", "warn")]
        held = shown(field.before, field.type, known=field.before_known)
        return line(*parts, ("  held there: ", "faint"), (held, "muted"))

    @on(Input.Changed)
    def changed(self, event: Input.Changed) -> None:
        event.stop()
        self._judge()

    def _judge(self) -> dict[str, Any] | None:
        """Check all inputs, mark the bad ones, and return the edits, or ``None`` if something is wrong."""
        edits: dict[str, Any] = {}
        wrong = 0
        for index, field in enumerate(self._fields):
            source = self.query_one(f"#field-{index}", Input)
            remark = self.query_one(f"#remark-{index}", Strip)
            source.remove_class("-wrong", "-edited")
            if source.value == self._initial[index]:
                remark.paint(self._remark(field, self._initial[index]))
                continue
            try:
                edits[field.field] = parsed(source.value, field.type)
            except ValueProblemError as error:
                wrong += 1
                source.add_class("-wrong")
                remark.paint(line((f"  {self.home.glyphs.bad} {error}", "bad")))
            else:
                source.add_class("-edited")
                becomes = shown(edits[field.field], field.type)
                remark.paint(line((f"  {self.home.glyphs.good} becomes ", "ok"), (becomes, "value")))
        self.query_one("#go", Button).disabled = bool(wrong) or not edits
        if wrong:
            self.tell(line((f"{plural(wrong, 'value')} to correct", "bad")))
        elif edits:
            self.tell(line((f"{plural(len(edits), 'field')} edited; the original is kept", "accent")))
        else:
            self.tell(line(("change a value; empty clears the field", "muted")))
        return None if wrong or not edits else edits

    @on(Button.Pressed, "#go")
    @on(Input.Submitted)
    def action_go(self) -> None:
        edits = self._judge()
        if edits is not None:
            self.dismiss(edits)

    @on(Button.Pressed, "#leave")
    def action_leave(self) -> None:
        self.dismiss(None)

    def tell(self, text: Text) -> None:
        self.query_one("#progress", Strip).paint(text)
