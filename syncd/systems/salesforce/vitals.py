"""What replies tell in passing: how far our clock is from the org's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime


@dataclass(slots=True)
class Vitals:
    skew_seconds: float | None = None
    """Our clock minus the vendor's ``Date`` header; ``None`` until a reply came. Whole seconds are all it tells."""

    def note(self, headers: Mapping[str, str], now_ms: int) -> None:
        text = headers.get("date")
        if not text:
            return
        try:
            self.skew_seconds = now_ms / 1000 - parsedate_to_datetime(text).timestamp()
        except (ValueError, OverflowError):
            return

    def vendor_ms(self, now_ms: int) -> int:
        """The vendor's time, as far as its replies have told it."""
        return now_ms - round((self.skew_seconds or 0.0) * 1000)
