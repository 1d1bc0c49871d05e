"""Every write that a vendor applies stands in the ledger: who did it, to what, what changed, and the version."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import httpx
import pytest

from syncd.runtime.clock import ManualClock
from syncd.sandbox.command import simulator
from syncd.sandbox.server import Sandbox


class Step(NamedTuple):
    """A request, and the effect it must have. ``$name.path`` stands for a part of an earlier answer."""

    request: str
    """Method and path."""
    body: Any
    effect: str
    """``effect object``."""
    keep: str = ""
    """``name`` or ``name=path``: keep the answer, or a part of it."""


_GOODS = {"name": "Plain", "description": "Plain", "key": "plain"}
_PRODUCT = {"productType": {"typeId": "product-type", "key": "plain"}, "name": {"en": "Tea"}, "slug": {"en": "tea"},
            "masterVariant": {"sku": "TEA", "prices": [{"value": {"currencyCode": "EUR", "centAmount": 450}}]},
            "publish": True}  # fmt: skip
_TYPE = {"key": "more", "name": {"en": "More"}, "resourceTypeIds": ["customer"]}
_CART = {"currency": "EUR", "customerId": "$customer.id", "lineItems": [{"sku": "TEA", "quantity": 2}]}
COMMERCETOOLS = (
    Step("POST /customer-groups", {"groupName": "Gold", "key": "gold"}, "create customer-groups", "group"),
    Step("POST /types", _TYPE, "create types", "type"),
    Step("POST /product-types", _GOODS, "create product-types"),
    Step("POST /products", _PRODUCT, "create products"),
    Step("POST /customers", {"email": "ada@example.com", "password": "x"}, "create customers", "customer=customer"),
    Step("POST /customers/$customer.id", {"version": "$customer.version", "actions": [
        {"action": "setFirstName", "firstName": "Ada"}]}, "update customers", "customer"),
    Step("POST /carts", _CART, "create carts", "cart"),
    Step("POST /carts/$cart.id", {"version": "$cart.version", "actions": [
        {"action": "setCountry", "country": "DE"}]}, "update carts", "cart"),
    Step("POST /orders", {"cart": {"typeId": "cart", "id": "$cart.id"}, "version": "$cart.version"}, "create orders",
         "order"),
    Step("POST /orders/$order.id", {"version": "$order.version", "actions": [
        {"action": "changeOrderState", "orderState": "Confirmed"}]}, "update orders"),
    Step("POST /custom-objects", {"container": "box", "key": "one", "value": {"a": 1}}, "create custom-objects"),
    Step("POST /custom-objects", {"container": "box", "key": "one", "value": {"a": 2}}, "update custom-objects"),
    Step("POST /associate-roles", {"key": "buyer", "buyerAssignable": True, "permissions": []}, "create associate-roles"),
    Step("POST /business-units", {"key": "co", "unitType": "Company", "name": "Co"}, "create business-units", "unit"),
    Step("POST /business-units/$unit.id", {"version": "$unit.version", "actions": [
        {"action": "changeName", "name": "Company"}]}, "update business-units", "unit"),
    Step("DELETE /business-units/$unit.id?version=$unit.version", None, "delete business-units"),
    Step("POST /standalone-prices", {"sku": "TEA", "value": {"currencyCode": "EUR", "centAmount": 400}},
         "create standalone-prices"),
    Step("DELETE /custom-objects/box/one", None, "delete custom-objects"),
    Step("DELETE /customer-groups/$group.id?version=$group.version", None, "delete customer-groups"),
)  # fmt: skip
_NAMED = {"label": "N", "groupName": "contactinformation", "type": "string", "fieldType": "text"}
_STAGE = {"label": "S", "displayOrder": 0, "metadata": {"probability": "0.5"}}
HUBSPOT = (
    Step("POST /crm/v3/properties/contacts", {"name": "nick", **_NAMED}, "create properties"),
    Step("PATCH /crm/v3/properties/contacts/nick", {"label": "M"}, "update properties"),
    Step("POST /crm/v3/properties/contacts/groups", {"name": "own", "label": "Own"}, "create property_groups"),
    Step("POST /crm/v3/pipelines/deals", {"label": "P", "displayOrder": 1, "stages": [_STAGE]}, "create pipelines",
         "pipeline"),
    Step("POST /crm/v3/pipelines/deals/$pipeline.id/stages", {**_STAGE, "label": "T"}, "create pipeline_stages",
         "stage"),
    Step("DELETE /crm/v3/pipelines/deals/$pipeline.id/stages/$stage.id", None, "delete pipeline_stages"),
    Step("DELETE /crm/v3/pipelines/deals/$pipeline.id", None, "delete pipelines"),
    Step("POST /crm/v3/objects/contacts", {"properties": {"email": "a@example.com"}}, "create contacts", "one"),
    Step("PATCH /crm/v3/objects/contacts/$one.id", {"properties": {"nick": "A"}}, "update contacts"),
    Step("POST /crm/v3/objects/contacts/batch/create", {"inputs": [{"properties": {"email": "b@example.com"}}]},
         "create contacts", "two=results.0"),
    Step("POST /crm/v3/objects/contacts/batch/update", {"inputs": [
        {"id": "$two.id", "properties": {"lastname": "B"}}]}, "update contacts"),
    Step("POST /crm/v3/objects/contacts/batch/upsert", {"inputs": [
        {"id": "c@example.com", "idProperty": "email", "properties": {"lastname": "C"}}]}, "create contacts",
         "three=results.0"),
    Step("POST /crm/v3/objects/companies", {"properties": {"name": "Co"}}, "create companies", "firm"),
    Step("PUT /crm/v4/objects/contacts/$one.id/associations/default/companies/$firm.id", None, "associate contacts"),
    Step("DELETE /crm/v4/objects/contacts/$one.id/associations/companies/$firm.id", None, "dissociate contacts"),
    Step("POST /crm/v4/associations/contacts/companies/labels", {"label": "Boss", "name": "boss"},
         "create association_labels"),
    Step("POST /crm/v3/objects/contacts/merge", {"primaryObjectId": "$one.id", "objectIdToMerge": "$two.id"},
         "merge contacts"),
    Step("POST /crm/v3/objects/contacts/batch/create", {"inputs": [{"properties": {"email": "d@example.com"}}]},
         "create contacts", "four=results.0"),
    Step("POST /crm/v3/objects/contacts/batch/archive", {"inputs": [{"id": "$four.id"}]}, "archive contacts"),
    Step("POST /crm/v3/objects/contacts/gdpr-delete", {"objectId": "c@example.com", "idProperty": "email"},
         "delete contacts"),
    Step("POST /crm/v3/schemas", {"name": "cars", "labels": {"singular": "Car", "plural": "Cars"}, "requiredProperties": [],
         "properties": [{"name": "plate", "label": "Plate", "type": "string", "fieldType": "text"}]}, "create schemas"),
    Step("DELETE /crm/v3/objects/companies/$firm.id", None, "archive companies"),
    Step("DELETE /crm/v3/properties/contacts/nick", None, "archive properties"),
)  # fmt: skip
_DATA = "/services/data/v67.0"
SALESFORCE = (
    Step(f"POST {_DATA}/sobjects/Account", {"Name": "Co"}, "create Account", "firm"),
    Step(f"PATCH {_DATA}/sobjects/Account/$firm.id", {"Phone": "1"}, "update Account"),
    Step(f"PATCH {_DATA}/sobjects/Contact/Syncd_Id__c/K-1", {"LastName": "A"}, "create Contact", "one"),
    Step(f"POST {_DATA}/composite/sobjects", {"allOrNone": False, "records": [
        {"attributes": {"type": "Contact"}, "LastName": "B"}]}, "create Contact", "two=0"),
    Step(f"PATCH {_DATA}/composite/sobjects", {"allOrNone": False, "records": [
        {"attributes": {"type": "Contact"}, "id": "$two.id", "FirstName": "B"}]}, "update Contact"),
    Step(f"POST {_DATA}/composite", {"compositeRequest": [{"method": "POST", "referenceId": "x", "body": {
        "LastName": "C"}, "url": f"{_DATA}/sobjects/Contact"}]}, "create Contact"),
    Step(f"POST {_DATA}/composite/tree/Contact", {"records": [
        {"attributes": {"type": "Contact", "referenceId": "r"}, "LastName": "D"}]}, "create Contact"),
    Step(f"DELETE {_DATA}/composite/sobjects?ids=$two.id", None, "delete Contact"),
    Step(f"DELETE {_DATA}/sobjects/Contact/$one.id", None, "delete Contact"),
)  # fmt: skip
_V3, _V2, _B2B = "/stores/abc123/v3", "/stores/abc123/v2", "/api/v3/io"
_ADDRESS = {"first_name": "A", "last_name": "B", "address1": "S 1", "city": "T", "country_code": "DE"}
_COMPANY = {"companyName": "Co", "companyPhone": "1", "companyEmail": "co@example.com", "country": "DE",
            "adminFirstName": "E", "adminLastName": "F", "adminEmail": "e@example.com"}  # fmt: skip
_BILLED = {"first_name": "A", "last_name": "B", "street_1": "S 1", "city": "C", "state": "D", "zip": "1",
           "country": "Germany", "country_iso2": "DE", "email": "a@example.com"}  # fmt: skip
_META = {"namespace": "n", "key": "k", "value": "v", "permission_set": "write"}
BIGCOMMERCE = (
    Step(f"POST {_V2}/customer_groups", {"name": "Gold"}, "create customer_groups", "group"),
    Step(f"PUT {_V2}/customer_groups/$group.id", {"name": "Golden"}, "update customer_groups"),
    Step(f"POST {_V3}/customers", [{"email": "a@example.com", "first_name": "A", "last_name": "B"}],
         "create customers", "one=data.0"),
    Step(f"PUT {_V3}/customers", [{"id": "$one.id", "phone": "1"}], "update customers"),
    Step(f"POST {_V3}/customers/addresses", [{"customer_id": "$one.id", **_ADDRESS}], "create customer_addresses",
         "home=data.0"),
    Step(f"PUT {_V3}/customers/addresses", [{"id": "$home.id", "city": "U"}], "update customer_addresses"),
    Step(f"DELETE {_V3}/customers/addresses?id:in=$home.id", None, "delete customer_addresses"),
    Step(f"POST {_V3}/customers/attributes", [{"name": "tier", "type": "string"}], "create customer_attributes",
         "tier=data.0"),
    Step(f"PUT {_V3}/customers/attribute-values", [{"attribute_id": "$tier.id", "customer_id": "$one.id",
         "value": "x"}], "update customers"),
    Step(f"POST {_V3}/pricelists", {"name": "P"}, "create pricelists", "list=data"),
    Step(f"POST {_V3}/catalog/products", {"name": "Tea", "type": "physical", "weight": 1, "price": 2, "sku": "TEA"},
         "create products", "tea=data"),
    Step(f"PUT {_V3}/pricelists/$list.id/records", [{"sku": "TEA", "currency": "usd", "price": 2}],
         "create price_records"),
    Step(f"DELETE {_V3}/pricelists/$list.id/records?sku:in=TEA", None, "delete price_records"),
    Step(f"POST {_V3}/pricelists/assignments", [{"price_list_id": "$list.id", "customer_group_id": "$group.id"}],
         "create pricelist_assignments"),
    Step(f"DELETE {_V3}/pricelists/assignments?price_list_id=$list.id", None, "delete pricelist_assignments"),
    Step(f"PUT {_V3}/pricelists/$list.id", {"name": "Q"}, "update pricelists"),
    Step(f"DELETE {_V3}/pricelists/$list.id", None, "delete pricelists"),
    Step(f"POST {_V3}/carts", {"customer_id": "$one.id", "line_items": [
        {"quantity": 1, "product_id": "$tea.id", "name": "Tea", "list_price": 2}]}, "create carts", "cart=data"),
    Step(f"PUT {_V3}/carts/$cart.id", {"customer_id": 0}, "update carts"),
    Step(f"DELETE {_V3}/carts/$cart.id", None, "delete carts"),
    Step(f"PUT {_V3}/customers/$one.id/consent", {"allow": ["analytics"], "deny": []}, "update customer_consents"),
    Step(f"POST {_V3}/customers/$one.id/metafields", _META, "create metafields", "meta=data"),
    Step(f"DELETE {_V3}/customers/$one.id/metafields/$meta.id", None, "delete metafields"),
    Step(f"POST {_V3}/hooks", {"scope": "store/customer/*", "destination": "http://127.0.0.1:9/"}, "create hooks",
         "hook=data"),
    Step(f"DELETE {_V3}/hooks/$hook.id", None, "delete hooks"),
    Step(f"POST {_V3}/channels", {"name": "C", "type": "storefront", "platform": "custom"}, "create channels",
         "channel=data"),
    Step(f"POST {_B2B}/companies", _COMPANY, "create companies", "firm=data"),
    Step(f"PUT {_B2B}/companies/$firm.companyId", {"companyPhone": "2"}, "update companies"),
    Step(f"POST {_B2B}/users", {"companyId": "$firm.companyId", "email": "g@example.com", "firstName": "G",
         "lastName": "H", "role": 2}, "create users", "user=data"),
    Step(f"PUT {_B2B}/companies/$firm.companyId/credit", {"creditEnabled": True, "availableCredit": 5},
         "update companies"),
    Step(f"PUT {_B2B}/companies/$firm.companyId/payment-terms", {"isEnabled": True, "paymentTerms": 30},
         "update companies"),
    Step(f"POST {_B2B}/addresses", {"companyId": "$firm.companyId", "firstName": "A", "lastName": "B", "city": "C",
         "addressLine1": "S 1", "countryName": "Germany", "countryCode": "DE", "zipCode": "1"},
         "create company_addresses", "office=data"),
    Step(f"DELETE {_B2B}/addresses/$office.addressId", None, "delete company_addresses"),
    Step(f"POST {_V2}/orders", {"customer_id": "$one.id", "billing_address": _BILLED, "products": [
         {"name": "Tea", "quantity": 1, "price_inc_tax": 2, "price_ex_tax": 2}]}, "create orders", "order"),
    Step(f"PUT {_V2}/orders/$order.id", {"status_id": 2}, "update orders"),
    Step(f"DELETE {_V2}/orders/$order.id", None, "archive orders"),
    Step(f"PUT {_V3}/abandoned-carts/settings", {"enable_notification": True}, "update abandoned_cart_settings"),
    Step(f"PUT {_V3}/hooks/admin", {"emails": ["ops@example.com"]}, "update hook_admin"),
    Step(f"DELETE {_B2B}/users/$user.userId", None, "delete users"),
    Step(f"DELETE {_B2B}/companies/$firm.companyId", None, "delete companies"),
    Step(f"DELETE {_V3}/customers?id:in=$one.id", None, "delete customers"),
    Step(f"DELETE {_V2}/customer_groups/$group.id", None, "delete customer_groups"),
)  # fmt: skip
WALKS: dict[str, tuple[str, str, Sequence[Step]]] = {
    "commercetools": ("shop-frontend", "/demo-shop", COMMERCETOOLS),
    "hubspot": ("syncd", "", HUBSPOT),
    "salesforce": ("syncd", "", SALESFORCE),
    "bigcommerce": ("shop-frontend", "", BIGCOMMERCE),
}
"""Who calls, by the name the ledger has, where its paths begin, and the requests."""


def _at(value: Any, path: str) -> Any:
    for part in filter(None, path.split(".")):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _filled(value: Any, kept: dict[str, Any]) -> Any:
    """With parts of earlier answers in their places; alone they keep their kind."""
    if isinstance(value, str):
        if whole := re.fullmatch(r"\$(\w+)\.(\w+)", value):
            return _at(kept[whole[1]], whole[2])
        return re.sub(r"\$(\w+)\.(\w+)", lambda found: str(_at(kept[found[1]], found[2])), value)
    if isinstance(value, list):
        return [_filled(one, kept) for one in value]
    if isinstance(value, dict):
        return {name: _filled(one, kept) for name, one in value.items()}
    return value


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        yield client


async def _sign_in(http: httpx.AsyncClient, name: str, vendor: Any, url: str) -> None:
    match name:
        case "commercetools":
            auth, form = ("shop-frontend", "shop-secret"), {"grant_type": "client_credentials"}
            token = (await http.post(f"{url}/oauth/token", auth=auth, data=form)).json()["access_token"]
        case "hubspot":
            token = vendor.token
        case "salesforce":
            form = {"grant_type": "client_credentials", "client_id": vendor.app.client_id,
                    "client_secret": vendor.app.client_secret}  # fmt: skip
            token = (await http.post(f"{url}/services/oauth2/token", data=form)).json()["access_token"]
        case _:
            token = "shop-token"
            http.headers.update({"x-auth-token": token, "x-store-hash": "abc123", "accept": "application/json"})
    http.headers["authorization"] = f"Bearer {token}"


@pytest.mark.parametrize("name", WALKS)
async def test_each_applied_write_stands_in_the_ledger_with_actor_values_and_version(
    name: str, http: httpx.AsyncClient
) -> None:
    box = Sandbox(seed=7, clock=ManualClock())
    vendor: Any = box.add(simulator(name))
    actor, root, steps = WALKS[name]
    kept: dict[str, Any] = {}
    missing: list[str] = []
    async with box:
        await _sign_in(http, name, vendor, box.url(name))
        for step in steps:
            seen = len(box.ledger)
            method, path = step.request.split(" ")
            url = f"{box.url(name)}{root}{_filled(path, kept)}"
            sent = {} if step.body is None else {"json": _filled(step.body, kept)}
            reply = await http.request(method, url, **sent)
            assert reply.status_code < 300, (step.request, reply.text)
            kept |= {step.keep.partition("=")[0]: _at(reply.json(), step.keep.partition("=")[2])} if step.keep else {}
            effects = [one for one in box.ledger.after(seen) if f"{one.effect} {one.object}" == step.effect]
            if not effects:
                missing.append(f"{step.request}: {[(e.effect, e.object) for e in box.ledger.after(seen)]}")
                continue
            one = effects[-1]
            assert (one.vendor, one.actor, bool(one.id)) == (name, actor, True), step
            assert bool(one.values) or step.effect.split()[0] in {"delete", "archive"}, step
            assert (one.version > 0) is (name == "commercetools"), step
    assert not missing, missing
