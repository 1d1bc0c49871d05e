"""What can be done with each kind of object of a store, and how its changes come to be known. A table, no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from syncd.model.delivery import Action

_ALL: Final = frozenset({Action.CREATE, Action.UPDATE, Action.DELETE})


@dataclass(frozen=True, slots=True)
class Kind:
    scope: str
    """The account's right to it, as the vendor's control panel names it."""
    actions: frozenset[Action] = _ALL
    keyed: bool = False
    """There is room for our record id, or e-mail addresses are unique."""
    scans: bool = True
    polls: bool = True
    hooks: tuple[str, ...] = ()
    """Scopes of webhooks to subscribe to; none: nothing is pushed."""
    deletions_told: bool = True
    """By those webhooks."""
    metafields: str = ""
    """The path below which metafields of all such objects are listed; empty: they have none."""
    metafield_hooks: tuple[str, ...] = ()
    """Further scopes where metafields are mapped."""
    b2b: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "customers": Kind(
        "Customers", keyed=True, hooks=("store/customer/*",), metafields="customers",
        metafield_hooks=("store/metafield/*",),
    ),
    "customer_addresses": Kind("Customers", polls=False, hooks=("store/customer/*",)),
    "customer_groups": Kind("Customers"),
    # Carts have no list, so a scan has nothing to walk; their poll walks the orders that carts became.
    "carts": Kind(
        "Carts", frozenset({Action.UPDATE, Action.DELETE}), scans=False, hooks=("store/cart/*",), metafields="carts"
    ),
    "orders": Kind(
        "Orders", frozenset({Action.UPDATE, Action.DELETE}), hooks=("store/order/*",), metafields="orders"
    ),
    "products": Kind(
        "Products", frozenset({Action.UPDATE, Action.DELETE}), hooks=("store/product/*",),
        metafields="catalog/products",
    ),
    "channels": Kind(
        "Channel settings", frozenset({Action.CREATE, Action.UPDATE}), keyed=True,
        hooks=("store/channel/created", "store/channel/updated"), deletions_told=False, metafields="channels",
        metafield_hooks=("store/channel/metafield/*",),
    ),
    "price_lists": Kind("Products", hooks=("store/priceList/*", "store/priceLists/deleted")),
    "price_records": Kind("Products", hooks=("store/priceList/record/*", "store/priceList/records/*")),
    "price_list_assignments": Kind(
        "Products", frozenset({Action.CREATE, Action.DELETE}), hooks=("store/priceList/assignment/*",)
    ),
    "companies": Kind("B2B Edition", keyed=True, hooks=("store/company/*",), b2b=True),
    "users": Kind("B2B Edition", keyed=True, hooks=("store/company/*",), b2b=True),
    "company_addresses": Kind("B2B Edition", keyed=True, hooks=("store/company/*",), b2b=True),
    "roles": Kind("B2B Edition", b2b=True),
}  # fmt: skip
OBJECTS: Final = tuple(KINDS)
