"""The connector against the simulated org, over real HTTP and gRPC on loopback: every client as it is."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from syncd.model.change import Change, ChangeKind, Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock, SystemClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.salesforce import SalesforceSandbox
from syncd.sandbox.salesforce.org import Profile
from syncd.sandbox.salesforce.simulator import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.server import Sandbox
from syncd.systems.contract import (
    Batch,
    ChildrenWrite,
    ChildWrite,
    RelationWrite,
    Severity,
    Snapshot,
    VendorError,
    Verdict,
    Write,
)
from syncd.systems.salesforce.system import Salesforce

from .kit import DEALS, KEY, PEOPLE, Book, Books, plain, settings


@dataclass
class House:
    box: Sandbox
    vendor: SalesforceSandbox
    clock: ManualClock | SystemClock
    books: Books = field(default_factory=Books)
    made: list[Salesforce] = field(default_factory=list)

    async def connect(
        self, clock: ManualClock | SystemClock | None = None, jobs: Book | None = None, **more: Any
    ) -> Salesforce:
        ends = self.vendor.endpoints()
        options = {
            "client_id": CLIENT_ID, "client_secret": Secret(CLIENT_SECRET), "pubsub_url": f"http://{ends['pubsub']}",
        } | more  # fmt: skip
        one = Salesforce(
            settings(self.box.url("salesforce"), **options), self.books, World(clock or self.clock, random.Random(3)),
            jobs=jobs,
        )  # fmt: skip
        await one.open()
        self.made.append(one)
        return one

    def act(self, op: str, **more: Any) -> Any:
        return self.vendor.people.act({"op": op, **more})

    def person(self, number: int, **more: Any) -> str:
        values = {"LastName": f"Byron {number}", "FirstName": "Ada", "Email": f"p{number}@example.com"} | more
        return str(self.act("create", object="Contact", values=values))

    def rows(self, object_: str = "Contact") -> list[dict[str, Any]]:
        return list(self.act("query", q=f"SELECT Id, {KEY} FROM {object_}", soql=f"SELECT Id, {KEY} FROM {object_}"))


@asynccontextmanager
async def opened(clock: ManualClock | SystemClock, faults: str = "none", **options: Any) -> AsyncIterator[House]:
    box = Sandbox(seed=7, clock=clock, faults=faults)
    vendor = box.add(SalesforceSandbox, profile=Profile(key_field=KEY), **options)
    async with box:
        house = House(box, vendor, clock)
        yield house
        for one in house.made:
            await one.close()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with opened(ManualClock()) as one:
        yield one


def create(number: int, **values: Any) -> Write:
    fields = {"LastName": f"Byron {number}", "Email": f"p{number}@example.com", **values}
    return Write(f"customer-{number:020x}", Action.CREATE, fields)


def update(verdict: Verdict, **values: Any) -> Write:
    return Write(verdict.key, Action.UPDATE, values, external_id=verdict.external_id)


async def all_of(crm: Salesforce, cursor: str | None = None) -> list[Snapshot]:
    seen: list[Snapshot] = []
    more = True
    while more:
        page = await crm.scan(PEOPLE, cursor, Lane.BULK)
        seen += page.snapshots
        cursor, more = page.cursor, page.more
    return seen


async def test_create_read_change_clear_and_delete(house: House) -> None:
    crm = await house.connect()
    (made,) = await crm.write(PEOPLE, [create(1, Phone="+49 1", Birthdate="1990-01-02")], Lane.LIVE)
    assert made.outcome is Outcome.APPLIED
    shot = (await crm.read(PEOPLE, [made.external_id], Lane.LIVE)).found[made.external_id]
    assert (shot.data["Email"], shot.data[KEY]) == ("p1@example.com", made.key)
    assert (await crm.find(PEOPLE, [made.key, "customer-x"], Lane.LIVE)).keys() == {made.key}
    (changed,) = await crm.write(PEOPLE, [update(made, FirstName="Augusta", Email=None)], Lane.LIVE)
    assert changed.outcome is Outcome.APPLIED
    shot = (await crm.read(PEOPLE, [made.external_id], Lane.LIVE)).found[made.external_id]
    assert (shot.data["FirstName"], shot.data["Email"]) == ("Augusta", None)
    (again,) = await crm.write(PEOPLE, [create(1)], Lane.LIVE)
    assert again.external_id == made.external_id
    (gone,) = await crm.write(PEOPLE, [Write(made.key, Action.DELETE, {}, external_id=made.external_id)], Lane.LIVE)
    assert gone.outcome is Outcome.APPLIED
    assert (await crm.read(PEOPLE, [made.external_id], Lane.LIVE)).missing == {made.external_id}
    (late,) = await crm.write(PEOPLE, [update(made, FirstName="x")], Lane.LIVE)
    assert late.failure is not None
    assert late.failure.remedy is Remedy.GONE


async def test_one_bad_record_among_many_and_a_token_that_ends_between(house: House) -> None:
    crm = await house.connect()
    house.act("validation_rule", object="Contact", field="LastName", value="Byron 3", message="Not him")
    await crm.write(PEOPLE, [create(100)], Lane.LIVE)
    house.act("expire_tokens")
    verdicts = await crm.write(PEOPLE, [create(n) for n in range(1, 8)], Lane.LIVE)
    failed = [one for one in verdicts if one.outcome is Outcome.FAILED]
    assert [one.key for one in failed] == [create(3).key]
    assert failed[0].failure is not None
    assert (failed[0].failure.code, failed[0].failure.message) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Not him")


async def test_a_cart_with_its_items_goes_in_one_call(house: House) -> None:
    crm = await house.connect()
    contact = house.person(1)
    entry = _price(house)
    items = tuple(
        ChildWrite(f"i{n}", {"PricebookEntryId": entry, "Quantity": "2", "UnitPrice": "9.90"}) for n in range(3)
    )
    values = {
        "Name": "Abandoned Cart: p1@example.com",
        "StageName": "Prospecting",
        "CloseDate": "2026-11-02T10:00:00.000Z",
    }
    write = Write(
        "cart-1", Action.CREATE, values, relations=(RelationWrite("Contact", contact, 0, path="ContactId"),),
        children=(ChildrenWrite("OpportunityLineItem", 0, items),),
    )  # fmt: skip
    before = len(house.books.paid)
    (made,) = await crm.write(DEALS, [write], Lane.LIVE)
    assert made.outcome is Outcome.APPLIED, made.failure
    assert made.children.keys() == {"i0", "i1", "i2"}
    assert [call.kind for call, _ in house.books.paid[before:]].count("api") == 3, "two descriptions, one composite"
    (again,) = await crm.write(DEALS, [write], Lane.LIVE)
    assert again.outcome is Outcome.APPLIED, again.failure
    assert again.children == made.children
    part = ChildrenWrite("OpportunityLineItem", 0, (ChildWrite("i0", {"Quantity": "5"}, made.children["i0"]),),
                         {"i2": made.children["i2"]})  # fmt: skip
    change = Write("cart-1", Action.UPDATE, {"StageName": "Closed Won"}, external_id=made.external_id, children=(part,))
    (changed,) = await crm.write(DEALS, [change], Lane.LIVE)
    assert changed.outcome is Outcome.APPLIED, changed.failure
    lines = house.act("query", object="OpportunityLineItem", soql="SELECT Id, Quantity FROM OpportunityLineItem")
    assert sorted(one["Quantity"] for one in lines) == [2, 5]


def _price(house: House) -> str:
    book = house.act("query", soql="SELECT Id FROM Pricebook2 WHERE IsStandard = TRUE")[0]["Id"]
    product = house.act("create", object="Product2", values={"Name": "Thing", "IsActive": True})
    values = {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 9.9, "IsActive": True}
    return str(house.act("create", object="PricebookEntry", values=values))


async def test_a_poll_tells_changes_deletions_and_merges(house: House) -> None:
    crm, clock = await house.connect(), house.clock
    assert isinstance(clock, ManualClock)
    first = await crm.poll(PEOPLE, None, Lane.SCHEDULED)
    await clock.advance(120)
    people = [house.person(n) for n in range(4)]
    second = await crm.poll(PEOPLE, first.cursor, Lane.SCHEDULED)
    assert {one.external_id for one in second.snapshots} == set(people)
    await clock.advance(600)
    house.act("edit", object="Contact", id=people[0], values={"FirstName": "Augusta"})
    house.act("delete", object="Contact", id=people[1])
    house.act("merge", object="Contact", id=people[2], others=[people[3]])
    await clock.advance(120)
    third = await crm.poll(PEOPLE, second.cursor, Lane.SCHEDULED)
    told = {one.external_id: one for one in third.snapshots}
    assert told[people[0]].data["FirstName"] == "Augusta"
    assert told[people[1]].deleted
    assert told[people[3]].merged_into == people[2]
    read = await crm.read(PEOPLE, [people[3]], Lane.LIVE)
    assert read.found[people[3]].external_id == people[2]


async def test_everything_is_read_by_a_bulk_job_and_by_walking(house: House) -> None:
    rows = [{"LastName": f"L{n}", "Email": f"p{n}@example.com"} for n in range(2500)]
    house.act("seed", object="Contact", rows=rows)
    bulk = await house.connect(SystemClock(), scan_page=1000)
    walk = await house.connect(bulk_threshold=100_000)
    seen, walked = await all_of(bulk), await all_of(walk)
    assert len({one.external_id for one in seen}) == len(seen) == 2500
    assert {one.external_id for one in walked} == {one.external_id for one in seen}
    assert {one.data["Email"] for one in seen} == {one.data["Email"] for one in walked}


async def test_a_page_that_is_too_large_is_asked_for_again_with_half_its_rows(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [house.person(n) for n in range(40)]
    monkeypatch.setattr("syncd.systems.salesforce.scan.LARGEST_PAGE", 1500)
    crm = await house.connect(bulk_threshold=10, scan_page=40)
    seen = await all_of(crm)
    assert [one.external_id for one in seen] == people
    house.act("delete_field", object="Contact", name="Customer_Number__c")
    mapping = replace(PEOPLE, fields=(*PEOPLE.fields, plain("customer_number", "Customer_Number__c")))
    cursor, more, found = None, True, list[Snapshot]()
    while more:
        page = await crm.scan(mapping, cursor, Lane.BULK)
        found += page.snapshots
        cursor, more = page.cursor, page.more
    assert [one.external_id for one in found] == people
    assert {one.partial for one in found} == {True}, "read without the field that is gone, and saying so"


async def test_a_scan_goes_on_with_another_token_and_another_process(house: House) -> None:
    house.act("seed", object="Contact", rows=[{"LastName": f"L{n}"} for n in range(2500)])
    seen: list[str] = []
    cursor: str | None = None
    more = True
    while more:
        crm = await house.connect(SystemClock(), scan_page=1000)
        page = await crm.scan(PEOPLE, cursor, Lane.BULK)
        seen += [one.external_id for one in page.snapshots]
        cursor, more = page.cursor, page.more
        await crm.close()
        house.act("expire_tokens")
    assert len(seen) == len(set(seen)) == 2500


async def test_many_writes_of_the_bulk_lane_go_through_a_job(house: House) -> None:
    crm = await house.connect(SystemClock(), bulk_threshold=200)
    house.act("validation_rule", object="Contact", field="LastName", value="Byron 7", message='Not, "him"\nplease')
    verdicts = await crm.write(PEOPLE, [create(n, Phone=None) for n in range(300)], Lane.BULK)
    assert [one.key for one in verdicts] == [create(n).key for n in range(300)]
    failed = [one for one in verdicts if one.outcome is Outcome.FAILED]
    assert [one.key for one in failed] == [create(7).key]
    assert failed[0].failure is not None
    assert failed[0].failure.code == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert "please" in failed[0].failure.message
    assert [call.kind for call, _ in house.books.paid].count("bulk_batch") == 1
    changes = [update(one, FirstName='Ö;"x"\ny', Email=None) for one in verdicts if one.outcome is Outcome.APPLIED]
    changed = await crm.write(PEOPLE, changes, Lane.BULK)
    assert {one.outcome for one in changed} == {Outcome.APPLIED}
    shots = (await crm.read(PEOPLE, [changed[0].external_id], Lane.LIVE)).found
    assert shots[changed[0].external_id].data["FirstName"] == 'Ö;"x"\ny'
    assert shots[changed[0].external_id].data["Email"] is None


async def test_a_job_that_ends_as_failed_gives_its_unprocessed_rows_back(house: House) -> None:
    crm = await house.connect(SystemClock(), bulk_threshold=200)
    house.act("fail_next_job", after_rows=200)
    verdicts = await crm.write(PEOPLE, [create(n) for n in range(300)], Lane.BULK)
    ends = {one.outcome: 0 for one in verdicts}
    for one in verdicts:
        ends[one.outcome] += 1
        if one.failure is not None:
            assert (one.failure.remedy, one.failure.code) == (Remedy.RETRY, "unprocessed")
    assert ends == {Outcome.APPLIED: 200, Outcome.FAILED: 100}
    again = await crm.write(PEOPLE, [create(n) for n in range(300)], Lane.BULK)
    assert {one.outcome for one in again} == {Outcome.APPLIED}
    assert len({one.external_id for one in again}) == 300


async def test_a_job_that_is_killed_anywhere_is_gone_on_with_and_no_row_goes_up_twice(house: House) -> None:
    crm, book = await house.connect(bulk_threshold=3), Book()
    await crm.write(PEOPLE, [create(99)], Lane.LIVE)
    for step in range(1, 13):
        writes = [create(1000 * step + n) for n in range(4)]
        book.noted.clear()
        dying = await house.connect(bulk_threshold=3, jobs=book)
        # The process dies at its n-th call.
        house.books.left = step
        house.books.spent = asyncio.CancelledError
        with contextlib.suppress(asyncio.CancelledError):
            await dying.write(PEOPLE, writes, Lane.BULK)
        house.books.left, house.books.spent = None, None
        after = await house.connect(bulk_threshold=3, jobs=book)
        verdicts = {one.key: one for job in list(book.noted) for one in await after.resume(PEOPLE, job, Lane.BULK)}
        again = [one for one in writes if one.key not in verdicts or verdicts[one.key].failure is not None]
        failures = [one.failure for one in verdicts.values() if one.failure is not None]
        assert {one.remedy for one in failures} <= {Remedy.RETRY}, failures
        told = await after.write(PEOPLE, again, Lane.BULK) if again else []
        assert {one.outcome for one in told} <= {Outcome.APPLIED}
    rows = house.rows()
    assert len(rows) == len({one[KEY] for one in rows}) == 49
    done = [job for job in house.vendor.jobs.all("ingest") if job.good]
    worked = Counter(row[2 + job.header.index(KEY)] for job in done for row in job.good)
    assert set(worked.values()) == {1}, "no row was worked through by two jobs"


async def test_the_doctor_finds_the_org_well_and_tells_what_it_lacks(house: House) -> None:
    crm = await house.connect()
    findings = await crm.check([PEOPLE])
    assert {one.severity for one in findings if one.subject != "crm.clock"} == {Severity.OK}, findings
    assert {one.code for one in findings} >= {"account", "limit", "key", "stream", "fields"}
    wider = replace(PEOPLE, fields=(*PEOPLE.fields, plain("customer_number", "Customer_Number__c")))
    assert all(one.severity is not Severity.ERROR for one in await crm.check([wider]))
    house.act("select_entities", entities=["Account"])
    house.act("delete_field", object="Contact", name="Customer_Number__c")
    told = {one.code: one for one in await crm.check([wider]) if one.severity is Severity.ERROR}
    assert told.keys() == {"field-missing", "stream-unavailable"}
    assert told["field-missing"].subject == "crm.Contact.Customer_Number__c"
    assert {one.code for one in await crm.provision([wider], apply=True)} == {"key", "field-missing"}


# --- change events ---------------------------------------------------------------------------------------------------


class Follower:
    """Takes batches as the engine does: what it took is what stands."""

    def __init__(self, crm: Salesforce, cursor: str | None = None) -> None:
        self.crm = crm
        self.cursor = cursor
        self.batches: list[Batch] = []
        self._stream: Any = None

    async def take(self, count: int = 1) -> list[Batch]:
        if self._stream is None:
            self._stream = self.crm.stream(PEOPLE, self.cursor)
        taken = []
        for _ in range(count):
            batch = await asyncio.wait_for(anext(self._stream), 10)
            self.cursor = batch.cursor
            self.batches.append(batch)
            taken.append(batch)
        return taken

    async def until_changes(self, count: int) -> list[Change]:
        found: list[Change] = []
        while len(found) < count:
            (batch,) = await self.take()
            found += batch.changes
        return found

    async def cut(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
            self._stream = None


async def standing(house: House, follower: Follower) -> None:
    """A stream whose position is known."""
    house.act("stream", settings={"keepalive_seconds": 0.05})
    while '"replay":""' in (follower.cursor or '"replay":""'):
        await follower.take()
    house.act("stream", settings={"keepalive_seconds": 270})


@pytest.fixture
async def live() -> AsyncIterator[House]:
    async with opened(SystemClock()) as one:
        yield one


async def test_changes_are_told_as_they_happen(live: House) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    person = live.person(1)
    (made,) = await follower.until_changes(1)
    assert (made.kind, made.external_id, made.partial) == (ChangeKind.STATE, person, False)
    assert made.payload["Email"] == "p1@example.com"
    assert made.payload[KEY] is None
    live.act("edit", object="Contact", id=person, values={"FirstName": "Augusta", "Email": None, "Phone": "1"})
    (changed,) = await follower.until_changes(1)
    assert (changed.kind, changed.partial) == (ChangeKind.STATE, True)
    assert changed.payload == {"Id": person, "FirstName": "Augusta", "Email": None}
    live.act("delete", object="Contact", id=person)
    (gone,) = await follower.until_changes(1)
    assert (gone.kind, gone.external_id) == (ChangeKind.DELETED, person)
    live.act("undelete", object="Contact", id=person)
    (back,) = await follower.until_changes(1)
    assert (back.kind, back.partial, back.payload["FirstName"]) == (ChangeKind.STATE, False, "Augusta")
    await follower.cut()


async def test_our_own_writes_come_back_as_hints_that_say_what_they_tell(live: House) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    (made,) = await crm.write(PEOPLE, [create(1)], Lane.LIVE)
    (echo,) = await follower.until_changes(1)
    assert (echo.kind, echo.external_id) == (ChangeKind.HINT, made.external_id)
    assert echo.payload["told"]["Email"] == "p1@example.com"
    await follower.cut()


async def test_a_merge_is_told_as_a_merge(live: House) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    people = [live.person(n) for n in range(2)]
    await follower.until_changes(2)
    live.act("merge", object="Contact", id=people[0], others=[people[1]])
    changes = await follower.until_changes(1)
    while not any(one.kind is ChangeKind.MERGED for one in changes):
        changes += await follower.until_changes(1)
    (merged,) = [one for one in changes if one.kind is ChangeKind.MERGED]
    assert merged.payload == {"into": people[0], "from": [people[1]]}
    await follower.cut()


async def test_a_stream_goes_on_where_it_was_cut_and_with_a_new_token(live: House) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    live.person(1)
    await follower.until_changes(1)
    live.act("cut_streams")
    with pytest.raises(VendorError) as caught:
        await follower.until_changes(1)
    assert (caught.value.failure.remedy, caught.value.failure.code) == (Remedy.RETRY, "service.unavailable")
    person = live.person(2)
    live.act("expire_tokens")
    later = Follower(crm, follower.cursor)
    with pytest.raises(VendorError) as caught:
        await later.until_changes(1)
    assert caught.value.failure.code == "token-renewed"
    last = Follower(crm, follower.cursor)
    (change,) = await last.until_changes(1)
    assert change.external_id == person
    assert not any(one.gap for one in last.batches)
    await last.cut()


async def test_a_hundred_and_more_events_flow_with_one_batch_at_a_time(live: House) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    people = [live.person(n) for n in range(350)]
    changes = await follower.until_changes(350)
    assert [one.external_id for one in changes] == people
    assert len({one.dedupe_key for one in changes}) == 350
    await follower.cut()


async def test_a_quiet_topic_moves_its_position_and_the_days_events_are_watched(live: House) -> None:
    crm = await live.connect(events_reserve=0.5)
    follower = Follower(crm)
    await standing(live, follower)
    before = follower.cursor
    live.act("stream", settings={"keepalive_seconds": 0.05})
    live.person(1)
    await follower.until_changes(1)
    told = follower.cursor
    (quiet,) = await follower.take()
    assert not quiet.changes
    assert len({before, told, quiet.cursor}) == 3, "a position that only events moved would age out with them"
    live.act("limits", settings={"events_delivered": 1})
    crm._streams._allocation._looked = float("-inf")
    (warned,) = await follower.take()
    assert "of 1 events are left for the day" in warned.notice
    await follower.cut()


async def test_a_field_that_is_taken_away_under_load_keeps_no_other_from_being_told(live: House) -> None:
    crm = await live.connect()
    mapping = replace(PEOPLE, fields=(*PEOPLE.fields, plain("customer_number", "Customer_Number__c")))
    one, two = live.person(1, Customer_Number__c="C-1"), live.person(2, Customer_Number__c="C-2")
    first = await crm.read(mapping, [one], Lane.LIVE)
    assert (first.found[one].partial, first.found[one].data["Customer_Number__c"]) == (False, "C-1")
    live.act("delete_field", object="Contact", name="Customer_Number__c")
    second = (await crm.read(mapping, [one, two], Lane.LIVE)).found
    assert {shot.partial for shot in second.values()} == {True}
    assert all("Customer_Number__c" not in shot.data for shot in second.values()), "absent, not empty"
    page = await crm.poll(mapping, None, Lane.SCHEDULED)
    assert {shot.partial for shot in page.snapshots} == {True}
    sets = replace(create(3), values={**create(3).values, "Customer_Number__c": "C-3"})
    verdicts = {one.key: one for one in await crm.write(mapping, [sets, create(4)], Lane.LIVE)}
    assert verdicts[create(4).key].outcome is Outcome.APPLIED
    failure = verdicts[sets.key].failure
    assert failure is not None
    assert (failure.remedy, failure.code) == (Remedy.ASK, "INVALID_FIELD")


@pytest.mark.parametrize("how", ["expire_replay", "reset_stream"])
async def test_a_lost_position_is_stated_and_exactly_its_span_is_read_again(live: House, how: str) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    before = live.person(1)
    await follower.until_changes(1)
    await follower.cut()
    missed = [live.person(n) for n in (2, 3)]
    live.act("delete", object="Contact", id=missed[1])
    live.act(how)
    live.act("stream", settings={"keepalive_seconds": 0.05})
    later = Follower(crm, follower.cursor)
    (stated,) = await later.take()
    assert stated.gap is not None
    assert (stated.gap.objects, stated.gap.reason) == (("Contact",), "position-lost")
    assert stated.gap.from_at > 0
    while not any(one.mended for one in later.batches):
        await later.take()
    told = {one.external_id: one for batch in later.batches for one in batch.snapshots}
    assert missed[0] in told
    assert before in told, "the span reaches a minute beyond its ends"
    assert told[missed[1]].deleted, "also of the last minute, of which the feed of deletions tells nothing yet"
    live.act("stream", settings={"keepalive_seconds": 270})
    person = live.person(9)
    (change,) = await later.until_changes(1)
    assert change.external_id == person
    await later.cut()


async def test_a_repair_that_is_killed_goes_on_where_it_was(live: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.systems.salesforce.stream.QUERY_PAGE", 5)
    monkeypatch.setattr("syncd.systems.salesforce.capture.QUERY_PAGE", 5)
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    await follower.cut()
    people = {live.person(n) for n in range(23)}
    live.act("expire_replay")
    live.act("stream", settings={"keepalive_seconds": 0.05})
    seen: list[str] = []
    gaps = 0
    cursor = follower.cursor
    for _ in range(4):  # Killed after each of the first steps.
        one = Follower(crm, cursor)
        (batch,) = await one.take()
        cursor = batch.cursor
        seen += [shot.external_id for shot in batch.snapshots]
        gaps += batch.gap is not None
        await one.cut()
    assert gaps == 1
    assert len(seen) == len(set(seen)) == 15
    last = Follower(crm, cursor)
    while not any(one.mended for one in last.batches):
        await last.take()
    seen += [shot.external_id for batch in last.batches for shot in batch.snapshots]
    assert people <= set(seen)
    await last.cut()


async def test_gap_events_are_read_and_an_overflow_is_mended_without_losing_the_position(live: House) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    person = live.person(1)
    await follower.until_changes(1)
    live.act("gap", object="Contact", type="GAP_UPDATE", ids=[person])
    (hint,) = await follower.until_changes(1)
    assert (hint.kind, hint.payload) == (ChangeKind.HINT, None)
    live.act("gap", object="Contact", type="GAP_DELETE", ids=[person])
    (gone,) = await follower.until_changes(1)
    assert gone.kind is ChangeKind.DELETED
    live.act("gap", object="Contact", type="GAP_OVERFLOW", ids=[])
    (stated,) = await follower.take()
    assert stated.gap is not None
    assert stated.gap.reason == "overflow"
    while not any(one.mended for one in follower.batches):
        await follower.take()
    assert person in {one.external_id for batch in follower.batches for one in batch.snapshots}
    live.person(2)
    assert len(await follower.until_changes(1)) == 1
    await follower.cut()


async def test_an_object_that_is_not_selected_is_said_to_have_no_stream(live: House) -> None:
    live.act("select_entities", entities=["Account"])
    crm = await live.connect()
    follower = Follower(crm)
    await follower.take()
    with pytest.raises(VendorError) as caught:
        await follower.take()
    assert caught.value.failure.remedy is Remedy.ASK


async def test_a_used_up_allocation_is_waited_out(live: House) -> None:
    crm = await live.connect()
    follower = Follower(crm)
    await standing(live, follower)
    live.act("limits", settings={"events_delivered": 0})
    live.person(1)
    with pytest.raises(VendorError) as caught:
        await follower.until_changes(1)
    assert (caught.value.failure.remedy, caught.value.failure.code) == (Remedy.WAIT, "subscription.limit.exceeded")


async def test_everything_works_over_tls_with_a_private_authority(house: House) -> None:
    ends = house.vendor.endpoints()
    url = ends["https"].replace("127.0.0.1", "localhost")
    crm = Salesforce(
        settings(url, client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET), ca_file=ends["ca"],
                 pubsub_url=f"https://{ends['pubsub_tls'].replace('127.0.0.1', 'localhost')}"),
        Books(), World(house.clock, random.Random(1)),
    )  # fmt: skip
    await crm.open()
    house.made.append(crm)
    findings = await crm.check([PEOPLE])
    assert {one.severity for one in findings if one.subject != "crm.clock"} == {Severity.OK}, findings


async def test_a_storm_makes_nothing_twice_and_loses_nothing() -> None:
    async with opened(SystemClock(), faults="storm,latency=0") as house:
        crm = await house.connect(SystemClock())
        writes = {one.key: one for one in (create(n) for n in range(150))}
        made: dict[str, str] = {}
        for _ in range(60):
            if not writes:
                break
            part = list(writes.values())[:40]
            for verdict in await crm.write(PEOPLE, part, Lane.LIVE):
                if verdict.outcome is Outcome.APPLIED:
                    made[verdict.key] = verdict.external_id
                    del writes[verdict.key]
                    continue
                assert verdict.failure is not None
                assert verdict.failure.remedy is not Remedy.ASK, verdict.failure
        assert not writes
        rows = house.act("query", soql=f"SELECT Id, {KEY} FROM Contact WHERE {KEY} != NULL")
        assert {one[KEY]: one["Id"] for one in rows} == made
        assert len(rows) == 150
