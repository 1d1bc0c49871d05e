"""The vendor's windows: ten seconds rolling per app, a day per account, a second of searches per account."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from syncd.runtime.clock import Clock
from syncd.sandbox.hubspot.errors import ApiError


@dataclass(slots=True)
class LimitSettings:
    per_ten_seconds: int = 190
    daily: int = 650_000
    searches_per_second: int = 5


PLANS = {
    "free": (100, 250_000),
    "starter": (100, 250_000),
    "professional": (190, 650_000),
    "enterprise": (190, 1_000_000),
}
"""Calls in ten seconds and in a day, by edition of the account."""


def of_plan(plan: str) -> LimitSettings:
    """Raises ``KeyError``."""
    return LimitSettings(*PLANS[plan])


def zone_of(name: str) -> tzinfo:
    """UTC needs no zone data, which small systems lack. Raises ``ZoneInfoNotFoundError`` (a ``KeyError``)."""
    return UTC if name == "UTC" else ZoneInfo(name)


class Limits:
    """Refused calls use nothing up."""

    def __init__(self, clock: Clock, settings: LimitSettings, zone: str) -> None:
        self.settings = settings
        self._clock = clock
        self._zone = zone_of(zone)
        self._rolling: dict[int, deque[int]] = {}
        self._searches: deque[int] = deque()
        self.used_today = 0
        self.resets_ms = self._midnight()

    def _midnight(self) -> int:
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, self._zone)
        morrow = now.date() + timedelta(days=1)
        start = datetime(morrow.year, morrow.month, morrow.day, tzinfo=self._zone)
        return int(start.astimezone(UTC).timestamp() * 1000)

    def _roll(self) -> int:
        now = self._clock.now_ms()
        if now >= self.resets_ms:
            self.used_today = 0
            self.resets_ms = self._midnight()
        return now

    def spend(self, app_id: int, *, search: bool, oauth: bool) -> dict[str, str]:
        """Take one call. Returns the headers of its reply. Raises :class:`ApiError` 429."""
        now = self._roll()
        window = self._rolling.setdefault(app_id, deque())
        while window and window[0] <= now - 10_000:
            window.popleft()
        if search:
            self._spend_search(now)
        if len(window) >= self.settings.per_ten_seconds:
            headers = self._headers(window, search=search, oauth=oauth)
            raise _refused("ten_secondly_rolling", "TEN_SECONDLY_ROLLING", headers)
        if not oauth and self.used_today >= self.settings.daily:
            raise _refused("daily", "DAILY", self._headers(window, search=search, oauth=oauth))
        window.append(now)
        self.used_today += 1
        if search:
            self._searches.append(now)
        return self._headers(window, search=search, oauth=oauth)

    def _spend_search(self, now: int) -> None:
        while self._searches and self._searches[0] <= now - 1000:
            self._searches.popleft()
        if len(self._searches) >= self.settings.searches_per_second:
            raise _refused("secondly", "SECONDLY", {})

    def _headers(self, window: deque[int], *, search: bool, oauth: bool) -> dict[str, str]:
        if search:
            return {}  # search replies carry none
        most = self.settings.per_ten_seconds
        headers = {
            "X-HubSpot-RateLimit-Max": str(most),
            "X-HubSpot-RateLimit-Remaining": str(max(0, most - len(window))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Secondly": "19",
            "X-HubSpot-RateLimit-Secondly-Remaining": "18",
        }
        if not oauth:
            headers["X-HubSpot-RateLimit-Daily"] = str(self.settings.daily)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, self.settings.daily - self.used_today))
        return headers


def _refused(name: str, policy: str, headers: dict[str, str]) -> ApiError:
    return ApiError(
        429,
        f"You have reached your {name} limit.",
        headers=headers,
        extra={"errorType": "RATE_LIMIT", "policyName": policy},
    )


def overload() -> ApiError:
    """The refusal a disturbance makes: the same as a spent window, without its headers."""
    return _refused("ten_secondly_rolling", "TEN_SECONDLY_ROLLING", {})
