"""Types and custom fields, custom objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.commercetools.conftest import Shop
from tests.sandbox.commercetools.test_customers import code


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"type": {"name": kind} if isinstance(kind, str) else kind, "name": name, "label": {"en": name}, **more}


async def make_type(shop: Shop, *fields: dict[str, Any], key: str = "syncd-customer", on: str = "customer") -> Any:
    body = {"key": key, "name": {"en": key}, "resourceTypeIds": [on], "fieldDefinitions": list(fields)}
    return await shop.post("/types", body, 201)


def with_fields(**fields: Any) -> dict[str, Any]:
    return {"type": {"typeId": "type", "key": "syncd-customer"}, "fields": fields}


_ENUM = {"name": "Enum", "values": [{"key": "a", "label": "A"}, {"key": "b", "label": "B"}]}
_KINDS: list[tuple[Any, Any, Any]] = [
    ("String", "x", 1),
    ("Boolean", True, "true"),
    ("Number", 1.5, True),
    ("Date", "2026-01-31", "2026-02-30"),
    ("Time", "08:30:00.000", "8:30"),
    ("DateTime", "2026-01-31T08:00:00.000Z", "soon"),
    ("LocalizedString", {"en": "x"}, "x"),
    (_ENUM, "a", "c"),
    ({"name": "Set", "elementType": {"name": "String"}}, ["a", "b"], "a"),
    ({"name": "Reference", "referenceTypeId": "customer-group"}, None, {"typeId": "cart", "id": "x"}),
]


@pytest.mark.parametrize(("kind", "good", "bad"), _KINDS, ids=lambda kind: str(kind)[:30])
async def test_a_custom_field_takes_values_of_its_type_only(shop: Shop, kind: Any, good: Any, bad: Any) -> None:
    await make_type(shop, field("field", kind))
    if good is None:
        group = await shop.post("/customer-groups", {"groupName": "Gold"}, 201)
        good = {"typeId": "customer-group", "id": group["id"]}
    row = await shop.customer(custom=with_fields(field=good))
    assert row["custom"]["fields"] == {"field": good}
    refused = await shop.update(
        "/customers", row, {"action": "setCustomField", "name": "field", "value": bad}, status=400
    )
    assert code(refused) == "InvalidField"


async def test_money_in_a_custom_field_is_typed_and_has_no_fractions(shop: Shop) -> None:
    await make_type(shop, field("creditLimit", "Money"))
    row = await shop.customer(custom=with_fields(creditLimit={"currencyCode": "JPY", "centAmount": 500}))
    money = {"type": "centPrecision", "currencyCode": "JPY", "centAmount": 500, "fractionDigits": 0}
    assert row["custom"]["fields"]["creditLimit"] == money
    for value in (
        {"currencyCode": "JPY", "centAmount": 5.5},
        {"centAmount": 5},
        {"currencyCode": "yen", "centAmount": 5},
    ):
        action = {"action": "setCustomField", "name": "creditLimit", "value": value}
        assert code(await shop.update("/customers", row, action, status=400)) == "InvalidField"


async def test_setting_and_clearing_custom_fields_follows_the_rules(shop: Shop) -> None:
    own = await make_type(shop, field("phone", "String"), field("note", "String", required=True))
    row = await shop.customer()
    put = {"action": "setCustomField", "name": "phone", "value": "1"}
    assert code(await shop.update("/customers", row, put, status=400)) == "InvalidOperation"
    set_type = {"action": "setCustomType", **with_fields()}
    refused = await shop.update("/customers", row, set_type, status=400)
    assert (code(refused), refused["errors"][0]["field"]) == ("RequiredField", "note")
    row = await shop.update("/customers", row, {"action": "setCustomType", **with_fields(note="n")}, put)
    assert row["custom"] == {"type": {"typeId": "type", "id": own["id"]}, "fields": {"note": "n", "phone": "1"}}
    clear = {"action": "setCustomField", "name": "phone"}
    row = await shop.update("/customers", row, clear)
    assert row["custom"]["fields"] == {"note": "n"}
    assert code(await shop.update("/customers", row, clear, status=400)) == "InvalidOperation"
    unknown = {"action": "setCustomField", "name": "shoe", "value": 1}
    assert code(await shop.update("/customers", row, unknown, status=400)) == "InvalidField"
    needed = {"action": "setCustomField", "name": "note", "value": None}
    assert code(await shop.update("/customers", row, needed, status=400)) == "RequiredField"
    row = await shop.update("/customers", row, {"action": "setCustomType"})
    assert "custom" not in row


async def test_a_type_serves_the_resources_it_names_and_stays_while_used(shop: Shop) -> None:
    await make_type(shop, on="order")
    refused = await shop.post("/customers", {"email": "a@b", "custom": with_fields(), "password": "x"}, 400)
    assert code(refused) == "InvalidOperation"
    await shop.post("/carts", {"currency": "EUR", "custom": with_fields()}, 201)
    reply = await shop.http.delete("/types/key=syncd-customer", params={"version": 1})
    assert code(reply.json()) == "ReferenceExists"


async def test_a_type_grows_by_update_actions(shop: Shop) -> None:
    row = await make_type(shop, field("tier", _ENUM))
    row = await shop.update(
        "/types",
        row,
        {"action": "addFieldDefinition", "fieldDefinition": field("phone", "String", inputHint="MultiLine")},
        {"action": "addEnumValue", "fieldName": "tier", "value": {"key": "c", "label": "C"}},
        {"action": "changeEnumValueLabel", "fieldName": "tier", "value": {"key": "a", "label": "AA"}},
        {"action": "changeEnumValueOrder", "fieldName": "tier", "keys": ["c", "b", "a"]},
        {"action": "changeFieldDefinitionOrder", "fieldNames": ["phone", "tier"]},
        {"action": "changeLabel", "fieldName": "phone", "label": {"en": "Phone"}},
        {"action": "changeInputHint", "fieldName": "phone", "inputHint": "SingleLine"},
        {"action": "changeName", "name": {"en": "New"}},
        {"action": "setDescription", "description": {"en": "d"}},
    )
    phone, tier = row["fieldDefinitions"]
    assert (phone["label"], phone["inputHint"], phone["required"]) == ({"en": "Phone"}, "SingleLine", False)
    assert [value["label"] for value in tier["type"]["values"]] == ["C", "B", "AA"]
    row = await shop.update("/types", row, {"action": "removeFieldDefinition", "fieldName": "tier"})
    assert [one["name"] for one in row["fieldDefinitions"]] == ["phone"]
    twice = {"action": "addFieldDefinition", "fieldDefinition": field("phone", "String")}
    assert code(await shop.update("/types", row, twice, status=400)) == "DuplicateField"


async def test_one_name_has_one_field_type_in_all_types_of_a_resource(shop: Shop) -> None:
    await make_type(shop, field("phone", "String"))
    body = {"key": "other", "name": {}, "resourceTypeIds": ["customer"], "fieldDefinitions": [field("phone", "Number")]}
    assert code(await shop.post("/types", body, 400)) == "InvalidField"
    await shop.post("/types", {**body, "resourceTypeIds": ["order"]}, 201)


async def test_custom_objects_are_upserted_and_nulls_are_not_kept(shop: Shop) -> None:
    body = {"container": "sync", "key": "a.1", "value": {"state": "open", "gone": None}}
    first = await shop.post("/custom-objects", body, 201)
    assert (first["version"], first["value"]) == (1, {"state": "open"})
    second = await shop.post("/custom-objects", {**body, "value": 7}, 200)
    assert (second["id"], second["version"], second["value"]) == (first["id"], 2, 7)
    stale = await shop.post("/custom-objects", {**body, "version": 1}, 409)
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    await shop.post("/custom-objects", {**body, "value": deep}, 400)
    assert code(stale) == "ConcurrentModification"
    assert await shop.get("/custom-objects/sync/a.1") == second
    page = await shop.get("/custom-objects/sync", where="value = 7", withTotal="false")
    assert (page["count"], "total" in page) == (1, False)
    assert (await shop.get("/custom-objects/other"))["count"] == 0
    assert code(await shop.post("/custom-objects", {**body, "key": "ä"}, 400)) == "InvalidField"
    gone = await shop.http.delete("/custom-objects/sync/a.1", params={"version": 2})
    assert (gone.status_code, (await shop.http.get("/custom-objects/sync/a.1")).status_code) == (200, 404)
