"""The org's allowances: calls and events of the last 24 hours, long calls at once, batches and jobs of Bulk API 2.0."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from syncd.runtime.clock import Clock
from syncd.sandbox.salesforce.errors import SalesforceError, exceeded_long

DAY_MS = 24 * 3600 * 1000
_SLICE_MS = 60_000


@dataclass(slots=True)
class LimitSettings:
    daily_calls: int = 100_000
    long_calls: int = 25
    """Calls that have run for :attr:`long_seconds` or longer, at once."""
    long_seconds: float = 20.0
    bulk_batches: int = 15_000
    query_jobs: int = 10_000
    events_delivered: int = 25_000
    """To API subscribers, in 24 hours."""
    selected_entities: int = 5
    open_cursors: int = 10
    """Per user."""
    storage_mb: int = 10_240
    app_calls: int = 0
    """A quota of the app alone, shown as ``per-app-api-usage``; 0 for none."""


EDITIONS = ("Developer", "Professional", "Enterprise", "Performance", "Unlimited")


def of_edition(edition: str) -> LimitSettings:
    """Raises ``KeyError``."""
    large = LimitSettings(daily_calls=150_000, events_delivered=50_000)
    return {
        "Developer": LimitSettings(daily_calls=15_000, long_calls=5, events_delivered=10_000),
        "Professional": LimitSettings(),
        "Enterprise": LimitSettings(),
        "Performance": large,
        "Unlimited": large,
    }[edition]


class Rolling:
    """A count of the last 24 hours, in slices of a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slices: deque[list[int]] = deque()
        self._sum = 0

    @property
    def used(self) -> int:
        gone = self._clock.now_ms() - DAY_MS
        while self._slices and self._slices[0][0] <= gone:
            self._sum -= self._slices.popleft()[1]
        return self._sum

    def add(self, count: int = 1) -> None:
        place = self._clock.now_ms() // _SLICE_MS * _SLICE_MS
        if self._slices and self._slices[-1][0] == place:
            self._slices[-1][1] += count
        else:
            self._slices.append([place, count])
        self._sum += count


class Limits:
    def __init__(self, clock: Clock, settings: LimitSettings) -> None:
        self.settings = settings
        self._clock = clock
        self.calls = Rolling(clock)
        self.batches = Rolling(clock)
        self.query_jobs = Rolling(clock)
        self.delivered = Rolling(clock)
        self._running: dict[int, float] = {}
        self._serial = 0

    # -- calls

    def begin(self) -> int:
        """A call arrives. The number it is known by until :meth:`end`."""
        self._serial += 1
        self._running[self._serial] = self._clock.monotonic()
        return self._serial

    def end(self, number: int) -> None:
        self._running.pop(number, None)

    def spend(self) -> None:
        """Take one call. Raises REQUEST_LIMIT_EXCEEDED; a refused call uses nothing up."""
        since = self._clock.monotonic() - self.settings.long_seconds
        if sum(1 for start in self._running.values() if start <= since) >= self.settings.long_calls:
            raise exceeded_long()
        if self.calls.used >= self.settings.daily_calls:
            raise exceeded()
        self.calls.add()

    def header(self, app: str) -> str:
        """``Sforce-Limit-Info``."""
        used = self.calls.used
        text = f"api-usage={used}/{self.settings.daily_calls}"
        if self.settings.app_calls:
            text += f"; per-app-api-usage={used}/{self.settings.app_calls}(appName={app})"
        return text

    # -- bulk

    def spend_batches(self, count: int) -> bool:
        """Whether the day's allowance still holds so many."""
        if self.batches.used + count > self.settings.bulk_batches:
            return False
        self.batches.add(count)
        return True

    def spend_query_job(self) -> None:
        if self.query_jobs.used >= self.settings.query_jobs:
            raise SalesforceError("LIMIT_EXCEEDED", "The daily limit of query jobs is used up.")
        self.query_jobs.add()

    # -- what the limits resource says

    def report(self, rows: int) -> dict[str, dict[str, Any]]:
        own = self.settings
        storage = max(0, own.storage_mb - rows * 2 // 1024)
        return {
            "DailyApiRequests": _left(own.daily_calls, self.calls.used),
            "DailyAsyncApexExecutions": _left(250_000, 0),
            "DailyBulkApiBatches": _left(own.bulk_batches, self.batches.used),
            "DailyBulkV2QueryFileStorageMB": _left(976_562, 0),
            "DailyBulkV2QueryJobs": _left(own.query_jobs, self.query_jobs.used),
            "DailyDeliveredPlatformEvents": _left(own.events_delivered, self.delivered.used),
            "DailyStreamingApiEvents": _left(own.events_delivered, self.delivered.used),
            "DataStorageMB": {"Max": own.storage_mb, "Remaining": storage},
            "FileStorageMB": _left(own.storage_mb, 0),
            "HourlyPublishedPlatformEvents": _left(250_000, 0),
            "MonthlyPlatformEvents": _left(300_000, 0),
            "StreamingApiConcurrentClients": _left(1000, 0),
        }


def exceeded() -> SalesforceError:
    return SalesforceError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def _left(most: int, used: int) -> dict[str, Any]:
    return {"Max": most, "Remaining": max(0, most - used)}
