"""Imports: a file of rows, gone through by the vendor one import after the other; what failed is told row by row."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncd.runtime.clock import Clock
from syncd.sandbox.hubspot.account import Account, Claims, Plan
from syncd.sandbox.hubspot.errors import ApiError, validation
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.records import Record, Source
from syncd.sandbox.hubspot.values import iso

MAX_ROWS: Final = 1_048_576
MAX_BYTES: Final = 512 * 1024 * 1024
ENDED: Final = frozenset({"DONE", "FAILED", "CANCELED", "REVERTED"})

_TYPES: Final = {
    "INVALID_EMAIL": "INVALID_EMAIL",
    "INVALID_OPTION": "INVALID_ENUMERATION_OPTION",
    "INVALID_INTEGER": "COULD_NOT_PARSE_NUMBER",
    "INVALID_LONG": "COULD_NOT_PARSE_NUMBER",
    "INVALID_DATE": "COULD_NOT_PARSE_DATE",
    "READ_ONLY_VALUE": "INVALID_COLUMN_CONFIGURATION",
    "VALIDATION_RULE_FAILED": "INVALID_CUSTOM_PROPERTY_VALIDATION",
}
"""Code of a refused value to the import's word for it."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    property: str
    type: str
    """``STANDARD``, ``HUBSPOT_OBJECT_ID`` or ``HUBSPOT_ALTERNATE_ID``."""


@dataclass(slots=True)
class Import:
    id: str
    name: str
    kind: Kind
    operation: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    first_line: int
    request: Mapping[str, Any]
    file_id: int
    source: Source
    created_ms: int
    state: str = "STARTED"
    began_ms: int = 0
    updated_ms: int = 0
    taken: int = 0
    """Rows gone through."""
    counters: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    met: set[str] = field(default_factory=set)

    def json(self) -> dict[str, Any]:
        return {
            "id": self.id, "state": self.state, "createdAt": iso(self.created_ms), "updatedAt": iso(self.updated_ms),
            "metadata": {"counters": {"TOTAL_ROWS": len(self.rows), **self.counters}, "fileIds": [str(self.file_id)],
                         "objectLists": []},
            "mappedObjectTypeIds": [self.kind.type_id], "optOutImport": False, "importName": self.name,
            "importSource": "API", "importRequestJson": self.request,
        }  # fmt: skip

    def count(self, name: str) -> None:
        self.counters[name] = self.counters.get(name, 0) + 1

    def fail(self, number: int, type_: str, message: str, now: int, column: int | None = None, value: str = "") -> None:
        row = self.rows[number]
        error: dict[str, Any] = {
            "id": str(len(self.errors) + 1), "createdAt": now, "errorType": type_, "errorMessage": message,
            "objectType": self.kind.legacy, "objectTypeId": self.kind.type_id,
            "sourceData": {"fileId": self.file_id, "lineNumber": self.first_line + number, "rowData": list(row),
                           "additionalRowData": [], "containsEncryptedProperties": False},
        }  # fmt: skip
        if column is not None:
            error |= {"knownColumnNumber": column, "invalidValue": value}
        self.errors.append(error)
        self.count("ERRORS")


@dataclass(slots=True)
class ImportSettings:
    rows_per_second: float = 2000.0
    begin_seconds: float = 0.5
    """From the request until the first row is gone through."""


class Imports:
    def __init__(self, account: Account, clock: Clock, dice: random.Random) -> None:
        self.settings = ImportSettings()
        self.all: dict[str, Import] = {}
        self._account = account
        self._clock = clock
        self._dice = dice
        self._last = 71_000_000
        self._free_ms = 0

    def add(self, request: Mapping[str, Any], kind: Kind, operation: str, columns: Sequence[Column],
            text: str, source: Source, *, header: bool) -> Import:  # fmt: skip
        try:
            rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
        except csv.Error as error:
            raise validation(f"INVALID_SPREADSHEET: {error}") from None
        if header:
            rows = rows[1:]
        self._last += self._dice.randrange(1, 50)
        now = self._clock.now_ms()
        one = Import(
            str(self._last), str(request["name"]), kind, operation, columns, rows, 2 if header else 1, request,
            self._last * 7, source, now, updated_ms=now,
        )  # fmt: skip
        self.all[one.id] = one
        return one

    def run(self) -> None:
        """Go through as many rows as the time since the last look allows; one import at a time."""
        for one in self.all.values():
            if one.state in ENDED:
                continue
            self._run(one)
            if one.state not in ENDED:
                return

    def _run(self, one: Import) -> None:
        now = self._clock.now_ms()
        if not one.began_ms:
            # The turn of one that waited for another comes when that one was seen to have ended.
            turn = one.created_ms if one is next(iter(self.all.values())) else max(one.created_ms, self._free_ms)
            one.began_ms = turn + round(self.settings.begin_seconds * 1000)
        if now < one.began_ms:
            return
        one.state, one.updated_ms = "PROCESSING", now
        due = min(len(one.rows), round((now - one.began_ms) / 1000 * self.settings.rows_per_second) + 1)
        while one.taken < due:
            self._row(one, one.taken, now)
            one.taken += 1
        if one.taken >= len(one.rows):
            one.state = "DONE"
            self._free_ms = now

    def _row(self, one: Import, number: int, now: int) -> None:
        row = one.rows[number]
        if len(row) != len(one.columns):
            told = f"{len(one.columns)} columns were expected, {len(row)} found"
            one.fail(number, "INCORRECT_NUMBER_OF_COLUMNS", told, now)
            return
        values = {column.property: cell for column, cell in zip(one.columns, row, strict=True) if cell}
        try:
            record = self._holder(one, number, values, now)
        except LookupError:
            return
        object_ids = {column.property for column in one.columns if column.type == "HUBSPOT_OBJECT_ID"}
        values = {name: value for name, value in values.items() if name not in object_ids}
        if (record is None) != (one.operation == "CREATE") and one.operation != "UPSERT":
            type_ = f"{one.operation}_ONLY_IMPORT"
            one.fail(number, type_, f"the import may only {one.operation.lower()}", now)
            return
        try:
            plan = self._plan(one, record, values)
        except ApiError as error:
            self._refuse(one, number, error, now)
            return
        self._account.apply(plan, one.source)
        one.count("CREATED_OBJECTS" if record is None else "UPDATED_OBJECTS")

    def _holder(self, one: Import, number: int, values: Mapping[str, str], now: int) -> Record | None:
        """The record of a row. Raises :class:`LookupError` once the row has been refused."""
        for place, column in enumerate(one.columns):
            value = values.get(column.property, "")
            if column.type == "STANDARD" or not value:
                continue
            mark = f"{column.property}\n{value.lower()}"
            if mark in one.met:
                one.fail(number, "DUPLICATE_ALTERNATE_ID", f"{value} stands in the file twice", now, place, value)
                raise LookupError(value)
            one.met.add(mark)
            key = "" if column.type == "HUBSPOT_OBJECT_ID" else column.property
            record = self._account.find(one.kind, value, key)
            if record is not None:
                return record
            if column.type == "HUBSPOT_OBJECT_ID":
                one.fail(number, "INVALID_OBJECT_ID", f"there is no record {value}", now, place, value)
                raise LookupError(value)
        return None

    def _plan(self, one: Import, record: Record | None, values: Mapping[str, str]) -> Plan:
        if record is None:
            return self._account.plan_create(one.kind, values, one.source, Claims(), rules=True)
        return self._account.plan_update(record, values, one.source, Claims(), rules=True)

    @staticmethod
    def _refuse(one: Import, number: int, error: ApiError, now: int) -> None:
        names = [column.property for column in one.columns]
        for told in error.errors:
            name = (told.get("context") or {}).get("propertyName", [""])[0]
            place = names.index(name) if name in names else None
            value = one.rows[number][place] if place is not None else ""
            type_ = _TYPES.get(str(told.get("code")), "FAILED_VALIDATION")
            one.fail(number, type_, str(told.get("message")), now, place, value)
        if not error.errors:
            unique = error.category == "CONFLICT" or "already has that value" in error.message
            type_ = error.sub_category or ("DUPLICATE_UNIQUE_PROPERTY_VALUE" if unique else "FAILED_VALIDATION")
            one.fail(number, type_, error.message, now)

    def cancel(self, one: Import) -> bool:
        if one.state in ENDED:
            return False
        one.state = "CANCELED"
        self._free_ms = self._clock.now_ms()
        return True
