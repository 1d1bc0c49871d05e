"""Every status of HTTP and every code that commercetools is known to answer with, and what each means for a write and
for a read, stated here once more and by hand. The exceptions of the HTTP client are enumerated in
tests/systems/test_mishaps.py, for all systems at once."""

from __future__ import annotations

from http import HTTPStatus

import orjson
import pytest

from syncd.model.failure import Failure, Remedy
from syncd.systems.commercetools.codes import CODES
from syncd.systems.commercetools.errors import Doing, from_graphql, from_reply

ASK, GONE, LINK, LOOK, REFRESH, REREAD, RETRY, SPLIT, STOP, WAIT = (
    Remedy.ASK, Remedy.GONE, Remedy.LINK, Remedy.LOOK, Remedy.REFRESH, Remedy.REREAD, Remedy.RETRY, Remedy.SPLIT,
    Remedy.STOP, Remedy.WAIT,
)  # fmt: skip
PAGES = (b"", b"<html>oops</html>", b'{"statusCode":400,"err', b"[]", b"null", b"\xff\xfe", b"{}", b'{"errors":[]}')

PERMANENT = """
    InvalidInput InvalidOperation InvalidJsonInput InvalidField RequiredField ReferencedResourceNotFound ReferenceExists
    MaxResourceLimitExceeded ResourceSizeLimitExceeded ExtensionUpdateActionsFailed ExtensionPredicateEvaluationFailed
    AssociateMissingPermission SearchNotReady OverlappingStandalonePriceValidity InvalidFieldUpdate InvalidTransition
    ResourceCreation ResourceUpdate ResourceDeletion AnonymousIdAlreadyInUse AttributeDefinitionAlreadyExists
    AttributeDefinitionTypeConflict AttributeNameDoesNotExist CircularDependency CountryNotConfiguredInStore
    DiscountCodeNonApplicable DuplicateAttributeValue DuplicateAttributeValues DuplicateEnumValues DuplicatePriceKey
    DuplicatePriceScope DuplicateVariantValues EditPreviewFailed EnumKeyAlreadyExists EnumKeyDoesNotExist
    EnumValueIsUsed EnumValuesMustMatch ExpiredCustomerEmailToken ExpiredCustomerPasswordToken ExtensionChainTooDeep
    ExtensionChainTooWide ExtensionDependencyExists FeatureRemoved InternalConstraintViolated InvalidCredentials
    InvalidCurrentPassword InvalidItemShippingDetails InvalidSubject LanguageUsedInStores LineItemQuantityAboveLimit
    LineItemQuantityBelowLimit MatchingPriceNotFound MaxCartDiscountsReached MaxDiscountGroupsReached
    MaxStoreReferencesReached MissingDependency MissingRoleOnChannel MissingTaxRateForCountry MoneyOverflow
    NoMatchingProductDiscountFound ObjectNotFound OutOfStock OverlappingPriceValidity PriceChanged
    ProductAssignmentMissing ProductPresentWithDifferentVariantSelection ProjectNotConfiguredForLanguages
    RecurringOrderFailure SearchDeactivated SearchFacetPathNotFound SemanticError ShippingMethodDoesNotMatchCart
    StoreCartDiscountsLimitReached SyntaxError Unauthorized
"""
SIGN_IN = """
    insufficient_scope invalid_scope access_denied invalid_client invalid_grant invalid_request unauthorized_client
    unsupported_grant_type
"""
PASSING = """
    LockedField ExactLockConflict ValidityLockConflict Contention PendingOperation OverCapacity ExtensionBadResponse
    ExtensionNoResponse QueryTimedOut SearchExecutionFailure SearchIndexingInProgress ExternalOAuthFailed
"""

EXPECTED: dict[str, tuple[Remedy, Remedy, Remedy, Remedy]] = {
    **dict.fromkeys(PERMANENT.split(), (ASK, ASK, ASK, ASK)),
    **dict.fromkeys(SIGN_IN.split(), (STOP, STOP, STOP, STOP)),
    **dict.fromkeys(PASSING.split(), (RETRY, RETRY, RETRY, RETRY)),
    "DuplicateField": (LINK, ASK, ASK, ASK), "DuplicateFieldWithConflictingResource": (LINK, ASK, ASK, ASK),
    "DuplicateStandalonePriceScope": (LINK, ASK, ASK, ASK),
    "ConcurrentModification": (REREAD, REREAD, REREAD, REREAD), "ResourceNotFound": (STOP, GONE, GONE, STOP),
    "ContentTooLarge": (SPLIT, SPLIT, SPLIT, SPLIT), "QueryComplexityLimitExceeded": (SPLIT, SPLIT, SPLIT, SPLIT),
    "BulkOperationMaxItemsExceeded": (SPLIT, SPLIT, SPLIT, SPLIT),
    "TooManyRequests": (WAIT, WAIT, WAIT, WAIT), "invalid_token": (REFRESH, REFRESH, REFRESH, REFRESH),
    "General": (LOOK, LOOK, RETRY, RETRY), "Generic": (LOOK, LOOK, RETRY, RETRY), "BadGateway": (LOOK, LOOK, RETRY, RETRY),
}  # fmt: skip
"""Code to the remedy of a create, of a change of one resource, of a read of one, and of a list."""
DOINGS = (Doing.CREATE, Doing.CHANGE, Doing.READ_ONE, Doing.READ)


def told(status: int, body: object, doing: Doing, **headers: str) -> Failure:
    return from_reply(status, headers, body if isinstance(body, bytes) else orjson.dumps(body), doing)


def refusal(status: int, code: str, **members: object) -> object:
    return {"statusCode": status, "message": "no", "errors": [{"code": code, "message": "no", **members}]}


def test_no_code_is_left_out_of_the_table_or_of_this_test() -> None:
    assert CODES.keys() == EXPECTED.keys()


@pytest.mark.parametrize(("code", "expected"), EXPECTED.items())
def test_a_code_says_what_follows_whatever_the_status(code: str, expected: tuple[Remedy, ...]) -> None:
    for status in (400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504):
        found = [told(status, refusal(status, code), doing) for doing in DOINGS]
        assert tuple(one.remedy for one in found) == expected
        assert {(one.code, one.status) for one in found} == {(code, status)}
    assert from_graphql([{"message": "no", "extensions": {"code": code}}]).remedy is expected[3]


def test_the_auth_service_says_it_in_its_own_member() -> None:
    for code in (*SIGN_IN.split(), "invalid_token"):
        for body in ({"error": code, "error_description": "no"}, {**refusal(401, code), "error": code}):  # type: ignore[dict-item]
            assert told(401, body, Doing.SIGN_IN).remedy is EXPECTED[code][0]


STATUSES = {
    401: (STOP, STOP, STOP), 403: (STOP, STOP, STOP), 404: (STOP, GONE, GONE), 408: (LOOK, LOOK, RETRY),
    409: (RETRY, RETRY, RETRY), 413: (SPLIT, SPLIT, SPLIT), 414: (SPLIT, SPLIT, SPLIT), 429: (WAIT, WAIT, WAIT),
}  # fmt: skip
"""Of a code that the vendor added since: the remedy of a create, of a change, and of a read of one."""


def test_a_code_that_is_new_goes_as_its_status_does() -> None:
    for status in (one.value for one in HTTPStatus if one >= 300):
        expected = STATUSES.get(status, (ASK, ASK, ASK))
        if status >= 500:
            expected = (LOOK, LOOK, RETRY)
        if status < 400:
            expected = (RETRY, RETRY, RETRY)
        found = tuple(told(status, refusal(status, "InventedLater"), doing).remedy for doing in DOINGS[:3])
        assert found == expected, status


@pytest.mark.parametrize("page", PAGES)
def test_a_body_that_is_not_the_vendors_never_says_gone_ask_or_stop(page: bytes) -> None:
    for status in (one.value for one in HTTPStatus if one >= 300):
        for doing in DOINGS:
            found = told(status, page, doing)
            if status in (413, 414):
                assert found.remedy is SPLIT
            elif status == 429:
                assert found.remedy is WAIT
            elif status >= 500 or status == 408:
                assert found.remedy is (LOOK if doing.writes else RETRY), status
            else:
                assert found.remedy is RETRY, status
            assert found.message


def test_locks_say_how_long_and_references_say_who() -> None:
    for code in ("LockedField", "ExactLockConflict", "ValidityLockConflict", "Contention"):
        assert told(400, refusal(400, code), Doing.CREATE).retry_after_seconds == 0.3
    kept = told(400, refusal(400, "ReferenceExists", referencedBy="standalone-price"), Doing.CHANGE)
    assert kept.message == "no (referenced by: standalone-price)"
    scope = refusal(400, "DuplicateStandalonePriceScope", conflictingStandalonePrice={"typeId": "x", "id": "p-1"})
    assert told(400, scope, Doing.CREATE).existing_id == "p-1"
