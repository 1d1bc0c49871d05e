from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.intake import cloudevents
from syncd.systems.contract import RefusedError

BASE = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t"}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=UTF-8"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "t", "content-type": "application/json"}


def read(headers, body):
    cloudevents.check_format(headers)
    return cloudevents.read(headers, body, batch_events=3, depth=64)


def one(**changes):
    return read(STRUCTURED, orjson.dumps({**BASE, **changes}))[0]


def refusal(headers, body) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        read(headers, body if isinstance(body, bytes) else orjson.dumps(body))
    return caught.value


def test_a_structured_event_is_its_attributes_and_data():
    assert one(data={"x": None}, subject="s", sequence="7") == {
        **BASE,
        "data": {"x": None},
        "subject": "s",
        "sequence": "7",
    }


def test_a_null_attribute_is_absent_and_null_data_is_data():
    assert one(subject=None, time=None, data=None) == {**BASE, "data": None}
    assert one(data=None, data_base64="AA==") == {**BASE, "data_base64": "AA=="}
    assert one(data=1, data_base64=None) == {**BASE, "data": 1}


@pytest.mark.parametrize("name", ["id", "source", "specversion", "type"])
@pytest.mark.parametrize("value", [None, "", 1, ["x"]])
def test_a_missing_empty_or_wrong_required_attribute_is_named(name, value):
    error = refusal(STRUCTURED, {**BASE, name: value})
    assert (error.status, error.check) == (400, "cloudevents-attribute")
    assert f"'{name}'" in error.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("specversion", "0.3"), ("source", "a b"), ("source", "\x00"), ("time", "yesterday"), ("time", "2026-13-01T00:00:00Z"),
        ("time", "2026-11-02"), ("time", 5), ("subject", ""), ("dataschema", 1), ("datacontenttype", ""), ("ext", {"a": 1}),
        ("ext", [1]), ("ext", 1.5), ("traceParent", "x"), ("a-b", "x"), ("", "x"),
    ],
)  # fmt: skip
def test_a_bad_attribute_is_named(name, value):
    error = refusal(STRUCTURED, {**BASE, name: value})
    assert error.status == 400
    assert f"'{name}'" in error.detail


@pytest.mark.parametrize(
    "time", ["2026-11-02T08:00:00Z", "2026-11-02t08:00:00.123456789+01:00", "2026-12-31T23:59:60Z"]
)
def test_rfc_3339_times_are_read(time):
    assert cloudevents.occurred_ms(one(time=time)) > 1_793_000_000_000
    assert cloudevents.occurred_ms(one()) == 0


def test_data_and_base64_exclude_each_other():
    assert refusal(STRUCTURED, {**BASE, "data": 1, "data_base64": "AA=="}).check == "cloudevents"
    assert refusal(STRUCTURED, {**BASE, "data_base64": "!"}).status == 400
    assert refusal(STRUCTURED, {**BASE, "data_base64": 5}).status == 400


def test_json_in_base64_is_unpacked_and_what_is_not_json_is_marked():
    packed = base64.b64encode(b'{"a":1}').decode()
    assert one(datacontenttype="application/vnd.x+json", data_base64=packed)["data"] == {"a": 1}
    broken = one(datacontenttype="application/json", data_base64="AA==")
    assert broken[cloudevents.UNREADABLE]
    assert broken["data_base64"] == "AA=="


@pytest.mark.parametrize(
    ("headers", "check"),
    [
        ({"content-type": "application/cloudevents+xml"}, "content-type"),
        ({"content-type": "application/cloudevents"}, "content-type"),
        ({"content-type": "application/cloudevents-batch+avro"}, "content-type"),
        ({"content-type": "application/cloudevents+json; charset=utf-16"}, "content-type"),
        ({"content-type": "application/json"}, "content-type"),
        ({}, "content-type"),
        ({**STRUCTURED, "content-encoding": "gzip"}, "content-encoding"),
    ],
)
def test_what_no_mode_reads_is_unsupported(headers, check):
    error = refusal(headers, BASE)
    assert (error.status, error.check) == (415, check)


def test_a_batch_is_checked_before_the_single_mode_and_may_be_empty():
    assert read(BATCH, b"[]") == []
    assert len(read(BATCH, orjson.dumps([BASE, BASE]))) == 2
    assert refusal(BATCH, BASE).check == "cloudevents"
    assert refusal(BATCH, [BASE] * 4).status == 413
    assert "event 1 of the batch" in refusal(BATCH, [BASE, {**BASE, "id": ""}]).detail


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1", b'{"a":NaN}', b'{"a":"\\ud800"}', b"\xef\xbb\xbf{}"])
def test_what_is_not_json_is_told_so(body):
    assert refusal(STRUCTURED, body).check == "json"
    assert refusal(BATCH, body).check == "json"


@pytest.mark.parametrize("body", [b"1", b'"x"', b"[]", b"null"])
def test_json_that_is_no_object_is_no_event(body):
    assert refusal(STRUCTURED, body).check == "cloudevents"


def test_a_binary_event_is_its_headers_and_the_body():
    event = read({**BINARY, "ce-subject": "c1", "x-other": "no"}, b'{"a":1}')[0]
    assert event == {**BASE, "subject": "c1", "datacontenttype": "application/json", "data": {"a": 1}}
    assert read(BINARY, b"")[0] == {**BASE, "datacontenttype": "application/json"}
    assert read({**BINARY, "content-type": "text/plain"}, b"hi")[0]["data"] == "hi"
    assert read({**BINARY, "content-type": "text/plain"}, b"\xff")[0]["data_base64"] == "/w=="
    assert read({**BINARY, "content-type": "image/png"}, b"\x00")[0]["data_base64"] == "AA=="
    assert read(BINARY, b"{")[0][cloudevents.UNREADABLE]


def test_header_values_are_percent_decoded_once_and_unquoted():
    event = read({**BINARY, "ce-subject": "Euro%20%E2%82%AC%2520", "ce-note": '"a \\" b"'}, b"")[0]
    assert event["subject"] == "Euro €%20"
    assert event["note"] == 'a " b'
    assert read({**BINARY, "ce-subject": "é".encode().decode("latin-1")}, b"")[0]["subject"] == "é"


@pytest.mark.parametrize("value", ["%ff", "\xff", "%C3"])
def test_header_values_that_are_not_utf8_are_refused(value):
    assert "'subject'" in refusal({**BINARY, "ce-subject": value}, b"").detail


@pytest.mark.parametrize("name", ["datacontenttype", "data", "data_base64"])
def test_what_must_not_be_a_header_is_refused(name):
    assert f"'{name}'" in refusal({**BINARY, f"ce-{name}": "x"}, b"").detail


def test_a_plain_webhook_takes_its_id_from_the_header():
    headers = {"content-type": "application/json", "webhook-id": "msg_1"}
    body = {"type": "contact.created", "timestamp": "2026-11-02T08:00:00Z", "data": {"id": 1}}
    event = read(headers, orjson.dumps(body))[0]
    assert (event["id"], event["type"], event["time"], event["data"]) == (
        "msg_1", "contact.created", "2026-11-02T08:00:00Z", {"id": 1},
    )  # fmt: skip
    assert refusal(headers, b"[]").check == "json"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
EVENTISH = st.dictionaries(
    st.sampled_from([*BASE, "data", "data_base64", "time", "subject", "x"]) | st.text(max_size=3), JSON
)


@given(EVENTISH)
def test_whatever_is_sent_is_an_event_or_a_refusal(raw):
    try:
        event = one(**raw)
    except RefusedError as error:
        assert error.status == 400  # noqa: PT017
    else:
        assert event["specversion"] == "1.0"
        assert cloudevents.occurred_ms(event) >= 0 or event["time"] < "1970"


@given(
    st.dictionaries(
        st.sampled_from(["ce-id", "ce-source", "ce-time", "ce-x", "content-type", "ce-subject"]), st.text(max_size=20)
    ),
    st.binary(max_size=20),
)
def test_whatever_headers_are_sent_are_an_event_or_a_refusal(headers, body):
    try:
        read({**BINARY, **headers}, body)
    except RefusedError as error:
        assert error.status in (400, 415)  # noqa: PT017
