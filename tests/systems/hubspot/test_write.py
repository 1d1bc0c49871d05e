"""Writes: one verdict per input, few calls, nothing doubled, nothing taken for done that was not told."""

import re

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.systems.contract import ChildrenWrite, ChildWrite, RelationWrite, Write
from syncd.systems.hubspot.batch import Input, waves
from syncd.systems.hubspot.imports import _fits
from syncd.systems.hubspot.values import wire

from .kit import CONTACTS, KEY, PLAIN_DEALS, TOKEN, Books, Vendor, envelope, obj, reply, system


class Account:
    """A vendor that does as it is asked, keeps what it did, and fails where a test plants it."""

    def __init__(self):
        self.held = {}
        self.ties = set()
        self.archived = set()
        self.living = set()
        self.binned = set()
        self.refuse = lambda asked: None
        self.bad = lambda one: None
        """An error body for one input, or None."""
        self.trace = True

    def answer(self, asked):
        refusal = self.refuse(asked)
        if refusal is not None:
            return refusal
        object_ = re.search(r"/(?:objects|associations)/2026-03/(\w+)", asked.path).group(1)
        if "/associations/" in asked.path:
            return self.associate(asked)
        if asked.path.endswith("batch/archive"):
            self.archived |= set(asked.ids)
            return reply(204)
        if asked.path.endswith("batch/read"):
            there = self.binned if asked.query.get("archived") == "true" else self.living - self.archived
            return reply(200, envelope([obj(one) for one in asked.ids if one in there]))
        results, errors = [], []
        for one in asked.body["inputs"]:
            error = self.bad(one)
            if error is not None:
                if not self.trace:
                    return reply(400, error)
                errors.append(error | {"context": {"objectWriteTraceId": [one["objectWriteTraceId"]]}})
                continue
            new = (object_, one["id"]) not in self.held
            id_ = (
                one["id"]
                if asked.path.endswith("update")
                else self.held.setdefault((object_, one["id"]), str(1000 + len(self.held)))
            )
            results.append(obj(id_, one["properties"], new=new, objectWriteTraceId=one["objectWriteTraceId"]))
        return reply(207 if errors else 200, envelope(results[::-1], errors))

    def associate(self, asked):
        made = []
        for one in asked.body["inputs"]:
            tie = (one["from"]["id"], one["to"]["id"], one["types"][0]["associationTypeId"])
            if asked.path.endswith("labels/archive"):
                self.ties.discard(tie)
            else:
                self.ties.add(tie)
                made.append({"fromObjectId": tie[0], "toObjectId": tie[1], "labels": []})
        return reply(204) if asked.path.endswith("archive") else reply(201, envelope(made))


def create(number, **more):
    return Write(f"customer-{number:020x}", Action.CREATE, {"email": f"p{number}@example.com"}, **more)


def update(number, **more):
    return Write(f"customer-{number:020x}", Action.UPDATE, {"phone": str(number)}, external_id=str(number), **more)


async def run(account, mapping, writes, books=None, **more):
    vendor = account if isinstance(account, Vendor) else Vendor(account.answer)
    hubspot = system(vendor, books, **more)
    await hubspot.open()
    try:
        verdicts = await hubspot.write(mapping, writes, Lane.LIVE)
    finally:
        await hubspot.close()
    assert sorted(one.key for one in verdicts) == sorted(one.key for one in writes)
    return {one.key: one for one in verdicts}, vendor


async def test_a_hundred_creates_are_one_upsert_on_our_own_key():
    verdicts, vendor = await run(Account(), CONTACTS, [create(n) for n in range(100)])
    [asked] = vendor.asked
    assert asked.path == "/crm/objects/2026-03/contacts/batch/upsert"
    first = asked.body["inputs"][0]
    assert first["idProperty"] == KEY
    assert first["id"] == first["properties"][KEY] == f"customer-{0:020x}"
    assert len({one["objectWriteTraceId"] for one in asked.body["inputs"]}) == 100
    assert all(one.outcome is Outcome.APPLIED and one.external_id for one in verdicts.values())


async def test_more_than_a_hundred_are_cut_and_every_call_is_paid_for_and_observed():
    books = Books()
    _, vendor = await run(Account(), CONTACTS, [create(n) for n in range(250)], books)
    assert sorted(len(one.ids) for one in vendor.asked) == [50, 100, 100]
    assert [call.kind for call, _ in books.paid] == ["api"] * 3
    assert [status for _, status, _ in books.seen] == [200] * 3


async def test_results_in_another_order_reach_their_own_input():
    verdicts, _ = await run(Account(), CONTACTS, [create(n) for n in range(10)])
    for n in range(10):
        shot = verdicts[f"customer-{n:020x}"].snapshot
        assert shot.data["email"] == f"p{n}@example.com"


async def test_updates_go_by_id_and_null_clears_with_an_empty_string():
    write = Write("customer-1", Action.UPDATE, {"phone": None, "firstname": "Ann"}, external_id="42")
    verdicts, vendor = await run(Account(), CONTACTS, [write])
    [asked] = vendor.asked
    assert asked.path.endswith("contacts/batch/update")
    assert asked.body["inputs"][0]["properties"] == {"phone": "", "firstname": "Ann"}
    assert verdicts["customer-1"].external_id == "42"


async def test_one_bad_input_of_a_207_fails_alone():
    account = Account()
    account.bad = lambda one: (
        {"status": "error", "category": "VALIDATION_ERROR", "message": "bad"} if one["id"].endswith("3") else None
    )
    verdicts, vendor = await run(account, CONTACTS, [create(n) for n in range(10)])
    failed = [key for key, one in verdicts.items() if one.outcome is Outcome.FAILED]
    assert failed == [f"customer-{3:020x}"]
    assert verdicts[failed[0]].failure.remedy is Remedy.ASK
    assert len(vendor.asked) == 1


async def test_a_batch_refused_whole_is_taken_apart_until_the_poison_stands_alone():
    account = Account()
    account.trace = False
    account.bad = lambda one: (
        {"status": "error", "category": "VALIDATION_ERROR", "message": "bad"}
        if int(one["id"][-20:], 16) in (3, 77)
        else None
    )
    books = Books()
    verdicts, vendor = await run(account, CONTACTS, [create(n) for n in range(100)], books)
    failed = {int(key[-20:], 16) for key, one in verdicts.items() if one.outcome is Outcome.FAILED}
    assert failed == {3, 77}
    assert len(vendor.asked) == len(books.paid) < 32


async def test_a_missing_property_fails_only_those_who_set_it_and_costs_one_more_call():
    def refuse(asked):
        if any("credit" in one["properties"] for one in asked.body["inputs"]):
            inner = '[{"isValid":false,"message":"x","error":"PROPERTY_DOESNT_EXIST","name":"credit"}]'
            return reply(400, {"status": "error", "category": "VALIDATION_ERROR", "message": f"not valid: {inner}"})
        return None

    account = Account()
    account.refuse = refuse
    writes = [Write(f"c-{n}", Action.CREATE, {"email": "x"} | ({"credit": "1"} if n % 2 else {})) for n in range(100)]
    verdicts, vendor = await run(account, CONTACTS, writes)
    assert len(vendor.asked) == 2
    for n in range(100):
        failure = verdicts[f"c-{n}"].failure
        assert (failure.fields if failure else None) == (("credit",) if n % 2 else None)


async def test_an_email_that_exists_links():
    account = Account()
    account.bad = lambda one: {
        "status": "error",
        "category": "CONFLICT",
        "message": "Contact already exists. Existing ID: 9",
    }
    verdicts, _ = await run(account, CONTACTS, [create(1)])
    failure = verdicts[f"customer-{1:020x}"].failure
    assert (failure.remedy, failure.existing_id) == (Remedy.LINK, "9")


async def test_a_create_that_names_an_object_adopts_it_by_writing_our_key():
    _, vendor = await run(Account(), CONTACTS, [create(1, external_id="9")])
    [asked] = vendor.asked
    assert asked.path.endswith("batch/update")
    assert asked.body["inputs"][0]["properties"][KEY] == f"customer-{1:020x}"


async def test_a_2xx_that_speaks_of_nothing_leaves_every_input_to_be_looked_up():
    verdicts, _ = await run(Vendor(lambda asked: reply(200, envelope([]))), CONTACTS, [create(n) for n in range(3)])
    assert {one.failure.remedy for one in verdicts.values()} == {Remedy.LOOK}


async def test_a_batch_that_is_still_pending_is_looked_up_later():
    data = {"status": "PENDING", "results": []}
    verdicts, _ = await run(Vendor(lambda asked: reply(200, data)), CONTACTS, [create(1)])
    [verdict] = verdicts.values()
    assert verdict.failure.remedy is Remedy.LOOK
    assert "PENDING" in verdict.failure.message


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: reply(200, b'{"status":"COMPLETE","results":[{"id"'),
        lambda asked: reply(200, b"<html>maintenance</html>"),
        lambda asked: reply(200, b""),
        lambda asked: reply(502, b"<html>bad gateway</html>"),
        lambda asked: reply(503, b""),
    ],
)
async def test_what_may_have_been_applied_is_looked_up(answer):
    verdicts, _ = await run(Vendor(answer), CONTACTS, [create(n) for n in range(3)])
    assert {one.failure.remedy for one in verdicts.values()} == {Remedy.LOOK}


async def test_a_time_out_after_sending_is_looked_up_and_observed_as_status_0():
    def answer(asked):
        raise httpx.ReadTimeout("slow")

    books = Books()
    verdicts, _ = await run(Vendor(answer), CONTACTS, [create(1)], books)
    assert [one.failure.remedy for one in verdicts.values()] == [Remedy.LOOK]
    assert [status for _, status, _ in books.seen] == [0]


async def test_a_connection_that_never_stood_is_simply_tried_again():
    def answer(asked):
        raise httpx.ConnectError("refused")

    verdicts, _ = await run(Vendor(answer), CONTACTS, [create(1)])
    assert [one.failure.remedy for one in verdicts.values()] == [Remedy.RETRY]


async def test_an_empty_budget_is_a_verdict_that_says_when():
    verdicts, vendor = await run(Account(), CONTACTS, [create(1)], Books(left=0))
    [verdict] = verdicts.values()
    assert (verdict.failure.remedy, verdict.failure.retry_after_seconds) == (Remedy.WAIT, 7.5)
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(429, Remedy.WAIT), (423, Remedy.WAIT), (477, Remedy.WAIT), (401, Remedy.REFRESH), (403, Remedy.STOP)],
)
async def test_refusals_of_the_whole_connection_are_not_taken_apart(status, remedy):
    verdicts, vendor = await run(Vendor(lambda asked: reply(status, b"")), CONTACTS, [create(n) for n in range(50)])
    assert {one.failure.remedy for one in verdicts.values()} == {remedy}
    assert len(vendor.asked) == 1


async def test_the_same_object_twice_goes_in_two_batches_one_after_the_other():
    writes = [
        Write("a", Action.UPDATE, {"phone": "1"}, external_id="5"),
        Write("b", Action.UPDATE, {"phone": "2"}, external_id="5"),
        Write("c", Action.UPDATE, {"phone": "3"}, external_id="6"),
    ]
    _, vendor = await run(Account(), CONTACTS, writes)
    assert [one.ids for one in vendor.asked] == [["5", "6"], ["5"]]


async def test_an_update_of_a_merged_object_takes_the_survivors_id():
    def answer(asked):
        return reply(200, envelope([obj("900", asked.body["inputs"][0]["properties"])]))

    verdicts, _ = await run(Vendor(answer), CONTACTS, [update(5)])
    [verdict] = verdicts.values()
    assert (verdict.outcome, verdict.external_id) == (Outcome.APPLIED, "900")


async def test_an_object_that_is_gone_says_so():
    def answer(asked):
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["5"]}}
        return reply(207, envelope([obj("6")], [error]))

    verdicts, _ = await run(Vendor(answer), CONTACTS, [update(5), update(6)])
    assert verdicts[f"customer-{5:020x}"].failure.remedy is Remedy.GONE
    assert verdicts[f"customer-{6:020x}"].outcome is Outcome.APPLIED


async def test_errors_that_name_nobody_are_pinned_down_by_halving():
    def answer(asked):
        bad = [one for one in asked.body["inputs"] if one["id"] == "7"]
        good = [obj(one["id"], one["properties"]) for one in asked.body["inputs"] if one["id"] not in ("7", "8")]
        if len(asked.ids) == 1:
            good = [obj(one["id"]) for one in asked.body["inputs"] if one["id"] == "8"]
        error = {"status": "error", "category": "VALIDATION_ERROR", "message": "somebody is bad"}
        return reply(207 if bad else 200, envelope(good, [error] if bad else None))

    verdicts, _ = await run(Vendor(answer), CONTACTS, [update(n) for n in (6, 7, 8)])
    assert verdicts[f"customer-{7:020x}"].failure.remedy is Remedy.ASK
    assert verdicts[f"customer-{8:020x}"].outcome is Outcome.APPLIED


async def test_a_deletion_archives_what_stands_and_tells_what_lies_in_the_bin_from_what_never_was():
    account = Account()
    account.living, account.binned = {"0", "1"}, {"2"}
    writes = [Write(f"c{n}", Action.DELETE, {}, external_id=str(n)) for n in range(4)]
    verdicts, vendor = await run(account, CONTACTS, writes)
    assert account.archived == {"0", "1"}
    assert len(vendor.asked) == 3
    assert {key for key, one in verdicts.items() if one.outcome is Outcome.APPLIED} == {"c0", "c1", "c2"}
    assert verdicts["c3"].failure.remedy is Remedy.GONE


async def test_one_id_that_spoils_an_archive_fails_alone_and_a_lost_answer_is_tried_again():
    account = Account()
    account.living = {str(n) for n in range(4)}
    account.refuse = lambda asked: (
        reply(400, {"category": "VALIDATION_ERROR", "message": "no"})
        if asked.path.endswith("batch/archive") and "2" in asked.ids else None
    )  # fmt: skip
    writes = [Write(f"c{n}", Action.DELETE, {}, external_id=str(n)) for n in range(4)]
    verdicts, _ = await run(account, CONTACTS, writes)
    assert account.archived == {"0", "1", "3"}
    assert verdicts["c2"].failure.remedy is Remedy.ASK
    account.refuse = lambda asked: reply(502, b"<html>") if asked.path.endswith("batch/archive") else None
    verdicts, _ = await run(account, CONTACTS, writes[2:3])
    assert verdicts["c2"].failure.remedy is Remedy.RETRY


def deal(number, items=3, **more):
    upsert = tuple(ChildWrite(f"i{n}", {"name": f"thing {n}", "quantity": 2, "price": "9.99"}) for n in range(items))
    return Write(
        f"cart-{number:020x}", Action.CREATE, {"dealname": f"Abandoned Cart: p{number}@example.com", "amount": "9.99"},
        relations=(RelationWrite("contacts", str(50_000 + number), 3),),
        children=(ChildrenWrite("line_items", 20, upsert),), **more,
    )  # fmt: skip


async def test_a_hundred_deals_with_items_cost_one_upsert_two_association_calls_and_a_call_per_hundred_items():
    account = Account()
    verdicts, vendor = await run(account, PLAIN_DEALS, [deal(n) for n in range(100)])
    assert vendor.count() == {
        "deals/batch/upsert": 1, "deals/contacts/batch/create": 1, "line_items/batch/upsert": 3,
        "line_items/deals/batch/create": 1,
    }  # fmt: skip
    assert all(one.outcome is Outcome.APPLIED and len(one.children) == 3 for one in verdicts.values())
    assert len([one for one in account.ties if one[2] == 3]) == 100
    assert len([one for one in account.ties if one[2] == 20]) == 300
    assert ("line_items", f"cart-{0:020x}:i0") in account.held


async def test_repeating_a_write_with_children_changes_nothing():
    account = Account()
    first, _ = await run(account, PLAIN_DEALS, [deal(1)])
    held, ties = dict(account.held), set(account.ties)
    again, _ = await run(account, PLAIN_DEALS, [deal(1)])
    assert (account.held, account.ties) == (held, ties)
    assert [one.children for one in first.values()] == [one.children for one in again.values()]


async def test_known_children_are_not_tied_again_and_removed_ones_are_archived():
    account = Account()
    known, _ = await run(account, PLAIN_DEALS, [deal(1, items=2)])
    [verdict] = known.values()
    part = ChildrenWrite(
        "line_items", 20, (ChildWrite("i0", {"quantity": 5}, verdict.children["i0"]),), {"i1": verdict.children["i1"]}
    )
    write = Write(verdict.key, Action.UPDATE, {}, external_id=verdict.external_id, children=(part,))
    again, vendor = await run(account, PLAIN_DEALS, [write])
    assert vendor.count() == {"line_items/batch/upsert": 1, "line_items/batch/archive": 1}
    assert account.archived == {verdict.children["i1"]}
    assert again[verdict.key].outcome is Outcome.APPLIED
    assert again[verdict.key].children == {"i0": verdict.children["i0"]}


async def test_a_child_that_fails_leaves_the_deal_applied_and_the_other_children_told():
    account = Account()
    account.bad = lambda one: (
        {"status": "error", "category": "VALIDATION_ERROR", "message": "bad"} if one["id"].endswith(":i1") else None
    )
    verdicts, _ = await run(account, PLAIN_DEALS, [deal(1), deal(2, items=1)])
    hurt, whole = verdicts[f"cart-{1:020x}"], verdicts[f"cart-{2:020x}"]
    assert (hurt.outcome, hurt.main_applied, hurt.failure.remedy) == (Outcome.FAILED, True, Remedy.ASK)
    assert hurt.external_id
    assert set(hurt.children) == {"i0", "i2"}
    assert (whole.outcome, whole.main_applied) == (Outcome.APPLIED, False)


async def test_a_child_that_could_not_be_tied_is_not_told_to_exist_so_that_it_comes_again():
    account = Account()
    account.refuse = lambda asked: reply(502, b"") if "line_items/deals" in asked.path else None
    verdicts, _ = await run(account, PLAIN_DEALS, [deal(1)])
    [verdict] = verdicts.values()
    assert (verdict.main_applied, verdict.failure.remedy, verdict.children) == (True, Remedy.RETRY, {})
    account.refuse = lambda asked: None
    verdicts, _ = await run(account, PLAIN_DEALS, [deal(1)])
    assert [len(one.children) for one in verdicts.values()] == [3]
    assert len(account.ties) == 4


async def test_a_contact_that_is_gone_does_not_make_the_deal_gone():
    def refuse(asked):
        if "deals/contacts" not in asked.path:
            return None
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "x",
                 "context": {"toObjectId": [asked.body["inputs"][0]["to"]["id"]]}}  # fmt: skip
        made = [{"fromObjectId": one["from"]["id"], "toObjectId": one["to"]["id"]} for one in asked.body["inputs"][1:]]
        return reply(207, envelope(made, [error]))

    account = Account()
    account.refuse = refuse
    verdicts, _ = await run(account, PLAIN_DEALS, [deal(1, 0), deal(2, 0)])
    assert verdicts[f"cart-{1:020x}"].failure.remedy is Remedy.RETRY
    assert verdicts[f"cart-{1:020x}"].main_applied
    assert verdicts[f"cart-{2:020x}"].outcome is Outcome.APPLIED


async def test_a_budget_that_runs_out_after_the_deal_waits_with_the_deal_applied():
    verdicts, _ = await run(Account(), PLAIN_DEALS, [deal(1)], Books(left=1))
    [verdict] = verdicts.values()
    assert (verdict.main_applied, verdict.failure.remedy) == (True, Remedy.WAIT)
    assert verdict.external_id


async def test_an_association_batch_that_is_too_long_is_halved():
    def refuse(asked):
        return (
            reply(400, {"message": "too many"})
            if len(asked.body["inputs"]) > 150 and "associations" in asked.path
            else None
        )

    account = Account()
    account.refuse = refuse
    verdicts, _ = await run(account, PLAIN_DEALS, [deal(n) for n in range(100)])
    assert all(one.outcome is Outcome.APPLIED for one in verdicts.values())
    assert len(account.ties) == 400


async def test_the_association_that_is_replaced_goes_after_the_new_one_stands():
    account = Account()
    account.ties = {("1", "50", 3)}
    relations = (RelationWrite("contacts", "50", 3, remove=True), RelationWrite("contacts", "51", 3))
    write = Write("cart-1", Action.UPDATE, {}, external_id="1", relations=relations)
    _, vendor = await run(account, PLAIN_DEALS, [write])
    assert account.ties == {("1", "51", 3)}
    assert [one.path.rsplit("batch/")[1] for one in vendor.asked] == ["create", "labels/archive"]


async def test_v3_and_v4_paths_are_used_when_chosen():
    vendor = Vendor(lambda asked: reply(200, envelope([obj("1", {KEY: "cart-1"})])))
    await run(vendor, PLAIN_DEALS, [Write("cart-1", Action.CREATE, {}, relations=(RelationWrite("contacts", "5", 3),))],
              api_version="v3")  # fmt: skip
    assert [one.path for one in vendor.asked] == [
        "/crm/v3/objects/deals/batch/upsert", "/crm/v4/associations/deals/contacts/batch/create",
    ]  # fmt: skip


async def test_v4_answers_with_numbers_for_ids_are_understood():
    def answer(asked):
        if "associations" in asked.path:
            return reply(201, envelope([{"fromObjectId": 1, "toObjectId": 5}]))
        return reply(200, envelope([obj("1", {KEY: "cart-1"})]))

    verdicts, _ = await run(
        Vendor(answer),
        PLAIN_DEALS,
        [Write("cart-1", Action.CREATE, {}, relations=(RelationWrite("contacts", "5", 3),))],
    )
    assert verdicts["cart-1"].outcome is Outcome.APPLIED


async def test_the_token_travels_in_its_header_only():
    _, vendor = await run(Account(), CONTACTS, [create(1)])
    assert vendor.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(system(vendor)._settings)


def test_values_are_text_on_the_wire():
    assert wire({"a": None, "b": True, "c": 3, "d": "x", "e": ["y"]}) == {
        "a": "",
        "b": "true",
        "c": "3",
        "d": "x",
        "e": '["y"]',
    }


@given(st.lists(st.sampled_from("abcdefgh"), max_size=40), st.integers(1, 5))
def test_no_wave_holds_an_id_twice_and_nothing_is_left_out(ids, size):
    inputs = [Input(str(number), {"id": id_, "properties": {}}) for number, id_ in enumerate(ids)]
    planned = waves(inputs, size)
    for wave in planned:
        flat = [one.id for batch in wave for one in batch]
        assert len(flat) == len(set(flat))
        assert all(len(batch) <= size for batch in wave)
    assert sorted(one.trace for wave in planned for batch in wave for one in batch) == sorted(
        one.trace for one in inputs
    )


@hypothesis_settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(0, 39), max_size=8), st.booleans(), st.integers(1, 40))
async def test_whoever_is_poisoned_everyone_else_is_written_once_and_told_so(poisoned, trace, count):
    account = Account()
    account.trace = trace
    account.bad = lambda one: (
        {"status": "error", "category": "VALIDATION_ERROR", "message": "bad"}
        if int(one["id"][-20:], 16) in poisoned
        else None
    )
    verdicts, _ = await run(account, CONTACTS, [create(n) for n in range(count)])
    failed = {int(key[-20:], 16) for key, one in verdicts.items() if one.outcome is Outcome.FAILED}
    assert failed == {n for n in poisoned if n < count}
    assert len(account.held) == count - len(failed)


async def test_half_a_character_fails_its_own_write_and_no_other():
    vendor = Vendor(lambda asked: reply(200, envelope([obj(str(n), {KEY: one}) for n, one in enumerate(asked.ids)])))
    writes = [Write(f"k{n}", Action.CREATE, {"firstname": "\ud800" if n == 3 else "Ada"}) for n in range(8)]
    hubspot = system(vendor)
    await hubspot.open()
    verdicts = {one.key: one for one in await hubspot.write(CONTACTS, writes, Lane.LIVE)}
    await hubspot.close()
    assert [key for key, one in verdicts.items() if one.failure] == ["k3"]
    assert (verdicts["k3"].failure.remedy, verdicts["k3"].failure.code) == (Remedy.ASK, "value-unwritable")
    assert not _fits(CONTACTS, writes[3], writes[3].values)
    assert _fits(CONTACTS, writes[2], writes[2].values)
