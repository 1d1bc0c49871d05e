"""An estimate of the vendor's clock, as an interval that certainly holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ASSUMED_SKEW_SECONDS: Final = 2.0
_RENEW_SECONDS: Final = 600.0
"""The interval is found anew so often: clocks drift, and ours may be set."""


@dataclass(slots=True)
class ServerClock:
    """``vendor's time - our wall clock`` lies in ``[low, high]``. Narrowed by ``Date`` headers, which tell the second
    in which a reply was written, somewhere between our sending and receiving."""

    low: float = -ASSUMED_SKEW_SECONDS
    high: float = ASSUMED_SKEW_SECONDS
    _since: float = float("-inf")
    """Wall time at which the present narrowing began."""

    def observe(self, date: float, sent: float, replied: float) -> None:
        """``date``: the header, seconds since the epoch; ``sent`` and ``replied`` by our wall clock."""
        low, high = date - replied, date + 1.0 - sent
        if 0 <= replied - self._since < _RENEW_SECONDS:
            low, high = max(low, self.low), min(high, self.high)
        if low > high or replied - self._since >= _RENEW_SECONDS or replied < self._since:
            low, high, self._since = date - replied, date + 1.0 - sent, replied
        self.low, self.high = low, high

    @property
    def width(self) -> float:
        return self.high - self.low
