"""The connector against the simulated project, over real HTTP on loopback."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.entity import Entity, FieldDefinition
from syncd.model.failure import Remedy
from syncd.model.mapping import decode, encode
from syncd.model.value import FieldType
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.commercetools import ApiClient, CommercetoolsSandbox, people, seed
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.system import CommercetoolsSystem
from syncd.systems.contract import Page, Severity, Snapshot, System, VendorError, Verdict, Write

from .support import CARTS, CUSTOMERS, FreePayer, settings

PROJECT = "demo-shop"
MONEY = {"amount": "42.00", "currency": "EUR"}
FULL = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Byron",
    "company": "Engines Ltd",
    "phone": "+49228123",
    "credit_limit": MONEY,
    "price_tier": "gold",
}
CUSTOMER = Entity(
    "customer",
    {
        item.field: FieldDefinition(item.field, FieldType.MONEY if item.field == "credit_limit" else FieldType.TEXT)
        for item in CUSTOMERS.fields
    },
)


@dataclass
class Shop:
    sandbox: Sandbox
    account: CommercetoolsSandbox
    clock: ManualClock
    systems: list[CommercetoolsSystem]

    async def connect(self, client: str = "syncd", secret: str = "syncd-secret", **changes: Any) -> System:
        url = self.sandbox.url("commercetools")
        given = settings(
            project_key=PROJECT,
            api_url=url,
            auth_url=url,
            client_id=Secret(client),
            client_secret=Secret(secret),
            **changes,
        )
        made = CommercetoolsSystem("shop", given, FreePayer(), World(self.clock, random.Random(3)))
        await made.open()
        self.systems.append(made)
        return made

    async def ready(self, **changes: Any) -> System:
        """A connection to a project that was provisioned and has customer groups."""
        made = await self.connect(**changes)
        await made.provision([CUSTOMERS], apply=True)
        seed(self.account, "customer-groups", [{"groupName": name.title(), "key": name} for name in ("gold", "silver")])
        return made

    def rows(self, path: str = "customers") -> list[Any]:
        return list(self.account.objects()[path])


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = ManualClock()
    sandbox = Sandbox(seed=5, clock=clock)
    clients = (
        ApiClient("syncd", "syncd-secret", (f"manage_project:{PROJECT}",)),
        ApiClient("viewer", "viewer-secret", (f"view_customers:{PROJECT}", f"view_orders:{PROJECT}")),
    )
    account = sandbox.add(CommercetoolsSandbox, clients=clients)
    async with sandbox:
        made = Shop(sandbox, account, clock, [])
        yield made
        for system in made.systems:
            await system.close()


def key(number: int = 1) -> str:
    return f"customer-{number:020x}"


def create(fields: dict[str, Any] = FULL, number: int = 1) -> Write:
    return Write(key(number), Action.CREATE, encode(CUSTOMERS, fields, fields))


def change(before: Snapshot, fields: dict[str, Any], number: int = 1) -> Write:
    """An update as the engine forms it: what is known is what the shadow tells."""
    known = encode(CUSTOMERS, decode(CUSTOMER, CUSTOMERS, before.data), [item.field for item in CUSTOMERS.writable()])
    values = encode(CUSTOMERS, fields, fields)
    return Write(key(number), Action.UPDATE, values, before.external_id, before.version, known)


async def one(system: System, write: Write) -> Verdict:
    (verdict,) = await system.write(CUSTOMERS, [write], Lane.LIVE)
    return verdict


async def applied(system: System, write: Write) -> Snapshot:
    verdict = await one(system, write)
    assert verdict.outcome is Outcome.APPLIED, verdict.failure
    assert verdict.snapshot is not None
    return verdict.snapshot


def remedy(verdict: Verdict) -> Remedy:
    assert verdict.failure is not None
    return verdict.failure.remedy


async def test_a_customer_is_created_read_changed_and_cleared_without_loss(shop: Shop) -> None:
    system = await shop.ready()
    made = await applied(system, create())
    assert {**decode(CUSTOMER, CUSTOMERS, made.data), "customer_number": None} == {**FULL, "customer_number": None}
    (row,) = shop.rows()
    assert (row["key"], row["authenticationMode"]) == (key(), "ExternalAuth")

    changed = await applied(system, change(made, {"first_name": "Augusta", "price_tier": "silver", "phone": "+1"}))
    assert int(changed.version) > int(made.version)
    cleared = await applied(system, change(changed, {"last_name": None, "phone": None, "price_tier": None}))
    told = decode(CUSTOMER, CUSTOMERS, cleared.data)
    assert (told["first_name"], told["last_name"], told["phone"], told["price_tier"]) == ("Augusta", None, None, None)
    assert told["credit_limit"] == MONEY

    read = await system.read(CUSTOMERS, [made.external_id, "00000000-0000-4000-8000-000000000000"], Lane.LIVE)
    assert read.found[made.external_id].data == cleared.data
    assert read.missing == {"00000000-0000-4000-8000-000000000000"}
    found = await system.find(CUSTOMERS, [key(), key(2)], Lane.LIVE)
    assert {name: snapshot.external_id for name, snapshot in found.items()} == {key(): made.external_id}


async def test_custom_fields_reach_a_customer_that_the_shop_registered_without_a_type(shop: Shop) -> None:
    system = await shop.ready()
    (identity,) = seed(shop.account, "customers", people(1))
    before = (await system.read(CUSTOMERS, [identity], Lane.LIVE)).found[identity]
    after = await applied(system, change(before, {"phone": "+1", "credit_limit": MONEY}))
    again = await applied(system, change(after, {"credit_limit": None}))
    assert decode(CUSTOMER, CUSTOMERS, again.data)["phone"] == "+1"
    assert decode(CUSTOMER, CUSTOMERS, again.data)["credit_limit"] is None


async def test_a_create_sent_twice_has_one_effect(shop: Shop) -> None:
    system = await shop.ready()
    first, second = await applied(system, create()), await applied(system, create())
    assert first.external_id == second.external_id
    assert first.version == second.version
    assert decode(CUSTOMER, CUSTOMERS, first.data) == decode(CUSTOMER, CUSTOMERS, second.data)
    changed = create({**FULL, "first_name": "Augusta"})
    verdict = await one(system, changed)
    assert (remedy(verdict), verdict.failure and verdict.failure.existing_id) == (Remedy.LINK, first.external_id)
    assert len(shop.rows()) == 1


async def test_the_shops_own_customer_with_that_email_is_named_whatever_its_case(shop: Shop) -> None:
    system = await shop.ready()
    (identity,) = seed(shop.account, "customers", [{**next(people(1)), "email": "ADA@example.com"}])
    verdict = await one(system, create({"email": "ada@example.com"}))
    if remedy(verdict) is Remedy.LINK:
        assert verdict.failure is not None
        assert verdict.failure.existing_id == identity
    else:
        # Where the vendor does not know the case-insensitive predicate, a human decides.
        assert remedy(verdict) is Remedy.ASK
    same_case = await one(system, create({"email": "ADA@example.com"}, 2))
    assert same_case.failure is not None
    assert same_case.failure.existing_id == identity


async def test_a_change_made_meanwhile_is_not_overwritten(shop: Shop) -> None:
    system = await shop.ready()
    made = await applied(system, create())
    await applied(system, change(made, {"first_name": "Theirs"}))
    assert remedy(await one(system, change(made, {"first_name": "Ours"}))) is Remedy.REREAD
    (row,) = shop.rows()
    assert row["firstName"] == "Theirs"


async def test_refusals_are_told_in_the_vendors_words(shop: Shop) -> None:
    system = await shop.ready()
    made = await applied(system, create())
    no_group = await one(system, change(made, {"price_tier": "platinum"}))
    assert no_group.failure is not None
    assert (no_group.failure.remedy, no_group.failure.code) == (Remedy.ASK, "ReferencedResourceNotFound")
    bad = await one(system, create({"email": "not an address"}, 9))
    assert remedy(bad) is Remedy.ASK
    gone = replace(change(made, {"first_name": "X"}), external_id="00000000-0000-4000-8000-000000000000")
    assert remedy(await one(system, gone)) is Remedy.GONE


async def test_a_token_that_ends_in_the_middle_of_a_run_is_not_noticed(shop: Shop) -> None:
    system = await shop.ready()
    seed(shop.account, "customers", people(30))
    small = await shop.connect(page_limit=10)
    page = await small.scan(CUSTOMERS, None, Lane.BULK)
    await shop.account.act({"op": "expire_tokens"})
    assert len((await small.scan(CUSTOMERS, page.cursor, Lane.BULK)).snapshots) == 10
    await shop.account.act({"op": "expire_tokens"})
    verdicts = await system.write(CUSTOMERS, [create({"email": f"{n}@x.org"}, n) for n in range(20)], Lane.LIVE)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.APPLIED}


@pytest.mark.parametrize(
    ("fault", "expected", "effects"),
    [
        ("throttle=1", {Remedy.RETRY}, 0),
        ("fail_before=1", {Remedy.LOOK, Remedy.RETRY}, 0),
        ("html=1", {Remedy.LOOK}, 0),
        ("fail_after=1", {Remedy.LOOK}, 1),
        ("drop_after=1", {Remedy.LOOK}, 1),
        ("truncate=1", {Remedy.LOOK}, 1),
    ],
)
async def test_a_write_whose_fate_is_unknown_is_looked_up_and_not_repeated(
    shop: Shop, fault: str, expected: set[Remedy], effects: int
) -> None:
    system = await shop.ready()
    made = await applied(system, create({"email": "old@x.org"}, 7))  # and the token is there
    shop.sandbox.set_faults(fault)
    created = await one(system, create())
    changed = await one(system, change(made, {"first_name": "New"}, 7))
    shop.sandbox.set_faults("none")
    assert {remedy(created), remedy(changed)} <= expected
    found = await system.find(CUSTOMERS, [key(), key(7)], Lane.LIVE)
    assert (key() in found) is bool(effects)
    assert (found[key(7)].data.get("firstName") == "New") is bool(effects)


async def test_an_outage_is_a_retry_for_everything(shop: Shop) -> None:
    system = await shop.ready()
    made = await applied(system, create())
    shop.sandbox.set_outage("commercetools", on=True)
    calls: list[Callable[[], Any]] = [
        lambda: system.read(CUSTOMERS, [made.external_id], Lane.LIVE),
        lambda: system.find(CUSTOMERS, [key()], Lane.LIVE),
        lambda: system.poll(CUSTOMERS, None, Lane.LIVE),
        lambda: system.scan(CUSTOMERS, None, Lane.LIVE),
    ]
    for call in calls:
        with pytest.raises(VendorError) as caught:
            await call()
        assert caught.value.failure.remedy is Remedy.RETRY
    assert remedy(await one(system, change(made, {"first_name": "X"}))) in {Remedy.RETRY, Remedy.LOOK}
    assert {finding.severity for finding in await system.check([CUSTOMERS])} >= {Severity.ERROR}


async def drain(system: System, cursor: str | None) -> tuple[list[Snapshot], str]:
    found: list[Snapshot] = []
    while True:
        page: Page = await system.poll(CUSTOMERS, cursor, Lane.SCHEDULED)
        found += page.snapshots
        cursor = page.cursor
        if not page.more:
            return found, cursor


async def test_a_poll_meets_thousands_of_equal_timestamps_across_small_pages(shop: Shop) -> None:
    system = await shop.connect(page_limit=200)
    _, cursor = await drain(system, None)
    seed(shop.account, "customers", people(2100), at_ms=shop.clock.now_ms())
    found, _ = await drain(system, cursor)
    assert len(found) == len({snapshot.external_id for snapshot in found}) == 2100


async def test_rows_with_stamps_in_the_past_are_met_by_the_overlap(shop: Shop) -> None:
    system = await shop.ready()
    await shop.account.act({"op": "late_ms", "ms": 8000})
    _, cursor = await drain(system, None)
    met: set[tuple[str, str]] = set()
    for number in range(40):
        await applied(system, create({"email": f"{number}@x.org"}, number))
        await shop.clock.advance(1)
        found, cursor = await drain(system, cursor)
        met |= {(snapshot.external_id, snapshot.version) for snapshot in found}
    assert {(row["id"], str(row["version"])) for row in shop.rows()} <= met


async def test_polled_customers_can_be_decoded_with_their_tier(shop: Shop) -> None:
    system = await shop.ready()
    _, cursor = await drain(system, None)
    await applied(system, create())
    found, _ = await drain(system, cursor)
    assert decode(CUSTOMER, CUSTOMERS, found[-1].data)["price_tier"] == "gold"


async def test_check_and_provision_tell_what_a_fresh_project_lacks_and_mend_it(shop: Shop) -> None:
    system = await shop.connect()
    before = {finding.code for finding in await system.check([CUSTOMERS, CARTS]) if finding.severity is not Severity.OK}
    assert before == {"type-missing", "group-missing"}
    await system.provision([CUSTOMERS, CARTS], apply=True)
    seed(shop.account, "customer-groups", [{"groupName": "Gold", "key": "gold"}])
    assert {finding.severity for finding in await system.check([CUSTOMERS, CARTS])} == {Severity.OK}
    assert list(await system.provision([CUSTOMERS, CARTS], apply=True)) == []


async def test_missing_scopes_are_found_by_the_check_and_stop_a_write(shop: Shop) -> None:
    system = await shop.connect("viewer", "viewer-secret")
    missing = [finding.subject for finding in await system.check([CUSTOMERS, CARTS]) if finding.code == "scope-missing"]
    assert missing == ["shop.customers", "shop.customer_groups", "shop.types"]
    assert remedy(await one(system, create({"email": "a@x.org"}))) is Remedy.STOP


async def test_wrong_credentials_and_a_wrong_project_are_told_apart(shop: Shop) -> None:
    (refused,) = await (await shop.connect("syncd", "guess")).check([CUSTOMERS])
    assert refused.code == "credential-refused"
    with pytest.raises(VendorError) as caught:
        await (await shop.connect("syncd", "guess")).poll(CUSTOMERS, None, Lane.LIVE)
    assert caught.value.failure.remedy is Remedy.STOP
    url = shop.sandbox.url("commercetools")
    given = settings(
        project_key="other", api_url=url, auth_url=url, client_id=Secret("syncd"), client_secret=Secret("syncd-secret")
    )
    other = CommercetoolsSystem("shop", given, FreePayer(), World(shop.clock, random.Random(3)))
    shop.systems.append(other)
    await other.open()
    assert "project-mismatch" in {finding.code for finding in await other.check([CUSTOMERS])}
    with pytest.raises(VendorError) as caught:
        await other.scan(CUSTOMERS, None, Lane.LIVE)
    assert caught.value.failure.remedy is Remedy.STOP


async def settle(system: System, number: int, wanted: dict[str, Any]) -> Snapshot:
    """What the engine does, in small: look before acting, write what differs, until nothing does."""
    for _ in range(200):
        try:
            found = (await system.find(CUSTOMERS, [key(number)], Lane.LIVE)).get(key(number))
        except VendorError:
            continue
        if found is None:
            await one(system, create(wanted, number))
            continue
        told = decode(CUSTOMER, CUSTOMERS, found.data)
        differs = {name: value for name, value in wanted.items() if told[name] != value}
        if not differs:
            return found
        await one(system, change(found, differs, number))
    raise AssertionError("it does not settle")


async def test_in_a_storm_every_customer_ends_once_and_right(shop: Shop) -> None:
    system = await shop.ready()
    shop.sandbox.set_faults("storm,latency=0")
    wanted = {n: {**FULL, "email": f"c{n}@x.org", "first_name": f"N{n}"} for n in range(25)}
    for number, fields in wanted.items():
        await settle(system, number, fields)
        await settle(system, number, {**fields, "last_name": None, "price_tier": "silver"})
    shop.sandbox.set_faults("none")
    rows = {row["key"]: row for row in shop.rows()}
    assert len(shop.rows()) == len(rows) == 25
    assert all(rows[key(n)]["firstName"] == f"N{n}" and "lastName" not in rows[key(n)] for n in wanted)
