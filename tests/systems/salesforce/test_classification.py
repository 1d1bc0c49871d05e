"""Every code that the vendor is known to send, and every exception of the clients that speak to it, has its remedy: stated
here a second time, by hand, so that a slip in the connector's tables shows. What nobody knows yet is tried again, and is a
dead letter in the end; it is never taken for success, and holds up nothing else."""

from __future__ import annotations

import inspect
import json

import fastavro.read
import fastavro.schema
import grpc
import httpx
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from simple_salesforce import exceptions as library

from syncd.model.failure import Failure, Remedy
from syncd.systems.mishaps import exception_kind, failure_of_exception
from syncd.systems.salesforce.avro import UnreadableEventError, decode, parse_schema
from syncd.systems.salesforce.codes import BY_CODE, BY_PREFIX, OAUTH, STREAM
from syncd.systems.salesforce.errors import (
    failure_of_item,
    failure_of_reply,
    failure_of_row,
    failure_of_sign_in,
    failure_of_stream,
    remedy_of_code,
)

ASK, GONE, LOOK, REFRESH = Remedy.ASK, Remedy.GONE, Remedy.LOOK, Remedy.REFRESH
REREAD, RETRY, SPLIT, STOP, WAIT = Remedy.REREAD, Remedy.RETRY, Remedy.SPLIT, Remedy.STOP, Remedy.WAIT

SIGN_IN = {
    "invalid_grant": STOP, "invalid_client_id": STOP, "invalid_client": STOP, "unsupported_grant_type": STOP,
    "invalid_request": STOP, "inactive_user": STOP, "inactive_org": STOP, "invalid_app_access": STOP,
    "rate_limit_exceeded": WAIT,
}  # fmt: skip
REST = [
    # status, code, read, write
    (401, "INVALID_SESSION_ID", REFRESH, REFRESH), (403, "REQUEST_LIMIT_EXCEEDED", WAIT, WAIT),
    (403, "INSUFFICIENT_ACCESS", ASK, ASK), (403, "INSUFFICIENT_ACCESS_OR_READONLY", ASK, ASK),
    (403, "API_DISABLED_FOR_ORG", STOP, STOP), (403, "API_CURRENTLY_DISABLED", STOP, STOP),
    (400, "UNABLE_TO_LOCK_ROW", RETRY, RETRY), (400, "DUPLICATE_VALUE", ASK, ASK),
    (400, "DUPLICATES_DETECTED", ASK, ASK), (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", ASK, ASK),
    (400, "REQUIRED_FIELD_MISSING", ASK, ASK), (400, "STRING_TOO_LONG", ASK, ASK),
    (400, "INVALID_EMAIL_ADDRESS", ASK, ASK), (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ASK, ASK),
    (400, "INVALID_FIELD", ASK, ASK), (400, "INVALID_FIELD_FOR_INSERT_UPDATE", ASK, ASK),
    (400, "JSON_PARSER_ERROR", ASK, ASK), (400, "MALFORMED_ID", ASK, ASK),
    (400, "NUMBER_OUTSIDE_VALID_RANGE", ASK, ASK), (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", ASK, ASK),
    (400, "LIMIT_EXCEEDED", ASK, ASK), (400, "STORAGE_LIMIT_EXCEEDED", ASK, ASK),
    (400, "TXN_SECURITY_NO_ACCESS", ASK, ASK), (400, "MALFORMED_QUERY", ASK, ASK), (400, "INVALID_TYPE", ASK, ASK),
    (400, "QUERY_TIMEOUT", RETRY, RETRY), (400, "INVALID_QUERY_LOCATOR", REREAD, REREAD),
    (400, "MIXED_DML_OPERATION", ASK, ASK), (400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", RETRY, RETRY),
    (400, "PROCESSING_HALTED", RETRY, RETRY), (412, "BATCH_PROCESSING_HALTED", RETRY, RETRY),
    (404, "NOT_FOUND", GONE, GONE), (404, "ENTITY_IS_DELETED", GONE, GONE),
    (404, "INVALID_CROSS_REFERENCE_KEY", REREAD, REREAD),
    (404, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", RETRY, RETRY),
    (405, "METHOD_NOT_ALLOWED", ASK, ASK), (415, "UNSUPPORTED_MEDIA_TYPE", ASK, ASK), (414, "URI_TOO_LONG", SPLIT, SPLIT),
    (410, "UNSUPPORTED_API_VERSION", STOP, STOP), (500, "UNKNOWN_EXCEPTION", RETRY, LOOK),
    (500, "APEX_ERROR", RETRY, LOOK), (503, "SERVER_UNAVAILABLE", RETRY, LOOK), (400, "INVALIDJOB", REREAD, REREAD),
    (400, "INVALIDJOBSTATE", REREAD, REREAD), (400, "UNDELETE_FAILED", ASK, ASK), (400, "DELETE_FAILED", ASK, ASK),
    (400, "CIRCULAR_DEPENDENCY", ASK, ASK), (400, "FAILED_ACTIVATION", ASK, ASK),
    (400, "STANDARD_PRICE_NOT_DEFINED", ASK, ASK), (400, "CANNOT_UPDATE_CONVERTED_LEAD", ASK, ASK),
    (400, "INVALID_STATUS", ASK, ASK), (400, "EXCEEDED_QUOTA", WAIT, WAIT), (401, "INVALID_AUTH_HEADER", REFRESH, REFRESH),
]  # fmt: skip
BARE = [
    # A status without a code: the vendor's empty body, or a gateway's page.
    (300, ASK, ASK), (400, RETRY, RETRY), (401, REFRESH, REFRESH), (403, RETRY, RETRY), (404, RETRY, RETRY),
    (408, RETRY, LOOK), (410, STOP, STOP), (413, SPLIT, SPLIT), (414, SPLIT, SPLIT), (431, SPLIT, SPLIT),
    (429, WAIT, WAIT), (500, RETRY, LOOK), (502, RETRY, LOOK), (503, RETRY, LOOK), (504, RETRY, LOOK),
]  # fmt: skip
EVENTS = {
    "subscription.fetch.replayid.corrupted": REREAD, "subscription.fetch.replayid.validation.failed": REREAD,
    "subscription.fetch.requested.events.invalid": ASK, "subscription.limit.exceeded": WAIT,
    "service.auth.error": REFRESH, "service.auth.refresh.invalid": REFRESH, "service.unavailable": RETRY,
}  # fmt: skip
GRPC = {
    "OK": RETRY, "CANCELLED": RETRY, "UNKNOWN": RETRY, "INVALID_ARGUMENT": ASK, "DEADLINE_EXCEEDED": RETRY,
    "NOT_FOUND": ASK, "ALREADY_EXISTS": RETRY, "PERMISSION_DENIED": ASK, "UNAUTHENTICATED": REFRESH,
    "RESOURCE_EXHAUSTED": WAIT, "FAILED_PRECONDITION": RETRY, "ABORTED": RETRY, "OUT_OF_RANGE": RETRY,
    "UNIMPLEMENTED": STOP, "INTERNAL": RETRY, "UNAVAILABLE": RETRY, "DATA_LOSS": RETRY,
}  # fmt: skip


def body(code: str, message: str = "words of the vendor") -> bytes:
    return json.dumps([{"errorCode": code, "message": message, "fields": []}]).encode()


def test_the_token_endpoint_speaks_of_what_we_know() -> None:
    assert SIGN_IN == OAUTH
    for code, remedy in SIGN_IN.items():
        told = failure_of_sign_in(400, json.dumps({"error": code, "error_description": "no"}).encode())
        assert (told.remedy, told.code) == (remedy, code)
    for status in (500, 502, 503):
        assert failure_of_sign_in(status, b"<html>").remedy is RETRY
    assert failure_of_sign_in(400, b'{"error":"brand_new"}').remedy is STOP, "no sign-in, no calls: said at once"


@pytest.mark.parametrize(("status", "code", "read", "write"), REST, ids=[f"{one[0]}-{one[1]}" for one in REST])
def test_a_code_has_its_remedy_by_the_table_and_not_by_accident(
    status: int, code: str, read: Remedy, write: Remedy
) -> None:
    assert remedy_of_code(code) is not None
    whole = {GONE: ASK}  # A call as a whole speaks of no record, so none of its records is gone.
    assert failure_of_reply(status, body(code)).remedy is whole.get(read, read)
    assert failure_of_reply(status, body(code), writes=True).remedy is whole.get(write, write)
    item = {"success": False, "errors": [{"statusCode": code, "message": "x", "fields": ["Email"]}]}
    told, row = failure_of_item(item, creates=False), failure_of_row(f"{code}:x:Email --", creates=False)
    expected = ASK if code == "INVALID_CROSS_REFERENCE_KEY" else write
    assert (told.remedy, row.remedy) == (expected, expected)
    assert told.single
    assert row.single


@pytest.mark.parametrize(("status", "read", "write"), BARE)
def test_a_status_without_a_code_has_its_remedy(status: int, read: Remedy, write: Remedy) -> None:
    content = b'["/services/data/v67.0/sobjects/Contact/003"]' if status == 300 else b"<html>no</html>"
    assert failure_of_reply(status, content).remedy is read
    assert failure_of_reply(status, content, writes=True).remedy is write


def test_which_limit_is_spent_decides_how_long_is_waited() -> None:
    day = failure_of_reply(403, body("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    slots = failure_of_reply(403, body("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."))
    assert day.retry_after_seconds is not None
    assert slots.retry_after_seconds is not None
    assert day.retry_after_seconds >= 60 > slots.retry_after_seconds > 0


def test_every_end_of_a_stream_and_every_status_of_grpc_has_its_remedy() -> None:
    assert EVENTS == STREAM
    for code, remedy in EVENTS.items():
        assert failure_of_stream(f"sfdc.platform.eventbus.grpc.{code}", "INVALID_ARGUMENT", "no").remedy is remedy
    assert {one.name for one in grpc.StatusCode} == set(GRPC)
    for name, remedy in GRPC.items():
        assert failure_of_stream("", name, "no").remedy is remedy


def exceptions_of(module: object) -> list[type[Exception]]:
    found = [one for _, one in inspect.getmembers(module, inspect.isclass)]
    return [one for one in found if issubclass(one, Exception) and not issubclass(one, Warning)]


def test_every_exception_of_the_clients_is_sorted() -> None:
    told = [one for one in exceptions_of(requests.exceptions) if one.__module__ == "requests.exceptions"]
    mine = [*exceptions_of(library), *told, *exceptions_of(httpx)]
    streams = [one for one in (*exceptions_of(grpc), *exceptions_of(grpc.aio)) if issubclass(one, grpc.RpcError)]
    payloads = [*exceptions_of(fastavro.schema), *exceptions_of(fastavro.read)]
    assert len(mine) > 40
    for kind in streams:
        assert exception_kind(kind.__new__(kind)), kind
    for kind in (*mine, *payloads):
        error = kind.__new__(kind)
        vars(error).update(partial=0, expected=1, length=b"", response=None, request=None)
        vars(error).update(code="x", auth_message="x", url="u", status=400, resource_name="r", content="c")
        assert exception_kind(error), kind
        failure = failure_of_exception(error, writes=True)
        assert failure.remedy in (RETRY, LOOK, STOP, ASK), kind
        assert failure.remedy is not RETRY or exception_kind(error) == "unsent", (
            "what may have been applied is looked up"
        )


def test_what_is_no_event_is_unreadable_and_never_something_else() -> None:
    for text in ("", "[]", "{}", '{"type":"record","fields":[{"type":"nope"}]}', '{"type":"wat","fields":[]}'):
        with pytest.raises(UnreadableEventError):
            parse_schema("s", text)
    schema = parse_schema("s", '{"type":"record","name":"E","fields":[{"name":"a","type":"string"}]}')
    for payload in (b"", b"\xff", b"\x02", b"\x02ab", b"\x01"):
        with pytest.raises(UnreadableEventError):
            decode(schema, payload)


@given(st.from_regex(r"[A-Z][A-Z_]{3,30}", fullmatch=True), st.sampled_from([400, 403, 404]))
def test_a_code_that_nobody_knows_is_tried_again_and_kept(code: str, status: int) -> None:
    if code in BY_CODE or any(code.startswith(prefix) for prefix, _ in BY_PREFIX):
        return
    item = {"success": False, "errors": [{"statusCode": code, "message": "x", "fields": []}]}
    told: list[Failure] = [
        failure_of_reply(status, body(code)), failure_of_reply(status, body(code), writes=True),
        failure_of_item(item, creates=True), failure_of_row(f"{code}:x:--", creates=False),
    ]  # fmt: skip
    assert {one.remedy for one in told} == {RETRY}
    assert {one.code for one in told} == {code}
    assert failure_of_reply(500, body(code), writes=True).remedy is LOOK
