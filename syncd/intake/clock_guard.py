"""Whether the wall clock can be trusted to judge a sender's timestamp.

A wrong clock makes good signatures look stale, and senders do not come again after a 401. So while the clock is in
doubt a stale timestamp is answered "come again", and an authentic message with a fresh timestamp ends the doubt.
"""

from __future__ import annotations

from typing import Final

import structlog

from syncd.runtime.clock import Clock

EARLIEST_SANE_MS: Final = 1_793_491_200_000
"""2026-11-01: no running copy of this program is older, so a clock before it is wrong."""
JUMP_MS: Final = 60_000
BEFORE_RELEASE: Final = "before-release"

_log = structlog.get_logger(__name__)


class ClockGuard:
    """Watches the wall clock against the one that never goes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._doubt = ""
        self._offset_ms = 0.0
        self.confirm()

    def confirm(self) -> None:
        """Somebody outside (a vendor's ``Date`` header, an authentic fresh message) agrees with the wall clock."""
        if self._doubt:
            _log.info("clock.confirmed", was=self._doubt)
        self._doubt = ""
        self._offset_ms = self._clock.now_ms() - self._clock.monotonic() * 1000

    def observe(self, vendor_now_ms: int) -> None:
        """Compare with a vendor's clock: agreement confirms ours, disagreement puts it in doubt."""
        if abs(vendor_now_ms - self._clock.now_ms()) <= JUMP_MS:
            if self._doubt:
                self.confirm()
        elif not self._doubt:
            self._begin_doubt("disagrees-with-vendor")

    def doubt(self, now_ms: int) -> str:
        """Why the clock, which shows ``now_ms``, is in doubt; empty when it is not."""
        if now_ms < EARLIEST_SANE_MS:
            return BEFORE_RELEASE
        if not self._doubt:
            moved = now_ms - self._clock.monotonic() * 1000 - self._offset_ms
            if abs(moved) > JUMP_MS:
                self._begin_doubt("jumped")
        return self._doubt

    def _begin_doubt(self, reason: str) -> None:
        self._doubt = reason
        _log.warning("clock.doubted", reason=reason)
