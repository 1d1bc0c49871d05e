"""The three-way merge and the comparison that follows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.delivery import Action
from syncd.model.diff import IN_STEP, compare, written_fields
from syncd.model.entity import ConflictPolicy, Entity, FieldDefinition, NullPolicy
from syncd.model.lens import Plain
from syncd.model.mapping import (
    ChildMapping,
    DecodeError,
    Direction,
    FieldMapping,
    ObjectMapping,
    RelationMapping,
    decode,
    encode,
    encode_item,
)
from syncd.model.merge import Rule, apply_edit, merge
from syncd.model.record import Link, Origin, Record
from syncd.model.value import ABSENT, FieldType


def entity_of(*definitions):
    return Entity("customer", {one.name: one for one in definitions})


def text(name, **more):
    return FieldDefinition(name, FieldType.TEXT, **more)


OWNED = frozenset({"crm"})
NAMES = ("free", "owned", "asked", "newest", "kept")
ENTITY = entity_of(
    text("free"),
    text("owned", owners=OWNED),
    text("asked", conflict=ConflictPolicy.ASK),
    text("newest", conflict=ConflictPolicy.NEWEST),
    text("kept", nulls=NullPolicy.IGNORE),
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([None, "a", "b", "c"]))
SIDES = st.sampled_from(["shop", "crm"])
TIMES = st.integers(0, 3)


def origins_at(time):
    return {name: Origin("elsewhere", 1, time) for name in NAMES}


@given(FIELDS, FIELDS, SIDES)
def test_nothing_new_from_them_changes_nothing(base, mine, side):
    assert merge(ENTITY, side, base=base, mine=mine, theirs=base).fields == mine


@given(FIELDS, FIELDS, FIELDS, SIDES, TIMES, TIMES)
def test_the_same_news_twice_is_the_same_news_once(base, mine, theirs, side, ours_at, theirs_at):
    more = {"origins": origins_at(ours_at), "occurred_at": theirs_at}
    once = merge(ENTITY, side, base=base, mine=mine, theirs=theirs, **more)
    repeated = merge(ENTITY, side, base=base, mine=once.fields, theirs=theirs, **more)
    after = merge(ENTITY, side, base={**base, **theirs}, mine=once.fields, theirs=theirs, **more)
    assert repeated.fields == once.fields
    assert after.fields == once.fields
    assert after.decisions == ()
    assert repeated.changed == ()


@given(
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["a", "b"]), min_size=5),
    st.permutations(NAMES),
    st.integers(0, 5),
)
def test_edits_to_different_fields_on_both_sides_both_survive_in_either_order(base, names, cut):
    # Only owners may change an owned field, so the owner's side edits it.
    left = {**base, **{name: "left" for name in names[:cut] if name != "owned"}}
    right = {**base, **dict.fromkeys(names[cut:], "right"), "owned": "right"}
    one = merge(
        ENTITY, "crm", base=base, mine=merge(ENTITY, "shop", base=base, mine=base, theirs=left).fields, theirs=right
    )
    two = merge(
        ENTITY, "shop", base=base, mine=merge(ENTITY, "crm", base=base, mine=base, theirs=right).fields, theirs=left
    )
    wanted = {name: right[name] if right[name] != base[name] else left[name] for name in NAMES}
    assert one.fields == two.fields == wanted


@given(FIELDS, FIELDS, FIELDS, SIDES, TIMES, TIMES)
def test_every_change_has_a_decision_that_explains_it_and_nothing_else_moves(
    base, mine, theirs, side, ours_at, theirs_at
):
    result = merge(
        ENTITY, side, base=base, mine=mine, theirs=theirs, origins=origins_at(ours_at), occurred_at=theirs_at
    )
    moved = {name for name in NAMES if result.fields.get(name, ABSENT) != mine.get(name, ABSENT)}
    assert moved == set(result.changed)
    assert set(mine) <= set(result.fields)
    assert moved <= set(theirs)
    for decision in result.decisions:
        assert result.fields.get(decision.field, ABSENT) == decision.value
        assert decision.value in (decision.mine, decision.theirs)


CASES = [
    # field, side, base, mine, theirs, theirs newer, rule, value
    ("free", "shop", "a", "a", "b", True, Rule.TAKEN, "b"),
    ("free", "shop", ABSENT, ABSENT, "b", True, Rule.TAKEN, "b"),
    ("free", "shop", "a", "b", "b", True, Rule.AGREED, "b"),
    ("free", "shop", "a", "b", "c", True, Rule.NEWEST_WINS, "c"),
    ("free", "shop", "a", "b", "c", False, Rule.OLDER_LOSES, "b"),
    ("free", "shop", "a", "a", None, True, Rule.TAKEN, None),
    ("free", "shop", ABSENT, "a", None, True, Rule.KEPT, "a"),
    ("free", "shop", ABSENT, None, "b", False, Rule.TAKEN, "b"),
    ("owned", "shop", "a", "a", "b", True, Rule.NOT_OWNER, "a"),
    ("owned", "shop", ABSENT, ABSENT, "b", True, Rule.TAKEN, "b"),
    ("owned", "crm", "a", "b", "c", False, Rule.OWNER_WINS, "c"),
    ("asked", "shop", "a", "b", "c", True, Rule.CONFLICT, "b"),
    ("asked", "shop", "a", "a", "c", True, Rule.TAKEN, "c"),
    ("newest", "crm", "a", "b", "c", False, Rule.OLDER_LOSES, "b"),
    ("kept", "shop", "a", "a", None, True, Rule.KEPT, "a"),
]


@pytest.mark.parametrize(("field", "side", "base", "mine", "theirs", "newer", "rule", "value"), CASES)
def test_the_table_of_cases(field, side, base, mine, theirs, newer, rule, value):
    def known(one):
        return {} if one is ABSENT else {field: one}

    result = merge(
        ENTITY, side, base=known(base), mine=known(mine), theirs={field: theirs},
        origins={field: Origin("elsewhere", 1, 5)}, occurred_at=9 if newer else 1,
    )  # fmt: skip
    assert result.decisions[0].rule is rule
    assert result.fields[field] == value
    assert bool(result.conflicts) is (rule is Rule.CONFLICT)


def test_an_operators_edit_wins_over_every_policy_and_says_what_it_changed():
    result = apply_edit(ENTITY, {"owned": "a", "free": "x"}, {"owned": "b", "free": "x", "unknown": "y"})
    assert result.fields == {"owned": "b", "free": "x"}
    assert result.changed == ("owned",)
    assert result.decisions[0].rule is Rule.EDITED


# --- comparison ----------------------------------------------------------------------------------------------------

MAPPING = ObjectMapping(
    "customer",
    "crm",
    "contacts",
    (
        *(FieldMapping(name, (f"p.{name}",), Plain()) for name in NAMES[:3]),
        FieldMapping("newest", ("p.newest",), Plain(), Direction.READ),
    ),
    write=frozenset({Action.CREATE, Action.UPDATE}),
    relations=(RelationMapping("kept", "companies", 7),),
    children=(ChildMapping("items", "line_items", (FieldMapping("sku", ("hs_sku",), Plain()),), 20),),
)
RECORDS = st.dictionaries(st.sampled_from([*NAMES, "items"]), st.sampled_from([None, "a", "b", []]))


def record(fields):
    return Record("customer-1", "customer", fields, {}, 1, 0)


def link(shadow, **more):
    return Link("customer-1", "crm", "contacts", "77", shadow, **more)


@given(RECORDS, RECORDS)
def test_comparing_again_after_an_update_finds_nothing(fields, shadow):
    diff = compare(MAPPING, record(fields), link(shadow))
    assert diff.action is Action.UPDATE
    applied = {**shadow, **{one.field: one.after for one in diff.fields}}
    assert compare(MAPPING, record(fields), link(applied)) == IN_STEP


@given(RECORDS)
def test_comparing_again_after_a_create_finds_nothing(fields):
    diff = compare(MAPPING, record(fields), None)
    assert diff
    assert diff.action is Action.CREATE
    assert compare(MAPPING, record(fields), link({one.field: one.after for one in diff.fields})) == IN_STEP


@given(RECORDS, RECORDS)
def test_only_written_fields_that_are_known_and_differ_are_in_a_diff(fields, shadow):
    diff = compare(MAPPING, record(fields), link(shadow))
    assert set(diff.names) <= set(written_fields(MAPPING)) & set(fields)
    assert "newest" not in diff.names
    assert all(one.before == shadow.get(one.field, ABSENT) != one.after for one in diff.fields)


def test_what_the_vendor_stores_differently_counts_as_in_step_until_we_want_something_else():
    held = link({"free": "a"}, sent={"free": "a "})
    assert compare(MAPPING, record({"free": "a "}), held) == IN_STEP
    assert compare(MAPPING, record({"free": "b"}), held).names == ("free",)


def test_nothing_is_written_to_what_is_gone_or_may_not_be_written():
    assert compare(MAPPING, record({"free": "b"}), link({}, gone=True)) == IN_STEP
    readonly = ObjectMapping("customer", "crm", "contacts", MAPPING.fields)
    assert compare(readonly, record({"free": "b"}), link({})) == IN_STEP
    assert compare(readonly, record({"free": "b"}), None) == IN_STEP
    waits = ObjectMapping("customer", "crm", "contacts", MAPPING.fields, write=MAPPING.write, create_when="asked")
    assert compare(waits, record({"free": "b"}), None) == IN_STEP
    assert compare(waits, record({"free": "b", "asked": "x"}), None).action is Action.CREATE


# --- reading and writing through a mapping ---------------------------------------------------------------------------


def test_a_missing_path_is_null_in_a_whole_object_and_absent_in_a_partial_one():
    data = {"p": {"free": "x"}}
    assert decode(ENTITY, MAPPING, data) == {"free": "x", "owned": None, "asked": None, "newest": None}
    assert decode(ENTITY, MAPPING, data, partial=True) == {"free": "x"}


def test_every_field_that_cannot_be_read_is_named():
    with pytest.raises(DecodeError) as caught:
        decode(ENTITY, MAPPING, {"p": {"free": 5, "owned": [], "asked": "fine"}})
    assert set(caught.value.problems) == {"free", "owned"}


@given(st.dictionaries(st.sampled_from(NAMES[:3]), st.none() | st.text(), min_size=1))
def test_what_is_written_is_read_back(fields):
    raw = encode(MAPPING, fields, fields)
    nested = {"p": {path.removeprefix("p."): value for path, value in raw.items()}}
    assert decode(ENTITY, MAPPING, nested, partial=True) == fields


def test_only_named_writable_fields_are_written():
    assert encode(MAPPING, {"free": "x", "owned": "y", "newest": "z"}, ["free", "newest", "asked"]) == {"p.free": "x"}
    assert encode_item(MAPPING.children[0], {"key": "1", "sku": "S"}) == {"hs_sku": "S"}
    assert encode_item(MAPPING.children[0], {"key": "1"}) == {}


def test_a_read_fetches_every_path_once_and_the_key():
    assert MAPPING.paths() == ("p.free", "p.owned", "p.asked", "p.newest")
    keyed = ObjectMapping("customer", "crm", "contacts", MAPPING.fields[:1], key_path="syncd_external_id")
    assert keyed.paths() == ("p.free", "syncd_external_id")
    assert keyed.name == "crm.contacts"
