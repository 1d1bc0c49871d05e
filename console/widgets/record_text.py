"""What is said about records: rows of fields, sentences about origins, history and attempts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from console.glyphs import Glyphs
from console.text import Part, fitted, hung, line, lines, prose, said, wrapped
from console.times import age, at_moment, at_time, duration, plural
from console.values import as_json, shown
from console.widgets.states import delivery_state, outcome, record_state
from console.widgets.table import Column, Row
from syncd.control.messages import (
    AttemptLine,
    FieldLine,
    HeldValue,
    History,
    HistoryDecision,
    HistoryLine,
    RecordDetail,
    RecordLine,
)

REASONS: Final = {
    "no_news": "they said what they said before",
    "agreed": "both hold it already",
    "taken": "only they changed it",
    "kept": "only we changed it",
    "not_owner": "they do not own the field",
    "erased": "the person was erased, and nobody else holds it",
    "owner_wins": "they own the field",
    "newest_wins": "theirs is newer",
    "older_loses": "theirs is older",
    "conflict": "both changed it: an operator decides",
    "edited": "an operator set it",
}
"""Why a field has its value, by the rule of the merge."""

_KEEPS: Final = frozenset({"kept", "not_owner", "older_loses", "conflict"})

LIST_COLUMNS: Final = (
    Column("state", "state", 9),
    Column("title", "record", 0),
    Column("entity", "entity", 9),
    Column("version", "v", 3, right=True),
    Column("updated", "updated", 8, right=True),
    Column("id", "id", 31, from_width=110),
)


def list_row(one: RecordLine, now_ms: float, glyphs: Glyphs) -> Row:
    return one.id, [
        record_state(one.state, glyphs),
        said(one.title, "strong"),
        said(one.entity, "muted"),
        said(one.version, "muted"),
        said(age((now_ms - one.updated_at) / 1000), "muted"),
        said(one.id, "faint"),
    ]


# --- fields -----------------------------------------------------------------------------------------------------


def field_columns(record: RecordDetail) -> list[Column]:
    """Field, golden value, one column per place that holds the record, and the origin where there is room."""
    longest = max((len(one.field) for one in record.fields), default=5)
    places = [f"{one.connection}.{one.object}" for one in record.held]
    return [
        Column("field", "field", min(16, max(8, longest))),
        Column("golden", "golden record", 0),
        *(Column(f"held:{place}", place, 0) for place in places),
        Column("origin", "because", 30, from_width=120),
    ]


def field_rows(record: RecordDetail, glyphs: Glyphs) -> list[Row]:
    places = [f"{one.connection}.{one.object}" for one in record.held]
    return [_field_row(one, places, glyphs) for one in record.fields]


def _field_row(one: FieldLine, places: Sequence[str], glyphs: Glyphs) -> Row:
    differs = any(held.known and not held.in_step for held in one.held.values())
    name = line((one.field, "differs" if differs else "strong"))
    golden = said(shown(one.value, one.type, known=one.known), "value" if one.known else "faint")
    origin = line(
        (one.origin_connection or "—", "info"),
        (f" {one.origin_rule.replace('_', ' ')} ", "muted"),
        (at_time(one.origin_at) if one.origin_at else "", "faint"),
    )
    return one.field, [name, golden, *(_held(one.held.get(place), one.type, glyphs) for place in places), origin]


def _held(held: HeldValue | None, kind: str, glyphs: Glyphs) -> Text:
    if held is None:
        return said("not mapped", "faint")
    if not held.known:
        return line((f"{glyphs.absent} ", "faint"), ("not known", "faint"))
    value = shown(held.value, kind)
    if held.in_step:
        return line((f"{glyphs.same} ", "ok"), (value, "muted"))
    return line((f"{glyphs.differs} ", "differs"), (value, "differs"))


def origin_sentence(one: FieldLine, glyphs: Glyphs) -> Text:
    """``email = ada@… because only they changed it, from shop at 12:03:01``, and who holds something else."""
    if not one.known:
        return prose((one.field, "strong"), (" is not known to the golden record", "muted"))
    parts: list[Part] = [(one.field, "strong"), " = ", (shown(one.value, one.type), "value")]
    if one.origin_rule:
        parts += [(" because ", "muted"), (REASONS.get(one.origin_rule, one.origin_rule), "info")]
    if one.origin_connection:
        parts += [(", from ", "muted"), (one.origin_connection, "info")]
    if one.origin_at:
        parts += [(" at ", "muted"), (at_moment(one.origin_at), "muted")]
    if one.origin_change:
        parts += [(f" (change {one.origin_change})", "faint")]
    if one.owners:
        parts += [(f" {glyphs.dot} owned by ", "muted"), (", ".join(one.owners), "accent")]
    for place, held in one.held.items():
        if held.known and not held.in_step:
            parts += [
                (f" {glyphs.differs} ", "differs"),
                (place, "strong"),
                (" holds ", "muted"),
                (shown(held.value, one.type), "differs"),
            ]
    return prose(*parts)


def headline(record: RecordDetail, now_ms: float, glyphs: Glyphs) -> Text:
    failed = [("   ", ""), (f"{glyphs.bad} {plural(len(record.open_dead_letters), 'open failure')}", "bad")]
    parts: list[Part] = [
        (record.title, "title"),
        ("  ", ""),
        (record.entity, "info"),
        (f"  v{record.version}", "muted"),
        (f"  updated {age((now_ms - record.updated_at) / 1000)} ago", "muted"),
        *(failed if record.open_dead_letters else []),  # type: ignore[list-item]
    ]
    return line(*parts)


def places(record: RecordDetail, now_ms: float, glyphs: Glyphs) -> list[Text]:
    """One line per place that holds the record: its id there, and how the delivery to it stands."""
    rows = []
    for one in record.held:
        parts: list[Part] = [
            (f"{one.connection}.{one.object} ", "strong"),
            delivery_state("gone" if one.gone else one.delivery_state or "read", glyphs),
        ]
        if one.delivery_reason:
            parts += [(f": {one.delivery_reason}", "muted")]
        if one.due_at > now_ms:
            parts += [(f", in {age((one.due_at - now_ms) / 1000)}", "muted")]
        if one.modified_at:
            parts += [(f"  changed there {age((now_ms - one.modified_at) / 1000)} ago", "muted")]
        parts += [(f"  {one.external_id}", "faint"), (f" version {one.version}" if one.version else "", "faint")]
        rows.append(line(*parts))
    return rows


# --- history ----------------------------------------------------------------------------------------------------


def history(past: History, kinds: dict[str, str], now_ms: float, glyphs: Glyphs, *, width: int) -> Text:
    """Newest first; ``kinds`` are the types of the fields by name."""
    if not past.lines:
        return said("nothing happened to this record yet", "muted")
    rows: list[Text] = []
    for one in past.lines:
        rows += _history_head(one, now_ms, glyphs, width)
        rows += [hung(_decision(x, one, kinds, glyphs), width, indent=4) for x in one.decisions]
        rows.append(line())
    return lines(rows[:-1])


def _history_head(one: HistoryLine, now_ms: float, glyphs: Glyphs, width: int) -> list[Text]:
    source = f"{one.who} (operator)" if one.who else one.connection or one.channel
    parts: list[Part] = [
        (f"v{one.version} ", "title"),
        (f" {at_moment(one.at)}", "value"),
        (f"  {age((now_ms - one.at) / 1000)} ago", "muted"),
        ("  from ", "muted"),
        (source, "info"),
        (f" by {one.channel}" if not one.who else "", "muted"),
        (f"  change {one.change_id}" if one.change_id else "", "faint"),
        (f"  {one.correlation_id}", "faint"),
    ]
    head = fitted(line(*parts), width)
    return (
        [head, hung(prose((f"  {glyphs.dot} ", "accent"), (f"“{one.why}”", "accent")), width, indent=4)]
        if one.why
        else [head]
    )


def _decision(one: HistoryDecision, where: HistoryLine, kinds: dict[str, str], glyphs: Glyphs) -> Text:
    """``field = value because rule, over X from shop at 12:03``."""
    kind = kinds.get(one.field, "text")
    reason = REASONS.get(one.rule, one.rule)
    source, moment = where.who or where.connection or where.channel, at_time(where.at)
    if one.rule in _KEEPS:
        return prose(
            (f"  {glyphs.same} ", "muted"),
            (one.field, "strong"),
            (" stays ", "muted"),
            (shown(one.after, kind), "value"),
            (" because ", "muted"),
            (reason, "info"),
            (", over ", "muted"),
            (shown(one.theirs, kind), "muted"),
            (f" from {source} at {moment}", "muted"),
        )
    before = shown(one.before, kind, known=one.before_known) if one.before_known else "nothing"
    return prose(
        (f"  {glyphs.differs} ", "differs"),
        (one.field, "strong"),
        " = ",
        (shown(one.after, kind), "value"),
        (" because ", "muted"),
        (reason, "info"),
        (", over ", "muted"),
        (before, "muted"),
        (f" from {source} at {moment}", "muted"),
    )


# --- attempts ---------------------------------------------------------------------------------------------------

ATTEMPT_COLUMNS: Final = (
    Column("at", "when", 8),
    Column("where", "where", 15),
    Column("action", "action", 7),
    Column("outcome", "outcome", 11),
    Column("took", "took", 7, right=True),
    Column("fields", "fields", 0),
    Column("code", "code", 22, from_width=100),
)


def attempt_row(one: AttemptLine, glyphs: Glyphs) -> Row:
    return str(one.id), [
        said(at_time(one.at), "muted"),
        said(f"{one.connection}.{one.object}", "strong"),
        said(one.action, "value"),
        outcome(one.outcome, glyphs),
        said(duration(one.duration_seconds), "muted"),
        said(", ".join(one.fields) or "none", "muted"),
        said(" ".join(x for x in (str(one.status or ""), one.code) if x), "warn"),
    ]


def attempt_text(one: AttemptLine) -> Text:
    """All about one attempt."""
    rows = [
        line(
            (at_moment(one.at), "value"),
            (f"  {one.action} in ", "muted"),
            (f"{one.connection}.{one.object}", "strong"),
            (f"  {one.correlation_id}", "faint"),
        ),
    ]
    if one.message or one.code:
        code = " ".join(x for x in (str(one.status or ""), one.code) if x)
        rows.append(prose((f"{code} ", "warn"), (one.message, "value")))
    sent = [
        prose((f"  {path} ", "strong"), ("= ", "muted"), (as_json(value), "value")) for path, value in one.sent.items()
    ]
    rows += [line(("sent", "muted")), *sent] if sent else [line(("nothing was sent", "muted"))]
    return wrapped(rows)
