"""The world as this org knows it: accounts, contacts, products with their price books."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from syncd.sandbox.salesforce import seeding
from syncd.sandbox.salesforce.org import SELLER, Org
from syncd.sandbox.salesforce.records import AlwaysThere, RowBase
from syncd.sandbox.world.bases import FirmsBase, PeopleBase
from syncd.sandbox.world.roster import Fate
from syncd.sandbox.world.world import TIERS, World

if TYPE_CHECKING:
    from syncd.sandbox.salesforce.simulator import SalesforceSandbox


class _Numbered(RowBase):
    """Ids count on from the number that was kept free for them."""

    prefix = ""
    org: Org
    first: int
    owner: str

    def _count_from(self, org: Org) -> None:
        """``owner``: whose the rows are, and who made them."""
        self.org, self.first = org, org.ids.reserve(self.prefix, self.size)
        owner = org.user(SELLER)
        assert owner is not None
        self.owner = owner.id

    def id_at(self, rank: int) -> str:
        return self.org.ids.at(self.prefix, self.first + rank)

    def rank_of(self, id: str) -> int | None:  # noqa: A002
        rank = self.org.ids.number_of(self.prefix, id) - self.first
        return rank if 0 <= rank < self.size else None

    def make(self, rank: int) -> AlwaysThere:
        return AlwaysThere(self, rank, self.owner, deleted=self.is_deleted(rank))

    def is_deleted(self, rank: int) -> bool:  # noqa: ARG002
        return False


class Contacts(PeopleBase[str, AlwaysThere], _Numbered):
    prefix = "003"

    def __init__(self, world: World, org: Org, firms: Accounts) -> None:
        super().__init__(world, "salesforce")
        self._count_from(org)
        self._firms = firms
        self._numbered = "Customer_Number__c" in org.schema.kinds["Contact"].fields

    def live(self) -> int:
        return self.roster.live()

    def find(self, path: str, value: Any) -> Iterable[int]:
        match path:
            case "Email":
                return self.of_email(str(value))
            case "Customer_Number__c" if self._numbered:
                return self.of_customer_number(str(value).upper())
            case "AccountId":
                rank = self._firms.rank_of(str(value))
                return () if rank is None or self._firms.roster.at(rank).copy else self._of_account(rank)
            case "MasterRecordId":
                return ()  # those that have one are deleted
        return ()

    def _of_account(self, rank: int) -> Iterable[int]:
        return self.of_company(self._firms.roster.at(rank).member)

    def is_deleted(self, rank: int) -> bool:
        return self.roster.fate(rank) is Fate.DELETED

    def fill(self, rank: int) -> dict[str, Any]:
        seen = self.seen(rank)
        where = seen.address
        firm = self._firms.first_of(seen.company)
        held = {
            "LastName": seen.last, "FirstName": seen.first, "Email": seen.email, "Phone": seen.phone or None,
            "MailingStreet": where.street, "MailingCity": where.town, "MailingPostalCode": where.postal_code,
            "MailingCountry": where.country, "AccountId": None if firm is None else self._firms.id_at(firm),
            "OwnerId": self.owner, "Title": None if seen.company is None else "Buyer", "HasOptedOutOfEmail": False,
            "DoNotCall": False,
        }  # fmt: skip
        if seen.copy and seen.fate is Fate.DELETED:
            held["MasterRecordId"] = self.id_at(self.roster.ranks(seen.person.number)[0])
        if self._numbered and not seen.copy:
            held["Customer_Number__c"] = seen.person.customer_number
        return {name: value for name, value in held.items() if value is not None}


class Accounts(FirmsBase[str, AlwaysThere], _Numbered):
    prefix = "001"

    def __init__(self, world: World, org: Org) -> None:
        super().__init__(world, "salesforce")
        self._count_from(org)

    def live(self) -> int:
        return self.size

    def find(self, path: str, value: Any) -> Iterable[int]:
        rank = self.rank_of(str(value)) if path == "ParentId" else None
        return () if rank is None else self.parts_of(rank)

    def fill(self, rank: int) -> dict[str, Any]:
        known = self.roster.at(rank)
        company = self.world.company(known.member)
        where, parent = company.address, self.first_of(company.parent)
        held = {
            "Name": company.name.upper() if known.copy else company.name, "Phone": company.phone,
            "Website": f"https://{company.domain}", "Industry": company.industry,
            "NumberOfEmployees": company.employees, "BillingStreet": where.street, "BillingCity": where.town,
            "BillingPostalCode": where.postal_code, "BillingCountry": where.country, "OwnerId": self.owner,
            "ParentId": None if parent is None else self.id_at(parent),
        }  # fmt: skip
        return {name: value for name, value in held.items() if value is not None}


def populate(sandbox: SalesforceSandbox, world: World) -> None:
    """Only into an org without accounts and contacts. Nothing goes to the ledger or the event bus."""
    org = sandbox.org
    firms = Accounts(world, org)
    org.tables["Account"].settle(firms)
    sandbox.inhabitants = people = Contacts(world, org, firms)
    org.tables["Contact"].settle(people)
    products = [world.product(number) for number in range(world.products)]
    ids = seeding.seed(
        org, "Product2",
        ({"Name": one.name, "ProductCode": one.sku, "StockKeepingUnit": one.sku, "IsActive": True} for one in products),
    )  # fmt: skip
    standard = org.first("Pricebook2", "IsStandard", True)
    assert standard is not None
    books = {tier: seeding.seed(org, "Pricebook2", [{"Name": f"{tier.title()} prices", "IsActive": True}])[0]
             for tier in TIERS[1:]}  # fmt: skip
    for tier, book in {TIERS[0]: standard.id, **books}.items():
        seeding.seed(
            org, "PricebookEntry",
            ({"Pricebook2Id": book, "Product2Id": id_, "UnitPrice": one.cents_for(tier) / 100, "IsActive": True,
              "UseStandardPrice": False} for id_, one in zip(ids, products, strict=True)),
        )  # fmt: skip
