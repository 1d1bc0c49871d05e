"""What a CRM of the demonstration is: how syncd is told of it, where it keeps what, and how its people prepare it.

Everything else of the demonstration speaks the names of the standard entities, and is the same for every CRM.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Final

from syncd.demo.door import SandboxAdmin
from syncd.sandbox.hubspot.tokens import DEFAULT_TOKEN
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET

_WEBHOOK_SECRET: Final = "demo-app-client-secret"  # noqa: S105 - of an app that exists on loopback only
_TIERS: Final = ["bronze", "silver", "gold"]
EXTRA: Final = "loyalty_tier"
"""The customer's field that the shop added; an admin of the CRM tidies it away, and puts it back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the CRM in the names of the standard entities."""

    id: str
    values: dict[str, str]
    """Texts; empty where the CRM has nothing."""
    contacts: tuple[str, ...] = ()
    """Ids of the contacts it belongs to."""
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """One object of the CRM: where a dumped row keeps what, as member names with dots between."""

    object: str
    title: str
    """The field whose value tells one of them from the others, in the CRM and in its ledger."""
    fields: Mapping[str, str]
    """By the standard entity's name; those that are not named are not looked at."""
    contacts: str = ""
    items: str = ""

    def property(self, name: str) -> str:
        """The CRM's own name of a field."""
        return self.fields[name].rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Crm:
    """One description per CRM; :data:`CRMS` has them all."""

    vendor: str
    """The word of the simulated vendor and of the connection's ``system``."""
    title: str
    section: str
    """Its part of the configuration, with ``$names`` for what is known when the stage stands."""
    secrets: Mapping[str, str]
    prepare: Callable[[SandboxAdmin, str], Awaitable[Mapping[str, str]]]
    """What its admin does before syncd comes, given the intake's address; answers further ``$names``."""
    id: str
    """The member that holds a dumped row's id."""
    gone: str
    """The member that marks a dumped row as deleted."""
    throttled: str
    """The status of replies that say: asked too much."""
    contacts: Shelf
    deals: Shelf
    orders: Shelf
    items: Shelf | None
    """Line items of deals, where carts have any there."""
    stages: Mapping[str, str]
    """The entity's word for a deal's stage, by the CRM's."""
    guests: bool
    """Whether somebody known by e-mail only can be a contact."""
    pipeline: str = ""

    def entries(self, shelf: Shelf | None, rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
        """Dumped rows of a shelf that are not deleted."""
        if shelf is None:
            return []
        return [self._entry(shelf, row) for row in rows if not row[self.gone]]

    def _entry(self, shelf: Shelf, row: Mapping[str, Any]) -> Entry:
        values = {name: _text(_at(row, path)) for name, path in shelf.fields.items()}
        if shelf is self.deals:
            values["stage"] = self.stages.get(values["stage"], values["stage"])
        return Entry(str(row[self.id]), values, _ids(row, shelf.contacts), _ids(row, shelf.items))

    @property
    def titles(self) -> dict[str, str]:
        """The property by which the ledger's effects are known, by object."""
        return {one.object: one.property(one.title) for one in (self.contacts, self.deals, self.orders)}

    async def edit(self, admin: SandboxAdmin, shelf: Shelf, id_: str, values: Mapping[str, str]) -> None:
        """A sales person's hand."""
        own = {shelf.property(name): value for name, value in values.items()}
        await admin.act(self.vendor, op="edit", object=shelf.object, id=id_, values=own)

    async def tidy(self, admin: SandboxAdmin, *, away: bool) -> None:
        """An admin removes the property of the shop's added field, or puts it back."""
        op = "drop_field" if away else "restore_field"
        await admin.act(self.vendor, op=op, object=self.contacts.object, name=self.contacts.property(EXTRA))

    def configured(self, names: Mapping[str, str]) -> str:
        return Template(self.section).substitute(names)


def _at(row: Mapping[str, Any], path: str) -> Any:
    here: Any = row
    for name in path.split("."):
        here = here.get(name) if isinstance(here, Mapping) else None
    return here


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _ids(row: Mapping[str, Any], path: str) -> tuple[str, ...]:
    found = _at(row, path) if path else None
    return tuple(map(str, found if isinstance(found, list) else [found] if found else ()))


# --- HubSpot ---------------------------------------------------------------------------------------------------------

_SUBSCRIPTIONS: Final = [
    "contact.creation", "contact.deletion", "contact.merge", "contact.privacyDeletion", "deal.deletion", "deal.merge",
    *(f"contact.propertyChange:{name}" for name in
      ("email", "firstname", "lastname", "phone", "company", "credit_limit", "price_tier")),
    "deal.propertyChange:description",
]  # fmt: skip


async def _prepare_hubspot(admin: SandboxAdmin, intake: str) -> Mapping[str, str]:
    settings = {
        "target_url": f"{intake}/v1/webhooks/crm", "client_secret": _WEBHOOK_SECRET, "time_scale": 0.0005,
        "subscriptions": _SUBSCRIPTIONS,
    }  # fmt: skip
    await admin.act("hubspot", op="webhooks", settings=settings)
    return {}


def _properties(**names: str) -> dict[str, str]:
    return {name: f"properties.{own}" for name, own in names.items()}


HUBSPOT: Final = Crm(
    vendor="hubspot",
    title="HubSpot",
    section="""\
[connections.crm]
system = "hubspot"
base_url = "$hubspot"
company_currency = "EUR"
webhook_url = "$intake/v1/webhooks/crm"

[[mappings]]
connection = "crm"
object = "contacts"
fields.loyalty_tier = "loyalty_tier"
capture = { webhook = true, poll = "5s", overlap = "15s", hydrate = true }

[[mappings]]
connection = "crm"
object = "deals"
capture = { webhook = true, poll = "5s", overlap = "15s", hydrate = false }
""",
    secrets={"crm.access_token": DEFAULT_TOKEN, "crm.client_secret": _WEBHOOK_SECRET},
    prepare=_prepare_hubspot,
    id="id",
    gone="archived",
    throttled="429",
    contacts=Shelf(
        "contacts", "email", _properties(
            email="email", first_name="firstname", last_name="lastname", company="company", phone="phone",
            customer_number="customer_number", credit_limit="credit_limit", price_tier="price_tier",
            loyalty_tier="loyalty_tier",
        ),
    ),
    deals=Shelf(
        "deals", "name", _properties(
            name="dealname", stage="dealstage", pipeline="pipeline", total="amount", key="syncd_external_id",
            sales_note="description",
        ), "associations.contacts", "associations.line_items",
    ),
    orders=Shelf(
        "orders", "number", _properties(number="hs_order_name", total="hs_total_price"), "associations.contacts",
    ),
    items=Shelf(
        "line_items", "key", _properties(name="name", quantity="quantity", price="price", key="syncd_external_id"),
    ),
    stages={"abandoned_checkout": "abandoned", "won": "ordered", "lost": "emptied"},
    guests=True,
    pipeline="ecommerce_pipeline",
)  # fmt: skip

# --- Salesforce ------------------------------------------------------------------------------------------------------

_KEY: Final = "syncd_External_Id__c"


async def _prepare_salesforce(admin: SandboxAdmin, _intake: str) -> Mapping[str, str]:
    """The custom fields of the standard mappings are the org's to deploy; orders need an account to stand on."""
    text = {"type": "text", "length": 255}
    key = {"name": _KEY, "unique": True, "externalId": True, "caseSensitive": True, **text}
    for object_ in ("Contact", "Opportunity", "Order"):
        await admin.act("salesforce", op="create_field", object=object_, field=key)
    await admin.act("salesforce", op="create_field", object="Contact", field={"name": "Loyalty_Tier__c", **text})
    await admin.act(
        "salesforce", op="set_choices", object="Contact", name="Pricing_Tier__c", values=_TIERS, restricted=True
    )
    # Stages are an open list there; this org's admin allows no others than its own.
    await admin.act(
        "salesforce", op="validation_rule", object="Opportunity", field="StageName", value="frozen",
        message="Choose one of our stages",
    )  # fmt: skip
    account = await admin.act("salesforce", op="create", object="Account", values={"Name": "Shop customers"})
    return {"account": account}


SALESFORCE: Final = Crm(
    vendor="salesforce",
    title="Salesforce",
    section=f"""\
[connections.crm]
system = "salesforce"
login_url = "$salesforce"
pubsub_url = "http://$salesforce_pubsub"
client_id = "{CLIENT_ID}"
company_currency = "EUR"

[[mappings]]
connection = "crm"
object = "Contact"
fields.company = false                  # the account's name there, and these contacts have no account
fields.loyalty_tier = "Loyalty_Tier__c"
capture = {{ stream = true, poll = "5s", overlap = "15s", hydrate = true }}

[[mappings]]
connection = "crm"
object = "Opportunity"
capture = {{ stream = true, poll = "5s", overlap = "15s", hydrate = false }}

[[mappings]]
connection = "crm"
object = "Order"
enabled = true
constants = {{ Status = "Draft", AccountId = "$account" }}
children.items = false
capture = {{ poll = "15s", overlap = "15s", hydrate = false }}
""",
    secrets={"crm.client_secret": CLIENT_SECRET},
    prepare=_prepare_salesforce,
    id="Id",
    gone="IsDeleted",
    throttled="403",
    contacts=Shelf(
        "Contact", "email", {
            "email": "Email", "first_name": "FirstName", "last_name": "LastName", "phone": "Phone",
            "customer_number": "Customer_Number__c", "credit_limit": "Credit_Limit__c",
            "price_tier": "Pricing_Tier__c", EXTRA: "Loyalty_Tier__c",
        },
    ),
    deals=Shelf(
        "Opportunity", "name", {
            "name": "Name", "stage": "StageName", "total": "Amount", "key": _KEY, "sales_note": "Description",
        }, "ContactId",
    ),
    orders=Shelf("Order", "number", {"number": "OrderReferenceNumber"}, "BillToContactId"),
    items=None,
    stages={"Prospecting": "abandoned", "Closed Won": "ordered", "Closed Lost": "emptied"},
    guests=False,
)  # fmt: skip

CRMS: Final[Mapping[str, Crm]] = {one.vendor: one for one in (HUBSPOT, SALESFORCE)}
