"""Every code of the vendor and every exception of the clients has its remedy."""

from __future__ import annotations

import time

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.failure import Remedy
from syncd.systems.salesforce.codes import BY_CODE, DOUBT, STREAM
from syncd.systems.salesforce.errors import (
    failure_of_item,
    failure_of_reply,
    failure_of_row,
    failure_of_stream,
    observed,
)

from .kit import failed


def body(code: str, message: str = "words of the vendor") -> bytes:
    import json

    return json.dumps([{"errorCode": code, "message": message, "fields": []}]).encode()


@pytest.mark.parametrize("code", BY_CODE)
def test_every_code_speaks_before_its_status_and_is_kept(code: str) -> None:
    for status in (400, 403, 404, 500):
        for writes in (False, True):
            failure = failure_of_reply(status, body(code), writes=writes)
            wanted = BY_CODE[code]
            if code == "INVALID_CROSS_REFERENCE_KEY":
                wanted = Remedy.REREAD
            if wanted is Remedy.GONE:
                wanted = Remedy.ASK  # A call as a whole speaks of no record.
            if wanted == DOUBT:
                wanted = Remedy.LOOK if writes else Remedy.RETRY
            assert failure.remedy is wanted
            assert failure.code == code
            assert failure.message == "words of the vendor"
            assert (failure.retry_after_seconds is not None) == (wanted is Remedy.WAIT or code == "UNABLE_TO_LOCK_ROW")


@pytest.mark.parametrize(("status", "remedy", "for_write"), [
    (300, Remedy.ASK, Remedy.ASK), (302, Remedy.RETRY, Remedy.RETRY), (400, Remedy.RETRY, Remedy.RETRY),
    (401, Remedy.REFRESH, Remedy.REFRESH), (403, Remedy.RETRY, Remedy.RETRY), (404, Remedy.RETRY, Remedy.RETRY),
    (408, Remedy.RETRY, Remedy.LOOK), (410, Remedy.STOP, Remedy.STOP), (414, Remedy.SPLIT, Remedy.SPLIT),
    (431, Remedy.SPLIT, Remedy.SPLIT), (429, Remedy.WAIT, Remedy.WAIT), (500, Remedy.RETRY, Remedy.LOOK),
    (502, Remedy.RETRY, Remedy.LOOK), (503, Remedy.RETRY, Remedy.LOOK), (504, Remedy.RETRY, Remedy.LOOK),
])  # fmt: skip
def test_a_gateways_page_never_says_gone_or_ask(status: int, remedy: Remedy, for_write: Remedy) -> None:
    content = b'["/services/data/v67.0/sobjects/Contact/003"]' if status == 300 else b"<html>maintenance</html>"
    assert failure_of_reply(status, content).remedy is remedy
    assert failure_of_reply(status, content, writes=True).remedy is for_write


def test_a_type_that_does_not_exist_is_not_a_record_that_is_gone() -> None:
    content = body("NOT_FOUND", "The requested resource does not exist")
    assert failure_of_reply(404, content).remedy is Remedy.ASK
    hidden = body("NOT_FOUND", "Provided external ID field does not exist or is not accessible: Key__c")
    assert failure_of_reply(404, hidden, writes=True).remedy is Remedy.ASK
    assert failure_of_item(failed("NOT_FOUND"), creates=False).remedy is Remedy.GONE


def test_a_lock_is_tried_again_soon_also_when_a_trigger_wraps_it() -> None:
    plain = failure_of_item(
        failed("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"), creates=False
    )
    wrapped = failure_of_item(
        failed("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Trg: caused by: UNABLE_TO_LOCK_ROW, try"), creates=False
    )
    thrown = failure_of_item(failed("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Trg: null pointer"), creates=False)
    assert (plain.remedy, plain.retry_after_seconds) == (Remedy.RETRY, 3.0)
    assert (wrapped.remedy, wrapped.retry_after_seconds) == (Remedy.RETRY, 3.0)
    assert thrown.remedy is Remedy.ASK


def test_a_duplicate_is_linked_only_where_the_vendor_names_it_and_only_on_a_create() -> None:
    message = "duplicate value found: Email__c duplicates value on record with id: 003000000000123"
    item = failed("DUPLICATE_VALUE", message, ["Email__c"])
    made, changed = failure_of_item(item, creates=True), failure_of_item(item, creates=False)
    assert (made.remedy, made.existing_id) == (Remedy.LINK, "003000000000123AAA"), "as everything else names it"
    assert (changed.remedy, changed.existing_id) == (Remedy.ASK, None)
    vague = failure_of_item(failed("DUPLICATE_VALUE", "duplicate value found: <unknown>"), creates=True)
    assert vague.remedy is Remedy.ASK


def test_what_is_being_made_is_never_gone() -> None:
    for code in ("ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"):
        assert failure_of_item(failed(code), creates=True).remedy is Remedy.RETRY
    assert failure_of_item(failed("ENTITY_IS_DELETED"), creates=False).remedy is Remedy.GONE
    named = failed("INVALID_CROSS_REFERENCE_KEY", "no", ["AccountId"])
    assert failure_of_item(named, creates=True).remedy is Remedy.ASK


def test_an_item_says_nothing_of_the_connection_and_names_every_field() -> None:
    item = {"success": False, "errors": [
        {"statusCode": "REQUIRED_FIELD_MISSING", "message": "a", "fields": ["LastName"]},
        {"statusCode": "STRING_TOO_LONG", "message": "b", "fields": ["Phone"]},
    ]}  # fmt: skip
    failure = failure_of_item(item, creates=True)
    assert failure.single
    assert failure.fields == ("LastName", "Phone")


@pytest.mark.parametrize(("text", "code", "message", "fields"), [
    ("REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --", "REQUIRED_FIELD_MISSING",
     "Required fields are missing: [LastName]", ("LastName",)),
    ("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access:--", "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", ()),
    ("DUPLICATE_VALUE:duplicate value found: K__c duplicates value on record with id: 003000000000123:K__c,L__c --",
     "DUPLICATE_VALUE", "duplicate value found: K__c duplicates value on record with id: 003000000000123", ("K__c", "L__c")),
    ("REQUIRED_FIELD_MISSING:Required fields are missing: [A, B]:A B --", "REQUIRED_FIELD_MISSING",
     "Required fields are missing: [A, B]", ("A", "B")),
    ("INVALID_EMAIL_ADDRESS:bad", "INVALID_EMAIL_ADDRESS", "bad", ()),
    ("INVALID_TYPE_ON_FIELD_IN_RECORD:not a date: today or so", "INVALID_TYPE_ON_FIELD_IN_RECORD",
     "not a date: today or so", ()),
])  # fmt: skip
def test_a_row_of_a_bulk_result_is_read(text: str, code: str, message: str, fields: tuple[str, ...]) -> None:
    failure = failure_of_row(text, creates=True)
    assert (failure.code, failure.message, failure.fields) == (code, message, fields)
    assert failure.single


@pytest.mark.parametrize(("code", "remedy"), STREAM.items())
def test_every_end_of_a_stream_has_its_remedy(code: str, remedy: Remedy) -> None:
    failure = failure_of_stream(f"sfdc.platform.eventbus.grpc.{code}", "INVALID_ARGUMENT", "x")
    assert (failure.remedy, failure.code) == (remedy, code)


@pytest.mark.parametrize("status", grpc.StatusCode)
def test_every_status_of_grpc_has_a_remedy(status: grpc.StatusCode) -> None:
    failure = failure_of_stream("", status.name, "")
    assert failure.code == f"grpc-{status.name.lower()}"
    assert failure.remedy is not Remedy.LOOK


def test_addresses_and_secrets_do_not_reach_messages() -> None:
    content = body("INVALID_EMAIL_ADDRESS", "Email: ada@example.com; Bearer 00D000000000001!AQ.x_y")
    failure = failure_of_reply(400, content)
    assert "ada@" not in failure.message
    assert "AQ.x_y" not in failure.message + failure.reply


def test_the_budget_is_told_of_a_refusal_it_would_not_recognise() -> None:
    assert observed(403, {"A": "b"}, body("REQUEST_LIMIT_EXCEEDED"))[0] == 429
    assert observed(403, {}, body("INSUFFICIENT_ACCESS"))[0] == 403


@given(st.integers(300, 599), st.binary(max_size=200), st.booleans())
def test_no_reply_makes_the_table_fail(status: int, content: bytes, writes: bool) -> None:
    failure = failure_of_reply(status, content, writes=writes)
    assert failure.code
    assert failure.remedy is not Remedy.LOOK or writes


@given(st.text(max_size=100))
def test_no_row_makes_the_table_fail(text: str) -> None:
    assert failure_of_row(text, creates=False).remedy in Remedy


# --- exceptions ------------------------------------------------------------------------------------------------------


def test_a_refusal_that_repeats_a_long_value_costs_no_time() -> None:
    began = time.process_time()
    told = failure_of_item(failed("STRING_TOO_LONG", "data value too large: " + "x" * 2_000_000), creates=True)
    assert len(told.message) <= 1000
    assert time.process_time() - began < 2
