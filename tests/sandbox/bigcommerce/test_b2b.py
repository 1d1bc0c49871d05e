"""B2B Edition: companies, users, roles, credit."""

from __future__ import annotations

import itertools
from typing import Any

from tests.sandbox.bigcommerce.conftest import Shop

COMPANY = {"companyName": "Acme", "companyPhone": "+49 1", "companyEmail": "office@acme.example", "country": "Germany",
           "adminFirstName": "Ada", "adminLastName": "Byron", "adminEmail": "ada@example.com"}  # fmt: skip


async def _company(shop: Shop, name: str = "Acme", **more: Any) -> int:
    body = {**COMPANY, "companyName": name, "adminEmail": f"{name.lower()}@example.com", **more}
    made = await shop.io("POST", "/companies", body)
    assert made["meta"] == {"message": "SUCCESS"}
    return int(made["data"]["companyId"])


async def test_a_company_makes_or_links_its_admins_customer_and_is_read_under_other_names(shop: Shop) -> None:
    customer = await shop.customer("acme@example.com")
    number = await _company(shop)
    await shop.io("PUT", f"/companies/{number}", {"uuid": "crm-7", "companyName": "Acme GmbH"})
    read = (await shop.io("GET", f"/companies/{number}"))["data"]
    assert (read["companyName"], read["companyStatus"], read["uuid"]) == ("Acme GmbH", "1", "crm-7")
    assert isinstance(read["updatedAt"], str)
    user = (await shop.io("GET", f"/users/customer/{customer['id']}"))["data"]
    assert (user["role"], user["companyId"]) == (0, number)
    assert (await shop.io("GET", "/companies", status=200, q="gmbh"))["meta"]["pagination"] == {
        "totalCount": 1, "offset": 0, "limit": 10,
    }  # fmt: skip


async def test_refusals_of_b2b_have_a_shape_of_their_own(shop: Shop) -> None:
    refused = await shop.io("POST", "/companies", {"companyName": "X"}, 422)
    assert (refused["code"], isinstance(refused["data"]["errMsg"]["companyEmail"], list)) == (422, True)
    assert (await shop.io("GET", "/companies/99", status=404))["data"] == {}
    await shop.io("POST", "/companies/bulk", [COMPANY] * 11, 413)
    bulk = await shop.io("POST", "/companies/bulk", [COMPANY, {"companyName": "X"}], 422)
    assert len(bulk["data"]["errors"]) == 1
    assert shop.account.counts()["companies"] == 1


async def test_lists_are_ten_last_updated_first_and_filtered_by_unix_seconds(shop: Shop) -> None:
    for place in range(12):
        await _company(shop, f"C{place}")
        await shop.clock.advance(1)
    page = await shop.io("GET", "/companies")
    assert [one["companyName"] for one in page["data"]][:2] == ["C11", "C10"]
    assert len(page["data"]) == 10
    since = int(page["data"][1]["updatedAt"])
    assert len((await shop.io("GET", "/companies", minModified=since))["data"]) == 2
    oldest = await shop.io("GET", "/companies", sortBy="updatedAt", orderBy="ASC", limit=1)
    assert oldest["data"][0]["companyName"] == "C0"


async def test_the_last_user_stays_and_a_user_has_one_company(shop: Shop) -> None:
    number = await _company(shop)
    admin = (await shop.io("GET", "/users", companyId=number))["data"][0]
    await shop.io("DELETE", f"/users/{admin['id']}", status=422)
    body = {"firstName": "Ben", "lastName": "Cruz", "email": "ben@example.com", "companyId": number, "role": 2}
    made = (await shop.io("POST", "/users", body))["data"]
    await shop.io("POST", "/users", body, 422)
    assert (await shop.get("/v3/customers", email__in="ben@example.com"))["data"][0]["id"] == made["bcId"]
    other = await _company(shop, "Other")
    await shop.io("PUT", f"/users/{made['userId']}", {"companyId": other}, 422)
    await shop.io("DELETE", f"/users/{made['userId']}")
    assert shop.account.counts()["customers"] == 3


async def test_credit_is_what_is_available_and_off_where_the_store_has_no_such_feature(shop: Shop) -> None:
    number = await _company(shop)
    before = (await shop.io("GET", f"/companies/{number}"))["data"]["updatedAt"]
    await shop.clock.advance(5)
    body = {"creditEnabled": True, "availableCredit": 2500, "creditCurrency": "EUR"}
    assert (await shop.io("PUT", f"/companies/{number}/credit", body))["data"]["availableCredit"] == 2500.0
    assert (await shop.io("GET", f"/companies/{number}"))["data"]["updatedAt"] == before
    terms = await shop.io("PUT", f"/companies/{number}/payment-terms", {"isEnabled": True, "paymentTerms": 30})
    assert terms["data"]["paymentTerms"] == 30
    await shop.io("PUT", f"/companies/{number}/payment-terms", {"paymentTerms": 31}, 422)
    await shop.act(op="settings", settings={"b2b_credit": False})
    await shop.io("GET", f"/companies/{number}/credit", status=400)


async def test_a_hierarchy_has_five_layers_and_no_rings(shop: Shop) -> None:
    ids = [await _company(shop, f"L{layer}") for layer in range(6)]
    for parent, child in itertools.pairwise(ids[:5]):
        await shop.io("POST", f"/companies/{child}/parent", {"parentCompanyId": parent}, 201)
    await shop.io("POST", f"/companies/{ids[5]}/parent", {"parentCompanyId": ids[4]}, 400)
    await shop.io("POST", f"/companies/{ids[0]}/parent", {"parentCompanyId": ids[4]}, 400)
    assert len((await shop.io("GET", f"/companies/{ids[2]}/hierarchy"))["data"]) == 5
    assert (await shop.io("GET", f"/companies/{ids[1]}"))["data"]["parentCompany"] == {"id": ids[0], "name": "L0"}
    await shop.io("DELETE", f"/companies/{ids[0]}/subsidiaries/{ids[1]}", status=204)
    assert (await shop.io("GET", f"/companies/{ids[0]}/subsidiaries"))["data"] == []


async def test_a_dependent_company_takes_its_group_along(shop: Shop) -> None:
    await shop.act(op="settings", settings={"independent_companies": False})
    number = await _company(shop)
    group = int((await shop.io("GET", f"/companies/{number}"))["data"]["bcGroupId"])
    assert group in shop.store.groups
    await shop.io("DELETE", f"/companies/{number}")
    assert group not in shop.store.groups
    assert shop.account.counts()["customers"] == 1


async def test_required_extra_fields_must_be_sent_and_values_are_text(shop: Shop) -> None:
    await shop.act(op="extra_field", kind="companies", name="Limit", values={"isRequired": True})
    await shop.io("POST", "/companies", COMPANY, 422)
    number = await _company(shop, extraFields=[{"fieldName": "Limit", "fieldValue": 5}])
    row = (await shop.io("GET", f"/companies/{number}"))["data"]
    assert row["extraFields"] == [{"fieldName": "Limit", "fieldValue": "5"}]
    assert (await shop.io("GET", "/companies"))["data"][0].get("extraFields") is None
    found = await shop.io("GET", "/companies", extraFields="Limit:5", extraFieldFilterType="exact-match")
    assert len(found["data"]) == 1


async def test_roles_hold_known_permissions_and_predefined_ones_stay(shop: Shop) -> None:
    assert len((await shop.io("GET", "/companies/permissions"))["data"]) == 40
    roles = (await shop.io("GET", "/companies/roles"))["data"]
    assert [one["roleType"] for one in roles] == [1, 1, 1]
    await shop.io("PUT", f"/companies/roles/{roles[0]['id']}", {"name": "Boss"}, 422)
    bad = {"name": "Clerk", "permissions": [{"code": "fly", "permissionLevel": 1}]}
    await shop.io("POST", "/companies/roles", bad, 422)
    good = {"name": "Clerk", "permissions": [{"code": "get_orders", "permissionLevel": 2}]}
    made = (await shop.io("POST", "/companies/roles", good))["data"]
    assert made["roleType"] == 2
    assert [one["name"] for one in (await shop.io("GET", "/companies/roles", q="cler"))["data"]] == ["Clerk"]
    await shop.io("PUT", f"/companies/roles/{made['id']}", {"name": "Clark"}, 422)  # name and permissions, or nothing
    company = (await shop.io("POST", "/companies", COMPANY))["data"]["companyId"]
    user = {"firstName": "Ben", "lastName": "Ito", "email": "b@example.com", "companyId": company,
            "companyRoleId": made["id"]}  # fmt: skip
    await shop.io("POST", "/users", user)
    await shop.io("DELETE", f"/companies/roles/{made['id']}", status=422)


async def test_addresses_agree_with_themselves_and_orders_are_enriched_within_ten_seconds(shop: Shop) -> None:
    number = await _company(shop)
    address = {"companyId": number, "firstName": "A", "lastName": "B", "addressLine1": "1", "city": "Bonn",
               "countryName": "Germany", "countryCode": "DE", "zipCode": "1"}  # fmt: skip
    await shop.io("POST", "/addresses", {**address, "countryCode": "FR"}, 422)
    await shop.io("POST", "/addresses", address)
    line = {"name": "Tea", "quantity": 1, "price_inc_tax": 5, "price_ex_tax": 4}
    billing = {"zip": "1", "email": "acme@example.com"}
    customer = (await shop.get("/v3/customers", email__in="acme@example.com"))["data"][0]["id"]
    body = {"billing_address": billing, "products": [line], "customer_id": customer}
    order = (await shop.send("POST", "/v2/orders", body))["id"]
    await shop.io("POST", "/orders", {"bcOrderId": order, "poNumber": "PO-1"})
    await shop.io("PUT", f"/customers/{customer}/orders/b2b", {})
    assert (await shop.io("GET", "/orders", companyId=number))["data"][0]["poNumber"] == "PO-1"
    await shop.clock.advance(11)
    await shop.io("POST", "/orders", {"bcOrderId": order, "poNumber": "PO-2"}, 400)
