"""BigCommerce's webhooks: authenticity, and thin events as changes. No I/O.

What certainly proves the sender is the secret in a header of our own, which the vendor sends with each delivery. The
signature (Standard Webhooks, the key being the client secret) is judged when there is one: the vendor does not say
which webhooks it signs.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b, sha256
from typing import Any, Final

import orjson

from syncd.model.change import Change, ChangeKind, Channel
from syncd.runtime.clock import World
from syncd.systems.bigcommerce.objects import EMPTIED, ORDERED
from syncd.systems.bigcommerce.settings import KEY_HEADER, Settings
from syncd.systems.contract import CannotJudgeError, RefusedError, WebhookRequest

TOLERANCE_SECONDS: Final = 300
SANE_FROM_MS: Final = 1_704_067_200_000
"""2024-01-01: a clock that shows less was never set."""


def signature(client_secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The base64 part of a ``v1`` signature."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(client_secret.encode(), content, sha256).digest()).decode()


class BigcommerceWebhooks:
    """The intake's side of one connection."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings = settings
        self._world = world

    def accept(self, request: WebhookRequest) -> Sequence[Change]:
        """Changes told by an authentic event. Raises :class:`RefusedError` or :class:`CannotJudgeError`."""
        self._verify(request)
        try:
            event = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return [self._opaque(request.body.decode("utf-8", "replace"), "the body is not JSON", request)]
        if not isinstance(event, Mapping):
            return [self._opaque(event, "the event is not an object", request)]
        producer = event.get("producer")
        if isinstance(producer, str) and producer != f"stores/{self._settings.store_hash}":
            return [self._opaque(event, "the event is of another store", request)]
        number = request.headers.get("webhook-id", "")
        changes = changes_of(self._settings.connection, event, request.received_at, number)
        return changes or [self._opaque(event, "the scope is not known, or names nothing", request)]

    # -- authenticity

    def _verify(self, request: WebhookRequest) -> None:
        settings = self._settings
        if not any(settings.webhook_secrets):
            raise CannotJudgeError("the secret that webhooks carry is not known")
        presented = request.headers.get(KEY_HEADER.lower(), "").encode("utf-8", "surrogatepass")
        fits = False
        for secret in settings.webhook_secrets:  # all are tried, so that timing tells nothing
            fits |= bool(secret) and hmac.compare_digest(secret.reveal().encode(), presented)
        if not fits:
            raise RefusedError(401, "secret", f"the header {KEY_HEADER} is missing or wrong")
        given = request.headers.get("webhook-signature", "")
        if given and settings.client_secret:
            self._verify_signature(request, given)
        elif settings.signed_only:
            if not settings.client_secret:
                raise CannotJudgeError("the client secret that signs webhooks is not known")
            raise RefusedError(401, "signature", "the signature is missing")

    def _verify_signature(self, request: WebhookRequest, given: str) -> None:
        now = self._world.clock.now_ms()
        if now < SANE_FROM_MS:
            raise CannotJudgeError("this machine's clock was never set")
        number, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not number or not re.fullmatch(r"[0-9]{1,12}", stamp):
            raise RefusedError(401, "signature", "the signature's id or timestamp is missing")
        secret = self._settings.client_secret
        expected = signature(secret.reveal() if secret else "", number, stamp, request.body)
        parts = [part.partition(",") for part in given.split(" ")]
        fits = False
        for version, _, told in parts:
            fits |= version == "v1" and hmac.compare_digest(expected.encode(), told.encode("utf-8", "surrogatepass"))
        if not fits:
            raise RefusedError(401, "signature", "the signature does not fit")
        if abs(now / 1000 - int(stamp)) > TOLERANCE_SECONDS:
            raise RefusedError(401, "timestamp", f"the timestamp is more than {TOLERANCE_SECONDS} s from now")

    # -- meaning

    def _opaque(self, raw: Any, reason: str, request: WebhookRequest) -> Change:
        digest = blake2b(orjson.dumps(raw, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
        return Change(
            connection=self._settings.connection,
            object="",
            external_id="",
            kind=ChangeKind.OPAQUE,
            channel=Channel.WEBHOOK,
            dedupe_key=f"opaque:{digest}",
            received_at=request.received_at,
            occurred_at=_milliseconds(raw.get("created_at")) if isinstance(raw, Mapping) else 0,
            payload={"raw": raw, "reason": reason},
        )


def changes_of(
    connection: str,
    event: Mapping[str, Any],
    received_at: int,
    message_id: str = "",
    channel: Channel = Channel.WEBHOOK,
    correlation_id: str = "",
) -> list[Change]:
    """What one payload of the vendor's tells, by whatever road it came; nothing where it is not understood. Pure.

    ``message_id`` is what repetitions keep. Without one nothing tells a repetition from a second change within the same
    second, which has the same ``hash``: then every delivery counts, and costs a read at worst.
    """
    scope, data = _plain_scope(event), event.get("data")
    base = Change(
        connection=connection,
        object="",
        external_id="",
        kind=ChangeKind.HINT,
        channel=channel,
        dedupe_key=f"{event.get('hash')}:{message_id or received_at}",
        received_at=received_at,
        occurred_at=_milliseconds(event.get("created_at")),
        payload={"event": dict(event)},
        correlation_id=correlation_id,
    )
    found: list[Change] = []
    for place, one in enumerate(data if isinstance(data, list) else [data]):
        for subject in subjects(scope, one) if isinstance(one, Mapping) else ():
            if subject.id:
                key = f"{base.dedupe_key}:{subject.object}:{place}:{subject.id}"
                change = replace(base, object=subject.object, external_id=subject.id, dedupe_key=key)
                found += _meant(change, scope, itself=subject.itself)
    return found


def _plain_scope(event: Mapping[str, Any]) -> str:
    """Without the channel that an event of one channel names: ``store/channel/2/cart/created`` is of a cart."""
    return re.sub(r"^store/channel/\d+/", "store/", str(event.get("scope") or ""))


def _meant(change: Change, scope: str, *, itself: bool) -> list[Change]:
    verb = scope.rpartition("/")[2]
    if change.object == "carts" and itself and verb in ("converted", "deleted"):
        # The cart is gone: nothing can be read of it any more, and this is all that is left to know.
        told = {"id": change.external_id, "state": ORDERED if verb == "converted" else EMPTIED}
        ended = replace(change, kind=ChangeKind.STATE, payload=told, partial=True)
        # Should the vendor delete a cart because it became an order, the order will be found.
        look = replace(change, dedupe_key=f"{change.dedupe_key}:look")
        return [ended, look] if verb == "deleted" else [ended]
    if itself and verb in ("deleted", "archived"):
        return [replace(change, kind=ChangeKind.DELETED)]
    return [change]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event speaks of."""

    object: str
    id: str
    itself: bool = True
    """The event's verb is about it, and not about a part of it."""


Find = Callable[[Mapping[str, Any]], list[Subject]]


def subjects(scope: str, data: Mapping[str, Any]) -> list[Subject]:
    """What an event speaks of. Pure."""
    for prefix, find in _SUBJECTS:
        if scope.startswith(prefix):
            return find(data)
    return []


def _of(object_: str, *names: str, itself: bool = True) -> Find:
    """The id at a path of members."""

    def find(data: Mapping[str, Any]) -> list[Subject]:
        here: Any = data
        for name in names:
            here = here.get(name) if isinstance(here, Mapping) else None
        return [Subject(object_, _id(here), itself)]

    return find


def _all(*finds: Find) -> Find:
    return lambda data: [one for find in finds for one in find(data)]


def _place(object_: str, *names: str) -> Find:
    """An id made of several; a group or channel that is not named is all of them."""

    def find(data: Mapping[str, Any]) -> list[Subject]:
        parts = [_id(data.get(name)) for name in names]
        if object_ == "price_list_assignments":
            parts = [parts[0], *(one or "0" for one in parts[1:])] if parts[0] else [""]
        return [Subject(object_, "/".join(parts) if all(parts) else "")]

    return find


def _lists(data: Mapping[str, Any]) -> list[Subject]:
    numbers = data.get("price_list_ids")
    return [Subject("price_lists", _id(one)) for one in (numbers if isinstance(numbers, list) else ())]


def _metafield(data: Mapping[str, Any]) -> list[Subject]:
    return [Subject(f"{_id(data.get('resource_type'))}s", _id(data.get("resource_id")), itself=False)]


_PRICE_RECORD: Final = _place("price_records", "price_list_id", "variant_id", "currency")
_ASSIGNMENT: Final = _place("price_list_assignments", "price_list_id", "customer_group_id", "channel_id")
_SUBJECTS: Final[Sequence[tuple[str, Find]]] = (
    # The id of an address event is the address, whatever its type says.
    (
        "store/customer/address/",
        _all(_of("customers", "address", "customer_id", itself=False), _of("customer_addresses", "id")),
    ),
    ("store/customer/channel/", _of("customers", "customer_id", itself=False)),
    ("store/customer/payment/", _of("customers", "customer_id", itself=False)),
    ("store/customer/metafield/", _of("customers", "resource_id", itself=False)),
    ("store/customer/", _of("customers", "id")),
    ("store/cart/lineItem", _of("carts", "cartId", itself=False)),
    ("store/cart/metafield/", _of("carts", "resource_id", itself=False)),
    # Events of one channel name the cart in a way of their own.
    ("store/cart/", lambda data: _of("carts", "cart_id" if "cart_id" in data else "id")(data)),
    ("store/order/metafield/", _of("orders", "resource_id", itself=False)),
    ("store/order/transaction/", _of("orders", "order_id", itself=False)),
    ("store/order/", lambda data: _of("orders", "order_id" if "order_id" in data else "id")(data)),
    ("store/product/variant/", _of("products", "product_id", itself=False)),
    ("store/product/metafield/", _of("products", "resource_id", itself=False)),
    ("store/product/inventory/", _of("products", "id", itself=False)),
    ("store/product/assigned", _of("products", "product_id", itself=False)),
    ("store/product/unassigned", _of("products", "product_id", itself=False)),
    ("store/product/", _of("products", "id")),
    ("store/channel/metafield/", _of("channels", "resource_id", itself=False)),
    ("store/channel/", _of("channels", "id")),
    ("store/priceList/record", _PRICE_RECORD),
    ("store/priceList/assignment/", _ASSIGNMENT),
    ("store/priceList/", _of("price_lists", "price_list_id")),
    ("store/priceLists/", _lists),
    ("store/metafield/", _metafield),
    ("store/company/user/", _of("users", "user_id")),
    ("store/company/address/", _of("company_addresses", "address_id")),
    ("store/company/superadmin/", _of("companies", "company_id", itself=False)),
    ("store/company/", _of("companies", "company_id")),
    ("store/quote/", _of("quotes", "quote_id")),
    ("store/subscriber/", _of("subscribers", "id")),
)
"""The first prefix that fits decides."""


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) and text != "0" else ""


def _milliseconds(value: Any) -> int:
    return value * 1000 if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**11 else 0
