"""What else was always there beside customers: business units with their associates, and orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from syncd.sandbox.commercetools.collection import Row, instant_of
from syncd.sandbox.commercetools.orders import ORDERS
from syncd.sandbox.commercetools.project import Actor
from syncd.sandbox.commercetools.shapes import check
from syncd.sandbox.lazy import Base
from syncd.sandbox.world.bases import FirmsBase
from syncd.sandbox.world.dice import mix
from syncd.sandbox.world.world import World

if TYPE_CHECKING:
    from syncd.sandbox.commercetools.account import CommercetoolsSandbox
    from syncd.sandbox.commercetools.inhabitants import Customers

BUYER = "buyer"
"""Key of the associate role that everybody has."""
_ID_BITS = 48
_EVERY = 3
"""Of so many customers one has an order."""
_ACTOR = Actor("shop-frontend").tracked()


class Uuids:
    """Ids that look random and ascend with the rank all the same."""

    def __init__(self, seed: int, size: int) -> None:
        self._seed, self._size = seed, size
        self._stride = (1 << _ID_BITS) // max(size, 1)

    def at(self, rank: int) -> str:
        low = mix(self._seed, rank, 31)
        head = rank * self._stride + low % self._stride
        tail = f"{mix(self._seed, rank, 32):016x}"
        text = f"{head:012x}"
        return f"{text[:8]}-{text[8:]}-4{tail[:3]}-a{tail[1:4]}-{tail[4:]}"

    def rank_of(self, id_: str) -> int | None:
        try:
            rank = int(id_[:8] + id_[9:13], 16) // self._stride
        except ValueError:
            return None
        return rank if 0 <= rank < self._size and self.at(rank) == id_ else None


def _head(base: Base[str, Row], rank: int, version: int) -> Row:
    return {
        "id": base.id_at(rank), "version": version, "createdAt": instant_of(base.born_ms(rank)),
        "lastModifiedAt": instant_of(base.changed_ms(rank)), "lastModifiedBy": _ACTOR, "createdBy": _ACTOR,
    }  # fmt: skip


class Units(FirmsBase[str, Row]):
    """Rows of ``business-units``. A part of a company that is known here is a division; everything else a company."""

    def __init__(self, world: World, people: Customers) -> None:
        super().__init__(world, "commercetools")
        self._people, self._ids = people, Uuids(world.seed + 1, self.size)

    def id_at(self, rank: int) -> str:
        return self._ids.at(rank)

    def rank_of(self, id: str) -> int | None:  # noqa: A002
        return self._ids.rank_of(id)

    def find(self, path: str, value: Any) -> Iterable[int]:
        number = str(value).removeprefix("unit-")
        rank = self.first_of(int(number)) if value == f"unit-{number}" and number.isdecimal() else None
        match path:
            case "key" if rank is not None:
                return (rank,)
            case "parentUnit.key" if rank is not None:
                return (one for one in self.parts_of(rank) if self._above(self.roster.at(one).member) is not None)
        return ()

    def _above(self, number: int) -> int | None:
        """The company it is a division of, if that is known here."""
        company = self.world.company(number)
        known = company.division and self.first_of(company.parent) is not None
        return company.parent if known else None

    def make(self, rank: int) -> Row:
        number = self.roster.at(rank).member
        company, above = self.world.company(number), self._above(number)
        where, key = company.address, f"unit-{number}"
        office: Row = {
            "id": f"{mix(self.world.seed, number, 36) >> 24:010x}", "key": "office", "streetName": where.street,
            "postalCode": where.postal_code, "city": where.town, "country": where.country, "company": company.name,
        }  # fmt: skip
        row = _head(self, rank, 1 + number % 4) | {
            "key": key, "status": "Active", "name": company.name, "contactEmail": f"office@{company.domain}",
            "addresses": [office], "shippingAddressIds": [office["id"]], "billingAddressIds": [office["id"]],
            "defaultShippingAddressId": office["id"], "customerGroupAssignments": [],
            "associates": self._associates(number),
        }  # fmt: skip
        if above is None:
            modes = dict.fromkeys(("storeMode", "associateMode", "approvalRuleMode"), "Explicit")
            top = {"topLevelUnit": {"typeId": "business-unit", "key": key}}
            return {**row, "unitType": "Company", **modes, "stores": [], **top}
        parent = {"typeId": "business-unit", "key": f"unit-{above}"}
        return row | {
            "unitType": "Division", "storeMode": "FromParent", "associateMode": "ExplicitAndFromParent",
            "approvalRuleMode": "ExplicitAndFromParent", "parentUnit": parent, "topLevelUnit": parent,
            "inheritedStores": [], "inheritedAssociates": [],
        }  # fmt: skip

    def _associates(self, number: int) -> list[Row]:
        role = {"associateRole": {"typeId": "associate-role", "key": BUYER}, "inheritance": "Disabled"}
        ranks = [rank for one in self.world.staff(number) for rank in self._people.of_person(one)]
        return [
            {"associateRoleAssignments": [role], "customer": {"typeId": "customer", "id": self._people.id_at(rank)}}
            for rank in ranks
        ]


class Orders(Base[str, Row]):
    """Rows of ``orders``: every third customer has bought once."""

    def __init__(self, people: Customers, patterns: Sequence[bytes]) -> None:
        """``patterns``: by product an order of one piece, to be filled in."""
        super().__init__(-(-people.size // _EVERY) if patterns else 0, people.world.seed + 4)
        self._people, self._patterns = people, patterns
        self._ids = Uuids(people.world.seed + 2, self.size)

    def id_at(self, rank: int) -> str:
        return self._ids.at(rank)

    def rank_of(self, id: str) -> int | None:  # noqa: A002
        return self._ids.rank_of(id)

    def find(self, path: str, value: Any) -> Iterable[int]:
        people: Iterable[int] = ()
        match path:
            case "orderNumber" if str(value)[:1] == "O":
                people = self._people.of_customer_number(f"C{value[1:]}")
            case "customerId":
                rank = self._people.rank_of(value)
                people = () if rank is None else (rank,)
            case "customerEmail":
                people = (one for one in self._people.of_email(value) if self._people.seen(one).email == value)
        return (rank // _EVERY for rank in people if rank % _EVERY == 0)

    def make(self, rank: int) -> Row:
        buyer, seed = rank * _EVERY, self._people.world.seed
        seen, dice = self._people.seen(buyer), mix(seed, rank, 37)
        product = dice % len(self._patterns)
        pieces = 1 + (dice >> 16) % 20
        row: Row = _head(self, rank, 1 + dice % 5) | orjson.loads(self._patterns[product])
        cents = self._people.world.product(product).cents_for(seen.person.tier, pieces)
        line = row["lineItems"][0]
        line |= {"id": f"{self.id_at(rank)[:-12]}{dice & 0xFFFFFFFFFFFF:012x}", "quantity": pieces}
        line["price"]["value"]["centAmount"] = cents
        line["state"][0]["quantity"] = pieces
        line["totalPrice"]["centAmount"] = row["totalPrice"]["centAmount"] = cents * pieces
        row |= {
            "orderNumber": f"O{seen.person.customer_number[1:]}", "customerId": self._people.id_at(buyer),
            "customerEmail": seen.email, "orderState": ("Open", "Confirmed", "Complete")[dice % 3],
        }  # fmt: skip
        return row


def patterns(account: CommercetoolsSandbox, world: World) -> list[bytes]:
    """What the platform makes of an import of one piece of each product."""
    made = []
    for number in range(world.products):
        product = world.product(number)
        price: Mapping[str, Any] = {"currencyCode": "EUR", "centAmount": product.cents}
        line = {"name": {"en": product.name}, "variant": {"sku": product.sku}, "quantity": 1, "price": {"value": price}}
        draft = check({"totalPrice": price, "lineItems": [line], "paymentState": "Paid"}, ORDERS.draft)
        made.append(orjson.dumps(ORDERS.build(account.project, draft)))
    return made
