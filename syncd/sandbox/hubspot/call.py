"""One request on its way through the account's API: where it goes, what it may do, how records are shown."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from syncd.sandbox.http import Request
from syncd.sandbox.hubspot.account import Account
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, validation
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.records import Record, Source
from syncd.sandbox.hubspot.shapes import mapping, mappings
from syncd.sandbox.hubspot.tokens import Token
from syncd.sandbox.hubspot.values import iso

MAX_INPUTS = 100
MAX_TARGET = 16_000
DATED = ("2025-09", "2026-03", "2026-09")
_VERSION = re.compile(r"v[1-4]|\d{4}-\d{2}")

Answer = tuple[int, Any]
"""Status and JSON body; ``None`` is no body."""


@dataclass(frozen=True, slots=True)
class Route:
    area: str
    """``objects``, ``associations``, ``properties``, ``pipelines``, ``owners``, ``schemas``, ``account-info``,
    ``imports``, ``webhooks``, ``oauth``, ``journal``, ``journal-subscriptions``, ``journal-snapshots``."""
    version: str
    rest: tuple[str, ...]


def route(segments: Sequence[str]) -> Route | None:
    """The version stands behind the API's name (``/crm/v3/objects``) or behind the area (``/crm/objects/2026-03``)."""
    match list(segments):
        case ["crm", version, area, *rest] if _VERSION.fullmatch(version):
            return _known(area, version, rest)
        case ["crm", area, version, *rest] if _VERSION.fullmatch(version):
            return _known(area, version, rest)
        case ["crm-object-schemas", version, "schemas", *rest]:
            return _known("schemas", version, rest)
        case [("account-info" | "oauth") as area, version, *rest]:
            return _known(area, version, rest)
        case ["collector", "graphql", *rest]:
            return Route("graphql", "", tuple(rest))
        case [("webhooks" | "app-webhooks") as name, version, *rest]:
            return _known(name, version, rest)
        case ["webhooks-journal", ("journal" | "journal-local"), version, *rest]:
            return _known("journal", version, rest)
        case ["webhooks-journal", ("subscriptions" | "snapshots") as area, version, *rest]:
            return _known(f"journal-{area}", version, rest)
    return None


_VERSIONS: Mapping[str, frozenset[str]] = {
    "objects": frozenset({"v3", "v4", *DATED}),
    "associations": frozenset({"v4", *DATED}),
    "properties": frozenset({"v3", *DATED}),
    "pipelines": frozenset({"v3", *DATED}),
    "owners": frozenset({"v3", *DATED}),
    "schemas": frozenset({"v3", *DATED}),
    "account-info": frozenset({"v3", *DATED}),
    "imports": frozenset({"v3", *DATED}),
    "webhooks": frozenset({"v3", "2025-09", "2026-03"}),
    "app-webhooks": frozenset({"2026-09"}),
    "oauth": frozenset({"v1", "v2", "v3", *DATED}),
    **dict.fromkeys(("journal", "journal-subscriptions", "journal-snapshots"), frozenset({"2026-03"})),
}


def _known(area: str, version: str, rest: Sequence[str]) -> Route | None:
    return Route(area, version, tuple(rest)) if version in _VERSIONS.get(area, ()) else None


@dataclass(slots=True)
class Call:
    account: Account
    request: Request
    route: Route
    token: Token
    source: Source

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def dated(self) -> bool:
        return self.route.version in DATED

    @property
    def rules(self) -> bool:
        """Versions from 2026-09 on enforce validation rules."""
        return self.dated and self.route.version >= "2026-09"

    def may(self, any_of: Sequence[str]) -> None:
        self.token.require(any_of)

    # -- what was sent

    def json(self) -> Any:
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            raise validation(f"Invalid input JSON on line {error.lineno}, column {error.colno}: {error.msg}") from None

    def body(self) -> dict[str, Any]:
        return mapping(self.json(), "the body")

    def inputs(self, body: Mapping[str, Any], most: int = MAX_INPUTS) -> list[dict[str, Any]]:
        inputs = body.get("inputs")
        if not isinstance(inputs, list):
            raise missing_fields("inputs")
        if len(inputs) > most:
            raise validation(
                f"The maximum number of inputs supported in a batch request is {most}: {len(inputs)} were given",
                context={"inputs": [str(len(inputs))]},
            )
        return mappings(inputs, "inputs")

    def names(self, parameter: str) -> list[str]:
        """A list in the query: comma-separated, repeated, or both."""
        return [
            part.strip()
            for key, value in self.request.params()
            if key == parameter
            for part in value.split(",")
            if part.strip()
        ]

    def flag(self, parameter: str) -> bool:
        return self.request.param(parameter).lower() == "true"

    def number(self, parameter: str, default: int, most: int) -> int:
        raw = self.request.param(parameter) or str(default)
        if not raw.isdecimal() or not 0 < int(raw) <= most:
            raise validation(f"{parameter} must be between 1 and {most}: {raw}", context={parameter: [raw]})
        return int(raw)

    def next_page(self, after: str) -> dict[str, Any]:
        """The ``paging`` of a reply that has more behind it."""
        kept = [(key, value) for key, value in self.request.params() if key != "after"]
        query = urlencode([*kept, ("after", after)])
        host = self.request.headers.get("host", "")
        return {"next": {"after": after, "link": f"http://{host}{self.request.path}?{query}"}}

    def unsupported(self) -> ApiError:
        if not self.route.rest and self.method == "GET":
            return not_there()
        return ApiError(405, f"Method {self.method} is not allowed here", "METHOD_NOT_ALLOWED")


def not_there() -> ApiError:
    return ApiError(404, "Unable to find a resource at this path", "OBJECT_NOT_FOUND")


class View:
    """Which parts of records a reply shows."""

    def __init__(self, call: Call, kind: Kind, names: Sequence[str] = (), history: Sequence[str] = ()) -> None:
        self._kind = kind
        definitions = call.account.properties.of(kind)
        wanted = dict.fromkeys((*names, *kind.always) if names else kind.defaults)
        self._names = [name for name in wanted if name in definitions]
        self._history = [name for name in history if name in definitions]
        self._url = ""
        if call.dated:
            portal = call.account.profile.portal_id
            self._url = f"https://app.hubspot.com/contacts/{portal}/record/{kind.type_id}/"

    def show(self, record: Record, values: Mapping[str, str] | None = None) -> dict[str, Any]:
        """``values``: as some index saw them; otherwise as they are."""
        held = record.values if values is None else values
        out: dict[str, Any] = {
            "id": record.id,
            "properties": {name: held.get(name) for name in self._names},
            "createdAt": iso(record.created_ms),
            "updatedAt": iso(record.updated_ms) if values is None else held[self._kind.modified],
            "archived": bool(record.archived_ms),
        }
        if record.archived_ms:
            out["archivedAt"] = iso(record.archived_ms)
        if self._history:
            out["propertiesWithHistory"] = {
                name: [one.json() for one in reversed(record.history.get(name, []))] for name in self._history
            }
        if self._url:
            out["url"] = self._url + record.id
        return out

    def show_all(self, record: Record) -> dict[str, Any]:
        """With every property that has a value."""
        return {**self.show(record), "properties": dict(record.values)}


def correlation_id(call_dice: Any) -> str:
    return str(uuid.UUID(int=call_dice.getrandbits(128), version=4))


def envelope(account: Account, results: Sequence[Any], errors: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Of a batch."""
    now = account.now_iso()
    out: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        out["numErrors"] = len(errors)
        out["errors"] = errors
    return out
