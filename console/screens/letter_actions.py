"""What can be done with dead letters, on the screens that show some: edit, replay, discard, open the record."""

from __future__ import annotations

from console.screens.live import LiveScreen
from syncd.control.messages import DeadLetter, DeadLetterDetail, Selection


class LetterActions(LiveScreen):
    detail: DeadLetterDetail | None

    # --- for the screens ----------------------------------------------------------------------------------------

    def selection(self) -> tuple[Selection, str]:
        """What the commands act on, and its name for a question."""
        raise NotImplementedError

    @property
    def current(self) -> DeadLetter | None:
        """The dead letter under the eyes of the operator."""
        raise NotImplementedError

    @property
    def single(self) -> bool:
        """Whether the commands act on one only."""
        raise NotImplementedError

    def after_command(self) -> None:
        """The daemon did something with the selection."""
        raise NotImplementedError

    # --- actions ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        one = self.current if action in {"edit", "replay", "discard", "record"} else None
        if action == "edit":
            editable = self.detail is not None and any(field.editable for field in self.detail.diff)
            return not self.home.read_only and one is not None and one.state == "open" and self.single and editable
        if action in {"replay", "discard"}:
            return not self.home.read_only and one is not None and one.state == "open"
        if action == "merge":
            two = self.detail is not None and self.detail.letter.state == "open" and len(self.detail.candidates) > 1
            return not self.home.read_only and two
        if action == "record":
            return one is not None and bool(one.record_id)
        return super().check_action(action, parameters)

    def action_replay(self) -> None:
        selection, name = self.selection()
        same = self.detail is not None and selection.ids == [self.detail.letter.id]
        self.home.ask_replay(selection, name, self.after_command, detail=self.detail if same else None)

    def action_discard(self) -> None:
        selection, name = self.selection()
        self.home.ask_discard(selection, name, self.after_command)

    def action_edit(self) -> None:
        if self.detail:
            self.home.ask_edit(self.detail, self.after_command)

    def action_merge(self) -> None:
        if self.detail and len(self.detail.candidates) > 1:
            survivor, absorbed, *_ = self.detail.candidates
            self.home.ask_merge(survivor, absorbed, self.after_command)

    def action_record(self) -> None:
        if self.current:
            self.home.open_record(self.current.record_id)

    def action_leave(self) -> None:
        self.dismiss(None)
