"""Every status of HTTP in every shape that the three generations of the API give an error, and what each means for a
write and for a read, stated here once more and by hand. The exceptions of the HTTP client are enumerated in
tests/systems/test_mishaps.py, for all systems at once."""

from __future__ import annotations

from http import HTTPStatus

import orjson
import pytest

from syncd.model.failure import Failure, Remedy
from syncd.systems.bigcommerce.errors import STATUSES, Doing, from_reply, from_unusable

ASK, GONE, LINK, LOOK, REREAD, RETRY, SPLIT, STOP, WAIT = (
    Remedy.ASK, Remedy.GONE, Remedy.LINK, Remedy.LOOK, Remedy.REREAD, Remedy.RETRY, Remedy.SPLIT, Remedy.STOP,
    Remedy.WAIT,
)  # fmt: skip
DOINGS = (Doing.CREATE, Doing.CHANGE, Doing.CHANGE_MANY, Doing.WITHIN, Doing.READ_ONE, Doing.READ)
DOUBT = (LOOK, LOOK, LOOK, LOOK, RETRY, RETRY)
"""It may have been applied."""
EXPECTED: dict[int, tuple[Remedy, ...]] = {
    **dict.fromkeys((400, 405, 406, 415, 422, 501, 507), (ASK,) * 6),
    **dict.fromkeys((401, 403), (STOP,) * 6),
    **dict.fromkeys((408, 500, 502, 503, 504), DOUBT),
    **dict.fromkeys((413, 414), (SPLIT,) * 6),
    404: (STOP, GONE, STOP, ASK, GONE, STOP),  # of a list or a create, the address itself is wrong
    409: (LINK, REREAD, REREAD, REREAD, REREAD, REREAD),
    423: (RETRY,) * 6, 429: (WAIT,) * 6,
}  # fmt: skip
"""Remedies of what we may be doing, in the order of DOINGS, for what the vendor documents."""
SHAPES = {
    "v3": ({"status": 0, "title": "JSON data is missing", "type": "/x", "errors": {"0.email": "bad"}}, "email"),
    "v3 with a detail": ({"status": 0, "title": "Nope", "detail": "bad", "errors": {}}, ""),
    "v3 batch of prices": (
        {"batch_errors": [{"data": {"variant_id": 1}, "field_errors": {"price": "bad"}}]}, "price",
    ),
    "v3 batch of metafields": (
        {"data": [], "errors": [{"status": 422, "title": "Nope", "errors": {"0.key": "bad"}}], "meta": {}}, "key",
    ),
    "v3 deletion of prices": ({"error": {"code": "busy", "message": "bad", "retry_after_seconds": 5}}, ""),
    "v2": ([{"status": 0, "message": "The field is bad.", "details": {"invalid_reason": "bad"}}], "invalid_reason"),
    "v2 deletion of a group": ({"errors": [{"status": 0, "title": "bad", "type": "/x"}]}, ""),
    "b2b": ({"code": 0, "data": {"errMsg": {"email": ["bad"]}}, "meta": {"message": "Nope"}}, "email"),
    "b2b in one word": ({"code": 0, "data": {"errMsg": "bad"}, "meta": {"message": "Nope"}}, ""),
    "b2b without words": ({"code": 0, "data": {}, "meta": {"message": "bad"}}, ""),
    "b2b in bulk": (
        {"code": 0, "data": {"errors": [{"id": 1, "_detail": {"companyName": ["bad"]}}]}, "meta": {"message": "Nope"}},
        "companyName",
    ),
    "b2b hierarchy": ({"status": 0, "title": "bad", "errors": {"index": "bad"}}, "index"),
}  # fmt: skip
PAGES = (b"", b"<html>oops</html>", b'{"title":"cut', b"null", b"7", b"\xff\xfe")


def told(status: int, body: object, doing: Doing, **headers: str) -> Failure:
    return from_reply(status, headers, body if isinstance(body, bytes) else orjson.dumps(body), doing)


def test_no_status_is_left_out_of_the_table_or_of_this_test() -> None:
    assert STATUSES.keys() == EXPECTED.keys()


@pytest.mark.parametrize(("status", "expected"), EXPECTED.items())
def test_a_status_means_the_same_in_every_shape(status: int, expected: tuple[Remedy, ...]) -> None:
    for body, _ in SHAPES.values():
        assert tuple(told(status, body, doing).remedy for doing in DOINGS) == expected


@pytest.mark.parametrize(("body", "member"), SHAPES.values(), ids=SHAPES)
def test_every_shape_gives_its_words_and_the_member_they_are_about(body: object, member: str) -> None:
    failure = told(422, body, Doing.CHANGE)
    assert "bad" in failure.message
    assert failure.fields == ((member,) if member else ())


@pytest.mark.parametrize("status", [one.value for one in HTTPStatus if one >= 300 and one not in EXPECTED])
def test_a_status_the_vendor_does_not_know_is_judged_with_care(status: int) -> None:
    for doing in DOINGS:
        remedy = told(status, SHAPES["v3"][0], doing).remedy
        if status >= 500:
            assert remedy is (LOOK if doing.writes else RETRY)
        else:
            assert remedy is (ASK if status >= 400 else RETRY)


@pytest.mark.parametrize("status", [one.value for one in HTTPStatus if one >= 300])
def test_a_body_that_is_not_the_vendors_never_decides_about_a_record(status: int) -> None:
    for page in PAGES:
        for doing in DOINGS:
            failure = told(status, page, doing)
            fits = {RETRY, LOOK, *([WAIT] if status == 429 else []), *([SPLIT] if status in (413, 414) else [])}
            assert failure.remedy in fits
            assert failure.remedy is not LOOK or (doing.writes and (status >= 500 or status == 408))


def test_a_success_in_part_or_without_sense_is_looked_up() -> None:
    for doing in DOINGS:
        assert from_unusable(207, "the vendor did a part of it only", doing).remedy is (LOOK if doing.writes else RETRY)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-rate-limit-time-reset-ms": "21480"}, 21.48), ({"x-request-window-resets-after": "0.397 s"}, 0.397),
        ({"x-retry-after": "5"}, 5.0), ({}, 1.0),
    ],
)  # fmt: skip
def test_a_refusal_for_load_says_how_long_or_passes_quickly(headers: dict[str, str], seconds: float) -> None:
    """The store's window, B2B Edition's, the older header; without one it means too many calls at once."""
    for body, _ in SHAPES.values():
        assert told(429, body, Doing.CHANGE, **headers).retry_after_seconds == pytest.approx(seconds)
