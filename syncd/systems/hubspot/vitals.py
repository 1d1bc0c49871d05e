"""What replies tell in passing about the account: how far our clock is from the vendor's, and its time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

DAILY_LEFT: Final = "x-hubspot-ratelimit-daily-remaining"


@dataclass(slots=True)
class Vitals:
    time_zone: str = ""
    skew_seconds: float | None = None
    """Our clock minus the vendor's ``Date`` header; ``None`` until a reply came. Whole seconds are all it tells."""

    daily_left: int | None = None
    """Calls that the account has left today; ``None`` until it said so, and where it has no such limit."""

    def note(self, headers: Mapping[str, str], now_ms: int) -> None:
        left = headers.get(DAILY_LEFT, "")
        if left.isdecimal():
            self.daily_left = int(left)
        text = headers.get("date")
        if not text:
            return
        try:
            self.skew_seconds = now_ms / 1000 - parsedate_to_datetime(text).timestamp()
        except ValueError:
            return
