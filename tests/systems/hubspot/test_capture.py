"""Polling by search: everything that changed is seen, whatever the index does, and each sweep ends."""

import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.failure import Remedy
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.capture import Cursor, parse_cursor, question, step
from syncd.systems.hubspot.read import milliseconds
from syncd.systems.hubspot.settings import SEARCH_PAGE

from .kit import CONTACTS, NOW, Books, Vendor, obj, reply, served, system

OVERLAP = 60_000


class Index:
    """The vendor's search: one sort, ties in an order of its own, never beyond 10,000."""

    def __init__(self, stamps, shuffle=lambda id_: -id_):
        self.stamps = dict(stamps)
        self.shuffle = shuffle
        self.asked = 0

    def search(self, body):
        self.asked += 1
        assert body["after"] == "0"
        assert len(body["sorts"]) == 1
        rows = list(self.stamps.items())
        for one in body["filterGroups"][0]["filters"]:
            which = 0 if one["propertyName"] == "hs_object_id" else 1
            keep = {"GTE": operator.ge, "LTE": operator.le, "GT": operator.gt}[one["operator"]]
            rows = [row for row in rows if keep(row[which], int(one["value"]))]
        if body["sorts"][0]["propertyName"] == "hs_object_id":
            rows.sort()
        else:
            rows.sort(key=lambda row: (row[1], self.shuffle(row[0])))
        return rows[: body["limit"]]


def sweep(index, cursor, now=NOW, on_page=lambda: None):
    seen = []
    for _ in range(2000):
        place = parse_cursor(cursor.text())
        rows = index.search(question("lastmodifieddate", (), place, OVERLAP))
        seen += [id_ for id_, _ in rows]
        cursor, more = step(place, [stamp for _, stamp in rows], [id_ for id_, _ in rows], OVERLAP, now)
        on_page()
        if not more:
            return seen, cursor
    raise AssertionError("the sweep does not end")


def test_a_quiet_poll_is_one_question_and_keeps_its_mark():
    index = Index({})
    seen, cursor = sweep(index, Cursor(NOW - 5000))
    assert (seen, cursor, index.asked) == ([], Cursor(NOW - 5000), 1)


def test_a_burst_before_a_quiet_time_is_not_met_for_ever_where_the_vendors_time_is_known():
    quiet = NOW + 10 * OVERLAP
    sure, more = step(Cursor(NOW), [NOW], [7], OVERLAP, quiet, settles=True)
    assert (sure.high, more) == (quiet - OVERLAP, False)
    unsure, _ = step(Cursor(NOW), [NOW], [7], OVERLAP, quiet)
    assert unsure.high == NOW
    back, _ = step(sure, [], [], OVERLAP, quiet - 5 * OVERLAP, settles=True)
    assert back.high == sure.high, "a mark never goes back"


def test_everything_since_the_mark_is_seen_and_the_overlap_is_asked_again():
    index = Index({n: NOW - 100_000 + n for n in range(1, 1001)})
    seen, cursor = sweep(index, Cursor(NOW - 100_000))
    assert set(seen) == set(range(1, 1001))
    assert cursor == Cursor(NOW - 99_000)
    assert index.asked <= 7
    index.stamps[5000] = NOW - 99_000 - OVERLAP + 1
    assert 5000 in sweep(index, cursor)[0]


@pytest.mark.parametrize("count", [SEARCH_PAGE - 1, SEARCH_PAGE, SEARCH_PAGE + 1, 10_500])
def test_any_number_of_objects_with_one_stamp_is_walked_by_id(count):
    index = Index(dict.fromkeys(range(1, count + 1), NOW) | {90_000: NOW - 1, 90_001: NOW + 1})
    seen, _ = sweep(index, Cursor(NOW - 10))
    assert set(seen) == {*range(1, count + 1), 90_000, 90_001}
    assert index.asked <= count / SEARCH_PAGE + 5


def test_an_object_that_changes_during_the_sweep_does_not_hide_another():
    index = Index({n: NOW - 10_000 + n for n in range(1, 1001)})
    touched = iter(range(1, 1001))

    def touch():
        for _ in range(5):
            index.stamps[next(touched)] = NOW + index.asked

    seen, _ = sweep(index, Cursor(NOW - 20_000), on_page=touch)
    assert set(seen) == set(range(1, 1001))


def test_what_reaches_the_index_late_during_a_long_sweep_is_seen_by_the_next():
    index = Index({n: NOW + n for n in range(1, 1001)})  # keeps arriving for a second after the sweep began
    _, cursor = sweep(index, Cursor(NOW - OVERLAP), now=NOW)
    assert cursor.high == NOW
    index.stamps[7777] = NOW + 3
    assert 7777 in sweep(index, cursor, now=NOW + 5000)[0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=0, max_size=900),
    st.randoms(use_true_random=False),
)
def test_ties_across_page_ends_lose_nothing_whatever_their_order(offsets, dice):
    index = Index({n + 1: NOW + offset for n, offset in enumerate(offsets)}, shuffle=lambda id_: dice.random())
    seen, cursor = sweep(index, Cursor(NOW), now=NOW + 10)
    assert set(seen) == set(index.stamps)
    assert cursor.high == max(index.stamps.values(), default=NOW)


@given(st.builds(Cursor, st.integers(0, 2**50), st.none() | st.integers(0, 2**50), st.none() | st.integers(-1, 2**60),
                 st.integers(0, 2**50), st.integers(0, 2**50)))  # fmt: skip
def test_a_cursor_survives_a_restart(cursor):
    assert parse_cursor(cursor.text()) == cursor


@pytest.mark.parametrize("text", ["x", "{}", '{"high":"x"}', "[]", "3"])
def test_a_cursor_that_is_none_says_so(text):
    with pytest.raises(VendorError) as caught:
        parse_cursor(text)
    assert caught.value.failure.code == "bad-cursor"


async def test_a_poll_goes_through_the_typed_search_and_its_own_window():
    stamps = ["2026-11-02T07:59:59.000Z", "2026-11-02T07:59:59.500Z"]
    results = [obj(str(n), {"email": "a@b.c", "lastmodifieddate": stamp}) for n, stamp in enumerate(stamps, 1)]
    vendor = Vendor(lambda asked: reply(200, {"total": 2, "results": results}))
    books = Books()
    with served(vendor) as url:
        hubspot = system(vendor, books, base_url=url)
        await hubspot.open()
        page = await hubspot.poll(CONTACTS, None, Lane.SCHEDULED)
        await hubspot.close()
    [asked] = vendor.asked
    assert asked.path == "/crm/objects/2026-03/contacts/search"
    assert asked.body["filterGroups"][0]["filters"] == [
        {"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(NOW - OVERLAP)}
    ]
    assert asked.body["properties"] == [*CONTACTS.paths(), "lastmodifieddate"]
    assert [(call.kind, lane) for call, lane in books.paid] == [("search", Lane.SCHEDULED)]
    assert [one.external_id for one in page.snapshots] == ["1", "2"]
    assert page.snapshots[1].modified_at == NOW - 500
    assert not page.more


async def test_a_search_beyond_the_rate_waits_a_second_and_names_the_window():
    vendor = Vendor(lambda asked: reply(429, {"status": "error", "message": "You have reached your secondly limit."}))
    books = Books()
    with served(vendor) as url:
        hubspot = system(vendor, books, base_url=url)
        with pytest.raises(VendorError) as caught:
            await hubspot.poll(CONTACTS, None, Lane.SCHEDULED)
        await hubspot.close()
    assert (caught.value.failure.remedy, caught.value.failure.retry_after_seconds) == (Remedy.WAIT, 1)
    [(_, status, headers)] = books.seen
    assert (status, headers["x-syncd-window"]) == (429, "search")


async def test_a_page_that_is_cut_short_does_not_end_the_sweep_and_one_that_cannot_be_read_does_not_pass():
    rows = [obj(str(n), {"lastmodifieddate": f"2026-11-02T07:59:5{n}.000Z"}) for n in range(6)]

    def answer(asked):
        since = int(asked.body["filterGroups"][0]["filters"][0]["value"])
        there = [one for one in rows if milliseconds(one["properties"]["lastmodifieddate"]) >= since]
        more = {"paging": {"next": {"after": "2"}}} if len(there) > 2 else {}
        return reply(200, {"total": len(there), "results": there[:2], **more})

    vendor = Vendor(answer)
    with served(vendor) as url:
        hubspot = system(vendor, base_url=url)
        await hubspot.open()
        seen, page = [], await hubspot.poll(CONTACTS, None, Lane.SCHEDULED)
        while page.more:
            seen += page.snapshots
            page = await hubspot.poll(CONTACTS, page.cursor, Lane.SCHEDULED)
        assert {one.external_id for one in [*seen, *page.snapshots]} == {str(n) for n in range(6)}
        for results in ([obj("x")], [obj("1"), {"properties": {}}], [7]):
            vendor.answer = lambda _, results=results: reply(200, {"results": results})
            with pytest.raises(VendorError, match="unreadable-reply"):
                await hubspot.poll(CONTACTS, None, Lane.SCHEDULED)
        await hubspot.close()
