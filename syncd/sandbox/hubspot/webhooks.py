"""Webhooks: subscriptions, batches, signatures, retries; at least once, in no order.

Deliveries are made in the sandbox's own time; ``time_scale`` shortens the waits between attempts, which at the
vendor stretch over 24 hours.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
import orjson

from syncd.runtime.clock import Clock
from syncd.sandbox.faults import VendorFaults
from syncd.sandbox.hubspot import signature
from syncd.sandbox.hubspot.events import Event

MAX_EVENTS = 100
MAX_ATTEMPTS = 11
"""The first one and ten retries."""
_TIMEOUT_SECONDS = 5.0
_DAY_SECONDS = 86_400.0
_FORBIDDEN = ("hs_lastmodifieddate", "lastmodifieddate", "num_unique_conversion_events")
DEFAULT_SUBSCRIPTIONS = (
    "contact.creation", "contact.deletion", "contact.merge", "contact.restore", "contact.privacyDeletion",
    "deal.creation", "deal.deletion", "deal.merge", "deal.restore",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    target_url: str = ""
    """Empty: nothing is sent. The address deliveries go to."""
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - a simulated app's
    signed_url: str = ""
    """The URL as configured at the vendor, where it differs from the target (a tunnel); signed over."""
    flush_seconds: float = 0.2
    time_scale: float = 1.0
    """A retry that would wait an hour waits an hour times this."""
    parallel: int = 10
    subscriptions: tuple[str, ...] = ()
    """``contact.creation``, ``contact.propertyChange:phone``, ``object.creation@0-123``."""


@dataclass(frozen=True, slots=True)
class Subscription:
    id: int
    object: str
    """``contact``, or ``object`` for the generic ones."""
    what: str
    name: str = ""
    """The property of a propertyChange."""
    type_id: str = ""
    active: bool = True
    created_ms: int = 0

    @property
    def type(self) -> str:
        return f"{self.object}.{self.what}"


def subscription(number: int, text: str) -> Subscription:
    """Raises ``ValueError``."""
    head, _, type_id = text.partition("@")
    head, _, name = head.partition(":")
    object_, dot, what = head.partition(".")
    if not dot or not what:
        raise ValueError(f"subscription {text!r}: expected <object>.<event>[:property][@type id]")
    if (what == "propertyChange") != bool(name):
        raise ValueError(f"subscription {text!r}: propertyChange, and only it, names one property")
    if name in _FORBIDDEN:
        raise ValueError(f"subscription {text!r}: {name} can not be subscribed to")
    return Subscription(number, object_, what, name, type_id)


@dataclass(frozen=True, slots=True)
class _Message:
    body: Mapping[str, Any]
    attempt: int = 0
    due: float = 0.0


@dataclass(slots=True)
class WebhookCounts:
    events: int = 0
    dropped: int = 0
    duplicated: int = 0
    requests: int = 0
    delivered: int = 0
    failed: int = 0
    """Attempts that failed."""
    given_up: int = 0


class WebhookSender:
    def __init__(
        self,
        settings: WebhookSettings,
        clock: Clock,
        dice: random.Random,
        faults: VendorFaults,
        portal_id: int,
        app_id: int,
    ) -> None:
        """Raises ``ValueError`` for a subscription that makes no sense."""
        self.counts = WebhookCounts()
        self._clock = clock
        self._dice = dice
        self._faults = faults
        self._portal = portal_id
        self.app_id = app_id
        self.created_ms = 0
        self.settings = settings
        self.subscriptions: dict[int, Subscription] = {}
        self._waiting: deque[_Message] = deque()
        self._retries: list[_Message] = []
        self._held: list[_Message] = []
        self._wake = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self.configure(settings)

    def configure(self, settings: WebhookSettings) -> None:
        """Raises ``ValueError`` and changes nothing for a subscription that makes no sense."""
        wanted = [subscription(4_578_000 + number, text) for number, text in enumerate(settings.subscriptions)]
        before = self.settings.subscriptions if self.created_ms else None
        self.settings = settings
        self._gate = asyncio.Semaphore(settings.parallel)
        if settings.subscriptions != before:
            self.created_ms = self._clock.now_ms()
            self.subscriptions = {one.id: replace(one, created_ms=self.created_ms) for one in wanted}
        self._index()

    def _index(self) -> None:
        self._wanted: dict[tuple[str, str, str], list[Subscription]] = {}
        for one in self.subscriptions.values():
            if one.active:
                self._wanted.setdefault((one.object, one.what, one.name), []).append(one)

    def subscribe(self, one: Subscription) -> Subscription:
        number = max((*self.subscriptions, 4_577_999)) + 1
        made = replace(one, id=number, created_ms=self._clock.now_ms())
        self.subscriptions[number] = made
        self._index()
        return made

    def switch(self, one: Subscription, *, active: bool) -> Subscription:
        self.subscriptions[one.id] = replace(one, active=active)
        self._index()
        return self.subscriptions[one.id]

    def unsubscribe(self, one: Subscription) -> None:
        del self.subscriptions[one.id]
        self._index()

    # -- what happened

    @property
    def listening(self) -> bool:
        return bool(self.settings.target_url and self._wanted)

    def tell(self, event: Event) -> None:
        if not self.listening:
            return
        for object_ in (event.kind.singular, "object"):
            for one in self._wanted.get((object_, event.what, event.name), ()):
                if not one.type_id or one.type_id == event.kind.type_id:
                    self._queue(self._body(one, event))

    def _body(self, one: Subscription, event: Event) -> dict[str, Any]:
        body: dict[str, Any] = {
            "eventId": self._dice.randrange(1, 2**31),
            "subscriptionId": one.id,
            "portalId": self._portal,
            "appId": self.app_id,
            "occurredAt": event.at_ms,
            "subscriptionType": one.type,
            "attemptNumber": 0,
        }
        if event.what != "associationChange":
            body["objectId"] = int(event.id)
        if one.object == "object":
            body["objectTypeId"] = event.kind.type_id
        if event.name:
            body |= {"propertyName": event.name, "propertyValue": event.value}
        if event.flag:
            body["changeFlag"] = event.flag
        return {**body, "changeSource": event.source.type, "sourceId": event.source.id, **event.extra}

    def _queue(self, body: dict[str, Any]) -> None:
        self.counts.events += 1
        fate = self._faults.next_webhook()
        if fate.drop:
            self.counts.dropped += 1
            return
        message = _Message(body)
        (self._held if fate.reorder else self._waiting).append(message)
        if fate.duplicate:
            self.counts.duplicated += 1
            self._held.append(message)
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self._waiting or self._retries or self._held or self._under_way)

    # -- life

    async def start(self) -> None:
        if self._sender is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False, follow_redirects=False)
            self._sender = asyncio.create_task(self._run(), name="hubspot webhooks")

    async def stop(self) -> None:
        """What waits is lost, as when the vendor is switched off."""
        tasks = [*([self._sender] if self._sender else []), *self._under_way]
        self._sender = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _run(self) -> None:
        while True:
            if not (self._waiting or self._held or self._retries):
                self._wake.clear()
                await self._wake.wait()
            await self._clock.sleep(self.settings.flush_seconds)
            if not self._faults.outage:  # a vendor off the net sends nothing either
                await self._flush()

    async def _flush(self) -> None:
        now = self._clock.monotonic()
        due = [one for one in self._retries if one.due <= now]
        self._retries = [one for one in self._retries if one.due > now]
        messages = [*self._waiting, *due]
        self._waiting.clear()
        self._waiting.extend(self._held)  # these come a batch late
        self._held.clear()
        self._dice.shuffle(messages)
        for start in range(0, len(messages), MAX_EVENTS):
            gate = self._gate
            await gate.acquire()
            task = asyncio.create_task(self._deliver(messages[start : start + MAX_EVENTS], gate))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _deliver(self, messages: Sequence[_Message], gate: asyncio.Semaphore) -> None:
        self.counts.requests += 1
        try:
            accepted = await self._post(orjson.dumps([one.body for one in messages]))
        finally:
            gate.release()
        if accepted:
            self.counts.delivered += len(messages)
        else:
            self._later(messages)

    def _later(self, messages: Sequence[_Message]) -> None:
        self.counts.failed += 1
        for one in messages:
            if one.attempt + 1 >= MAX_ATTEMPTS:
                self.counts.given_up += 1
                continue
            attempt = one.attempt + 1
            due = self._clock.monotonic() + self._wait(attempt)
            self._retries.append(replace(one, attempt=attempt, due=due, body={**one.body, "attemptNumber": attempt}))
        self._wake.set()

    def _wait(self, attempt: int) -> float:
        """Seconds to the given retry: randomised, rising, all ten within a day."""
        share = _DAY_SECONDS * 2.0 ** (attempt - 11)
        return share * (0.5 + self._dice.random() / 2) * self.settings.time_scale

    async def _post(self, body: bytes) -> bool:
        client, settings = self._client, self.settings
        if client is None:
            return False
        stamp = str(self._clock.now_ms())
        signed = settings.signed_url or settings.target_url
        headers = {
            "Content-Type": "application/json;charset=utf-8",
            "User-Agent": "HubSpot Connect 2.0 (http://dev.hubspot.com/) (namespace: webhooks-nio-http-client)",
            "X-HubSpot-Request-Timestamp": stamp,
            "X-HubSpot-Signature": signature.v1(settings.client_secret, body),
            "X-HubSpot-Signature-Version": "v1",
            "X-HubSpot-Signature-v3": signature.v3(settings.client_secret, "POST", signed, body, stamp),
            "X-HubSpot-Timeout-Millis": "10000",
        }
        # No connection or no whole answer in time: a failed attempt.
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reply = await client.post(settings.target_url, content=body, headers=headers)
            return reply.status_code < 300
        return False
