"""One store: its tables, its clock, what it tells of its effects."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Protocol

from syncd.runtime.clock import Clock
from syncd.sandbox.bigcommerce.table import Row, Table

Tell = Callable[[str, Mapping[str, Any]], None]
"""A webhook event: its scope and its ``data``."""


class Note(Protocol):
    """Puts an effect into the ledger: what, the kind, the row, its values, who."""

    def __call__(
        self, effect: str, kind: str, row: Mapping[str, Any], values: Mapping[str, Any], actor: str
    ) -> None: ...


@dataclass(slots=True)
class StoreSettings:
    hash: str = "abc123"
    store_id: int = 1_025_646
    name: str = "Sandbox Supplies"
    currency: str = "USD"
    plan: str = "Pro"
    max_groups: int = 10_000
    strict_prices: bool = False
    """A batch of price records with a bad one is refused whole; else the good ones are stored."""
    abandon_seconds: float = 3600.0
    """How long a cart lies idle until the store calls it abandoned."""
    lax_destinations: bool = True
    """Take webhook destinations on loopback, without https and with any port."""
    independent_companies: bool = True
    """A customer group may serve many companies. ``False``: each company has a group of its own."""
    b2b_credit: bool = True
    """The credit feature of B2B Edition is switched on."""


@dataclass(slots=True)
class Store:
    settings: StoreSettings
    clock: Clock
    dice: random.Random
    note: Note
    tell: Tell
    customers: Table = field(default_factory=lambda: Table(unique=("email",), grouped=("customer_group_id",)))
    addresses: Table = field(default_factory=lambda: Table(grouped=("customer_id",), stamp=""))
    attributes: Table = field(default_factory=lambda: Table(unique=("name",)))
    attribute_values: Table = field(default_factory=lambda: Table(grouped=("customer_id", "attribute_id")))
    groups: Table = field(default_factory=lambda: Table(unique=("name",)))
    orders: Table = field(default_factory=lambda: Table(grouped=("customer_id", "cart_id", "external_order_id")))
    carts: dict[str, Row] = field(default_factory=dict)
    cart_tokens: dict[str, str] = field(default_factory=dict)
    """Token of a recovery mail to cart id."""
    cart_settings: dict[int, Row] = field(default_factory=dict)
    """By channel; 0 is the store's own."""
    pricelists: Table = field(default_factory=lambda: Table(unique=("name",)))
    price_records: dict[int, dict[tuple[int, str], Row]] = field(default_factory=dict)
    assignments: Table = field(default_factory=lambda: Table(grouped=("price_list_id",), stamp=""))
    variants: dict[str, tuple[int, int]] = field(default_factory=dict)
    """SKU to product id and variant id."""
    products: Table = field(default_factory=lambda: Table(unique=("name", "sku")))
    metafields: Table = field(default_factory=lambda: Table(grouped=("place",)))
    channels: Table = field(default_factory=Table)
    hooks: Table = field(default_factory=lambda: Table(stamp=""))
    hook_emails: list[str] = field(default_factory=list)
    consents: dict[int, Row] = field(default_factory=dict)
    companies: Table = field(default_factory=lambda: Table(grouped=("parent",), stamp="updatedAt"))
    users: Table = field(default_factory=lambda: Table(unique=("email",), grouped=("companyId",), stamp="updatedAt"))
    roles: Table = field(default_factory=lambda: Table(stamp=""))
    permissions: Table = field(default_factory=lambda: Table(unique=("code",), stamp=""))
    company_addresses: Table = field(default_factory=lambda: Table(grouped=("companyId",), stamp="updatedAt"))
    extra_fields: dict[str, list[Row]] = field(default_factory=dict)
    """Definitions by kind: ``companies``, ``users``, ``addresses``, ``orders``."""
    b2b_orders: dict[int, Row] = field(default_factory=dict)
    """What B2B Edition knows of an order, by the store's order id."""
    _skus: dict[int, str] = field(default_factory=dict)

    def sku_of(self, variant: int) -> str:
        """Empty for a variant that does not exist."""
        if (
            len(self._skus) != len(self.variants)
            or self.variants.get(self._skus.get(variant, ""), (0, 0))[1] != variant
        ):
            self._skus = {number: sku for sku, (_, number) in self.variants.items()}
        return self._skus.get(variant, "")

    def now(self) -> str:
        return stamp(self.clock.now_ms())

    def unix(self) -> int:
        return self.clock.now_ms() // 1000

    def uuid(self) -> str:
        text = f"{self.dice.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def tables(self) -> Mapping[str, Table]:
        return {
            "customers": self.customers,
            "customer_addresses": self.addresses,
            "customer_attributes": self.attributes,
            "customer_attribute_values": self.attribute_values,
            "customer_groups": self.groups,
            "orders": self.orders,
            "products": self.products,
            "pricelists": self.pricelists,
            "pricelist_assignments": self.assignments,
            "metafields": self.metafields,
            "channels": self.channels,
            "hooks": self.hooks,
            "companies": self.companies,
            "users": self.users,
            "roles": self.roles,
            "company_addresses": self.company_addresses,
        }


def stamp(ms: int) -> str:
    """As V3 writes moments: whole seconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(iso: str) -> datetime:
    """Raises ``ValueError``."""
    found = datetime.fromisoformat(iso)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def rfc2822(iso: str) -> str:
    """As V2 writes moments: ``Tue, 20 Nov 2012 00:00:00 +0000``; empty for none."""
    return format_datetime(moment(iso)) if iso else ""
