"""The figures of a run, from the shop's clock and the vendors' ledgers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from syncd.control import messages as m
from syncd.demo.judge import Judgement


def percentiles(values: Iterable[float]) -> dict[str, float | None]:
    """Seconds at p50, p95 and p99 (nearest rank); ``None`` when nothing was measured."""
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p95": None, "p99": None}
    return {
        name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 4)
        for name, part in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
    }


def latencies(effects: Sequence[Mapping[str, Any]], asked: Mapping[str, int], titles: Mapping[str, str]) -> list[float]:
    """Seconds from the moment a thing was due in the CRM (by the value of its object's title) to its creation there."""
    found = []
    for effect in effects:
        if effect["effect"] != "create" or effect["object"] not in titles:
            continue
        name = effect["values"].get(titles[effect["object"]]) or ""
        if name in asked:
            found.append(max(0.0, (effect["at_ms"] - asked[name]) / 1000))
    return found


def compose(
    *, judgement: Judgement, status: m.Status, acknowledged: int, abandoned: int, throttled: int,
    latency_seconds: Iterable[float], intake_seconds: Iterable[float],
) -> dict[str, Any]:  # fmt: skip
    """The report as it is written."""
    counters = status.counters
    return {
        "acknowledged": acknowledged,
        "staged": counters.staged,
        "folded": counters.folded,
        "delivered": counters.delivered,
        "dead_letters": counters.dead_letters_open,
        "lost": len(judgement.lost),
        "doubled": len(judgement.doubled),
        "carts_abandoned": abandoned,
        "deals_open": judgement.deals_open,
        "deals_won": judgement.deals_won,
        "vendor_429": throttled,
        "latency_seconds": percentiles(latency_seconds),
        "intake_seconds": percentiles(intake_seconds),
    }
