"""Salesforce under the suite."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from syncd.config import loads
from syncd.model.record import Link
from syncd.model.value import Fields
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.salesforce import SalesforceSandbox
from syncd.sandbox.salesforce.limits import LimitSettings
from syncd.sandbox.salesforce.org import Profile
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.server import Sandbox
from syncd.systems.contract import Severity, System
from syncd.systems.salesforce.columns import AGAIN_SECONDS
from syncd.systems.salesforce.settings import Settings
from syncd.systems.salesforce.system import Salesforce
from tests.conformance.bench import Bench, FreePayer
from tests.conformance.subject import Shape, Subject

KEY = "syncd_External_Id__c"
STREAMED = ("Account", "Contact", "Lead", "Opportunity", "Order", "Product2", "PricebookEntry", "Case", "Campaign",
            "User", "Loyalty__c")  # fmt: skip
POLLED = ("Pricebook2", "CampaignMember", "PermissionSet", "PermissionSetAssignment")
PERSON = {
    "Alias": "syncd", "TimeZoneSidKey": "Europe/Berlin", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
    "LanguageLocaleKey": "en_US",
}  # fmt: skip
"""What a user cannot be without; a file names it in the mapping's constants, with the profile."""
OWN = """
[connections.crm]
system = "salesforce"
login_url = "https://acme.my.salesforce.com"
client_id = "key"
company_currency = "EUR"

[entities.loyalty.fields]
number = "text"
points = "integer"
customer = { type = "reference", entity = "customer" }

[[mappings]]
connection = "crm"
entity = "loyalty"
object = "Loyalty__c"
key_path = "syncd_External_Id__c"
write = ["create", "update"]
capture = { stream = true, poll = "15m" }
fields.number = "Number__c"
fields.points = "Points__c"
fields.customer = { path = "Contact__c", references = "Contact" }

[[mappings]]
connection = "crm"
object = "Opportunity"
fields.stage.direction = "both"
[mappings.children.items]
object = "OpportunityLineItem"
path = "OpportunityId"
fields = { sku = "PricebookEntry.ProductCode", quantity = "Quantity", price = "UnitPrice" }

[[mappings]]
connection = "crm"
object = "Order"
enabled = true
fields.number.direction = "both"
capture = { stream = true }
"""
ON = "".join(
    f'\n[[mappings]]\nconnection = "crm"\nobject = "{one}"\nenabled = true\n'
    + ("capture = { stream = true }\n" if one in STREAMED else "")
    + ('write = ["create", "update"]\n' if one == "User" else "")
    for one in (*STREAMED, *POLLED)
    if one not in ("Contact", "Opportunity", "Order", "Loyalty__c")
)


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


LINES = [{"key": "1", "sku": "LAMP-1", "quantity": 2, "price": euros("9.99")}]

SUBJECTS = (
    Subject(
        "Account",
        lambda n: {
            "name": f"Engines {n}", "company_number": f"A-{n}", "domain": f"e{n}.example.com", "phone": f"+4922{n:06}",
            "credit_limit": euros("42.00"), "price_tier": "Gold",
        },
        change={"name": "Looms", "credit_limit": euros("99.50")}, clear="phone", bad={"Credit_Limit__c": "much"},
        drops=True, restores=True,
    ),
    Subject(
        "Contact",
        lambda n: {
            "email": f"p{n}@example.com", "first_name": "Ada", "last_name": f"Byron {n}", "phone": f"+4922{n:06}",
            "customer_number": f"C-{n}", "credit_limit": euros("42.00"), "price_tier": "Gold",
        },
        change={"first_name": "Augusta", "price_tier": "Silver"}, clear="phone", bad={"Email": "not-an-address"},
        drops=True, restores=True,
    ),
    Subject(
        "Lead",
        lambda n: {"email": f"l{n}@example.com", "first_name": "Ada", "last_name": f"Byron {n}", "company": f"Co {n}",
                   "phone": f"+4933{n:06}"},
        change={"company": "Looms"}, clear="phone", bad={"Email": "not-an-address"}, restores=True,
    ),
    Subject(
        "Opportunity",
        lambda n: {
            "email": f"p{n}@example.com", "stage": "abandoned", "touched_at": "2026-11-02T08:00:00.000Z",
            "total": euros("19.98"), "items": LINES,
        },
        change={"stage": "ordered"}, bad={"CloseDate": "soon"}, parents={"customer": "Contact"}, restores=True,
    ),
    Subject(
        "Order",
        lambda n: {"number": f"O-{n}", "placed_at": "2026-11-02T08:00:00.000Z", "items": LINES},
        change={"number": "O-changed"}, clear="number", bad={"EffectiveDate": "soon"},
        parents={"customer": "Contact"}, restores=True,
    ),
    Subject(
        "Product2",
        lambda n: {"sku": f"P-{n}", "name": f"Lamp {n}", "description": "Bright", "active": True},
        change={"description": "Dim", "active": False}, clear="description", bad={"Name": None}, restores=True,
    ),
    Subject(
        "Pricebook2", lambda n: {"name": f"Book {n}", "active": True}, change={"active": False}, bad={"Name": None},
        restores=True,
    ),
    Subject(
        "PricebookEntry", lambda _n: {"amount": euros("9.99")}, change={"amount": euros("8.00")},
        bad={"UnitPrice": "cheap"}, parents={"product": "Product2", "price_list": "Pricebook2"}, own_parents=True,
    ),
    Subject(
        "Case",
        lambda n: {"subject": f"Broken {n}", "description": "It hums", "status": "New", "priority": "High"},
        change={"status": "Working", "priority": "Low"}, clear="description", bad={"ContactId": "nobody"},
        parents={"customer": "Contact"}, restores=True,
    ),
    Subject(
        "Campaign",
        lambda n: {"name": f"Spring {n}", "status": "Planned", "active": True, "starts_on": "2026-03-01",
                   "ends_on": "2026-05-31"},
        change={"status": "In Progress", "ends_on": "2026-06-30"}, clear="starts_on", bad={"StartDate": "soon"},
        restores=True,
    ),
    Subject(
        "CampaignMember", lambda _n: {"status": "Sent"}, change={"status": "Responded"}, bad={"CampaignId": "none"},
        parents={"campaign": "Campaign", "customer": "Contact"}, own_parents=True,
    ),
    Subject(
        "User",
        lambda n: {"username": f"u{n}@example.com", "email": f"u{n}@example.com", "first_name": "Ada",
                   "last_name": f"Byron {n}", "phone": f"+4944{n:06}", "active": True},
        change={"first_name": "Augusta", "active": False}, clear="phone", bad={"Username": "no-address"},
    ),
    Subject(
        "PermissionSet", lambda n: {"number": f"Buyers_{n}", "name": f"Buyers {n}", "description": "May buy"},
        change={"description": "May look"}, clear="description", bad={"Label": None},
    ),
    Subject(
        "PermissionSetAssignment", lambda _n: {}, bad={"AssigneeId": "nobody"},
        parents={"role": "PermissionSet", "user": "User"}, own_parents=True,
    ),
    Subject(
        "Loyalty__c", lambda n: {"number": f"L-{n}", "points": 7}, change={"points": 9}, clear="points",
        bad={"Points__c": "many"}, parents={"customer": "Contact"}, drops=True, restores=True,
    ),
)  # fmt: skip

DROPPED: dict[str, dict[str, Any]] = {
    "Account": {"name": "Credit_Limit__c", "type": "currency", "precision": 18, "scale": 2},
    "Contact": {"name": "Customer_Number__c", "type": "text", "length": 40, "externalId": True},
    "Loyalty__c": {"name": "Points__c", "type": "double", "precision": 18, "scale": 0},
}


class SalesforceBench(Bench):
    title = "Salesforce"
    configuration = loads(OWN + ON, environ={})
    subjects = SUBJECTS

    @classmethod
    def blank(cls) -> System:
        return Salesforce(cls._settings("https://acme.my.salesforce.com"), FreePayer(), World(ManualClock()))

    @classmethod
    def _settings(cls, url: str, **more: Any) -> Settings:
        given = {"client_id": CLIENT_ID, "client_secret": Secret(CLIENT_SECRET), "currency": "EUR", "bulk_threshold": 5}
        return Settings(connection="crm", login_url=url, **(given | more))

    async def open(self) -> None:
        self.clock = ManualClock()
        self.sandbox = Sandbox(seed=7, clock=self.clock)
        self.vendor = self.sandbox.add(
            SalesforceSandbox, profile=Profile(key_field=KEY), limits=LimitSettings(selected_entities=20)
        )
        await self.sandbox.open()
        self._prepare()
        ends = self.vendor.endpoints()
        settings = self._settings(self.sandbox.url("salesforce"), pubsub_url=f"http://{ends['pubsub']}")
        self.system = Salesforce(settings, FreePayer(), World(self.clock, random.Random(3)))
        await self.system.open()
        mappings = [one.mapping for one in self.shapes.values()]
        findings = await self.during(self.system.check(mappings))
        assert {one.severity for one in findings} <= {Severity.OK}, findings

    def _prepare(self) -> None:
        """What an administrator of the org sets up, and a product with its price."""
        key = {"name": KEY, "type": "text", "length": 255, "unique": True, "externalId": True, "caseSensitive": True}
        contact = {"name": "Contact__c", "type": "reference", "referenceTo": "Contact"}
        fields = [key, {"name": "Number__c", "type": "text", "length": 40}, DROPPED["Loyalty__c"], contact]
        self._act("create_object", "Loyalty__c", name="Loyalty__c", fields=fields)
        self._act("select_entities", "", entities=[*STREAMED, "OrderItem"])
        self._act("stream", "", settings={"keepalive_seconds": 1})
        self._account = self._act("create", "Account", values={"Name": "Engines"})
        self._book = self._query("SELECT Id FROM Pricebook2 WHERE IsStandard = TRUE")[0]["Id"]
        self._product({"Name": "Lamp", "ProductCode": "LAMP-1", "IsActive": True})
        profile = self._query("SELECT Id FROM Profile WHERE UserType = 'Standard'")[0]["Id"]
        shape = self.shapes["User"]
        mapping = replace(shape.mapping, constants={**PERSON, "ProfileId": profile})
        self.shapes["User"] = replace(shape, mapping=mapping)

    async def close(self) -> None:
        await self.system.close()
        await self.sandbox.close()

    # --- what people do ------------------------------------------------------------------------------------------

    def _act(self, op: str, object_: str, **more: Any) -> Any:
        return self.vendor.people.act({"op": op, "object": object_, **more})

    def _query(self, soql: str) -> Any:
        return self.vendor.people.act({"op": "query", "soql": soql})

    def _product(self, values: Mapping[str, Any]) -> str:
        """A product with its standard price, which any other price comes after."""
        made = str(self._act("create", "Product2", values=values))
        price = {"Pricebook2Id": self._book, "Product2Id": made, "UnitPrice": 9.99, "IsActive": True}
        self._act("create", "PricebookEntry", values=price)
        return made

    async def make(self, shape: Shape, fields: Fields, links: Mapping[str, Link]) -> str:
        write = shape.create(self.number(), fields, links)
        values = {path: value for path, value in write.values.items() if value is not None}
        values |= {one.path: one.external_id for one in write.relations}
        if shape.name in ("Contact", "Order"):
            values["AccountId"] = self._account
        if shape.name == "Order":
            values["Pricebook2Id"] = self._book
        return (
            self._product(values) if shape.name == "Product2" else str(self._act("create", shape.name, values=values))
        )

    async def edit(self, shape: Shape, external_id: str, fields: Fields) -> None:
        self._act("edit", shape.name, id=external_id, values=shape.raw(fields))

    async def remove(self, shape: Shape, external_id: str) -> None:
        self._act("delete", shape.name, id=external_id)

    async def restore(self, shape: Shape, external_id: str) -> None:
        self._act("undelete", shape.name, id=external_id)

    async def merge(self, shape: Shape, survivor: str, absorbed: str) -> str:
        return str(self._act("merge", shape.name, id=survivor, others=[absorbed]))

    async def drop_field(self, shape: Shape) -> str:
        path = str(DROPPED[shape.name]["name"])
        self._act("delete_field", shape.name, name=path)
        return path

    async def regain_field(self, shape: Shape, path: str) -> None:
        self._act("create_field", shape.name, field=DROPPED[shape.name])
        await self.clock.advance(AGAIN_SECONDS)

    def expire_token(self) -> None:
        self.vendor.people.act({"op": "expire_tokens"})

    def living(self, shape: Shape, key: str) -> int:
        if not shape.mapping.key_path:
            return 0
        return len(self._query(f"SELECT Id FROM {shape.name} WHERE {KEY} = '{key}'"))


BENCH = SalesforceBench
