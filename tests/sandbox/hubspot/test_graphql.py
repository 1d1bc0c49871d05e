"""The account's GraphQL endpoint, as a client of the vendor's would use it."""

from __future__ import annotations

from typing import Any

import pytest

from syncd.sandbox.hubspot.account import Profile
from tests.sandbox.hubspot.conftest import Portal

BY_ID = """
query data($id: String!) { CRM { contact(uniqueIdentifier: "id", uniqueIdentifierValue: $id) {
  _metadata { id } email hs_object_id
  associations {
    company_collection__primary { total items { name } }
    deal_collection__contact_to_deal(limit: 1) { total hasMore items { hs_object_id amount } }
  } } } }
"""


async def ask(portal: Portal, query: str, **variables: Any) -> dict[str, Any]:
    body = {"operationName": None, "query": query, "variables": variables}
    reply = await portal.http.post("/collector/graphql", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_record_comes_with_its_associations_and_numbers_are_numbers(portal: Portal) -> None:
    person = await portal.create("contacts", email="a@example.com")
    firm = await portal.create("companies", name="Engines")
    deals = [await portal.create("deals", dealname=str(n), amount="9.5") for n in range(2)]
    root = f"/crm/v4/objects/contacts/{person}/associations"
    await portal.http.put(
        f"{root}/companies/{firm}", json=[{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]
    )
    for deal in deals:
        await portal.http.put(f"{root}/default/deals/{deal}")
    told = await ask(portal, BY_ID, id=person)
    assert told == {"data": {"CRM": {"contact": {
        "_metadata": {"id": person}, "email": "a@example.com", "hs_object_id": int(person),
        "associations": {
            "company_collection__primary": {"total": 1, "items": [{"name": "Engines"}]},
            "deal_collection__contact_to_deal": {
                "total": 2, "hasMore": True, "items": [{"hs_object_id": int(deals[0]), "amount": 9.5}],
            },
        },
    }}}}  # fmt: skip
    assert (await ask(portal, BY_ID, id="77"))["data"] == {"CRM": {"contact": None}}


async def test_a_collection_is_filtered_and_sorted_as_search_does(portal: Portal) -> None:
    for name in ("a", "b", "c"):
        await portal.create("contacts", email=f"{name}@example.com")
    query = "query ($e: String) { CRM { contact_collection(filter: {email__neq: $e}, orderBy: email__desc, limit: 1) "
    told = await ask(portal, query + "{ total hasMore items { email } } } }", e="c@example.com")
    assert told["data"]["CRM"]["contact_collection"] == {
        "total": 2, "hasMore": True, "items": [{"email": "b@example.com"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    ["{ CRM {", "{ CRM { contact(uniqueIdentifier: 1) { email } } }", "{ CRM { contact_collection { items { nope } } } }",
     "mutation { delete }",
     ("{ CRM { contact_collection(limit: 100) { items { associations { deal_collection__contact_to_deal "
      "{ items { hs_object_id associations { contact_collection__deal_to_contact { items { email } } } } } } } } } }")],
)  # fmt: skip
async def test_what_is_no_query_does_not_fit_or_is_too_complex_is_told_in_errors(portal: Portal, query: str) -> None:
    told = await ask(portal, query)
    assert told["data"] is None
    assert told["errors"][0]["message"]


async def test_a_new_property_is_in_the_schema_at_once(portal: Portal) -> None:
    query = "{ CRM { contact_collection { items { shoe_size } } } }"
    assert "errors" in await ask(portal, query)
    body = {"name": "shoe_size", "label": "Shoe", "type": "number", "fieldType": "number", "groupName": "contactinformation"}  # fmt: skip
    await portal.http.post("/crm/v3/properties/contacts", json=body)
    await portal.create("contacts", email="a@example.com", shoe_size="44")
    assert (await ask(portal, query))["data"]["CRM"]["contact_collection"]["items"] == [{"shoe_size": 44}]


@pytest.mark.parametrize("options", [{"profile": Profile(edition="professional")}])
async def test_an_account_without_it_refuses(portal: Portal) -> None:
    reply = await portal.http.post("/collector/graphql", json={"query": "{ CRM { __typename } }"})
    assert (reply.status_code, reply.json()["category"]) == (403, "MISSING_SCOPES")
