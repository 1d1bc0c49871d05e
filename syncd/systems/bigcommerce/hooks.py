"""Our webhooks at the vendor: made, audited, and woken when the vendor put them to sleep.

The vendor deactivates a webhook after two days of failures and after ninety days without an event, loses what happened
in between, and shows hooks only to the API account that made them. So they are looked after now and then, by the polls,
whose rounds also bring what a sleeping webhook did not tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from syncd.model.change import Lane
from syncd.model.mapping import ObjectMapping
from syncd.systems.bigcommerce.client import Client
from syncd.systems.bigcommerce.errors import Doing, shaped
from syncd.systems.bigcommerce.kinds import KINDS
from syncd.systems.bigcommerce.metafields import names
from syncd.systems.bigcommerce.settings import KEY_HEADER, Settings
from syncd.systems.contract import VendorError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it should be with a webhook of ours."""

    kind: str
    """``missing``, ``inactive``, ``wrong-key`` or ``duplicate``."""
    scope: str
    id: int = 0


def scopes_for(mappings: Iterable[ObjectMapping]) -> list[str]:
    """What must be subscribed to for the mappings."""
    wanted: list[str] = []
    for one in mappings:
        kind = KINDS.get(one.object)
        if one.capture.webhook and kind is not None:
            wanted += [*kind.hooks, *(kind.metafield_hooks if names(one) else ())]
    return list(dict.fromkeys(wanted))


class Hooks:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._settings: Settings = client.settings
        self._due: dict[str, float] = {}

    @property
    def wanted(self) -> bool:
        """Whether the vendor can reach us, and we could tell its deliveries from others."""
        return bool(self._settings.webhook_url and any(self._settings.webhook_secrets))

    async def tend(self, mapping: ObjectMapping, lane: Lane) -> None:
        """Look after the webhooks of an object, when it is time. A vendor that cannot be asked now is asked later."""
        now = self._client.monotonic()
        due = [one for one in scopes_for([mapping]) if now >= self._due.get(one, 0.0)] if self.wanted else []
        if not due:
            return
        self._due |= dict.fromkeys(due, now + self._settings.tend_seconds)
        try:
            found = await self.faults(due, lane)
        except VendorError as error:
            self._untended(due, now, error)
            return
        for fault in found:
            try:
                await self.mend(fault, lane)
            except VendorError as error:  # the others are mended nevertheless
                self._untended([fault.scope], now, error)

    def _untended(self, scopes: Sequence[str], now: float, error: VendorError) -> None:
        self._due |= dict.fromkeys(scopes, now + self._settings.tend_seconds / 10)
        code = error.failure.code
        log.warning("webhooks_untended", connection=self._settings.connection, code=code, scope=scopes[0])

    async def faults(self, scopes: Iterable[str], lane: Lane) -> list[Fault]:
        """What is wrong with our webhooks for these scopes. Raises :class:`VendorError`."""
        with shaped(Doing.READ):
            return self._judged(scopes, await self._ours(lane))

    def _judged(self, scopes: Iterable[str], held: Sequence[Mapping[str, Any]]) -> list[Fault]:
        found: list[Fault] = []
        for scope in scopes:
            same = sorted((one for one in held if one.get("scope") == scope), key=lambda one: int(one["id"]))
            if not same:
                found.append(Fault("missing", scope))
                continue
            first = same[0]
            # Doubles go first: while there is one, the vendor refuses to change the other.
            found += [Fault("duplicate", scope, int(one["id"])) for one in same[1:]]
            if first.get("is_active") is not True:
                found.append(Fault("inactive", scope, int(first["id"])))
            elif not self._carries_key(first):
                found.append(Fault("wrong-key", scope, int(first["id"])))
        return found

    async def mend(self, fault: Fault, lane: Lane) -> None:
        """Raises :class:`VendorError`."""
        path = f"hooks/{fault.id}" if fault.id else "hooks"
        if fault.kind == "duplicate":
            await self._client.v3("DELETE", path, lane, Doing.CHANGE)
        elif fault.kind == "missing":
            body = {"scope": fault.scope, "destination": self._settings.webhook_url, **self._state()}
            await self._client.v3("POST", path, lane, Doing.CREATE, body)
        else:
            await self._client.v3("PUT", path, lane, Doing.CHANGE, self._state())
        told = log.warning if fault.kind == "inactive" else log.info
        told("webhook_mended", connection=self._settings.connection, fault=fault.kind, scope=fault.scope)

    def _state(self) -> dict[str, Any]:
        return {"is_active": True, "headers": {KEY_HEADER: self._settings.webhook_secrets[0].reveal()}}

    def _carries_key(self, hook: Mapping[str, Any]) -> bool:
        headers = hook.get("headers")
        held = {str(name).lower(): value for name, value in headers.items()} if isinstance(headers, Mapping) else {}
        return held.get(KEY_HEADER.lower()) == self._settings.webhook_secrets[0].reveal()

    async def _ours(self, lane: Lane) -> list[Mapping[str, Any]]:
        """Webhooks of this API account that lead to us."""
        found: list[Mapping[str, Any]] = []
        page = 1
        while True:
            rows, meta = await self._client.rows("hooks", lane, [("limit", "250"), ("page", str(page))])
            found += [one for one in rows if one.get("destination") == self._settings.webhook_url]
            pages = (meta.get("pagination") or {}).get("total_pages", 1)
            if not rows or not isinstance(pages, int) or page >= pages:
                return found
            page += 1
