"""The Webhooks Journal as a stream: shared pages, a place that is staged, and what is done when the place is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.change import ChangeKind, Channel, Lane
from syncd.model.failure import Remedy
from syncd.model.mapping import Capture
from syncd.runtime.clock import ManualClock, World
from syncd.runtime.secret import Secret
from syncd.sandbox.hubspot.simulator import OAUTH_APP
from syncd.systems.contract import StreamingSystem, VendorError
from syncd.systems.hubspot.auth import Auth
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.journal_events import change_of
from syncd.systems.hubspot.journal_pages import SCOPES, Files, Pages, PositionLostError
from syncd.systems.hubspot.journal_place import MARGIN_MS, Mend, Place, forgotten, lost, parse_place
from syncd.systems.hubspot.journal_subscriptions import Asked, lacking, left_over, standing_of, wanted_of
from syncd.systems.hubspot.settings import AppGrant, Paths
from syncd.systems.hubspot.vitals import Vitals

from .kit import CONTACTS, DEALS, Books, Vendor, settings
from .test_against_sandbox import Account, applied, contact, opened

PEOPLE = replace(CONTACTS, capture=Capture(stream=True, overlap_seconds=120))
CARTS = replace(DEALS, capture=Capture(stream=True, overlap_seconds=120))
APP = AppGrant(OAUTH_APP.client_id, Secret(OAUTH_APP.client_secret), SCOPES)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with opened(ManualClock()) as one:
        one.vendor.journal.settings.publish_seconds = 0.0
        yield one


class Watch:
    """One mapping's stream, as the engine follows it: a batch is asked for when the last one is staged."""

    def __init__(self, account: Account, hubspot, mapping, cursor=None) -> None:
        self.account, self.hubspot, self.mapping, self.cursor = account, hubspot, mapping, cursor
        self.changes, self.snapshots, self.gaps, self.mended = [], [], [], 0
        self.stream = hubspot.stream(mapping, cursor)

    async def one(self):
        coming = asyncio.ensure_future(anext(self.stream))
        while not coming.done():
            await asyncio.wait({coming}, timeout=0.01)
            if not coming.done():
                await self.account.clock.advance(5.0)
        batch = await coming
        self.cursor = batch.cursor
        self.changes += batch.changes
        self.snapshots += batch.snapshots
        self.gaps += [batch.gap] if batch.gap else []
        self.mended += batch.mended
        return batch

    async def until(self, done) -> None:
        for _ in range(200):
            if done(self):
                return
            await self.one()
        raise AssertionError(f"it never came: {len(self.changes)} changes, {self.gaps}")

    async def close(self) -> None:
        await self.stream.aclose()

    def kinds(self) -> list[ChangeKind]:
        return [one.kind for one in self.changes]


async def test_streams_share_the_pages_and_tell_every_kind_of_change(account):
    hubspot = await account.ready(journal=APP)
    assert isinstance(hubspot, StreamingSystem)
    assert ChangeKind.ERASED in hubspot.abilities("contacts").tells[Channel.STREAM]
    people, carts = Watch(account, hubspot, PEOPLE), Watch(account, hubspot, CARTS)
    await people.one()
    await carts.one()
    stood = {(one.type, one.type_id) for one in account.vendor.journal.subscriptions.values()}
    assert stood == {("OBJECT", "0-1"), ("OBJECT", "0-3"), ("ASSOCIATION", "0-3"), ("GDPR_PRIVACY_DELETION", "0-1")}
    [made] = (await applied(hubspot, PEOPLE, [contact(1)])).values()
    account.person("edit", "contacts", id=made.external_id, values={"phone": "+49 30 1"})
    other = account.person("create", "contacts", values={"email": "other@example.com"})
    survivor = account.person("merge", "contacts", id=made.external_id, other=other)
    account.person("archive", "contacts", id=survivor)
    account.person("restore", "contacts", id=survivor)
    account.person("gdpr_delete", "contacts", id=survivor)
    deal = account.person("create", "deals", values={"dealname": "x", "pipeline": "default", "dealstage": "closedwon"})
    before = account.vendor.requests
    await people.until(lambda seen: ChangeKind.ERASED in seen.kinds())
    await carts.until(lambda seen: seen.changes)
    assert account.vendor.requests - before == 2  # one question, one file, for both
    by_kind = {kind: [one for one in people.changes if one.kind is kind] for kind in people.kinds()}
    assert by_kind[ChangeKind.ERASED][0].external_id == survivor
    assert set(by_kind[ChangeKind.MERGED][0].payload["from"]) == {made.external_id, other}
    assert by_kind[ChangeKind.MERGED][0].payload["into"] == survivor
    told = [one.payload["told"] for one in by_kind[ChangeKind.HINT] if "told" in one.payload]
    assert {"phone": "+49 30 1"} in told  # the form by which the engine knows echoes without a read
    assert by_kind[ChangeKind.HINT][0].payload["told"].items() >= {"email": "p1@example.com"}.items()
    assert {one.external_id for one in carts.changes} == {deal}
    assert len({one.dedupe_key for one in people.changes}) == len(people.changes)
    calls = [call.kind for call, _ in account.books.paid]
    assert calls.count("journal") >= 3
    await people.close()
    await carts.close()


async def test_an_empty_journal_is_waited_for_and_the_cursor_moves_on(account):
    hubspot = await account.ready(journal=APP)
    people = Watch(account, hubspot, PEOPLE)
    first = parse_place((await people.one()).cursor)
    requests = account.vendor.requests
    second = parse_place((await people.one()).cursor)
    assert second.at - first.at >= 30_000
    assert account.vendor.requests - requests <= 12  # adaptive, five seconds at most
    account.person("create", "contacts", values={"email": "a@example.com"})
    await people.until(lambda seen: seen.changes)
    await people.close()


async def test_a_cut_longer_than_retention_is_stated_and_exactly_that_span_is_read_again(account):
    hubspot = await account.ready(journal=APP)
    people = Watch(account, hubspot, PEOPLE)
    await people.one()
    old = account.person("create", "contacts", values={"email": "old@example.com"})
    await people.until(lambda seen: seen.changes)
    await account.clock.advance(600)
    await people.one()  # nothing new: the cursor moves on all the same
    cursor = people.cursor
    await people.close()
    await account.clock.advance(3600)
    changed, gone, one, two = (
        account.person("create", "contacts", values={"email": f"p{n}@example.com"}) for n in range(4)
    )
    account.person("archive", "contacts", id=gone)
    survivor = account.person("merge", "contacts", id=one, other=two)
    await account.clock.advance(3 * 86_400 + 7200)  # the entries of the cut have aged out, unread
    late = account.person("create", "contacts", values={"email": "late@example.com"})
    later = Watch(account, hubspot, PEOPLE, cursor)
    await later.until(lambda seen: seen.mended and seen.changes)
    [gap] = later.gaps
    assert (gap.objects, gap.reason) == (("contacts",), "position-lost")
    assert gap.until_at - gap.from_at >= 3 * 86_400_000
    states = {one.external_id for one in later.snapshots if not one.deleted and not one.merged_into}
    assert {changed, survivor} <= states
    assert old not in states
    assert {one.external_id for one in later.snapshots if one.deleted} == {gone}
    assert {one.external_id: one.merged_into for one in later.snapshots if one.merged_into} == {
        one: survivor, two: survivor,
    }  # fmt: skip
    assert [change.external_id for change in later.changes] == [late]
    await later.close()


async def test_a_repair_goes_on_after_a_restart_where_it_was(account):
    hubspot = await account.ready(journal=APP)
    people = Watch(account, hubspot, PEOPLE)
    await people.one()
    for number in range(230):
        await account.clock.advance(0.01)
        account.person("create", "contacts", values={"email": f"p{number}@example.com"})
    account.vendor.journal.expire()
    account.vendor.journal.subscriptions.clear()
    await account.clock.advance(600)
    later = Watch(account, hubspot, PEOPLE, people.cursor)
    await later.until(lambda seen: len(seen.snapshots) >= 200)
    assert [one.reason for one in later.gaps] == ["subscription-lost"]
    await later.close()
    again = Watch(account, hubspot, PEOPLE, later.cursor)
    await again.until(lambda seen: seen.mended)
    assert not again.gaps  # it was stated, and is not begun anew
    assert len({one.external_id for one in [*later.snapshots, *again.snapshots]}) == 230
    assert len(again.snapshots) < 130
    await again.close()
    await people.close()


async def test_an_address_that_has_had_its_time_is_asked_for_again_and_a_missing_scope_stops_nothing_else(account):
    hubspot = await account.ready(journal=APP)
    account.vendor.journal.settings.url_seconds = 30.0
    people = Watch(account, hubspot, PEOPLE)
    await people.one()
    for number in range(3):
        account.person("create", "contacts", values={"email": f"p{number}@example.com"})
        account.vendor.journal.latest()  # an entry each
    await people.one()
    await account.clock.advance(31)
    await people.until(lambda seen: len(seen.changes) == 3)
    await people.close()
    poor = await account.connect(journal=replace(APP, scopes=("developer.webhooks_journal.read",)))
    with pytest.raises(VendorError) as told:
        await anext(poor.stream(PEOPLE, None))
    assert (told.value.failure.remedy, told.value.failure.status) == (Remedy.ASK, 403)


@pytest.mark.parametrize("batches", [True, False])
async def test_where_there_are_no_batches_entries_are_read_one_by_one_and_a_lost_one_is_told_from_that(batches):
    asked: list[str] = []

    def answer(request):
        tail = request.path.partition("2026-03/")[2]
        asked.append(tail)
        if tail.startswith("batch") and not batches:
            return httpx.Response(404, json={"message": "no such path"})
        if "gone" in tail:
            return httpx.Response(404, json={"message": "no entry at this offset", "category": "OBJECT_NOT_FOUND"})
        one = {"url": "https://files.example.com/x", "expiresAt": "x", "currentOffset": "b"}
        return httpx.Response(200, json={"results": [one]} if tail.startswith("batch") else one)

    vendor = Vendor(answer)

    def files(_):
        told = {"action": "CREATE", "objectTypeId": "0-1", "objectId": 7, "occurredAt": "2026-11-02T08:00:00Z"}
        return httpx.Response(200, json={"offset": "b", "publishedAt": "2026-11-02T08:00:00Z", "journalEvents": [told]})

    world = World(ManualClock())
    client = Client(settings(), Books(), world, Auth(settings(), world, None), Vitals(), vendor.transport(), "journal")
    store = Files(settings(), Books(), world, httpx.MockTransport(files))
    client.open()
    store.open()
    pages = Pages(client, store, Paths(), world)
    entry = await pages.next("a", Lane.LIVE)
    assert (entry.offset, entry.size, list(entry.events)) == ("b", 1, ["contacts"])
    with pytest.raises(PositionLostError):
        await pages.next("gone", Lane.LIVE)
    assert ("offset/a/next" in asked) is not batches
    await client.close()
    await store.close()


@pytest.mark.parametrize(
    "told", [{"results": [7]}, {"results": [{"url": "", "currentOffset": "b"}]}, {"results": "x"}, {"more": 1}, [{}]]
)
async def test_an_address_that_cannot_be_read_is_not_passed_over(told):
    vendor = Vendor(lambda _: httpx.Response(200, json=told))
    world = World(ManualClock())
    client = Client(settings(), Books(), world, Auth(settings(), world, None), Vitals(), vendor.transport(), "journal")
    client.open()
    pages = Pages(client, Files(settings(), Books(), world), Paths(), world)
    with pytest.raises(VendorError, match="unreadable-reply"):
        await pages.next("a", Lane.LIVE)
    await client.close()


@pytest.mark.parametrize(
    ("url", "fine"),
    [("https://files.example.com/x?Signature=1", True), ("http://files.example.com/x", False),
     ("http://127.0.0.1:81/x", True), ("http://127.0.0.1:82/x", False), ("ftp://x/y", False), ("https://169.254.169.254/x", False), ("https://[::1]/x", False), ("https://localhost/", False),
     ("https://127.1/", False), ("file:///etc", False),
     ("https://user:pass@files.example.com/x", False), ("", False)],
)  # fmt: skip
async def test_files_are_fetched_from_safe_addresses_only_and_without_a_token(url, fine):
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": "http://169.254.169.254/"})

    files = Files(settings(base_url="http://127.0.0.1:81"), Books(), World(ManualClock()), httpx.MockTransport(answer))
    files.open()
    if fine:
        assert (await files.fetch(url, Lane.LIVE))[0] == 302  # not followed
        assert "authorization" not in seen[0].headers
    else:
        with pytest.raises(VendorError, match="journal-"):
            await files.fetch(url, Lane.LIVE)
    await files.close()


# -- pure


def test_what_must_be_asked_for_is_compared_with_what_is():
    wanted = wanted_of(PEOPLE)
    assert "lastmodifieddate" not in wanted[0].properties
    standing = [replace(one, id=number) for number, one in enumerate(wanted, 1)]
    assert not lacking(wanted, standing)
    assert lacking(wanted, [replace(standing[0], properties=frozenset({"email"})), standing[1]]) == [wanted[0]]
    assert not lacking(wanted, [replace(standing[0], properties=frozenset()), standing[1]])  # all of them
    stranger = Asked("OBJECT", "0-2", frozenset({"CREATE"}), id=9)
    assert left_over(wanted, [*standing, stranger, replace(standing[0], id=10)]) == [stranger, standing[0]]
    told = {"id": 1, "portalId": 5, "subscriptionType": "OBJECT", "objectTypeId": "0-1", "actions": ["CREATE"]}
    assert standing_of(told, 5) is not None
    for change in (
        {"portalId": 6},
        {"subscriptionType": "APP_LIFECYCLE_EVENT"},
        {"deletedAt": "x"},
        {"objectIds": [1]},
    ):
        assert standing_of({**told, **change}, 5) is None


def test_nothing_is_lacking_where_the_journal_reaches_back_far_enough():
    place = Place("x", at=1_000_000, seen_at=1_000_000)
    assert lost(place, "position-lost", 900_000, 2_000_000, 60_000).mend is None
    onward = lost(place, "position-lost", 1_500_000, 2_000_000, 60_000)
    assert onward.mend == Mend(940_000, 1_500_000 + MARGIN_MS, "position-lost")
    assert (onward.offset, onward.floor) == ("", 940_000)
    assert lost(place, "position-lost", 0, 2_000_000, 60_000).mend.until_at == 2_000_000 + MARGIN_MS
    away = forgotten(Place("x", at=1_000_000, seen_at=500_000), 2_000_000, 60_000)
    assert (away.offset, away.mend.from_at) == ("x", 440_000)  # since it was last seen that all was asked for
    assert parse_place(away.text()) == away


@given(st.text(max_size=40) | st.just('{"offset":1}') | st.just("[]") | st.just('{"mend":{"x":1}}'))
def test_a_cursor_that_is_none_of_ours_is_told(text):
    if not text:
        return
    with pytest.raises(VendorError, match="bad-cursor"):
        parse_place(text)


values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.dictionaries(st.text(max_size=8), st.text())
)


@given(
    st.fixed_dictionaries({}, optional={
        "action": st.sampled_from(["CREATE", "UPDATE", "MERGE", "DELETE", "GDPR_DELETE", "SNAPSHOT", "NEW"]) | values,
        "objectId": values, "objectTypeId": values, "occurredAt": values, "propertyChanges": values,
        "primaryObjectId": values, "mergedObjectIds": values | st.lists(values, max_size=3), "newObjectId": values,
    })
)  # fmt: skip
def test_no_event_raises_and_what_is_not_understood_is_kept(event):
    change = change_of(event, "crm", "offset", 3, 7)
    if change is None:
        assert event["action"] == "SNAPSHOT"
        return
    assert change.dedupe_key == '["journal","offset",3]'
    assert change.external_id or change.kind is ChangeKind.OPAQUE
    assert change.kind is not ChangeKind.OPAQUE or change.payload["reason"]
