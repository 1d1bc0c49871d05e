"""Values to drafts and update actions, of everything but customers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.systems.commercetools.actions import draft, is_writable, must_look, update_actions, upserted
from syncd.systems.commercetools.resources import RESOURCES, resource_named
from syncd.systems.commercetools.tables import TABLES
from syncd.systems.commercetools.values import UnwritableError
from syncd.systems.commercetools.ways import Members

Json = dict[str, Any]


def actions(object_: str, values: Json, current: Json | None) -> list[Json]:
    whole = None if current is None else {"id": "x", "version": 1, **current}
    return update_actions(RESOURCES[object_], values, whole, f"syncd-{object_}")


def ref(type_id: str, **known: str) -> Json:
    return {"typeId": type_id, **known}


def eur(cents: int) -> Json:
    return {"type": "centPrecision", "currencyCode": "EUR", "centAmount": cents, "fractionDigits": 2}


def test_every_writable_resource_has_a_table_and_every_path_an_action_or_a_reason() -> None:
    assert TABLES.keys() == RESOURCES.keys()
    for name, table in TABLES.items():
        assert all(is_writable(RESOURCES[name], path, creating=True) for path in table.ways)


def test_a_unit_is_a_company_or_a_division_by_its_parent() -> None:
    acme, hold = ref("business-unit", key="acme"), ref("business-unit", key="hold")
    assert draft(RESOURCES["business-units"], {"key": "a-1", "name": "A"}, "t")["unitType"] == "Company"
    made = draft(RESOURCES["business-units"], {"key": "a-1", "name": "A", "parentUnit": acme}, "t")
    assert (made["unitType"], made["parentUnit"]) == ("Division", acme)

    company, division = {"unitType": "Company"}, {"unitType": "Division", "parentUnit": acme}
    assert actions("business-units", {"parentUnit": acme}, division) == []
    assert actions("business-units", {"parentUnit": hold}, division) == [
        {"action": "changeParentUnit", "parentUnit": hold}
    ]
    assert actions("business-units", {"parentUnit": acme}, company) == [
        {"action": "setUnitType", "unitType": "Division", "parentUnit": acme}
    ]
    freed = actions("business-units", {"parentUnit": None}, {**division, "storeMode": "Explicit"})
    assert [one["action"] for one in freed] == ["changeAssociateMode", "changeApprovalRuleMode", "setUnitType"]
    assert must_look(RESOURCES["business-units"], {"parentUnit": hold}, {"name": "A"})


@pytest.mark.parametrize(
    ("object_", "path", "held", "wanted"),
    [
        ("business-units", "key", "a", "b"),
        ("business-units", "unitType", "Company", "Division"),
        ("associate-roles", "key", "a", "b"),
        ("customers", "customerNumber", "1", "2"),
        ("orders", "orderNumber", "1", "2"),
        ("standalone-prices", "customerGroup", ref("customer-group", id="g"), ref("customer-group", id="h")),
        ("standalone-prices", "sku", "a", "b"),
        ("types", "resourceTypeIds", ["order"], ["customer"]),
    ],
)
def test_what_is_immutable_is_refused_before_any_call_and_by_name(
    object_: str, path: str, held: Any, wanted: Any
) -> None:
    with pytest.raises(UnwritableError) as caught:
        actions(object_, {path: wanted}, {path: held})
    assert caught.value.path == path
    assert actions(object_, {path: held}, {path: held}) == []
    assert must_look(RESOURCES[object_], {path: wanted}, {})


def test_people_of_a_unit_come_change_and_go_one_by_one() -> None:
    def person(identity: str, *roles: str) -> Json:
        given = [{"associateRole": ref("associate-role", key=role), "inheritance": "Disabled"} for role in roles]
        return {"customer": ref("customer", id=identity), "associateRoleAssignments": given}

    before = {"associates": [person("1", "buyer"), person("2", "buyer"), person("3", "admin")]}
    bare = {"customer": ref("customer", id="3"), "associateRoleAssignments": [{"associateRole": {"key": "admin"}}]}
    found = actions("business-units", {"associates": [person("2", "admin"), bare, person("4")]}, before)
    assert [one["action"] for one in found] == ["removeAssociate", "changeAssociate", "addAssociate"]
    assert found[0]["customer"] == ref("customer", id="1")
    many = [person(str(number)) for number in range(600)]
    assert actions("business-units", {"associates": many}, before) == [{"action": "setAssociates", "associates": many}]
    assert actions("business-units", {"associates": []}, None) == [{"action": "setAssociates", "associates": []}]


def test_an_address_is_matched_by_id_or_key_and_sent_whole() -> None:
    held = [
        {"id": "i1", "key": "main", "country": "DE", "city": "Bonn", "phone": "1"},
        {"id": "i2", "country": "DE", "city": "Ulm"},
        {"id": "i3", "country": "DE", "city": "Hof"},
    ]
    wanted = [
        {"key": "main", "city": "Köln", "phone": None},
        {"id": "i2", "city": "Ulm"},
        {"key": "b", "country": "FR"},
    ]
    assert actions("customers", {"addresses": wanted, "defaultBillingAddressId": "b"}, {"addresses": held}) == [
        {"action": "removeAddress", "addressId": "i3"},
        {"action": "changeAddress", "addressId": "i1", "address": {"key": "main", "country": "DE", "city": "Köln"}},
        {"action": "addAddress", "address": {"key": "b", "country": "FR"}},
        {"action": "setDefaultBillingAddress", "addressKey": "b"},
    ]
    values = {"addresses": [{"id": "i9", "key": "b", "country": "FR"}], "shippingAddressIds": ["b"]}
    assert draft(RESOURCES["customers"], values, "t") == {
        "authenticationMode": "ExternalAuth",
        "addresses": [{"key": "b", "country": "FR"}],
        "shippingAddresses": [0],
    }
    with pytest.raises(UnwritableError):
        draft(RESOURCES["customers"], {"defaultShippingAddressId": "b"}, "t")


def test_groups_are_set_as_a_whole_where_ids_and_keys_cannot_be_compared() -> None:
    held = {"customerGroupAssignments": [{"customerGroup": ref("customer-group", id="g")}]}
    wanted = [{"customerGroup": ref("customer-group", key="gold")}]
    assert actions("customers", {"customerGroupAssignments": wanted}, held) == [
        {"action": "setCustomerGroupAssignments", "customerGroupAssignments": wanted}
    ]
    more = [*held["customerGroupAssignments"], {"customerGroup": ref("customer-group", id="h")}]
    (only,) = actions("customers", {"customerGroupAssignments": more}, held)
    assert only["action"] == "addCustomerGroupAssignment"


def test_both_ends_of_a_validity_change_at_once_and_a_price_never_moves() -> None:
    values = {"validFrom": "2026-01-01T00:00:00.000Z", "validUntil": "2027-01-01T00:00:00.000Z", "value": eur(1)}
    assert [one["action"] for one in actions("standalone-prices", values, {"value": eur(2)})] == [
        "changeValue",
        "setValidFromAndUntil",
    ]
    tiers = [{"minimumQuantity": 10, "value": eur(90)}, {"minimumQuantity": 20, "value": eur(80)}]
    changed = [{"minimumQuantity": 10, "value": {"currencyCode": "EUR", "centAmount": 90}},
               {"minimumQuantity": 20, "value": eur(70)}]  # fmt: skip
    assert actions("standalone-prices", {"tiers": changed}, {"tiers": tiers}) == [
        {"action": "removePriceTier", "minimumQuantity": 20},
        {"action": "addPriceTier", "tier": changed[1]},
    ]


def test_a_product_keeps_the_locales_and_prices_that_are_not_ours() -> None:
    prices = [{"id": "p1", "value": eur(500), "tiers": []}, {"id": "p2", "value": eur(400), "country": "FR"}]
    data = {"name": {"en": "Tea", "de": "Tee"}, "masterVariant": {"id": 2, "sku": "T", "prices": prices}}
    current = {"masterData": {"published": False, "current": data}}
    values = {
        "masterData.current.name": {"en": "Green tea"},
        "masterData.current.masterVariant.sku": "T2",
        "masterData.current.masterVariant.prices": [{"value": eur(450)}],
        "masterData.published": True,
    }
    now = {"staged": False}
    assert actions("products", values, current) == [
        {"action": "changeName", "name": {"en": "Green tea", "de": "Tee"}, **now},
        {"action": "setSku", "sku": "T2", "variantId": 2, **now},
        {"action": "changePrice", "priceId": "p1", "price": {"value": eur(450), "tiers": []}, **now},
        {"action": "publish"},
    ]
    gone = {"masterData.current.masterVariant.prices": [{"value": {"currencyCode": "EUR"}}]}
    assert actions("products", gone, current) == [{"action": "removePrice", "priceId": "p1", **now}]
    new = {"masterData.current.masterVariant.prices": [{"value": {**eur(1), "currencyCode": "USD"}}]}
    (added,) = actions("products", new, current)
    assert (added["action"], added["variantId"]) == ("addPrice", 2)
    made = draft(RESOURCES["products"], {"key": "t-1", **values, "productType": ref("product-type", key="p")}, "")
    assert (made["slug"], made["publish"], made["masterVariant"]["sku"]) == ({"en": "t-1"}, True, "T2")


def test_a_custom_object_keeps_what_is_not_ours() -> None:
    credit = resource_named("custom-objects/credit")
    assert credit is not None
    assert resource_named("custom-objects/no way") is None
    assert must_look(credit, {"value.a": 1}, {"value.a": 0})
    held = {"limit": {"open": 1}, "note": "by hand"}
    assert upserted({"value.limit.open": None, "value.limit.max": 7}, held) == {"limit": {"max": 7}, "note": "by hand"}
    assert held == {"limit": {"open": 1}, "note": "by hand"}
    made = draft(credit, {"key": "k", "value.limit.max": 7}, "")
    assert made == {"container": "credit", "key": "k", "value": {"limit": {"max": 7}}}
    with pytest.raises(UnwritableError):
        upserted({"value.note.x": 1}, held)


names = st.lists(st.sampled_from(["ViewMyCarts", "CreateMyCarts", "UpdateMyCarts", "DeleteMyCarts"]), unique=True)


@given(names, names, st.integers(min_value=0, max_value=4))
def test_entries_sent_one_by_one_or_whole_end_in_the_same_list(before: list[str], after: list[str], most: int) -> None:
    way = Members(
        by=(str,),
        add=lambda one: {"add": one},
        remove=lambda one: {"remove": one},
        whole=("set", "all"),
        most=most,
    )
    held = list(before)
    for one in way.actions("p", after, {"p": before}) if way.differs(after, before) else ():
        if "all" in one:
            held = list(one["all"])
        elif "add" in one:
            assert one["add"] not in held
            held.append(one["add"])
        else:
            held.remove(one["remove"])
    assert set(held) == set(after)
