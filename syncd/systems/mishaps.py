"""Exceptions of the clients, of all systems, sorted by whether anything can have been applied.

Classes are known by name, so that nothing heavy is imported to look at an exception.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import OutOfBudgetError, VendorError

UNSENT: Final = frozenset({
    "httpx.ConnectError", "httpx.ConnectTimeout", "httpx.PoolTimeout", "httpx.ProxyError",
    "urllib3.exceptions.ConnectTimeoutError", "urllib3.exceptions.NewConnectionError",
    "urllib3.exceptions.NameResolutionError", "urllib3.exceptions.ProxyError", "urllib3.exceptions.EmptyPoolError",
    "urllib3.exceptions.ClosedPoolError", "urllib3.exceptions.FullPoolError",
    "requests.exceptions.ConnectTimeout", "requests.exceptions.ProxyError",
})  # fmt: skip
"""Raised before the first byte left."""

SETUP: Final = frozenset({
    "httpx.UnsupportedProtocol",
    "urllib3.exceptions.LocationValueError", "urllib3.exceptions.LocationParseError",
    "urllib3.exceptions.URLSchemeUnknown", "urllib3.exceptions.ProxySchemeUnknown",
    "urllib3.exceptions.ProxySchemeUnsupported", "urllib3.exceptions.HostChangedError",
    "requests.exceptions.InvalidURL", "requests.exceptions.InvalidSchema", "requests.exceptions.MissingSchema",
    "requests.exceptions.URLRequired", "requests.exceptions.InvalidProxyURL",
})  # fmt: skip
"""The address is no address: settings, which hold for every request."""

FORM: Final = frozenset({
    "httpx.InvalidURL", "httpx.LocalProtocolError", "httpx.CookieConflict", "httpx.RequestNotRead",
    "urllib3.exceptions.TimeoutStateError", "urllib3.exceptions.UnrewindableBodyError",
    "urllib3.exceptions.BodyNotHttplibCompatible",
    "requests.exceptions.InvalidHeader", "requests.exceptions.UnrewindableBodyError",
    "hubspot.ApiTypeError", "hubspot.ApiValueError", "hubspot.ApiKeyError", "hubspot.ApiAttributeError",
    "hubspot.exceptions.InvalidSignatureVersionError", "hubspot.exceptions.InvalidSignatureTimestampError",
})  # fmt: skip
"""This request could not be formed, whatever holds for others."""

UNCLEAR: Final = frozenset({
    "httpx.HTTPError", "httpx.HTTPStatusError", "httpx.StreamError",
    "urllib3.exceptions.HTTPError",
    "requests.exceptions.RequestException",
    "grpc.RpcError", "grpc.aio.UsageError",
    "fastavro.SchemaResolutionError", "fastavro.SchemaParseException", "fastavro.UnknownType",
    "hubspot.ApiException", "hubspot.OpenApiException",
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


OUT_OF_BUDGET: Final = "out-of-budget"
"""Code of the failure of a call that was never made."""

KINDS: Final[Mapping[str, frozenset[str]]] = {
    "unsent": UNSENT, "setup": SETUP, "form": FORM, "unclear": UNCLEAR, "library": LIBRARY,
}  # fmt: skip


def exception_kind(error: BaseException) -> str:
    """One of :data:`KINDS`; empty for what is no client's exception. The nearest of its bases decides."""
    for name in _lineage(type(error)):
        for kind, names in KINDS.items():
            if name in names:
                return kind
    return ""


def failure_of_exception(error: BaseException, *, writes: bool = False) -> Failure:
    """The failure that a client's exception stands for: httpx, urllib3, requests, gRPC and the vendors' own libraries.
    Its own text is left out: it may carry the address with its query, and so personal data."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
    reason = getattr(inner or error, "reason", None)
    if isinstance(reason, BaseException):  # urllib3's MaxRetryError, which requests wraps, holds what really happened.
        return failure_of_exception(reason, writes=writes)
    kind, name = exception_kind(error), type(error).__name__
    if _cause_named(error, "SSLCertVerificationError") or "CERTIFICATE_VERIFY_FAILED" in str(error):
        return Failure(Remedy.STOP, "tls-untrusted", f"{name}: the vendor's certificate was not accepted")
    if kind == "setup":
        return Failure(Remedy.STOP, "bad-address", f"{name}: the request could not be formed; check the address")
    if kind == "form":
        return Failure(Remedy.ASK, "bad-request", f"{name}: this request could not be formed")
    if kind == "unsent":
        return Failure(Remedy.RETRY, "unreachable", f"{name}: no connection, nothing was sent")
    remedy = Remedy.LOOK if writes else Remedy.RETRY
    return Failure(remedy, "no-reply", f"{name}: the request went out and no whole reply came back")


def out_of_budget(error: OutOfBudgetError) -> Failure:
    told = f"the {error.window} window is spent"
    return Failure(Remedy.WAIT, OUT_OF_BUDGET, told, retry_after_seconds=error.retry_after_seconds)


def failure_of(error: VendorError | OutOfBudgetError) -> Failure:
    """What kept a call from an answer, as a failure."""
    return out_of_budget(error) if isinstance(error, OutOfBudgetError) else error.failure


def _lineage(cls: type) -> Iterator[str]:
    """Qualified names along the inheritance; libraries that spread their classes over modules go by their package.
    HubSpot's generates its exceptions once per package, so those go by their bare name."""
    for one in cls.__mro__:
        module = one.__module__
        root = module.partition(".")[0]
        if root in {"httpx", "simple_salesforce", "fastavro"} or module.startswith("grpc._channel"):
            yield f"{root}.{one.__name__}"
        elif root == "hubspot" and module != "hubspot.exceptions":
            yield f"hubspot.{one.__name__}"
        elif module.startswith("grpc.aio"):
            yield f"grpc.aio.{one.__name__}"
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
