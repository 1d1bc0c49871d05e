"""What a request may cost before anybody knows who sent it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")


@dataclass(frozen=True, slots=True)
class Limits:
    body_bytes: int = 1024 * 1024
    header_bytes: int = 16 * 1024
    header_count: int = 100
    target_bytes: int = 4096
    depth: int = 64
    """Nesting of JSON arrays and objects."""
    batch_events: int = 1000
    request_seconds: float = 10.0
    """From the first byte of a request to its last."""
    answer_seconds: float = 10.0
    """How long a commit may keep a sender waiting before it is told to come again."""
    idle_seconds: float = 75.0
    """How long a connection may stay open between requests."""
    connections: int = 2048
    pipelined: int = 32
    """Requests of one connection that may wait for their answers."""


def too_deep(body: bytes, depth: int) -> bool:
    """Whether JSON text nests deeper than ``depth``. Linear, without recursion, before any parsing."""
    if body.count(b"[") + body.count(b"{") <= depth:
        return False
    # Innermost pairs fall away round by round; what is nested d deep is gone after d rounds.
    brackets = _STRING.sub(b"", body).translate(_AS_SQUARE, _NOT_BRACKETS)
    for _ in range(depth):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or b"[" * (depth + 1) in brackets
