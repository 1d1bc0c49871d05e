"""Messages: what the platform tells of an effect, and for how long it can be asked for.

Told are the differences between two states of a resource, in the names of the vendor's message types. What has no
message there has none here: a customer's middle name, salutation, VAT id, locale, key and number, an order's number and
sync info, everything of carts. Of one request's actions only their sum is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from syncd.sandbox.commercetools.collection import Collection, Row
from syncd.sandbox.commercetools.errors import concurrent_modification, invalid_field, invalid_json
from syncd.sandbox.commercetools.project import PATHS, Project
from syncd.sandbox.commercetools.shapes import check, shape

_CONFIGURATION = shape("enabled:bool deleteDaysAfterCreation?:int")
_CONFIGURES = shape("action:text messagesConfiguration:<configuration>", configuration=_CONFIGURATION)
_UPDATE = shape("version:int actions:object*")
DAY_MS: Final = 86_400_000
TYPE_IDS: Final = {path: type_id for type_id, path in PATHS.items()}
"""Path to the type id of its resources."""

LIFE: Final[Mapping[str, str]] = {
    "customers": "Customer",
    "business-units": "BusinessUnit",
    "associate-roles": "AssociateRole",
    "orders": "Order",
    "quotes": "Quote",
    "quote-requests": "QuoteRequest",
    "staged-quotes": "StagedQuote",
    "standalone-prices": "StandalonePrice",
    "products": "Product",
}
"""Paths whose creation and deletion is told, with the word their messages begin with."""

_SET: Final[Mapping[str, Mapping[str, str]]] = {
    "customers": {
        "firstName": "CustomerFirstNameSet",
        "lastName": "CustomerLastNameSet",
        "title": "CustomerTitleSet",
        "dateOfBirth": "CustomerDateOfBirthSet",
        "companyName": "CustomerCompanyNameSet",
        "externalId": "CustomerExternalIdSet",
        "customerGroup": "CustomerGroupSet",
        "customerGroupAssignments": "CustomerGroupAssignmentsSet",
        "stores": "CustomerStoresSet",
    },
    "business-units": {
        "name": "BusinessUnitNameChanged",
        "contactEmail": "BusinessUnitContactEmailSet",
        "associates": "BusinessUnitAssociatesSet",
        "associateMode": "BusinessUnitAssociateModeChanged",
        "approvalRuleMode": "BusinessUnitApprovalRuleModeChanged",
        "storeMode": "BusinessUnitStoreModeChanged",
        "stores": "BusinessUnitStoresSet",
        "unitType": "BusinessUnitTypeSet",
        "topLevelUnit": "BusinessUnitTopLevelUnitSet",
        "customerGroupAssignments": "BusinessUnitCustomerGroupAssignmentsSet",
    },
    "associate-roles": {
        "name": "AssociateRoleNameSet",
        "permissions": "AssociateRolePermissionsSet",
        "buyerAssignable": "AssociateRoleBuyerAssignableChanged",
    },
    "orders": {
        "customerEmail": "OrderCustomerEmailSet",
        "customerGroup": "OrderCustomerGroupSet",
        "businessUnit": "OrderBusinessUnitSet",
        "purchaseOrderNumber": "OrderPurchaseOrderNumberSet",
        "shippingAddress": "OrderShippingAddressSet",
        "billingAddress": "OrderBillingAddressSet",
        "store": "OrderStoreSet",
    },
    "staged-quotes": {"sellerComment": "StagedQuoteSellerCommentSet", "validTo": "StagedQuoteValidToSet"},
    "standalone-prices": {
        "key": "StandalonePriceKeySet",
        "tiers": "StandalonePriceTiersSet",
        "discounted": "StandalonePriceDiscountSet",
        "validFrom": "StandalonePriceValidFromSet",
        "validUntil": "StandalonePriceValidUntilSet",
        "active": "StandalonePriceActiveChanged",
    },
}
"""Member to the message that tells its new value under its own name."""

_STATES: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "customers": {"email": ("CustomerEmailChanged", "oldEmail")},
    "orders": {
        "orderState": ("OrderStateChanged", "oldOrderState"),
        "paymentState": ("OrderPaymentStateChanged", "oldPaymentState"),
        "shipmentState": ("OrderShipmentStateChanged", "oldShipmentState"),
    },
    "quotes": {"quoteState": ("QuoteStateChanged", "oldQuoteState")},
    "quote-requests": {"quoteRequestState": ("QuoteRequestStateChanged", "oldQuoteRequestState")},
    "staged-quotes": {"stagedQuoteState": ("StagedQuoteStateChanged", "oldStagedQuoteState")},
    "standalone-prices": {"value": ("StandalonePriceValueChanged", "oldValue")},
}
"""Member to the message that tells the new value and, under the second name, the old one."""

_CUSTOM: Final = {"customers", "customer-groups", "business-units", "orders"}
_WORDS: Final = {**LIFE, "customer-groups": "CustomerGroup"}

Told = tuple[str, dict[str, Any]]


def told_by(path: str, before: Row | None, after: Row | None) -> Iterator[Told]:
    """Type and own members of each message about the way from one state to another. Pure."""
    if before is None or after is None:
        if path in LIFE:
            yield _life(path, before, after)
        return
    for name, kind in _SET.get(path, {}).items():
        if before.get(name) != after.get(name):
            yield kind, {name: after[name]} if name in after else {}
    for name, (kind, old) in _STATES.get(path, {}).items():
        if before.get(name) != after.get(name):
            yield kind, {name: after.get(name)} | ({old: before[name]} if name in before else {})
    yield from _special(path, before, after)
    if path in ("customers", "business-units"):
        yield from _addresses(LIFE[path], before, after)
    if path in _CUSTOM:
        yield from _custom(_WORDS[path], before.get("custom"), after.get("custom"))


def _life(path: str, before: Row | None, after: Row | None) -> Told:
    word = LIFE[path]
    if after is None:
        email = (before or {}).get("email") if path == "customers" else None
        return f"{word}Deleted", {} if email is None else {"email": email}
    if path == "products":
        current = after["masterData"]["current"]
        head = {name: after[name] for name in ("id", "version", "key", "productType") if name in after}
        return "ProductCreated", {"productProjection": {**head, **current}}
    made = "OrderImported" if path == "orders" and "cart" not in after else f"{word}Created"
    return made, {word[0].lower() + word[1:]: after}


def _special(path: str, before: Row, after: Row) -> Iterator[Told]:
    def differs(name: str) -> bool:
        return bool(before.get(name) != after.get(name))

    if path == "customers" and differs("isEmailVerified") and after["isEmailVerified"]:
        yield "CustomerEmailVerified", {}
    if path == "customers" and differs("password"):
        yield "CustomerPasswordUpdated", {"reset": False}
    if path == "business-units" and differs("status"):
        yield "BusinessUnitStatusChanged", {"active": after["status"] == "Active"}
    if path == "business-units" and differs("parentUnit"):
        pair = {"oldParentUnit": before.get("parentUnit"), "newParentUnit": after.get("parentUnit")}
        yield "BusinessUnitParentChanged", {name: value for name, value in pair.items() if value is not None}
    if path == "orders" and differs("customerId"):
        customer = {"typeId": "customer", "id": after.get("customerId")}
        yield "OrderCustomerSet", {"customer": customer} if "customerId" in after else {}


def _addresses(word: str, before: Row, after: Row) -> Iterator[Told]:
    old = {one["id"]: one for one in before.get("addresses", ())}
    new = {one["id"]: one for one in after.get("addresses", ())}
    for id_, one in new.items():
        if old.get(id_) != one:
            yield f"{word}Address{'Changed' if id_ in old else 'Added'}", {"address": one}
    for id_, one in old.items():
        if id_ not in new:
            yield f"{word}AddressRemoved", {"address": one}
    for role in ("Shipping", "Billing"):
        name = f"default{role}AddressId"
        if before.get(name) != after.get(name):
            held = new.get(after.get(name, ""))
            yield f"{word}Default{role}AddressSet", {} if held is None else {"address": held}


def _custom(word: str, before: Any, after: Any) -> Iterator[Told]:
    old_type = before["type"]["id"] if before else None
    new_type = after["type"]["id"] if after else None
    if new_type != old_type:
        if new_type is None:
            yield f"{word}CustomTypeRemoved", {"previousTypeId": old_type}
        else:
            previous = {} if old_type is None else {"previousTypeId": old_type}
            yield f"{word}CustomTypeSet", {"customFields": after, **previous}
        return
    old, new = (one.get("fields", {}) if one else {} for one in (before, after))
    was = "oldValue" if word == "BusinessUnit" else "previousValue"
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        if name not in new:
            yield f"{word}CustomFieldRemoved", {"name": name}
        elif name not in old:
            yield f"{word}CustomFieldAdded", {"name": name, "value": new[name]}
        else:
            yield f"{word}CustomFieldChanged", {"name": name, "value": new[name], was: old[name]}


_IDENTIFIERS: Final = ("key", "externalId", "customerNumber", "orderNumber", "sku")


def identifiers(path: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the user calls a resource, as messages and notifications give it."""
    if path == "custom-objects":
        return {"containerAndKey": {"container": row["container"], "key": row["key"]}}
    return {name: row[name] for name in _IDENTIFIERS if name in row}


class Messages:
    """The messages of one project, kept while the project's setting says so. Sequences count per resource, always."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.rows = Collection()
        self.configured = 1
        """The project's version: it rises with what is configured here."""
        self._sequences: dict[str, int] = {}

    def configure(self, body: Row) -> None:
        """An update of the project; whether messages are kept, and how long, is all that it can change. Raises
        ``ApiError``."""
        request = check(body, _UPDATE)
        if request["version"] != self.configured:
            raise concurrent_modification(self._project.settings.key, request["version"], self.configured)
        for action in request["actions"]:
            wanted = check(action, _CONFIGURES)
            if wanted["action"] != "changeMessagesConfiguration":
                raise invalid_json(f"actions -> action: Invalid type value '{wanted['action']}' here.")
            configuration = wanted["messagesConfiguration"]
            days = configuration.get("deleteDaysAfterCreation", 15)
            if not 1 <= days <= 90:
                raise invalid_field("deleteDaysAfterCreation", days)
            settings = self._project.settings
            settings.messages, settings.message_days = configuration["enabled"], days
            self.configured += 1

    def of(self, path: str, before: Row | None, after: Row | None) -> list[Row]:
        """Messages of an effect, kept if they are to be."""
        row = after or before
        assert row is not None
        made = [
            self._message(path, row, kind, members, gone=after is None)
            for kind, members in told_by(path, before, after)
        ]
        if self._project.settings.messages:
            for one in made:
                self.rows.put(one)
            self._forget()
        return made

    def _message(self, path: str, row: Row, kind: str, members: Mapping[str, Any], *, gone: bool) -> Row:
        number = self._sequences[row["id"]] = self._sequences.get(row["id"], 0) + 1
        stamp = self._project.now()
        message = {
            "id": self._project.new_id(),
            "version": 1,
            "sequenceNumber": number,
            "resource": {"typeId": TYPE_IDS[path], "id": row["id"]},
            "resourceVersion": row["version"] + gone,
            "type": kind,
            **members,
            "createdAt": stamp,
            "lastModifiedAt": stamp,
        }
        named = identifiers(path, row)
        if named:
            message["resourceUserProvidedIdentifiers"] = named
        for name in ("createdBy", "lastModifiedBy"):
            if "lastModifiedBy" in row:
                message[name] = row["lastModifiedBy"]
        copy: Row = orjson.loads(orjson.dumps(message))
        return copy

    def _forget(self) -> None:
        """What is older than the project keeps messages."""
        edge = self._project.clock.now_ms() - self._project.settings.message_days * DAY_MS
        for id_ in list(self.rows.ids()):
            row = self.rows.get(id_)
            if row is None or _ms(row["createdAt"]) >= edge:
                return
            self.rows.drop(id_)


def _ms(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp() * 1000)
