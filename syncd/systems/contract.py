"""What the engine asks of a system, and what a system asks of the budget. One contract for every vendor.

The engine asks "what can you do?" (:class:`Capabilities`) and never "who are you?". A system turns every vendor
error into a :class:`~syncd.model.failure.Failure` at its own border; no vendor exception crosses it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from syncd.model.change import Change, Lane
from syncd.model.delivery import Action, Outcome
from syncd.model.failure import Failure
from syncd.model.lens import Raw
from syncd.model.mapping import ObjectMapping


class VendorError(Exception):
    """A whole call failed: reads, polls, checks. Writes answer with verdicts instead."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(f"{failure.code}: {failure.message}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One object as the vendor held it when we looked."""

    object: str
    external_id: str
    data: Mapping[str, Any]
    """The vendor's fields, where mapping paths start (HubSpot: the properties; commercetools: the resource)."""
    version: str = ""
    """Compared as an integer by systems whose capabilities say ``ordered_versions``."""
    modified_at: int = 0
    deleted: bool = False
    merged_into: str = ""
    """Absorbed by the object of this id; ``data`` is empty then."""


@dataclass(frozen=True, slots=True)
class Page:
    snapshots: Sequence[Snapshot]
    cursor: str
    """Where to go on; opaque, durable, valid across restarts."""
    more: bool
    """Another page can be asked for at once."""


@dataclass(frozen=True, slots=True)
class ReadResult:
    found: Mapping[str, Snapshot]
    """By the id that was asked for. After a merge the snapshot's ``external_id`` is another one."""
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class RelationWrite:
    object: str
    external_id: str
    type_id: int
    remove: bool = False
    path: str = ""
    """The reference field, where the vendor keeps associations as fields."""


@dataclass(frozen=True, slots=True)
class ChildWrite:
    """One child object, keyed ``<record id>:<item key>`` in the vendor's unique property."""

    key: str
    """The item's key."""
    values: Mapping[str, Raw]
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class ChildrenWrite:
    object: str
    type_id: int
    upsert: Sequence[ChildWrite] = ()
    remove: Mapping[str, str] = field(default_factory=dict)
    """Item key to vendor id of children to archive."""
    complete: bool = False
    """What hangs there is not known (an answer was lost): of our children only those in ``upsert`` may remain."""
    path: str = ""
    """The child's reference field to its parent, where the vendor keeps associations as fields."""


@dataclass(frozen=True, slots=True)
class Write:
    """One record's write. Creates are keyed: sending one twice has one effect."""

    key: str
    """The record id; systems store it in the mapping's ``key_path``."""
    action: Action
    values: Mapping[str, Raw]
    """Path to raw value; ``None`` clears."""
    external_id: str = ""
    """Empty on create."""
    version: str = ""
    """The version the diff was computed against, where the vendor locks optimistically."""
    current: Mapping[str, Any] | None = None
    """What the vendor holds now as far as we know, by path; for systems that must know it to form an update."""
    relations: Sequence[RelationWrite] = ()
    children: Sequence[ChildrenWrite] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one write."""

    key: str
    outcome: Outcome
    external_id: str = ""
    """Set whenever it is known, also on failures after the object itself was written."""
    snapshot: Snapshot | None = None
    """The object after the write, if the vendor told."""
    children: Mapping[str, str] = field(default_factory=dict)
    """Item key to vendor id of children that now exist."""
    failure: Failure | None = None
    main_applied: bool = False
    """On a failure: the object's own values were written, only relations or children were not."""


class Severity(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``syncd check`` or ``syncd provision``."""

    severity: Severity
    code: str
    """Stable, lower case with dashes: ``scope-missing``, ``property-missing``, ``clock-skew``."""
    subject: str
    """What it speaks of: ``crm.contacts.credit_limit``."""
    message: str
    remedy: str = ""
    applied: bool = False
    """``provision --apply`` did it."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    write_batch: int
    """How many writes the engine should hand over at once."""
    read_batch: int
    ordered_versions: bool
    """Versions are integers that rise with every change, so an older one is stale."""
    webhooks: bool
    polls: frozenset[str]
    """Objects that can be polled for changes."""
    deletes_visible: bool
    """Deletions can be seen by at least one capture."""
    keyed_creates: bool
    """A retried create cannot duplicate."""
    streams: frozenset[str] = frozenset()
    """Objects whose changes come over a stream that the vendor holds open; then the system is a
    :class:`StreamingSystem`."""
    bulk_batch: int = 0
    """How many writes of the bulk lane the engine may hand over at once, where the vendor takes many in one job;
    0: no more than ``write_batch``."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a request costs, by the windows it falls into."""

    kind: str = "api"
    """A kind the connection's windows know: ``api``, ``search``, ``auth``."""
    cost: int = 1


class OutOfBudgetError(Exception):
    """The budget cannot pay soon. Expected: it uses up no attempt."""

    def __init__(self, window: str, retry_after_seconds: float) -> None:
        self.window = window
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"the {window} window is spent; free in {retry_after_seconds:.1f} s")


class Payer(Protocol):
    """A connection's budget, as its system sees it. Nothing leaves without having been paid for."""

    def pay(self, call: Call, lane: Lane) -> AbstractAsyncContextManager[None]:
        """Wait for room in every window the call falls into, spend, and hold a concurrency slot while inside.

        Raises :class:`OutOfBudgetError` when the wait would be longer than the budget's patience.
        """
        ...

    def observe(self, call: Call, status: int, headers: Mapping[str, str], seconds: float) -> None:
        """Learn from a reply: the vendor's own headers are truth, our counters are a guess."""
        ...


class System(Protocol):
    """One connection of one vendor. Built closed; :meth:`open` before use; :meth:`close` may come twice."""

    @property
    def connection(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def check(self, mappings: Sequence[ObjectMapping]) -> Sequence[Finding]:
        """Reachability, credential, scopes, mapped fields, clock skew. Never raises for what it finds."""
        ...

    async def provision(self, mappings: Sequence[ObjectMapping], *, apply: bool) -> Sequence[Finding]:
        """What the vendor's account lacks for the mappings (properties, pipelines, types), and create it."""
        ...

    async def read(self, mapping: ObjectMapping, ids: Sequence[str], lane: Lane) -> ReadResult:
        """Objects by vendor id, any number; the system cuts it into calls. Raises :class:`VendorError`."""
        ...

    async def find(self, mapping: ObjectMapping, keys: Sequence[str], lane: Lane) -> Mapping[str, Snapshot]:
        """Objects by our record id in the mapping's ``key_path``. Strongly consistent, or it must say so by
        raising :class:`VendorError` with the remedy WAIT."""
        ...

    async def poll(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        """What changed since the cursor, oldest first. ``None`` starts at the present with the overlap."""
        ...

    async def scan(self, mapping: ObjectMapping, cursor: str | None, lane: Lane) -> Page:
        """Every object, in an order that writes do not disturb; for hydration. ``None`` starts over."""
        ...

    async def write(self, mapping: ObjectMapping, writes: Sequence[Write], lane: Lane) -> Sequence[Verdict]:
        """Write, one verdict per write, in any order. Never raises for a vendor's refusal, a time-out or an
        empty budget (the verdict's failure says WAIT). An input whose fate is not known gets the remedy LOOK."""
        ...


@dataclass(frozen=True, slots=True)
class Gap:
    """A span of which a stream could not tell every change. It is read again by other means."""

    objects: tuple[str, ...]
    from_at: int
    """Milliseconds since the epoch; 0: from the beginning."""
    until_at: int
    reason: str
    """Stable, lower case with dashes: ``position-lost``, ``overflow``."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a stream told, to be staged in one transaction with the cursor that stands behind it."""

    changes: Sequence[Change]
    cursor: str
    """Where to go on after a restart; advances also when nothing happened, lest it ages."""
    snapshots: Sequence[Snapshot] = ()
    """Objects that were read again to mend a gap."""
    gap: Gap | None = None
    """A gap was found: stated when this batch is staged, mended by the batches that follow."""
    mended: bool = False
    """The gap that was stated before has been read again, whole."""
    notice: str = ""
    """Something an operator should know, such as an allocation that runs out."""


@runtime_checkable
class StreamingSystem(Protocol):
    """A system that holds streams of changes open. See :attr:`Capabilities.streams`."""

    def stream(self, mapping: ObjectMapping, cursor: str | None) -> AsyncIterator[Batch]:
        """Changes of the mapping's object from the cursor on, until the stream breaks: then it raises
        :class:`VendorError`, and is asked again with the newest staged cursor. The next batch is asked for only when
        the last one is staged. ``None`` starts at the present."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    method: str
    path: str
    """Path and query as received."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    received_at: int


class RefusedError(Exception):
    """A request that is certainly bad. ``status`` 400, 401, 413 or 415; ``check`` names the failed check."""

    def __init__(self, status: int, check: str, detail: str) -> None:
        self.status = status
        self.check = check
        self.detail = detail
        super().__init__(f"{check}: {detail}")


class CannotJudgeError(Exception):
    """Syncd itself cannot judge a request now (no secret, unsane clock): the answer is 503, never 4xx."""


@runtime_checkable
class WebhookSource(Protocol):
    """A system's side of the intake: authenticity and shape, no I/O."""

    def accept(self, request: WebhookRequest) -> Sequence[Change]:
        """Changes told by an authentic request. Raises :class:`RefusedError` or :class:`CannotJudgeError`."""
        ...
