"""Values to drafts and update actions, of customers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.systems.commercetools.actions import draft as draft_of
from syncd.systems.commercetools.actions import is_writable, update_actions
from syncd.systems.commercetools.actions import must_look as must_look_at
from syncd.systems.commercetools.resources import RESOURCES
from syncd.systems.commercetools.tables import TABLES
from syncd.systems.commercetools.values import UnwritableError, has_type, same
from syncd.systems.commercetools.ways import Single

EUR = {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 4200, "fractionDigits": 2}
TYPED: dict[str, Any] = {"id": "c", "version": 3, "custom": {"type": {"id": "t"}, "fields": {"phone": "+49"}}}
BARE: dict[str, Any] = {"id": "c", "version": 3, "email": "a@b.org"}
CUSTOMERS = RESOURCES["customers"]
SINGLE = {path: way for path, way in TABLES["customers"].ways.items() if isinstance(way, Single)}
FREE = [path for path, way in SINGLE.items() if way.clears and not way.once]


def actions(values: dict[str, Any], current: dict[str, Any] | None) -> list[dict[str, Any]]:
    return update_actions(CUSTOMERS, values, current, "syncd-customer")


def must_look(values: dict[str, Any], current: dict[str, Any] | None) -> bool:
    return must_look_at(CUSTOMERS, values, current)


def draft(values: dict[str, Any], type_key: str) -> dict[str, Any]:
    return draft_of(CUSTOMERS, values, type_key)


def test_values_become_set_and_change_actions() -> None:
    assert actions({"firstName": "Ada", "email": "ada@x.org"}, BARE) == [
        {"action": "setFirstName", "firstName": "Ada"},
        {"action": "changeEmail", "email": "ada@x.org"},
    ]


def test_null_clears_by_leaving_the_value_out() -> None:
    assert actions({"lastName": None}, {**BARE, "lastName": "B"}) == [{"action": "setLastName"}]
    group = {"typeId": "customer-group", "id": "g"}
    assert actions({"customerGroup": None}, {**BARE, "customerGroup": group}) == [{"action": "setCustomerGroup"}]


def test_what_is_held_already_is_not_written() -> None:
    assert actions({"firstName": None, "email": "a@b.org"}, BARE) == []
    expanded = {"typeId": "customer-group", "id": "g", "obj": {"id": "g", "key": "gold"}}
    wanted = {"typeId": "customer-group", "key": "gold"}
    assert actions({"customerGroup": wanted}, {**BARE, "customerGroup": expanded}) == []


def test_a_custom_field_is_set_on_a_customer_with_a_type() -> None:
    assert actions({"custom.fields.creditLimit": EUR}, TYPED) == [
        {"action": "setCustomField", "name": "creditLimit", "value": EUR}
    ]


def test_a_customer_without_a_type_gets_ours_with_all_values_at_once() -> None:
    values = {"custom.fields.phone": "+1", "custom.fields.creditLimit": EUR, "custom.fields.note": None}
    assert actions(values, BARE) == [
        {
            "action": "setCustomType",
            "type": {"typeId": "type", "key": "syncd-customer"},
            "fields": {"phone": "+1", "creditLimit": EUR},
        }
    ]


def test_a_custom_field_is_cleared_only_where_it_is() -> None:
    assert actions({"custom.fields.phone": None}, TYPED) == [{"action": "setCustomField", "name": "phone"}]
    assert actions({"custom.fields.other": None}, TYPED) == []
    assert actions({"custom.fields.phone": None}, BARE) == []


def test_a_type_is_never_replaced_on_a_guess() -> None:
    (action,) = actions({"custom.fields.phone": "+1"}, None)
    assert action["action"] == "setCustomField"


@pytest.mark.parametrize(
    ("values", "current", "look"),
    [
        ({"firstName": "A"}, None, False),
        ({"custom.fields.phone": "1"}, None, True),
        ({"custom.fields.phone": "1"}, {"email": "a"}, True),
        ({"custom.fields.phone": "1"}, {"custom.fields.phone": None}, True),
        ({"custom.fields.phone": "1"}, {"custom.fields.phone": "0"}, False),
        ({"custom.fields.phone": "1"}, {"custom.fields.creditLimit": EUR}, False),
        ({"custom.fields.phone": None}, {"custom.fields.phone": None}, False),
        ({"custom.fields.phone": None}, {"custom.fields.creditLimit": EUR}, True),
        ({"custom.fields.phone": "1"}, TYPED, False),
        ({"custom.fields.phone": "1"}, BARE, False),
        ({"custom.fields.phone": "1"}, {"custom": None}, False),
        ({"custom.fields.phone": "1"}, {"custom.type": {"id": "t"}}, False),
    ],
)
def test_the_customer_is_read_only_where_too_little_is_known(
    values: dict[str, Any], current: dict[str, Any] | None, look: bool
) -> None:
    assert must_look(values, current) is look


def test_what_has_no_action_is_refused_by_name() -> None:
    with pytest.raises(UnwritableError) as caught:
        actions({"isolation": "x"}, BARE)
    assert caught.value.path == "isolation"
    with pytest.raises(UnwritableError, match="immutable"):
        actions({"customerNumber": "2"}, {**BARE, "customerNumber": "1"})
    assert actions({"customerNumber": "2"}, BARE) == [{"action": "setCustomerNumber", "customerNumber": "2"}]
    with pytest.raises(UnwritableError):
        actions({"email": None}, BARE)
    with pytest.raises(UnwritableError):
        actions({f"custom.fields.f{n}": n for n in range(501)}, TYPED)


def test_a_draft_carries_values_type_and_no_password() -> None:
    assert draft({"email": "a@b.org", "firstName": None, "custom.fields.phone": "1", "key": "customer-1"}, "t") == {
        "authenticationMode": "ExternalAuth",
        "email": "a@b.org",
        "key": "customer-1",
        "custom": {"type": {"typeId": "type", "key": "t"}, "fields": {"phone": "1"}},
    }
    assert "custom" not in draft({"email": "a@b.org", "custom.fields.phone": None}, "t")


def test_money_is_the_same_in_every_writing() -> None:
    assert same(EUR, {"currencyCode": "EUR", "centAmount": 4200})
    assert not same(EUR, {"currencyCode": "USD", "centAmount": 4200})
    assert not same({**EUR, "preciseAmount": 42001}, EUR)


paths = st.sampled_from([*FREE, "email", "custom.fields.phone", "custom.fields.level"])
texts = st.text(min_size=1, max_size=5)


def apply(resource: dict[str, Any], todo: list[dict[str, Any]]) -> dict[str, Any]:
    """What the vendor does with the actions, as its pages describe it."""
    held = {**resource}
    by_action = {way.action: (path, way.member) for path, way in SINGLE.items()}
    for action in todo:
        name = action["action"]
        if name == "setCustomType":
            held["custom"] = {"type": {"id": "new"}, "fields": dict(action["fields"])}
        elif name == "setCustomField":
            fields = dict(held["custom"]["fields"])
            if "value" in action:
                fields[action["name"]] = action["value"]
            else:
                del fields[action["name"]]
            held["custom"] = {**held["custom"], "fields": fields}
        else:
            path, member = by_action[name]
            held.pop(path, None)
            if member in action:
                held[path] = action[member]
    return held


@given(
    st.dictionaries(paths, texts | st.none(), max_size=6).filter(lambda values: values.get("email", "x") is not None),
    st.dictionaries(st.sampled_from([*FREE, "email"]), texts),
    st.none() | st.dictionaries(st.sampled_from(["phone", "level", "foreign"]), texts),
)
def test_applied_actions_bring_the_customer_to_the_values_and_touch_nothing_else(
    values: dict[str, Any], plain: dict[str, Any], custom: dict[str, Any] | None
) -> None:
    current: dict[str, Any] = {"id": "c", "version": 1, **plain}
    if custom is not None:
        current["custom"] = {"type": {"id": "t"}, "fields": custom}
    assert not must_look(values, current)
    after = apply(current, actions(values, current))
    flat = {**{k: v for k, v in after.items() if k != "custom"}}
    flat |= {f"custom.fields.{k}": v for k, v in after.get("custom", {}).get("fields", {}).items()}
    before = {**plain, **{f"custom.fields.{k}": v for k, v in (custom or {}).items()}}
    assert {k: flat.get(k) for k in values} == values
    assert {k: v for k, v in flat.items() if k in before and k not in values} == {
        k: v for k, v in before.items() if k not in values
    }
    assert actions(values, after) == []
    assert has_type(after) is (custom is not None or any(k.startswith("custom.") for k, v in values.items() if v))


def test_the_writable_paths() -> None:
    assert all(is_writable(CUSTOMERS, path) for path in [*SINGLE, "stores", "addresses", "custom.fields.phone"])
    fixed = ["nothing", "custom.type", "custom.fields.a.b", "isEmailVerified"]
    assert not any(is_writable(CUSTOMERS, path) for path in fixed)
    assert is_writable(CUSTOMERS, "isEmailVerified", creating=True)


@pytest.mark.parametrize(
    ("object_", "path", "value"),
    [
        ("customers", "addresses", ["Main Street"]),
        ("customers", "customerGroupAssignments", ["gold"]),
        ("business-units", "associates", ["ada"]),
        ("standalone-prices", "tiers", [{"minimumQuantity": 2}]),
        ("products", "masterData.current.masterVariant.prices", [{"value": 5}]),
    ],
)
def test_a_list_in_another_form_than_it_is_written_in_concerns_its_record_alone(
    object_: str, path: str, value: Any
) -> None:
    resource, held = RESOURCES[object_], {"id": "x", "version": 1, "tiers": [{"minimumQuantity": 2, "value": EUR}]}
    with pytest.raises(UnwritableError) as caught:
        update_actions(resource, {path: value}, held, "t")
    assert caught.value.path == path


def test_an_address_that_is_none_is_refused_in_a_draft() -> None:
    with pytest.raises(UnwritableError, match="addresses"):
        draft({"email": "ada@x.org", "addresses": ["Main Street"]}, "t")
