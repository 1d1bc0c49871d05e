"""The store's quota, which all its apps share; calls at once by endpoint; B2B Edition's own quota.

Only the store's quota and B2B's name themselves in headers. A refusal for too many calls at once has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from syncd.runtime.clock import Clock
from syncd.sandbox.bigcommerce.errors import ApiError

STORE_WINDOW_MS = 30_000
B2B_WINDOW_MS = 60_000
DEFAULT_PARALLEL = 10_000

PARALLEL: dict[tuple[str, str], int] = {
    ("PUT", "customers"): 3,
    ("PUT", "customers/addresses"): 3,
    ("POST", "customers/addresses"): 10,
    ("POST", "customers/attributes"): 3,
    ("PUT", "customers/attributes"): 3,
    ("DELETE", "customers/attributes"): 3,
    ("PUT", "customers/attribute-values"): 3,
    ("DELETE", "customers/attribute-values"): 3,
    ("*", "customer_groups"): 40,
    ("PUT", "pricelists/records"): 1,
    ("DELETE", "pricelists"): 1,
    ("PUT", "pricelists/*/records"): 2,
    ("POST", "pricelists/*/records"): 10,
    ("POST", "pricelists/records"): 10,
    ("GET", "pricelists/*/records"): 10,
    ("GET", "pricelists/*/records/*"): 40,
    ("GET", "pricelists/*/records/*/*"): 50,
    ("PUT", "pricelists/*/records/*/*"): 40,
    ("DELETE", "pricelists/*/records/*/*"): 25,
    ("PUT", "pricelists/*/assignments"): 25,
}
"""Calls at once, by method and path with ids as stars."""


@dataclass(slots=True)
class LimitSettings:
    per_thirty_seconds: int = 150
    """By plan: 150 Standard and Plus, 450 Pro. 0: the plan has no quota, and no headers."""
    b2b_per_minute: int = 150
    work_seconds: float = 0.0
    """How long a call with a limit of its own holds its slot, in the sandbox's time."""


PLANS = {"standard": 150, "plus": 150, "pro": 450, "enterprise": 0}
"""Calls in thirty seconds by plan. Enterprise is what a contract says; here it has no quota."""


class Limits:
    def __init__(self, clock: Clock, settings: LimitSettings) -> None:
        self.settings = settings
        self._clock = clock
        self._ends_ms = 0
        self._used = 0
        self._b2b_ends_ms = 0
        self._b2b_used = 0
        self._busy: Counter[tuple[str, str]] = Counter()

    # -- the store

    def spend(self, count: int = 1) -> dict[str, str]:
        """Take calls of the store's window; the headers of the reply. Raises ``ApiError`` 429, using nothing up."""
        quota = self.settings.per_thirty_seconds
        if not quota:
            return {}
        now = self._clock.now_ms()
        if now >= self._ends_ms:
            self._ends_ms, self._used = now + STORE_WINDOW_MS, 0
        if self._used + count > quota:
            raise ApiError(429, "Too many requests", headers=self._headers(0, now))
        self._used += count
        return self._headers(quota - self._used, now)

    def spend_elsewhere(self, count: int) -> int:
        """Another app of the store takes as much as there is, ``count`` at most; what it got."""
        self.spend(0)
        got = min(count, self.settings.per_thirty_seconds - self._used)
        self._used += got
        return got

    def _headers(self, left: int, now: int) -> dict[str, str]:
        return {
            "X-Rate-Limit-Time-Window-Ms": str(STORE_WINDOW_MS),
            "X-Rate-Limit-Time-Reset-Ms": str(max(1, self._ends_ms - now)),
            "X-Rate-Limit-Requests-Quota": str(self.settings.per_thirty_seconds),
            "X-Rate-Limit-Requests-Left": str(left),
        }

    # -- B2B Edition

    def spend_b2b(self) -> dict[str, str]:
        """Raises ``ApiError`` 429, using nothing up."""
        now, quota = self._clock.now_ms(), self.settings.b2b_per_minute
        if now >= self._b2b_ends_ms:
            self._b2b_ends_ms, self._b2b_used = now + B2B_WINDOW_MS, 0
        if self._b2b_used >= quota:
            raise ApiError(429, "Request limit exceeded", headers=self._b2b_headers(now))
        self._b2b_used += 1
        return self._b2b_headers(now)

    def _b2b_headers(self, now: int) -> dict[str, str]:
        quota = self.settings.b2b_per_minute
        return {
            "X-Requests-Allocated": f"{quota} times/60 s",
            "X-Requests-Window-Length": f"{self._b2b_used} times",
            "X-Requests-Remaining": f"{quota - self._b2b_used} times",
            "X-Request-Window-Resets-After": f"{max(0, self._b2b_ends_ms - now) / 1000:.3f} s",
        }

    # -- calls at once

    def limited(self, method: str, pattern: str) -> tuple[str, str] | None:
        """The endpoint's name where it has a limit of its own."""
        for key in ((method, pattern), ("*", pattern.partition("/")[0])):
            if key in PARALLEL:
                return key
        return None

    @contextmanager
    def slot(self, key: tuple[str, str] | None) -> Iterator[None]:
        """Hold one of the endpoint's slots. Raises ``ApiError`` 429 without headers of a quota."""
        if key is None:
            yield
            return
        if self._busy[key] >= PARALLEL[key]:
            raise ApiError(429, "Too many concurrent requests")
        self._busy[key] += 1
        try:
            yield
        finally:
            self._busy[key] -= 1


def pattern_of(rest: list[str]) -> str:
    """A path below the version with ids as stars: ``pricelists/*/records``."""
    return "/".join("*" if place and _is_id(part) else part for place, part in enumerate(rest))


def _is_id(part: str) -> bool:
    return part.isdigit() or (len(part) == 3 and part.isupper())
