"""Every error code of commercetools, and what happens next. A table.

What stays wrong until somebody mends it is listed by its subject; the rest one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.model.failure import Remedy

DOUBT: Final = "doubt"
"""The request may have been applied: LOOK for a write, RETRY for a read."""

_INPUT: Final = (
    "InvalidInput InvalidOperation InvalidJsonInput InvalidField InvalidFieldUpdate InvalidTransition RequiredField "
    "ReferencedResourceNotFound ReferenceExists MaxResourceLimitExceeded ResourceSizeLimitExceeded "
    "InternalConstraintViolated FeatureRemoved SemanticError SyntaxError CircularDependency MissingDependency"
)
_IMPORTS: Final = "ResourceCreation ResourceUpdate ResourceDeletion"
_EXTENSIONS: Final = (
    "ExtensionUpdateActionsFailed ExtensionPredicateEvaluationFailed ExtensionChainTooDeep ExtensionChainTooWide "
    "ExtensionDependencyExists"
)
_PEOPLE: Final = (
    "AnonymousIdAlreadyInUse AssociateMissingPermission ExpiredCustomerEmailToken ExpiredCustomerPasswordToken "
    "InvalidCredentials InvalidCurrentPassword InvalidSubject Unauthorized"
)
_GOODS: Final = (
    "AttributeDefinitionAlreadyExists AttributeDefinitionTypeConflict AttributeNameDoesNotExist "
    "DuplicateAttributeValue DuplicateAttributeValues DuplicateEnumValues DuplicateVariantValues "
    "EnumKeyAlreadyExists EnumKeyDoesNotExist EnumValueIsUsed EnumValuesMustMatch "
    "ProductAssignmentMissing ProductPresentWithDifferentVariantSelection "
    "DuplicatePriceKey DuplicatePriceScope OverlappingPriceValidity NoMatchingProductDiscountFound "
    "OverlappingStandalonePriceValidity"
)
"""Another standalone price of the same scope, for an overlapping time, is among them: to link to it would move somebody
else's price."""
_SALES: Final = (
    "CountryNotConfiguredInStore DiscountCodeNonApplicable EditPreviewFailed InvalidItemShippingDetails "
    "LineItemQuantityAboveLimit LineItemQuantityBelowLimit MatchingPriceNotFound MaxCartDiscountsReached "
    "MaxDiscountGroupsReached MissingTaxRateForCountry MoneyOverflow OutOfStock PriceChanged RecurringOrderFailure "
    "ShippingMethodDoesNotMatchCart StoreCartDiscountsLimitReached"
)
_PROJECT: Final = (
    "LanguageUsedInStores MaxStoreReferencesReached MissingRoleOnChannel ProjectNotConfiguredForLanguages "
    "ObjectNotFound SearchDeactivated SearchFacetPathNotFound SearchNotReady"
)

CODES: Final[Mapping[str, Remedy | str]] = {
    **dict.fromkeys(f"{_INPUT} {_IMPORTS} {_EXTENSIONS} {_PEOPLE} {_GOODS} {_SALES} {_PROJECT}".split(), Remedy.ASK),
    # It exists already. The writer looks the holder up and falls back to ASK.
    "DuplicateField": Remedy.LINK,
    "DuplicateFieldWithConflictingResource": Remedy.LINK,
    "DuplicateStandalonePriceScope": Remedy.LINK,
    # Somebody else was at it at the same moment.
    "LockedField": Remedy.RETRY,
    "ExactLockConflict": Remedy.RETRY,
    "ValidityLockConflict": Remedy.RETRY,
    "Contention": Remedy.RETRY,
    "PendingOperation": Remedy.RETRY,
    "ConcurrentModification": Remedy.REREAD,
    "ResourceNotFound": Remedy.GONE,
    # Too much at once.
    "ContentTooLarge": Remedy.SPLIT,
    "QueryComplexityLimitExceeded": Remedy.SPLIT,
    "QueryTimedOut": Remedy.RETRY,
    "BulkOperationMaxItemsExceeded": Remedy.SPLIT,
    "TooManyRequests": Remedy.WAIT,
    # The platform is in trouble. Extensions run before anything is stored, so theirs leave no doubt.
    "OverCapacity": Remedy.RETRY,
    "SearchExecutionFailure": Remedy.RETRY,
    "SearchIndexingInProgress": Remedy.RETRY,
    "ExternalOAuthFailed": Remedy.RETRY,
    "ExtensionBadResponse": Remedy.RETRY,
    "ExtensionNoResponse": Remedy.RETRY,
    "General": DOUBT,
    "Generic": DOUBT,
    "BadGateway": DOUBT,
    # Credentials and rights.
    "invalid_token": Remedy.REFRESH,
    "insufficient_scope": Remedy.STOP,
    "invalid_scope": Remedy.STOP,
    "access_denied": Remedy.STOP,
    "invalid_client": Remedy.STOP,
    "invalid_grant": Remedy.STOP,
    "invalid_request": Remedy.STOP,
    "unauthorized_client": Remedy.STOP,
    "unsupported_grant_type": Remedy.STOP,
}
