"""Refusals, and the three shapes the vendor gives them: V3 an object, V2 an array, B2B Edition its own envelope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncd.sandbox.http import Reply, reply_json

TYPE = "/api-docs/getting-started/api-status-codes"
V2, V3, B2B = "v2", "v3", "b2b"


class ApiError(Exception):
    """One refusal. Unless ``applied`` says otherwise, whatever the request wanted is not done."""

    def __init__(
        self,
        status: int,
        title: str,
        errors: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
        shape: str = "",
    ) -> None:
        self.status = status
        self.title = title
        self.errors = dict(errors or {})
        self.headers = dict(headers or {})
        self.more = dict(more or {})
        """Further members of the body, such as the ``data`` of a batch that was partly stored."""
        self.shape = shape
        """Its own; empty: that of the API that was called."""
        super().__init__(f"{status} {title} {self.errors or ''}".strip())

    def reply(self, shape: str) -> Reply:
        return reply_json(self._body(self.shape or shape), self.status, self.headers)

    def _body(self, shape: str) -> Any:
        if shape == V2:
            row: dict[str, Any] = {"status": self.status, "message": self.title}
            return [{**row, "details": self.errors} if self.errors else row]
        if shape == B2B:
            told = {"errMsg": {name: [text] for name, text in self.errors.items()}} if self.errors else {}
            return {"code": self.status, "data": {**told, **self.more}, "meta": {"message": self.title}}
        return {"status": self.status, "title": self.title, "type": TYPE, "errors": self.errors, **self.more}


def not_found() -> ApiError:
    return ApiError(404, "The requested resource was not found.")


def invalid(errors: Mapping[str, Any]) -> ApiError:
    return ApiError(422, "JSON data is missing or invalid", errors)


def malformed(detail: str) -> ApiError:
    return ApiError(400, "Input is invalid", {"body": detail})


def conflict(title: str, errors: Mapping[str, Any] | None = None) -> ApiError:
    return ApiError(409, title, errors)


def too_many_items(most: int) -> ApiError:
    return ApiError(413, f"The request body exceeds the limit of {most} items.")
