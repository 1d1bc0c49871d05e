"""API accounts: fixed tokens, what they may do, and whose webhooks and metafields they see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from syncd.sandbox.bigcommerce.errors import ApiError
from syncd.sandbox.http import Request

CUSTOMERS = "store_v2_customers"
ORDERS = "store_v2_orders"
CARTS = "store_cart"
PRODUCTS = "store_v2_products"
INFORMATION = "store_v2_information"
CHANNELS = "store_channel_settings"
B2B_EDITION = "store_b2b_edition"
ALL_SCOPES = (CUSTOMERS, ORDERS, CARTS, PRODUCTS, INFORMATION, CHANNELS, B2B_EDITION)
READ_ONLY = "_read_only"


@dataclass(frozen=True, slots=True, repr=False)
class ApiAccount:
    token: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...] = ALL_SCOPES
    name: str = ""

    @property
    def actor(self) -> str:
        return self.name or self.client_id

    def require(self, scope: str, *, write: bool) -> None:
        """Raises ``ApiError`` 403. An empty scope is anybody's (webhooks)."""
        if not scope or scope in self.scopes or (not write and scope + READ_ONLY in self.scopes):
            return
        raise ApiError(403, "You don't have a required scope to access the endpoint")


def default_accounts() -> tuple[ApiAccount, ...]:
    """``syncd`` with what a sync needs, and another app of the same store."""
    wanted = (CUSTOMERS, CARTS, ORDERS, PRODUCTS, INFORMATION, CHANNELS, B2B_EDITION)
    return (
        ApiAccount("syncd-token", "syncd-client", "bc-client-secret-0001", wanted, "syncd"),
        ApiAccount("shop-token", "shop-client", "bc-client-secret-0002", ALL_SCOPES, "shop-frontend"),
    )


class Accounts:
    def __init__(self, accounts: Iterable[ApiAccount]) -> None:
        self._by_token = {one.token: one for one in accounts}

    def of(self, request: Request) -> ApiAccount:
        """Who calls. Raises ``ApiError`` 401."""
        account = self._by_token.get(request.headers.get("x-auth-token", ""))
        if account is None:
            raise ApiError(401, "Unauthorized", headers={"www-authenticate": "X-Auth-Token"})
        return account

    def named(self, name: str) -> ApiAccount:
        """By token, client id or name. Raises ``KeyError``."""
        for one in self._by_token.values():
            if name in (one.token, one.client_id, one.name):
                return one
        raise KeyError(name)

    def revoke(self, name: str) -> ApiAccount:
        """The API account is removed: its token dies. Raises ``KeyError``."""
        account = self.named(name)
        del self._by_token[account.token]
        return account

    def restore(self, account: ApiAccount) -> None:
        self._by_token[account.token] = account

    def reissue(self, name: str, client_id: str) -> ApiAccount:
        """The same token now belongs to another client: its hooks and metafields are out of sight."""
        account = replace(self.named(name), client_id=client_id)
        self._by_token[account.token] = account
        return account

    def narrow(self, name: str, scopes: Iterable[str]) -> ApiAccount:
        account = replace(self.named(name), scopes=tuple(scopes))
        self._by_token[account.token] = account
        return account
