"""Rare answers of this vendor that the sandbox's common faults do not know."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace

import orjson

from syncd.sandbox.http import Reply
from syncd.sandbox.hubspot.errors import ApiError


@dataclass(frozen=True, slots=True)
class Oddities:
    """Chances per call, 0 to 1."""

    locked: float = 0.0
    """423 to a write, not applied."""
    migrating: float = 0.0
    """477 with Retry-After, not applied."""
    anonymous: float = 0.0
    """207 to a batch write, applied; half of the results are missing and their errors name no input."""
    empty: float = 0.0
    """2xx to a batch write, applied, without any results."""
    retry_after_seconds: int = 5
    """Of a 477."""


def oddities(rates: dict[str, float]) -> Oddities:
    """Raises ``ValueError`` for unknown names and rates out of range."""
    known = {one.name for one in fields(Oddities)}
    for name, rate in rates.items():
        if name not in known:
            raise ValueError(f"no oddity {name!r}; there are {', '.join(sorted(known))}")
        if name != "retry_after_seconds" and not 0 <= rate <= 1:
            raise ValueError(f"{name}={rate} is out of range; expected 0 to 1")
    return replace(Oddities(), **rates)  # type: ignore[arg-type]  # retry_after_seconds is whole by its use


class OddDice:
    def __init__(self, seed: float, rates: Oddities) -> None:
        self.rates = rates
        self._dice = random.Random(seed)

    def before(self, *, write: bool) -> None:
        """Raises :class:`ApiError` for a call that is refused."""
        throw, rates = self._dice.random(), self.rates
        if throw < rates.migrating:
            seconds = str(rates.retry_after_seconds)
            raise ApiError(477, "This account is being migrated between data centers", "MIGRATION_IN_PROGRESS",
                           headers={"Retry-After": seconds})  # fmt: skip
        if write and throw - rates.migrating < rates.locked:
            raise ApiError(423, "The resource is locked, wait at least 2 seconds and try again", "LOCKED")

    def after(self, reply: Reply) -> Reply:
        """Of a batch write."""
        throw, rates = self._dice.random(), self.rates
        if reply.status not in {200, 201}:
            return reply
        if throw < rates.empty:
            return _with(reply, reply.status, [], 0)
        if throw - rates.empty < rates.anonymous:
            results = orjson.loads(reply.body)["results"]
            return _with(reply, 207, results[: len(results) // 2], len(results) - len(results) // 2)
        return reply


def _with(reply: Reply, status: int, results: list[object], lost: int) -> Reply:
    body = {**orjson.loads(reply.body), "results": results}
    if lost:
        error = ApiError(500, "internal error", "INTERNAL_ERROR").standard()
        body |= {"numErrors": lost, "errors": [error] * lost}
    return replace(reply, status=status, body=orjson.dumps(body))
