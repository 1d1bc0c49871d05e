"""One project: its settings, its collections, and how a change of a resource becomes effective."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from syncd.runtime.clock import Clock
from syncd.sandbox.commercetools.collection import Collection, Row, instant_of
from syncd.sandbox.commercetools.errors import duplicate_field, invalid_field, reference_not_found

PATHS = {
    "customer": "customers",
    "customer-group": "customer-groups",
    "type": "types",
    "cart": "carts",
    "order": "orders",
    "product-type": "product-types",
    "product": "products",
    "business-unit": "business-units",
    "associate-role": "associate-roles",
    "quote-request": "quote-requests",
    "staged-quote": "staged-quotes",
    "quote": "quotes",
    "standalone-price": "standalone-prices",
    "store": "stores",
    "channel": "channels",
    "state": "states",
    "key-value-document": "custom-objects",
    "subscription": "subscriptions",
}
"""Type id in references to the path of its endpoint."""

_INDEXES: dict[str, dict[str, tuple[str, ...]]] = {
    "customers": {
        "unique": ("email", "key", "customerNumber"),
        "folded": ("email",),
        "grouped": ("customerGroup.id", "custom.type.id", "externalId"),
    },
    "customer-groups": {"unique": ("name", "key"), "grouped": ("custom.type.id",)},
    "types": {"unique": ("key",)},
    "carts": {"unique": ("key",), "grouped": ("customerId", "customerEmail", "custom.type.id", "businessUnit.key")},
    "orders": {
        "unique": ("orderNumber",),
        "grouped": ("customerId", "customerEmail", "cart.id", "custom.type.id", "businessUnit.key"),
    },
    "product-types": {"unique": ("key",)},
    "products": {"unique": ("key",), "grouped": ("productType.id",)},
    "business-units": {"unique": ("key",), "grouped": ("parentUnit.key", "custom.type.id")},
    "associate-roles": {"unique": ("key",), "grouped": ("custom.type.id",)},
    "quote-requests": {"unique": ("key",), "grouped": ("customer.id", "custom.type.id")},
    "staged-quotes": {"unique": ("key",), "grouped": ("customer.id", "custom.type.id")},
    "quotes": {"unique": ("key",), "grouped": ("customer.id", "custom.type.id", "businessUnit.key")},
    "standalone-prices": {"unique": ("key",), "grouped": ("sku", "customerGroup.id", "custom.type.id")},
    "stores": {"unique": ("key",), "grouped": ("custom.type.id",)},
    "channels": {"unique": ("key",), "grouped": ("custom.type.id",)},
    "states": {"unique": ("key",)},
    "custom-objects": {"grouped": ("container",)},
    "subscriptions": {"unique": ("key",)},
}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, as the platform tracks it."""

    client_id: str
    external_user_id: str = ""
    attributed: str = ""
    """``Import`` for what the Import API does in the client's name."""

    def tracked(self) -> dict[str, Any]:
        tracked: dict[str, Any] = {"clientId": self.client_id, "isPlatformClient": False}
        if self.external_user_id:
            tracked["externalUserId"] = self.external_user_id
        if self.attributed:
            tracked["attributedTo"] = {"clientId": self.client_id, "source": self.attributed}
        return tracked


@dataclass(slots=True)
class Settings:
    key: str = "demo-shop"
    name: str = "Demo Shop"
    languages: tuple[str, ...] = ("en", "de", "en-GB")
    currencies: tuple[str, ...] = ("GBP", "EUR", "USD", "JPY")
    countries: tuple[str, ...] = ("GB", "DE", "FR", "US", "JP")
    cart_days: int = 90
    messages: bool = False
    """Whether messages are kept to be asked for; the project's owner switches that on."""
    message_days: int = 15
    graphql: bool = True
    """Whether the project answers GraphQL at all."""
    graphql_weight: int = 20_000
    """How heavy a GraphQL query may be."""


Applied = Callable[[str, str, Row, Mapping[str, Any], str], None]
"""(effect, path, row after it, changed values, actor) -> None"""


class Project:
    def __init__(self, settings: Settings, clock: Clock, dice: random.Random, applied: Applied) -> None:
        self.settings = settings
        self.clock = clock
        self.dice = dice
        self.late_ms = 0
        """Rows become visible with time stamps up to this far in the past."""
        self.sees_bump: Callable[[], bool] = lambda: False
        """Whether the platform's background work raises the version after this write."""
        self.sees_conflict: Callable[[], bool] = lambda: False
        """Whether somebody else is quicker than a write that is under way."""
        self._applied = applied
        self.watch: Callable[[str, Row | None, Row | None], None] = lambda _path, _before, _after: None
        """Told of each effect once it is effective: path, the state before it and the one after it."""
        self.collections = {path: Collection(**indexes) for path, indexes in _INDEXES.items()}
        self.skus: dict[str, tuple[str, int]] = {}
        """SKU to product id and variant id."""
        self.documents: dict[tuple[str, str], str] = {}
        """Container and key to the id of a custom object."""
        self.slugs: dict[tuple[str, str], str] = {}
        """Locale and slug to product id."""
        self.created_at = self.now()

    def now(self) -> str:
        return instant_of(self.clock.now_ms())

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def indexed(self, path: str) -> tuple[str, ...]:
        """The paths by which a collection finds rows exactly."""
        indexes = _INDEXES[path]
        return ("id", *indexes.get("unique", ()), *indexes.get("grouped", ()))

    # -- references

    def find(self, identifier: Mapping[str, str]) -> Row:
        """The row a resource identifier or reference means. Raises ``ApiError`` ReferencedResourceNotFound."""
        type_id, id_, key = identifier["typeId"], identifier.get("id"), identifier.get("key")
        collection = self.collections.get(PATHS.get(type_id, ""))
        row = None
        if collection is not None:
            found = id_ if id_ is not None else collection.holder("key", key or "")
            row = collection.get(found) if found is not None else None
        if row is None:
            raise reference_not_found(type_id, id=id_, key=key)
        return row

    def reference(self, identifier: Mapping[str, str]) -> dict[str, str]:
        return {"typeId": identifier["typeId"], "id": self.find(identifier)["id"]}

    def check_locale(self, locale: str) -> str:
        if locale not in self.settings.languages:
            raise invalid_field("locale", locale, list(self.settings.languages))
        return locale

    # -- effects

    def create(self, path: str, body: Row, actor: Actor, *, id: str = "", at_ms: int | None = None) -> Row:  # noqa: A002
        """Make a resource of a checked body. Raises ``ApiError`` DuplicateField. ``at_ms`` backdates it (seeding)."""
        stamp = self._stamp() if at_ms is None else instant_of(at_ms)
        row: Row = {"id": id or self.new_id(), "version": 1, "createdAt": stamp, "lastModifiedAt": stamp}
        row |= {"lastModifiedBy": actor.tracked(), "createdBy": actor.tracked(), **body}
        self.check_unique(path, row)
        self.collections[path].put(row)
        self._applied("create", path, row, body, actor.client_id)
        self.watch(path, None, row)
        self._background(path, row)
        return row

    def replace(self, path: str, before: Row, after: Row, actor: Actor, steps: int = 1) -> Row:
        """Let a changed row become effective: version, stamps, indexes, ledger. Raises ``ApiError`` DuplicateField."""
        self.check_unique(path, after)
        after["version"] = before["version"] + steps
        after["lastModifiedAt"] = max(self._stamp(), before["lastModifiedAt"])
        after["lastModifiedBy"] = actor.tracked()
        self.collections[path].put(after)
        self._applied("update", path, after, changed(before, after), actor.client_id)
        self.watch(path, before, after)
        self._background(path, after)
        return after

    def delete(self, path: str, row: Row, actor: Actor) -> None:
        self.collections[path].drop(row["id"])
        self._applied("delete", path, row, {}, actor.client_id)
        self.watch(path, row, None)

    def check_unique(self, path: str, row: Row) -> None:
        clash = self.collections[path].clash(row)
        if clash is None:
            return
        field, value = clash
        message = ""
        if (path, field) == ("customers", "email"):
            message = "There is already an existing customer with the provided email."
        raise duplicate_field(field, value, message)

    def _stamp(self) -> str:
        late = self.dice.randrange(self.late_ms + 1) if self.late_ms else 0
        return instant_of(self.clock.now_ms() - late)

    def overtake(self, path: str, row: Row) -> Row:
        """The row as it is when a write that names a version gets hold of it."""
        return self._raise(path, row) if self.sees_conflict() else row

    def _background(self, path: str, row: Row) -> None:
        if self.sees_bump():
            self._raise(path, row)

    def _raise(self, path: str, row: Row) -> Row:
        """The platform's own work raises a version."""
        bumped = {**row, "version": row["version"] + 1, "lastModifiedAt": max(self._stamp(), row["lastModifiedAt"])}
        self.collections[path].put(bumped)
        self._applied("background", path, bumped, {}, "platform")
        self.watch(path, row, bumped)
        return bumped


_HOUSEKEEPING = frozenset({"version", "lastModifiedAt", "lastModifiedBy"})


def changed(before: Row, after: Row) -> Row:
    """What differs, at the top level; removed members are None."""
    names = (before.keys() | after.keys()) - _HOUSEKEEPING
    return {name: after.get(name) for name in sorted(names) if before.get(name) != after.get(name)}
