"""One REST call on its way through the org, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import orjson

from syncd.sandbox.salesforce.errors import SalesforceError, no_such_method, not_there
from syncd.sandbox.salesforce.org import Caller, Org
from syncd.sandbox.salesforce.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from syncd.sandbox.salesforce.simulator import SalesforceSandbox


@dataclass(slots=True)
class Answer:
    status: int = 200
    body: Any = None
    """JSON, or bytes that go out as they are."""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = ""

    @property
    def failed(self) -> bool:
        return self.status >= 300 and self.status != 304


@dataclass(frozen=True, slots=True)
class Call:
    vendor: SalesforceSandbox
    method: str
    path: tuple[str, ...]
    """Decoded, behind the version: ``("sobjects", "Account", "001...")``."""
    params: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    version: str
    """``67.0``."""
    caller: Caller
    parsed: Any = None
    """The body of a subrequest, which is JSON already."""
    shared: Unit | None = None
    """The transaction of an all-or-none composite."""

    @property
    def org(self) -> Org:
        return self.vendor.org

    @property
    def base(self) -> str:
        return f"/services/data/v{self.version}"

    def param(self, name: str, default: str = "") -> str:
        return self.params.get(name, default)

    def json(self) -> Any:
        """Raises JSON_PARSER_ERROR."""
        if self.parsed is not None:
            return self.parsed
        try:
            return orjson.loads(self.raw)
        except orjson.JSONDecodeError as error:
            raise SalesforceError("JSON_PARSER_ERROR", f"{error.msg} at [line:{error.lineno}, column:{error.colno}]"
                                  ) from None  # fmt: skip

    def body(self) -> Mapping[str, Any]:
        """The body, which must be an object."""
        found = self.json()
        if not isinstance(found, dict):
            raise SalesforceError("JSON_PARSER_ERROR", "The request body must be a JSON object")
        return found

    def only(self, *methods: str) -> None:
        if self.method not in methods:
            raise no_such_method(self.method, *methods)

    @contextmanager
    def unit(self) -> Iterator[Unit]:
        """A transaction that commits at the end, and is undone when the block raises."""
        unit = self.shared or Unit(self.org, self.caller)
        mark = unit.mark()
        try:
            yield unit
        except BaseException:
            unit.rollback(mark)
            raise
        if self.shared is None:
            unit.commit()

    def sub(self, method: str, url: str, body: Any, headers: Mapping[str, str], shared: Unit | None) -> Call:
        """A subrequest. ``url``: ``/services/data/v67.0/sobjects/...`` or ``v67.0/sobjects/...``."""
        path, _, query = url.partition("?")
        parts = [unquote(part) for part in path.split("/") if part]
        if parts[:2] == ["services", "data"]:
            del parts[:2]
        if not parts or not parts[0].startswith("v"):
            raise not_there()
        return replace(
            self, method=method.upper(), path=tuple(parts[1:]), params=dict(parse_qsl(query, keep_blank_values=True)),
            headers={**{name.lower(): value for name, value in headers.items()}}, raw=b"", parsed=body, shared=shared,
        )  # fmt: skip


Handler = Callable[[Call], Answer]


def wire(body: Any) -> bytes:
    return body if isinstance(body, bytes) else orjson.dumps(body)


def result(id_: str, **more: Any) -> dict[str, Any]:
    """``{"id": ..., "success": true, "errors": []}``."""
    return {"id": id_, "success": True, "errors": [], **more}
