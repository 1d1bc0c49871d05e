"""Deliveries: records that must be written to a connection, and the story of trying."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from syncd.model.change import Lane


class DeliveryState(StrEnum):
    """::

    waiting -> sending -> done
       ^          |-----> waiting (retry at) | unknown | dead | held
       `----------'
    """

    WAITING = "waiting"
    """Due at ``due_at``."""
    SENDING = "sending"
    """Claimed; a call may be on its way."""
    UNKNOWN = "unknown"
    """May have been applied: it is looked up at ``due_at`` before anything is written."""
    BLOCKED = "blocked"
    """Waits for a parent record (``parent_id``) to be linked in the same connection."""
    HELD = "held"
    """Stopped by a guard or a pause until an operator releases it."""
    DEAD = "dead"
    """Gave up or cannot succeed; a dead letter tells why."""
    DONE = "done"


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    """Deleted, or archived where the vendor keeps what was deleted for a while."""
    RESTORE = "restore"
    """Bring back what was deleted, where the vendor can."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One per record, connection and object: newer state coalesces into the waiting one."""

    id: int
    record_id: str
    entity: str
    connection: str
    object: str
    state: DeliveryState
    lane: Lane
    due_at: int
    attempts: int
    since_at: int
    """When the oldest change that is not yet delivered was received: the start of the latency clock."""
    change_id: int
    """The newest change that asked for it."""
    correlation_id: str
    wanted_version: int
    """The record version that must reach the connection."""
    parent_id: str = ""
    reason: str = ""


class Outcome(StrEnum):
    """How one attempt ended. Expected outcomes are values, not exceptions."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    """Nothing differed any more; no call was made."""
    FAILED = "failed"
    """See the failure's remedy."""
