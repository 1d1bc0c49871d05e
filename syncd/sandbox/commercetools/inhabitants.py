"""The world as this project knows it: customers that were always there, their groups, and the catalogue.

Business units and orders are in :mod:`~syncd.sandbox.commercetools.trade`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from syncd.sandbox.commercetools import seeding, trade
from syncd.sandbox.commercetools.collection import Row, instant_of
from syncd.sandbox.commercetools.project import Actor
from syncd.sandbox.world.bases import PeopleBase
from syncd.sandbox.world.dice import mix
from syncd.sandbox.world.world import TIERS, Product, World

if TYPE_CHECKING:
    from syncd.sandbox.commercetools.account import CommercetoolsSandbox


class Customers(PeopleBase[str, Row]):
    """Rows of ``customers``. ``groups``: the ids of the customer groups by tier."""

    def __init__(self, world: World, groups: Mapping[str, str]) -> None:
        super().__init__(world, "commercetools")
        self._ids = trade.Uuids(world.seed, self.size)
        self._groups = groups
        self._tiers = {id_: tier for tier, id_ in groups.items()}
        self._actor = Actor("shop-frontend").tracked()

    def id_at(self, rank: int) -> str:
        return self._ids.at(rank)

    def rank_of(self, id: str) -> int | None:  # noqa: A002
        return self._ids.rank_of(id)

    def find(self, path: str, value: Any) -> Iterable[int]:
        match path:
            case "email":
                return self.of_email(value)
            case "customerNumber":
                return self.of_customer_number(value)
            case "customerGroup.id" if value in self._tiers:
                return self.of_tier(self._tiers[value])
        return ()

    def make(self, rank: int) -> Row:
        seen = self.seen(rank)
        where, person = seen.address, seen.person
        home: Row = {
            "id": f"{mix(self.world.seed, rank, 33) >> 24:010x}", "key": "home", "firstName": seen.first,
            "lastName": seen.last, "streetName": where.street, "postalCode": where.postal_code, "city": where.town,
            "country": where.country,
        }  # fmt: skip
        row: Row = {
            "id": self.id_at(rank), "version": 1 + mix(self.world.seed, rank, 34) % 12,
            "createdAt": instant_of(self.born_ms(rank)), "lastModifiedAt": instant_of(self.changed_ms(rank)),
            "lastModifiedBy": self._actor, "createdBy": self._actor, "customerNumber": person.customer_number,
            "firstName": seen.first, "lastName": seen.last, "email": seen.email, "authenticationMode": "ExternalAuth",
            "isEmailVerified": False, "addresses": [home], "shippingAddressIds": [home["id"]],
            "billingAddressIds": [], "defaultShippingAddressId": home["id"], "customerGroupAssignments": [],
            "stores": [],
        }  # fmt: skip
        if seen.phone:
            home["phone"] = seen.phone
        if seen.company is not None:
            row["companyName"] = self.world.company(seen.company).name
        if person.tier in self._groups:
            row["customerGroup"] = {"typeId": "customer-group", "id": self._groups[person.tier]}
        return row


def _catalogue(product: Product, groups: Mapping[str, str]) -> dict[str, Any]:
    """The draft of a product: the list price, and the prices of groups."""
    listed = {"currencyCode": "EUR", "centAmount": product.cents}
    prices = [{"value": listed}]
    for tier, id_ in groups.items():
        held: dict[str, Any] = {"value": {"currencyCode": "EUR", "centAmount": product.cents_for(tier)}}
        prices.append({**held, "customerGroup": {"typeId": "customer-group", "id": id_}})
    return {
        "key": product.sku.lower(),
        "productType": {"typeId": "product-type", "key": "goods"},
        "name": {"en": product.name},
        "slug": {"en": product.sku.lower()},
        "masterVariant": {"sku": product.sku, "prices": prices},
        "publish": True,
    }


def populate(account: CommercetoolsSandbox, world: World) -> None:
    """Only into a project without customers, business units and orders. Nothing goes to the ledger."""
    drafts = [{"groupName": tier.title(), "key": tier} for tier in TIERS[1:]]
    ids = seeding.seed(account, "customer-groups", drafts)
    groups = dict(zip(TIERS[1:], ids, strict=True))
    seeding.seed(account, "product-types", [{"name": "Goods", "description": "What is sold", "key": "goods"}])
    products = map(world.product, range(world.products))
    seeding.seed(account, "products", (_catalogue(one, groups) for one in products))
    account.inhabitants = people = Customers(world, groups)
    seeding.seed(account, "associate-roles", [{"key": trade.BUYER, "buyerAssignable": True, "permissions": []}])
    units, orders = trade.Units(world, people), trade.Orders(people, trade.patterns(account, world))
    for path, base in (("customers", people), ("business-units", units), ("orders", orders)):
        account.project.collections[path].settle(base)
