"""Every status, category and code that HubSpot is known to answer with has its place in a table, and what it means for
a write and for a read is stated here once more, by hand. The exceptions of its client and of the clients below it are
enumerated in tests/systems/test_mishaps.py, for all systems at once."""

from __future__ import annotations

from http import HTTPStatus

import orjson
import pytest

from syncd.model.failure import Remedy
from syncd.systems.hubspot.errors import (
    BY_CODE,
    BY_STATUS,
    DAILY_LOOK_SECONDS,
    LOCK_SECONDS,
    MIGRATION_SECONDS,
    ROLLING_SECONDS,
    SECONDLY_SECONDS,
    failure_of_item,
    failure_of_reply,
    observed,
)

ASK, GONE, LINK, LOOK, REFRESH, RETRY, STOP, WAIT = (
    Remedy.ASK, Remedy.GONE, Remedy.LINK, Remedy.LOOK, Remedy.REFRESH, Remedy.RETRY, Remedy.STOP, Remedy.WAIT
)  # fmt: skip

PAGES = (b"", b"<html>oops</html>", b'{"status":"err', b"[]", b"null", b"\xff\xfe", b"{}")
STATUSES = {
    400: (ASK, ASK), 401: (REFRESH, REFRESH), 403: (STOP, STOP), 405: (ASK, ASK), 409: (ASK, ASK), 413: (ASK, ASK),
    414: (ASK, ASK), 415: (ASK, ASK), 422: (ASK, ASK), 423: (WAIT, WAIT), 429: (WAIT, WAIT), 477: (WAIT, WAIT), 500: (LOOK, RETRY),
    502: (LOOK, RETRY), 503: (LOOK, RETRY), 504: (LOOK, RETRY), 520: (LOOK, RETRY), 521: (RETRY, RETRY),
    522: (STOP, STOP), 523: (RETRY, RETRY), 524: (LOOK, RETRY), 525: (STOP, STOP), 526: (STOP, STOP),
}  # fmt: skip
"""Remedy of a write and of a read, for a body that says nothing."""

CATEGORIES = {
    (400, "VALIDATION_ERROR"): ASK, (401, "INVALID_AUTHENTICATION"): REFRESH, (401, "EXPIRED_AUTHENTICATION"): REFRESH,
    (403, "MISSING_SCOPES"): STOP, (403, "BANNED"): STOP, (403, "INVALID_PERMISSIONS"): STOP, (404, "OBJECT_NOT_FOUND"): GONE,
    (405, "METHOD_NOT_ALLOWED"): ASK, (409, "CONFLICT"): RETRY, (409, "OBJECT_ALREADY_EXISTS"): ASK,
    (429, "RATE_LIMITS"): WAIT, (429, "RATE_LIMIT"): WAIT, (423, "LOCKED"): WAIT, (477, "MIGRATION_IN_PROGRESS"): WAIT,
    (500, "INTERNAL_ERROR"): LOOK,
}  # fmt: skip
VALUES = ("PROPERTY_DOESNT_EXIST", "INVALID_EMAIL", "INVALID_INTEGER", "INVALID_OPTION", "READ_ONLY_VALUE",
          "INVALID_DATE", "GDPR_BLACKLISTED_EMAIL", "INVALID_LONG", "INVALID_STRING", "INVALID_JSON",
          "VALIDATION_RULE_FAILED")  # fmt: skip
"""Codes of single values, all of them for a human."""
SIGN_IN = (
    {"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN"}, {"error": "access_denied", "status": "BAD_HUB"},
    {"error": "invalid_client", "status": "BAD_CLIENT_ID"}, {"error": "invalid_client", "status": "BAD_CLIENT_SECRET"},
    {"error": "unsupported_grant_type", "status": "BAD_GRANT_TYPE"}, {"error": "invalid_grant"},
    {"error": "invalid_grant", "status": "BAD_AUTH_CODE"},
)  # fmt: skip


def remedies(status: int, body: object) -> tuple[Remedy, Remedy]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return failure_of_reply(status, raw, writes=True).remedy, failure_of_reply(status, raw).remedy


def test_no_status_of_http_is_left_to_chance() -> None:
    known = {one.value for one in HTTPStatus if one >= 300} | set(STATUSES)
    assert known == BY_STATUS.keys()


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
@pytest.mark.parametrize("page", PAGES)
def test_a_status_alone_says_what_follows_whatever_the_body(
    status: int, expected: tuple[Remedy, Remedy], page: bytes
) -> None:
    assert remedies(status, page) == expected
    failure = failure_of_reply(status, page)
    assert failure.code == f"http-{status}"
    assert failure.message


@pytest.mark.parametrize(("told", "expected"), CATEGORIES.items())
def test_a_category_says_it_of_a_whole_call_and_of_one_input(told: tuple[int, str], expected: Remedy) -> None:
    status, category = told
    body = {"status": "error", "category": category, "message": "m"}
    assert remedies(status, body)[0] is expected
    one = failure_of_item(body)
    assert (one.remedy, one.status) == (expected, status)
    assert one.single


def test_a_path_that_does_not_exist_is_no_object_that_is_gone() -> None:
    assert remedies(404, b"<html>404</html>") == (ASK, ASK)
    assert remedies(404, {"category": "OBJECT_NOT_FOUND"}) == (GONE, GONE)


@pytest.mark.parametrize("code", VALUES)
def test_a_value_that_is_refused_goes_to_a_human_with_its_property(code: str) -> None:
    embedded = orjson.dumps([{"isValid": False, "message": "no", "error": code, "name": "phone"}]).decode()
    body = {"category": "VALIDATION_ERROR", "message": f"Property values were not valid: {embedded}"}
    failure = failure_of_reply(400, orjson.dumps(body), writes=True)
    assert (failure.remedy, failure.code, failure.fields) == (ASK, code, ("phone",))


@pytest.mark.parametrize("body", SIGN_IN)
def test_a_grant_that_is_refused_stops_the_connection(body: dict[str, str]) -> None:
    assert remedies(400, {**body, "message": "no"})[0] is STOP


def test_a_contact_that_exists_is_linked_by_the_id_in_the_sentence() -> None:
    body = {"category": "CONFLICT", "message": "Contact already exists. Existing ID: 12345"}
    failure = failure_of_reply(409, orjson.dumps(body), writes=True)
    assert (failure.remedy, failure.existing_id) == (LINK, "12345")


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds"),
    [
        (423, {"category": "LOCKED"}, {}, LOCK_SECONDS),
        (423, {}, {"Retry-After": "1"}, LOCK_SECONDS),
        (477, {"category": "MIGRATION_IN_PROGRESS"}, {"Retry-After": "86400"}, 86_400.0),
        (477, {}, {}, MIGRATION_SECONDS),
        (429, {"policyName": "TEN_SECONDLY_ROLLING", "errorType": "RATE_LIMIT"}, {}, ROLLING_SECONDS),
        (429, {"policyName": "SECONDLY", "errorType": "RATE_LIMIT"}, {}, SECONDLY_SECONDS),
        (429, {"message": "You have reached your secondly limit."}, {}, SECONDLY_SECONDS),
        (429, {"policyName": "DAILY", "errorType": "RATE_LIMIT"}, {}, DAILY_LOOK_SECONDS),
        (429, {"category": "RATE_LIMITS"}, {"retry-after": "3"}, 3.0),
    ],
)
def test_what_asks_to_wait_says_how_long(
    status: int, body: dict[str, str], headers: dict[str, str], seconds: float
) -> None:
    failure = failure_of_reply(status, orjson.dumps(body), headers, writes=True)
    assert (failure.remedy, failure.retry_after_seconds) == (WAIT, seconds)


def test_an_account_that_moves_stops_every_call_for_as_long_as_it_says_or_a_while() -> None:
    assert observed(477, {"Retry-After": "86400"}, b"")[1]["retry-after"] == "86400"
    assert observed(477, {}, b"")[1]["retry-after"] == f"{MIGRATION_SECONDS:.0f}"
    assert "retry-after" not in observed(423, {}, b"")[1]


def test_the_table_has_no_code_that_is_not_stated_here() -> None:
    words = {word for body in SIGN_IN for word in body.values()}
    assert {code for _, code in CATEGORIES} | set(VALUES) | words == BY_CODE.keys()
