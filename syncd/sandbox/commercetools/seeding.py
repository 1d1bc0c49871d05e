"""Histories: many resources at once, as if they had been there before anybody looked. Nothing goes to the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from syncd.sandbox.commercetools.associate_roles import ROLES
from syncd.sandbox.commercetools.carts import CARTS
from syncd.sandbox.commercetools.customers import CUSTOMERS, GROUPS
from syncd.sandbox.commercetools.orders import ORDERS
from syncd.sandbox.commercetools.prices import PRICES
from syncd.sandbox.commercetools.product_types import PRODUCT_TYPES
from syncd.sandbox.commercetools.products import PRODUCTS
from syncd.sandbox.commercetools.project import Actor
from syncd.sandbox.commercetools.resource import create
from syncd.sandbox.commercetools.shop_fabric import CHANNELS, STATES, STORES
from syncd.sandbox.commercetools.types import TYPES
from syncd.sandbox.commercetools.units import UNITS

if TYPE_CHECKING:
    from syncd.sandbox.commercetools.account import CommercetoolsSandbox

_ORDER = (
    TYPES, STATES, CHANNELS, STORES, GROUPS, PRODUCT_TYPES, PRODUCTS, PRICES, CUSTOMERS, ROLES, UNITS, CARTS, ORDERS,
)  # fmt: skip
"""References point backwards in this order."""
_BY_PATH = {one.path: one for one in _ORDER}


@contextmanager
def _unrecorded(account: CommercetoolsSandbox) -> Iterator[None]:
    recording, bump = account.recording, account.project.sees_bump
    account.recording, account.project.sees_bump = False, lambda: False
    try:
        yield
    finally:
        account.recording, account.project.sees_bump = recording, bump


def seed(
    account: CommercetoolsSandbox,
    path: str,
    drafts: Iterable[Mapping[str, Any]],
    *,
    at_ms: int | None = None,
    step_ms: int = 0,
    actor: str = "shop-frontend",
) -> list[str]:
    """Create resources of ``path`` (``orders`` takes import drafts) and answer their ids.

    The first is stamped ``at_ms`` (default: now), each further one ``step_ms`` later. Raises ``ApiError`` for a draft
    the platform would refuse; those before it stay.
    """
    moment = account.room.clock.now_ms() if at_ms is None else at_ms
    who, ids = Actor(actor), []
    with _unrecorded(account):
        for place, draft in enumerate(drafts):
            row = create(account.project, _BY_PATH[path], dict(draft), who, at_ms=moment + place * step_ms)
            ids.append(row["id"])
    return ids


_FIRST = "Ada Ben Cleo Dan Eva Finn Gita Hugo Ines Jon Kim Lea Max Nora Omar Pia Quinn Rosa Sam Tess".split()  # noqa: SIM905
_LAST = "Adler Baker Cruz Dietz Evans Frank Gupta Huber Ito Jones Klein Lopez Meyer Novak Ortiz Park".split()  # noqa: SIM905


def people(count: int, *, start: int = 0) -> Iterator[dict[str, Any]]:
    """Drafts of invented customers, the same for the same numbers."""
    for number in range(start, start + count):
        first, last = _FIRST[number % len(_FIRST)], _LAST[number // len(_FIRST) % len(_LAST)]
        yield {
            "email": f"{first}.{last}.{number}@example.com".lower(),
            "customerNumber": f"C{number:07d}",
            "firstName": first,
            "lastName": last,
            "authenticationMode": "ExternalAuth",
            "addresses": [{"country": "GB", "city": "Leeds", "postalCode": "LS1 1AA", "key": "main"}],
            "defaultShippingAddress": 0,
        }


def act(account: CommercetoolsSandbox, deed: Mapping[str, Any]) -> dict[str, Any]:
    """``{"op": "seed", "customers": [drafts], "orders": [...], ..., "people": 1000, "at_ms": ..., "step_ms": ...}``

    Lists are created in the order that lets references point backwards; answers ids by path.
    """
    at_ms, step_ms = deed.get("at_ms"), int(deed.get("step_ms", 0))
    answer: dict[str, Any] = {}
    for resource in _ORDER:
        drafts: Iterable[Mapping[str, Any]] = deed.get(resource.path, ())
        if resource is CUSTOMERS and deed.get("people"):
            drafts = [*drafts, *people(int(deed["people"]), start=len(account.project.collections["customers"]))]
        if drafts:
            answer[resource.path] = seed(account, resource.path, drafts, at_ms=at_ms, step_ms=step_ms)
    return answer
