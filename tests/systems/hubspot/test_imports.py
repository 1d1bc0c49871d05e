"""Imports: when they are worth it, every row's end, and what a crash or a lost answer leaves of one."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.runtime.clock import ManualClock
from syncd.sandbox.hubspot.imports import ImportSettings
from syncd.sandbox.hubspot.tokens import ALL_SCOPES
from syncd.systems.contract import JobSystem, RelationWrite, Write
from syncd.systems.hubspot.imports_plan import ERRORS, choose, failure_of, key_of, sheet
from syncd.systems.hubspot.settings import BULK

from .kit import CONTACTS, KEY, PLAIN_DEALS
from .test_against_sandbox import Account, contact, opened

ROWS = 1600


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with opened(ManualClock()) as one:
        one.vendor.imports.settings = ImportSettings(rows_per_second=1000.0)
        yield one


class Book:
    def __init__(self) -> None:
        self.begun_jobs, self.ended_jobs = [], []

    async def begun(self, job) -> None:
        self.begun_jobs.append(job)

    async def ended(self, job) -> None:
        self.ended_jobs.append(job)


async def patiently(account: Account, work):
    """The result of something that waits on the clock."""
    task = asyncio.ensure_future(work)
    for _ in range(2000):
        await asyncio.wait({task}, timeout=0.01)
        if task.done():
            return task.result()
        await account.clock.advance(1.0)
    raise AssertionError("it never ended")


async def connected(account: Account, book: Book, **more):
    hubspot = await account.ready(**more)
    hubspot._imports._jobs = book
    return hubspot


async def test_many_new_contacts_go_by_one_import_and_each_gets_its_verdict(account):
    book = Book()
    hubspot = await connected(account, book)
    assert isinstance(hubspot, JobSystem)
    assert hubspot.abilities("contacts").bulk
    assert hubspot.capabilities.bulk_batch == BULK
    assert not hubspot.abilities("orders").bulk
    existing = account.person("create", "contacts", values={"email": "p1@example.com"})
    blocked = account.person("create", "contacts", values={"email": "p2@example.com"})
    account.person("gdpr_delete", "contacts", id=blocked)
    writes = [contact(n) for n in range(ROWS)]
    writes[3] = Write("customer-bad", Action.CREATE, {"email": "no address", "firstname": "Bo"})
    writes[4] = Write("customer-clears", Action.CREATE, {"email": "clear@example.com", "firstname": None})
    before = account.vendor.requests
    verdicts = {one.key: one for one in await patiently(account, hubspot.write(CONTACTS, writes, Lane.BULK))}
    assert account.vendor.requests - before < 25  # by batches: 16 upserts, and the three apart
    assert set(verdicts) == {one.key for one in writes}
    failed = {key: one.failure for key, one in verdicts.items() if one.outcome is Outcome.FAILED}
    assert set(failed) == {writes[1].key, writes[2].key, "customer-bad"}
    assert (failed[writes[1].key].remedy, failed[writes[1].key].existing_id) == (Remedy.LINK, existing)
    assert (failed[writes[2].key].remedy, "block" in failed[writes[2].key].message) == (Remedy.ASK, True)
    assert failed["customer-bad"].remedy is Remedy.ASK
    held = {row["properties"][KEY]: row["id"] for row in account.rows("contacts") if KEY in row["properties"]}
    applied = {key: one.external_id for key, one in verdicts.items() if one.outcome is Outcome.APPLIED}
    assert held == applied
    [job] = book.begun_jobs
    assert book.ended_jobs == [job]
    assert len(job.keys) == ROWS - 1  # what clears a value is no import's business


async def test_associations_are_written_after_the_import(account):
    hubspot = await connected(account, Book())
    person = account.person("create", "contacts", values={"email": "x@example.com"})
    plain = replace(PLAIN_DEALS, children=())
    writes = [
        Write(f"cart-{n:020x}", Action.CREATE, {"dealname": f"d{n}"}, relations=(RelationWrite("contacts", person, 3),))
        for n in range(ROWS)
    ]
    verdicts = await patiently(account, hubspot.write(plain, writes, Lane.BULK))
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}
    assert all(row["associations"]["contacts"] == [person] for row in account.rows("deals"))


async def test_an_import_that_a_crash_interrupts_is_gone_on_with_and_not_sent_again(account):
    book = Book()
    hubspot = await connected(account, book)
    writes = [contact(n) for n in range(ROWS)]
    task = asyncio.ensure_future(hubspot.write(CONTACTS, writes, Lane.BULK))
    for _ in range(1000):
        await asyncio.wait({task}, timeout=0.01)
        if account.vendor.imports.all:
            break
    task.cancel()
    await asyncio.wait({task})
    assert (len(book.begun_jobs), book.ended_jobs) == (1, [])
    later = await connected(account, book)
    verdicts = await patiently(account, later.resume(CONTACTS, book.begun_jobs[0], Lane.BULK))
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}
    assert {one.key for one in verdicts} == {one.key for one in writes}
    assert len(account.vendor.imports.all) == 1
    assert len(account.rows("contacts")) == ROWS
    assert book.ended_jobs == book.begun_jobs
    stranger = replace(book.begun_jobs[0], id="syncd crm contacts never-sent")
    told = await patiently(account, later.resume(CONTACTS, stranger, Lane.BULK))
    assert {one.failure.remedy for one in told} == {Remedy.RETRY}


async def test_a_lost_answer_is_found_by_name_and_a_missing_scope_is_asked_about_once(account):
    hubspot = await connected(account, Book())
    wire = hubspot._client.send

    async def lossy(*args):
        await wire(*args)
        return type("Reply", (), {"data": None})()

    hubspot._client.send = lossy
    verdicts = await patiently(account, hubspot.write(CONTACTS, [contact(n) for n in range(ROWS)], Lane.BULK))
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}
    assert len(account.vendor.imports.all) == 1
    app = account.vendor.tokens.of(f"Bearer {account.vendor.token}").app
    account.vendor.tokens.add_static("pat-eu1-poor", app, ALL_SCOPES - {"crm.import"})
    poor = await account.connect(access_token=type(hubspot._settings.access_token)("pat-eu1-poor"))
    more = [contact(n) for n in range(ROWS, 2 * ROWS)]
    verdicts = await patiently(account, poor.write(CONTACTS, more, Lane.BULK))
    assert {one.outcome for one in verdicts} == {Outcome.APPLIED}  # by batches
    assert len(account.vendor.imports.all) == 1


# -- pure


def test_an_import_is_chosen_where_it_costs_less_or_is_all_that_is_left():
    assert choose(100, None, running=False).imports is False
    assert choose(1400, None, running=False).imports is False
    assert choose(ROWS, None, running=False).imports is True
    assert choose(ROWS, None, running=True).imports is False
    assert choose(1400, 5, running=False).imports is False  # neither fits into the day
    assert choose(2500, None, running=False).reason == "2500 rows: 25 calls in batches, about 20 by import"


@given(st.integers(0, 2_000_000), st.none() | st.integers(0, 20_000))
def test_an_import_never_costs_more_than_batches_unless_the_day_is_spent(rows, left):
    choice = choose(rows, left, running=False)
    if choice.imports:
        assert 7 + -(-rows // 200) < -(-rows // 100) or (left is not None and left < -(-rows // 100))


def test_every_error_of_imports_is_sorted():
    assert len(ERRORS) == 68
    assert set(ERRORS.values()) == {Remedy.ASK, Remedy.RETRY}
    for type_, remedy in ERRORS.items():
        failure = failure_of({"errorType": type_, "knownColumnNumber": 1}, (KEY, "email"))
        assert (failure.remedy, failure.code, failure.fields, failure.single) == (remedy, type_, ("email",), True)
    for strange in ({}, {"errorType": "NEW", "knownColumnNumber": 7}, {"knownColumnNumber": True}, {"sourceData": 3}):
        assert failure_of(strange, (KEY,)).remedy is Remedy.RETRY
        assert key_of(strange) == ""


@given(
    st.lists(
        st.tuples(
            st.text("abc", min_size=1, max_size=3), st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=9))
        )
    )
)
def test_what_stands_in_the_file_is_what_was_given(rows):
    page = sheet("key", rows)
    read = list(csv.reader(io.StringIO(page.content.decode(), newline="")))
    assert tuple(read[0]) == page.columns
    assert [row[0] for row in read[1:]] == [key for key, _ in rows]
    for row, (_, values) in zip(read[1:], rows, strict=True):
        cells = dict(zip(page.columns, row, strict=True))
        assert {name: cells[name] for name in values} == values
