"""The connector against the simulated account, over real HTTP on loopback: httpx and the official client alike."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from syncd.model.change import ChangeKind, Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock, SystemClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.hubspot import HubspotSandbox
from syncd.sandbox.server import Sandbox
from syncd.systems.contract import (
    ChildrenWrite,
    ChildWrite,
    RefusedError,
    RelationWrite,
    Severity,
    VendorError,
    Verdict,
    WebhookRequest,
    Write,
)
from syncd.systems.hubspot.system import HubSpot

from .kit import CONTACTS, DEALS, KEY, Books, Vendor, reply, served, settings

MAPPINGS = [CONTACTS, DEALS]


@dataclass
class Account:
    box: Sandbox
    vendor: HubspotSandbox
    clock: ManualClock | SystemClock
    made: list[HubSpot]
    books: Books

    async def connect(self, **more: Any) -> HubSpot:
        options = {"access_token": Secret(self.vendor.token), "base_url": self.box.url("hubspot")} | more
        hubspot = HubSpot(settings(**options), self.books, World(self.clock, random.Random(3)))
        await hubspot.open()
        self.made.append(hubspot)
        return hubspot

    async def ready(self, **more: Any) -> HubSpot:
        hubspot = await self.connect(**more)
        findings = await hubspot.provision(MAPPINGS, apply=True)
        assert {one.severity for one in findings} <= {Severity.OK}, findings
        return hubspot

    def rows(self, object_: str) -> list[Any]:
        return [one for one in self.vendor.objects()[object_] if not one["archived"]]

    def person(self, op: str, object_: str, **more: Any) -> Any:
        return self.vendor.people.act({"op": op, "object": object_, **more})


@asynccontextmanager
async def opened(clock: ManualClock | SystemClock, faults: str = "none", **options: Any) -> AsyncIterator[Account]:
    box = Sandbox(seed=7, clock=clock, faults=faults)
    vendor = box.add(HubspotSandbox, **({"search_delay": (0.0, 0.0)} | options))
    async with box:
        account = Account(box, vendor, clock, [], Books())
        yield account
        for one in account.made:
            await one.close()


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with opened(ManualClock()) as one:
        yield one


def contact(number: int, **more: Any) -> Write:
    return Write(
        f"customer-{number:020x}", Action.CREATE, {"email": f"p{number}@example.com", "firstname": "Ada"}, **more
    )


def deal(number: int, contact_id: str, items: int = 2, stage: str = "abandoned_checkout", **more: Any) -> Write:
    values = {"pipeline": "ecommerce_pipeline", "dealstage": stage, "dealname": f"Abandoned Cart: p{number}@example.com",
              "amount": "19.98", "deal_currency_code": "EUR"}  # fmt: skip
    upsert = tuple(
        ChildWrite(f"i{n}", {"name": f"thing {n}", "quantity": "2", "price": "9.99", "hs_sku": f"S{n}",
                             "hs_line_item_currency_code": "EUR"})
        for n in range(items)
    )  # fmt: skip
    return Write(
        f"cart-{number:020x}", Action.CREATE, values, relations=(RelationWrite("contacts", contact_id, 3),),
        children=(ChildrenWrite("line_items", 20, upsert),), **more,
    )  # fmt: skip


def told(verdicts: Any) -> dict[str, Verdict]:
    return {one.key: one for one in verdicts}


async def applied(hubspot: HubSpot, mapping: Any, writes: list[Write]) -> dict[str, Verdict]:
    verdicts = told(await hubspot.write(mapping, writes, Lane.LIVE))
    assert {one.outcome for one in verdicts.values()} == {Outcome.APPLIED}, [one.failure for one in verdicts.values()]
    return verdicts


async def test_a_bare_account_is_provisioned_once_and_then_checks_out(account):
    hubspot = await account.connect(webhook_secrets=(Secret("x"),), public_url="https://h.example/hook")
    before = {one.code for one in await hubspot.check(MAPPINGS) if one.severity is Severity.ERROR}
    assert before == {"property-missing", "pipeline-missing", "stage-missing"}
    dry = await hubspot.provision(MAPPINGS, apply=False)
    made = await hubspot.provision(MAPPINGS, apply=True)
    assert {one.subject for one in dry} == {one.subject for one in made}
    assert all(one.applied for one in made)
    assert not await hubspot.provision(MAPPINGS, apply=True)
    after = await hubspot.check(MAPPINGS)
    assert {one.code for one in after if one.severity is not Severity.OK} <= {"clock-unknown"}


async def test_a_hundred_deals_with_items_in_few_calls_and_not_doubled_when_repeated(account):
    hubspot = await account.ready()
    people = await applied(hubspot, CONTACTS, [contact(n) for n in range(100)])
    ids = [people[f"customer-{n:020x}"].external_id for n in range(100)]
    await applied(hubspot, DEALS, [deal(999, ids[0])])  # the pipelines are asked for once
    paid = len(account.books.paid)
    writes = [deal(n, ids[n]) for n in range(100)]
    first = await applied(hubspot, DEALS, writes)
    assert len(account.books.paid) - paid == 1 + 1 + 2 + 1
    again = await applied(hubspot, DEALS, writes)
    assert {key: one.external_id for key, one in first.items()} == {key: one.external_id for key, one in again.items()}
    assert [one.children for one in first.values()] == [one.children for one in again.values()]
    assert Counter(contacts=len(account.rows("contacts")), deals=len(account.rows("deals")),
                   items=len(account.rows("line_items"))) == {"contacts": 100, "deals": 101, "items": 202}  # fmt: skip
    row = next(one for one in account.rows("deals") if one["id"] == first[f"cart-{5:020x}"].external_id)
    assert row["associations"]["contacts"] == [ids[5]]
    assert sorted(row["associations"]["line_items"]) == sorted(first[f"cart-{5:020x}"].children.values())


async def test_what_was_written_is_read_found_and_scanned(account):
    hubspot = await account.ready()
    verdicts = await applied(hubspot, CONTACTS, [contact(n) for n in range(130)])
    ids = [one.external_id for one in verdicts.values()]
    result = await hubspot.read(CONTACTS, [*ids, "999999999"], Lane.LIVE)
    assert set(result.found) == set(ids)
    assert result.missing == {"999999999"}
    found = await hubspot.find(CONTACTS, [*verdicts, "customer-none"], Lane.LIVE)
    assert {key: shot.external_id for key, shot in found.items()} == {
        key: one.external_id for key, one in verdicts.items()
    }
    first = await hubspot.scan(CONTACTS, None, Lane.BULK)
    second = await hubspot.scan(CONTACTS, first.cursor, Lane.BULK)
    assert (len(first.snapshots), first.more, len(second.snapshots), second.more) == (100, True, 30, False)


async def test_a_contact_a_person_made_before_is_linked_and_adopted(account):
    hubspot = await account.ready()
    id_ = account.person("create", "contacts", values={"email": "p1@example.com", "phone": "1"})
    [verdict] = await hubspot.write(CONTACTS, [contact(1)], Lane.LIVE)
    assert (verdict.failure.remedy, verdict.failure.existing_id) == (Remedy.LINK, id_)
    await applied(hubspot, CONTACTS, [contact(1, external_id=id_)])
    assert (await hubspot.find(CONTACTS, [f"customer-{1:020x}"], Lane.LIVE))[f"customer-{1:020x}"].external_id == id_


async def test_null_clears_and_the_snapshot_says_so(account):
    hubspot = await account.ready()
    [made] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
    clear = Write(made.key, Action.UPDATE, {"firstname": None}, external_id=made.external_id)
    [verdict] = (await applied(hubspot, CONTACTS, [clear])).values()
    assert verdict.snapshot.data["firstname"] is None
    assert (await hubspot.read(CONTACTS, [made.external_id], Lane.LIVE)).found[made.external_id].data[
        "firstname"
    ] is None


async def test_bad_values_and_forbidden_stages_fail_alone_and_name_their_property(account):
    hubspot = await account.ready()
    bad = Write("customer-bad", Action.CREATE, {"email": "no address"})
    lost = Write("customer-lost", Action.CREATE, {"email": "q@example.com", "no_such_property": "1"})
    verdicts = told(await hubspot.write(CONTACTS, [bad, lost, *(contact(n) for n in range(20))], Lane.LIVE))
    assert {key for key, one in verdicts.items() if one.outcome is Outcome.FAILED} == {"customer-bad", "customer-lost"}
    assert (verdicts["customer-bad"].failure.remedy, verdicts["customer-bad"].failure.fields) == (
        Remedy.ASK,
        ("email",),
    )
    assert verdicts["customer-lost"].failure.code == "PROPERTY_DOESNT_EXIST"
    assert verdicts["customer-lost"].failure.fields == ("no_such_property",)
    id_ = verdicts[f"customer-{1:020x}"].external_id
    stages = told(await hubspot.write(DEALS, [deal(1, id_, stage="frozen"), deal(2, id_)], Lane.LIVE))
    assert stages[f"cart-{1:020x}"].failure.remedy is Remedy.ASK
    assert "dealstage" in stages[f"cart-{1:020x}"].failure.fields
    assert stages[f"cart-{2:020x}"].outcome is Outcome.APPLIED


async def test_an_ordered_cart_moves_its_deal_to_won_and_loses_an_item(account):
    hubspot = await account.ready()
    [person] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
    [made] = (await applied(hubspot, DEALS, [deal(1, person.external_id)])).values()
    part = ChildrenWrite("line_items", 20, (), {"i1": made.children["i1"]})
    write = Write(made.key, Action.UPDATE, {"dealstage": "won"}, external_id=made.external_id, children=(part,))
    await applied(hubspot, DEALS, [write])
    [row] = account.rows("deals")
    assert row["properties"]["dealstage"] == "won"
    assert [one["id"] for one in account.rows("line_items")] == [made.children["i0"]]


async def test_a_pipeline_made_by_hand_is_met_by_its_labels(account):
    stage = {"metadata": {"probability": "0.5"}}
    account.person("create_pipeline", "deals", definition={
        "label": "Ecommerce pipeline", "displayOrder": 1,
        "stages": [{"label": label, "displayOrder": n, **stage} for n, label in enumerate(("Abandoned checkout", "Won", "Lost"))],
    })  # fmt: skip
    hubspot = await account.ready()
    [person] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
    [made] = (await applied(hubspot, DEALS, [deal(1, person.external_id, stage="won")])).values()
    [row] = account.rows("deals")
    assert row["properties"]["dealstage"] != "won"
    assert made.snapshot.data["dealstage"] == "won"
    assert (await hubspot.read(DEALS, [made.external_id], Lane.LIVE)).found[made.external_id].data["dealstage"] == "won"


async def test_a_sales_persons_edit_is_polled_once_and_the_mark_moves_on(account):
    hubspot = await account.ready()
    verdicts = await applied(hubspot, CONTACTS, [contact(n) for n in range(3)])
    await account.clock.advance(600)
    start = await hubspot.poll(CONTACTS, None, Lane.SCHEDULED)
    assert list(start.snapshots) == []
    await account.clock.advance(600)
    id_ = verdicts[f"customer-{1:020x}"].external_id
    account.person("edit", "contacts", id=id_, values={"phone": "+49 228 1", "credit_limit": "42"})
    page = await hubspot.poll(CONTACTS, start.cursor, Lane.SCHEDULED)
    assert [(one.external_id, one.data["credit_limit"], one.modified_at) for one in page.snapshots] == [
        (id_, "42", account.clock.now_ms())
    ]
    await account.clock.advance(600)
    account.person("edit", "contacts", id=verdicts[f"customer-{2:020x}"].external_id, values={"phone": "2"})
    page = await hubspot.poll(CONTACTS, page.cursor, Lane.SCHEDULED)
    assert verdicts[f"customer-{2:020x}"].external_id in {one.external_id for one in page.snapshots}


async def test_hundreds_of_contacts_with_one_stamp_are_all_polled(account):
    hubspot = await account.ready()
    start = await hubspot.poll(CONTACTS, None, Lane.SCHEDULED)
    verdicts = await applied(hubspot, CONTACTS, [contact(n) for n in range(500)])
    seen, cursor = set(), start.cursor
    for _ in range(20):
        page = await hubspot.poll(CONTACTS, cursor, Lane.SCHEDULED)
        seen |= {one.external_id for one in page.snapshots}
        cursor = page.cursor
        await account.clock.advance(0.3)
        if not page.more:
            break
    assert seen == {one.external_id for one in verdicts.values()}


async def test_merged_contacts_are_read_as_their_survivor_and_archived_ones_as_missing(account):
    hubspot = await account.ready()
    verdicts = await applied(hubspot, CONTACTS, [contact(n) for n in range(5)])
    ids = [one.external_id for one in verdicts.values()]
    survivor = account.person("merge", "contacts", id=ids[0], other=ids[1])
    account.person("archive", "contacts", id=ids[2])
    result = await hubspot.read(CONTACTS, ids, Lane.LIVE)
    assert {asked: shot.external_id for asked, shot in result.found.items()} == {
        ids[0]: survivor, ids[1]: survivor, ids[3]: ids[3], ids[4]: ids[4]
    }  # fmt: skip
    assert result.missing == {ids[2]}
    gone = Write("customer-x", Action.UPDATE, {"phone": "1"}, external_id=ids[2])
    verdicts = told(await hubspot.write(CONTACTS, [gone], Lane.LIVE))
    assert verdicts["customer-x"].failure.remedy is Remedy.GONE


@pytest.mark.parametrize(
    ("faults", "remedy"),
    [("locked=1", Remedy.WAIT), ("migrating=1", Remedy.WAIT), ("empty=1", Remedy.LOOK)],
)
async def test_rare_answers_have_their_remedies(account, faults, remedy):
    hubspot = await account.ready()
    account.box.set_faults(faults)
    verdicts = await hubspot.write(CONTACTS, [contact(n) for n in range(4)], Lane.LIVE)
    assert {one.failure.remedy for one in verdicts} == {remedy}


async def test_errors_that_name_nobody_end_with_a_true_verdict_for_all_but_one(account):
    hubspot = await account.ready()
    account.box.set_faults("anonymous=1")
    verdicts = await hubspot.write(CONTACTS, [contact(n) for n in range(8)], Lane.LIVE)
    assert {one.failure.remedy for one in verdicts if one.failure} <= {Remedy.LOOK}
    assert len(account.rows("contacts")) == 8


async def test_a_window_that_is_spent_waits(account):
    hubspot = await account.ready()
    await account.vendor.act({"op": "limits", "settings": {"per_ten_seconds": 1}})
    await account.clock.advance(11)
    await hubspot.write(CONTACTS, [contact(1)], Lane.LIVE)
    [verdict] = await hubspot.write(CONTACTS, [contact(2)], Lane.LIVE)
    assert (verdict.failure.remedy, verdict.failure.retry_after_seconds) == (Remedy.WAIT, 10)


async def test_missing_scopes_are_named_by_the_check():
    async with opened(ManualClock(), scopes=("crm.objects.deals.read",)) as account:
        hubspot = await account.connect()
        findings = await hubspot.check([CONTACTS])
        assert "scope-missing" in {one.code for one in findings}


async def test_an_oauth_app_signs_in_and_renews_an_expired_token(account):
    from syncd.sandbox.hubspot.simulator import OAUTH_APP
    from syncd.systems.hubspot.settings import OAuthGrant

    await account.ready()
    grant = OAuthGrant(OAUTH_APP.client_id, Secret(OAUTH_APP.client_secret), Secret(account.vendor.refresh_token))
    hubspot = await account.connect(access_token=None, oauth=grant)
    await applied(hubspot, CONTACTS, [contact(1)])
    await account.clock.advance(3600)
    await applied(hubspot, CONTACTS, [contact(2)])
    assert [call.kind for call, _ in account.books.paid].count("auth") == 2


async def test_the_accounts_webhooks_are_accepted_and_forged_ones_refused():
    inbox: list[Any] = []
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def take(asked):
        inbox.append(asked)
        loop.call_soon_threadsafe(arrived.set)
        return reply(200)

    with served(Vendor(take)) as url:
        async with opened(SystemClock()) as account:
            public = "https://hooks.example/v1/webhooks/crm"
            account.vendor.set_webhooks({
                "target_url": f"{url}/hook", "signed_url": public, "client_secret": "s3", "flush_seconds": 0.01,
                "subscriptions": ["contact.creation", "contact.propertyChange:phone", "contact.merge", "contact.deletion"],
            })  # fmt: skip
            hubspot = await account.connect(webhook_secrets=(Secret("s3"),), public_url=public)
            id_ = account.person("create", "contacts", values={"email": "a@example.com"})
            account.person("edit", "contacts", id=id_, values={"phone": "1"})
            account.person("archive", "contacts", id=id_)
            changes: list[Any] = []
            while len(changes) < 3:
                await asyncio.wait_for(arrived.wait(), 10)
                arrived.clear()
                changes = []
                for asked in inbox:
                    request = WebhookRequest("POST", "/v1/webhooks/crm", asked.headers, asked.raw, 0)
                    changes += hubspot.accept(request)
                    with pytest.raises(RefusedError):
                        hubspot.accept(WebhookRequest("POST", "/v1/webhooks/crm", asked.headers, asked.raw + b" ", 0))
            assert {one.external_id for one in changes} == {id_}
            assert Counter(one.kind for one in changes) == {ChangeKind.HINT: 2, ChangeKind.DELETED: 1}


async def test_through_a_storm_every_write_ends_once_in_effect():
    """The engine's rules in miniature: what is unknown is looked up, what may be tried again is."""
    async with opened(ManualClock()) as account:
        hubspot = await account.ready()
        account.box.set_faults("fail_before=0.1,fail_after=0.15,truncate=0.05,html=0.05,drop_after=0.05,throttle=0.05")
        waiting = {one.key: one for one in (contact(n) for n in range(120))}
        troubles = Counter[Remedy]()
        for _ in range(60):
            if not waiting:
                break
            batch = list(waiting.values())[:20]
            for verdict in await hubspot.write(CONTACTS, batch, Lane.LIVE):
                if verdict.outcome is Outcome.APPLIED:
                    waiting.pop(verdict.key)
                    continue
                troubles[verdict.failure.remedy] += 1
            try:
                found = await hubspot.find(CONTACTS, list(waiting), Lane.LIVE)
            except VendorError:
                continue
            for key in found:
                waiting.pop(key)
            await account.clock.advance(11)
        assert not waiting
        assert troubles[Remedy.LOOK]
        assert set(troubles) <= {Remedy.LOOK, Remedy.RETRY, Remedy.WAIT}
        keys = Counter(one["properties"].get(KEY) for one in account.rows("contacts"))
        assert len(keys) == 120
        assert set(keys.values()) == {1}


async def test_a_person_deleted_for_privacy_is_not_made_again_and_the_operator_is_told_why(account):
    hubspot = await account.ready()
    [made] = (await applied(hubspot, CONTACTS, [contact(1)])).values()
    account.person("gdpr_delete", "contacts", id=made.external_id)
    assert made.external_id in (await hubspot.read(CONTACTS, [made.external_id], Lane.LIVE)).missing
    [verdict, other] = sorted(
        await hubspot.write(CONTACTS, [contact(1), contact(2)], Lane.LIVE),
        key=lambda one: one.outcome is Outcome.APPLIED,
    )
    assert (verdict.failure.remedy, verdict.failure.code) == (Remedy.ASK, "GDPR_BLACKLISTED_EMAIL")
    assert "deleted this person for privacy" in verdict.failure.message
    assert "p1@example.com" not in verdict.failure.message
    assert other.outcome is Outcome.APPLIED


async def test_conflicts_pass_and_cost_one_call_each_and_a_retyped_property_is_told_by_name():
    async with opened(ManualClock()) as account:
        hubspot = await account.ready()
        account.box.set_faults("conflict=1")
        before = account.vendor.requests
        verdicts = await hubspot.write(CONTACTS, [contact(n) for n in range(50)], Lane.LIVE)
        assert account.vendor.requests - before == 1
        assert {(one.failure.remedy, one.failure.code) for one in verdicts} == {(Remedy.RETRY, "CONFLICT")}
        account.box.set_faults("none")
        await applied(hubspot, CONTACTS, [contact(n) for n in range(50)])
        account.person(
            "retype_property", "contacts", name="price_tier", definition={"type": "number", "fieldType": "number"}
        )
        tiered = Write("customer-tier", Action.CREATE, {"email": "t@example.com", "price_tier": "gold"})
        verdicts = told(await hubspot.write(CONTACTS, [tiered, contact(60)], Lane.LIVE))
        assert verdicts["customer-tier"].failure.fields == ("price_tier",)
        assert verdicts["customer-tier"].failure.remedy is Remedy.ASK
        assert verdicts[contact(60).key].outcome is Outcome.APPLIED
