"""Which account a connection leads to: as configured, or as the account says of itself, once."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.sdk import Sdk
from syncd.systems.hubspot.settings import Paths, Settings


class Portal:
    def __init__(self, settings: Settings, sdk: Sdk, paths: Paths) -> None:
        self._id = settings.portal_id
        self._sdk = sdk
        self._paths = paths

    async def id(self, lane: Lane) -> int:
        """Raises :class:`VendorError`."""
        if not self._id:
            told = await self._sdk.get(self._paths.account(), lane)
            found = told.get("portalId") if isinstance(told, Mapping) else None
            found = int(found) if isinstance(found, str) and found.isdecimal() and len(found) < 16 else found
            if not isinstance(found, int) or isinstance(found, bool) or found <= 0:
                raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the account does not say its id", 200))
            self._id = found
        return self._id
