"""The typed messages of the control API: what the daemon says to operators' tools and what they may ask.

Plain msgspec structs without behaviour, importable without the rest of syncd. Consumers must ignore fields they do
not know; fields are only ever added. Instants are milliseconds since the epoch, UTC; spans are seconds.
Values of records come as they are: whoever shows them escapes them.

Routes (HTTP over the Unix socket; JSON)::

    GET  /v1/status                         -> Status
    GET  /v1/stream?interval=1.0            -> Status, one JSON document a line, for as long as the client reads
    GET  /v1/tail?follow=true               -> TailLine, one JSON document a line
    GET  /v1/queue?connection=&state=&lane=&limit=&after=     -> QueuePage
    GET  /v1/failures?connection=&entity=&state=open          -> FailureGroups
    GET  /v1/failures/{fingerprint}?limit=&after=             -> DeadLetterPage
    GET  /v1/dead-letters/{id}              -> DeadLetterDetail
    GET  /v1/records?query=&entity=&limit=&after=             -> RecordPage
    GET  /v1/records/{id}                   -> RecordDetail
    GET  /v1/records/{id}/history?limit=    -> History
    GET  /v1/records/{id}/attempts?limit=   -> Attempts
    POST /v1/replay        ReplayRequest    -> ReplayResult
    POST /v1/discard       DiscardRequest   -> DiscardResult
    POST /v1/merge         MergeRequest     -> MergeResult
    GET  /v1/budgets                        -> Budgets
    GET  /v1/runs                           -> Runs
    POST /v1/runs/now      RunNowRequest    -> RunNowResult
    POST /v1/flows         FlowRequest      -> FlowResult        (pause or resume a connection or a mapping)

Every error is a :class:`Problem` with the HTTP status 400, 404, 409 or 503.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from syncd.control.gap_messages import GapLine

API_VERSION = 1


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    """Stable, lower case with dashes."""
    message: str
    """What, where and what to do, in one line."""


# --- status ---------------------------------------------------------------------------------------------------


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; ``None`` while nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    count: int = 0


class QueueLine(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting work of one kind. ``target`` is the connection that is written to, or ``"fold"`` for staged changes."""

    target: str
    object: str
    lane: str
    state: str
    depth: int
    oldest_age_seconds: float


class ConnectionLine(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    system: str
    state: Literal["up", "degraded", "down", "paused", "unknown"]
    reason: str = ""
    since_at: int = 0
    last_success_at: int = 0
    calls_last_minute: int = 0
    errors_last_minute: int = 0


class WindowLine(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a vendor."""

    connection: str
    window: str
    limit: int
    used: int
    """By everybody, as far as the vendor told us."""
    own: int
    """By syncd."""
    resets_in_seconds: float
    exhausted_in_seconds: float | None = None
    """At the present burn; ``None`` when it lasts until the reset."""
    reserves: dict[str, float] = {}
    """Share kept free for a lane and those more urgent."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A small plot: one value per ``step_seconds``, oldest first, ending at ``Status.at``; ``None`` is a gap."""

    name: Literal["throughput", "queue_depth", "latency_p95", "failures", "intake"]
    step_seconds: float
    values: list[float | None]


class HydrationLine(msgspec.Struct, frozen=True, kw_only=True):
    mapping: str
    state: str
    seen: int
    total: int | None
    started_at: int


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Since the state file was made; they survive restarts."""

    acknowledged: int = 0
    staged: int = 0
    duplicates: int = 0
    folded: int = 0
    echoes: int = 0
    delivered: int = 0
    unchanged: int = 0
    retries: int = 0
    replays: int = 0
    dead_letters_open: int = 0
    conflicts_open: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of everything on the Overview; painted as it is."""

    api: int = API_VERSION
    at: int
    version: str
    instance: str
    started_at: int
    state: Literal["starting", "running", "draining"]
    notes: list[str] = []
    """Standing remarks, such as the single-checkpointer mode on an old SQLite."""
    counters: Counters
    intake_latency: Percentiles
    """Request to acknowledgement, over the last five minutes."""
    delivery_latency: Percentiles
    """Change received to vendor applied, over the last five minutes."""
    throughput_per_second: float
    """Deliveries done, over the last ten seconds."""
    queue: list[QueueLine]
    connections: list[ConnectionLine]
    windows: list[WindowLine]
    series: list[Series]
    failures: list[FailureGroup]
    """The five largest open groups."""
    hydrations: list[HydrationLine] = []
    gaps: list[GapLine] = []
    """Open ones."""


class TailLine(msgspec.Struct, frozen=True, kw_only=True):
    at: int
    event: str
    """Constant name, such as ``delivery.done``."""
    level: str = "info"
    connection: str = ""
    entity: str = ""
    record_id: str = ""
    correlation_id: str = ""
    detail: dict[str, Any] = {}


# --- queue ----------------------------------------------------------------------------------------------------


class QueueItem(msgspec.Struct, frozen=True, kw_only=True):
    delivery_id: int
    record_id: str
    title: str
    entity: str
    connection: str
    object: str
    state: str
    lane: str
    attempts: int
    age_seconds: float
    due_in_seconds: float
    reason: str = ""


class QueuePage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[QueueItem]
    total: int
    after: int | None = None
    """Pass as ``after`` for the next page; ``None`` on the last."""


# --- failures -------------------------------------------------------------------------------------------------


class FailureGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Open dead letters of one cause."""

    fingerprint: str
    kind: Literal["change", "delivery", "conflict"]
    connection: str
    object: str
    entity: str
    code: str
    message: str
    """The vendor's words in the newest one."""
    count: int
    first_at: int
    last_at: int
    trend: list[int] = []
    """New ones per five minutes over the last hour, oldest first; twelve numbers."""


class FailureGroups(msgspec.Struct, frozen=True, kw_only=True):
    at: int
    groups: list[FailureGroup]
    open_total: int


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    kind: Literal["change", "delivery", "conflict"]
    fingerprint: str
    state: Literal["open", "replayed", "discarded", "resolved"]
    at: int
    record_id: str
    title: str
    entity: str
    connection: str
    object: str
    code: str
    message: str
    attempts: int
    closed_at: int = 0
    closed_by: str = ""
    closed_why: str = ""


class DeadLetterPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[DeadLetter]
    total: int
    after: int | None = None


class FieldDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a diff. A missing value is told by ``known`` being false, null by ``None``."""

    field: str
    before: Any = None
    before_known: bool = True
    """What the connection held when we last looked."""
    after: Any = None
    base: Any = None
    """For conflicts: what both last agreed on."""
    base_known: bool = False
    editable: bool = True
    personal: bool = False
    type: str = "text"
    at_fault: bool = False
    """The vendor named this field."""


class DeadLetterDetail(msgspec.Struct, frozen=True, kw_only=True):
    letter: DeadLetter
    diff: list[FieldDiff]
    """What a replay would write now, against what the connection held when we last looked."""
    sent: dict[str, Any] = {}
    """The raw values of the last attempt, by vendor path."""
    reply: str = ""
    """The vendor's reply, without secrets."""
    payload: Any = None
    """For changes that could not be folded: what arrived."""
    correlation_id: str = ""
    advice: str = ""
    """What usually mends this, in one sentence."""
    candidates: list[str] = []
    """Two that may be one, survivor first: what a :class:`MergeRequest` takes."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters: explicit ids, or all open ones that match. Exactly one of the two forms."""

    ids: list[int] = []
    fingerprint: str = ""
    connection: str = ""
    entity: str = ""
    all: bool = False


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True):
    command_id: str
    """Made by the client; sending a command twice has one effect."""
    selection: Selection
    who: str
    why: str = ""
    edits: dict[str, Any] = {}
    """Canonical values by field; only with a single id."""
    preview: bool = False
    """Only say what would be replayed."""


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    matched: int
    replayed: int
    refused: list[str] = []
    """Why some were not, one line each."""


class DiscardRequest(msgspec.Struct, frozen=True, kw_only=True):
    command_id: str
    selection: Selection
    who: str
    why: str
    """Required, not empty."""


class DiscardResult(msgspec.Struct, frozen=True, kw_only=True):
    matched: int
    discarded: int


# --- records --------------------------------------------------------------------------------------------------


class RecordLine(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    entity: str
    title: str
    version: int
    updated_at: int
    connections: list[str]
    state: Literal["in_step", "waiting", "failed", "held"]


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    items: list[RecordLine]
    total: int
    searched: int
    """Rows looked at: a search over more than this many says so."""
    capped: bool = False
    after: str | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection holds of the record."""

    connection: str
    system: str
    object: str
    external_id: str
    version: str
    modified_at: int
    gone: bool
    delivery_state: str
    delivery_reason: str = ""
    due_at: int = 0


class HeldValue(msgspec.Struct, frozen=True, kw_only=True):
    known: bool
    value: Any = None
    in_step: bool = True


class FieldLine(msgspec.Struct, frozen=True, kw_only=True):
    """One field: golden value, where it came from, and what every connection holds."""

    field: str
    type: str
    known: bool
    value: Any = None
    personal: bool = False
    origin_connection: str = ""
    origin_at: int = 0
    origin_change: int = 0
    origin_rule: str = ""
    owners: list[str] = []
    held: dict[str, HeldValue] = {}
    """By ``connection.object``; connections that do not map the field are left out."""


class RecordDetail(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    entity: str
    title: str
    version: int
    created_at: int
    updated_at: int
    fields: list[FieldLine]
    held: list[Held]
    open_dead_letters: list[int] = []


class HistoryDecision(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    rule: str
    before: Any = None
    before_known: bool = True
    after: Any = None
    theirs: Any = None


class HistoryLine(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    at: int
    connection: str
    channel: str
    change_id: int
    correlation_id: str
    decisions: list[HistoryDecision]
    who: str = ""
    why: str = ""


class History(msgspec.Struct, frozen=True, kw_only=True):
    record_id: str
    lines: list[HistoryLine]


class AttemptLine(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    at: int
    connection: str
    object: str
    action: str
    outcome: str
    duration_seconds: float
    fields: list[str]
    code: str = ""
    message: str = ""
    status: int = 0
    correlation_id: str = ""
    sent: dict[str, Any] = {}


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    record_id: str
    lines: list[AttemptLine]


# --- budgets, runs, flows ---------------------------------------------------------------------------------------


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    at: int
    windows: list[WindowLine]


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """One capture: its schedule and its last run."""

    mapping: str
    kind: Literal["poll", "hydrate", "stream", "clock"]
    every_seconds: float | None
    state: Literal["idle", "running", "paused", "failed"]
    last_started_at: int = 0
    last_ended_at: int = 0
    next_at: int = 0
    seen: int = 0
    staged: int = 0
    error: str = ""
    cursor_age_seconds: float | None = None
    gap: GapLine | None = None


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    at: int
    runs: list[RunLine]


class RunNowRequest(msgspec.Struct, frozen=True, kw_only=True):
    mapping: str
    kind: Literal["poll", "hydrate"] = "poll"
    who: str = ""


class RunNowResult(msgspec.Struct, frozen=True, kw_only=True):
    started: bool
    reason: str = ""


class FlowRequest(msgspec.Struct, frozen=True, kw_only=True):
    command_id: str
    target: str
    """A connection, or a mapping as ``connection.object``."""
    paused: bool
    who: str
    why: str = ""


class FlowResult(msgspec.Struct, frozen=True, kw_only=True):
    target: str
    paused: bool
    changed: bool
