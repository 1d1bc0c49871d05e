"""Disturbances a simulated vendor suffers on request, the same ones for the same seed.

``--faults`` text is a comma-separated list: names of presets first or in between, then ``name=value``; a vendor's
name in front narrows one setting to it. ``storm,latency=0.1,hubspot.throttle=0.2,outage=hubspot``.
"""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any

CT, HS, SF, BC = VENDORS = ("commercetools", "hubspot", "salesforce", "bigcommerce")


def _chance(means: str, vendors: tuple[str, ...] = VENDORS) -> Any:
    """A setting of :class:`FaultPlan`: what it does, and at whom."""
    return field(default=0.0, metadata={"means": means, "vendors": vendors})


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rates are chances per request, or per what else the meaning names, 0 to 1. One word per thing, at all vendors."""

    latency: float = _chance("mean added delay in seconds (exponential, cut at ten times the mean)")
    throttle: float = _chance(
        "refused for load, not applied, in the vendor's words: 429, 503 or REQUEST_LIMIT_EXCEEDED"
    )
    fail_before: float = _chance("a 5xx, not applied")
    fail_after: float = _chance("a 5xx although applied")
    drop_after: float = _chance("applied, then the connection is dropped without a reply")
    truncate: float = _chance("applied, the reply's body is cut in the middle")
    html: float = _chance("a proxy's HTML page with 502, not applied")
    expire_token: float = _chance("the caller's access token expires early", (CT, HS, SF))
    conflict: float = _chance("409 to a write (with a version, where there are some), not applied", (CT, HS, BC))
    version_bump: float = _chance("after a write the vendor's background work raises the version", (CT,))
    locked: float = _chance("423 to a write, not applied", (HS, BC))
    migrating: float = _chance("477 with Retry-After to a write, not applied", (HS,))
    anonymous: float = _chance("207 to a batch write, applied; half the results missing, errors name no input", (HS,))
    empty: float = _chance("2xx to a batch write, applied, without results", (HS,))
    lock_row: float = _chance("UNABLE_TO_LOCK_ROW, per record: it is locked by somebody else", (SF,))
    job_fail: float = _chance(
        "a bulk job ends as Failed, some rows unprocessed, per job; an import operation is rejected, per operation",
        (CT, SF),
    )
    webhook_duplicate: float = _chance("a notification is sent twice (webhook, queued message, event of the bus)")
    webhook_reorder: float = _chance("a notification overtakes another", (CT, HS, BC))
    webhook_drop: float = _chance("a notification is lost; the event bus ends its stream instead")


PRESETS: dict[str, FaultPlan] = {
    "none": FaultPlan(),
    "storm": FaultPlan(
        latency=0.03,
        throttle=0.03,
        fail_before=0.03,
        fail_after=0.03,
        drop_after=0.01,
        truncate=0.01,
        html=0.01,
        expire_token=0.005,
        version_bump=0.02,
        conflict=0.01,
        locked=0.01,
        anonymous=0.01,
        empty=0.005,
        lock_row=0.005,
        job_fail=0.01,
        webhook_duplicate=0.2,
        webhook_reorder=0.2,
        webhook_drop=0.1,
    ),
}
RATES = tuple(one.name for one in fields(FaultPlan))


class FaultsError(ValueError):
    """A ``--faults`` text that cannot be understood; the message says which word and what was expected."""


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A parsed ``--faults`` text."""

    common: FaultPlan
    own: dict[str, dict[str, float]]
    """Per vendor, the settings that differ."""
    outages: frozenset[str]

    def plan(self, vendor: str) -> FaultPlan:
        return replace(self.common, **self.own.get(vendor, {}))


def parse(text: str) -> FaultSpec:
    """Raises :class:`FaultsError`."""
    common: dict[str, float] = asdict(PRESETS["none"])
    own: dict[str, dict[str, float]] = {}
    outages: set[str] = set()
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals:
            if name not in PRESETS:
                raise FaultsError(f"faults: no preset {name!r}; expected one of {', '.join(PRESETS)}, or name=value")
            common |= asdict(PRESETS[name])
        elif name == "outage":
            outages.add(value)
        else:
            vendor, dot, setting = name.rpartition(".")
            target = own.setdefault(vendor, {}) if dot else common
            target[setting] = _rate(setting, value)
    return FaultSpec(FaultPlan(**common), own, frozenset(outages))


def _rate(name: str, value: str) -> float:
    if name not in RATES:
        near = get_close_matches(name, RATES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(RATES)}, outage"
        raise FaultsError(f"faults: unknown setting {name!r}{hint}")
    try:
        number = float(value)
    except ValueError:
        raise FaultsError(f"faults: {name}={value!r} is not a number") from None
    most = 60.0 if name == "latency" else 1.0
    if not 0 <= number <= most:
        raise FaultsError(f"faults: {name}={value} is out of range; expected 0 to {most:g}")
    return number


@dataclass(frozen=True, slots=True)
class Fate:
    """What one request meets. At most one of the disturbances besides the delay."""

    delay: float = 0.0
    kind: str = ""
    """Empty, or the name of a setting of :class:`FaultPlan`."""


@dataclass(frozen=True, slots=True)
class WebhookFate:
    drop: bool = False
    duplicate: bool = False
    reorder: bool = False


_REQUEST_KINDS = ("throttle", "fail_before", "fail_after", "drop_after", "truncate", "html", "expire_token")


class VendorFaults:
    """One vendor's dice. Every request throws the same number of them, so that changing one rate moves no other."""

    def __init__(self, vendor: str, seed: int, plan: FaultPlan) -> None:
        self.plan = plan
        self.outage = ""
        """Empty, ``abort`` (connections are reset) or ``503``."""
        self._requests = random.Random(f"{seed}:{vendor}:requests")
        self._webhooks = random.Random(f"{seed}:{vendor}:webhooks")
        self._bumps = random.Random(f"{seed}:{vendor}:bumps")
        self._conflicts = random.Random(f"{seed}:{vendor}:conflicts")

    def next_request(self) -> Fate:
        spread, throw = self._requests.expovariate(1.0), self._requests.random()
        delay = self.plan.latency * min(spread, 10.0)
        for kind in _REQUEST_KINDS:
            chance: float = getattr(self.plan, kind)
            if throw < chance:
                return Fate(delay, kind)
            throw -= chance
        return Fate(delay)

    def next_webhook(self) -> WebhookFate:
        drop, duplicate, reorder = (self._webhooks.random() for _ in range(3))
        plan = self.plan
        return WebhookFate(drop < plan.webhook_drop, duplicate < plan.webhook_duplicate, reorder < plan.webhook_reorder)

    def next_bump(self) -> bool:
        return self._bumps.random() < self.plan.version_bump

    def next_conflict(self) -> bool:
        return self._conflicts.random() < self.plan.conflict
