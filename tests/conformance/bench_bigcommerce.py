"""BigCommerce, with B2B Edition, under the suite."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from syncd.config import loads
from syncd.model.change import Channel
from syncd.model.record import Link
from syncd.model.value import Fields
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.bigcommerce import BigcommerceSandbox, LimitSettings, SenderSettings
from syncd.sandbox.server import Sandbox
from syncd.systems.bigcommerce.settings import Settings
from syncd.systems.bigcommerce.system import Bigcommerce
from syncd.systems.contract import Severity, System
from tests.conformance.bench import Bench, FreePayer
from tests.conformance.ears import Ear, Inbox, WebhookEar
from tests.conformance.subject import Shape, Subject

KEY = "syncd_external_id"
SECRET = "a-secret-that-webhooks-carry"
CONFIGURATION = loads(
    """
[connections.shop]
system = "bigcommerce"
store_hash = "abc123"
webhook_url = "https://sync.example.com/v1/webhooks/shop"
[entities.company.fields]
admin_email = "email"
[entities.order.fields]
note = "text"
[entities.price_tier.fields]
guests = "boolean"
[[mappings]]
connection = "shop"
object = "customers"
write = ["create", "update", "delete"]
[[mappings]]
connection = "shop"
object = "carts"
write = ["update"]
fields.sales_note = "metafields.crm.sales_note"
[[mappings]]
connection = "shop"
object = "orders"
write = ["update"]
fields.note = "staff_notes"
[[mappings]]
connection = "shop"
object = "products"
enabled = true
write = ["update"]
fields.description.direction = "both"
[[mappings]]
connection = "shop"
object = "channels"
enabled = true
key_path = "external_id"
write = ["create", "update"]
constants = { type = "marketplace", platform = "custom" }
fields.name.direction = "both"
fields.status.direction = "both"
[[mappings]]
connection = "shop"
object = "companies"
enabled = true
write = ["create", "update", "delete"]
constants = { country = "Germany", adminFirstName = "Ada", adminLastName = "Byron" }
fields.admin_email = { path = "adminEmail", direction = "write" }
fields.credit_limit = ["credit.availableCredit", "credit.creditCurrency"]
[[mappings]]
connection = "shop"
object = "customer_groups"
enabled = true
write = ["create", "update", "delete"]
fields.guests = "is_group_for_guests"
[[mappings]]
connection = "shop"
object = "price_lists"
enabled = true
write = ["create", "update", "delete"]
[[mappings]]
connection = "shop"
object = "price_records"
enabled = true
[[mappings]]
connection = "shop"
object = "roles"
enabled = true
[[mappings]]
connection = "shop"
object = "users"
enabled = true
""",
    environ={},
)


def dollars(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def tier(least: int, amount: str) -> dict[str, Any]:
    return {"key": str(least), "quantity": least, "price": dollars(amount)}


LINE = {"sku": "S-1", "name": "Tea", "quantity": 2, "list_price": 4.55, "product_id": 1, "variant_id": 1}
SUBJECTS = (
    Subject(
        "customers",
        lambda n: {
            "email": f"p{n}@example.com", "first_name": "Ada", "last_name": f"Byron {n}", "phone": f"+4922{n:06}",
            "company": "Engines Ltd", "credit_limit": dollars("42.00"), "price_tier": "Gold",
        },
        change={"first_name": "Augusta", "credit_limit": dollars("99.50")}, clear="phone",
        bad={"email": "not-an-address"}, drops=True,
    ),
    Subject("carts", lambda n: {"email": f"p{n}@example.com"}, change={"sales_note": "called"}),
    Subject(
        "orders", lambda n: {"email": f"p{n}@example.com"}, change={"note": "called"},
    ),
    Subject(
        "customer_groups", lambda n: {"name": f"Tier {n}", "guests": False}, change={"guests": True},
        bad={"name": "x" * 300},
    ),
    Subject("products", lambda n: {"name": f"Tea {n}", "sku": f"TEA-{n}"}, change={"description": "Green"}),
    Subject(
        "channels", lambda n: {"name": f"Market {n}", "status": "active"}, change={"status": "inactive"},
        bad={"status": "flying"},
    ),
    Subject(
        "price_lists", lambda n: {"name": f"List {n}", "active": True}, change={"active": False},
        bad={"name": "x" * 300},
    ),
    Subject(
        "price_records",
        lambda n: {"sku": f"S-{n}", "amount": dollars("9.00"), "tiers": [tier(10, "8.00"), tier(100, "7.50")]},
        change={"amount": dollars("8.90"), "tiers": [tier(20, "7.00")]}, bad={"price": "-1"},
        parents={"price_list": "price_lists"},
    ),
    Subject(
        "companies",
        lambda n: {
            "name": f"Acme {n}", "phone": f"+4922{n:06}", "email": f"office{n}@acme.example",
            "admin_email": f"boss{n}@acme.example", "credit_limit": dollars("500.00"), "price_tier": "Gold",
        },
        change={"name": "Acme GmbH", "credit_limit": dollars("900.00"), "price_tier": "Silver"},
        clear="price_tier", bad={"companyEmail": "nowhere"},
    ),
    Subject(
        "roles", lambda n: {"name": f"Clerk {n}", "permissions": [{"key": "get_orders", "quantity": 1}]},
        change={"permissions": [{"key": "get_orders", "quantity": 2}, {"key": "get_quotes", "quantity": 1}]},
        bad={"permissions": [{"code": "fly", "permissionLevel": 1}]},
    ),
    Subject(
        "users",
        lambda n: {
            "email": f"u{n}@acme.example", "first_name": "Ben", "last_name": f"Ito {n}", "phone": f"+4923{n:06}",
        },
        change={"last_name": "Ito-Adler"}, clear="phone", bad={"email": "nobody"},
        parents={"company": "companies", "role": "roles"},
    ),
)  # fmt: skip
NAMED = {"customer_groups": ("groups", "Tier"), "price_lists": ("pricelists", "List"), "roles": ("roles", "Clerk")}
"""Kinds without our key: their table, and how samples are named."""
PANEL = {
    "customers": "v3/customers?id:in={}", "carts": "v3/carts/{}", "orders": "v2/orders/{}",
    "customer_groups": "v2/customer_groups/{}", "products": "v3/catalog/products?id:in={}",
    "channels": "v3/channels/{}", "price_lists": "v3/pricelists/{}", "companies": "b2b/companies/{}",
    "roles": "b2b/companies/roles/{}", "users": "b2b/users/{}",
}  # fmt: skip
SHOPPERS_THINK = 16
"""Settles until the carts that people made are ordered: a poll tells of a cart only then."""


class BigcommerceBench(Bench):
    title = "BigCommerce"
    configuration = CONFIGURATION
    subjects = SUBJECTS
    tokens_expire = False

    @classmethod
    def blank(cls) -> System:
        return Bigcommerce(cls._settings(), FreePayer(), World(ManualClock()))

    @classmethod
    def _settings(cls, **more: Any) -> Settings:
        given: dict[str, Any] = {
            "connection": "shop", "store_hash": "abc123", "access_token": Secret("syncd-token"),
            "client_secret": Secret("bc-client-secret-0001"), "webhook_secrets": (Secret(SECRET),),
            "webhook_url": "https://x.example/",
        }  # fmt: skip
        return Settings(**{**given, **more})

    async def open(self) -> None:
        self.clock = ManualClock()
        self.sandbox = Sandbox(seed=7, clock=self.clock)
        self.vendor = self.sandbox.add(
            BigcommerceSandbox, limits=LimitSettings(per_thirty_seconds=0, b2b_per_minute=1_000_000),
            webhooks=SenderSettings(time_scale=0.001),
        )  # fmt: skip
        await self.sandbox.open()
        self.inbox = await Inbox().open()
        url = self.sandbox.url("bigcommerce")
        settings = self._settings(api_url=url, b2b_url=f"{url}/api/v3/io", webhook_url=self.inbox.url)
        self.system = Bigcommerce(settings, FreePayer(), World(self.clock, random.Random(3)))
        await self.system.open()
        self._carts: dict[str, int] = {}
        products = [{"sku": f"S-{n}", "product_id": n, "variant_id": n} for n in range(1, 600)]
        await self._act("seed", products=products)
        for name in ("Gold", "Silver"):
            await self._act("group", values={"name": name})
        await self._act("extra_field", kind="companies", name=KEY)
        mappings = [one.mapping for one in self.shapes.values()]
        findings = await self.during(self.system.provision(mappings, apply=True))
        assert {one.severity for one in findings} <= {Severity.OK}, findings

    async def close(self) -> None:
        await self.system.close()
        await self.sandbox.close()
        await self.inbox.close()

    # --- what people do ------------------------------------------------------------------------------------------

    async def _act(self, op: str, **more: Any) -> Any:
        return await self.vendor.act({"op": op, **more})

    async def _panel(self, method: str, path: str, body: Any = None) -> Any:
        return await self._act("panel", method=method, path=path, body=body)

    async def make(self, shape: Shape, fields: Fields, links: Mapping[str, Link]) -> str:
        found = ("carts", "orders", "products")  # nothing of these is written when they are made
        values = {} if shape.name in found else dict(shape.create(self.number(), fields, links).values)
        return await _MAKERS[shape.name](self, values, fields)

    async def edit(self, shape: Shape, external_id: str, fields: Fields) -> None:
        values = shape.raw(fields)
        match shape.name:
            case "customers":
                await self._edit_customer(external_id, values)
            case "carts":
                await self._note(external_id, values["metafields.crm.sales_note"])
            case "price_records":
                await self._price(external_id, values)
            case "companies":
                await self._edit_company(external_id, values)
            case "products":
                await self._panel("PUT", f"v3/catalog/products/{external_id}", values)
            case "roles":
                held = self.vendor.store.roles.get(int(external_id)) or {}
                await self._panel("PUT", f"b2b/companies/roles/{external_id}", {"name": held["name"], **values})
            case name:
                await self._panel("PUT", PANEL[name].format(external_id), _truths(values))

    async def _edit_customer(self, external_id: str, values: Mapping[str, Any]) -> None:
        plain = {path: value for path, value in values.items() if "." not in path}
        if plain:
            await self._act("edit_customer", id=external_id, values=plain)
        for path, value in values.items():
            if path.startswith("attributes."):
                await self._act("set_attribute", id=external_id, name=path.partition(".")[2], value=value)

    async def _edit_company(self, external_id: str, values: Mapping[str, Any]) -> None:
        path = f"b2b/companies/{external_id}"
        credit = {name.partition(".")[2]: value for name, value in values.items() if name.startswith("credit.")}
        plain = {name: value for name, value in values.items() if not name.startswith("credit.")}
        if "customer_group" in plain:
            plain["customerGroupId"] = self.vendor.store.groups.holder("name", plain.pop("customer_group"))
        await self._panel("PUT", f"{path}/credit", credit)
        await self._panel("PUT", path, plain)

    async def _note(self, cart: str, text: str) -> None:
        held = [one for one in self.vendor.objects()["metafields"] if str(one["resource_id"]) == cart]
        if held:
            await self._panel("PUT", f"v3/carts/{cart}/metafields/{held[0]['id']}", {"value": text})
            return
        body = {"permission_set": "write", "namespace": "crm", "key": "sales_note", "value": text}
        await self._panel("POST", f"v3/carts/{cart}/metafields", body)

    async def _price(self, external_id: str, values: Mapping[str, Any]) -> None:
        price_list, variant, currency = external_id.split("/")
        tiers = [
            {"quantity_min": one["quantity_min"], "quantity_max": one["quantity_max"], "type": "fixed",
             "amount": float(one["price"])}
            for one in values["tiers"]
        ]  # fmt: skip
        body = {"price": float(values["price"]), "bulk_pricing_tiers": tiers}
        await self._panel("PUT", f"v3/pricelists/{price_list}/records/{variant}/{currency}", body)

    async def remove(self, shape: Shape, external_id: str) -> None:
        if shape.name == "price_records":
            price_list, variant, currency = external_id.split("/")
            await self._panel("DELETE", f"v3/pricelists/{price_list}/records/{variant}/{currency}")
            return
        if shape.name == "users":  # the last one of a company stays: there is another, its administrator
            await self._panel("DELETE", f"b2b/users/{external_id}")
            return
        await self._panel("DELETE", PANEL[shape.name].format(external_id))

    async def drop_field(self, shape: Shape) -> str:
        await self._act("delete_attribute", name="credit_limit")
        return "attributes.credit_limit"

    async def regain_field(self, shape: Shape, path: str) -> None:
        await self._act("seed", attributes=[{"name": path.partition(".")[2], "type": "string"}])
        await self.clock.advance(6)  # names that are not known are asked for anew every five seconds

    async def settle(self) -> None:
        """And shoppers order what they thought about for long enough."""
        await super().settle()
        for cart, rest in list(self._carts.items()):
            self._carts[cart] = rest - 1
            if not rest:
                del self._carts[cart]
                if cart in self.vendor.store.carts:
                    await self._act("convert", id=cart)

    def living(self, shape: Shape, key: str) -> int:
        number = int(key.rpartition("-")[2], 16)
        rows = list(self.vendor.objects().get(NAMED.get(shape.name, (shape.name, ""))[0], ()))
        match shape.name:
            case "customers":
                return sum(1 for one in rows if any(it["attribute_value"] == key for it in one["attributes"]))
            case "channels":
                return sum(1 for one in rows if one["external_id"] == key)
            case "users":
                return sum(1 for one in rows if one["uuid"] == key)
            case "companies":
                return sum(1 for one in rows if any(it["fieldValue"] == key for it in one["extraFields"]))
            case "price_records":
                return sum(1 for one in self.vendor.objects()["price_records"] if one["sku"] == f"S-{number}")
        rows = list(getattr(self.vendor.store, NAMED[shape.name][0]).rows())
        return sum(1 for one in rows if one["name"] == f"{NAMED[shape.name][1]} {number}")

    async def ear(self, shape: Shape, channel: Channel) -> Ear:
        if channel is Channel.WEBHOOK:
            return WebhookEar(self.system, shape.mapping, self.inbox, self.clock.now_ms)
        return await super().ear(shape, channel)

    # --- made in the vendor's own screens ------------------------------------------------------------------------

    async def make_customer(self, values: Mapping[str, Any], fields: Fields) -> str:
        del fields
        group = self.vendor.store.groups.holder("name", values["customer_group"])
        plain = {path: value for path, value in values.items() if "." not in path and path != "customer_group"}
        number = str(await self._act("create_customer", values={**plain, "customer_group_id": group}))
        await self._edit_customer(number, {path: value for path, value in values.items() if "." in path})
        return number

    async def make_cart(self, values: Mapping[str, Any], fields: Fields) -> str:
        del values
        cart = str(await self._act("cart", values={"line_items": [LINE], "email": fields["email"]}))
        self._carts[cart] = SHOPPERS_THINK
        return cart

    async def make_order(self, values: Mapping[str, Any], fields: Fields) -> str:
        del values
        address = {"first_name": "Ada", "last_name": "Byron", "zip": "LS1", "email": fields["email"]}
        line = {"name": "Tea", "quantity": 3, "price_inc_tax": 5, "price_ex_tax": 4}
        return str(await self._act("order", values={"billing_address": address, "products": [line]}))

    async def make_product(self, values: Mapping[str, Any], fields: Fields) -> str:
        del values
        body = {"name": fields["name"], "sku": fields["sku"], "type": "physical", "weight": 1, "price": 4.5}
        return str((await self._panel("POST", "v3/catalog/products", body))["data"]["id"])

    async def make_price_record(self, values: Mapping[str, Any], fields: Fields) -> str:
        del fields
        _, variant = self.vendor.store.variants[values["sku"]]
        number = f"{values['price_list_id']['id']}/{variant}/USD"
        await self._price(number, values)
        return number

    async def make_company(self, values: Mapping[str, Any], fields: Fields) -> str:
        del fields
        more = {"country": "Germany", "adminFirstName": "Ada", "adminLastName": "Byron"}
        plain = {path: value for path, value in values.items() if "." not in path and path != "customer_group"}
        number = str((await self._act("company", values={**more, **plain}))["companyId"])
        await self._edit_company(number, {path: value for path, value in values.items() if path not in plain})
        return number

    async def make_user(self, values: Mapping[str, Any], fields: Fields) -> str:
        del fields
        ids = {name: int(values[name]["id"]) for name in ("companyId", "companyRoleId")}
        return str((await self._panel("POST", "b2b/users", {**values, **ids}))["data"]["userId"])


def _truths(values: Mapping[str, Any]) -> dict[str, Any]:
    """As screens send them: what is true or false is no text."""
    return {path: value == "true" if value in ("true", "false") else value for path, value in values.items()}


def _posted(path: str, **more: Any) -> Callable[..., Any]:
    async def make(bench: BigcommerceBench, values: Mapping[str, Any], fields: Fields) -> str:
        del fields
        told = await bench._panel("POST", path, {**_truths(values), **more})
        return str(told.get("data", told)["id"])

    return make


_MAKERS: Mapping[str, Callable[..., Any]] = {
    "customers": BigcommerceBench.make_customer,
    "carts": BigcommerceBench.make_cart,
    "orders": BigcommerceBench.make_order,
    "customer_groups": _posted("v2/customer_groups"),
    "products": BigcommerceBench.make_product,
    "channels": _posted("v3/channels", type="marketplace", platform="custom"),
    "price_lists": _posted("v3/pricelists"),
    "price_records": BigcommerceBench.make_price_record,
    "companies": BigcommerceBench.make_company,
    "roles": _posted("b2b/companies/roles"),
    "users": BigcommerceBench.make_user,
}
BENCH = BigcommerceBench
