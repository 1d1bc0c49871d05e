"""Refusals in the vendor's shapes: whole-call error bodies and the per-input errors of a 207."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

VALIDATION = "VALIDATION_ERROR"
NOT_FOUND = "OBJECT_NOT_FOUND"
CONFLICT = "CONFLICT"
SCOPES_LINK = "https://developers.hubspot.com/scopes"

Context = Mapping[str, Sequence[str]]


class ApiError(Exception):
    """A call, or one input of a batch, refused by the simulated vendor."""

    def __init__(
        self,
        status: int,
        message: str,
        category: str = "",
        *,
        sub_category: str = "",
        context: Context | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        links: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.category = category
        self.sub_category = sub_category
        self.context = dict(context or {})
        self.errors = list(errors)
        self.links = dict(links or {})
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(f"{status} {category}: {message}")

    def body(self, correlation_id: str) -> dict[str, Any]:
        """The body of a call that failed as a whole; fields without content are left out, as the vendor does."""
        out: dict[str, Any] = {"status": "error", "message": self.message, "correlationId": correlation_id}
        if self.context:
            out["context"] = self.context
        if self.errors:
            out["errors"] = self.errors
        if self.links:
            out["links"] = self.links
        if self.category:
            out["category"] = self.category
        if self.sub_category:
            out["subCategory"] = self.sub_category
        out.update(self.extra)
        return out

    def standard(self, context: Context | None = None) -> dict[str, Any]:
        """One entry of ``errors`` in a 207."""
        out: dict[str, Any] = {
            "status": "error",
            "category": self.category or VALIDATION,
            "message": self.message,
            "context": {**self.context, **(context or {})},
            "errors": self.errors,
            "links": self.links,
        }
        if self.sub_category:
            out["subCategory"] = self.sub_category
        return out


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with the value of one property."""

    name: str
    code: str
    message: str


def invalid_values(complaints: Iterable[Complaint], portal_id: int) -> ApiError:
    """400: the vendor embeds a JSON list in the message and repeats it in ``errors``."""
    listed = list(complaints)
    details = [
        {
            "isValid": False,
            "message": one.message,
            "error": one.code,
            "name": one.name,
            "localizedErrorMessage": one.message,
            "portalId": portal_id,
        }
        for one in listed
    ]
    return ApiError(
        400,
        f"Property values were not valid: {orjson.dumps(details).decode()}",
        VALIDATION,
        errors=[{"message": one.message, "code": one.code, "context": {"propertyName": [one.name]}} for one in listed],
    )


def validation(message: str, **more: Any) -> ApiError:
    return ApiError(400, message, VALIDATION, **more)


def not_found(message: str = "resource not found", **more: Any) -> ApiError:
    return ApiError(404, message, NOT_FOUND, **more)


def missing_fields(*names: str) -> ApiError:
    listed = ", ".join(names)
    return validation(f"Invalid input JSON on line 1, column 2. Some required fields were not set: [{listed}]")


def unset(legacy: str, names: Sequence[str]) -> ApiError:
    """A create without a property that the object type demands."""
    return validation(
        f"Error creating {legacy}. Some required properties were not set.", context={"properties": list(names)}
    )


def contact_exists(existing_id: str) -> ApiError:
    return ApiError(
        409,
        f"Contact already exists. Existing ID: {existing_id}",
        CONFLICT,
        context={"existingId": [existing_id]},
    )


def unique_conflict(portal_id: int, legacy: str, name: str, value: str, target_id: str, holder_id: str) -> ApiError:
    """400: a unique property's value is held by another record. The second id in the text is the holder."""
    where = (
        f"PropertyValueCoordinates{{portalId={portal_id}, objectTypeId=ObjectTypeId{{legacyObjectType={legacy}}}, "
        f"propertyName={name}, value={value}}}"
    )
    return validation(f"Cannot set {where} on {target_id}. {holder_id} already has that value.")


def duplicate_ids(ids: Sequence[str]) -> ApiError:
    listed = ", ".join(ids)
    return validation(f"Duplicate IDs found in batch input: [{listed}]. IDs must be unique", context={"ids": list(ids)})


def missing_scopes(required: Sequence[str]) -> ApiError:
    return ApiError(
        403,
        "This app hasn't been granted all required scopes to make this call. "
        f"Read more about required scopes here: {SCOPES_LINK}.",
        "MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": list(required)},
            }
        ],
        links={"scopes": SCOPES_LINK},
    )
