"""Refusals in the vendor's words: the list of a whole call, and the element of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SalesforceError(Exception):
    """A call, or one record of a call, refused by the simulated org."""

    def __init__(self, code: str, message: str, fields: Sequence[str] = (), *, status: int = 0) -> None:
        self.code = code
        self.message = message
        self.fields = list(fields)
        self.status = status or STATUSES.get(code, 400)
        super().__init__(f"{self.status} {code}: {message}")

    def body(self) -> list[dict[str, Any]]:
        """The body of a REST reply."""
        one: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields or self.code in RECORD_CODES:
            one["fields"] = self.fields
        return [one]

    def element(self) -> dict[str, Any]:
        """One entry of ``errors`` of a collection's result; here the key is ``statusCode``."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}

    def csv(self) -> str:
        """``sf__Error`` of a bulk job's failed row."""
        return f"{self.code}:{self.message}:{' '.join(self.fields)} --"


STATUSES = {
    "INVALID_SESSION_ID": 401,
    "INVALID_AUTH_HEADER": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "API_DISABLED_FOR_ORG": 403,
    "API_CURRENTLY_DISABLED": 403,
    "INSUFFICIENT_ACCESS": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "NOT_FOUND": 404,
    "ENTITY_IS_DELETED": 404,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNSUPPORTED_API_VERSION": 410,
    "PRECONDITION_FAILED": 412,
    "URI_TOO_LONG": 414,
    "UNKNOWN_EXCEPTION": 500,
    "SERVER_UNAVAILABLE": 503,
}

RECORD_CODES = frozenset(
    {
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
        "DUPLICATES_DETECTED",
        "DUPLICATE_VALUE",
        "ENTITY_IS_DELETED",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "FIELD_INTEGRITY_EXCEPTION",
        "INVALID_CROSS_REFERENCE_KEY",
        "INVALID_EMAIL_ADDRESS",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "MALFORMED_ID",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "REQUIRED_FIELD_MISSING",
        "STRING_TOO_LONG",
        "UNABLE_TO_LOCK_ROW",
    }
)
"""Errors of a record carry ``fields`` even when it is empty."""


def not_there(what: str = "The requested resource does not exist") -> SalesforceError:
    return SalesforceError("NOT_FOUND", what)


def no_column(name: str, entity: str) -> SalesforceError:
    return SalesforceError("INVALID_FIELD", f"No such column '{name}' on sobject of type {entity}")


def unparsable(kind: str, token: str, value: object) -> SalesforceError:
    return SalesforceError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {token} value {value} or request may be missing a required field",
    )


def not_writable(names: Sequence[str]) -> SalesforceError:
    listed = ", ".join(names)
    return SalesforceError(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"Unable to create/update fields: {listed}. Please check the security settings of this field and verify that "
        "it is read/write for your profile or permission set.",
        names,
    )


def missing(names: Sequence[str]) -> SalesforceError:
    listed = ", ".join(names)
    return SalesforceError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{listed}]", names)


def malformed_id(label: str, value: object, name: str) -> SalesforceError:
    return SalesforceError("MALFORMED_ID", f"{label}: id value of incorrect type: {value}", [name])


def bad_reference(name: str, value: object = "") -> SalesforceError:
    return SalesforceError("INVALID_CROSS_REFERENCE_KEY", f"invalid cross reference id: {value}" if value else
                           "invalid cross reference id", [name] if name else [])  # fmt: skip


def deleted() -> SalesforceError:
    return SalesforceError("ENTITY_IS_DELETED", "entity is deleted")


def locked(id_: str) -> SalesforceError:
    return SalesforceError(
        "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {id_}"
    )


def exceeded_long() -> SalesforceError:
    return SalesforceError(
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentPerOrgLongTxn Limit exceeded. Too many long-running requests; wait until some have finished.",
    )


def no_such_method(method: str, *allowed: str) -> SalesforceError:
    return SalesforceError("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {','.join(allowed)}")
