"""Which fields a predicate or a sort may name, per resource, and of what kind they are.

Kinds: ``text``, ``number``, ``bool``, ``time`` (instant), ``date``, ``point``, ``any`` (anything may stand below), or a
dictionary of fields. Whether there is one value or a list of them is seen in the data.
"""

from __future__ import annotations

from typing import TypeAlias

Kind: TypeAlias = "str | dict[str, Kind]"

_REFERENCE: Kind = {"typeId": "text", "id": "text"}
_KEY_REFERENCE: Kind = {"typeId": "text", "key": "text"}
_MONEY: Kind = {"type": "text", "currencyCode": "text", "centAmount": "number", "fractionDigits": "number"}
_CUSTOM: Kind = {"type": _REFERENCE, "fields": "any"}
_ACTOR: Kind = {
    "clientId": "text",
    "externalUserId": "text",
    "anonymousId": "text",
    "customer": _REFERENCE,
    "isPlatformClient": "bool",
}
_COMMON: dict[str, Kind] = {
    "id": "text",
    "version": "number",
    "createdAt": "time",
    "lastModifiedAt": "time",
    "createdBy": _ACTOR,
    "lastModifiedBy": _ACTOR,
    "key": "text",
    "custom": _CUSTOM,
}
ADDRESS_TEXTS = (
    "id",
    "key",
    "country",
    "title",
    "salutation",
    "firstName",
    "lastName",
    "streetName",
    "streetNumber",
    "additionalStreetInfo",
    "postalCode",
    "city",
    "region",
    "state",
    "company",
    "department",
    "building",
    "apartment",
    "pOBox",
    "phone",
    "mobile",
    "email",
    "fax",
    "additionalAddressInfo",
    "externalId",
)
_ADDRESS: Kind = {**dict.fromkeys(ADDRESS_TEXTS, "text"), "custom": _CUSTOM}
_LINE_ITEM: Kind = {
    "id": "text",
    "key": "text",
    "productId": "text",
    "productKey": "text",
    "name": "any",
    "productType": _REFERENCE,
    "variant": {"id": "number", "sku": "text", "key": "text", "attributes": "any"},
    "price": {"id": "text", "value": _MONEY},
    "quantity": "number",
    "totalPrice": _MONEY,
    "priceMode": "text",
    "lineItemMode": "text",
    "addedAt": "time",
    "lastModifiedAt": "time",
    "state": "any",
    "custom": _CUSTOM,
}
_SALE: dict[str, Kind] = {
    "customerId": "text",
    "customerEmail": "text",
    "customerGroup": _REFERENCE,
    "anonymousId": "text",
    "businessUnit": _KEY_REFERENCE,
    "store": _KEY_REFERENCE,
    "lineItems": _LINE_ITEM,
    "customLineItems": "any",
    "totalPrice": _MONEY,
    "taxedPrice": "any",
    "billingAddress": _ADDRESS,
    "shippingAddress": _ADDRESS,
    "country": "text",
    "locale": "text",
    "origin": "text",
    "purchaseOrderNumber": "text",
    "discountCodes": "any",
    "paymentInfo": "any",
    "taxMode": "text",
    "inventoryMode": "text",
}

FIELDS: dict[str, dict[str, Kind]] = {
    "customers": {
        **_COMMON,
        "email": "text",
        "customerNumber": "text",
        "externalId": "text",
        "firstName": "text",
        "lastName": "text",
        "middleName": "text",
        "title": "text",
        "salutation": "text",
        "dateOfBirth": "date",
        "companyName": "text",
        "vatId": "text",
        "locale": "text",
        "authenticationMode": "text",
        "isEmailVerified": "bool",
        "addresses": _ADDRESS,
        "defaultShippingAddressId": "text",
        "shippingAddressIds": "text",
        "defaultBillingAddressId": "text",
        "billingAddressIds": "text",
        "customerGroup": _REFERENCE,
        "customerGroupAssignments": {"customerGroup": _REFERENCE},
        "stores": _KEY_REFERENCE,
    },
    "customer-groups": {**_COMMON, "name": "text"},
    "types": {
        **_COMMON,
        "name": "any",
        "description": "any",
        "resourceTypeIds": "text",
        "fieldDefinitions": {"name": "text", "required": "bool", "type": "any", "label": "any", "inputHint": "text"},
    },
    "carts": {
        **_COMMON,
        **_SALE,
        "cartState": "text",
        "totalLineItemQuantity": "number",
        "freezeStrategy": "text",
        "lock": "any",
        "deleteDaysAfterLastModification": "number",
    },
    "orders": {
        **_COMMON,
        **_SALE,
        "orderNumber": "text",
        "orderState": "text",
        "shipmentState": "text",
        "paymentState": "text",
        "state": _REFERENCE,
        "cart": _REFERENCE,
        "completedAt": "time",
        "syncInfo": {"channel": _REFERENCE, "externalId": "text", "syncedAt": "time"},
        "returnInfo": "any",
        "shippingInfo": "any",
    },
    "product-types": {**_COMMON, "name": "text", "description": "text"},
    "products": {**_COMMON, "productType": _REFERENCE, "masterData": "any", "priceMode": "text"},
    "messages": {
        **_COMMON,
        "sequenceNumber": "number",
        "resourceVersion": "number",
        "type": "text",
        "resource": _REFERENCE,
    },
    "subscriptions": {**_COMMON, "status": "text", "destination": "any", "changes": "any", "messages": "any"},
    "custom-objects": {**_COMMON, "container": "text", "value": "any"},
}
