"""Very many new records through the simulated Import API."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.model.mapping import encode
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.commercetools import ApiClient, CommercetoolsSandbox, seed
from syncd.sandbox.http import reply_json
from syncd.sandbox.server import Sandbox
from syncd.systems.commercetools.import_form import KINDS, choose, imported
from syncd.systems.commercetools.system import CommercetoolsSystem
from syncd.systems.commercetools.values import UnwritableError
from syncd.systems.contract import Job, Verdict, Write

from . import support
from .support import CARTS, CUSTOMERS, FreePayer

PROJECT = "demo-shop"
Result = TypeVar("Result")


class Book:
    def __init__(self) -> None:
        self.begun_jobs: list[Job] = []
        self.ended_jobs: list[Job] = []

    async def begun(self, job: Job) -> None:
        self.begun_jobs.append(job)

    async def ended(self, job: Job) -> None:
        self.ended_jobs.append(job)


class Shop:
    def __init__(self, sandbox: Sandbox, account: CommercetoolsSandbox, clock: ManualClock) -> None:
        self.sandbox = sandbox
        self.account = account
        self.clock = clock
        self.book = Book()
        self.systems: list[CommercetoolsSystem] = []

    async def connected(self, client: str = "syncd", dice: int = 3) -> CommercetoolsSystem:
        url = self.sandbox.url("commercetools")
        given = support.settings(
            project_key=PROJECT, api_url=url, auth_url=url, import_url=f"{url}/import", client_id=Secret(client),
            client_secret=Secret("s"),
        )  # fmt: skip
        made = CommercetoolsSystem("shop", given, FreePayer(), World(self.clock, random.Random(dice)), jobs=self.book)
        await made.open()
        self.systems.append(made)
        return made

    async def while_time_goes_on(self, work: Awaitable[Result]) -> Result:
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait({task}, timeout=0.002)
            await self.clock.advance(1.0)
        return task.result()

    async def write(self, system: CommercetoolsSystem, writes: list[Write]) -> dict[str, Verdict]:
        verdicts = await self.while_time_goes_on(system.write(CUSTOMERS, writes, Lane.BULK))
        assert len(verdicts) == len(writes)
        return {one.key: one for one in verdicts}

    def rows(self) -> dict[str, Any]:
        return {row["key"]: row for row in self.account.objects()["customers"] if "key" in row}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = ManualClock()
    sandbox = Sandbox(seed=5, clock=clock)
    clients = (
        ApiClient("syncd", "s", (f"manage_project:{PROJECT}", f"manage_import_containers:{PROJECT}")),
        ApiClient("plain", "s", (f"manage_customers:{PROJECT}", f"view_customer_groups:{PROJECT}")),
    )
    account = sandbox.add(CommercetoolsSandbox, clients=clients)
    async with sandbox:
        made = Shop(sandbox, account, clock)
        system = await made.connected()
        await system.provision([CUSTOMERS], apply=True)
        seed(account, "customer-groups", [{"groupName": "Gold", "key": "gold"}])
        yield made
        for one in made.systems:
            await one.close()


def key(number: int) -> str:
    return f"customer-{number:020x}"


def create(number: int, **changes: Any) -> Write:
    fields = {
        "email": f"p{number}@example.com", "first_name": "Ada", "last_name": f"Byron {number}", "phone": "+49228123",
        "credit_limit": {"amount": "42.00", "currency": "EUR"}, "price_tier": "gold", **changes,
    }  # fmt: skip
    return Write(key(number), Action.CREATE, encode(CUSTOMERS, fields, fields))


async def test_many_new_records_are_imported_each_with_its_verdict_and_a_hundredth_of_the_calls(shop: Shop) -> None:
    system = await shop.connected()
    taken = {"email": "p3@example.com", "authenticationMode": "ExternalAuth"}
    (holder,) = seed(shop.account, "customers", [taken])
    seed(shop.account, "customers", [{"email": "p4@example.com", "authenticationMode": "ExternalAuth", "key": key(4)}])
    writes = [create(n) for n in range(110)]
    writes[7] = create(7, price_tier="platinum")
    writes[8] = create(8, email="no address")
    before = shop.account.requests
    verdicts = await shop.write(system, writes)
    assert shop.account.requests - before < 40
    good = [one for one in verdicts.values() if one.outcome is Outcome.APPLIED]
    assert len(good) == 106
    rows = shop.rows()
    assert {one.external_id for one in good} == {rows[one.key]["id"] for one in good}
    row = rows[key(0)]
    assert (row["authenticationMode"], row["custom"]["fields"]["phone"]) == ("ExternalAuth", "+49228123")
    assert row["createdBy"]["attributedTo"]["source"] == "Import"
    assert verdicts[key(0)].snapshot is not None
    assert verdicts[key(0)].snapshot.data["customerGroup"]["obj"]["key"] == "gold"
    # Whose e-mail it is, is told by the create that follows; an earlier create of our own is found by its key.
    assert (remedy(verdicts[key(3)]), failure(verdicts[key(3)]).existing_id) == (Remedy.LINK, holder)
    assert remedy(verdicts[key(4)]) is Remedy.LINK
    assert (remedy(verdicts[key(7)]), failure(verdicts[key(7)]).code) == (Remedy.RETRY, "reference-unresolved")
    assert "customer-group platinum" in failure(verdicts[key(7)]).message
    assert remedy(verdicts[key(8)]) is Remedy.ASK
    assert [one.id for one in shop.book.begun_jobs] == [one.id for one in shop.book.ended_jobs]
    assert len(shop.book.begun_jobs[0].keys) == 109
    assert not shop.account.imports.containers


def failure(verdict: Verdict) -> Any:
    assert verdict.failure is not None
    return verdict.failure


def remedy(verdict: Verdict) -> Remedy:
    return Remedy(failure(verdict).remedy)


async def test_few_records_urgent_ones_and_updates_are_not_imported(shop: Shop) -> None:
    system = await shop.connected()
    assert len(await shop.write(system, [create(n) for n in range(5)])) == 5
    live = await system.write(CUSTOMERS, [create(n) for n in range(100, 160)], Lane.LIVE)
    assert {one.outcome for one in live} == {Outcome.APPLIED}
    updates = [
        Write(one.key, Action.UPDATE, {"firstName": "Eve"}, one.external_id, one.snapshot.version, {"firstName": "Ada"})
        for one in live
        if one.snapshot
    ]
    assert {one.outcome for one in (await shop.write(system, updates)).values()} == {Outcome.APPLIED}
    assert not shop.book.begun_jobs
    assert (system.abilities("customers").bulk, system.abilities("carts").bulk) == (True, False)
    assert system.capabilities.bulk_batch > system.capabilities.write_batch


async def test_without_the_scope_everything_is_created_one_by_one(shop: Shop) -> None:
    system = await shop.connected("plain")
    verdicts = await shop.write(system, [create(n) for n in range(60)])
    assert {one.outcome for one in verdicts.values()} == {Outcome.APPLIED}
    assert not system.abilities("customers").bulk
    assert not shop.book.begun_jobs
    (notice,) = [one for one in await system.check([CUSTOMERS]) if one.code == "imports"]
    assert "lacks manage_import_containers" in notice.message
    (notice,) = [one for one in await (await shop.connected()).check([CUSTOMERS]) if one.code == "imports"]
    assert "at once" in notice.message


@pytest.mark.parametrize("fault", ["fail_after=0.1,drop_after=0.1,truncate=0.1", "fail_before=0.2,throttle=0.2"])
async def test_whatever_goes_wrong_nothing_is_doubled_and_nothing_passes_for_written_that_is_not(
    shop: Shop, fault: str
) -> None:
    system = await shop.connected()
    await system.find(CUSTOMERS, [key(1)], Lane.LIVE)
    shop.sandbox.set_faults(fault)
    verdicts = await shop.write(system, [create(n) for n in range(60)])
    shop.sandbox.set_faults("none")
    await shop.clock.advance(5)
    rows = shop.rows()
    for name, one in verdicts.items():
        if one.outcome is Outcome.APPLIED:
            assert rows[name]["id"] == one.external_id
        elif remedy(one) is not Remedy.LOOK:
            assert name not in rows, failure(one)
    again = await shop.write(system, [create(n) for n in range(60)])
    assert {one.outcome for one in again.values()} == {Outcome.APPLIED}
    assert len(shop.rows()) == 60


async def test_an_outage_of_minutes_while_an_import_is_watched_is_waited_out(shop: Shop) -> None:
    system = await shop.connected()
    shop.account.imports.delay_ms = 120_000
    task = asyncio.ensure_future(system.write(CUSTOMERS, [create(n) for n in range(40)], Lane.BULK))
    while len(shop.account.imports._operations) < 40:  # noqa: ASYNC110
        await asyncio.sleep(0)
    shop.sandbox.set_faults("fail_before=1")
    for _ in range(120):
        await shop.clock.advance(1.0)
        await asyncio.sleep(0.001)
    shop.sandbox.set_faults("none")
    verdicts = await shop.while_time_goes_on(task)
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}


async def test_a_container_that_is_lost_is_not_waited_for(shop: Shop) -> None:
    system = await shop.connected()
    shop.account.imports.delay_ms = 3000
    task = asyncio.ensure_future(system.write(CUSTOMERS, [create(n) for n in range(60)], Lane.BULK))
    while not shop.account.imports._operations:  # noqa: ASYNC110
        await asyncio.sleep(0)
    for container in list(shop.account.imports.containers):
        await shop.account.act({"op": "lose_container", "key": container})
    verdicts = await shop.while_time_goes_on(task)
    assert {remedy(one) for one in verdicts if one.outcome is not Outcome.APPLIED} <= {Remedy.RETRY, Remedy.LOOK}
    again = await shop.write(await shop.connected(dice=9), [create(n) for n in range(60)])
    assert {one.outcome for one in again.values()} == {Outcome.APPLIED}


async def test_a_job_that_a_crash_interrupts_is_gone_on_with(shop: Shop) -> None:
    shop.account.imports.delay_ms = 5000
    system = await shop.connected()
    task = asyncio.ensure_future(system.write(CUSTOMERS, [create(n) for n in range(60)], Lane.BULK))
    while len(shop.account.imports._operations) < 40:  # noqa: ASYNC110
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    sent = {one["resourceKey"] for one in shop.account.imports._operations.values()}
    (job,) = shop.book.begun_jobs
    restarted = await shop.connected(dice=9)
    verdicts = {one.key: one for one in await shop.while_time_goes_on(restarted.resume(CUSTOMERS, job, Lane.BULK))}
    assert set(verdicts) == set(job.keys)
    rows = shop.rows()
    assert {name for name, one in verdicts.items() if one.outcome is Outcome.APPLIED} == sent == set(rows)
    assert {remedy(one) for one in verdicts.values() if one.outcome is Outcome.FAILED} <= {Remedy.RETRY}
    assert shop.book.ended_jobs == [job]
    await shop.while_time_goes_on(restarted.resume(CUSTOMERS, job, Lane.BULK))
    assert len(shop.rows()) == len(sent)


async def test_operations_of_others_on_pages_without_end_tell_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = await shop.connected()
    page = reply_json({"results": [{"resourceKey": "of-another", "state": "imported"}] * 500})
    monkeypatch.setattr(shop.account.imports, "_page", lambda *_: page)
    verdicts = await shop.write(system, [create(n) for n in range(40)])
    assert {remedy(one) for one in verdicts.values()} == {Remedy.LOOK}


@given(st.integers(0, 100_000))
def test_an_import_is_chosen_where_it_takes_less_than_half_the_calls(creates: int) -> None:
    choice = choose(creates)
    assert str(creates) in choice.reason
    assert choice.imports is (creates >= 40) or 30 < creates < 40


@pytest.mark.parametrize(
    "draft",
    [
        {"email": "a@x.org"},
        {"key": "a-1", "email": "a@x.org", "customerGroupAssignments": []},
        {"key": "a-1", "customerGroup": {"typeId": "customer-group", "id": "g-1"}},
        {"key": "a-1", "addresses": [{"country": "DE"}]},
        {"key": "a-1", "custom": {"type": {"typeId": "type", "key": "t"}, "fields": {"unmapped": 1}}},
    ],
)
def test_what_an_import_cannot_say_is_left_to_a_create(draft: dict[str, Any]) -> None:
    with pytest.raises(UnwritableError):
        imported(draft, CUSTOMERS, KINDS["customers"])


def test_custom_fields_name_their_types() -> None:
    fields = {"phone": "+1", "creditLimit": {"currencyCode": "EUR", "centAmount": 1}}
    draft = {"key": "a-1", "custom": {"type": {"typeId": "type", "key": "t"}, "fields": fields}}
    made = imported(draft, CUSTOMERS, KINDS["customers"])
    assert {name: one["type"] for name, one in made["custom"]["fields"].items()} == {
        "phone": "String",
        "creditLimit": "Money",
    }
    assert replace(CARTS, object="customers").object in KINDS
