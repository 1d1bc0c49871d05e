"""The part of the vendor's GraphQL schema that is served, as a table: one line per type, ``name:Type`` per field.

A field without a type is text; ``!`` is never null. ``name?`` stands for a localized text: it is there as ``name`` in
one locale and as ``nameAllLocales``. ``name&Type`` is a reference: ``nameRef`` and, resolved, ``name``; ``name@Type``
is one by key; ``!`` behind the sign: never null as a text or reference. Names and types are those of the
published schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

SCALARS: Final = ("Long", "DateTime", "Date", "Json", "Currency", "Country", "Locale", "BigDecimal")


def _permissions() -> Iterator[str]:
    """What associates may be allowed, on their own things and on others'."""
    yield from ("AddChildUnits", "UpdateAssociates", "UpdateBusinessUnitDetails", "UpdateParentUnit")
    yield from ("CreateApprovalRules", "UpdateApprovalRules", "UpdateApprovalFlows")
    for thing in ("Carts", "ShoppingLists", "PaymentMethods"):
        yield from (f"{verb}{whose}{thing}" for verb in ("View", "Update", "Create", "Delete") for whose in _WHOSE)
    for thing in ("Orders", "QuoteRequests"):
        yield from (f"{verb}{whose}{thing}" for verb in ("View", "Update") for whose in _WHOSE)
    verbs = ("View", "Accept", "Decline", "Renegotiate", "Reassign")
    yield from (f"{verb}{whose}Quotes" for verb in verbs for whose in _WHOSE)
    yield from ("CreateMyOrdersFromMyCarts", "CreateMyOrdersFromMyQuotes", "CreateMyQuoteRequestsFromMyCarts")
    yield from ("CreateOrdersFromOthersCarts", "CreateOrdersFromOthersQuotes", "CreateQuoteRequestsFromOthersCarts")


_WHOSE: Final = ("My", "Others")

ENUMS: Final[Mapping[str, str]] = {
    "AuthenticationMode": "Password ExternalAuth",
    "CartState": "Active Frozen Merged Ordered",
    "CartOrigin": "Customer Merchant Quote RecurringOrder",
    "OrderState": "Open Confirmed Complete Cancelled",
    "ShipmentState": "Shipped Delivered Ready Pending Delayed Partial Backorder Canceled",
    "PaymentState": "BalanceDue Failed Pending CreditOwed Paid",
    "TaxMode": "Platform External ExternalAmount Disabled",
    "InventoryMode": "TrackOnly ReserveOnOrder ReserveOnCart None",
    "LineItemMode": "Standard GiftLineItem",
    "LineItemPriceMode": "Platform ExternalPrice ExternalTotal",
    "QuoteState": "Pending Declined DeclinedForRenegotiation RenegotiationAddressed Accepted Withdrawn",
    "QuoteRequestState": "Submitted UnderReview Accepted Closed Rejected Cancelled",
    "StagedQuoteState": "InProgress Sent Closed",
    "BusinessUnitType": "Company Division",
    "BusinessUnitStatus": "Active Inactive",
    "BusinessUnitAssociateMode": "Explicit ExplicitAndFromParent",
    "BusinessUnitApprovalRuleMode": "Explicit ExplicitAndFromParent",
    "AssociateInheritanceMode": "Enabled Disabled",
    "AttributionSource": "Import Export ManagedCommerceMCP",
    "PriceMode": "Embedded Standalone",
    "Permission": " ".join(_permissions()),
    "ChannelRole": "InventorySupply ProductDistribution OrderExport OrderImport Primary",
}

_VERSIONED: Final = (
    "id! version:Long! createdAt:DateTime! lastModifiedAt:DateTime! createdBy:Initiator lastModifiedBy:Initiator"
)
_PLACES: Final = (
    "addresses:[Address!]! defaultShippingAddress:Address defaultBillingAddress:Address defaultShippingAddressId "
    "defaultBillingAddressId shippingAddresses:[Address!]! billingAddresses:[Address!]! "
    "shippingAddressIds:[String!]! billingAddressIds:[String!]!"
)
_SALE: Final = (
    "lineItems:[LineItem!]! customLineItems:[CustomLineItem!]! totalPrice:Money! taxedPrice:TaxedPrice "
    "shippingAddress:Address billingAddress:Address inventoryMode:InventoryMode! taxMode:TaxMode! "
    "customerGroup&CustomerGroup country:Country businessUnit@BusinessUnit purchaseOrderNumber custom:CustomFieldsType"
)
_BASKET: Final = f"{_SALE} customerId customer:Customer customerEmail anonymousId locale:Locale origin:CartOrigin!"

VERSIONED: Final[Mapping[str, str]] = {
    "Customer": (
        f"{_PLACES} customerNumber email! isEmailVerified:Boolean! externalId key "
        "authenticationMode:AuthenticationMode firstName lastName middleName title locale:Locale salutation "
        "dateOfBirth:Date companyName vatId password "
        "customerGroup&CustomerGroup storesRef:[KeyReference!]! "
        "customerGroupAssignments:[CustomerGroupAssignment!]! custom:CustomFieldsType"
    ),
    "CustomerGroup": "name! key custom:CustomFieldsType",
    "BusinessUnit": (
        f"{_PLACES} key! name! contactEmail status:BusinessUnitStatus! storesRef:[KeyReference!] storeMode "
        "unitType:BusinessUnitType! associates:[Associate!]! associateMode:BusinessUnitAssociateMode! "
        "inheritedAssociates:[InheritedAssociate!] custom:CustomFieldsType parentUnit@BusinessUnit "
        "topLevelUnit@BusinessUnit! approvalRuleMode:BusinessUnitApprovalRuleMode! "
        "customerGroupAssignments:[CustomerGroupAssignment!]"
    ),
    "AssociateRole": "key! buyerAssignable:Boolean! name permissions:[Permission!]! custom:CustomFieldsType",
    "Cart": (
        f"{_BASKET} storeRef:KeyReference cartState:CartState! key lock:CartLock deleteDaysAfterLastModification:Int "
        "totalLineItemQuantity:Long"
    ),
    "Order": (
        f"{_BASKET} storeRef:KeyReference completedAt:DateTime orderNumber orderState:OrderState! state&State "
        "shipmentState:ShipmentState paymentState:PaymentState syncInfo:[SyncInfo!]! cart&Cart quote&Quote"
    ),
    "Quote": (
        f"{_SALE} customer&Customer storeRef:KeyReference key quoteState:QuoteState! stagedQuote&StagedQuote! "
        "quoteRequest&QuoteRequest! validTo:DateTime sellerComment buyerComment state&State"
    ),
    "QuoteRequest": (
        f"{_SALE} customer&Customer storeRef:KeyReference key quoteRequestState:QuoteRequestState! comment state&State "
        "cartRef:Reference"
    ),
    "StagedQuote": (
        "key stagedQuoteState:StagedQuoteState! quoteRequest&QuoteRequest! quotationCart&Cart! customer&Customer "
        "validTo:DateTime custom:CustomFieldsType state&State sellerComment businessUnit@BusinessUnit "
        "purchaseOrderNumber storeRef:KeyReference"
    ),
    "StandalonePrice": (
        "key sku! value:BaseMoney! country:Country customerGroup&CustomerGroup channel&Channel validFrom:DateTime "
        "validUntil:DateTime tiers:[ProductPriceTier!] discounted:DiscountedProductPriceValue "
        "staged:StagedStandalonePrice custom:CustomFieldsType active:Boolean!"
    ),
    "Product": (
        "key productType&ProductTypeDefinition! masterData:ProductCatalogData! skus:[String!]! state&State "
        "priceMode:PriceMode taxCategoryRef:Reference"
    ),
    "ProductTypeDefinition": "key name! description!",
    "TypeDefinition": "key! name?! description? resourceTypeIds:[String!]!",
    "CustomObject": "container! key! value:Json!",
    "Channel": "key! roles:[ChannelRole!]! name? description? address:Address custom:CustomFieldsType",
    "State": "key initial:Boolean! builtIn:Boolean!",
}
"""Resources: each also has id, version, stamps and actors."""

PARTS: Final[Mapping[str, str]] = {
    "Reference": "typeId! id!",
    "KeyReference": "typeId! key!",
    "Initiator": (
        "isPlatformClient:Boolean clientId externalUserId anonymousId customerRef:Reference userRef:Reference "
        "associateRef:Reference attributedTo:Attribution"
    ),
    "Attribution": "clientId source:AttributionSource!",
    "CustomFieldsType": "type&TypeDefinition! customFieldsRaw:[RawCustomField!]",
    "RawCustomField": "name! value:Json!",
    "LocalizedString": "locale:Locale! value!",
    "Address": (
        "id streetName streetNumber additionalStreetInfo postalCode city region state country:Country! company "
        "department building apartment pOBox additionalAddressInfo externalId key phone mobile email fax title "
        "salutation firstName lastName custom:CustomFieldsType"
    ),
    "TaxedPrice": "totalNet:Money! totalGross:Money! totalTax:Money",
    "CustomerGroupAssignment": "customerGroup&CustomerGroup",
    "Associate": "associateRoleAssignments:[AssociateRoleAssignment!]! customer&Customer",
    "AssociateRoleAssignment": "associateRole@AssociateRole! inheritance:AssociateInheritanceMode!",
    "InheritedAssociate": "associateRoleAssignments:[InheritedAssociateRoleAssignment!]! customer&Customer",
    "InheritedAssociateRoleAssignment": "associateRole@!AssociateRole! source@!BusinessUnit!",
    "LineItem": (
        "id! key productId! productKey name?! variant:ProductVariant price:ProductPrice! totalPrice:Money "
        "quantity:Long! addedAt:DateTime lastModifiedAt:DateTime state:[ItemState!]! lineItemMode:LineItemMode! "
        "priceMode:LineItemPriceMode! custom:CustomFieldsType"
    ),
    "CustomLineItem": "id! key name?! money:BaseMoney! totalPrice:Money! slug! quantity:Long! custom:CustomFieldsType",
    "ItemState": "quantity:Long! state&State!",
    "CartLock": "createdAt:DateTime! clientId!",
    "SyncInfo": "channel&Channel! externalId syncedAt:DateTime!",
    "ProductVariant": "id:Int! key sku prices:[ProductPrice!] attributesRaw:[RawProductAttribute!]!",
    "RawProductAttribute": "name! value:Json!",
    "ProductPrice": (
        "id value:BaseMoney! key country:Country customerGroup&CustomerGroup channel&Channel validFrom:DateTime "
        "validUntil:DateTime discounted:DiscountedProductPriceValue tiers:[ProductPriceTier!] custom:CustomFieldsType"
    ),
    "ProductPriceTier": "minimumQuantity:Int! value:BaseMoney!",
    "DiscountedProductPriceValue": "value:BaseMoney! discountRef:Reference!",
    "StagedStandalonePrice": "value:BaseMoney! discounted:DiscountedProductPriceValue",
    "ProductCatalogData": "current:ProductData staged:ProductData published:Boolean! hasStagedChanges:Boolean!",
    "ProductData": (
        "name?! description? slug?! masterVariant:ProductVariant! variants:[ProductVariant!]! "
        "allVariants:[ProductVariant!]! skus:[String!]! categoriesRef:[Reference!]!"
    ),
    "Limit": "limit:Long",
    "CustomerLimitsProjection": "total:CustomerLimitWithCurrent!",
    "CustomerLimitWithCurrent": "limit:Long current:Long!",
    "CustomerGroupLimitsProjection": "total:CustomerGroupLimitWithCurrent!",
    "CustomerGroupLimitWithCurrent": "limit:Long current:Long!",
    "CartLimitsProjection": "total:CartLimitWithCurrent!",
    "CartLimitWithCurrent": "limit:Long current:Long!",
    "CustomObjectLimitsProjection": "total:CustomObjectLimitWithCurrent!",
    "CustomObjectLimitWithCurrent": "limit:Long current:Long!",
    "ProjectCustomLimitsProjection": (
        "customers:CustomerLimitsProjection! customerGroups:CustomerGroupLimitsProjection! "
        "carts:CartLimitsProjection! customObjects:CustomObjectLimitsProjection!"
    ),
}

LISTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "customers": ("Customer", "customers", "customers"),
    "customerGroups": ("CustomerGroup", "customer-groups", "customer_groups"),
    "businessUnits": ("BusinessUnit", "business-units", "business_units"),
    "associateRoles": ("AssociateRole", "associate-roles", "associate_roles"),
    "carts": ("Cart", "carts", "orders"),
    "orders": ("Order", "orders", "orders"),
    "quotes": ("Quote", "quotes", "quotes"),
    "quoteRequests": ("QuoteRequest", "quote-requests", "quote_requests"),
    "stagedQuotes": ("StagedQuote", "staged-quotes", "staged_quotes"),
    "standalonePrices": ("StandalonePrice", "standalone-prices", "standalone_prices"),
    "products": ("Product", "products", "products"),
    "productTypes": ("ProductTypeDefinition", "product-types", "products"),
    "typeDefinitions": ("TypeDefinition", "types", "types"),
    "channels": ("Channel", "channels", "products"),
    "customObjects": ("CustomObject", "custom-objects", "key_value_documents"),
}
"""Root field to its type, the collection behind it, and what stands behind ``view_`` in the scope that opens it."""

SINGLES: Final[Mapping[str, str]] = {
    "customer": "customers",
    "customerGroup": "customerGroups",
    "businessUnit": "businessUnits",
    "associateRole": "associateRoles",
    "cart": "carts",
    "order": "orders",
    "quote": "quotes",
    "standalonePrice": "standalonePrices",
    "product": "products",
}

_ONE_ARGS: Final = {
    "customers": "(id: String, key: String)",
    "orders": "(id: String, orderNumber: String)",
    "carts": "(id: String!)",
}
_FIELD = re.compile(r"(?P<name>\w+)(?P<sign>[?&@:!]?)(?P<type>.*)")


def sdl(served: Mapping[str, object]) -> str:
    """The schema in GraphQL's own language. ``served`` are the collections there are."""
    lines = [f"scalar {name}" for name in SCALARS]
    lines += [f"enum {name} {{ {values} }}" for name, values in ENUMS.items()]
    lines.append(f"interface Versioned {{ {' '.join(_fields(_VERSIONED))} }}")
    money = "type:String! currencyCode:Currency! centAmount:Long! fractionDigits:Int!"
    lines.append(f"interface BaseMoney {{ {money} }}")
    lines.append(f"type Money implements BaseMoney {{ {money} }}")
    lines.append(f"type HighPrecisionMoney implements BaseMoney {{ {money} preciseAmount:Long! }}")
    for name, text in VERSIONED.items():
        lines.append(f"type {name} implements Versioned {{ {' '.join(_fields(f'{_VERSIONED} {text}'))} }}")
    lines += [f"type {name} {{ {' '.join(_fields(text))} }}" for name, text in PARTS.items()]
    lines += _queries(served)
    return "\n".join(lines)


def _fields(text: str) -> Iterator[str]:
    for word in text.split():
        match = _FIELD.fullmatch(word)
        assert match is not None, word
        name, sign, kind = match["name"], match["sign"], match["type"]
        needed = "!" if kind.startswith("!") or (sign == "&" and kind.endswith("!")) else ""
        kind = kind.removeprefix("!")
        match sign:
            case "?":
                yield f"{name}(locale: Locale, acceptLanguage: [Locale!]): String"
                yield f"{name}AllLocales: [LocalizedString!]{needed}"
            case "&":
                yield f"{name}Ref: Reference{needed}"
                yield f"{name}: {kind.removesuffix('!')}"
            case "@":
                yield f"{name}Ref: KeyReference{needed}"
                yield f"{name}: {kind}"
            case ":":
                yield f"{name}{_ARGUMENTS.get(name, '')}: {kind}"
            case _:
                yield f"{name}: String{sign}"


_ARGUMENTS: Final = {
    "customFieldsRaw": "(includeNames: [String!], excludeNames: [String!])",
    "attributesRaw": "(includeNames: [String!], excludeNames: [String!])",
    "lineItems": "(id: String)",
}


def _queries(served: Mapping[str, object]) -> Iterator[str]:
    roots = []
    for name, (kind, path, _) in LISTS.items():
        if path not in served:
            continue
        args = "where: String, sort: [String!], limit: Int, offset: Int"
        args += ", container: String!" if path == "custom-objects" else ""
        yield (
            f"type {kind}QueryResult {{ offset: Int! count: Int! total: Long! exists: Boolean! results: [{kind}!]! }}"
        )
        roots.append(f"{name}({args}): {kind}QueryResult!")
    for name, many in SINGLES.items():
        kind, path, _ = LISTS[many]
        if path in served:
            roots.append(f"{name}{_ONE_ARGS.get(many, '(id: String, key: String)')}: {kind}")
    roots.append("limits: ProjectCustomLimitsProjection!")
    yield f"type Query {{ {' '.join(roots)} }}"
