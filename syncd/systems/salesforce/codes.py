"""The vendor's codes and what each of them means for us: tables and nothing else.

The names are those of the vendor's error messages, SOAP status codes and fault codes, of the token endpoint, of Bulk
API jobs and of the Pub/Sub API's ``error-code`` trailer. A code that is not here is tried again, and in the end a dead
letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.model.failure import Remedy

DOUBT: Final = "doubt"
"""LOOK for a write, RETRY for a read: it may have been applied."""

BY_CODE: Final[Mapping[str, Remedy | str]] = {
    # Credential and rights.
    "INVALID_SESSION_ID": Remedy.REFRESH,
    "INVALID_AUTH_HEADER": Remedy.REFRESH,
    "Bad_OAuth_Token": Remedy.REFRESH,
    "API_DISABLED_FOR_ORG": Remedy.STOP,
    "API_CURRENTLY_DISABLED": Remedy.STOP,
    "UNSUPPORTED_API_VERSION": Remedy.STOP,
    "INVALID_LOGIN": Remedy.STOP,
    "PASSWORD_LOCKOUT": Remedy.STOP,
    "ORG_LOCKED": Remedy.STOP,
    "TRIAL_EXPIRED": Remedy.STOP,
    "CLIENT_NOT_ACCESSIBLE_FOR_USER": Remedy.STOP,
    "INSUFFICIENT_ACCESS": Remedy.ASK,
    "INSUFFICIENT_ACCESS_OR_READONLY": Remedy.ASK,
    # Limits of the org.
    "REQUEST_LIMIT_EXCEEDED": Remedy.WAIT,
    "LIMIT_EXCEEDED": Remedy.ASK,
    "STORAGE_LIMIT_EXCEEDED": Remedy.ASK,
    "EXCEEDED_QUOTA": Remedy.WAIT,
    # Somebody else was at it at the same moment.
    "UNABLE_TO_LOCK_ROW": Remedy.RETRY,
    "ENTITY_IS_LOCKED": Remedy.RETRY,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Remedy.RETRY,
    "PROCESSING_HALTED": Remedy.RETRY,
    "BATCH_PROCESSING_HALTED": Remedy.RETRY,
    "ROLLBACK_DUE_TO_LIMITS": Remedy.RETRY,
    "RECORD_IN_USE_BY_WORKFLOW": Remedy.RETRY,
    "TOO_MANY_APEX_REQUESTS": Remedy.RETRY,
    "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE": Remedy.RETRY,
    "ENTITY_FAILED_IFLASTMODIFIED_ON_UPDATE": Remedy.REREAD,
    # It exists already; resolved only where the message names which record.
    "DUPLICATE_VALUE": Remedy.ASK,
    "DUPLICATE_EXTERNAL_ID": Remedy.ASK,
    "DUPLICATES_DETECTED": Remedy.ASK,
    # Gone.
    "ENTITY_IS_DELETED": Remedy.GONE,
    "NOT_FOUND": Remedy.GONE,
    # A parent that is hidden or not there yet.
    "INVALID_CROSS_REFERENCE_KEY": Remedy.ASK,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Remedy.RETRY,
    # The input is wrong, and stays wrong until somebody mends it.
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Remedy.ASK,
    "REQUIRED_FIELD_MISSING": Remedy.ASK,
    "STRING_TOO_LONG": Remedy.ASK,
    "INVALID_EMAIL_ADDRESS": Remedy.ASK,
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Remedy.ASK,
    "INVALID_FIELD": Remedy.ASK,
    "INVALID_FIELD_FOR_INSERT_UPDATE": Remedy.ASK,
    "INVALID_TYPE": Remedy.ASK,
    "INVALID_TYPE_ON_FIELD_IN_RECORD": Remedy.ASK,
    "JSON_PARSER_ERROR": Remedy.ASK,
    "MALFORMED_ID": Remedy.ASK,
    "MALFORMED_QUERY": Remedy.ASK,
    "NUMBER_OUTSIDE_VALID_RANGE": Remedy.ASK,
    "MIXED_DML_OPERATION": Remedy.ASK,
    "FIELD_INTEGRITY_EXCEPTION": Remedy.ASK,
    "FIELD_FILTER_VALIDATION_EXCEPTION": Remedy.ASK,
    "DELETE_FAILED": Remedy.ASK,
    "UNDELETE_FAILED": Remedy.ASK,
    "MERGE_FAILED": Remedy.ASK,
    "CIRCULAR_DEPENDENCY": Remedy.ASK,
    "DEPENDENCY_EXISTS": Remedy.ASK,
    "FAILED_ACTIVATION": Remedy.ASK,
    "STANDARD_PRICE_NOT_DEFINED": Remedy.ASK,
    "INACTIVE_OWNER_OR_USER": Remedy.ASK,
    "LICENSE_LIMIT_EXCEEDED": Remedy.ASK,
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": Remedy.ASK,
    "TRANSFER_REQUIRES_READ": Remedy.ASK,
    "SELF_REFERENCE_FROM_TRIGGER": Remedy.ASK,
    "TOO_MANY_ENUM_VALUE": Remedy.ASK,
    "WRONG_OBJECT_TYPE": Remedy.ASK,
    "EXCEEDED_MAX_SEMIJOIN_SUBSELECTS": Remedy.ASK,
    "FUNCTIONALITY_NOT_ENABLED": Remedy.ASK,
    "URI_TOO_LONG": Remedy.SPLIT,
    "EXCEEDED_ID_LIMIT": Remedy.SPLIT,
    "OPERATION_TOO_LARGE": Remedy.SPLIT,
    "CANNOT_UPDATE_CONVERTED_LEAD": Remedy.ASK,
    "METHOD_NOT_ALLOWED": Remedy.ASK,
    "UNSUPPORTED_MEDIA_TYPE": Remedy.ASK,
    # An Apex trigger of the org threw; see _apex.
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Remedy.ASK,
    # Reads.
    "QUERY_TIMEOUT": Remedy.RETRY,
    "QUERY_TOO_COMPLICATED": Remedy.ASK,
    "INVALID_QUERY_LOCATOR": Remedy.REREAD,
    # Bulk jobs.
    "INVALIDJOB": Remedy.REREAD,
    "INVALIDJOBSTATE": Remedy.REREAD,
    "InvalidBatch": Remedy.ASK,
    "InvalidJob": Remedy.REREAD,
    "InvalidJobState": Remedy.REREAD,
    "InvalidSessionId": Remedy.REFRESH,
    "ClientInputError": Remedy.ASK,
    "FeatureNotEnabled": Remedy.ASK,
    "InvalidEntity": Remedy.ASK,
    "ObjectUnavailable": Remedy.ASK,
    "ExceededQuota": Remedy.WAIT,
    "LimitExceeded": Remedy.WAIT,
    "TooManyLockFailure": Remedy.RETRY,
    "InternalServerError": DOUBT,
    "Timeout": DOUBT,
    # The platform is in trouble.
    "SERVER_UNAVAILABLE": DOUBT,
    "UNKNOWN_EXCEPTION": DOUBT,
    "APEX_ERROR": DOUBT,
    "REQUEST_RUNNING_TOO_LONG": DOUBT,
}
"""The vendor's code to the remedy."""

BY_PREFIX: Final[tuple[tuple[str, Remedy], ...]] = (
    ("TXN_SECURITY_", Remedy.ASK),
    ("INSUFFICIENT_ACCESS", Remedy.ASK),
    ("LOGIN_", Remedy.STOP),
    ("INVALID_", Remedy.ASK),
    ("DUPLICATE", Remedy.ASK),
    ("CANNOT_", Remedy.ASK),
    ("MISSING_", Remedy.ASK),
    ("MALFORMED_", Remedy.ASK),
    ("MAXIMUM_", Remedy.ASK),
    ("FIELD_", Remedy.ASK),
    ("PORTAL_", Remedy.ASK),
    ("NO_SUCH_", Remedy.ASK),
)

OAUTH: Final[Mapping[str, Remedy]] = {
    "invalid_grant": Remedy.STOP,
    "invalid_client_id": Remedy.STOP,
    "invalid_client": Remedy.STOP,
    "unsupported_grant_type": Remedy.STOP,
    "invalid_request": Remedy.STOP,
    "inactive_user": Remedy.STOP,
    "inactive_org": Remedy.STOP,
    "invalid_app_access": Remedy.STOP,
    "rate_limit_exceeded": Remedy.WAIT,
}
"""The token endpoint's errors."""

STREAM: Final[Mapping[str, Remedy]] = {
    "subscription.fetch.replayid.corrupted": Remedy.REREAD,
    "subscription.fetch.replayid.validation.failed": Remedy.REREAD,
    "subscription.fetch.requested.events.invalid": Remedy.ASK,
    "subscription.limit.exceeded": Remedy.WAIT,
    "service.auth.error": Remedy.REFRESH,
    "service.auth.refresh.invalid": Remedy.REFRESH,
    "service.unavailable": Remedy.RETRY,
}
"""Pub/Sub's ``error-code`` trailer, without the prefix. REREAD: the position is lost."""
STREAM_PREFIX: Final = "sfdc.platform.eventbus.grpc."

BY_STATUS: Final[Mapping[int, Remedy | str]] = {
    300: Remedy.ASK, 400: Remedy.ASK, 401: Remedy.REFRESH, 403: Remedy.STOP, 404: Remedy.ASK, 405: Remedy.ASK,
    408: DOUBT, 409: Remedy.REREAD, 410: Remedy.STOP, 412: Remedy.REREAD, 413: Remedy.SPLIT, 414: Remedy.SPLIT,
    415: Remedy.ASK, 429: Remedy.WAIT, 431: Remedy.SPLIT,
}  # fmt: skip
"""For a reply without a code. What is not here: DOUBT from 500 on, else RETRY."""
