"""Writing: every input gets its verdict, whatever the reply looks like; nothing is made twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.change import Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Remedy
from syncd.systems.contract import ChildrenWrite, ChildWrite, RelationWrite, Verdict, Write
from syncd.systems.salesforce.collections import Done, Input, sort_results, waves

from .kit import DEALS, KEY, PEOPLE, Answer, Asked, Books, Vendor, connected, done, failed, page, record_id, refusal

CONTACT_KEY = f"composite/sobjects/Contact/{KEY}"


def create(number: int, **more: Any) -> Write:
    values = {"LastName": "Byron", "Email": f"p{number}@example.com"}
    return Write(f"customer-{number:020x}", Action.CREATE, values, **more)


def update(number: int, **values: Any) -> Write:
    return Write(f"customer-{number:020x}", Action.UPDATE, values or {"Phone": "1"}, external_id=record_id(number))


def number_of(one: dict[str, Any]) -> int:
    return int(one["id"][3:15]) if "id" in one else int(one[KEY].rsplit("-", 1)[1].split(":")[0], 16)


def upserts(asked: Asked) -> Answer:
    return Answer(200, [done(record_id(number_of(one)), created=True) for one in asked.body["records"]])


def updates(asked: Asked) -> Answer:
    return Answer(200, [done(one["id"]) for one in asked.body["records"]])


def by_key(verdicts: Sequence[Verdict]) -> dict[int, Verdict]:
    return {int(one.key.rsplit("-", 1)[1], 16): one for one in verdicts}


async def test_creates_are_upserts_on_our_key_and_updates_go_by_id(org: Vendor) -> None:
    org.on("PATCH", CONTACT_KEY, upserts)
    org.on("PATCH", "composite/sobjects", updates)
    adopted = replace(create(3), external_id=record_id(3))
    async with connected(org) as crm:
        verdicts = await crm.write(PEOPLE, [create(1), update(2, Phone=None), adopted], Lane.LIVE)
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED] * 3
    assert [one.external_id for one in verdicts] == [record_id(1), record_id(2), record_id(3)]
    made = org.calls(CONTACT_KEY)[0].body
    assert made == {"allOrNone": False, "records": [{
        "attributes": {"type": "Contact"}, "LastName": "Byron", "Email": "p1@example.com", KEY: f"customer-{1:020x}",
    }]}  # fmt: skip
    changed = org.calls("composite/sobjects")[0].body["records"]
    assert changed[0] == {"attributes": {"type": "Contact"}, "id": record_id(2), "Phone": None}
    assert changed[1][KEY] == f"customer-{3:020x}"


async def test_two_hundred_go_in_a_call_and_one_bad_one_spoils_none(org: Vendor) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(200, [
            failed("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ["LastName"])
            if number_of(one) == 7 else done(record_id(number_of(one)), created=True)
            for one in asked.body["records"]
        ])  # fmt: skip

    org.on("PATCH", CONTACT_KEY, answer)
    async with connected(org) as crm:
        verdicts = by_key(await crm.write(PEOPLE, [create(n) for n in range(1, 451)], Lane.LIVE))
    assert sorted(len(one.body["records"]) for one in org.calls(CONTACT_KEY)) == [50, 200, 200]
    assert [n for n, one in verdicts.items() if one.outcome is not Outcome.APPLIED] == [7]
    failure = verdicts[7].failure
    assert failure is not None
    assert (failure.remedy, failure.fields, failure.single) == (Remedy.ASK, ("LastName",), True)


async def test_a_call_refused_whole_is_halved_until_the_poison_stands_alone(org: Vendor) -> None:
    def answer(asked: Asked) -> Answer:
        if any(number_of(one) == 5 for one in asked.body["records"]):
            return refusal(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of date")
        return upserts(asked)

    org.on("PATCH", CONTACT_KEY, answer)
    async with connected(org) as crm:
        verdicts = by_key(await crm.write(PEOPLE, [create(n) for n in range(1, 17)], Lane.LIVE))
    assert [n for n, one in verdicts.items() if one.outcome is not Outcome.APPLIED] == [5]
    assert verdicts[5].failure is not None
    assert verdicts[5].failure.code == "JSON_PARSER_ERROR"


async def test_a_call_refused_for_what_all_of_it_shares_is_not_taken_apart_to_the_last_record(org: Vendor) -> None:
    org.on("PATCH", CONTACT_KEY, lambda asked: refusal(400, "INVALID_FIELD", "No such column 'X' on entity 'Contact'"))
    async with connected(org) as crm:
        verdicts = await crm.write(PEOPLE, [create(n) for n in range(200)], Lane.LIVE)
    assert {one.failure.remedy for one in verdicts if one.failure} == {Remedy.ASK}
    assert len(verdicts) == 200
    assert len(org.calls(CONTACT_KEY)) <= 31


async def test_a_key_field_that_was_taken_away_loses_no_create_and_no_link(org: Vendor) -> None:
    hidden = refusal(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {KEY}")
    org.on("PATCH", CONTACT_KEY, lambda asked: hidden)
    org.on("DELETE", "composite/sobjects", lambda asked: hidden)
    doomed = Write(f"customer-{3:020x}", Action.DELETE, {}, external_id=record_id(3))
    async with connected(org) as crm:
        verdicts = await crm.write(PEOPLE, [create(1), create(2), doomed], Lane.LIVE)
    assert [one.failure.remedy for one in verdicts if one.failure] == [Remedy.ASK] * 3


async def test_a_reply_that_names_nobody_leaves_everybody_in_doubt(org: Vendor) -> None:
    for data in ([done(record_id(1), created=True)], [], {}, [None, None], [{"success": True}] * 2):
        org.on("PATCH", CONTACT_KEY, lambda asked, told=data: Answer(200, told))
        async with connected(org) as crm:
            verdicts = await crm.write(PEOPLE, [create(1), create(2)], Lane.LIVE)
        assert {one.failure.remedy for one in verdicts if one.failure} == {Remedy.LOOK}
        assert len([one for one in verdicts if one.failure]) == 2


async def test_a_write_whose_reply_is_lost_is_looked_for_and_no_budget_is_a_wait(org: Vendor) -> None:
    org.on("PATCH", CONTACT_KEY, lambda asked: Answer(0))
    books = Books()
    async with connected(org, books) as crm:
        (lost,) = await crm.write(PEOPLE, [create(1)], Lane.LIVE)
        books.left = 0
        (unpaid,) = await crm.write(PEOPLE, [create(1)], Lane.LIVE)
    assert lost.failure is not None
    assert lost.failure.remedy is Remedy.LOOK
    assert unpaid.failure is not None
    assert (unpaid.failure.remedy, unpaid.failure.retry_after_seconds) == (Remedy.WAIT, 7.5)


async def test_what_may_only_be_set_on_creation_is_left_out_when_the_record_is_there_already(org: Vendor) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(200, [
            failed("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: OpportunityId")
            if "OpportunityId" in one else done(record_id(9, "00k"), created=False)
            for one in asked.body["records"]
        ])  # fmt: skip

    org.on("PATCH", f"composite/sobjects/OpportunityLineItem/{KEY}", answer)
    write = Write(f"cart-{1:020x}", Action.UPDATE, {}, external_id=record_id(1, "006"), children=(items(1),))
    async with connected(org) as crm:
        (verdict,) = await crm.write(DEALS, [write], Lane.LIVE)
    assert verdict.outcome is Outcome.APPLIED
    assert verdict.children == {"i0": record_id(9, "00k")}


async def test_deleting_what_is_gone_is_fine(org: Vendor) -> None:
    org.on("DELETE", "composite/sobjects", lambda asked: Answer(200, [
        done(record_id(1)), failed("ENTITY_IS_DELETED"), failed("INSUFFICIENT_ACCESS_OR_READONLY"),
    ]))  # fmt: skip
    writes = [Write(f"customer-{n:020x}", Action.DELETE, {}, external_id=record_id(n)) for n in (1, 2, 3)]
    async with connected(org) as crm:
        verdicts = await crm.write(PEOPLE, writes, Lane.LIVE)
    assert [one.outcome for one in verdicts] == [Outcome.APPLIED, Outcome.APPLIED, Outcome.FAILED]
    assert org.calls("composite/sobjects")[0].query == {
        "ids": ",".join(record_id(n) for n in (1, 2, 3)), "allOrNone": "false",
    }  # fmt: skip


async def test_a_relation_is_written_as_its_reference_field(org: Vendor) -> None:
    org.on("PATCH", "composite/sobjects", updates)
    write = Write(
        f"cart-{1:020x}", Action.UPDATE, {"CloseDate": "2026-11-02T10:00:00.000Z", "Amount": "19.90"},
        external_id=record_id(1, "006"),
        relations=(RelationWrite("Contact", record_id(2), 0, path="Contact__c"),
                   RelationWrite("Contact", record_id(1), 0, remove=True, path="Contact__c")),
    )  # fmt: skip
    unnamed = replace(write, relations=(RelationWrite("Contact", record_id(2), 0),))
    async with connected(org) as crm:
        await crm.write(DEALS, [write], Lane.LIVE)
        await crm.write(DEALS, [unnamed], Lane.LIVE)
    for call in org.calls("composite/sobjects"):
        (record,) = call.body["records"]
        assert record["Contact__c"] == record_id(2)
        assert record["CloseDate"] == "2026-11-02"
        assert b'"Amount":19.9' in call.raw


async def test_a_relation_without_a_field_is_told(org: Vendor) -> None:
    write = Write(
        "cart-1", Action.UPDATE, {}, external_id=record_id(1, "006"), relations=(RelationWrite("Case", "x", 0),)
    )
    async with connected(org) as crm:
        (verdict,) = await crm.write(DEALS, [write], Lane.LIVE)
    assert verdict.failure is not None
    assert verdict.failure.code == "no-reference-field"
    assert not org.calls("composite.*")


# --- parents with children -------------------------------------------------------------------------------------------


def items(count: int, *, known: bool = False, **more: Any) -> ChildrenWrite:
    upsert = tuple(
        ChildWrite(f"i{n}", {"Description": f"thing {n}", "Quantity": "2", "UnitPrice": "9.90"}, record_id(n, "00k") if known else "")
        for n in range(count)
    )  # fmt: skip
    return ChildrenWrite("OpportunityLineItem", 0, upsert, path="OpportunityId", **more)


def deal(number: int, count: int = 2) -> Write:
    return Write(
        f"cart-{number:020x}", Action.CREATE, {"StageName": "Prospecting", "Name": "x"}, children=(items(count),)
    )


def composite(asked: Asked) -> Answer:
    """An org that resolves references."""
    made: dict[str, str] = {}
    parts = []
    for one in asked.body["compositeRequest"]:
        if "/composite/" not in one["url"]:
            number = int(one["url"].rsplit("-", 1)[1], 16)
            made[one["referenceId"]] = record_id(number, "006")
            parts.append({"body": {"id": made[one["referenceId"]], "success": True, "errors": [], "created": True},
                          "httpStatusCode": 201, "httpHeaders": {}, "referenceId": one["referenceId"]})  # fmt: skip
            continue
        results = []
        for record in one["body"]["records"]:
            found = re.fullmatch(r"@\{(\w+)\.id\}", record["OpportunityId"])
            assert found is not None
            results.append(done(f"{made[found[1]][:10]}{record[KEY].rsplit(':', 1)[1][1:]:0>5}", created=True))
        parts.append({"body": results, "httpStatusCode": 200, "httpHeaders": {}, "referenceId": one["referenceId"]})
    return Answer(200, {"compositeResponse": parts})


async def test_new_parents_travel_with_their_children_five_families_a_call(org: Vendor) -> None:
    org.on("POST", "composite", composite)
    async with connected(org) as crm:
        verdicts = by_key(await crm.write(DEALS, [deal(n) for n in range(1, 13)], Lane.LIVE))
    assert [len(one.body["compositeRequest"]) for one in org.calls("composite")] == [10, 10, 4]
    assert all(one.outcome is Outcome.APPLIED for one in verdicts.values())
    assert verdicts[3].external_id == record_id(3, "006")
    assert verdicts[3].children.keys() == {"i0", "i1"}
    first = org.calls("composite")[0].body
    assert first["allOrNone"] is False
    parent, children = first["compositeRequest"][:2]
    assert parent["url"] == f"/services/data/v67.0/sobjects/Opportunity/{KEY}/cart-{1:020x}"
    assert KEY not in parent["body"]
    assert children["body"]["records"][0][KEY] == f"cart-{1:020x}:i0"


async def test_a_parent_that_fails_keeps_its_children_away_and_no_other_family(org: Vendor) -> None:
    def answer(asked: Asked) -> Answer:
        told = composite(asked)
        for one in told.data["compositeResponse"]:
            if one["referenceId"] == "p1":
                one |= {
                    "httpStatusCode": 400,
                    "body": [{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no"}],
                }
            if one["referenceId"] == "p1c0":
                one |= {"httpStatusCode": 400, "body": [{"errorCode": "PROCESSING_HALTED", "message": "no"}]}
            if one["referenceId"] == "p2c0":
                one["body"][1] = failed("UNABLE_TO_LOCK_ROW")
        return told

    org.on("POST", "composite", answer)
    async with connected(org) as crm:
        verdicts = by_key(await crm.write(DEALS, [deal(n) for n in (1, 2, 3)], Lane.LIVE))
    assert verdicts[1].outcome is Outcome.APPLIED
    refused, half = verdicts[2], verdicts[3]
    assert refused.failure is not None
    assert (refused.failure.code, refused.main_applied) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", False)
    assert half.failure is not None
    assert (half.failure.remedy, half.main_applied, half.external_id) == (Remedy.RETRY, True, record_id(3, "006"))
    assert half.children.keys() == {"i0"}


async def test_a_family_met_again_after_a_lost_answer_leaves_out_what_is_fixed(org: Vendor) -> None:
    def first(asked: Asked) -> Answer:
        told = composite(asked)
        told.data["compositeResponse"][1]["body"] = [failed("INVALID_FIELD_FOR_INSERT_UPDATE", "no")] * 2
        return told

    sent: list[Any] = []

    def again(asked: Asked) -> Answer:
        sent.append(asked.body["records"])
        return Answer(200, [
            failed("INVALID_FIELD_FOR_INSERT_UPDATE") if "OpportunityId" in one else done(record_id(n, "00k"), created=False)
            for n, one in enumerate(asked.body["records"])
        ])  # fmt: skip

    org.on("POST", "composite", first)
    org.on("PATCH", f"composite/sobjects/OpportunityLineItem/{KEY}", again)
    async with connected(org) as crm:
        (verdict,) = await crm.write(DEALS, [deal(1)], Lane.LIVE)
    assert verdict.outcome is Outcome.APPLIED
    assert verdict.children == {"i0": record_id(0, "00k"), "i1": record_id(1, "00k")}
    assert ["OpportunityId" in one for one in sent[-1]] == [False, False]


async def test_children_of_a_known_parent_are_changed_made_and_removed(org: Vendor) -> None:
    org.on("PATCH", "composite/sobjects", updates)
    org.on("PATCH", f"composite/sobjects/OpportunityLineItem/{KEY}", lambda asked: Answer(
        200, [done(record_id(50 + n, "00k"), created=True) for n, _ in enumerate(asked.body["records"])]
    ))  # fmt: skip
    org.on(
        "DELETE", "composite/sobjects", lambda asked: Answer(200, [done(one) for one in asked.query["ids"].split(",")])
    )
    known = items(1, known=True)
    part = replace(
        known, upsert=(*known.upsert, ChildWrite("new", {"Quantity": "1"})), remove={"old": record_id(40, "00k")}
    )
    write = Write(
        f"cart-{1:020x}", Action.UPDATE, {"StageName": "Closed Won"}, external_id=record_id(1, "006"), children=(part,)
    )
    async with connected(org) as crm:
        (verdict,) = await crm.write(DEALS, [write], Lane.LIVE)
    assert verdict.outcome is Outcome.APPLIED
    assert verdict.children == {"i0": record_id(0, "00k"), "new": record_id(50, "00k")}
    changed = org.calls("composite/sobjects", "PATCH")[1].body["records"][0]
    assert "OpportunityId" not in changed
    assert org.calls("composite/sobjects", "DELETE")[0].query["ids"] == record_id(40, "00k")


async def test_a_child_that_somebody_deleted_is_made_again(org: Vendor) -> None:
    org.on("PATCH", "composite/sobjects", lambda asked: Answer(200, [failed("ENTITY_IS_DELETED")]))
    org.on("PATCH", f"composite/sobjects/OpportunityLineItem/{KEY}", lambda asked: Answer(
        200, [done(record_id(77, "00k"), created=True)]
    ))  # fmt: skip
    write = Write(
        f"cart-{1:020x}", Action.UPDATE, {}, external_id=record_id(1, "006"), children=(items(1, known=True),)
    )
    async with connected(org) as crm:
        (verdict,) = await crm.write(DEALS, [write], Lane.LIVE)
    assert verdict.children == {"i0": record_id(77, "00k")}


async def test_children_that_no_item_stands_for_go_when_it_is_not_known_what_hangs_there(org: Vendor) -> None:
    key = f"cart-{1:020x}"
    there = [
        {"Id": record_id(n, "00k"), KEY: one} for n, one in enumerate((f"{key}:i0", f"{key}:i9", "somebody-elses"))
    ]
    org.on("GET", "query/", lambda asked: page(there))
    org.on("PATCH", f"composite/sobjects/OpportunityLineItem/{KEY}", lambda asked: Answer(
        200, [done(record_id(0, "00k"), created=False)]
    ))  # fmt: skip
    org.on(
        "DELETE", "composite/sobjects", lambda asked: Answer(200, [done(one) for one in asked.query["ids"].split(",")])
    )
    write = Write(key, Action.UPDATE, {}, external_id=record_id(1, "006"), children=(items(1, complete=True),))
    async with connected(org) as crm:
        (verdict,) = await crm.write(DEALS, [write], Lane.LIVE)
    assert verdict.outcome is Outcome.APPLIED
    assert [one.query["ids"] for one in org.calls("composite/sobjects", "DELETE")] == [record_id(1, "00k")]


# --- pure ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 7))
def test_no_record_is_twice_in_a_wave(ids: list[int], size: int) -> None:
    inputs = [Input(mark, str(one), {}) for mark, one in enumerate(ids)]
    parts = waves(inputs, size)
    assert sorted(one.mark for wave in parts for batch in wave for one in batch) == list(range(len(ids)))
    for wave in parts:
        same = [one.same for batch in wave for one in batch]
        assert len(set(same)) == len(same)
        assert all(0 < len(batch) <= size for batch in wave)
    order = [one for wave in parts for batch in wave for one in batch]
    for one in set(ids):
        marks = [each.mark for each in order if each.same == str(one)]
        assert marks == sorted(marks), "writes of one record keep their order"


@settings(max_examples=50)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "success", "errors", "created"]), inner, max_size=4), max_leaves=10), st.integers(1, 4))  # fmt: skip
def test_no_reply_makes_sorting_fail(data: Any, count: int) -> None:
    results = sort_results(data, count, creates=True)
    assert len(results) == count
    assert all(isinstance(one, Done) and (one.failure is not None or one.id) for one in results)
