"""Customers, their addresses, attributes and groups."""

from __future__ import annotations

import pytest

from tests.sandbox.bigcommerce.conftest import Shop


async def test_a_customer_is_made_with_attributes_and_addresses_and_found_by_email_whatever_its_case(
    shop: Shop,
) -> None:
    attribute = (await shop.send("POST", "/v3/customers/attributes", [{"name": "crm", "type": "string"}]))["data"][0]
    address = {"first_name": "A", "last_name": "B", "address1": "1 Way", "city": "Leeds", "country_code": "GB"}
    made = await shop.customer(attributes=[{"attribute_id": attribute["id"], "attribute_value": "003A"}],
                               addresses=[address])  # fmt: skip
    assert (made["company"], made["attribute_count"], made["address_count"]) == ("", 1, 1)
    assert "attributes" not in made
    found = await shop.get("/v3/customers", email__in="ADA@example.com", include="attributes,addresses")
    row = found["data"][0]
    assert row["attributes"][0]["attribute_value"] == "003A"
    assert row["addresses"][0]["customer_id"] == made["id"]


async def test_a_batch_is_ten_at_most_and_all_or_none(shop: Shop) -> None:
    draft = {"first_name": "A", "last_name": "B"}
    many = [{**draft, "email": f"{n}@example.com"} for n in range(11)]
    assert (await shop.send("POST", "/v3/customers", many, 413))["status"] == 413
    twice = [{**draft, "email": "x@example.com"}, {**draft, "email": "X@example.com"}]
    refused = await shop.send("POST", "/v3/customers", twice, 422)
    assert ".customer_create" in refused["errors"]
    assert shop.account.counts()["customers"] == 0
    missing = await shop.send("POST", "/v3/customers", [{"email": "y@example.com"}], 422)
    assert set(missing["errors"]) == {"0.first_name", "0.last_name"}


async def test_a_put_changes_only_what_it_names_and_passes_over_sub_resources(shop: Shop) -> None:
    made = await shop.customer(phone="1")
    await shop.clock.advance(5)
    body = [{"id": made["id"], "company": "Acme", "attributes": [{"attribute_id": 9}], "addresses": "no"}]
    changed = (await shop.send("PUT", "/v3/customers", body))["data"][0]
    assert (changed["company"], changed["phone"], changed["attribute_count"]) == ("Acme", "1", 0)
    assert changed["date_modified"] > made["date_modified"]
    await shop.send("PUT", "/v3/customers", [{"id": made["id"], "first_name": ""}], 422)
    await shop.send("PUT", "/v3/customers", [{"id": 999, "phone": "1"}], 422)


async def test_a_delete_without_ids_does_nothing_and_says_204(shop: Shop) -> None:
    made = await shop.customer()
    await shop.send("DELETE", "/v3/customers", status=204)
    assert shop.account.counts()["customers"] == 1
    await shop.send("DELETE", "/v3/customers", status=204, id__in=f"{made['id']},77")
    assert shop.account.counts()["customers"] == 0


async def test_cursors_walk_by_id_and_pages_by_number(shop: Shop) -> None:
    await shop.act(op="seed", people=600)
    first = await shop.get("/v3/customers", limit=250)
    assert first["meta"]["pagination"]["total"] == 600
    seen, after = [], ""
    while True:
        page = await shop.get("/v3/customers", limit=250, **({"after": after} if after else {}))
        seen += [one["id"] for one in page["data"]]
        told = page["meta"]["cursor_pagination"]
        if "next" not in told["links"]:
            break
        after = told["end_cursor"]
    assert seen == list(range(1, 601))
    assert [one["id"] for one in (await shop.get("/v3/customers", limit=2, page=2))["data"]] == [3, 4]
    await shop.get("/v3/customers", 422, limit=251)
    await shop.get("/v3/customers", 400, after="!!")


async def test_filters_by_time_group_and_name_and_a_sort(shop: Shop) -> None:
    old = await shop.customer("old@example.com")
    await shop.clock.advance(10)
    new = await shop.customer("new@example.com", company="Acme")
    since = new["date_modified"]
    assert [one["id"] for one in (await shop.get("/v3/customers", date_modified__min=since))["data"]] == [new["id"]]
    assert [
        one["id"] for one in (await shop.get("/v3/customers", date_modified__max=old["date_modified"]))["data"]
    ] == [old["id"]]
    newest = await shop.get("/v3/customers", sort="date_modified:desc", name__like="byr")
    assert [one["id"] for one in newest["data"]] == [new["id"], old["id"]]
    assert (await shop.get("/v3/customers", company__in="ACME"))["data"][0]["id"] == new["id"]
    await shop.get("/v3/customers", 422, sort="email")


async def test_an_address_posted_twice_is_left_out_of_the_answer(shop: Shop) -> None:
    made = await shop.customer()
    one = {"customer_id": made["id"], "first_name": "A", "last_name": "B", "address1": "1 Way", "city": "Leeds",
           "country_code": "GB"}  # fmt: skip
    assert len((await shop.send("POST", "/v3/customers/addresses", [one]))["data"]) == 1
    assert (await shop.send("POST", "/v3/customers/addresses", [one]))["data"] == []
    other = (await shop.send("POST", "/v3/customers/addresses", [{**one, "city": "York"}]))["data"][0]
    assert (await shop.send("PUT", "/v3/customers/addresses", [{"id": other["id"], "city": "Leeds"}]))["data"] == []
    assert len((await shop.get("/v3/customers/addresses", customer_id__in=made["id"]))["data"]) == 2


async def test_attribute_values_are_upserted_polled_by_time_and_leave_the_customer_as_it_was(shop: Shop) -> None:
    made = await shop.customer()
    attribute = (await shop.send("POST", "/v3/customers/attributes", [{"name": "n", "type": "number"}]))["data"][0][
        "id"
    ]
    await shop.clock.advance(10)
    row = {"attribute_id": attribute, "customer_id": made["id"], "value": "5"}
    first = (await shop.send("PUT", "/v3/customers/attribute-values", [row]))["data"][0]
    again = (await shop.send("PUT", "/v3/customers/attribute-values", [{**row, "value": "6"}]))["data"][0]
    assert first["id"] == again["id"]
    assert (await shop.get("/v3/customers", id__in=made["id"]))["data"][0]["date_modified"] == made["date_modified"]
    since = again["date_modified"]
    found = await shop.get("/v3/customers/attribute-values", attribute_id__in=attribute, date_modified__min=since)
    assert found["data"][0]["attribute_value"] == "6"
    await shop.send("PUT", "/v3/customers/attribute-values", [{**row, "value": "x"}], 422)
    duplicate = [{"name": "N", "type": "string"}]
    await shop.send("POST", "/v3/customers/attributes", duplicate, 422)


@pytest.mark.parametrize("path", ["/v2/customer_groups", "/v2/orders"])
async def test_an_empty_v2_list_is_204_with_no_body(shop: Shop, path: str) -> None:
    reply = await shop.http.get(path)
    assert (reply.status_code, reply.content) == (204, b"")


async def test_groups_are_named_once_and_let_their_customers_go_when_deleted(shop: Shop) -> None:
    group = await shop.send("POST", "/v2/customer_groups", {"name": "Gold"})
    assert group["date_created"].endswith("+0000")
    assert (await shop.send("POST", "/v2/customer_groups", {"name": "gold"}, 409))[0]["status"] == 409
    made = await shop.customer(customer_group_id=group["id"])
    assert [one["id"] for one in (await shop.get("/v3/customers", customer_group_id__in=group["id"]))["data"]] == [
        made["id"]
    ]
    rules = [{"type": "all", "method": "percent", "amount": "-1"}, {"type": "all", "method": "percent", "amount": "5"}]
    await shop.send("PUT", f"/v2/customer_groups/{group['id']}", {"discount_rules": rules}, 207)
    assert len((await shop.get(f"/v2/customer_groups/{group['id']}"))["discount_rules"]) == 1
    await shop.send("DELETE", f"/v2/customer_groups/{group['id']}", status=204)
    assert (await shop.get("/v3/customers"))["data"][0]["customer_group_id"] == 0
    await shop.act(op="settings", settings={"max_groups": 0})
    await shop.send("POST", "/v2/customer_groups", {"name": "More"}, 507)


async def test_metafields_are_one_clients_own_and_a_second_of_a_name_is_409(shop: Shop) -> None:
    made = await shop.customer()
    path = f"/v3/customers/{made['id']}/metafields"
    body = {"permission_set": "app_only", "namespace": "sync", "key": "rev", "value": "1"}
    field = (await shop.send("POST", path, body))["data"]
    await shop.send("POST", path, body, 409)
    shop.sign_in("syncd-token")
    assert (await shop.get(path))["data"] == []
    await shop.get(f"{path}/{field['id']}", 404)
    shop.sign_in("shop-token")
    batch = [{**body, "key": "b", "resource_id": made["id"]}, {**body, "resource_id": made["id"]}]
    partly = await shop.send("POST", "/v3/customers/metafields", batch, 422)
    assert (len(partly["data"]), len(partly["errors"])) == (1, 1)
    await shop.send("DELETE", f"{path}/{field['id']}", status=204)
