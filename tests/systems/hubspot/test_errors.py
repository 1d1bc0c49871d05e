"""Every error the vendor is known to send has its remedy, and nothing that arrives can break the sorting."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.failure import Remedy
from syncd.systems.hubspot.errors import (
    BLAMED_WINDOW,
    failure_of_item,
    failure_of_reply,
    incomplete,
    observed,
)

from .kit import NOW, TOKEN


def body(**more):
    return orjson.dumps({"status": "error", "message": "m", "correlationId": "c", **more})


def test_statuses_nobody_has_heard_of_are_tried_again():
    assert failure_of_reply(499, b"").remedy is Remedy.RETRY
    assert failure_of_reply(599, b"", writes=True).remedy is Remedy.LOOK


def test_an_item_of_a_207_links_too():
    item = {"status": "error", "category": "CONFLICT", "message": "Contact already exists. Existing ID: 77"}
    failure = failure_of_item(item)
    assert (failure.remedy, failure.existing_id, failure.status) == (Remedy.LINK, "77", 409)


def test_property_names_come_out_of_the_json_inside_the_message():
    inner = json.dumps(
        [
            {
                "isValid": False,
                "message": 'Property "credit" does not exist',
                "error": "PROPERTY_DOESNT_EXIST",
                "name": "credit",
            },
            {"isValid": False, "message": "x", "error": "INVALID_EMAIL", "name": "email"},
        ]
    )
    failure = failure_of_reply(
        400, body(category="VALIDATION_ERROR", message=f"Property values were not valid: {inner}")
    )
    assert failure.fields == ("credit", "email")
    assert failure.code == "PROPERTY_DOESNT_EXIST"


def test_property_names_come_out_of_contexts_and_nested_errors():
    nested = {"message": "x", "code": "INVALID_OPTION", "in": "dealstage", "context": {"propertyName": ["dealstage"]}}
    failure = failure_of_reply(400, body(category="VALIDATION_ERROR", errors=[nested]))
    assert (failure.code, failure.fields) == ("INVALID_OPTION", ("dealstage",))


def test_missing_scopes_are_named():
    nested = {"message": "x", "context": {"requiredGranularScopes": ["crm.objects.deals.write"]}}
    failure = failure_of_reply(403, body(category="MISSING_SCOPES", errors=[nested]))
    assert failure.remedy is Remedy.STOP
    assert "crm.objects.deals.write" in failure.message


@pytest.mark.parametrize(
    ("told", "headers", "zone", "seconds"),
    [
        ({"policyName": "TEN_SECONDLY_ROLLING"}, {}, "", 10),
        ({"policyName": "SECONDLY"}, {}, "", 1),
        ({"message": "You have reached your secondly limit."}, {}, "", 1),
        ({"message": "You have reached your ten_secondly_rolling limit."}, {}, "", 10),
        ({}, {}, "", 10),
        ({"policyName": "DAILY"}, {}, "", 3600),
        ({"message": "You have reached your daily limit."}, {}, "", 3600),
        ({"policyName": "DAILY"}, {}, "no/such zone", 3600),
        ({"policyName": "DAILY"}, {"Retry-After": "42"}, "Europe/Berlin", 42),
        ({"policyName": "TEN_SECONDLY_ROLLING"}, {"retry-after": "3.5"}, "", 3.5),
        ({}, {"Retry-After": "soon"}, "", 10),
    ],
)
def test_a_429_waits_as_its_policy_says(told, headers, zone, seconds):
    failure = failure_of_reply(429, body(errorType="RATE_LIMIT", **told), headers, now_ms=NOW, zone=zone)
    assert (failure.remedy, failure.retry_after_seconds) == (Remedy.WAIT, seconds)


def test_a_spent_day_waits_for_midnight_in_the_accounts_zone():
    # NOW is 2026-11-02 08:00 UTC, 03:00 in New York.
    failure = failure_of_reply(429, body(policyName="DAILY"), now_ms=NOW, zone="America/New_York")
    assert failure.retry_after_seconds == 21 * 3600


def test_retry_after_may_be_a_date():
    failure = failure_of_reply(429, b"", {"Retry-After": "Mon, 02 Nov 2026 08:00:30 GMT"}, now_ms=NOW)
    assert failure.retry_after_seconds == 30


def test_a_lock_is_waited_out_for_at_least_two_seconds():
    assert failure_of_reply(423, b"").retry_after_seconds == 2
    assert failure_of_reply(423, b"", {"Retry-After": "0"}).retry_after_seconds == 2


def test_a_migrating_account_pauses_as_long_as_it_says():
    assert failure_of_reply(477, b"", {"Retry-After": "86400"}).retry_after_seconds == 86400
    assert failure_of_reply(477, b"").retry_after_seconds == 600


@pytest.mark.parametrize(
    ("told", "window"),
    [({"policyName": "DAILY"}, "daily"), ({"message": "You have reached your secondly limit."}, "search"),
     ({"policyName": "TEN_SECONDLY_ROLLING"}, "ten_seconds"), ({}, None)],
)  # fmt: skip
def test_the_budget_is_told_which_window_is_spent(told, window):
    assert observed(429, {"X-A": "1"}, body(**told))[1].get(BLAMED_WINDOW) == window
    assert BLAMED_WINDOW not in observed(400, {}, body(**told))[1]


def test_secrets_never_reach_the_operators_eyes():
    failure = failure_of_reply(400, body(message=f"bad token {TOKEN}", category="VALIDATION_ERROR"))
    assert TOKEN not in failure.message + failure.reply
    assert "pat-eu1-***" in failure.reply


def test_a_reply_that_cannot_be_read_after_a_write_is_looked_up():
    assert incomplete(200, b'{"results": [', writes=True).remedy is Remedy.LOOK
    assert incomplete(200, b"", writes=False).remedy is Remedy.RETRY


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["message", "category", "errors", "context", "status", "code", "in", "policyName", "error", "x"]),
        inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(st.integers(300, 600), st.one_of(st.binary(max_size=200), json_values.map(orjson.dumps)), st.booleans())
def test_no_body_can_break_the_sorting(status, page, writes):
    failure = failure_of_reply(status, page, {"retry-after": "x"}, writes=writes, now_ms=NOW)
    assert failure.code
    assert failure.remedy is not Remedy.LOOK or writes
    observed(status, {}, page)


@given(json_values)
def test_no_item_can_break_the_sorting(item):
    if isinstance(item, dict):
        assert failure_of_item(item).code
