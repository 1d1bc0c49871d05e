"""The account itself and its sign-in: details, API usage, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson

from syncd.sandbox.http import Request
from syncd.sandbox.hubspot.call import Answer, Call, Route, not_there
from syncd.sandbox.hubspot.errors import ApiError, validation
from syncd.sandbox.hubspot.limits import Limits, zone_of
from syncd.sandbox.hubspot.shapes import required
from syncd.sandbox.hubspot.tokens import Tokens
from syncd.sandbox.hubspot.values import iso


def details(call: Call, limits: Limits) -> Answer:
    match call.method, call.route.rest:
        case "GET", ["details"]:
            return 200, _details(call)
        case "GET", ["api-usage", "daily", "private-apps"]:
            return 200, _usage(call, limits)
    raise call.unsupported()


def _details(call: Call) -> Mapping[str, object]:
    profile = call.account.profile
    now = datetime.fromtimestamp(call.account.clock.now_ms() / 1000, zone_of(profile.time_zone))
    offset = now.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60)
    return {
        "portalId": profile.portal_id,
        "accountType": "DEVELOPER_TEST",
        "timeZone": profile.time_zone,
        "companyCurrency": profile.currency,
        "additionalCurrencies": list(profile.currencies),
        "utcOffset": f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
        "utcOffsetMilliseconds": minutes * 60_000,
        "uiDomain": "app-eu1.hubspot.com",
        "dataHostingLocation": "eu1",
    }


def _usage(call: Call, limits: Limits) -> Mapping[str, object]:
    return {
        "results": [
            {
                "name": "private-apps-api-calls-daily",
                "usageLimit": limits.settings.daily,
                "currentUsage": limits.used_today,
                "collectedAt": call.account.now_iso(),
                "fetchStatus": "SUCCESS",
                "resetsAt": iso(limits.resets_ms),
            }
        ]
    }


def sign_in(request: Request, where: Route, tokens: Tokens) -> Answer:
    """Everything under ``/oauth``; needs no token and costs nothing."""
    form = request.form()
    match request.method, where.rest:
        case "POST", ["token"]:
            return 200, tokens.grant({**dict(request.params()), **form})
        case "POST", ["token", "introspect"] if where.version != "v1":
            return 200, tokens.describe(form.get("token", ""))
        case "POST", ["token", "revoke"] if where.version != "v1":
            tokens.revoke(form.get("token", ""))
            return 200, {}
        case "GET", [("access-tokens" | "refresh-tokens"), value]:
            return 200, _described(tokens, value)
        case "DELETE", ["refresh-tokens", value]:
            tokens.revoke(value)
            return 204, None
        case "POST", ["private-apps", "get", "access-token-info"] if where.version == "v2":
            return 200, tokens.describe_private(_token_key(request))
    raise not_there()


def _token_key(request: Request) -> str:
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise validation("Invalid input JSON on line 1, column 1: Unexpected character") from None
    return required(body, "tokenKey")[0]


_NEWER = {"active", "token_use"}
"""What the introspection of later versions tells besides."""


def _described(tokens: Tokens, value: str) -> Mapping[str, object]:
    known = tokens.describe(value)
    if not known["active"]:
        raise ApiError(404, "the token has expired or does not exist", "OBJECT_NOT_FOUND")
    return {name: value for name, value in known.items() if name not in _NEWER}
