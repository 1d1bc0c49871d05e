"""HubSpot's webhooks: signature v3, and events as changes. No I/O.

The vendor sends again for a day whatever was not taken, also what was refused with a 4xx: so only what is certainly bad
is refused, what is authentic but not understood is kept as an opaque change, and where syncd itself cannot judge it
says so (503).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from syncd.model.change import Change, ChangeKind, Channel
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import CannotJudgeError, RefusedError, WebhookRequest
from syncd.systems.hubspot.objects import SINGULAR, TYPE_IDS, of_account
from syncd.systems.hubspot.settings import Settings
from syncd.systems.hubspot.vitals import Vitals

SIGNATURE: Final = "x-hubspot-signature-v3"
TIMESTAMP: Final = "x-hubspot-request-timestamp"
WINDOW_MS: Final = 300_000
SANE_FROM_MS: Final = 1_704_067_200_000
"""2024-01-01: a clock that shows less was never set."""
UNSANE_SKEW_SECONDS: Final = 60.0
"""A clock known to be this far from the vendor's own cannot tell a stale request from a good one."""

_DECODED: Final = {
    "3A": ":", "2F": "/", "3F": "?", "40": "@", "21": "!", "24": "$", "27": "'", "28": "(", "29": ")", "2A": "*",
    "2C": ",", "3B": ";",
}  # fmt: skip
_ESCAPES: Final = re.compile(f"%({'|'.join(_DECODED)})", re.IGNORECASE)

_HINTS: Final = frozenset({"creation", "propertyChange", "associationChange", "restore"})


def signature(secret: Secret, method: str, uri: str, body: bytes, timestamp: str) -> bytes:
    """Signature v3 in base64. ``uri`` is the whole target URL; the vendor decodes a few of its escapes first."""
    decoded = _ESCAPES.sub(lambda match: _DECODED[match.group(1).upper()], uri)
    source = method.upper().encode() + decoded.encode() + body + timestamp.encode()
    return base64.b64encode(hmac.new(secret.reveal().encode(), source, sha256).digest())


class HubSpotWebhooks:
    """The intake's side of one connection."""

    def __init__(self, settings: Settings, world: World, vitals: Vitals) -> None:
        self._connection = settings.connection
        self._secrets = settings.webhook_secrets
        self._public_url = settings.public_url
        self._portal_id = settings.portal_id
        self._world = world
        self._vitals = vitals

    def accept(self, request: WebhookRequest) -> Sequence[Change]:
        """Changes in the order of their happening. Raises :class:`RefusedError` or :class:`CannotJudgeError`."""
        self._verify(request)
        try:
            events = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return [self._opaque(request.body.decode("utf-8", "replace"), "the body is not JSON", request)]
        changes = [self._change(one, request) for one in (events if isinstance(events, list) else [events])]
        return sorted(changes, key=lambda change: change.occurred_at)

    # -- authenticity

    def _verify(self, request: WebhookRequest) -> None:
        if not any(self._secrets):
            raise CannotJudgeError("the app's client secret is not known")
        if not self._public_url:
            raise CannotJudgeError("the public URL is not known, and signatures cover it")
        now = self._world.clock.now_ms()
        if now < SANE_FROM_MS:
            raise CannotJudgeError("this machine's clock was never set")
        given, stamp = request.headers.get(SIGNATURE, ""), request.headers.get(TIMESTAMP, "")
        if not given or not stamp:
            raise RefusedError(401, "signature", "the signature or its timestamp is missing")
        if not re.fullmatch(r"[0-9]{1,15}", stamp):
            raise RefusedError(401, "timestamp", "the timestamp is not a number of milliseconds")
        if not self._signed(request, given, stamp):
            raise RefusedError(401, "signature", "the signature does not fit")
        if abs(now - int(stamp)) > WINDOW_MS:
            if abs(self._vitals.skew_seconds or 0.0) >= UNSANE_SKEW_SECONDS:
                raise CannotJudgeError("this machine's clock is off, so a timestamp cannot be judged")
            raise RefusedError(401, "timestamp", "the timestamp is more than 300 s from now")

    def _signed(self, request: WebhookRequest, given: str, stamp: str) -> bool:
        """Every secret against every URL the vendor may have signed; all are tried, so that timing tells nothing."""
        presented = given.encode("utf-8", "surrogatepass")
        fits = False
        for secret in self._secrets:
            for uri in target_urls(self._public_url, request.path):
                expected = signature(secret, request.method, uri, request.body, stamp)
                fits |= bool(secret) and hmac.compare_digest(expected, presented)
        return fits

    # -- meaning

    def _change(self, event: Any, request: WebhookRequest) -> Change:
        if not isinstance(event, Mapping):
            return self._opaque(event, "the event is not an object", request)
        if self._portal_id and not of_account(event, self._portal_id):
            return self._opaque(event, "the event is of another account", request)
        object_, verb = _subject(event)
        payload: dict[str, Any]
        if verb in _HINTS:
            external_id = object_id(event.get("objectId")) or object_id(event.get("fromObjectId"))
            kind, payload = ChangeKind.HINT, {"event": dict(event)}
            if isinstance(event.get("propertyName"), str):
                # What the event tells of the object: an echo of our own write is known by it, without a read.
                payload["told"] = {event["propertyName"]: event.get("propertyValue")}
            elif verb == "creation":
                payload["created"] = True
        elif verb in {"deletion", "privacyDeletion"}:
            # The vendor tells both of a privacy deletion, in any order.
            external_id = object_id(event.get("objectId"))
            kind = ChangeKind.ERASED if verb == "privacyDeletion" else ChangeKind.DELETED
            payload = dict(event)
        elif verb == "merge":
            external_id, absorbed = merged_ids(event)
            kind, payload = ChangeKind.MERGED, {"into": external_id, "from": absorbed, "event": dict(event)}
        else:
            return self._opaque(event, "the subscription type is not known", request)
        if not object_ or not external_id:
            return self._opaque(event, "the event names no object", request)
        return Change(
            connection=self._connection,
            object=object_,
            external_id=external_id,
            kind=kind,
            channel=Channel.WEBHOOK,
            dedupe_key=dedupe_key(event),
            received_at=request.received_at,
            occurred_at=_milliseconds(event.get("occurredAt")),
            payload=payload,
        )

    def _opaque(self, raw: Any, reason: str, request: WebhookRequest) -> Change:
        digest = blake2b(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
        known = isinstance(raw, Mapping) and raw.get("eventId") is not None
        return Change(
            connection=self._connection,
            object="",
            external_id="",
            kind=ChangeKind.OPAQUE,
            channel=Channel.WEBHOOK,
            dedupe_key=dedupe_key(raw) if known else f"opaque:{digest}",
            received_at=request.received_at,
            occurred_at=_milliseconds(raw.get("occurredAt")) if isinstance(raw, Mapping) else 0,
            payload={"raw": raw, "reason": reason},
        )


def target_urls(public_url: str, path: str) -> list[str]:
    """URLs the vendor may have signed: the one configured there; with the query that came, where the configured one
    has none; and the configured origin with the path that came, where no path is configured."""
    parts = urlsplit(public_url)
    urls = [public_url]
    _, mark, query = path.partition("?")
    if mark and not parts.query:
        urls.append(f"{public_url}?{query}")
    if parts.path in {"", "/"} and not parts.query and path.startswith("/"):
        urls.append(f"{parts.scheme}://{parts.netloc}{path}")
    return urls


def dedupe_key(event: Mapping[str, Any]) -> str:
    """The same happening told twice has the same key. ``eventId`` alone is not unique; ``attemptNumber`` changes with
    each repetition; association events have two ids instead of one."""
    parts = [
        event.get(name)
        for name in ("portalId", "subscriptionType", "objectId", "propertyName", "eventId", "occurredAt")
    ]
    if event.get("objectId") is None:
        parts += [event.get(name) for name in ("fromObjectId", "toObjectId", "associationType", "primaryObjectId")]
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS).decode()


def _subject(event: Mapping[str, Any]) -> tuple[str, str]:
    """Object name and what happened to it."""
    noun, _, verb = str(event.get("subscriptionType") or event.get("eventType") or "").partition(".")
    if noun == "object":
        type_id = str(event.get("objectTypeId") or event.get("fromObjectTypeId") or "")
        return TYPE_IDS.get(type_id, type_id), verb
    return SINGULAR.get(noun, ""), verb


def merged_ids(event: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The surviving id and the absorbed ones. Newer accounts make a new object of a merge, older ones keep the
    primary; where a new one is named, the primary is absorbed too."""
    primary, fresh = object_id(event.get("primaryObjectId")), object_id(event.get("newObjectId"))
    merged = event.get("mergedObjectIds")
    absorbed = [found for one in (merged if isinstance(merged, list) else ()) if (found := object_id(one))]
    into = fresh or primary or object_id(event.get("objectId"))
    everyone: Iterable[str] = (primary, *absorbed)
    return into, [one for one in dict.fromkeys(everyone) if one and one != into]


def object_id(value: Any) -> str:
    """Digits, as a number or as text; anything else is no id."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, int):
        return str(value) if value > 0 else ""
    return value if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value) else ""


def _milliseconds(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**14 else 0
