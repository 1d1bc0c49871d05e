"""Refusals in commercetools' words: ``{"statusCode", "message", "errors": [{"code", "message", ...}]}``."""

from __future__ import annotations

from typing import Any

from syncd.sandbox.http import Reply, reply_json

AUTH_CODES = frozenset(
    {"invalid_client", "invalid_scope", "invalid_token", "insufficient_scope", "unsupported_grant_type"}
)


class ApiError(Exception):
    """One refusal; whatever the request wanted is not applied."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.extra = {name: value for name, value in extra.items() if value is not None}
        super().__init__(f"{status} {code}: {message}")

    def reply(self) -> Reply:
        body: dict[str, Any] = {
            "statusCode": self.status,
            "message": self.message,
            "errors": [{"code": self.code, "message": self.message, **self.extra}],
        }
        headers = {}
        if self.code in AUTH_CODES:
            body |= {"error": self.code, "error_description": self.message}
            if self.status == 401:
                headers["www-authenticate"] = 'Bearer realm="commercetools"'
        return reply_json(body, self.status, headers)


def invalid_json(detail: str) -> ApiError:
    text = "Request body does not contain valid JSON."
    return ApiError(400, "InvalidJsonInput", text, detailedErrorMessage=detail)


def invalid_input(message: str) -> ApiError:
    return ApiError(400, "InvalidInput", message)


def invalid_operation(message: str) -> ApiError:
    return ApiError(400, "InvalidOperation", message)


def invalid_field(field: str, value: Any, allowed: list[Any] | None = None) -> ApiError:
    text = f"The value '{value}' is not valid for field '{field}'."
    if allowed is not None:
        text += f" Allowed values are: {', '.join(map(str, allowed))}."
    return ApiError(400, "InvalidField", text, field=field, invalidValue=value, allowedValues=allowed)


def required_field(field: str) -> ApiError:
    return ApiError(400, "RequiredField", f"A value is required for field '{field}'.", field=field)


def duplicate_field(field: str, value: Any, message: str = "") -> ApiError:
    text = message or f"A duplicate value '{value}' exists for field '{field}'."
    return ApiError(400, "DuplicateField", text, field=field, duplicateValue=value)


def not_found(message: str) -> ApiError:
    return ApiError(404, "ResourceNotFound", message)


def reference_not_found(type_id: str, *, id: str | None = None, key: str | None = None) -> ApiError:  # noqa: A002
    what = f"with id '{id}'" if key is None else f"with key '{key}'"
    text = (
        f"The referenced object of type '{type_id}' {what} was not found. It either doesn't exist, or it can't be "
        "accessed from this endpoint (e.g., if the endpoint filters by store or customer account)."
    )
    return ApiError(400, "ReferencedResourceNotFound", text, typeId=type_id, id=id, key=key)


def reference_exists(type_id: str, referenced_by: str) -> ApiError:
    text = f"Can not delete a {type_id} while it is referenced by at least one {referenced_by}."
    return ApiError(400, "ReferenceExists", text, referencedBy=referenced_by)


def concurrent_modification(id: str, expected: int, actual: int) -> ApiError:  # noqa: A002
    text = f"Object {id} has a different version than expected. Expected: {expected} - Actual: {actual}."
    return ApiError(409, "ConcurrentModification", text, currentVersion=actual)
