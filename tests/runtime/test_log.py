"""Logs: one event a line, and nobody's data in it."""

import asyncio
import io
import json
import logging
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from syncd.runtime import log as logs
from syncd.runtime.redact import Redactor
from syncd.runtime.secret import Secret

KEY = b"a key of the tests"
PSEUDONYM = Redactor(KEY).pseudonym


@pytest.fixture
def lines(monkeypatch):
    monkeypatch.delenv("SYNCD_LOG_LEVEL", raising=False)
    monkeypatch.delenv("SYNCD_LOG_FORMAT", raising=False)
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    logs.configure(stream, "info", "json", KEY)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
    root.setLevel(level)


def test_an_event_is_one_line_of_json_with_time_level_and_name_first(lines):
    structlog.get_logger("x").info("delivery.done", connection="crm", seconds=0.25, tries=2)
    (line,) = lines()
    assert list(line) == ["at", "level", "event", "connection", "seconds", "tries"]
    assert line["level"] == "info"
    assert line["event"] == "delivery.done"
    assert len(line["at"]) == len("2026-11-23T05:03:35.123Z")


def test_a_terminal_gets_key_value():
    stream = io.StringIO()
    stream.isatty = lambda: True
    logs.configure(stream, "info", "auto", KEY)
    structlog.get_logger().info("budget.paused", connection="crm", why="two words", n=None)
    assert stream.getvalue().endswith(' info    budget.paused connection=crm why="two words" n=null\n')
    structlog.reset_defaults()


def test_levels_below_the_chosen_one_are_not_written(lines):
    structlog.get_logger().debug("too.fine")
    assert lines() == []


def test_level_and_format_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SYNCD_LOG_LEVEL", "WARN")
    monkeypatch.setenv("SYNCD_LOG_FORMAT", "text")
    stream = io.StringIO()
    logs.configure(stream, hash_key=KEY)
    structlog.get_logger().info("a.b")
    structlog.get_logger().warning("c.d")
    assert "c.d" in stream.getvalue()
    assert "a.b" not in stream.getvalue()
    structlog.reset_defaults()


def test_a_setting_that_is_not_understood_is_named():
    with pytest.raises(ValueError, match="SYNCD_LOG_LEVEL: 'loud' is none of debug, info, warning, error"):
        logs.configure(io.StringIO(), "loud")


async def test_the_correlation_id_follows_into_tasks_and_ends_with_the_block(lines):
    async def work():
        structlog.get_logger().info("inside.task")

    with logs.correlated("c-1", connection="crm"):
        await asyncio.create_task(work())
    structlog.get_logger().info("outside")
    inside, outside = lines()
    assert inside["correlation_id"] == "c-1"
    assert inside["connection"] == "crm"
    assert "correlation_id" not in outside


def test_a_sentence_in_place_of_an_event_name_becomes_a_message(lines):
    structlog.get_logger().info("Could not reach ann@example.com")
    (line,) = lines()
    assert line["event"] == "log.message"
    assert line["message"] == f"Could not reach {PSEUDONYM('ann@example.com')}"


def test_exceptions_are_told_by_type_and_place_not_by_payload(lines):
    try:
        try:
            raise KeyError("ann@example.com CANARY")  # noqa: TRY301
        except KeyError as error:
            raise ValueError({"email": "ann@example.com"}) from error
    except ValueError as error:
        structlog.get_logger().error("fold.failed", exc_info=True, error=error)
    (line,) = lines()
    assert line["exception"] == "ValueError < KeyError"
    assert line["error"] == "ValueError"
    assert "test_log.py" in line["frames"][-1]
    assert "ann" not in json.dumps(line)
    assert "CANARY" not in json.dumps(line)


def test_what_nobody_caught_is_logged_without_its_message(lines, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    logs.watch_uncaught()
    try:
        raise RuntimeError("pat-eu1-abcdef-123456 for ann@example.com")  # noqa: TRY301
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    (line,) = lines()
    assert line["event"] == "daemon.uncaught"
    assert line["exception"] == "RuntimeError"
    assert "pat-" not in json.dumps(line)


async def test_what_nobody_caught_in_a_task_is_logged_too(lines):
    loop = asyncio.get_running_loop()
    logs.watch_uncaught(loop)
    loop.call_exception_handler({"message": "Task died", "exception": RuntimeError("ann@example.com")})
    (line,) = lines()
    assert (line["event"], line["exception"], line["reason"]) == ("daemon.uncaught", "RuntimeError", "Task died")


def test_libraries_that_log_by_the_standard_module_are_heard_on_the_same_stream(lines):
    logging.getLogger("some.library").warning("refused %s", "ann@example.com")
    logging.getLogger("httpx").info("HTTP Request: GET https://api/ann@example.com")
    (line,) = lines()
    assert (line["event"], line["library"], line["level"]) == ("library.message", "some.library", "warning")
    assert "ann" not in line["message"]


def test_a_closed_stream_loses_lines_and_stops_nothing():
    stream = io.StringIO()
    logs.configure(stream, "info", "json", KEY)
    stream.close()
    structlog.get_logger().info("into.the_void")
    structlog.reset_defaults()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("email", "Ann@Example.com"),
        ("phone", "0301234567"),
        ("first_name", "Ann"),
        ("lastName", "Lee"),
        ("fields", {"email": "ann@example.com", "nested": [{"phone": "5551234"}]}),
        ("detail", "mail to ann.lee+shop@example.co.uk now"),
        ("url", "https://api.example.com/v3/contacts?email=ann%40example.com"),
        ("detail", "call +49 30 1234567 today"),
    ],
)
def test_personal_data_is_a_keyed_hash(key, value):
    shown = json.dumps(Redactor(KEY).value(key, value)).lower()
    for part in ("ann", "lee", "0301234567", "5551234", "1234567", "@"):
        assert part not in shown
    assert "~" in shown


def test_the_same_person_has_the_same_hash_under_one_key_only():
    assert Redactor(KEY).value("email", "Ann@Example.com ") == Redactor(KEY).text("ann@example.com")
    assert Redactor(KEY).pseudonym("a@b.c") != Redactor(b"another").pseudonym("a@b.c")
    assert len(PSEUDONYM("a@b.c")) == len("~ab12cd34")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer CANARY.abc-def_123",
        "basic CANARY0123456789==",
        "token pat-eu1-CANARY0-1234-5678",
        "whsec_CANARYabcdef==",
        "client_secret=CANARY&grant_type=x",
        '{"client_secret": "CANARY", "x": 1}',
        '{"access_token":"CANARY"}',
        "refresh_token=CANARY",
        "postgres://user:CANARY@host/db",
        "v1,CANARYabcdefghijklmnopqrstuvwxyz012345=",
        "eyJCANARYxxxxxxx.eyJzdWIi.sig",
    ],
)
def test_secrets_are_starred_wherever_they_stand(text):
    shown = Redactor(KEY).text(f"before {text} after")
    assert "CANARY" not in shown
    assert "***" in shown
    assert shown.startswith("before")


@pytest.mark.parametrize(
    "key", ["token", "client_secret", "hubspot_token", "Authorization", "password", "api_key", "set-cookie"]
)
def test_what_stands_under_a_secret_name_is_starred(key):
    assert Redactor(KEY).value(key, "CANARY") == "***"
    assert Redactor(KEY).value("whatever", Secret("CANARY")) == "***"


def test_ids_and_plain_words_are_kept():
    keep = Redactor(KEY)
    for text in (
        "customer-0123456789abcdef0123",
        "crm.contacts",
        "Größe",
        "12345678901",
        "2026-11-23T05:03:35.123Z",
        "日本",
    ):
        assert keep.text(text) == text


def test_values_of_unknown_types_show_their_type_only():
    class Payload:
        def __repr__(self):
            return "CANARY"

    assert Redactor(KEY).value("x", Payload()) == "<Payload>"
    assert Redactor(KEY).value("x", b"CANARY") == "<6 bytes>"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1), JSON_VALUES, max_size=5), st.sampled_from(["json", "text"]))
def test_any_value_gives_exactly_one_printable_line(values, fmt):
    stream = io.StringIO()
    logs.configure(stream, "info", fmt, KEY)
    structlog.get_logger().bind(**{f"k_{key}": value for key, value in values.items()}).info("any.thing")
    written = stream.getvalue()
    structlog.reset_defaults()
    assert written.count("\n") == 1
    assert len(written.splitlines()) == 1
    line = written[:-1]
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in line)
    assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u2028\u2029")
    if fmt == "json":
        json.loads(line)
