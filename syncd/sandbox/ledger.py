"""What really happened at the simulated vendors: one row per applied effect, in order, never changed.

The judge of a run compares this with what the shop did. Nothing a vendor answered counts here, only what it applied:
a write that was answered 500 after it was applied stands in the ledger, a write that was refused does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Effect:
    seq: int
    """1, 2, 3, ... over all vendors."""
    at_ms: int
    vendor: str
    effect: str
    """``create``, ``update``, ``archive``, ``delete``, ``associate``, ``dissociate``, ..."""
    object: str
    """The vendor's word for the kind: ``customers``, ``contacts``, ``deals``."""
    id: str
    key: str = ""
    """The caller's unique key for it (commercetools ``key``, HubSpot unique property), empty when none."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What changed, after the change."""
    actor: str = ""
    """API client id, name of the access token, or ``human``."""
    version: int = 0
    """The object's version after the effect, where the vendor counts versions."""


class Ledger:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._effects: list[Effect] = []

    def __len__(self) -> int:
        return len(self._effects)

    def record(
        self,
        vendor: str,
        effect: str,
        object: str,  # noqa: A002
        id: str,  # noqa: A002
        *,
        key: str = "",
        values: Mapping[str, Any] | None = None,
        actor: str = "",
        version: int = 0,
    ) -> Effect:
        """Note an effect at the moment it is applied. ``values`` must not be changed afterwards."""
        seq = len(self._effects) + 1
        row = Effect(seq, self._clock.now_ms(), vendor, effect, object, id, key, values or {}, actor, version)
        self._effects.append(row)
        return row

    def after(self, seq: int = 0, *, vendor: str = "", limit: int = 0) -> list[Effect]:
        """Effects behind ``seq`` in order; ``vendor`` narrows, ``limit`` 0 means all."""
        rows = [row for row in self._effects[max(seq, 0) :] if not vendor or row.vendor == vendor]
        return rows[:limit] if limit else rows
