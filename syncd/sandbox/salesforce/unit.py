"""A transaction: writes that are applied at once, noted when it commits, and undone when it does not.

Nothing in here waits, so no other caller ever sees the middle of one.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from syncd.sandbox.salesforce import rules
from syncd.sandbox.salesforce.errors import (
    SalesforceError,
    bad_reference,
    deleted,
    malformed_id,
    missing,
    no_column,
    not_writable,
)
from syncd.sandbox.salesforce.fields import Field, moment_text
from syncd.sandbox.salesforce.objects import CASCADE, RESTRICT, ObjectType
from syncd.sandbox.salesforce.org import Caller, Change, Org
from syncd.sandbox.salesforce.records import Row

DIFF_CHARS = 1000
"""Change events carry longer texts as differences."""


class Unit:
    def __init__(self, org: Org, caller: Caller) -> None:
        self.org = org
        self.caller = caller
        self.now_ms = org.clock.now_ms()
        self.now = moment_text(self.now_ms)
        self.changes: list[Change] = []
        self._undo: list[Callable[[], None]] = []
        self._setup: str = ""
        self._data: str = ""

    # -- the frame

    def mark(self) -> tuple[int, int]:
        return len(self.changes), len(self._undo)

    def rollback(self, mark: tuple[int, int] = (0, 0)) -> None:
        changes, undo = mark
        while len(self._undo) > undo:
            self._undo.pop()()
        del self.changes[changes:]

    def commit(self) -> None:
        changes, self.changes, self._undo = merged(self.changes), [], []
        if changes:
            self.org.commit(self.caller, changes, self.now_ms)

    # -- writing

    def insert(self, kind: ObjectType, raw: Mapping[str, Any], *, system: Mapping[str, Any] | None = None) -> Row:
        """``system`` are values that callers may not set."""
        if not kind.createable and self.caller.api:
            raise SalesforceError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {kind.name} cannot be created")
        self._one_world(kind)
        values = self._read(kind, raw, creating=True)
        id_ = self.org.ids.new(kind.prefix or "01J")
        self._defaults(kind, values, id_)
        if system:
            values.update(system)
        rules.before(self, kind, None, values)
        self._check(kind, None, values)
        row = Row(id_, {name: value for name, value in values.items() if value is not None}, self.now,
                  self.caller.user_id)  # fmt: skip
        table = self.org.table(kind)
        table.add(row)
        self._undo.append(lambda: table.drop(row))
        self.changes.append(Change(kind, row, "create", dict(row.values)))
        rules.after(self, kind, row, "create", values)
        return row

    def update(self, kind: ObjectType, id_: str, raw: Mapping[str, Any]) -> Row:
        if not kind.updateable:
            raise SalesforceError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {kind.name} cannot be updated")
        self._one_world(kind)
        row = self.need(kind, id_)
        wanted = self._read(kind, raw, creating=False)
        rules.before(self, kind, row, wanted)
        changes = {name: value for name, value in wanted.items() if row.values.get(name) != value}
        self._check(kind, row, changes)
        self.put(kind, row, changes)
        rules.after(self, kind, row, "update", changes)
        return row

    def put(self, kind: ObjectType, row: Row, changes: dict[str, Any], *, quiet: bool = False) -> None:
        """Apply checked changes."""
        before = {name: row.values.get(name) for name in changes}
        stamps = (row.modified, row.modified_by, row.stamp)
        table = self.org.table(kind)
        table.set(row, changes)
        row.stamp = self.now
        if not quiet:
            row.modified, row.modified_by = self.now, self.caller.user_id

        def undo() -> None:
            table.set(row, before)
            row.modified, row.modified_by, row.stamp = stamps

        self._undo.append(undo)
        self.changes.append(Change(kind, row, "update", changes, quiet, _diffs(before, changes)))

    def delete(self, kind: ObjectType, id_: str) -> Row:
        if not kind.deletable:
            raise SalesforceError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type {kind.name} does not support delete",
                                  status=400)  # fmt: skip
        self._one_world(kind)
        row = self.need(kind, id_)
        self.org.check_lock(row.id)
        if not rules.before_delete(self, kind, row):
            return row
        self._unlink(kind, row)
        self.remove(kind, row)
        rules.after(self, kind, row, "delete", {})
        return row

    def remove(self, kind: ObjectType, row: Row) -> None:
        """Into the recycle bin, without looking at what refers to it."""
        table, stamps = self.org.table(kind), (row.modified, row.modified_by, row.stamp)
        table.mark(row, deleted=True)
        row.modified = row.stamp = self.now
        row.modified_by = self.caller.user_id
        table.gone.append((self.now_ms, row.id))

        def undo() -> None:
            table.gone.pop()
            table.mark(row, deleted=False)
            row.modified, row.modified_by, row.stamp = stamps

        self._undo.append(undo)
        self.changes.append(Change(kind, row, "delete", {}))

    def _unlink(self, kind: ObjectType, row: Row) -> None:
        """What a deletion does to the rows that refer to it."""
        org = self.org
        for other, one in list(org.schema.children(kind)):
            if not org.tables[other.name].has_index(one.name):
                continue
            held = org.children(other.name, one.name, row.id)
            if held and one.on_delete == RESTRICT:
                listed = ", ".join(child.id for child in held[:5])
                raise SalesforceError(
                    "DELETE_FAILED",
                    f"Your attempt to delete {row.values.get('Name', row.id)} could not be completed because it is "
                    f"associated with the following {other.plural.lower()}: {listed}",
                )
            for child in held:
                if one.on_delete == CASCADE:
                    self._unlink(other, child)
                    self.remove(other, child)
                else:
                    self.put(other, child, {one.name: None}, quiet=True)

    def undelete(self, kind: ObjectType, id_: str) -> Row:
        table = self.org.table(kind)
        row = table.get(id_)
        if row is None or not kind.undeletable:
            raise SalesforceError("UNDELETE_FAILED", "entity cannot be undeleted")
        if not row.deleted:
            raise SalesforceError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        self._unique(kind, row, row.values)
        stamps = (row.modified, row.modified_by, row.stamp)
        table.mark(row, deleted=False)
        row.modified = row.stamp = self.now
        row.modified_by = self.caller.user_id

        def undo() -> None:
            table.mark(row, deleted=True)
            row.modified, row.modified_by, row.stamp = stamps

        self._undo.append(undo)
        self.changes.append(Change(kind, row, "undelete", dict(row.values)))
        return row

    def purge(self, kind: ObjectType, id_: str) -> Row:
        """Delete for good."""
        table = self.org.table(kind)
        row = table.get(id_)
        if row is None:
            raise bad_reference("")
        if not row.deleted:
            self.delete(kind, id_)
        table.rows.pop(row.id)
        table.by_stamp.pop(row.id, None)
        self._undo.append(lambda: table.rows.__setitem__(row.id, row))
        return row

    # -- finding

    def need(self, kind: ObjectType, id_: str) -> Row:
        """The live row a write is for. Raises what the vendor says of wrong, unknown and deleted ids."""
        row = self.org.table(kind).get(id_)
        if row is None:
            raise SalesforceError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
        if row.deleted:
            raise deleted()
        return row

    # -- checking

    def _one_world(self, kind: ObjectType) -> None:
        """Setup objects and ordinary ones cannot be written together."""
        if kind.setup:
            self._setup = kind.name
        else:
            self._data = kind.name
        if self._setup and self._data:
            now, was = (self._setup, self._data) if kind.setup else (self._data, self._setup)
            raise SalesforceError(
                "MIXED_DML_OPERATION",
                "DML operation on setup object is not permitted after you have updated a non-setup object "
                f"(or vice versa): {now}, original object: {was}",
            )

    def _read(self, kind: ObjectType, raw: Mapping[str, Any], *, creating: bool) -> dict[str, Any]:
        """Incoming values to held ones. Raises for unknown and read-only fields and for values that do not fit."""
        values: dict[str, Any] = {}
        refused: list[str] = []
        fields, hidden = kind.fields, self.org.rules.hidden
        for name, value in raw.items():
            one = fields.get(name)
            if one is None:
                if name == "attributes":
                    continue
                one = kind.field(name)
                if one is None:
                    self._by_external_id(kind, name, value, values)
                    continue
            if not (one.createable if creating else one.updateable) or (hidden and (kind.name, one.name) in hidden):
                refused.append(one.name)
            elif value is None:
                values[one.name] = False if one.type == "boolean" else None
            else:
                values[one.name] = one.read(value)
        if refused:
            raise not_writable(refused)
        return values

    def _by_external_id(self, kind: ObjectType, name: str, value: Any, values: dict[str, Any]) -> None:
        """``"Account": {"Syncd_Id__c": "A-1"}`` in place of ``AccountId``."""
        link = kind.relations.get(name.lower())
        if link is None or not (isinstance(value, dict) or value is None):
            raise no_column(name, kind.name)
        if value is None:
            values[link.name] = None
            return
        keys = {key: one for key, one in value.items() if key != "attributes"}
        if len(keys) != 1:
            raise SalesforceError(
                "INVALID_FIELD", f"The relationship {name} must name exactly one external id field of its object"
            )
        ((key, wanted),) = keys.items()
        values[link.name] = self._find_parent(link, key, wanted)

    def _find_parent(self, link: Field, key: str, wanted: Any) -> str:
        for target in link.reference_to:
            kind = self.org.schema.kinds[target]
            one = kind.field(key)
            if one is None or not one.id_lookup:
                continue
            if one.name == "Id":
                return str(link.read(wanted))
            found = self.org.table(kind).holders(one, one.read(wanted))
            if len(found) == 1:
                return found[0]
            if found:
                raise SalesforceError(
                    "DUPLICATE_EXTERNAL_ID",
                    f"{key}: more than one record found for external id field: [{', '.join(found)}]",
                    [key],
                )
            raise SalesforceError(
                "INVALID_FIELD", f"Foreign key external ID: {wanted} not found for field {key} in entity {target}"
            )
        raise SalesforceError("INVALID_FIELD", f"{key} is not an external id field of {' or '.join(link.reference_to)}")

    def _defaults(self, kind: ObjectType, values: dict[str, Any], id_: str) -> None:
        for one in kind.filled:
            if one.auto_number:
                values[one.name] = self.org.next_number(kind, one.name)
            elif values.get(one.name) is None:
                values[one.name] = {"@me": self.caller.user_id, "@id": id_}.get(one.default, one.default)

    def _check(self, kind: ObjectType, row: Row | None, values: Mapping[str, Any]) -> None:
        fields = kind.fields
        if row is None:
            lacking = [name for name in kind.required if values.get(name) is None]
        else:
            lacking = [name for name, value in values.items() if value is None and fields[name].required]
        if lacking:
            raise missing(lacking)
        parents = [row.id] if row else []
        for name, value in values.items():
            one = fields[name]
            if one.type == "reference" and value is not None:
                self._check_reference(one, value)
                if name != "OwnerId":
                    parents.append(value)
        self._unique(kind, row, values)
        self._administrators_rules(kind, row, values)
        self.org.check_lock(*parents)

    def _check_reference(self, one: Field, id_: str) -> None:
        kind = self.org.schema.of_id(id_)
        if kind is None or kind.name not in one.reference_to:
            raise malformed_id(one.label, id_, one.name)
        target = self.org.tables[kind.name].rows.get(id_)
        if target is None:
            raise bad_reference(one.name)
        if target.deleted:
            raise SalesforceError("ENTITY_IS_DELETED", "entity is deleted", [one.name], status=400)

    def _unique(self, kind: ObjectType, row: Row | None, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            one = kind.fields[name]
            if one.unique and value is not None:
                others = [id_ for id_ in self.org.table(kind).holders(one, value) if row is None or id_ != row.id]
                if others:
                    code = "DUPLICATE_USERNAME" if name == "Username" else "DUPLICATE_VALUE"
                    raise SalesforceError(
                        code,
                        f"duplicate value found: {name} duplicates value on record with id: {others[0][:15]}",
                        [name] if name == "Username" else [],
                    )

    def _administrators_rules(self, kind: ObjectType, row: Row | None, values: Mapping[str, Any]) -> None:
        for rule in self.org.rules.validation:
            if rule.kind == kind.name and (row is None or rule.field in values):
                value = values.get(rule.field)
                if value == rule.value:
                    raise SalesforceError(
                        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                        rule.message,
                        [rule.error_field] if rule.error_field else [],
                    )
        for one in self.org.rules.duplicates:
            if one.kind == kind.name and values.get(one.field) is not None:
                field = kind.fields[one.field]
                table = self.org.table(kind)
                held = table.holders(field, values[one.field]) if table.has_index(field.name) else ()
                found = [id_ for id_ in held if row is None or id_ != row.id]
                if found and (one.block or not self.caller.allow_save):
                    raise SalesforceError("DUPLICATES_DETECTED", "Use one of these records?")


def _diffs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    out = {}
    for name, value in after.items():
        old = before[name]
        if isinstance(value, str) and len(value) > DIFF_CHARS and isinstance(old, str):
            lines = difflib.unified_diff(old.splitlines(keepends=True), value.splitlines(keepends=True), n=0)
            out[name] = "".join(lines)
    return out


def merged(changes: list[Change]) -> list[Change]:
    """Several changes of one row become one, with its final state."""
    if len(changes) < 2:
        return changes
    seen: dict[str, Change] = {}
    for change in changes:
        before = seen.get(change.row.id)
        if before is None:
            seen[change.row.id] = change
        elif change.what == "delete":
            if before.what == "create":
                del seen[change.row.id]
            else:
                seen[change.row.id] = change
        elif before.what in {"create", "undelete"}:
            before.values = dict(change.row.values)
        else:
            values = {**before.values, **change.values}
            diffs = {**before.diffs, **change.diffs}
            quiet = before.quiet and change.quiet
            seen[change.row.id] = Change(change.kind, change.row, "update", values, quiet, diffs)
    return list(seen.values())
