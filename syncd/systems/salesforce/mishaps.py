"""Exceptions of the clients, sorted by whether anything can have been applied.

Classes are known by name, so that nothing heavy is imported to look at an exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from syncd.model.failure import Failure, Remedy

UNSENT: Final = frozenset({
    "httpx.ConnectError", "httpx.ConnectTimeout", "httpx.PoolTimeout", "httpx.ProxyError",
    "urllib3.exceptions.ConnectTimeoutError", "urllib3.exceptions.NewConnectionError",
    "urllib3.exceptions.NameResolutionError", "urllib3.exceptions.ProxyError", "urllib3.exceptions.EmptyPoolError",
    "urllib3.exceptions.ClosedPoolError", "urllib3.exceptions.FullPoolError",
    "requests.exceptions.ConnectTimeout", "requests.exceptions.ProxyError",
})  # fmt: skip
"""Raised before the first byte left."""

MISUSE: Final = frozenset({
    "httpx.UnsupportedProtocol", "httpx.InvalidURL", "httpx.LocalProtocolError", "httpx.CookieConflict",
    "httpx.StreamError",
    "urllib3.exceptions.LocationValueError", "urllib3.exceptions.LocationParseError",
    "urllib3.exceptions.URLSchemeUnknown", "urllib3.exceptions.ProxySchemeUnknown",
    "urllib3.exceptions.ProxySchemeUnsupported", "urllib3.exceptions.HostChangedError",
    "urllib3.exceptions.TimeoutStateError", "urllib3.exceptions.UnrewindableBodyError",
    "urllib3.exceptions.BodyNotHttplibCompatible",
    "requests.exceptions.InvalidURL", "requests.exceptions.InvalidSchema", "requests.exceptions.MissingSchema",
    "requests.exceptions.URLRequired", "requests.exceptions.InvalidProxyURL", "requests.exceptions.InvalidHeader",
    "requests.exceptions.UnrewindableBodyError",
})  # fmt: skip
"""Our own doing: settings or code."""

UNCLEAR: Final = frozenset({
    "httpx.HTTPError", "httpx.HTTPStatusError",
    "urllib3.exceptions.HTTPError",
    "requests.exceptions.RequestException",
    "grpc.RpcError", "grpc.aio.UsageError",
    "fastavro.read.SchemaResolutionError", "fastavro.schema.SchemaParseException",
    "builtins.TimeoutError",
})  # fmt: skip
"""Whether anything was applied is not known: time-outs while reading, broken connections, unreadable replies."""

LIBRARY: Final = frozenset({
    "simple_salesforce.SalesforceError", "simple_salesforce.SalesforceMoreThanOneRecord",
    "simple_salesforce.SalesforceMalformedRequest", "simple_salesforce.SalesforceExpiredSession",
    "simple_salesforce.SalesforceRefusedRequest", "simple_salesforce.SalesforceResourceNotFound",
    "simple_salesforce.SalesforceAuthenticationFailed", "simple_salesforce.SalesforceGeneralError",
    "simple_salesforce.SalesforceOperationError", "simple_salesforce.SalesforceBulkV2LoadError",
    "simple_salesforce.SalesforceBulkV2ExtractError",
})  # fmt: skip
"""The library's own words for a reply that came. The reply itself is judged, so these only need to be known; one that
comes without a reply is unclear."""


def exception_kind(error: BaseException) -> str:
    """``unsent``, ``misuse``, ``unclear`` or ``library``; empty for what is no client's exception."""
    for name in _lineage(type(error)):
        if name in UNSENT:
            return "unsent"
        if name in MISUSE:
            return "misuse"
        if name in UNCLEAR:
            return "unclear"
        if name in LIBRARY:
            return "library"
    return ""


def failure_of_exception(error: BaseException, *, writes: bool = False) -> Failure:
    """The failure that a client's exception stands for."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
    reason = getattr(inner or error, "reason", None)
    if isinstance(reason, BaseException):  # urllib3's MaxRetryError, which requests wraps, holds what really happened.
        return failure_of_exception(reason, writes=writes)
    kind, name = exception_kind(error), type(error).__name__
    if _cause_named(error, "SSLCertVerificationError") or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Failure(Remedy.STOP, "tls-untrusted", f"{name}: the vendor's certificate was not accepted")
    if kind == "misuse":
        return Failure(Remedy.STOP, "bad-request-setup", f"{name}: the request could not be formed; check the address")
    if kind == "unsent":
        return Failure(Remedy.RETRY, "unreachable", f"{name}: no connection, nothing was sent")
    remedy = Remedy.LOOK if writes else Remedy.RETRY
    return Failure(remedy, "no-reply", f"{name}: the request went out and no whole reply came back")


def _lineage(cls: type) -> Iterator[str]:
    """Qualified names along the inheritance; httpx and the library go by their package."""
    for one in cls.__mro__:
        root = one.__module__.partition(".")[0]
        if root in ("httpx", "simple_salesforce") or one.__module__.startswith("grpc._channel"):
            yield f"{root}.{one.__name__}"
        elif one.__module__.startswith("grpc.aio"):
            yield f"grpc.aio.{one.__name__}"
        else:
            yield f"{one.__module__}.{one.__name__}"


def _cause_named(error: BaseException, name: str) -> bool:
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return False
        if type(seen).__name__ == name:
            return True
        seen = seen.__cause__ or seen.__context__
    return False
