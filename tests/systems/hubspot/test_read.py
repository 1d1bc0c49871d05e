"""Reading by id and by key, what was merged, and the list for hydration."""

import pytest

from syncd.model.change import Lane
from syncd.model.delivery import Action
from syncd.model.failure import Remedy
from syncd.systems import wire
from syncd.systems.contract import VendorError, Write
from syncd.systems.hubspot.read import milliseconds, snapshot

from .kit import CONTACTS, KEY, NOW, Books, Vendor, envelope, obj, reply, served, system


async def open_read(vendor, call, books=None, **more):
    hubspot = system(vendor, books, **more)
    await hubspot.open()
    try:
        return await call(hubspot)
    finally:
        await hubspot.close()


def read(vendor, ids, books=None, **more):
    return open_read(vendor, lambda hubspot: hubspot.read(CONTACTS, ids, Lane.LIVE), books, **more)


def holding(*ids):
    def answer(asked):
        if asked.method == "GET":
            return reply(404, {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "no"})
        found = [obj(one, {"email": f"{one}@example.com", "phone": ""}) for one in asked.ids if one in ids]
        missed = [one for one in asked.ids if one not in ids]
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "x", "context": {"ids": missed}}
        return reply(207 if missed else 200, envelope(found[::-1], [error] if missed else None))

    return answer


async def test_a_read_asks_for_exactly_the_mapped_properties_a_hundred_at_a_time():
    ids = [str(n) for n in range(1, 251)]
    vendor = Vendor(holding(*ids))
    books = Books()
    result = await read(vendor, ids, books)
    assert set(result.found) == set(ids)
    assert result.missing == frozenset()
    assert sorted(len(one.ids) for one in vendor.asked) == [50, 100, 100]
    assert vendor.asked[0].body["properties"] == list(CONTACTS.paths())
    assert vendor.asked[0].path == "/crm/objects/2026-03/contacts/batch/read"
    assert len(books.paid) == 3


async def test_an_empty_value_is_null_and_the_stamp_is_milliseconds():
    result = await read(Vendor(holding("1")), ["1"])
    shot = result.found["1"]
    assert shot.data["phone"] is None
    assert (shot.object, shot.external_id, shot.version) == ("contacts", "1", "")
    assert shot.modified_at == 1_793_520_000_123


async def test_what_the_vendor_does_not_have_is_missing_after_a_single_look_each():
    vendor = Vendor(holding("1"))
    with served(vendor) as url:
        hubspot = system(Vendor(vendor.answer), None, base_url=url)
        await hubspot.open()
        result = await hubspot.read(CONTACTS, ["1", "2", "3"], Lane.LIVE)
        await hubspot.close()
    assert set(result.found) == {"1"}
    assert result.missing == {"2", "3"}
    assert sorted(one.path for one in vendor.asked) == [f"/crm/objects/2026-03/contacts/{one}" for one in (2, 3)]


async def test_one_unknown_answer_for_one_unanswered_id_is_the_survivor_of_a_merge():
    def answer(asked):
        return reply(200, envelope([obj("1"), obj("900")]))

    vendor = Vendor(answer)
    result = await read(vendor, ["1", "2"])
    assert result.found["2"].external_id == "900"
    assert len(vendor.asked) == 1


async def test_several_merged_ids_are_told_apart_by_single_reads():
    def answer(asked):
        if asked.method == "GET":
            return reply(200, obj({"2": "900", "3": "901"}[asked.path.rsplit("/", 1)[1]]))
        return reply(200, envelope([obj("1"), obj("901"), obj("900")]))

    vendor = Vendor(answer)
    with served(vendor) as url:
        hubspot = system(vendor, None, base_url=url)
        await hubspot.open()
        result = await hubspot.read(CONTACTS, ["1", "2", "3"], Lane.LIVE)
        await hubspot.close()
    assert {asked: shot.external_id for asked, shot in result.found.items()} == {"1": "1", "2": "900", "3": "901"}


async def test_find_goes_by_our_key_and_never_by_search():
    def answer(asked):
        return reply(207, envelope([obj("7", {KEY: "Customer-2"})], [
            {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "x", "context": {"ids": ["customer-1"]}}]))  # fmt: skip

    vendor = Vendor(answer)
    found = await open_read(vendor, lambda hubspot: hubspot.find(CONTACTS, ["customer-1", "customer-2"], Lane.LIVE))
    assert {key: shot.external_id for key, shot in found.items()} == {"customer-2": "7"}
    [asked] = vendor.asked
    assert asked.path.endswith("batch/read")
    assert asked.body["idProperty"] == KEY


async def test_another_error_inside_a_207_is_not_taken_for_missing():
    error = {"status": "error", "category": "INTERNAL_ERROR", "message": "x", "context": {"ids": ["1"]}}
    with pytest.raises(VendorError):
        await read(Vendor(lambda asked: reply(207, envelope([], [error]))), ["1"])


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"results":[', b"[]", b"{}"])
async def test_a_reply_that_is_no_envelope_is_tried_again(body):
    with pytest.raises(VendorError) as caught:
        await read(Vendor(lambda asked: reply(200, body)), ["1"])
    assert caught.value.failure.remedy is Remedy.RETRY


async def test_a_scan_goes_on_after_a_restart_and_ends():
    def answer(asked):
        after = int(asked.query.get("after", 0))
        page = [obj(str(n)) for n in range(after + 1, min(after + 100, 250) + 1)]
        more = {"paging": {"next": {"after": str(after + 100), "link": "x"}}} if after + 100 < 250 else {}
        return reply(200, {"results": page, **more})

    vendor = Vendor(answer)
    ids, cursor = [], None
    for _ in range(10):
        page = await open_read(vendor, lambda hubspot, at=cursor: hubspot.scan(CONTACTS, at, Lane.BULK))
        ids += [one.external_id for one in page.snapshots]
        cursor = page.cursor
        if not page.more:
            break
    assert ids == [str(n) for n in range(1, 251)]
    assert vendor.asked[0].query == {"limit": "100", "properties": ",".join(CONTACTS.paths()), "archived": "false"}
    asked = len(vendor.asked)
    page = await open_read(vendor, lambda hubspot: hubspot.scan(CONTACTS, cursor, Lane.BULK))
    assert (list(page.snapshots), page.more, len(vendor.asked)) == ([], False, asked)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2026-11-01T08:00:00Z", 1_793_520_000_000), ("2026-11-01T08:00:00.5+00:00", 1_793_520_000_500),
     ("1793520000123", 1_793_520_000_123), ("", 0), (None, 0), ("yesterday", 0), (NOW, NOW), ("2026-11-01T08:00:00", 0),
     (True, 0), (-1, 0), (10**14, 0), ("9" * 5000, 0), ("9" * 18, 0), ([], 0)],
)  # fmt: skip
def test_stamps_are_read_or_zero(text, expected):
    assert milliseconds(text) == expected


def test_the_modified_property_speaks_before_the_envelope():
    assert (
        snapshot("contacts", obj("1", {"lastmodifieddate": "2026-11-01T09:00:00.000Z"})).modified_at
        == 1_793_523_600_000
    )
    assert (
        snapshot("deals", obj("1", {"lastmodifieddate": "2026-11-01T09:00:00.000Z"})).modified_at == 1_793_520_000_123
    )


@pytest.mark.parametrize(
    "data", [[1, None], {"a": 1}, "x", [{"category": "OBJECT_NOT_FOUND", "context": {"ids": None}}]]
)
async def test_oddly_shaped_errors_of_a_207_do_not_break_a_read(data):
    body = {"status": "COMPLETE", "results": [obj("1"), None, {"properties": {}}], "errors": data}
    result = await read(Vendor(lambda asked: reply(207, body)), ["1"])
    assert set(result.found) == {"1"}


@pytest.mark.parametrize("cursor", ["x", "[]", "3"])
async def test_a_scan_cursor_that_is_none_says_so(cursor):
    with pytest.raises(VendorError) as caught:
        await open_read(Vendor(lambda asked: reply(200, {})), lambda hubspot: hubspot.scan(CONTACTS, cursor, Lane.BULK))
    assert caught.value.failure.code == "bad-cursor"


async def test_members_that_are_missing_or_of_another_kind_are_no_exceptions():
    odd = [{"id": "1", "properties": None}, {"id": "2", "properties": [1]}, {"id": "3"}, obj("4", {KEY: "k"})]
    vendor = Vendor(lambda asked: reply(200, {**envelope(odd), "paging": {"next": ["x"]}}))
    found = await open_read(vendor, lambda hubspot: hubspot.find(CONTACTS, ["k", "l"], Lane.LIVE))
    assert {key: one.external_id for key, one in found.items()} == {"k": "4"}
    page = await open_read(vendor, lambda hubspot: hubspot.scan(CONTACTS, None, Lane.BULK))
    assert (len(page.snapshots), page.more) == (4, False)


async def test_a_reply_that_swells_is_cut_off_and_a_write_is_looked_up(monkeypatch):
    monkeypatch.setattr(wire, "LARGEST_REPLY", 1000)
    vendor = Vendor(lambda asked: reply(200, envelope([obj("1", {"email": "x" * 2000})])))
    with pytest.raises(VendorError, match="too-large"):
        await read(vendor, ["1"])
    [verdict] = await open_read(
        vendor, lambda hubspot: hubspot.write(CONTACTS, [Write("k", Action.CREATE, {"email": "a@b.c"})], Lane.LIVE)
    )
    assert verdict.failure.remedy is Remedy.LOOK
