"""What reply headers tell of a vendor's windows. Pure; garbage tells nothing and never raises."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias

from syncd.budget.window import Reading

BLAMED_WINDOW: Final = "x-syncd-window"
"""A system that reads in a refusal's body which window is spent tells it to ``observe`` under this name."""

Dialect: TypeAlias = Callable[[Mapping[str, str]], Sequence[Reading]]


def lower_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def whole(text: str | None) -> int | None:
    """A count, or ``None`` for what is none."""
    if text is None or not re.fullmatch(r"\s*-?[0-9]{1,15}\s*", text):
        return None
    return int(text)


def seconds_of(text: str | None) -> float | None:
    """A span such as ``1.5``, ``397 s`` or ``60``, not negative; ``None`` for what is none."""
    found = re.match(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?:s|times|$)", text or "")
    return float(found[1]) if found else None


def date_of(headers: Mapping[str, str], name: str = "date") -> float | None:
    """An HTTP date in seconds since the epoch."""
    return _http_date(headers.get(name, ""))


def _http_date(text: str) -> float | None:
    if not re.search(r"[A-Za-z]{3}", text):
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def retry_after(headers: Mapping[str, str], wall: float) -> float | None:
    """Seconds that ``Retry-After`` asks for. ``None`` where it is missing, garbage or not above zero: then the
    window's own policy decides. A date counts from the reply's ``Date``, else from our ``wall`` clock."""
    text = headers.get("retry-after", headers.get("x-retry-after", "")).strip()
    wait = seconds_of(text) if re.fullmatch(r"[0-9.]+", text) else None
    if wait is None and (moment := _http_date(text)) is not None:
        wait = moment - (date_of(headers) or wall)
    return wait if wait is not None and wait > 0 else None


def hubspot(headers: Mapping[str, str]) -> Sequence[Reading]:
    """``X-HubSpot-RateLimit-*``. Search replies have none; the ``-Secondly`` ones are dead."""
    interval = whole(headers.get("x-hubspot-ratelimit-interval-milliseconds"))
    return _known(
        Reading(
            "ten_seconds",
            whole(headers.get("x-hubspot-ratelimit-max")),
            whole(headers.get("x-hubspot-ratelimit-remaining")),
            interval / 1000 if interval and interval > 0 else None,
        ),
        Reading(
            "daily",
            whole(headers.get("x-hubspot-ratelimit-daily")),
            whole(headers.get("x-hubspot-ratelimit-daily-remaining")),
        ),
    )


def bigcommerce(headers: Mapping[str, str]) -> Sequence[Reading]:
    length = whole(headers.get("x-rate-limit-time-window-ms"))
    reset = whole(headers.get("x-rate-limit-time-reset-ms"))
    b2b = re.match(r"\s*(\d{1,9}) times/(\d{1,6}) s", headers.get("x-requests-allocated", ""))
    left = re.match(r"\s*(\d{1,9})", headers.get("x-requests-remaining", ""))
    return _known(
        Reading(
            "thirty_seconds",
            whole(headers.get("x-rate-limit-requests-quota")),
            whole(headers.get("x-rate-limit-requests-left")),
            length / 1000 if length and length > 0 else None,
            reset / 1000 if reset is not None and reset >= 0 else None,
        ),
        Reading(
            "b2b",
            int(b2b[1]) if b2b else None,
            int(left[1]) if left else None,
            float(b2b[2]) if b2b else None,
            seconds_of(headers.get("x-request-window-resets-after")),
        ),
    )


def salesforce(headers: Mapping[str, str]) -> Sequence[Reading]:
    """``Sforce-Limit-Info: api-usage=18/5000``."""
    usage = re.search(r"(?:^|[;\s])api-usage=(\d{1,12})/(\d{1,12})", headers.get("sforce-limit-info", ""))
    if not usage or int(usage[2]) < 1:
        return ()
    return (Reading("daily", int(usage[2]), max(0, int(usage[2]) - int(usage[1]))),)


def _known(*readings: Reading) -> Sequence[Reading]:
    return tuple(one for one in readings if one.limit is not None or one.remaining is not None)


def silent(headers: Mapping[str, str]) -> Sequence[Reading]:
    """A vendor that tells nothing."""
    del headers
    return ()


DIALECTS: Final[Mapping[str, Dialect]] = {
    "hubspot": hubspot,
    "bigcommerce": bigcommerce,
    "salesforce": salesforce,
}
