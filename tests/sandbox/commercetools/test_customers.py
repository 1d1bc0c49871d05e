"""Customers and groups: create, uniqueness, update actions, versions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.commercetools.conftest import Shop


def code(body: dict[str, Any]) -> str:
    first: str = body["errors"][0]["code"]
    assert body["message"] == body["errors"][0]["message"]
    return first


async def test_a_created_customer_comes_in_an_envelope_with_ids_for_indices(shop: Shop) -> None:
    await shop.post("/customer-groups", {"groupName": "Gold", "key": "gold"}, 201)
    body = {
        "key": "crm-003A",
        "email": "Ada@example.com",
        "authenticationMode": "ExternalAuth",
        "addresses": [{"country": "DE", "key": "home"}, {"country": "FR"}],
        "defaultShippingAddress": 0,
        "billingAddresses": [1],
        "customerGroup": {"typeId": "customer-group", "key": "gold"},
        "lastName": None,
    }
    envelope = await shop.post("/customers", body, 201)
    assert envelope.keys() == {"customer"}
    row = envelope["customer"]
    home, work = (address["id"] for address in row["addresses"])
    assert row["version"] == 1
    assert row["createdAt"] == row["lastModifiedAt"] == "2026-11-02T08:00:00.000Z"
    assert row["email"] == "Ada@example.com"
    assert (row["defaultShippingAddressId"], row["shippingAddressIds"]) == (home, [home])
    assert row["billingAddressIds"] == [work]
    assert row["customerGroup"].keys() == {"typeId", "id"}
    assert "lastName" not in row
    assert (row["isEmailVerified"], row["stores"], row["customerGroupAssignments"]) == (False, [], [])
    assert await shop.get("/customers/key=crm-003A") == row == await shop.get(f"/customers/{row['id']}")


async def test_a_password_is_asked_for_and_never_shown(shop: Shop) -> None:
    refused = await shop.post("/customers", {"email": "a@example.com"}, 400)
    assert (code(refused), refused["errors"][0]["field"]) == ("RequiredField", "password")
    row = (await shop.post("/customers", {"email": "a@example.com", "password": "secret!"}, 201))["customer"]
    assert row["authenticationMode"] == "Password"
    assert row["password"].startswith("****")
    assert "secret" not in str(row)


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        ("email", {"email": "ada@example.com"}, {"email": "ADA@Example.com"}),
        ("key", {"email": "a@example.com", "key": "k1"}, {"email": "b@example.com", "key": "k1"}),
        ("customerNumber", {"email": "a@x.y", "customerNumber": "7"}, {"email": "b@x.y", "customerNumber": "7"}),
    ],
)
async def test_a_value_that_another_one_holds_is_a_duplicate(
    shop: Shop, field: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    await shop.customer(**first)
    refused = await shop.post("/customers", {**second, "authenticationMode": "ExternalAuth"}, 400)
    assert code(refused) == "DuplicateField"
    assert refused["errors"][0]["field"] == field
    assert refused["errors"][0]["duplicateValue"] == second[field]


async def test_a_value_is_free_again_when_its_holder_lets_go(shop: Shop) -> None:
    row = await shop.customer("a@example.com", key="k1")
    row = await shop.update("/customers", row, {"action": "changeEmail", "email": "b@example.com"})
    other = await shop.customer("A@example.com")
    refused = await shop.update("/customers", other, {"action": "setKey", "key": "k1"}, status=400)
    assert code(refused) == "DuplicateField"
    await shop.http.delete(f"/customers/{row['id']}", params={"version": row["version"]})
    await shop.update("/customers", other, {"action": "setKey", "key": "k1"})


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        ({}, "InvalidJsonInput"),
        ({"email": 7}, "InvalidJsonInput"),
        ({"email": "nobody"}, "InvalidField"),
        ({"email": "a@b", "shoeSize": 44}, "InvalidJsonInput"),
        ({"email": "a@b", "key": "ä"}, "InvalidField"),
        ({"email": "a@b", "dateOfBirth": "yesterday"}, "InvalidJsonInput"),
        ({"email": "a@b", "locale": "xx"}, "InvalidField"),
        ({"email": "a@b", "addresses": [{"city": "Bonn"}]}, "InvalidJsonInput"),
        ({"email": "a@b", "addresses": [{"country": "DE"}], "defaultBillingAddress": 1}, "InvalidInput"),
        ({"email": "a@b", "customerGroup": {"typeId": "customer-group", "key": "x"}}, "ReferencedResourceNotFound"),
        ({"email": "a@b", "customerGroup": {"id": "x", "key": "y"}}, "InvalidJsonInput"),
        ({"email": "a@b", "customerGroup": {"typeId": "cart", "id": "x"}}, "InvalidJsonInput"),
    ],
)
async def test_a_draft_that_makes_no_sense_creates_nothing(shop: Shop, draft: dict[str, Any], expected: str) -> None:
    refused = await shop.post("/customers", {**draft, "authenticationMode": "ExternalAuth"}, 400)
    assert code(refused) == expected
    assert len(shop.sandbox.ledger) == 0


async def test_what_is_no_json_is_refused(shop: Shop) -> None:
    for content in (b"{", b"[]", b""):
        reply = await shop.http.post("/customers", content=content)
        assert (reply.status_code, code(reply.json())) == (400, "InvalidJsonInput")
        assert "detailedErrorMessage" in reply.json()["errors"][0]


_TEXTS = ["FirstName", "LastName", "MiddleName", "Title", "Salutation", "CompanyName", "VatId", "ExternalId"]


@pytest.mark.parametrize("name", _TEXTS)
async def test_a_set_action_sets_and_without_a_value_clears(shop: Shop, name: str) -> None:
    member = name[0].lower() + name[1:]
    row = await shop.update("/customers", await shop.customer(), {"action": f"set{name}", member: "x"})
    assert (row[member], row["version"]) == ("x", 2)
    row = await shop.update("/customers", row, {"action": f"set{name}"})
    assert (member not in row, row["version"]) == (True, 3)
    same = await shop.update("/customers", row, {"action": f"set{name}", member: None})
    assert same == row, "what changes nothing raises no version"


async def test_further_actions(shop: Shop) -> None:
    row = await shop.customer(isEmailVerified=True)
    for key in ("bonn", "koeln"):
        await shop.post("/stores", {"key": key}, 201)
    row = await shop.update(
        "/customers",
        row,
        {"action": "changeEmail", "email": "new@example.com"},
        {"action": "setDateOfBirth", "dateOfBirth": "1999-12-31"},
        {"action": "setLocale", "locale": "de"},
        {"action": "setCustomerNumber", "customerNumber": "C1"},
        {"action": "setStores", "stores": [{"typeId": "store", "key": "bonn"}]},
        {"action": "addStore", "store": {"typeId": "store", "key": "koeln"}},
        {"action": "removeStore", "store": {"typeId": "store", "key": "bonn"}},
        {"action": "setAuthenticationMode", "authMode": "Password", "password": "p"},
    )
    assert (row["email"], row["isEmailVerified"]) == ("new@example.com", False)
    assert (row["dateOfBirth"], row["locale"], row["customerNumber"]) == ("1999-12-31", "de", "C1")
    assert row["stores"] == [{"typeId": "store", "key": "koeln"}]
    assert row["authenticationMode"] == "Password"
    assert row["version"] == 9
    refused = await shop.update("/customers", row, {"action": "setCustomerNumber", "customerNumber": "C2"}, status=400)
    assert code(refused) == "InvalidOperation"


async def test_addresses_are_found_by_key_replaced_whole_and_leave_all_lists(shop: Shop) -> None:
    row = await shop.customer()
    row = await shop.update(
        "/customers",
        row,
        {"action": "addAddress", "address": {"key": "main", "country": "DE", "city": "Bonn"}},
        {"action": "setDefaultShippingAddress", "addressKey": "main"},
        {"action": "addBillingAddressId", "addressKey": "main"},
    )
    (address,) = row["addresses"]
    assert row["shippingAddressIds"] == row["billingAddressIds"] == [address["id"]]
    row = await shop.update(
        "/customers",
        row,
        {"action": "changeAddress", "addressId": address["id"], "address": {"key": "main", "country": "FR"}},
    )
    assert row["addresses"] == [{"id": address["id"], "key": "main", "country": "FR"}]
    twice = {"action": "addAddress", "address": {"key": "main", "country": "DE"}}
    assert code(await shop.update("/customers", row, twice, status=400)) == "DuplicateField"
    row = await shop.update("/customers", row, {"action": "removeAddress", "addressKey": "main"})
    assert (row["addresses"], row["shippingAddressIds"], row["billingAddressIds"]) == ([], [], [])
    assert "defaultShippingAddressId" not in row
    gone = {"action": "removeAddress", "addressKey": "main"}
    assert code(await shop.update("/customers", row, gone, status=400)) == "InvalidOperation"


async def test_a_stale_version_is_409_with_the_current_one(shop: Shop) -> None:
    row = await shop.customer()
    await shop.update("/customers", row, {"action": "setTitle", "title": "Dr"})
    for attempt in ({"action": "setTitle", "title": "Prof"}, {"action": "setTitle", "title": "Dr"}):
        refused = await shop.update("/customers", row, attempt, status=409)
        assert code(refused) == "ConcurrentModification"
        assert refused["errors"][0]["currentVersion"] == 2
        assert "Expected: 1 - Actual: 2." in refused["message"]
    reply = await shop.http.delete(f"/customers/{row['id']}", params={"version": 1})
    assert (reply.status_code, code(reply.json())) == (409, "ConcurrentModification")


async def test_actions_are_all_applied_or_none(shop: Shop) -> None:
    row = await shop.customer()
    good, bad = {"action": "setTitle", "title": "Dr"}, {"action": "removeAddress", "addressId": "x"}
    await shop.update("/customers", row, good, bad, status=400)
    assert await shop.get(f"/customers/{row['id']}") == row
    assert len(shop.sandbox.ledger) == 1


@pytest.mark.parametrize(
    "action",
    [{"action": "setShoeSize"}, {"action": "setTitle", "tittle": "Dr"}, {"action": "changeEmail"}, {"title": "Dr"}, 7],
)
async def test_unknown_actions_and_members_are_no_valid_json(shop: Shop, action: Any) -> None:
    refused = await shop.update("/customers", await shop.customer(), action, status=400)
    assert code(refused) == "InvalidJsonInput"


async def test_more_than_500_actions_are_refused(shop: Shop) -> None:
    row, action = await shop.customer(), {"action": "setTitle", "title": "Dr"}
    assert code(await shop.update("/customers", row, *[action] * 501, status=400)) == "InvalidInput"
    assert (await shop.update("/customers", row, *[action] * 500))["version"] == 2


async def test_an_update_and_a_delete_by_key_and_what_is_gone_is_404(shop: Shop) -> None:
    row = await shop.customer(key="k-1")
    body = {"version": 1, "actions": [{"action": "setTitle", "title": "Dr"}]}
    assert (await shop.post("/customers/key=k-1", body, 200))["version"] == 2
    assert (await shop.http.head("/customers/key=k-1")).status_code == 200
    missing = await shop.http.delete("/customers/key=k-1")
    assert missing.status_code == 400
    gone = await shop.http.delete("/customers/key=k-1", params={"version": 2, "dataErasure": "true"})
    assert (gone.status_code, gone.json()["id"]) == (200, row["id"])
    for path in ("/customers/key=k-1", f"/customers/{row['id']}", "/customers/order-number=7", "/nowhere"):
        reply = await shop.http.get(path)
        assert (reply.status_code, code(reply.json())) == (404, "ResourceNotFound")
    assert (await shop.http.head("/customers/key=k-1")).status_code == 404


async def test_a_new_customer_takes_over_a_guest_cart(shop: Shop) -> None:
    cart = await shop.post("/carts", {"currency": "GBP", "anonymousId": "guest-1"}, 201)
    body = {"email": "a@example.com", "authenticationMode": "ExternalAuth", "anonymousCart": {"id": cart["id"]}}
    envelope = await shop.post("/customers", body, 201)
    assert envelope["cart"]["customerId"] == envelope["customer"]["id"]
    assert envelope["cart"]["version"] == 2
    refused = await shop.post("/customers", {**body, "email": "b@example.com"}, 400)
    assert code(refused) == "InvalidOperation"
    assert shop.account.counts()["customers"] == 1


async def test_groups_are_named_apart_and_stay_while_somebody_is_in_them(shop: Shop) -> None:
    group = await shop.post("/customer-groups", {"groupName": "Gold", "key": "gold"}, 201)
    assert (group["name"], group["key"], "groupName" in group) == ("Gold", "gold", False)
    twin = await shop.post("/customer-groups", {"groupName": "Gold"}, 400)
    assert (code(twin), twin["errors"][0]["field"]) == ("DuplicateField", "name")
    row = await shop.customer(customerGroup={"typeId": "customer-group", "id": group["id"]})
    refused = await shop.http.delete(f"/customer-groups/{group['id']}", params={"version": 1})
    assert (refused.status_code, code(refused.json())) == (400, "ReferenceExists")
    row = await shop.update("/customers", row, {"action": "setCustomerGroup"})
    assert "customerGroup" not in row
    assignment = {"customerGroup": {"typeId": "customer-group", "key": "gold"}}
    add = {"action": "addCustomerGroupAssignment", "customerGroupAssignment": assignment}
    row = await shop.update("/customers", row, add)
    reference = {"typeId": "customer-group", "id": group["id"]}
    assert row["customerGroupAssignments"] == [{"customerGroup": reference}]
    remove = {"action": "removeCustomerGroupAssignment", "customerGroup": {"typeId": "customer-group", "key": "gold"}}
    await shop.update("/customers", row, remove)
    group = await shop.update("/customer-groups", group, {"action": "changeName", "name": "Silver"})
    await shop.http.delete("/customer-groups/key=gold", params={"version": group["version"]})
    assert shop.account.counts()["customer-groups"] == 0
