"""What happened in the account, as the webhooks tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.records import Source


@dataclass(frozen=True, slots=True)
class Event:
    kind: Kind
    what: str
    """``creation``, ``propertyChange``, ``deletion``, ``merge``, ``restore``, ``associationChange``,
    ``privacyDeletion``."""
    id: str
    at_ms: int
    source: Source
    name: str = ""
    value: str = ""
    flag: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
