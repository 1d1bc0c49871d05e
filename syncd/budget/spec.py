"""What a connection may spend, declared as data: the vendor's windows, and what the operator keeps free for whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from syncd.model.change import Lane


class Form(StrEnum):
    ROLLING = "rolling"
    """At most ``limit`` calls in any ``seconds``. Holds for vendors that count in fixed slices too."""
    DAILY = "daily"
    """A count that starts again at midnight in ``zone``, by the vendor's clock."""
    CONCURRENT = "concurrent"
    """At most ``limit`` calls at once."""
    ADAPTIVE = "adaptive"
    """At most so many calls at once as the vendor bears, found by trying; never more than ``limit``."""


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """One limit. Where the vendor tells the true limit in its replies, ``limit`` is only the guess to start with."""

    name: str
    form: Form
    limit: int
    seconds: float = 0.0
    """Length of a rolling window."""
    kinds: frozenset[str] = frozenset()
    """Kinds of calls that fall into it; empty means every kind."""
    zone: str | None = None
    """IANA time zone of a daily window. ``None``: not known, UTC is assumed and corrected by what the vendor tells."""
    reserve: Mapping[Lane, float] = field(default_factory=dict)
    """Share of the limit kept free for a lane and those more urgent, as far as the lane has not used it."""
    share: float = 1.0
    """Hard share of the limit that syncd may use at all."""
    ceiling: int | None = None
    """The operator's own limit; a larger one told by the vendor does not lift it."""
    transit_seconds: float = 0.5
    """A call is counted by the vendor at most this long after it left, however late the reply comes."""

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError(f"window {self.name}: the limit must be at least 1, not {self.limit}")
        if self.form is Form.ROLLING and not self.seconds > 0:
            raise ValueError(f"window {self.name}: a rolling window needs a length in seconds")
        if not 0 < self.share <= 1:
            raise ValueError(f"window {self.name}: the share must be above 0 and at most 1, not {self.share}")
        if any(part < 0 for part in self.reserve.values()) or not sum(self.reserve.values()) < 1:
            raise ValueError(f"window {self.name}: reserves must be 0 or more, and together below 1")

    def covers(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds

    @property
    def durable(self) -> bool:
        """Whether a spend must be on disk before the call leaves: the vendor remembers it longer than a restart."""
        return self.form in (Form.ROLLING, Form.DAILY)


DEFAULT_PATIENCE: Final[Mapping[Lane, float]] = {
    Lane.OPERATOR: 10.0,
    Lane.LIVE: 30.0,
    Lane.SCHEDULED: 30.0,
    Lane.BULK: 30.0,
}
"""Seconds a payer waits for room before it is sent away."""


@dataclass(frozen=True, slots=True)
class WindowOverride:
    """What an operator says differently about one window; ``None`` leaves the standard."""

    limit: int | None = None
    """Becomes the ceiling as well: the vendor's word may lower it, not raise it."""
    share: float | None = None
    reserve: Mapping[Lane, float] | None = None


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """What an operator may say about a connection's budget."""

    reserve: Mapping[Lane, float] | None = None
    """Replaces the standard reserves of every window that has no own override."""
    share: float = 1.0
    windows: Mapping[str, WindowOverride] = field(default_factory=dict)
    patience: Mapping[Lane, float] = field(default_factory=dict)
    zone: str | None = None
    """The vendor account's time zone, for daily windows."""
    without: frozenset[str] = frozenset()
    """Windows that the connection has no use for."""

    def patience_of(self, lane: Lane) -> float:
        return self.patience.get(lane, DEFAULT_PATIENCE[lane])


# Short windows come back within seconds and urgency is served first, so a share that lies idle in them would only
# slow bulk work. A day does not come back: there, and among slots held for the length of a call, reserves pay.
_DAY_RESERVE: Final[Mapping[Lane, float]] = {Lane.OPERATOR: 0.02, Lane.LIVE: 0.10, Lane.SCHEDULED: 0.08}
_SLOT_RESERVE: Final[Mapping[Lane, float]] = {Lane.OPERATOR: 0.05, Lane.LIVE: 0.10}

_PORTAL_CALLS: Final = frozenset({"api", "search", "auth"})
"""Calls that count against a HubSpot account; those of the Webhooks Journal do not."""

_STORE_CALLS: Final = frozenset({"api", "customer_write", "price_write"})
"""Calls of a BigCommerce store; those of B2B Edition have a quota of their own."""

STANDARD: Final[Mapping[str, tuple[WindowSpec, ...]]] = {
    # The smallest tier is the guess; the first reply tells the true limits, and they are kept across restarts.
    "hubspot": (
        WindowSpec("ten_seconds", Form.ROLLING, 100, 10.0, kinds=_PORTAL_CALLS),
        WindowSpec("daily", Form.DAILY, 250_000, kinds=_PORTAL_CALLS, reserve=_DAY_RESERVE),
        WindowSpec("search", Form.ROLLING, 5, 1.0, kinds=frozenset({"search"})),
        # Exempt from the account's limits; so many a minute were named while it was a beta.
        WindowSpec("journal", Form.ROLLING, 100, 60.0, kinds=frozenset({"journal"})),
        WindowSpec("concurrent", Form.CONCURRENT, 20, reserve=_SLOT_RESERVE),
    ),
    # commercetools publishes no rate and never answers 429: overload shows as 5xx and rising latency.
    "commercetools": (WindowSpec("concurrent", Form.ADAPTIVE, 20, reserve=_SLOT_RESERVE),),
    # The store's quota is shared by all its apps, hence the share.
    "bigcommerce": (
        WindowSpec("thirty_seconds", Form.ROLLING, 150, 30.0, kinds=_STORE_CALLS, share=0.8),
        WindowSpec("b2b", Form.ROLLING, 150, 60.0, kinds=frozenset({"b2b"}), share=0.8),
        WindowSpec("customer_writes", Form.CONCURRENT, 3, kinds=frozenset({"customer_write"})),
        WindowSpec("price_writes", Form.CONCURRENT, 1, kinds=frozenset({"price_write"})),
        WindowSpec("concurrent", Form.CONCURRENT, 10, reserve=_SLOT_RESERVE),
    ),
    "salesforce": (
        WindowSpec("daily", Form.ROLLING, 15_000, 86_400.0, frozenset({"api"}), reserve=_DAY_RESERVE, share=0.8),
        # Slices of ten thousand rows of upload jobs; the older Bulk API draws on them too.
        WindowSpec("bulk_batches", Form.ROLLING, 15_000, 86_400.0, frozenset({"bulk_batch"}), share=0.8),
        WindowSpec("concurrent", Form.CONCURRENT, 20, kinds=frozenset({"api", "auth"}), reserve=_SLOT_RESERVE),
    ),
}

UNNAMED: Final[Mapping[str, str]] = {"bigcommerce": "concurrent"}
"""By system, the window to blame for a refusal that names none, where it is not the rate: BigCommerce's refusals over
the quota carry its headers, those without mean an overload or too many calls at once."""


def specs_for(system: str, settings: BudgetSettings | None = None) -> tuple[WindowSpec, ...]:
    """The windows of a system with the operator's settings applied. Raises :class:`ValueError` naming the window."""
    chosen = settings or BudgetSettings()
    standard = STANDARD.get(system, (WindowSpec("concurrent", Form.ADAPTIVE, 10),))
    unknown = sorted(chosen.windows.keys() - {spec.name for spec in standard})
    if unknown:
        known = ", ".join(spec.name for spec in standard)
        raise ValueError(f"{system} has no window named {unknown[0]!r}; it has: {known}")
    return tuple(_adjusted(spec, chosen) for spec in standard if spec.name not in chosen.without)


def _adjusted(spec: WindowSpec, settings: BudgetSettings) -> WindowSpec:
    override = settings.windows.get(spec.name, WindowOverride())
    reserve = override.reserve if override.reserve is not None else settings.reserve
    share = override.share if override.share is not None else min(spec.share, settings.share)
    return replace(
        spec,
        limit=override.limit or spec.limit,
        ceiling=override.limit,
        reserve=spec.reserve if reserve is None else dict(reserve),
        # A hard share speaks of what the vendor counts; slots held at once are nobody else's business.
        share=share if spec.durable else 1.0,
        zone=settings.zone if spec.form is Form.DAILY and settings.zone else spec.zone,
    )


def allowance(limit: int, lane: Lane, used: Sequence[int], reserve: Mapping[Lane, float]) -> int:
    """How much of ``limit`` may be used in total before ``lane`` has to wait: what the more urgent lanes have
    reserved and not yet used (``used`` is by lane) stays free for them."""
    kept = sum(
        max(0, math.floor(limit * part) - used[urgent]) for urgent, part in reserve.items() if urgent < lane
    )  # fmt: skip
    return limit - kept
