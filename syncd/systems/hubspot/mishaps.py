"""Client exceptions, sorted by whether anything can have been applied.

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
    "hubspot.ApiTypeError", "hubspot.ApiValueError", "hubspot.ApiKeyError", "hubspot.ApiAttributeError",
    "hubspot.exceptions.InvalidSignatureVersionError", "hubspot.exceptions.InvalidSignatureTimestampError",
})  # fmt: skip
"""Our own doing: settings or code."""

UNCLEAR: Final = frozenset({
    "httpx.HTTPError", "httpx.HTTPStatusError",
    "urllib3.exceptions.HTTPError",
    "requests.exceptions.RequestException",
    "hubspot.ApiException", "hubspot.OpenApiException",
    "builtins.TimeoutError",
})  # fmt: skip
"""Whether anything was applied is not known: time-outs while reading, broken connections, unreadable replies."""


def exception_kind(error: BaseException) -> str:
    """``unsent``, ``misuse``, ``unclear``, or ``""`` for an exception that is not a client's."""
    for name in _lineage(type(error)):
        if name in UNSENT:
            return "unsent"
        if name in MISUSE:
            return "misuse"
        if name in UNCLEAR:
            return "unclear"
    return ""


def failure_of_exception(error: BaseException, *, writes: bool = False) -> Failure:
    """The failure that a client's exception stands for: httpx, urllib3, requests and the generated SDK packages."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):  # urllib3's MaxRetryError wraps what really happened.
        return failure_of_exception(reason, writes=writes)
    kind = exception_kind(error)
    name = type(error).__name__
    if _cause_named(error, "SSLCertVerificationError") or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Failure(Remedy.STOP, "tls-untrusted", f"{name}: the vendor's certificate was not accepted")
    if kind == "misuse":
        return Failure(Remedy.STOP, "bad-request-setup", f"{name}: the request could not be formed; check base_url")
    if kind == "unsent":
        return Failure(Remedy.RETRY, "unreachable", f"{name}: no connection, nothing was sent")
    remedy = Remedy.LOOK if writes else Remedy.RETRY
    return Failure(remedy, "no-reply", f"{name}: the request went out and no whole reply came back")


def _lineage(cls: type) -> Iterator[str]:
    """Qualified names along the inheritance. The SDK generates its exceptions once per package, so those go by their
    bare name under ``hubspot``."""
    for one in cls.__mro__:
        module = one.__module__
        if module.startswith("hubspot.") and module != "hubspot.exceptions":
            yield f"hubspot.{one.__name__}"
        elif module.partition(".")[0] == "httpx":
            yield f"httpx.{one.__name__}"
        else:
            yield f"{module}.{one.__name__}"


def _cause_named(error: BaseException, name: str) -> bool:
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return False
        if type(seen).__name__ == name:
            return True
        seen = seen.__cause__ or seen.__context__
    return False
