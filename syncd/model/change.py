"""Changes: what a system told us, as it arrived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any


class Lane(IntEnum):
    """Urgency. The lower number goes first."""

    OPERATOR = 0
    LIVE = 1
    SCHEDULED = 2
    BULK = 3


class Channel(StrEnum):
    """How a change arrived."""

    WEBHOOK = "webhook"
    EVENT = "event"
    """Posted by the shop to ``/v1/events``."""
    POLL = "poll"
    STREAM = "stream"
    """Told over a stream that the vendor holds open."""
    HYDRATION = "hydration"
    OPERATOR = "operator"
    """An operator's edit; it travels the same road as every other change."""
    CLOCK = "clock"
    """Time passed, such as a cart's idle time."""


class ChangeKind(StrEnum):
    STATE = "state"
    """``payload`` is the vendor's object, whole unless ``partial``."""
    HINT = "hint"
    """Something happened to the object: read it before folding. ``payload`` may be empty."""
    DELETED = "deleted"
    ERASED = "erased"
    """Deleted for privacy: what is stored of the person goes too."""
    MERGED = "merged"
    """``payload`` has ``into`` (the surviving id) and ``from`` (the absorbed ids)."""
    EDIT = "edit"
    """``payload`` has ``record_id``, ``fields`` (canonical values), ``who`` and ``why``."""
    OPAQUE = "opaque"
    """Authentic, but not understood; parked with ``payload = {"raw": ..., "reason": ...}``."""


@dataclass(frozen=True, slots=True)
class Change:
    connection: str
    """The connection it came from; ``"operator"`` and ``"clock"`` for syncd's own."""
    object: str
    """The vendor's object name as the mapping has it, such as ``contacts``; may be empty for OPAQUE and EDIT."""
    external_id: str
    kind: ChangeKind
    channel: Channel
    dedupe_key: str
    """Unique within the connection: the same thing told twice, by whatever channel, has the same key."""
    received_at: int
    occurred_at: int = 0
    """The vendor's time of the change; 0 when it did not say."""
    version: str = ""
    """The vendor's version of the object after the change, where it told one."""
    payload: Any = None
    partial: bool = False
    """The payload holds only some fields; those missing are absent, not null."""
    lane: Lane = Lane.LIVE
    correlation_id: str = ""
    id: int = 0
    """Given by the store; rises with arrival."""
    attempts: int = 0

    def with_id(self, number: int) -> Change:
        return replace(self, id=number)
