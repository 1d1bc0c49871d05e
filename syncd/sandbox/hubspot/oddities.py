"""Rare answers of this vendor that the sandbox's common disturbances do not make."""

from __future__ import annotations

import random
from dataclasses import replace

import orjson

from syncd.sandbox.faults import VendorFaults
from syncd.sandbox.http import Reply
from syncd.sandbox.hubspot.errors import ApiError

MIGRATION_SECONDS = 5
"""Retry-After of a 477. At the vendor it can be a day."""


class Oddities:
    """``locked``, ``conflict``, ``migrating``, ``anonymous`` and ``empty`` of the fault plan."""

    def __init__(self, seed: float, faults: VendorFaults) -> None:
        self._faults = faults
        self._dice = random.Random(seed)

    def before(self, *, write: bool) -> None:
        """Raises :class:`ApiError` for a call that is refused."""
        throw, plan = self._dice.random(), self._faults.plan
        if throw < plan.migrating:
            raise ApiError(
                477,
                "This account is being migrated between data centers",
                "MIGRATION_IN_PROGRESS",
                headers={"Retry-After": str(MIGRATION_SECONDS)},
            )
        throw -= plan.migrating
        if write and throw < plan.locked:
            raise ApiError(423, "The resource is locked, wait at least 2 seconds and try again", "LOCKED")
        if write and throw - plan.locked < plan.conflict:
            raise ApiError(409, "The object was changed by another request at the same time", "CONFLICT")

    def after(self, reply: Reply) -> Reply:
        """What becomes of the reply to a batch write."""
        throw, plan = self._dice.random(), self._faults.plan
        if reply.status not in {200, 201}:
            return reply
        if throw < plan.empty:
            return _with(reply, reply.status, [], 0)
        if throw - plan.empty < plan.anonymous:
            results = orjson.loads(reply.body)["results"]
            return _with(reply, 207, results[: len(results) // 2], len(results) - len(results) // 2)
        return reply


def _with(reply: Reply, status: int, results: list[object], lost: int) -> Reply:
    body = {**orjson.loads(reply.body), "results": results}
    if lost:
        error = ApiError(500, "internal error", "INTERNAL_ERROR").standard()
        body |= {"numErrors": lost, "errors": [error] * lost}
    return replace(reply, status=status, body=orjson.dumps(body))
