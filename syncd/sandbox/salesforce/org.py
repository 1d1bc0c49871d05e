"""One org: its tables, its settings, and the transactions in which anything changes. No HTTP here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.runtime.clock import Clock
from syncd.sandbox.faults import VendorFaults
from syncd.sandbox.salesforce import records
from syncd.sandbox.salesforce.errors import SalesforceError, locked
from syncd.sandbox.salesforce.fields import Field, moment_text
from syncd.sandbox.salesforce.ids import IdMaker
from syncd.sandbox.salesforce.objects import ObjectType
from syncd.sandbox.salesforce.records import Getter, Row, Table
from syncd.sandbox.salesforce.schema import Schema

Note = Callable[..., None]
"""``Vendor.applied``."""

INTEGRATION, ADMIN, SELLER = "integration@sandbox.example", "admin@sandbox.example", "mara.lindt@sandbox.example"
"""User names of the people every org begins with."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What does not change about an org."""

    edition: str = "Enterprise"
    """One of :data:`~syncd.sandbox.salesforce.limits.EDITIONS`; sets the limits where nobody set others."""
    my_domain: str = "syncd-sandbox"
    currencies: tuple[str, ...] = ("EUR",)
    """More than one makes it a multi-currency org; the first is the corporate one."""
    key_field: str = "Syncd_Id__c"
    """The caller's external id, for the ledger's ``key``."""
    newest_version: int = 68
    oldest_version: int = 31


@dataclass(frozen=True, slots=True)
class Caller:
    """Who writes, and how: what events and the ledger say about a change."""

    user_id: str
    name: str
    """Of the app, for the ledger; or ``human``."""
    api: str = ""
    """``rest``, ``bulkapi``, ``soap``; empty for people."""
    version: str = ""
    client: str = ""
    """What ``Sforce-Call-Options: client=`` said."""
    allow_save: bool = False
    """Save although an alerting duplicate rule found something."""

    @property
    def origin(self) -> str:
        """``changeOrigin`` of change events."""
        if not self.api:
            return ""
        base = f"com/salesforce/api/{self.api}/{self.version}"
        return f"{base};client={self.client}" if self.client else base


@dataclass(slots=True)
class Change:
    """One applied effect on one row."""

    kind: ObjectType
    row: Row
    what: str
    """``create``, ``update``, ``delete``, ``undelete``."""
    values: dict[str, Any]
    """What changed, after the change; of ``create`` and ``undelete`` everything."""
    quiet: bool = False
    """Automatic: moves SystemModstamp only."""
    diffs: dict[str, str] = field(default_factory=dict)
    """Long texts that changed, as the differences events carry in their place."""


@dataclass(slots=True)
class ValidationRule:
    """``field`` of ``kind`` may not hold ``value`` (or, without a value, may not be empty)."""

    kind: str
    field: str
    value: Any
    message: str
    error_field: str = ""


@dataclass(slots=True)
class DuplicateRule:
    kind: str
    field: str
    block: bool = False
    """Otherwise it only alerts, and a caller may save all the same."""


@dataclass(slots=True)
class Rules:
    """What an administrator set up."""

    validation: list[ValidationRule] = field(default_factory=list)
    duplicates: list[DuplicateRule] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    """Ids of rows somebody holds locked, to how many more writes they refuse."""
    hidden: set[tuple[str, str]] = field(default_factory=set)
    """(object, field) pairs the integration user may not write."""

    def clear(self) -> None:
        """No more validation and duplicate rules."""
        self.validation.clear()
        self.duplicates.clear()


class Org:
    def __init__(self, profile: Profile, clock: Clock, dice: random.Random, faults: VendorFaults, note: Note) -> None:
        self.profile = profile
        self.clock = clock
        self.dice = dice
        self.faults = faults
        self.ids = IdMaker()
        self.id = self.ids.new("00D")
        self.schema = Schema(profile.currencies, clock.now_ms())
        self.tables: dict[str, Table] = {name: Table(kind) for name, kind in self.schema.kinds.items()}
        self.rules = Rules()
        self.tell: Callable[[Caller, list[Change], int], None] = lambda *_: None
        """Hears of every committed transaction."""
        self._note = note
        self._numbers: dict[tuple[str, str], int] = {}
        self._deleted_fields: dict[tuple[str, str], tuple[Field, dict[str, Any]]] = {}
        self._lock_dice = random.Random(dice.random())

    # -- reading

    def now(self) -> str:
        return moment_text(self.clock.now_ms())

    def table(self, kind: ObjectType) -> Table:
        return self.tables[kind.name]

    def row(self, id_: str | None) -> Row | None:
        """A live row of any kind."""
        if not id_:
            return None
        kind = self.schema.of_id(id_)
        found = self.tables[kind.name].rows.get(id_) if kind else None
        return found if found is not None and not found.deleted else None

    def children(self, kind: str, field: str, parent: str) -> list[Row]:
        """Live rows whose reference ``field`` is ``parent``."""
        table = self.tables[kind]
        return [table.rows[id_] for id_ in table.holders(table.kind.fields[field], parent)]

    def getter(self, kind: ObjectType, name: str) -> Getter:
        return records.getter(self, kind.fields[name])

    def first(self, kind: str, field: str, value: Any) -> Row | None:
        return next((row for row in self.tables[kind].all() if row.values.get(field) == value), None)

    def user(self, username: str) -> Row | None:
        table = self.tables["User"]
        found = table.holders(table.kind.fields["Username"], username)
        return table.rows[found[0]] if found else None

    # -- numbers, locks

    def next_number(self, kind: ObjectType, name: str) -> str:
        """The next auto-number. ``LOY-{0000}`` and ``00000000`` are patterns."""
        number = self._numbers.get((kind.name, name), 0) + 1
        self._numbers[kind.name, name] = number
        pattern = kind.fields[name].auto_number
        before, brace, rest = pattern.partition("{")
        if not brace:
            return str(number).zfill(len(pattern))
        digits, _, after = rest.partition("}")
        return before + str(number).zfill(len(digits)) + after

    def check_lock(self, *ids: str | None) -> None:
        """Raises UNABLE_TO_LOCK_ROW when somebody else holds one of the rows."""
        rate = self.faults.plan.lock_row
        if rate and self._lock_dice.random() < rate:
            raise locked(next(filter(None, ids), ""))
        if self.rules.held:
            for id_ in ids:
                left = self.rules.held.get(id_ or "", 0)
                if left:
                    self.rules.held[id_ or ""] = left - 1
                    raise locked(id_ or "")

    # -- definitions

    def create_object(self, name: str, body: Mapping[str, Any]) -> ObjectType:
        kind = self.schema.create_object(name, body, self.clock.now_ms())
        self.tables[name] = Table(kind)
        return kind

    def put_field(self, kind: ObjectType, body: Mapping[str, Any]) -> None:
        """Create or redefine a custom field; values it can no longer hold are cleared."""
        one = self.schema.put_field(kind, body, self.clock.now_ms())

        def read(held: Any) -> Any:
            try:
                return one.read(held if isinstance(held, str) else str(held))
            except SalesforceError:
                return None

        self.table(kind).recast(one.name, read)

    def drop_field(self, kind: ObjectType, name: str) -> None:
        """Into the list of deleted fields, with what its rows held."""
        one = kind.fields[name]
        self.schema.drop_field(kind, name, self.clock.now_ms())
        self._deleted_fields[kind.name, name] = (one, self.table(kind).strip(name))

    def undrop_field(self, kind: ObjectType, name: str) -> None:
        """Out of the list of deleted fields. Raises ``KeyError`` when it is not there."""
        one, held = self._deleted_fields.pop((kind.name, name))
        self.schema.restore_field(kind, one, self.clock.now_ms())
        self.table(kind).refill(name, held)

    # -- committing

    def commit(self, caller: Caller, changes: Iterable[Change], now_ms: int) -> None:
        """Note the effects, move SystemModstamps to the end, tell the listener."""
        key, listed = self.profile.key_field, list(changes)
        for change in listed:
            table = self.tables[change.kind.name]
            if change.row.id in table.rows:
                table.touch(change.row)
            if not change.quiet:
                self._note(
                    change.what, change.kind.name, change.row.id,
                    key=str(change.row.values.get(key) or ""), values=change.values, actor=caller.name,
                )  # fmt: skip
        self.tell(caller, listed, now_ms)
