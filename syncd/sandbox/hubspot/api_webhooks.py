"""Webhook settings and subscriptions of a legacy public app, managed with the developer account's key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from syncd.sandbox.http import Request
from syncd.sandbox.hubspot.call import Answer, Route, not_there
from syncd.sandbox.hubspot.errors import ApiError, missing_fields, not_found, validation
from syncd.sandbox.hubspot.shapes import integer, mapping, mappings, required
from syncd.sandbox.hubspot.values import iso
from syncd.sandbox.hubspot.webhooks import Subscription, WebhookSender, subscription

DEVELOPER_KEY: Final = "00000000-0000-4000-8000-00000000dev0"
MOST: Final = 1000
"""Subscriptions an app may have."""


def answer(request: Request, where: Route, sender: WebhookSender) -> Answer:
    if request.param("hapikey") != DEVELOPER_KEY:
        raise ApiError(401, "The API key provided is invalid", "INVALID_AUTHENTICATION")
    app_id, *rest = where.rest or ("",)
    if app_id != str(sender.app_id):
        raise not_found(f"No app with id {app_id}")
    match request.method, rest:
        case "GET", ["settings"]:
            return 200, _settings(sender)
        case "PUT", ["settings"]:
            return 200, _set(sender, _body(request))
        case "DELETE", ["settings"]:
            sender.configure(replace(sender.settings, target_url=""))
            return 204, None
        case "GET", ["subscriptions"]:
            return 200, {"results": [_shown(one) for one in sender.subscriptions.values()]}
        case "POST", ["subscriptions"]:
            return 201, _shown(_create(sender, _body(request)))
        case "POST", ["subscriptions", "batch", "update"]:
            return 200, _batch(sender, _body(request))
        case "GET", ["subscriptions", id_]:
            return 200, _shown(_found(sender, id_))
        case "PATCH", ["subscriptions", id_]:
            return 200, _shown(sender.switch(_found(sender, id_), active=_body(request).get("active") is True))
        case "DELETE", ["subscriptions", id_]:
            sender.unsubscribe(_found(sender, id_))
            return 204, None
    raise not_there()


def _body(request: Request) -> dict[str, Any]:
    try:
        return mapping(orjson.loads(request.body), "the body")
    except orjson.JSONDecodeError as error:
        raise validation(f"Invalid input JSON: {error.msg}") from None


def _found(sender: WebhookSender, id_: str) -> Subscription:
    one = sender.subscriptions.get(int(id_)) if id_.isdecimal() else None
    if one is None:
        raise not_found(f"No subscription {id_}")
    return one


def _settings(sender: WebhookSender) -> dict[str, Any]:
    if not sender.settings.target_url:
        raise not_found("The app has no webhook settings")
    stamp = iso(sender.created_ms)
    throttling = {"maxConcurrentRequests": sender.settings.parallel}
    target = sender.settings.signed_url or sender.settings.target_url
    return {"targetUrl": target, "throttling": throttling, "createdAt": stamp, "updatedAt": stamp}


def _set(sender: WebhookSender, body: Mapping[str, Any]) -> dict[str, Any]:
    (target,) = required(body, "targetUrl")
    most = integer(mapping(body.get("throttling"), "throttling").get("maxConcurrentRequests"), "maxConcurrentRequests")
    if most <= 5:
        raise validation("maxConcurrentRequests must be greater than 5")
    sender.configure(replace(sender.settings, target_url=target, signed_url="", parallel=most))
    return _settings(sender)


def _create(sender: WebhookSender, body: Mapping[str, Any]) -> Subscription:
    (event_type,) = required(body, "eventType")
    name, type_id = str(body.get("propertyName") or ""), str(body.get("objectTypeId") or "")
    if event_type.startswith("object.") and not type_id:
        raise missing_fields("objectTypeId")
    if len(sender.subscriptions) >= MOST:
        raise validation(f"An app may have {MOST} subscriptions at most")
    text = f"{event_type}{':' if name else ''}{name}{'@' if type_id else ''}{type_id}"
    try:
        fresh = subscription(0, text)
    except ValueError as error:
        raise validation(str(error)) from None
    if any((one.type, one.name, one.type_id) == (fresh.type, name, type_id) for one in sender.subscriptions.values()):
        raise ApiError(409, f"A subscription to {text} exists already", "OBJECT_ALREADY_EXISTS")
    return sender.subscribe(replace(fresh, active=body.get("active") is True))


def _batch(sender: WebhookSender, body: Mapping[str, Any]) -> dict[str, Any]:
    told = mappings(body.get("inputs"), "inputs")
    done = [sender.switch(_found(sender, str(one.get("id"))), active=one.get("active") is True) for one in told]
    stamp = iso(sender.created_ms)
    return {"status": "COMPLETE", "results": [_shown(one) for one in done], "startedAt": stamp, "completedAt": stamp}


def _shown(one: Subscription) -> dict[str, Any]:
    out: dict[str, Any] = {
        "id": str(one.id), "eventType": one.type, "active": one.active, "createdAt": iso(one.created_ms),
        "updatedAt": iso(one.created_ms),
    }  # fmt: skip
    if one.name:
        out["propertyName"] = one.name
    if one.type_id:
        out["objectTypeId"] = one.type_id
    return out
