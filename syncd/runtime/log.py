"""Logs: one event per line, ``key=value`` on a terminal and JSON elsewhere, UTC with milliseconds.

Event names are constant and dotted (``delivery.done``); what varies stands in keys. Values pass
:mod:`syncd.runtime.redact`. Exceptions are told by type and place, never by message: messages carry payloads.
Correlation ids follow a change through context variables::

    with correlated(change.correlation_id):
        log.info("delivery.done", connection="crm", object="contacts")
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

import orjson
import structlog

from syncd.runtime.redact import Redactor, escaped

LEVELS: Final = ("debug", "info", "warning", "error")
FORMATS: Final = ("auto", "text", "json")

_EVENT_NAME: Final = re.compile(r"[a-z0-9_.-]{1,80}")
_PLAIN: Final = re.compile(r"[\w.:/~@+*-]+")
_FRAMES: Final = 12
_QUIET_LIBRARIES: Final = ("httpx", "httpcore", "urllib3", "hubspot", "apscheduler", "asyncio", "uvicorn", "aiosqlite")

_Event = MutableMapping[str, Any]


def configure(
    stream: TextIO | None = None, level: str | None = None, fmt: str | None = None, hash_key: bytes | None = None
) -> None:
    """Set logging up for the process; calling it again replaces what stood.

    What is not given comes from ``SYNCD_LOG_LEVEL`` and ``SYNCD_LOG_FORMAT``, else ``info`` and ``auto``.
    Without a ``hash_key`` pseudonyms are good for this process only.
    Raises :class:`ValueError` naming the setting that is not understood.
    """
    out = sys.stderr if stream is None else stream
    chosen_level = _chosen("SYNCD_LOG_LEVEL", level, "info", LEVELS)
    chosen_format = _chosen("SYNCD_LOG_FORMAT", fmt, "auto", FORMATS)
    if chosen_format == "auto":
        chosen_format = "text" if out.isatty() else "json"
    number = logging.getLevelNamesMapping()[chosen_level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _tell_exception,
            _Clean(Redactor(hash_key or secrets.token_bytes(16))),
            _as_json if chosen_format == "json" else _as_text,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Output(out),
        cache_logger_on_first_use=False,
    )
    _bridge_libraries(number)


def _chosen(variable: str, given: str | None, default: str, allowed: tuple[str, ...]) -> str:
    text = given or os.environ.get(variable) or default
    wanted = text.strip().lower()
    wanted = "warning" if wanted == "warn" and "warning" in allowed else wanted
    if wanted not in allowed:
        raise ValueError(f"{variable}: {text!r} is none of {', '.join(allowed)}")
    return wanted


@contextmanager
def correlated(correlation_id: str, **more: str) -> Iterator[None]:
    """Every line written inside, here and in tasks started here, carries the id."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id, **more):
        yield


def watch_uncaught(loop: asyncio.AbstractEventLoop | None = None) -> None:
    """Log what nobody caught, in the main thread and in the tasks of ``loop``, by type and place only."""
    sys.excepthook = _uncaught
    if loop is not None:
        loop.set_exception_handler(_uncaught_in_loop)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger("syncd").error("daemon.uncaught", exc_info=(kind, error, trace))


def _uncaught_in_loop(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    task = context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, asyncio.Task) else ""
    structlog.get_logger("syncd").error(
        "daemon.uncaught", task=name, reason=context.get("message", ""), exc_info=context.get("exception")
    )


# --- processors ---------------------------------------------------------------------------------------------------


def _tell_exception(_logger: object, _method: str, event: _Event) -> _Event:
    """``exc_info`` becomes type, causes and frames."""
    told = event.pop("exc_info", None)
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    event.pop("stack_info", None)
    if isinstance(error, BaseException):
        event["exception"] = " < ".join(type(one).__name__ for one in _causes(error))
        event["frames"] = [
            f"{_short(frame.filename)}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        ]
    return event


def _causes(error: BaseException) -> Iterator[BaseException]:
    here: BaseException | None = error
    for _ in range(8):
        if here is None:
            return
        yield here
        here = here.__cause__ or (None if here.__suppress_context__ else here.__context__)


def _short(filename: str) -> str:
    return "/".join(filename.replace("\\", "/").rsplit("/", 3)[-3:])


class _Clean:
    """Redacts values, and keeps event names constant: a sentence in the event's place becomes ``message``."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: object, _method: str, event: _Event) -> _Event:
        name = str(event.pop("event", ""))
        level = event.pop("level", "info")
        if not _EVENT_NAME.fullmatch(name):
            event = {"message": name, **event}
            name = "log.message"
        now = datetime.now(UTC)
        clean = {"at": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z", "level": level, "event": name}
        for key, value in event.items():
            clean.setdefault(escaped(key), self._redactor.value(key, value))
        return clean


def _as_json(_logger: object, _method: str, event: _Event) -> str:
    return orjson.dumps(event).decode()


def _as_text(_logger: object, _method: str, event: _Event) -> str:
    head = f"{event.pop('at')} {event.pop('level'):<7} {event.pop('event')}"
    return " ".join([head, *(f"{key}={_shown(value)}" for key, value in event.items())])


def _shown(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return orjson.dumps(value).decode()


class _Output:
    """Writes whole lines. A log that cannot be written must not stop the work it tells of, so those lines are lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


# --- libraries that log by the standard module ----------------------------------------------------------------------


class _Bridge(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger("syncd")
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        level = "debug" if record.levelno < logging.INFO else logging.getLevelName(record.levelno).lower()
        tell = {"debug": log.debug, "info": log.info, "warning": log.warning}.get(level, log.error)
        tell("library.message", library=record.name, message=message, exc_info=record.exc_info)


def _bridge_libraries(level: int) -> None:
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Bridge)]:
        root.removeHandler(handler)
    root.addHandler(_Bridge())
    root.setLevel(max(level, logging.INFO))
    for name in _QUIET_LIBRARIES:
        # At info they tell every request, with addresses in the URL.
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
