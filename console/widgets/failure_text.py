"""What is said about failures: rows of causes and of dead letters, and the diff of one. Pure."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from console.glyphs import Glyphs
from console.sanitise import clean
from console.text import block, fitted, line, prose, said, wrapped
from console.times import age, at_moment, count, plural
from console.values import as_json, shown
from console.widgets.plot import spark
from console.widgets.table import Column, Row
from syncd.control.messages import DeadLetter, DeadLetterDetail, FailureGroup, FieldDiff

GROUP_COLUMNS: Final = (
    Column("count", "n", 6, right=True),
    Column("trend", "last hour", 12),
    Column("where", "where", 15),
    Column("code", "cause", 22, yields=True),
    Column("message", "the vendor says", 0, from_width=86),
    Column("first", "first", 6, right=True, from_width=72),
    Column("last", "last", 6, right=True),
)


def group_row(one: FailureGroup, at: int, glyphs: Glyphs) -> Row:
    return one.fingerprint, [
        said(count(one.count), "bad"),
        spark(one.trend, glyphs=glyphs, ink="bad"),
        said(f"{one.connection}.{one.object}", "strong"),
        said(one.code, "warn"),
        said(one.message, "muted"),
        said(age((at - one.first_at) / 1000), "muted"),
        said(age((at - one.last_at) / 1000), "value"),
    ]


def group_text(one: FailureGroup, at: int, glyphs: Glyphs) -> Text:
    """All about one cause."""
    return wrapped(
        [
            prose(
                (one.code, "warn"),
                (f"  {one.connection}.{one.object}", "strong"),
                (f"  {one.entity} {one.kind}", "muted"),
                (f"  {one.fingerprint}", "faint"),
            ),
            prose((one.message, "value")),
            prose(
                (plural(one.count, "dead letter"), "bad"),
                (
                    f"  first {age((at - one.first_at) / 1000)} ago, last {age((at - one.last_at) / 1000)} ago  ",
                    "muted",
                ),
                ("last hour ", "muted"),
                spark(one.trend, glyphs=glyphs, ink="bad"),
            ),
        ]
    )


LETTER_COLUMNS: Final = (
    Column("mark", "", 1),
    Column("title", "record", 0),
    Column("tries", "tries", 5, right=True),
    Column("age", "age", 6, right=True),
    Column("id", "id", 7, right=True, from_width=56),
)


def letter_row(one: DeadLetter, *, marked: bool, now_ms: float, glyphs: Glyphs) -> Row:
    return str(one.id), [
        said(glyphs.marked if marked else glyphs.unmarked, "accent" if marked else "faint"),
        said(one.title or one.record_id, "strong"),
        said(one.attempts, "muted"),
        said(age((now_ms - one.at) / 1000), "muted"),
        said(f"#{one.id}", "faint"),
    ]


def letter_head(detail: DeadLetterDetail, now_ms: float) -> list[Text]:
    """What it is, what the vendor said, and what usually helps."""
    one = detail.letter
    rows = [
        line(
            (one.title or one.record_id, "title"),
            (f"  #{one.id}", "faint"),
            (f"  {one.entity} to {one.connection}.{one.object}", "muted"),
            (f"  {plural(one.attempts, 'try', 'tries')}, {age((now_ms - one.at) / 1000)} ago", "muted"),
        ),
        prose((one.code, "warn"), "  ", (one.message, "value")),
    ]
    if one.state != "open":
        why = f": {one.closed_why}" if one.closed_why else ""
        rows.append(prose((f"{one.state} by {one.closed_by or 'syncd'} at {at_moment(one.closed_at)}{why}", "ok")))
    if detail.advice:
        rows.append(prose(("What helps: ", "info"), (detail.advice, "info")))
    return rows


def diff(
    fields: list[FieldDiff], where: str, *, width: int, glyphs: Glyphs, edits: dict[str, object] | None = None
) -> list[Text]:
    """What a replay would write now: one row per field that differs, the same ones named at the end.

    ``edits`` are canonical values an operator typed; they stand in place of what would be written.
    """
    changed = [one for one in fields if _changes(one, edits or {})]
    same = [one.field for one in fields if one not in changed]
    name_width = min(18, max((len(one.field) for one in changed), default=5))
    room = min(48, max(10, (width - name_width - 8) // 2))
    rows = [
        line(
            f"  {'':{name_width}} ",
            fitted(said(f"{where} holds", "muted"), room),
            _pad(f"{where} holds", room),
            "   ",
            ("a replay writes", "muted"),
        )
    ]
    for one in changed:
        rows += _diff_row(one, name_width, room, glyphs, edits or {})
    if not changed:
        rows.append(line(("  nothing differs any more: a replay would close this without a call", "ok")))
    if same:
        rows.append(prose((f"{glyphs.same} ", "ok"), (f"the same already: {', '.join(same)}", "muted")))
    return rows


def _diff_row(one: FieldDiff, name_width: int, room: int, glyphs: Glyphs, edits: dict[str, object]) -> list[Text]:
    edited = one.field in edits
    before = clean(shown(one.before, one.type, known=one.before_known) if one.before_known else "not known", width=room)
    after = clean(shown(edits.get(one.field, one.after), one.type), width=room)
    name = clean(one.field, width=name_width)
    sign = (
        line((f"{glyphs.pointer} ", "bad")) if one.at_fault and not edited else line((f"{glyphs.differs} ", "differs"))
    )
    row = line(
        sign,
        (f"{name:{name_width}} ", "strong"),
        (before, "muted" if one.before_known else "faint"),
        _pad(before, room),
        (f" {glyphs.arrow} ", "faint"),
        (after, "bad" if one.at_fault and not edited else "differs"),
    )
    if edited:
        return [
            row,
            line(
                f"  {'':{name_width}} ", (f"edited; it was {clean(shown(one.after, one.type), width=room)}", "accent")
            ),
        ]
    if one.at_fault:
        return [row, line(f"  {'':{name_width}} ", ("the vendor named this field", "bad"))]
    if one.base_known:
        return [
            row,
            line(
                f"  {'':{name_width}} ",
                (f"both last agreed on {clean(shown(one.base, one.type), width=room)}", "muted"),
            ),
        ]
    return [row]


def _pad(text: str, width: int) -> str:
    return " " * max(0, width - said(text, width=width).cell_len)


def _changes(one: FieldDiff, edits: dict[str, object]) -> bool:
    return one.field in edits or one.at_fault or not one.before_known or one.before != one.after


def evidence(detail: DeadLetterDetail) -> list[Text]:
    """What was sent and what came back, word for word."""
    rows: list[Text] = []
    if detail.sent:
        rows += [line(), line(("The last attempt sent", "title"))]
        rows += [
            prose((f"  {path} ", "strong"), ("= ", "muted"), (as_json(value), "value"))
            for path, value in detail.sent.items()
        ]
    if detail.reply:
        rows += [line(), line(("The vendor replied", "title")), block(detail.reply, "muted")]
    if detail.payload is not None:
        rows += [line(), line(("What arrived", "title")), block(as_json(detail.payload, indent=2), "muted")]
    if detail.correlation_id:
        rows += [line(), line(("Correlation id ", "muted"), (detail.correlation_id, "faint"))]
    return rows


def letter_text(detail: DeadLetterDetail, *, width: int, now_ms: float, glyphs: Glyphs, whole: bool) -> Text:
    """A dead letter; with ``whole`` also what was sent and replied."""
    one = detail.letter
    rows = [*letter_head(detail, now_ms), line()]
    if detail.diff:
        rows += diff(detail.diff, one.connection, width=width, glyphs=glyphs)
    return wrapped([*rows, *(evidence(detail) if whole or not detail.diff else [])])


def summary_of(letters: list[DeadLetter]) -> str:
    """A few of the titles, for a question about them."""
    names = [one.title or one.record_id for one in letters[:3]]
    more = len(letters) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more > 0 else "")
