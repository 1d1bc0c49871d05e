"""What the engine asks of a system, and what a system asks of the budget. One contract for every vendor.

The engine asks "what can you do?" (:class:`Capabilities`) and never "who are you?". A system turns every vendor
error into a :class:`~syncd.model.failure.Failure` at its own border; no vendor exception crosses it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

from syncd.model.change import Change, ChangeKind, Channel, Lane
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
    partial: bool = False
    """Some mapped fields could not be read, such as one that was taken away: what ``data`` lacks is absent, not
    empty."""


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
    category: str = ""
    """See :attr:`~syncd.model.mapping.RelationMapping.category`."""


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
class Conversion:
    """An object that becomes another one."""

    object: str
    external_id: str


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
    converts: Conversion | None = None
    """On a create: it is made by converting this object, where :attr:`Abilities.converts` names its kind."""


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
    """What holds for every object of a connection. What holds for one kind of them: :class:`Abilities`."""

    write_batch: int
    """How many writes the engine should hand over at once."""
    read_batch: int
    ordered_versions: bool
    """Versions are integers that rise with every change, so an older one is stale."""
    bulk_batch: int = 0
    """How many writes of the bulk lane the engine may hand over at once, where the vendor takes many in one job;
    0: no more than ``write_batch``."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What can be done with one kind of object of a connection, and how its changes come to be known. The default is
    an object the system knows nothing of."""

    scans: bool = False
    """All of them can be listed, for hydration."""
    actions: frozenset[Action] = frozenset()
    keyed: bool = False
    """A create carries our record id: sending it twice has one effect, and :meth:`System.find` finds it."""
    versioned: bool = False
    """A write says which version it was computed against, and the vendor refuses a stale one."""
    tells: Mapping[Channel, frozenset[ChangeKind]] = field(default_factory=dict)
    """By which channels changes come, and which kinds each of them can tell: ``STATE`` (also creations and
    restorations; a ``HINT`` counts as one), ``DELETED``, ``MERGED``, ``ERASED``."""
    merges: bool = False
    """Two of them can be merged into one: then the system is a :class:`MergingSystem`."""
    converts: frozenset[str] = frozenset()
    """Objects that become one of these by conversion (Salesforce: a Lead becomes a Contact). See
    :attr:`Write.converts`."""
    bulk: bool = False
    """Many can be written in one job of the vendor's; see :attr:`Capabilities.bulk_batch`."""

    def polled(self) -> bool:
        return Channel.POLL in self.tells

    def streamed(self) -> bool:
        """Changes come over a stream that the vendor holds open: then the system is a :class:`StreamingSystem`."""
        return Channel.STREAM in self.tells


UNKNOWN: Final = Abilities()
"""Of an object that the system knows nothing of."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a request costs, by the windows it falls into."""

    kind: str = "api"
    """A kind the connection's windows know: ``api``, ``search``, ``auth``."""
    cost: int = 1
    uneven: bool = False
    """How long the reply takes depends on what is asked (a page of hundreds of rows): it tells nothing of how busy the
    vendor is."""


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

    def abilities(self, object_: str) -> Abilities:
        """Of one kind of object; :data:`UNKNOWN` for one that the system does not know. Makes no call."""
        ...

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
    """A system that holds streams of changes open. See :meth:`Abilities.streamed`."""

    def stream(self, mapping: ObjectMapping, cursor: str | None) -> AsyncIterator[Batch]:
        """Changes of the mapping's object from the cursor on, until the stream breaks: then it raises
        :class:`VendorError`, and is asked again with the newest staged cursor. The next batch is asked for only when
        the last one is staged. ``None`` starts at the present."""
        ...


@runtime_checkable
class MergingSystem(Protocol):
    """A system that can merge two objects of one kind into one. See :attr:`Abilities.merges`."""

    async def merge(
        self, mapping: ObjectMapping, survivor: str, absorbed: Sequence[str], lane: Lane
    ) -> tuple[Verdict, ...]:
        """Merge the absorbed into the survivor, all by vendor id: one verdict per absorbed one, in their order. A
        verdict's ``external_id`` is the id that stands afterwards, which some vendors make anew. Cannot be undone."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """Work that a vendor goes through by itself. Noted before anything of it can be applied."""

    id: str
    """What the system needs to find it again; opaque."""
    object: str
    keys: tuple[str, ...]
    """The record ids of the writes in it."""


class JobBook(Protocol):
    """Where a system notes its jobs durably, so that one begun before a crash is gone on with, and not begun anew."""

    async def begun(self, job: Job) -> None:
        """Returns when it is safe. Called before anything of the job can be applied."""
        ...

    async def ended(self, job: Job) -> None:
        """All its verdicts are known, and were handed over."""
        ...


class NoJobBook:
    """Notes nothing: for tools that write nothing."""

    async def begun(self, job: Job) -> None: ...

    async def ended(self, job: Job) -> None: ...


@runtime_checkable
class JobSystem(Protocol):
    """A system with bulk jobs. See :attr:`Abilities.bulk`."""

    async def resume(self, mapping: ObjectMapping, job: Job, lane: Lane) -> Sequence[Verdict]:
        """What became of a job that was noted before a restart: waits for it to end, and gives one verdict per key. A
        job that never got all its rows is ended, and its verdicts say RETRY: nothing was applied."""
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
