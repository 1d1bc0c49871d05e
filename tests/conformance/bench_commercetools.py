"""commercetools under the suite."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncd.config import loads
from syncd.model.change import Change, Channel
from syncd.model.record import Link
from syncd.model.value import Fields, money_to_minor
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.commercetools import CommercetoolsSandbox, custom_objects, quotes
from syncd.sandbox.commercetools.account import RESOURCES, default_clients
from syncd.sandbox.commercetools.project import Actor
from syncd.sandbox.commercetools.resource import create, delete, update
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.events import changes_from_event
from syncd.systems.commercetools.settings import CommercetoolsSettings
from syncd.systems.commercetools.system import CommercetoolsSystem
from syncd.systems.contract import Severity, System
from tests.conformance.bench import Bench, FreePayer
from tests.conformance.ears import Ear
from tests.conformance.subject import Shape, Subject

Json = dict[str, Any]
CREDIT = "custom-objects/credit"
SHOP = Actor("shop-frontend")
QUEUE = "everything"
CONFIGURATION = loads(
    """
[connections.shop]
system = "commercetools"
project = "demo-shop"
region = "europe-west1.gcp"
client_id = "syncd"
[entities.price_tier.fields]
note = "text"
[[mappings]]
connection = "shop"
object = "customers"
write = ["create", "update", "delete"]
[[mappings]]
connection = "shop"
object = "carts"
write = ["update"]
fields.sales_note = "custom.fields.salesNote"
[[mappings]]
connection = "shop"
object = "orders"
write = ["update"]
fields.state.direction = "both"
[[mappings]]
connection = "shop"
object = "business-units"
enabled = true
[[mappings]]
connection = "shop"
object = "customer-groups"
enabled = true
write = ["create", "update", "delete"]
fields.note = "custom.fields.note"
[[mappings]]
connection = "shop"
object = "associate-roles"
enabled = true
fields.permissions.direction = "both"
[[mappings]]
connection = "shop"
object = "products"
enabled = true
write = ["create", "update", "delete"]
constants = { productType = { typeId = "product-type", key = "goods" } }
fields.price.lens = { name = "list_price", currency = "EUR" }
[[mappings]]
connection = "shop"
object = "standalone-prices"
enabled = true
[[mappings]]
connection = "shop"
object = "quotes"
enabled = true
[entities.credit]
title = ["note"]
[entities.credit.fields]
limit = "integer"
note = "text"
[[mappings]]
connection = "shop"
object = "custom-objects/credit"
entity = "credit"
key_path = "key"
write = ["create", "update", "delete"]
capture = { poll = "1m", overlap = "1m" }
fields = { limit = "value.limit", note = "value.note" }
""",
    environ={},
)


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def cents(value: Any) -> Json:
    return {"currencyCode": value["currency"], "centAmount": money_to_minor(value)}


def tiers(*prices: tuple[int, str]) -> list[Json]:
    return [{"key": str(least), "quantity": least, "price": euros(amount)} for least, amount in prices]


def permissions(*names: str) -> list[Json]:
    return [{"key": one} for one in sorted(names)]


ORDER_STATES = ("Open", "Confirmed", "Complete")
QUOTE_STATES = ("Pending", "DeclinedForRenegotiation", "RenegotiationAddressed")
SUBJECTS = (
    Subject(
        "customers",
        lambda n: {
            "email": f"p{n}@example.com", "first_name": f"Ada {n}", "last_name": "Byron", "phone": f"+4922{n:06}",
            "company": "Engines Ltd", "credit_limit": euros("42.00"), "price_tier": "gold",
        },
        change={"first_name": "Augusta", "credit_limit": euros("99.50"), "price_tier": "silver"}, clear="price_tier",
        bad={"email": "not-an-address"}, drops=True,
    ),
    Subject("carts", lambda n: {"sales_note": f"note {n}"}, change={"sales_note": "rung"}, clear="sales_note",
            parents={"customer": "customers"}),
    Subject("orders", lambda n: {"number": f"O-{n}", "state": ORDER_STATES[n % 3]}, change={"state": "Cancelled"},
            parents={"customer": "customers"}),
    Subject(
        "business-units",
        lambda n: {
            "name": f"Engines {n}", "company_number": f"C-{n}", "email": f"c{n}@example.com", "phone": f"+4922{n:06}",
            "credit_limit": euros("420.00"), "price_tier": "gold",
        },
        change={"name": "Looms", "price_tier": "silver"}, clear="phone", bad={"custom.fields.creditLimit": "much"},
        drops=True,
    ),
    Subject("customer-groups", lambda n: {"name": f"Tier {n}", "note": f"note {n}"}, change={"note": "best"},
            clear="note", bad={"custom.fields.note": 5}),
    Subject(
        "associate-roles",
        lambda n: {
            "name": f"Buyer {n}",
            "permissions": permissions("ViewMyCarts", ("CreateMyCarts", "UpdateMyCarts", "DeleteMyCarts")[n % 3]),
        },
        change={"permissions": permissions("ViewMyCarts", "ViewMyOrders")}, clear="name", bad={"permissions": ["Fly"]},
    ),
    Subject(
        "products",
        lambda n: {
            "sku": f"P-{n}", "name": f"Lamp {n}", "description": "warm", "price": euros("9.99"), "active": True,
        },
        change={"name": "Lantern", "price": euros("8.50"), "active": False}, clear="description",
        bad={"productType": {"typeId": "product-type", "key": "none"}},
    ),
    Subject(
        "standalone-prices",
        lambda n: {
            "sku": f"P-{n}", "price_tier": "gold", "amount": euros(f"{n}.99"), "tiers": tiers((10, "0.90"), (100, "0.80")),
        },
        change={"amount": euros("1000000.50"), "tiers": tiers((10, "0.90"), (50, "0.70"))}, clear="tiers",
        bad={"value": {"currencyCode": "EUR", "centAmount": "much"}},
    ),
    Subject("quotes", lambda n: {"state": QUOTE_STATES[n % 3]}, change={"state": "Withdrawn"},
            parents={"customer": "customers", "company": "business-units"}),
    Subject(CREDIT, lambda n: {"limit": n, "note": "good"}, change={"limit": 1_000_000}, clear="note"),
)  # fmt: skip


class EventEar(Ear):
    """What a queue behind a subscription holds, and what the shop posts by itself, as the intake understands it."""

    def __init__(self, bench: CommercetoolsBench, shape: Shape) -> None:
        self._bench = bench
        self._shape = shape
        bench.drain()
        bench.posted.clear()

    async def news(self) -> Sequence[Change]:
        bench, told = self._bench, [*self._bench.drain(), *self._bench.posted]
        bench.posted.clear()
        found = [change for one in told for change in changes_from_event("shop", one, bench.clock.now_ms())]
        return [change for change in found if change.object == self._shape.name]


class CommercetoolsBench(Bench):
    title = "commercetools"
    configuration = CONFIGURATION
    subjects = SUBJECTS

    @classmethod
    def blank(cls) -> System:
        return CommercetoolsSystem("shop", cls._settings("https://shop.example"), FreePayer(), World(ManualClock()))

    @classmethod
    def _settings(cls, url: str) -> CommercetoolsSettings:
        return CommercetoolsSettings("demo-shop", url, url, Secret("syncd"), Secret("syncd-secret"), page_limit=50)

    async def open(self) -> None:
        self.clock = ManualClock()
        self.sandbox = Sandbox(seed=7, clock=self.clock)
        syncd, shop = default_clients("demo-shop")
        syncd = replace(syncd, scopes=(*syncd.scopes, "view_messages:demo-shop"))
        self.vendor = self.sandbox.add(CommercetoolsSandbox, clients=(syncd, shop))
        self.posted: list[Json] = []
        await self.sandbox.open()
        await self.vendor.act({"op": "messages", "enabled": True})
        url = self.sandbox.url("commercetools")
        self.system = CommercetoolsSystem("shop", self._settings(url), FreePayer(), World(self.clock, random.Random(3)))
        await self.system.open()
        mappings = [one.mapping for one in self.shapes.values()]
        findings = await self.during(self.system.provision(mappings, apply=True))
        assert {one.severity for one in findings} <= {Severity.OK}, findings
        for group in ("gold", "silver"):
            self._create("customer-groups", {"groupName": group.title(), "key": group})
        self._create("product-types", {"name": "Goods", "description": "What is sold", "key": "goods"})
        listed = {"value": {"currencyCode": "EUR", "centAmount": 500}}
        self._create(
            "products",
            self._product({"sku": "TEA", "name": "Tea", "active": True})
            | {"masterVariant": {"sku": "TEA", "prices": [listed]}},
        )
        every = [{"resourceTypeId": one} for one in (
            "customer", "cart", "order", "business-unit", "customer-group", "associate-role", "product",
            "standalone-price", "quote", "key-value-document",
        )]  # fmt: skip
        queue = {"type": "GoogleCloudPubSub", "projectId": "p", "topic": "t"}
        cloud = {"type": "CloudEvents", "cloudEventsVersion": "1.0"}
        self._create("subscriptions", {"key": QUEUE, "destination": queue, "changes": every, "format": cloud})

    async def close(self) -> None:
        await self.system.close()
        await self.sandbox.close()

    def drain(self) -> list[Json]:
        return self.vendor.notifier.drain(QUEUE)

    # --- what people do ------------------------------------------------------------------------------------------

    def _create(self, path: str, draft: Json) -> Json:
        return create(self.vendor.project, RESOURCES[path], draft, SHOP)

    def _row(self, shape: Shape, external_id: str) -> Json:
        rows = self.vendor.project.collections[self._path(shape)]
        found = rows.get(external_id)
        if found is None:
            found = next(one for one in map(rows.get, rows.ids()) if one and one.get("key") == external_id)
        return found

    @staticmethod
    def _path(shape: Shape) -> str:
        return shape.name.partition("/")[0]

    def _post(self, shape: Shape, row: Json) -> None:
        """The shop tells of its carts, of which subscriptions tell no change."""
        if shape.name == "carts":
            event = {"specversion": "1.0", "id": str(self.number()), "source": "/shop", "type": "shop.cart.changed"}
            self.posted.append({**event, "data": {"id": row["id"], "version": row["version"]}})

    async def make(self, shape: Shape, fields: Fields, links: Mapping[str, Link]) -> str:
        by_object = {link.object: link.external_id for link in links.values()}
        number = self.number()
        if shape.name == CREDIT:
            body = {"container": "credit", "key": f"by-hand-{number}", "value": dict(fields)}
            return str(custom_objects.upsert(self.vendor.project, body, SHOP)[0]["key"])
        if shape.name == "quotes":
            return self._quote(fields, by_object)
        row = self._create(shape.name, self._drafts[shape.name](self, fields, by_object, number))
        self._post(shape, row)
        return str(row["key"] if shape.name in ("business-units", "associate-roles") else row["id"])

    def _quote(self, fields: Fields, by_object: Mapping[str, str]) -> str:
        unit = {"typeId": "business-unit", "key": by_object["business-units"]}
        line = {"sku": "TEA", "quantity": 3}
        cart = self._create(
            "carts",
            {"currency": "EUR", "customerId": by_object["customers"], "businessUnit": unit, "lineItems": [line]},
        )
        request = self._create("quote-requests", {"cart": {"typeId": "cart", "id": cart["id"]}, "cartVersion": 1})
        asked = {"typeId": "quote-request", "id": request["id"]}
        staged = self._create("staged-quotes", {"quoteRequest": asked, "quoteRequestVersion": 1})
        draft = {"stagedQuote": {"typeId": "staged-quote", "id": staged["id"]}, "stagedQuoteVersion": 1}
        quote = self._create("quotes", draft)
        if fields["state"] != "Pending":
            self._update(quotes.QUOTES, quote, {"action": "requestQuoteRenegotiation"})
        if fields["state"] == "RenegotiationAddressed":
            later = self.vendor.project.collections["quotes"].get(quote["id"])
            assert later is not None
            self._update(quotes.QUOTES, later, {"action": "changeQuoteState", "quoteState": "RenegotiationAddressed"})
        return str(quote["id"])

    def _update(self, resource: Any, row: Json, *actions: Json) -> Json:
        return update(self.vendor.project, resource, row, {"version": row["version"], "actions": list(actions)}, SHOP)

    async def edit(self, shape: Shape, external_id: str, fields: Fields) -> None:
        row = self._row(shape, external_id)
        if shape.name == CREDIT:
            body = {"container": "credit", "key": row["key"], "value": {**row["value"], **fields}}
            custom_objects.upsert(self.vendor.project, body, SHOP)
            return
        actions = [one for name, value in fields.items() for one in self._edits[shape.name, name](row, value)]
        self._post(shape, self._update(RESOURCES[shape.name], row, *actions))

    async def remove(self, shape: Shape, external_id: str) -> None:
        self._delete(shape, external_id)

    async def erase(self, shape: Shape, external_id: str) -> None:
        with self.vendor.notifier.erasing(told=True):
            self._delete(shape, external_id)

    def _delete(self, shape: Shape, external_id: str) -> None:
        row = self._row(shape, external_id)
        if shape.name == CREDIT:
            custom_objects.delete(self.vendor.project, row, str(row["version"]), SHOP)
            return
        if shape.name == "products":
            row = self._update(RESOURCES["products"], row, {"action": "unpublish"})
        delete(self.vendor.project, RESOURCES[shape.name], row, str(row["version"]), SHOP)

    async def drop_field(self, shape: Shape) -> str:
        self._retype(shape, {"action": "removeFieldDefinition", "fieldName": "phone"})
        return "custom.fields.phone"

    async def regain_field(self, shape: Shape, path: str) -> None:
        name = path.rpartition(".")[2]
        definition = {"name": name, "label": {"en": name}, "type": {"name": "String"}}
        self._retype(shape, {"action": "addFieldDefinition", "fieldDefinition": definition})

    def _retype(self, shape: Shape, action: Json) -> None:
        types = self.vendor.project.collections["types"]
        row = types.get(types.holder("key", f"syncd-{shape.name.removesuffix('s')}") or "")
        assert row is not None
        self._update(RESOURCES["types"], row, action)

    def expire_token(self) -> None:
        self.vendor.auth.expire_all()

    def living(self, shape: Shape, key: str) -> int:
        return sum(1 for one in self.vendor.objects()[self._path(shape)] if one.get("key") == key)

    async def ear(self, shape: Shape, channel: Channel) -> Ear:
        return EventEar(self, shape) if channel is Channel.EVENT else await super().ear(shape, channel)

    # --- drafts and actions, as the vendor's screens send them ------------------------------------------------------

    def _customer(self, fields: Fields, _links: Mapping[str, str], _number: int) -> Json:
        return {
            "email": fields["email"], "firstName": fields["first_name"], "lastName": fields["last_name"],
            "companyName": fields["company"], "authenticationMode": "ExternalAuth",
            "customerGroup": {"typeId": "customer-group", "key": fields["price_tier"]},
            "custom": _typed("customer", phone=fields["phone"], creditLimit=cents(fields["credit_limit"])),
        }  # fmt: skip

    def _cart(self, fields: Fields, links: Mapping[str, str], _number: int) -> Json:
        custom = _typed("order", salesNote=fields["sales_note"])
        lines = [{"sku": "TEA", "quantity": 2}]
        return {"currency": "EUR", "customerId": links["customers"], "lineItems": lines, "custom": custom}

    def _order(self, fields: Fields, links: Mapping[str, str], _number: int) -> Json:
        price = {"currencyCode": "EUR", "centAmount": 500}
        line = {"name": {"en": "Tea"}, "variant": {"sku": "TEA"}, "price": {"value": price}, "quantity": 1}
        return {
            "orderNumber": fields["number"], "orderState": fields["state"], "customerId": links["customers"],
            "totalPrice": price, "lineItems": [line],
        }  # fmt: skip

    def _unit(self, fields: Fields, _links: Mapping[str, str], number: int) -> Json:
        custom = _typed(
            "business-unit", companyNumber=fields["company_number"], phone=fields["phone"],
            creditLimit=cents(fields["credit_limit"]), priceTier=fields["price_tier"],
        )  # fmt: skip
        return {
            "key": f"by-hand-{number}", "unitType": "Company", "name": fields["name"], "contactEmail": fields["email"],
            "custom": custom,
        }  # fmt: skip

    def _group(self, fields: Fields, _links: Mapping[str, str], number: int) -> Json:
        custom = _typed("customer-group", note=fields["note"])
        return {"groupName": fields["name"], "key": f"by-hand-{number}", "custom": custom}

    def _role(self, fields: Fields, _links: Mapping[str, str], number: int) -> Json:
        allowed = [one["key"] for one in fields["permissions"]]
        return {"key": f"by-hand-{number}", "name": fields["name"], "permissions": allowed}

    def _product(self, fields: Fields, _links: Mapping[str, str] | None = None, number: int = 0) -> Json:
        variant: Json = {"sku": fields["sku"]}
        if "price" in fields:
            variant["prices"] = [{"value": cents(fields["price"])}]
        made = {
            "key": f"by-hand-{number}", "productType": {"typeId": "product-type", "key": "goods"},
            "name": {"en": fields["name"]}, "slug": {"en": f"by-hand-{number}"}, "masterVariant": variant,
            "publish": fields["active"],
        }  # fmt: skip
        return made | ({"description": {"en": fields["description"]}} if "description" in fields else {})

    def _price(self, fields: Fields, _links: Mapping[str, str], number: int) -> Json:
        return {
            "key": f"by-hand-{number}", "sku": fields["sku"], "value": cents(fields["amount"]),
            "customerGroup": {"typeId": "customer-group", "key": fields["price_tier"]},
            "tiers": [_tier(one) for one in fields["tiers"]],
        }  # fmt: skip

    _drafts: Mapping[str, Callable[..., Json]] = {
        "customers": _customer, "carts": _cart, "orders": _order, "business-units": _unit, "customer-groups": _group,
        "associate-roles": _role, "products": _product, "standalone-prices": _price,
    }  # fmt: skip
    _edits: Mapping[tuple[str, str], Callable[[Json, Any], list[Json]]] = {
        ("customers", "first_name"): lambda _row, value: [{"action": "setFirstName", "firstName": value}],
        ("customers", "credit_limit"): lambda _row, value: [_field("creditLimit", cents(value))],
        ("customers", "price_tier"): lambda _row, value: [
            {"action": "setCustomerGroup", "customerGroup": {"typeId": "customer-group", "key": value}}
        ],
        ("carts", "sales_note"): lambda _row, value: [_field("salesNote", value)],
        ("orders", "state"): lambda _row, value: [{"action": "changeOrderState", "orderState": value}],
        ("business-units", "name"): lambda _row, value: [{"action": "changeName", "name": value}],
        ("business-units", "price_tier"): lambda _row, value: [_field("priceTier", value)],
        ("customer-groups", "note"): lambda _row, value: [_field("note", value)],
        ("associate-roles", "permissions"): lambda _row, value: [
            {"action": "setPermissions", "permissions": [one["key"] for one in value]}
        ],
        ("products", "name"): lambda _row, value: [{"action": "changeName", "name": {"en": value}, "staged": False}],
        ("products", "price"): lambda row, value: [
            {"action": "changePrice", "priceId": price["id"], "price": {"value": cents(value)}, "staged": False}
            for price in row["masterData"]["current"]["masterVariant"]["prices"]
        ],
        ("products", "active"): lambda _row, value: [{"action": "publish" if value else "unpublish"}],
        ("standalone-prices", "amount"): lambda _row, value: [{"action": "changeValue", "value": cents(value)}],
        ("standalone-prices", "tiers"): lambda _row, value: [
            {"action": "setPriceTiers", "tiers": [_tier(one) for one in value]}
        ],
        ("quotes", "state"): lambda _row, value: [{"action": "changeQuoteState", "quoteState": value}],
    }


def _typed(kind: str, **fields: Any) -> Json:
    return {"type": {"typeId": "type", "key": f"syncd-{kind}"}, "fields": fields}


def _field(name: str, value: Any) -> Json:
    return {"action": "setCustomField", "name": name, "value": value}


def _tier(item: Json) -> Json:
    return {"minimumQuantity": item["quantity"], "value": cents(item["price"])}


BENCH = CommercetoolsBench
