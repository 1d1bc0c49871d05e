"""Every error has its place in the tables."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model.failure import Failure, Remedy
from syncd.systems.commercetools.errors import (
    Doing,
    from_reply,
    retry_after,
)


def failure(status: int, code: str, doing: Doing = Doing.CHANGE, **members: object) -> Failure:
    body = {"statusCode": status, "message": "no", "errors": [{"code": code, "message": "no", **members}]}
    return from_reply(status, {}, orjson.dumps(body), doing)


def test_a_500_is_looked_into_after_a_write_and_repeated_after_a_read() -> None:
    assert failure(500, "General", Doing.CREATE).remedy is Remedy.LOOK
    assert failure(500, "General", Doing.READ).remedy is Remedy.RETRY


def test_a_404_means_gone_only_where_one_resource_was_addressed() -> None:
    assert failure(404, "ResourceNotFound", Doing.READ_ONE).remedy is Remedy.GONE
    assert failure(404, "ResourceNotFound", Doing.READ).remedy is Remedy.STOP
    assert failure(404, "ResourceNotFound", Doing.CREATE).remedy is Remedy.STOP


def test_a_duplicate_is_linked_on_a_create_and_left_to_a_human_on_an_update() -> None:
    created = failure(400, "DuplicateField", Doing.CREATE, field="email", duplicateValue="a@b.org")
    assert (created.remedy, created.fields) == (Remedy.LINK, ("email",))
    assert failure(400, "DuplicateField", Doing.CHANGE, field="email").remedy is Remedy.ASK


def test_a_conflicting_resource_is_named() -> None:
    told = failure(
        400,
        "DuplicateFieldWithConflictingResource",
        Doing.CREATE,
        field="email",
        conflictingResource={"typeId": "customer", "id": "c-9"},
    )
    assert told.existing_id == "c-9"


def test_codes_of_a_merchants_own_extension_are_permanent() -> None:
    assert failure(500, "CreditCheckFailed", extensionId="x").remedy is Remedy.ASK


@pytest.mark.parametrize(
    ("status", "doing", "remedy"),
    [
        (400, Doing.CHANGE, Remedy.ASK),
        (401, Doing.READ, Remedy.STOP),
        (403, Doing.READ, Remedy.STOP),
        (404, Doing.CHANGE, Remedy.GONE),
        (408, Doing.CHANGE, Remedy.LOOK),
        (409, Doing.CHANGE, Remedy.RETRY),
        (410, Doing.READ, Remedy.ASK),
        (413, Doing.READ, Remedy.SPLIT),
        (429, Doing.READ, Remedy.WAIT),
        (500, Doing.CREATE, Remedy.LOOK),
        (503, Doing.READ, Remedy.RETRY),
    ],
)
def test_an_unknown_code_falls_back_to_the_status(status: int, doing: Doing, remedy: Remedy) -> None:
    assert failure(status, "BrandNew", doing).remedy is remedy


FOREIGN = [b"<html>Bad gateway</html>", b'{"statusCode": 500, "mess', b"", b"\xff\xfe{", b"[" * 100_000, b'{"a": NaN}']


@pytest.mark.parametrize("content", FOREIGN)
def test_a_body_that_is_not_the_vendors_is_a_bad_response(content: bytes) -> None:
    for doing in Doing:
        told = from_reply(502, {}, content, doing)
        assert told.code == "bad-response"
        assert told.remedy is (Remedy.LOOK if doing.writes else Remedy.RETRY)


@given(st.sampled_from(FOREIGN), st.integers(300, 599), st.sampled_from(Doing))
def test_a_foreign_body_never_declares_anything_gone_or_permanent(content: bytes, status: int, doing: Doing) -> None:
    assert from_reply(status, {}, content, doing).remedy not in (Remedy.GONE, Remedy.ASK, Remedy.STOP, Remedy.LINK)


@pytest.mark.parametrize(
    "content",
    [
        b'{"status": 404, "error": "Not Found", "path": "/x"}',
        b'{"error": "not_found"}',
        b'{"message": "no Route matched"}',
    ],
)
@pytest.mark.parametrize("doing", [one for one in Doing if one is not Doing.SIGN_IN])
def test_a_gateway_that_knows_no_such_address_declares_nothing_gone(content: bytes, doing: Doing) -> None:
    assert (from_reply(404, {}, content, doing).code, from_reply(404, {}, content, doing).remedy) == (
        "bad-response",
        Remedy.RETRY,
    )


@given(st.integers(100, 599), st.binary(max_size=200), st.sampled_from(Doing))
def test_no_reply_whatsoever_breaks_the_classification(status: int, content: bytes, doing: Doing) -> None:
    assert isinstance(from_reply(status, {}, content, doing), Failure)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["errors", "code", "message", "error", "field", "x"]), inner, max_size=4)
    ),
)


@given(json)
def test_no_json_whatsoever_breaks_the_classification(value: object) -> None:
    assert isinstance(from_reply(400, {}, orjson.dumps(value), Doing.CREATE), Failure)


def test_messages_carry_no_address_and_the_sign_in_no_reply() -> None:
    body = orjson.dumps({"errors": [{"code": "DuplicateField", "message": "taken: ada.l@example.com"}]})
    told = from_reply(400, {}, body, Doing.CREATE)
    assert "ada.l" not in told.message
    assert "ada.l" in told.reply
    assert from_reply(400, {}, body, Doing.SIGN_IN).reply == ""


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [("7", 7.0), ("0", 0.0), ("-1", 0.0), ("1e9", 3600.0), ("nan", None), ("soon", None), ("", None)],
)
def test_retry_after_is_taken_within_reason(raw: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": raw}) == seconds


def test_retry_after_as_a_date_counts_from_the_replys_own_date() -> None:
    headers = {"date": "Mon, 02 Nov 2026 08:00:00 GMT", "retry-after": "Mon, 02 Nov 2026 08:00:30 GMT"}
    assert retry_after(headers) == 30.0
    assert retry_after({"retry-after": headers["date"]}) is None
