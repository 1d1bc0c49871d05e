"""The three-way merge: what we last agreed on, what they say now, what we hold. Pure.

Laws, tested by property:

* nothing new from them changes nothing: ``theirs == base  =>  mine``;
* merging the same news twice equals merging it once;
* edits to different fields on both sides both survive, in either order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from syncd.model.entity import ConflictPolicy, Entity, FieldDefinition, NullPolicy
from syncd.model.record import Origin
from syncd.model.value import ABSENT, Absent, Fields, Value


class Rule(StrEnum):
    """Why a field has the value it has; shown to operators."""

    NO_NEWS = "no_news"
    """They say what they said before."""
    AGREED = "agreed"
    """Both sides hold the same value already."""
    TAKEN = "taken"
    """Only they changed it, or we knew nothing."""
    KEPT = "kept"
    """Only we changed it, or theirs was empty and empty is ignored."""
    NOT_OWNER = "not_owner"
    """Only an owner may change this field; our value will be restored there."""
    OWNER_WINS = "owner_wins"
    NEWEST_WINS = "newest_wins"
    OLDER_LOSES = "older_loses"
    CONFLICT = "conflict"
    """Both changed it and the policy says: ask. Ours stands until an operator decides."""
    EDITED = "edited"
    """An operator set it."""
    ERASED = "erased"
    """A person was erased at a vendor, and nobody else holds the value."""


_LETS_IN = frozenset({Rule.TAKEN, Rule.OWNER_WINS, Rule.NEWEST_WINS, Rule.EDITED})


@dataclass(frozen=True, slots=True)
class Decision:
    """What the merge decided for one field."""

    field: str
    rule: Rule
    value: Value | Absent
    """The value the record has afterwards."""
    base: Value | Absent
    mine: Value | Absent
    theirs: Value | Absent

    @property
    def changed(self) -> bool:
        return self.rule in _LETS_IN and self.value != self.mine


@dataclass(frozen=True, slots=True)
class Merge:
    fields: dict[str, Value]
    """The record's fields afterwards, whole."""
    decisions: tuple[Decision, ...]
    """One per field they spoke of, save those without news."""

    @property
    def changed(self) -> tuple[str, ...]:
        return tuple(one.field for one in self.decisions if one.changed)

    @property
    def conflicts(self) -> tuple[Decision, ...]:
        return tuple(one for one in self.decisions if one.rule is Rule.CONFLICT)


def merge(
    entity: Entity,
    connection: str,
    *,
    base: Fields,
    mine: Fields,
    theirs: Fields,
    origins: dict[str, Origin] | None = None,
    occurred_at: int = 0,
) -> Merge:
    """Fold what ``connection`` says (``theirs``) into what we hold (``mine``).

    ``base`` is the link's shadow, empty when the connection's object was never seen. ``origins`` and
    ``occurred_at`` serve the newest-wins rule only.
    """
    fields = dict(mine)
    decisions = []
    for name, value in theirs.items():
        definition = entity.fields[name]
        before, held = base.get(name, ABSENT), mine.get(name, ABSENT)
        origin = (origins or {}).get(name)
        rule = decide(
            definition, connection, base=before, mine=held, theirs=value,
            theirs_newer=occurred_at >= (origin.at if origin else 0),
        )  # fmt: skip
        if rule is Rule.NO_NEWS:
            continue
        outcome = value if rule in _LETS_IN else held
        if outcome is not ABSENT:
            fields[name] = outcome
        decisions.append(Decision(name, rule, outcome, before, held, value))
    return Merge(fields, tuple(decisions))


def decide(
    definition: FieldDefinition,
    connection: str,
    *,
    base: Value | Absent,
    mine: Value | Absent,
    theirs: Value,
    theirs_newer: bool,
) -> Rule:
    """The rule for one field. Reads as the table of cases."""
    if base is not ABSENT and theirs == base:
        return Rule.NO_NEWS
    if mine is not ABSENT and theirs == mine:
        return Rule.AGREED
    if definition.owners and connection not in definition.owners:
        # A first value from elsewhere is better than none, until an owner speaks.
        return Rule.TAKEN if mine is ABSENT or (mine is None and base is ABSENT) else Rule.NOT_OWNER
    if theirs is None and definition.nulls is NullPolicy.IGNORE:
        return Rule.KEPT
    if mine is ABSENT or (base is not ABSENT and mine == base):
        return Rule.TAKEN
    if base is ABSENT and theirs is None:
        return Rule.KEPT
    if base is ABSENT and mine is None:
        return Rule.TAKEN
    return _both_changed(definition, connection, theirs_newer=theirs_newer)


def _both_changed(definition: FieldDefinition, connection: str, *, theirs_newer: bool) -> Rule:
    if definition.conflict is ConflictPolicy.ASK:
        return Rule.CONFLICT
    if definition.conflict is ConflictPolicy.OWNER and connection in definition.owners:
        return Rule.OWNER_WINS
    return Rule.NEWEST_WINS if theirs_newer else Rule.OLDER_LOSES


def apply_edit(entity: Entity, mine: Fields, edits: Fields) -> Merge:
    """An operator's edit: it wins over every policy."""
    decisions = tuple(
        Decision(name, Rule.EDITED, value, ABSENT, mine.get(name, ABSENT), value)
        for name, value in edits.items()
        if name in entity.fields and mine.get(name, ABSENT) != value
    )
    return Merge({**mine, **{one.field: one.value for one in decisions}}, decisions)
