"""Business units, roles, prices, products, quotes and stores: what the platform takes, derives and refuses."""

from __future__ import annotations

from typing import Any

from tests.sandbox.commercetools.conftest import Shop
from tests.sandbox.commercetools.test_customers import code

UNITS, PRICES = "/business-units", "/standalone-prices"


def ref(type_id: str, **known: str) -> dict[str, Any]:
    return {"typeId": type_id, **known}


def eur(cents: int) -> dict[str, Any]:
    return {"currencyCode": "EUR", "centAmount": cents}


async def unit(shop: Shop, key: str, parent: str = "", status: int = 201, **more: Any) -> Any:
    kind: dict[str, Any] = {"unitType": "Company"}
    if parent:
        kind = {"unitType": "Division", "parentUnit": ref("business-unit", key=parent)}
    return await shop.post(UNITS, {"key": key, "name": key.title(), **kind, **more}, status)


async def test_divisions_inherit_people_and_stores_without_being_edited(shop: Shop) -> None:
    ada = await shop.customer()
    await shop.post("/stores", {"key": "bonn"}, 201)
    await shop.post("/associate-roles", {"key": "buyer", "permissions": ["ViewMyCarts"]}, 201)
    given = {"associateRole": ref("associate-role", key="buyer"), "inheritance": "Enabled"}
    person = {"customer": ref("customer", id=ada["id"]), "associateRoleAssignments": [given]}
    acme = await unit(shop, "acme", stores=[ref("store", key="bonn")])
    assert (acme["storeMode"], acme["associateMode"], acme["approvalRuleMode"]) == ("Explicit",) * 3
    assert acme["topLevelUnit"] == ref("business-unit", key="acme")
    await unit(shop, "north", "acme")
    north = await shop.get(f"{UNITS}/key=north")
    assert (north["storeMode"], "stores" in north, north["inheritedStores"]) == ("FromParent", False, acme["stores"])
    acme = await shop.update(UNITS, acme, {"action": "addAssociate", "associate": person})
    after = await shop.get(f"{UNITS}/key=north")
    assert after["version"] == north["version"]
    (inherited,) = after["inheritedAssociates"]
    assert inherited["associateRoleAssignments"][0]["source"] == ref("business-unit", key="acme")
    may = await shop.get(f"{UNITS}/key=north/associates/{ada['id']}")
    assert (may["associateRoles"], may["permissions"]) == ([], ["ViewMyCarts"])
    again = {"action": "addAssociate", "associate": person}
    assert code(await shop.update(UNITS, acme, again, status=400)) == "InvalidOperation"
    explicit = [
        {"action": "changeAssociateMode", "associateMode": "Explicit", "makeInheritedAssociatesExplicit": True},
        {"action": "setStoreMode", "storeMode": "Explicit"},
        {"action": "changeApprovalRuleMode", "approvalRuleMode": "Explicit"},
    ]
    early = {"action": "setUnitType", "unitType": "Company"}
    assert code(await shop.update(UNITS, after, early, status=400)) == "InvalidOperation"
    free = await shop.update(UNITS, after, *explicit, early)
    assert (free["unitType"], "parentUnit" in free, free["associates"][0]["customer"]["id"]) == (
        "Company", False, ada["id"],
    )  # fmt: skip
    in_use = await shop.http.delete("/associate-roles/key=buyer", params={"version": 1})
    assert (in_use.status_code, code(in_use.json())) == (400, "ReferenceExists")


async def test_the_tree_is_five_levels_deep_and_has_no_circles(shop: Shop) -> None:
    top = await unit(shop, "u1")
    for number in range(2, 6):
        await unit(shop, f"u{number}", f"u{number - 1}")
    assert code(await unit(shop, "u6", "u5", 400)) == "InvalidOperation"
    assert code(await shop.post(UNITS, {"key": "u7", "name": "x", "unitType": "Division"}, 400)) == "RequiredField"
    second = await shop.get(f"{UNITS}/key=u2")
    circle = {"action": "changeParentUnit", "parentUnit": ref("business-unit", key="u4")}
    assert code(await shop.update(UNITS, second, circle, status=400)) == "InvalidOperation"
    assert code(await unit(shop, "u1", "", 400)) == "DuplicateField"
    reply = await shop.http.delete(f"{UNITS}/{top['id']}", params={"version": top["version"]})
    assert (reply.status_code, code(reply.json())) == (400, "ReferenceExists")


async def test_a_price_has_one_scope_and_one_time_and_its_tiers_are_checked(shop: Shop) -> None:
    fine = {"type": "highPrecision", "currencyCode": "EUR", "preciseAmount": 101545, "fractionDigits": 5}
    precise = await shop.post(PRICES, {"sku": "GAS", "value": fine}, 201)
    assert precise["value"] == {**fine, "centAmount": 102}
    group = await shop.post("/customer-groups", {"groupName": "Gold", "key": "gold"}, 201)
    scope = {"sku": "TEA", "value": eur(500), "customerGroup": ref("customer-group", key="gold")}
    held = await shop.post(PRICES, {**scope, "tiers": [{"minimumQuantity": 10, "value": eur(400)}]}, 201)
    assert (held["active"], held["customerGroup"]) == (True, ref("customer-group", id=group["id"]))
    refused = await shop.post(PRICES, {**scope, "value": eur(1)}, 400)
    assert code(refused) == "DuplicateStandalonePriceScope"
    assert refused["errors"][0]["conflictingStandalonePrice"]["id"] == held["id"]
    summer = {"validFrom": "2026-06-01T00:00:00.000Z", "validUntil": "2026-09-01T00:00:00.000Z"}
    await shop.post(PRICES, {**scope, **summer}, 201)
    late = {**summer, "validFrom": "2026-08-01T00:00:00.000Z"}
    assert code(await shop.post(PRICES, {**scope, **late}, 400)) == "OverlappingStandalonePriceValidity"
    for tier in ({"minimumQuantity": 1, "value": eur(1)}, {"minimumQuantity": 10, "value": eur(1)}):
        added = {"action": "addPriceTier", "tier": tier}
        assert code(await shop.update(PRICES, held, added, status=400)) == "InvalidField"
    dollars = {"action": "changeValue", "value": {**eur(1), "currencyCode": "USD"}}
    assert code(await shop.update(PRICES, held, dollars, status=400)) == "InvalidField"
    staged = await shop.update(PRICES, held, {"action": "changeValue", "value": eur(450), "staged": True})
    assert (staged["value"]["centAmount"], staged["staged"]["value"]["centAmount"]) == (500, 450)
    held = await shop.update(PRICES, staged, {"action": "applyStagedChanges"}, {"action": "setPriceTiers", "tiers": []})
    assert (held["value"]["centAmount"], "staged" in held, "tiers" in held) == (450, False, False)
    reply = await shop.http.delete(f"/customer-groups/{group['id']}", params={"version": 1})
    assert reply.json()["errors"][0]["referencedBy"] == "standalone-price"


async def test_what_is_staged_is_shown_when_it_is_published(shop: Shop) -> None:
    product = await shop.product()
    name = {"action": "changeName", "name": {"en": "Green tea"}}
    product = await shop.update("/products", product, name)
    data = product["masterData"]
    assert (data["current"]["name"], data["hasStagedChanges"]) == ({"en": "Tea"}, True)
    product = await shop.update("/products", product, {"action": "publish"})
    assert product["masterData"]["current"]["name"] == {"en": "Green tea"}
    same = {"action": "addPrice", "variantId": 1, "price": {"value": {"currencyCode": "GBP", "centAmount": 1}}}
    assert code(await shop.update("/products", product, same, status=400)) == "DuplicatePriceScope"
    odd = {"action": "setAttribute", "variantId": 1, "name": "colour", "value": "red"}
    assert code(await shop.update("/products", product, odd, status=400)) == "AttributeNameDoesNotExist"
    other = await shop.product("MUG")
    assert code(
        await shop.update("/products", other, {"action": "setSku", "variantId": 1, "sku": "TEA"}, status=400)
    ) == ("DuplicateField")
    typed = await shop.http.delete("/product-types/key=plain", params={"version": 1})
    assert code(typed.json()) == "ReferenceExists"


async def test_a_cart_is_asked_for_worked_on_and_quoted(shop: Shop) -> None:
    ada = await shop.customer()
    await shop.product()
    await unit(shop, "acme")
    body = {"currency": "GBP", "lineItems": [{"sku": "TEA", "quantity": 3}]}
    guest = await shop.post("/carts", body, 201)
    asked = {"cart": ref("cart", id=guest["id"]), "cartVersion": guest["version"]}
    assert code(await shop.post("/quote-requests", asked, 400)) == "InvalidOperation"
    cart = await shop.post(
        "/carts", {**body, "customerId": ada["id"], "businessUnit": ref("business-unit", key="acme")}, 201
    )
    request = await shop.post(
        "/quote-requests", {"cart": ref("cart", id=cart["id"]), "cartVersion": 1, "key": "q-1"}, 201
    )
    draft = {"quoteRequest": ref("quote-request", key="q-1"), "quoteRequestVersion": 1}
    staged = await shop.post("/staged-quotes", {**draft, "quoteRequestStateToAccepted": True}, 201)
    request = await shop.get(f"/quote-requests/{request['id']}")
    assert (request["quoteRequestState"], staged["stagedQuoteState"]) == ("Accepted", "InProgress")
    draft = {
        "stagedQuote": ref("staged-quote", id=staged["id"]),
        "stagedQuoteVersion": 1,
        "stagedQuoteStateToSent": True,
    }
    assert code(await shop.post("/quotes", {**draft, "stagedQuoteVersion": 9}, 409)) == "ConcurrentModification"
    quote = await shop.post("/quotes", draft, 201)
    assert (quote["quoteState"], quote["totalPrice"]["centAmount"]) == ("Pending", 1350)
    assert (quote["customer"]["id"], quote["businessUnit"]) == (ada["id"], ref("business-unit", key="acme"))
    skip = {"action": "changeQuoteState", "quoteState": "DeclinedForRenegotiation"}
    assert code(await shop.update("/quotes", quote, skip, status=400)) == "InvalidOperation"
    body = {"quote": ref("quote", id=quote["id"]), "version": quote["version"], "quoteStateToAccepted": True}
    order = await shop.post("/orders/quotes", body, 201)
    assert (order["customerId"], order["quote"]["id"], order["origin"]) == (ada["id"], quote["id"], "Quote")
    quote = await shop.get(f"/quotes/{quote['id']}")
    back = {"action": "changeQuoteState", "quoteState": "Pending"}
    assert code(await shop.update("/quotes", quote, back, status=400)) == "InvalidOperation"


async def test_a_store_shows_its_own_only(shop: Shop) -> None:
    await shop.post("/stores", {"key": "bonn"}, 201)
    await shop.customer("else@example.com")
    made = await shop.post(
        "/in-store/key=bonn/customers", {"email": "a@x.org", "authenticationMode": "ExternalAuth"}, 201
    )
    seen = await shop.get("/in-store/key=bonn/customers")
    assert [one["id"] for one in seen["results"]] == [made["customer"]["id"]]
    assert (await shop.http.get("/in-store/key=ulm/customers")).status_code == 404
    await shop.sign_in("syncd", "syncd-secret")
    assert code((await shop.http.get("/stores")).json()) == "insufficient_scope"
