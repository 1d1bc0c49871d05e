"""Exactly the mapped fields, as a GraphQL selection, and its answer in the form of the HTTP API's JSON. Pure.

The two APIs tell the same in different shapes: GraphQL has a reference ``x`` as ``xRef`` and, resolved, as ``x``; texts
in several languages as lists; custom fields by name and value; and ``null`` for what is left out over HTTP. The table
says which members have which shape. A path that it does not know cannot be read by GraphQL, and the mapping is then
read over HTTP: nothing is ever guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from syncd.model.lens import FirstOf, Lens, LineItems
from syncd.model.mapping import ObjectMapping
from syncd.systems.commercetools.resources import bad_response, expansions

_ADDRESS: Final = (
    "id key country title salutation firstName lastName streetName streetNumber additionalStreetInfo postalCode city "
    "region state company department building apartment pOBox phone mobile email fax additionalAddressInfo externalId "
    "custom:custom"
)
_PLACES: Final = (
    "addresses:[Address] defaultShippingAddressId shippingAddressIds defaultBillingAddressId billingAddressIds"
)
_SALE: Final = (
    "lineItems:[LineItem] customLineItems:[CustomLineItem] totalPrice:cents taxedPrice:TaxedPrice "
    "shippingAddress:Address billingAddress:Address country customerGroup:ref businessUnit:keyref store:keyref "
    "purchaseOrderNumber custom:custom"
)
_BASKET: Final = f"{_SALE} customerId customerEmail anonymousId locale origin"
_SCOPE: Final = "value:money country customerGroup:ref channel:ref validFrom validUntil tiers:[Tier]"

_TABLE: Final[Mapping[str, str]] = {
    "customers": (
        f"{_PLACES} key email customerNumber externalId firstName lastName middleName title salutation dateOfBirth "
        "companyName vatId locale authenticationMode isEmailVerified customerGroup:ref stores:keyrefs "
        "customerGroupAssignments:[Assignment] custom:custom"
    ),
    "customer-groups": "key name custom:custom",
    "business-units": (
        f"{_PLACES} key name contactEmail status unitType storeMode stores:keyrefs associates:[Associate] "
        "associateMode parentUnit:keyref topLevelUnit:keyref approvalRuleMode customerGroupAssignments:[Assignment] "
        "custom:custom"
    ),
    "associate-roles": "key name buyerAssignable permissions custom:custom",
    "carts": f"{_BASKET} key cartState totalLineItemQuantity deleteDaysAfterLastModification",
    "orders": (
        f"{_BASKET} orderNumber orderState shipmentState paymentState state:ref completedAt syncInfo:[SyncInfo] "
        "cart:ref quote:ref"
    ),
    "quotes": (
        f"{_SALE} key customer:ref quoteState stagedQuote:ref quoteRequest:ref validTo sellerComment buyerComment "
        "state:ref"
    ),
    "quote-requests": f"{_SALE} key customer:ref quoteRequestState comment state:ref cart:ref",
    "staged-quotes": (
        "key stagedQuoteState quoteRequest:ref quotationCart:ref customer:ref validTo sellerComment state:ref "
        "businessUnit:keyref store:keyref purchaseOrderNumber custom:custom"
    ),
    "standalone-prices": f"{_SCOPE} key sku active custom:custom",
    "products": "key productType:ref priceMode masterData:Catalog",
    "custom-objects": "key container value:json",
    "Address": _ADDRESS,
    "Assignment": "customerGroup:ref",
    "Associate": "customer:ref associateRoleAssignments:[RoleAssignment]",
    "RoleAssignment": "associateRole:keyref inheritance",
    "LineItem": (
        "id key productId productKey name:locales variant:LineVariant price:Price quantity totalPrice:cents priceMode "
        "lineItemMode addedAt lastModifiedAt custom:custom"
    ),
    "LineVariant": "id sku key attributes:attributes",
    "CustomLineItem": "id key name:locales money:money slug quantity totalPrice:cents custom:custom",
    "TaxedPrice": "totalNet:cents totalGross:cents totalTax:cents",
    "Price": f"{_SCOPE} id key custom:custom",
    "Tier": "minimumQuantity value:money",
    "SyncInfo": "channel:ref externalId syncedAt",
    "Catalog": "published hasStagedChanges current:ProductData staged:ProductData",
    "ProductData": "name:locales description:locales slug:locales masterVariant:Variant variants:[Variant]",
    "Variant": "id sku key prices:[Price] attributes:attributes",
}
"""What each object and each part of one has, as ``member`` or ``member:shape``; a shape that is a name of this table is
a part of its own, in brackets a list of them."""

ROOTS: Final[Mapping[str, str]] = {
    "customers": "customers",
    "customer-groups": "customerGroups",
    "business-units": "businessUnits",
    "associate-roles": "associateRoles",
    "carts": "carts",
    "orders": "orders",
    "quotes": "quotes",
    "quote-requests": "quoteRequests",
    "staged-quotes": "stagedQuotes",
    "standalone-prices": "standalonePrices",
    "products": "products",
    "custom-objects": "customObjects",
}
"""Object to the query field that lists it."""

_MONEY: Final = "type currencyCode centAmount fractionDigits"
_ALWAYS: Final = ("createdAt", "lastModifiedAt")


def _members(text: str) -> dict[str, str]:
    pairs = (word.partition(":") for word in text.split())
    return {name: shape for name, _, shape in pairs}


TABLE: Final[Mapping[str, Mapping[str, str]]] = {name: _members(text) for name, text in _TABLE.items()}


class UnreadableError(ValueError):
    """A path that GraphQL cannot be asked for, as far as the table knows."""


@dataclass(slots=True)
class _Wanted:
    """A part of an object, with the members that are wanted of it."""

    part: str
    members: dict[str, _Wanted | None] = field(default_factory=dict)
    names: dict[str, set[str] | None] = field(default_factory=dict)
    """Of custom fields, by member: those that are wanted; ``None`` for all."""
    expanded: set[str] = field(default_factory=set)

    def add(self, steps: Sequence[str], within: Iterable[str] = ()) -> None:
        """Raises :class:`UnreadableError`."""
        name, *rest = steps
        shape = TABLE[self.part].get(name) if name not in ("id", "version", *_ALWAYS) else ""
        if shape is None:
            raise UnreadableError(f"{self.part} has no {name} that is known")
        inner = shape.strip("[]")
        if inner in TABLE:
            part = self.members.get(name) or _Wanted(inner)
            self.members[name] = part
            if shape.startswith("[") and rest:
                raise UnreadableError(f"{name} is a list")
            for one in [rest] if rest else [path.split(".") for path in within] or [[each] for each in TABLE[inner]]:
                part.add(one)
            return
        self._add_leaf(name, shape, rest)

    def _add_leaf(self, name: str, shape: str, rest: Sequence[str]) -> None:
        self.members.setdefault(name, None)
        if shape == "custom":
            named = self.names.setdefault(name, set())
            if len(rest) >= 2 and rest[0] == "fields":
                if named is not None:
                    named.add(rest[1])
            elif rest[:1] != ["type"]:
                self.names[name] = None
        elif shape == "ref" and rest == ["obj", "key"]:
            self.expanded.add(name)
        elif rest and shape not in _INSIDE:
            raise UnreadableError(f"{name} has no parts that are known")


_INSIDE: Final = frozenset({"ref", "keyref", "money", "cents", "locales", "json"})
"""Shapes that a path may lead into; they are fetched whole."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What one mapping is read by."""

    root: str
    container: str
    """Of custom objects; others have none."""
    fields: str
    """The selection set of one row, without its braces."""
    wanted: _Wanted

    def document(self) -> str:
        """A query with the variables ``where``, ``sort``, ``limit``; a placeholder-free predicate is expected."""
        within = f"container: {orjson.dumps(self.container).decode()}, " if self.container else ""
        return (
            "query syncd($where: String, $sort: [String!], $limit: Int) { "
            f"rows: {self.root}({within}where: $where, sort: $sort, limit: $limit) "
            f"{{ results {{ {self.fields} }} }} }}"
        )

    def row(self, answered: Any) -> Any:
        """A row of the answer as the HTTP API writes it; what is no row is handed back as it is, to be refused. Raises
        :class:`VendorError` (``bad-response``) for one in another form than was asked for."""
        try:
            return _restored(answered, self.wanted) if isinstance(answered, Mapping) else answered
        except (LookupError, TypeError):
            raise bad_response("a row of GraphQL has not the form that was asked for") from None


def selection(mapping: ObjectMapping) -> Selection:
    """Raises :class:`UnreadableError` where something mapped cannot be asked for."""
    kind, _, container = mapping.object.partition("/")
    root = ROOTS.get(kind)
    if root is None:
        raise UnreadableError(f"{kind} are not read by GraphQL")
    wanted = _Wanted(kind)
    for path in ("id", "version", *_ALWAYS, *(["key"] if "key" in TABLE[kind] else ())):
        wanted.add([path])
    if mapping.key_path:
        wanted.add(mapping.key_path.split("."))
    for item in mapping.fields:
        for path in item.paths:
            wanted.add(path.split("."), _read_by(item.lens))
    for path in expansions(mapping):
        if "." in path:
            raise UnreadableError(f"{path} is expanded inside of a part")
        wanted.expanded.add(path)
    return Selection(root, container, _text(wanted), wanted)


def _read_by(lens: Lens) -> tuple[str, ...]:
    """The parts of a composite value that the lens looks at; nothing where it may look at all of it."""
    inner = lens.inner if isinstance(lens, FirstOf) else lens
    return LineItems.READS if isinstance(inner, LineItems) else ()


def _text(wanted: _Wanted) -> str:
    return " ".join(_asked(name, inner, wanted) for name, inner in wanted.members.items())


def _asked(name: str, inner: _Wanted | None, of: _Wanted) -> str:
    if inner is not None:
        return f"{name} {{ {_text(inner)} }}"
    match TABLE[of.part].get(name, ""):
        case "custom":
            named = of.names[name]
            only = "" if named is None else f"(includeNames: {orjson.dumps(sorted(named)).decode()})"
            values = f" customFieldsRaw{only} {{ name value }}" if named is None or named else ""
            return f"{name} {{ typeRef {{ typeId id }}{values} }}"
        case "ref":
            resolved = f" {name} {{ id key }}" if name in of.expanded else ""
            return f"{name}Ref {{ typeId id }}{resolved}"
        case "keyref" | "keyrefs":
            return f"{name}Ref {{ typeId key }}"
        case "money":
            return f"{name} {{ {_MONEY} ... on HighPrecisionMoney {{ preciseAmount }} }}"
        case "cents":
            return f"{name} {{ {_MONEY} }}"
        case "locales":
            return f"{name}AllLocales {{ locale value }}"
        case "attributes":
            return "attributesRaw { name value }"
    return name


def _restored(row: Mapping[str, Any], wanted: _Wanted) -> dict[str, Any]:
    """What is null is left out, as the HTTP API does."""
    found = {name: _value(name, row, inner, wanted) for name, inner in wanted.members.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(name: str, row: Mapping[str, Any], inner: _Wanted | None, of: _Wanted) -> Any:
    shape = TABLE[of.part].get(name, "")
    if inner is not None:
        value = row.get(name)
        if isinstance(value, list):
            return [_restored(one, inner) if isinstance(one, Mapping) else one for one in value]
        return _restored(value, inner) if isinstance(value, Mapping) else value
    if shape == "custom":
        return _custom(row.get(name))
    if shape in ("ref", "keyref", "keyrefs"):
        return _reference(row.get(f"{name}Ref"), row.get(name) if name in of.expanded else None)
    if shape == "locales":
        listed = row.get(f"{name}AllLocales")
        return {one["locale"]: one["value"] for one in listed} if isinstance(listed, list) else None
    return row.get("attributesRaw") if shape == "attributes" else row.get(name)


def _custom(told: Any) -> Any:
    if not isinstance(told, Mapping):
        return None
    listed = told.get("customFieldsRaw") or ()
    return {"type": told.get("typeRef"), "fields": {one["name"]: one["value"] for one in listed}}


def _reference(told: Any, resolved: Any) -> Any:
    if not isinstance(told, Mapping) or not isinstance(resolved, Mapping):
        return told
    return {**told, "obj": {name: value for name, value in resolved.items() if value is not None}}
