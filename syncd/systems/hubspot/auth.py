"""The access token: fixed, or bought with an OAuth grant and renewed by the clock.

The vendor says that a 401 alone does not prove expiry. So a token is renewed before it ends, once more after a 401 that
met it, and a 401 that meets a fresh one, which never yet was good for anything, stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import VendorError
from syncd.systems.hubspot.settings import AppGrant, OAuthGrant, Settings

EARLY_SECONDS: Final = 120.0
"""How long before its end a token is renewed; one that lives shorter than twice as long, at half its time."""

FRESH_SECONDS: Final = 60.0
"""A token younger than this that meets a 401 at once was refused, not expired."""

SignIn = Callable[[Any, Lane], Awaitable[Mapping[str, Any]]]
"""Buys a token with a grant (:class:`OAuthGrant` or :class:`AppGrant`): the answer of the token endpoint."""
Keep = Callable[[Secret], Awaitable[None]]


class Auth:
    """One refresher per grant: concurrent callers wait for the same new token."""

    def __init__(
        self, settings: Settings, world: World, sign_in: SignIn, keep: Keep | None = None, app: AppGrant | None = None
    ) -> None:
        """``app`` stands for itself instead of the account's credential."""
        self._fixed = None if app else settings.access_token
        self._grant: OAuthGrant | AppGrant | None = app or settings.oauth
        self._world = world
        self._sign_in = sign_in
        self._keep = keep
        self._token: Secret | None = None
        self._proved: Secret | None = None
        """A token that the vendor took."""
        self._born = 0.0
        self._until = 0.0
        self._turn = asyncio.Lock()

    async def token(self, lane: Lane) -> Secret:
        """A token that is good now. Raises :class:`VendorError`."""
        if self._fixed is not None:
            return self._fixed
        if self._token is not None and self._world.clock.monotonic() < self._until:
            return self._token
        async with self._turn:
            if self._token is not None and self._world.clock.monotonic() < self._until:
                return self._token
            return await self._buy(lane)

    def proved(self, token: Secret) -> None:
        """The vendor took this token."""
        self._proved = token

    async def renew(self, refused: Secret, lane: Lane) -> Secret | None:
        """A newer token than the one refused with 401, or ``None`` when there is nothing to hope for."""
        if self._grant is None:
            return None
        async with self._turn:
            if self._token is not None and self._token != refused:
                return self._token
            if self._proved != refused and self._world.clock.monotonic() - self._born < FRESH_SECONDS:
                return None
            return await self._buy(lane)

    async def _buy(self, lane: Lane) -> Secret:
        if self._grant is None:
            raise AssertionError("a fixed token is never bought")
        answer = await self._sign_in(self._grant, lane)
        text = answer.get("access_token")
        if not isinstance(text, str) or not text or not text.isascii():
            raise VendorError(Failure(Remedy.RETRY, "no-token", "the token endpoint answered without a token", 200))
        if isinstance(self._grant, OAuthGrant):
            await self._rotated(self._grant, answer.get("refresh_token"))
        told = answer.get("expires_in")
        seconds = float(told) if isinstance(told, int | float) and told > 0 else 1800.0
        self._born = self._world.clock.monotonic()
        self._until = self._born + seconds - min(EARLY_SECONDS, seconds / 2)
        self._token = Secret(text)
        return self._token

    async def _rotated(self, grant: OAuthGrant, lasting: Any) -> None:
        if isinstance(lasting, str) and lasting and lasting != grant.refresh_token.reveal():
            # Store, then use: a rotated grant lost between the two locks the account out.
            self._grant = OAuthGrant(grant.client_id, grant.client_secret, Secret(lasting))
            if self._keep is not None:
                await self._keep(self._grant.refresh_token)
