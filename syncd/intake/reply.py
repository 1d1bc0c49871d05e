"""Answers as bytes: counts of staged changes, problems (RFC 9457), and nothing else. Pure."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import orjson


class Reply(NamedTuple):
    """One answer: its head (status line and headers, without the empty line) and its body."""

    status: int
    head: bytes
    body: bytes
    close: bool = False
    """The connection cannot be used after it."""
    check: str = ""
    """On a refusal: the check that failed."""


def status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


def reply(
    status: int,
    body: bytes = b"",
    *,
    content_type: str = "application/json",
    headers: tuple[tuple[str, str], ...] = (),
    close: bool = False,
    check: str = "",
) -> Reply:
    lines = [status_line(status)]
    lines += [f"{name}: {value}\r\n".encode("latin-1") for name, value in headers]
    if status not in (204, 304):
        if body:
            lines.append(f"content-type: {content_type}\r\n".encode("latin-1"))
        lines.append(b"content-length: %d\r\n" % len(body))
    return Reply(status, b"".join(lines), body, close, check)


@lru_cache(maxsize=512)
def counts(status: int, staged: int, duplicates: int) -> Reply:
    """The acknowledgement: how many changes are durable now, and how many were durable before."""
    return reply(status, orjson.dumps({"staged": staged, "duplicates": duplicates}))


@lru_cache(maxsize=512)
def problem(
    status: int,
    check: str,
    detail: str,
    *,
    retry_after: int | None = None,
    allow: str = "",
    close: bool = False,
) -> Reply:
    """A refusal. ``check`` names the check that failed; nothing in it helps a forger beyond that."""
    headers = []
    if retry_after is not None:
        headers.append(("retry-after", str(retry_after)))
    if allow:
        headers.append(("allow", allow))
    if status == 401:
        headers.append(("www-authenticate", "Bearer"))
    body = orjson.dumps({"title": HTTPStatus(status).phrase, "status": status, "detail": detail, "check": check})
    return reply(
        status, body, content_type="application/problem+json", headers=tuple(headers), close=close, check=check
    )


def unavailable(check: str, detail: str, retry_after: int = 5, *, close: bool = False) -> Reply:
    """Syncd itself cannot judge or store now: the sender must come again."""
    return problem(503, check, detail, retry_after=retry_after, close=close)
