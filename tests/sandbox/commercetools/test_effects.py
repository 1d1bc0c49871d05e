"""The ledger and the disturbances of the simulated project; seeding."""

from __future__ import annotations

import httpx
import pytest

from syncd.sandbox.commercetools import people, seed
from tests.sandbox.commercetools.conftest import Shop
from tests.sandbox.commercetools.test_customers import code


async def test_every_applied_effect_is_noted_with_what_changed_and_by_whom(shop: Shop) -> None:
    row = await shop.customer(key="k-1", firstName="Ada", title="Dr")
    await shop.sign_in("syncd", "syncd-secret")
    row = await shop.update("/customers", row, {"action": "setFirstName", "firstName": "Eva"}, {"action": "setTitle"})
    await shop.post("/customers", {"email": "nobody"}, 400)
    await shop.http.delete("/customers/key=k-1", params={"version": row["version"]})
    create, update, delete = shop.sandbox.ledger.after()
    assert (create.effect, create.object, create.key, create.actor) == ("create", "customers", "k-1", "shop-frontend")
    assert create.values["email"] == "ada@example.com"
    assert (update.effect, update.id, update.actor, update.version) == ("update", row["id"], "syncd", 3)
    assert update.values == {"firstName": "Eva", "title": None}
    assert (delete.effect, delete.id) == ("delete", row["id"])


async def test_a_500_after_applying_is_in_the_ledger_and_the_key_finds_it(shop: Shop) -> None:
    shop.sandbox.set_faults("commercetools.fail_after=1")
    refused = await shop.post("/customers", {"email": "a@b", "authenticationMode": "ExternalAuth", "key": "k-1"}, 500)
    assert code(refused) == "General"
    shop.sandbox.set_faults("none")
    assert (await shop.get("/customers/key=k-1"))["email"] == "a@b"
    assert [effect.key for effect in shop.sandbox.ledger.after()] == ["k-1"]


@pytest.mark.parametrize(
    ("faults", "status", "expected"),
    [("throttle=1", 503, "OverCapacity"), ("fail_before=1", 500, "General")],
)
async def test_load_and_failures_are_told_in_the_vendor_words(
    shop: Shop, faults: str, status: int, expected: str
) -> None:
    shop.sandbox.set_faults(faults)
    assert code(await shop.post("/customers", {}, status)) == expected
    assert len(shop.sandbox.ledger) == 0


async def test_an_outage_answers_503_or_drops_the_connection(shop: Shop) -> None:
    shop.sandbox.set_outage("commercetools", on=True, mode="503")
    assert (await shop.http.get("/customers")).status_code == 503
    shop.sandbox.set_outage("commercetools", on=True)
    with pytest.raises(httpx.TransportError):
        await shop.http.get("/customers")
    shop.sandbox.set_outage("commercetools", on=False)
    assert (await shop.http.get("/customers")).status_code == 200


async def test_background_work_raises_the_version_behind_the_caller_back(shop: Shop) -> None:
    shop.sandbox.set_faults("version_bump=1")
    row = await shop.customer()
    refused = await shop.update("/customers", row, {"action": "setTitle", "title": "Dr"}, status=409)
    assert refused["errors"][0]["currentVersion"] == 2
    now = await shop.get(f"/customers/{row['id']}")
    assert (now["version"], now["lastModifiedBy"]) == (2, row["lastModifiedBy"])
    assert [(one.effect, one.actor) for one in shop.sandbox.ledger.after()][1] == ("background", "platform")


async def test_a_history_is_seeded_without_a_trace_and_in_the_order_of_its_references(shop: Shop) -> None:
    line = {
        "name": {"en": "Invoice"},
        "variant": {"sku": "INVOICE"},
        "quantity": 1,
        "price": {"value": {"currencyCode": "GBP", "centAmount": 13912}},
    }
    deed = {
        "op": "seed",
        "people": 3,
        "customers": [{"email": "17850@example.com", "customerNumber": "17850", "authenticationMode": "ExternalAuth"}],
        "orders": [
            {
                "orderNumber": "536365",
                "customerEmail": "17850@example.com",
                "totalPrice": {"currencyCode": "GBP", "centAmount": 13912},
                "lineItems": [line],
                "completedAt": "2010-12-01T00:00:00Z",
            }
        ],
        "at_ms": 1_300_000_000_000,
        "step_ms": 1000,
    }
    async with httpx.AsyncClient() as http:
        reply = await http.post(f"{shop.sandbox.admin_url}/_sandbox/commercetools/act", json=deed)
        ids = reply.json()["result"]
        assert (len(ids["customers"]), len(ids["orders"])) == (4, 1)
        deed["orders"] = []
        twice = await http.post(f"{shop.sandbox.admin_url}/_sandbox/commercetools/act", json=deed)
        assert (twice.status_code, "DuplicateField" in twice.json()["error"]) == (400, True)
    assert (await shop.get("/orders/order-number=536365"))["createdAt"] == "2011-03-13T07:06:40.000Z"
    stamps = [row["lastModifiedAt"] for row in (await shop.get("/customers", sort="lastModifiedAt asc"))["results"]]
    assert stamps[1] == "2011-03-13T07:06:41.000Z"
    assert len(shop.sandbox.ledger) == 0


async def test_the_same_seed_makes_the_same_history(shop: Shop) -> None:
    first = seed(shop.account, "customers", people(5))
    assert len(set(first)) == 5
    again = list(people(5, start=2))
    assert again[0] == list(people(5))[2]


async def create_for_certain(shop: Shop, number: int) -> None:
    """What a careful client does: a key of its own, and after any doubt a look before the next try."""
    key = f"storm-{number}"
    body = {"email": f"{key}@example.com", "key": key, "authenticationMode": "ExternalAuth"}
    while True:
        try:
            reply = await shop.http.post("/customers", json=body)
            if reply.status_code == 201:
                reply.json()
                return
            found = await shop.http.get(f"/customers/key={key}")
            if found.status_code == 200:
                return
            if found.status_code == 401:
                while (await shop.token("shop-frontend", "shop-secret")).status_code != 200:
                    pass
                await shop.sign_in()
        except (httpx.TransportError, KeyError, ValueError):
            continue


async def test_a_careful_client_loses_and_doubles_nothing_in_a_storm(shop: Shop) -> None:
    shop.sandbox.set_faults("storm,latency=0,fail_after=0.2,drop_after=0.1,truncate=0.1")
    for number in range(60):
        await create_for_certain(shop, number)
    created = [effect.key for effect in shop.sandbox.ledger.after() if effect.effect == "create"]
    assert sorted(created) == sorted(f"storm-{number}" for number in range(60))
    assert {0, 500} <= shop.account.replies.keys()


async def test_a_body_above_the_vendor_limit_is_refused(shop: Shop) -> None:
    reply = await shop.http.post("/customers", content=b"x" * (16 * 1024 * 1024 + 1))
    assert reply.status_code == 413
