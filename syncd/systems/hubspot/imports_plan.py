"""When an import is cheaper than batches, and what it is asked in: request, file, and the words of its errors. Pure.

A batch answers with ids, an import does not: they are read back, two hundred a search. So an import costs about half of
what batches cost once there are enough rows, or all that a day's quota has left.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from syncd.model.failure import Failure, Remedy
from syncd.systems.hubspot.settings import BATCH, SEARCH_PAGE

FILE: Final = "rows.csv"
MOST_ROWS: Final = 1_048_576
"""Rows of a file, says the vendor; and 512 MB."""
MOST_BYTES: Final = 512 * 1024 * 1024 - 1_000_000
LOOKS: Final = 6
"""Calls for looking whether it has ended, and at its errors."""
OBJECTS: Final = frozenset({"contacts", "companies", "deals", "tickets", "products"})
"""Objects that are imported; custom ones besides."""


def importable(object_: str) -> bool:
    return object_ in OBJECTS or object_.startswith("2-")


@dataclass(frozen=True, slots=True)
class Choice:
    imports: bool
    reason: str


def choose(rows: int, daily_left: int | None, *, running: bool) -> Choice:
    """``daily_left``: calls that the account has left today, where the vendor told. ``running``: an import of ours is
    under way; the vendor goes through them one after the other."""
    batches = -(-rows // BATCH)
    calls = 1 + LOOKS + -(-rows // SEARCH_PAGE)
    told = f"{rows} rows: {batches} calls in batches, about {calls} by import"
    if running:
        return Choice(False, f"{told}; an import is under way")
    if calls < batches:
        return Choice(True, told)
    if daily_left is not None and calls <= daily_left < batches:
        return Choice(True, f"{told}, and {daily_left} left today")
    return Choice(False, told)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of one import: a key each, and values by property."""

    key: str
    """The unique property that holds the key; it is the first column."""
    columns: tuple[str, ...]
    content: bytes


def sheet(key: str, rows: Sequence[tuple[str, Mapping[str, str]]]) -> Sheet:
    """A cell left empty changes nothing, so rows need not have the same properties; and none can clear one."""
    names = sorted({name for _, values in rows for name in values} - {key})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([key, *names])
    writer.writerows([mark, *(values.get(name, "") for name in names)] for mark, values in rows)
    return Sheet(key, (key, *names), out.getvalue().encode())


def request(name: str, type_id: str, page: Sheet) -> dict[str, Any]:
    columns = [
        {
            "columnObjectTypeId": type_id,
            "columnName": column,
            "propertyName": column,
            "columnType": "HUBSPOT_ALTERNATE_ID" if column == page.key else "STANDARD",
        }
        for column in page.columns
    ]
    return {
        "name": name,
        "importOperations": {type_id: "UPSERT"},
        "dateFormat": "YEAR_MONTH_DAY",
        "files": [
            {
                "fileName": FILE,
                "fileFormat": "CSV",
                "fileImportPage": {"hasHeader": True, "columnMappings": columns},
            }
        ],
    }


def form(asked: Mapping[str, Any], page: Sheet, boundary: str) -> tuple[str, bytes]:
    """Content type and body. ``boundary`` must not occur in what is sent."""
    mark = b"--" + boundary.encode()
    body = b"\r\n".join((
        mark, b'Content-Disposition: form-data; name="importRequest"', b"", orjson.dumps(asked),
        mark, f'Content-Disposition: form-data; name="files"; filename="{FILE}"'.encode(), b"Content-Type: text/csv",
        b"", page.content, mark + b"--", b"",
    ))  # fmt: skip
    return f"multipart/form-data; boundary={boundary}", body


# -- errors

_DATA: Final = (
    "AMBIGUOUS_ENUMERATION_OPTION ASSOCIATION_LABEL_NOT_FOUND ASSOCIATION_LIMIT_EXCEEDED ASSOCIATION_RECORD_NOT_FOUND "
    "COLUMN_TOO_LARGE COULD_NOT_FIND_BUSINESS_UNIT COULD_NOT_FIND_OWNER COULD_NOT_PARSE_DATE COULD_NOT_PARSE_NUMBER "
    "COULD_NOT_PARSE_ROW COULD_NOT_PARSE_TERM CREATE_ONLY_IMPORT DUPLICATE_ALTERNATE_ID DUPLICATE_ASSOCIATION_ID "
    "DUPLICATE_EVENT DUPLICATE_OBJECT_ID DUPLICATE_RECORD_ID DUPLICATE_ROW_CONTENT DUPLICATE_UNIQUE_CREATION_KEY "
    "FAILED_TO_OPT_OUT_CONTACT FAILED_TO_PROCESS_OBJECT_WITH_EMPTY_PROPERTY_VALUES FAILED_VALIDATION "
    "GDPR_BLACKLISTED_EMAIL INCORRECT_NUMBER_OF_COLUMNS INVALID_ALTERNATE_ID INVALID_ASSOCIATION_IDENTIFIER "
    "INVALID_ASSOCIATION_KEY INVALID_COLUMN_CONFIGURATION INVALID_CUSTOM_PROPERTY_VALIDATION INVALID_DOMAIN "
    "INVALID_EMAIL INVALID_ENUM_FILE_ID_OR_URL INVALID_ENUMERATION_OPTION INVALID_EVENT INVALID_EVENT_TIMESTAMP "
    "INVALID_FILE_TYPE INVALID_NUMBER_SIZE INVALID_OBJECT_ID INVALID_PROPERTY_VALUE_FORMAT INVALID_RECORD_ID "
    "INVALID_REQUIRED_PROPERTY INVALID_SHEET_COUNT INVALID_SPREADSHEET LINE_ITEM_MULTIPLE_PARENTS_IN_ROW "
    "MANY_ERRORS_IN_ROW MISSING_EVENT_DEFINITION MISSING_EVENT_TIMESTAMP MISSING_OBJECT_DEFINITION "
    "MISSING_REQUIRED_PROPERTY MULTIPLE_COMPANIES_WITH_THIS_DOMAIN MULTIPLE_OWNERS_FOUND "
    "NO_OBJECT_ID_FROM_ASSOCIATION_IDENTIFIER OUTSIDE_VALID_TERM_RANGE OUTSIDE_VALID_TIME_RANGE "
    "PROPERTY_DEFINITION_NOT_FOUND PROPERTY_VALUE_NOT_FOUND ROW_DATA_TOO_LARGE UNKNOWN_ASSOCIATION_RECORD_ID "
    "UPDATE_ONLY_IMPORT"
)
"""What stands in the row cannot be taken; a person must mend it."""
_AGAIN: Final = (
    "DUPLICATE_UNIQUE_PROPERTY_VALUE FAILED_TO_CREATE_ASSOCIATION FAILED_TO_FIND_RECORD_FOR_ASSOCIATIONS "
    "FILE_NOT_FOUND LIMIT_EXCEEDED PORTAL_WIDE_CUSTOM_OBJECT_LIMIT_EXCEEDED SECONDARY_EMAIL_WRITE_FAILURE "
    "UNKNOWN_BAD_REQUEST UNKNOWN_ERROR"
)
"""A write of that row alone says more, such as which object has the value already."""

ERRORS: Final[Mapping[str, Remedy]] = {
    **dict.fromkeys(_DATA.split(), Remedy.ASK),
    **dict.fromkeys(_AGAIN.split(), Remedy.RETRY),
}
"""Every ``errorType`` of imports (facts, section 8)."""


def failure_of(error: Mapping[str, Any], columns: Sequence[str]) -> Failure:
    """The failure of a row, in the vendor's words."""
    type_ = str(error.get("errorType") or "UNKNOWN_ERROR")
    place = error.get("knownColumnNumber")
    known = columns[place : place + 1] if isinstance(place, int) and place >= 0 else ()
    remedy = ERRORS.get(type_, Remedy.RETRY)
    message = str(error.get("errorMessage") or f"the import refused the row: {type_}")[:500]
    return Failure(remedy, type_, message, 400, fields=tuple(known), single=True)


def key_of(error: Mapping[str, Any]) -> str:
    """Of the row that an error speaks of: its first cell. Empty where the vendor does not show the row."""
    source = error.get("sourceData")
    row = source.get("rowData") if isinstance(source, Mapping) else None
    return str(row[0]) if isinstance(row, list) and row else ""
