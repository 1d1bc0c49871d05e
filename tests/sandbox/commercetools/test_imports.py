"""The simulated Import API: limits, verdicts, references that come later, and what is forgotten when."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .conftest import Shop

GOLD = {"typeId": "customer-group", "key": "gold"}


def person(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"key": f"ada-{number}", "email": f"p{number}@example.com", "authenticationMode": "ExternalAuth", **more}


async def door(shop: Shop, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
    return await shop.http.request(method, f"{shop.base}/import/demo-shop/{path}", json=body, params=params)


async def sent(shop: Shop, *resources: dict[str, Any], kind: str = "customer") -> httpx.Response:
    body = {"type": kind, "resources": list(resources)}
    return await door(shop, "POST", "customers/import-containers/box", body)


async def states(shop: Shop) -> dict[str, str]:
    told = (await door(shop, "GET", "import-containers/box/import-operations", limit=500)).json()
    return {one["resourceKey"]: one["state"] for one in told["results"]}


@pytest.fixture
async def box(shop: Shop) -> Shop:
    assert (await door(shop, "POST", "import-containers", {"key": "box"})).status_code == 201
    return shop


async def test_an_import_is_a_full_upsert_by_key_that_works_a_while(box: Shop) -> None:
    told = (await sent(box, person(companyName="Engines", firstName="Ada"))).json()["operationStatus"]
    assert [one["state"] for one in told] == ["processing"]
    assert await states(box) == {"ada-1": "processing"}
    await box.clock.advance(1)
    assert await states(box) == {"ada-1": "imported"}
    first = await box.get("/customers/key=ada-1")
    await sent(box, person(firstName="Augusta"))
    await box.clock.advance(1)
    second = await box.get("/customers/key=ada-1")
    assert (second["id"], second["firstName"], "companyName" in second) == (first["id"], "Augusta", False)
    assert second["lastModifiedBy"]["attributedTo"]["source"] == "Import"
    summary = (await door(box, "GET", "import-containers/box/import-summaries")).json()
    assert (summary["states"]["imported"], summary["total"]) == (2, 2)


async def test_what_refers_to_nothing_waits_until_it_is_there_or_forgotten(box: Shop) -> None:
    await sent(box, person(1, customerGroup=GOLD), person(2, customerGroup={**GOLD, "key": "never"}))
    await box.clock.advance(1)
    assert await states(box) == {"ada-1": "unresolved", "ada-2": "unresolved"}
    told = (await door(box, "GET", "import-containers/box/import-operations", state="unresolved", debug="true")).json()
    assert told["results"][0]["unresolvedReferences"] == [GOLD]
    await box.post("/customer-groups", {"groupName": "Gold", "key": "gold"}, 201)
    assert await states(box) == {"ada-1": "imported", "ada-2": "unresolved"}
    await box.clock.advance(48 * 3600)
    await box.sign_in()
    assert await states(box) == {}
    await box.clock.advance(24 * 3600)
    assert (await door(box, "GET", "import-containers/box")).status_code == 404


async def test_what_is_wrong_with_one_is_told_of_that_one(box: Shop) -> None:
    await box.customer("taken@example.com")
    custom = {"type": {"typeId": "type", "key": "t"}, "fields": {}}
    told = (
        await sent(box, person(1, nope=1), {"key": "no-mail"}, person(3, email="taken@example.com"), person(4))
    ).json()
    assert [one["state"] for one in told["operationStatus"]] == [
        "validationFailed",
        "validationFailed",
        "processing",
        "processing",
    ]
    assert [one["errors"][0]["code"] for one in told["operationStatus"][:2]] == ["InvalidField", "RequiredField"]
    await sent(box, person(5, custom=custom))
    await box.clock.advance(1)
    assert await states(box) == {
        "ada-1": "validationFailed", "no-mail": "validationFailed", "ada-3": "validationFailed", "ada-4": "imported",
        "ada-5": "unresolved",
    }  # fmt: skip


async def test_what_a_request_refuses(box: Shop) -> None:
    assert (await sent(box, *(person(n) for n in range(21)))).status_code == 400
    assert (await sent(box, person(), kind="order")).status_code == 400
    assert (await door(box, "POST", "import-containers", {"key": "box"})).json()["errors"][0][
        "code"
    ] == "DuplicateField"
    for config in ({"timeToLive": "31d"}, 3):
        policy = {"key": "old", "retentionPolicy": {"strategy": "ttl", "config": config}}
        assert (await door(box, "POST", "import-containers", policy)).status_code == 400
    assert (await door(box, "POST", "customer-groups/import-containers/box", {})).status_code == 404
    token = (await box.token("syncd", "syncd-secret")).json()["access_token"]
    box.http.headers["Authorization"] = f"Bearer {token}"
    assert (await sent(box, person())).json()["errors"][0]["code"] == "insufficient_scope"
