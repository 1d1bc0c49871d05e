"""Search: operators, limits, the delay of the index."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.runtime.clock import ManualClock
from syncd.sandbox.hubspot.limits import LimitSettings
from syncd.sandbox.hubspot.values import epoch_ms, iso
from tests.sandbox.hubspot.conftest import KEY, Portal


@pytest.fixture
def options() -> dict[str, Any]:
    return {"search_delay": (0.0, 0.0), "limits": LimitSettings(searches_per_second=1000)}


async def _people(portal: Portal) -> list[str]:
    rows = [("ann@example.com", "Ann", "10"), ("bob@example.com", "Bob", "9"), ("cy@other.example", "Cy", "")]
    ids = []
    for email, name, revenue in rows:
        ids.append(await portal.create("contacts", email=email, firstname=name, annualrevenue=revenue))
        await portal.clock.advance(60)
    return ids


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        ({"propertyName": "firstname", "operator": "EQ", "value": "ann"}, "a"),
        ({"propertyName": "firstname", "operator": "NEQ", "value": "Ann"}, "bc"),
        ({"propertyName": "firstname", "operator": "IN", "values": ["ann", "cy"]}, "ac"),
        ({"propertyName": "firstname", "operator": "IN", "values": ["Ann", "cy"]}, "c"),
        ({"propertyName": "firstname", "operator": "NOT_IN", "values": ["ann"]}, "bc"),
        ({"propertyName": "annualrevenue", "operator": "HAS_PROPERTY"}, "ab"),
        ({"propertyName": "annualrevenue", "operator": "NOT_HAS_PROPERTY"}, "c"),
        ({"propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "*@example.com"}, "ab"),
        ({"propertyName": "email", "operator": "NOT_CONTAINS_TOKEN", "value": "example"}, "") ,
        ({"propertyName": "createdate", "operator": "GTE", "value": "1793606460000"}, "bc"),
        ({"propertyName": "createdate", "operator": "GT", "value": "1793606460000"}, "c"),
        ({"propertyName": "createdate", "operator": "LT", "value": "2026-11-02T08:01:00Z"}, "a"),
        ({"propertyName": "createdate", "operator": "LTE", "value": "1793606460000"}, "ab"),
        ({"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1793606520000"}, "c"),
        ({"propertyName": "createdate", "operator": "BETWEEN", "value": "1793606400000", "highValue": "1793606460000"}, "ab"),
    ],
)  # fmt: skip
async def test_operators(portal: Portal, one: dict[str, Any], expected: str) -> None:
    ids = dict(zip(await _people(portal), "abc", strict=True))
    reply = await portal.search("contacts", one)
    assert "".join(ids[row["id"]] for row in reply.json()["results"]) == expected
    assert reply.json()["total"] == len(expected)


async def test_numbers_compare_as_numbers(portal: Portal) -> None:
    for amount in ("9", "10", "100"):
        await portal.create("deals", dealname=amount, amount=amount)
    reply = await portal.search(
        "deals",
        {"propertyName": "amount", "operator": "GT", "value": "9"},
        sorts=[{"propertyName": "amount", "direction": "DESCENDING"}],
        properties=["amount"],
    )
    assert [row["properties"]["amount"] for row in reply.json()["results"]] == ["100", "10"]


async def test_groups_are_alternatives_and_filters_in_a_group_are_not(portal: Portal) -> None:
    await _people(portal)
    ann = {"propertyName": "firstname", "operator": "EQ", "value": "ann"}
    rich = {"propertyName": "annualrevenue", "operator": "EQ", "value": "9"}
    both = {"filterGroups": [{"filters": [ann]}, {"filters": [rich]}]}
    assert (await portal.http.post("/crm/v3/objects/contacts/search", json=both)).json()["total"] == 2
    assert (await portal.search("contacts", ann, rich)).json()["total"] == 0


async def test_words_are_sought_in_the_usual_properties(portal: Portal) -> None:
    await _people(portal)
    reply = await portal.search("contacts", query="BOB example")
    assert [row["properties"]["email"] for row in reply.json()["results"]] == ["bob@example.com"]


async def test_associations_can_be_filtered(portal: Portal) -> None:
    buyer = await portal.create("contacts", email="a@example.com")
    deals = [await portal.create("deals", dealname=str(n)) for n in range(2)]
    await portal.http.put(f"/crm/v4/objects/deals/{deals[1]}/associations/default/contacts/{buyer}")
    reply = await portal.search("deals", {"propertyName": "associations.contact", "operator": "EQ", "value": buyer})
    assert [row["id"] for row in reply.json()["results"]] == [deals[1]]


async def test_pages_are_numeric_offsets(portal: Portal) -> None:
    inputs = [{"id": f"customer-{n}", "properties": {}} for n in range(5)]
    await portal.upsert("contacts", *inputs)
    seen, after = [], "0"
    while after:
        body = (await portal.search("contacts", limit=2, after=after, properties=[KEY])).json()
        seen += [row["properties"][KEY] for row in body["results"]]
        after = body.get("paging", {}).get("next", {}).get("after", "")
    assert seen == [f"customer-{n}" for n in range(5)]


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 200, "after": "9900"},
        {"after": "x"},
        {"sorts": [{"propertyName": "email"}, {"propertyName": "phone"}]},
        {"sorts": ["nonsense"]},
        {"query": "x" * 3001},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 7}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "HAS_PROPERTY"}] * 5}] * 4},
        {"filterGroups": [{"filters": [{"propertyName": "nonsense", "operator": "HAS_PROPERTY"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE", "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "GT", "value": "soon"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "lastmodifieddate", "operator": "GT", "value": "soon"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "BETWEEN", "value": "1"}]}]},
        {"filterGroups": [{}]},
    ],
)
async def test_what_the_vendor_refuses(portal: Portal, body: dict[str, Any]) -> None:
    reply = await portal.http.post("/crm/objects/2026-03/contacts/search", json=body)
    assert (reply.status_code, reply.json()["category"]) == (400, "VALIDATION_ERROR")


async def test_a_change_is_found_only_after_the_delay_and_reads_as_it_was(portal: Portal) -> None:
    portal.vendor.account.search.least = portal.vendor.account.search.most = 2.0
    id_ = await portal.create("contacts", email="a@example.com", firstname="Old")
    assert (await portal.search("contacts")).json()["total"] == 0
    await portal.clock.advance(2)
    assert (await portal.search("contacts")).json()["total"] == 1
    await portal.http.patch(f"/crm/v3/objects/contacts/{id_}", json={"properties": {"firstname": "New"}})
    reply = await portal.search("contacts", {"propertyName": "firstname", "operator": "EQ", "value": "new"})
    assert reply.json()["total"] == 0
    row = (await portal.search("contacts")).json()["results"][0]
    assert (row["properties"]["firstname"], row["updatedAt"]) == ("Old", "2026-11-02T08:00:00.000Z")
    await portal.clock.advance(2)
    assert (await portal.search("contacts")).json()["results"][0]["properties"]["firstname"] == "New"


async def test_archived_and_merged_records_leave_the_index(portal: Portal) -> None:
    ids = [await portal.create("contacts", email=f"{n}@example.com") for n in range(3)]
    await portal.http.delete(f"/crm/v3/objects/contacts/{ids[0]}")
    assert {row["id"] for row in (await portal.search("contacts")).json()["results"]} == set(ids[1:])
    merged = await portal.act(op="merge", object="contacts", id=ids[1], other=ids[2])
    assert [row["id"] for row in (await portal.search("contacts")).json()["results"]] == [merged]


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_instants_survive_their_two_forms(milliseconds: int) -> None:
    assert epoch_ms(iso(milliseconds)) == milliseconds


async def test_a_poll_by_modification_time_sees_each_change_once(portal: Portal) -> None:
    assert isinstance(portal.clock, ManualClock)
    seen: list[str] = []
    since = portal.clock.now_ms()
    for n in range(3):
        await portal.create("contacts", email=f"{n}@example.com")
        later = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(since)}
        reply = await portal.search("contacts", later, sorts=[{"propertyName": "lastmodifieddate"}])
        seen += [row["properties"]["email"] for row in reply.json()["results"]]
        await portal.clock.advance(30)
        since = portal.clock.now_ms()
    assert seen == ["0@example.com", "1@example.com", "2@example.com"]
