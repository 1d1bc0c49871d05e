"""The message of a gap in a stream; see :mod:`syncd.control.messages`."""

from __future__ import annotations

import msgspec


class GapLine(msgspec.Struct, frozen=True, kw_only=True):
    """A span of which a stream could not tell every change; it is being read again until it is gone from here."""

    mapping: str
    from_at: int
    """0: from the beginning."""
    until_at: int
    reason: str
    stated_at: int
