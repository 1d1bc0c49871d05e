"""What brings webhooks to their destinations: one event per request, signed, retried for two days, then given up.

Time is the sandbox's own; ``time_scale`` shortens the waits between attempts, blocks and idle days, and nothing else.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from syncd.sandbox.bigcommerce.store import Store
from syncd.sandbox.bigcommerce.table import Row
from syncd.sandbox.faults import VendorFaults

RETRIES = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21_600, 50_400, 86_400)
"""Seconds, each from the previous try."""
EXCEPTION_SCOPE = "store/hook/deliveryException"
_BLOCK_WINDOW_SECONDS, _BLOCK_SECONDS, _BLOCK_FROM, _BLOCK_RATE = 120.0, 180.0, 100, 0.9
_IDLE_SECONDS = 90 * 86_400.0
_TIMEOUT_SECONDS = 5.0
_WARN_SECONDS = 600.0
_MOST_HEADERS, _LONGEST_NAME, _LONGEST_VALUE = 64, 64, 8192


@dataclass(frozen=True, slots=True)
class SenderSettings:
    flush_seconds: float = 0.2
    time_scale: float = 1.0
    parallel: int = 10
    sign: bool = True
    """Send Standard Webhooks headers; the vendor does not say for which hooks it does."""


@dataclass(frozen=True, slots=True)
class _Message:
    id: str
    hook: int
    body: bytes
    attempt: int = 0
    due: float = 0.0


@dataclass(slots=True)
class SenderCounts:
    events: int = 0
    dropped: int = 0
    duplicated: int = 0
    requests: int = 0
    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    deactivated: int = 0


class WebhookSender:
    def __init__(
        self,
        settings: SenderSettings,
        store: Store,
        faults: VendorFaults,
        dice: random.Random,
        secret_of: Callable[[str], str],
        idle_work: Callable[[], int],
    ) -> None:
        """``secret_of`` a client id is its client secret. ``idle_work`` runs at each flush (abandoned carts)."""
        self.settings = settings
        self.counts = SenderCounts()
        self._store = store
        self._faults = faults
        self._dice = dice
        self._secret_of = secret_of
        self._idle_work = idle_work
        self._waiting: deque[_Message] = deque()
        self._held: list[_Message] = []
        self._retries: list[_Message] = []
        self._failures: Counter[int] = Counter()
        self._results: dict[str, deque[tuple[float, bool]]] = {}
        self._blocked_until: dict[str, float] = {}
        self._warned: dict[int, float] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None
        self._gate = asyncio.Semaphore(settings.parallel)

    # -- what happened

    def tell(self, scope: str, data: Any) -> None:
        """An event for every active hook whose scope covers it."""
        payload: bytes | None = None
        for hook in list(self._store.hooks.rows()):
            if not hook["is_active"] or not covers(hook["scope"], scope):
                continue
            payload = payload or self._payload(scope, data)
            self._queue(_Message(f"msg_{self._dice.getrandbits(96):024x}", hook["id"], payload))

    def _payload(self, scope: str, data: Any) -> bytes:
        own = self._store.settings
        body = {
            "scope": scope, "store_id": str(own.store_id), "data": data, "created_at": self._store.unix(),
            "producer": f"stores/{own.hash}",
        }  # fmt: skip
        digest = hashlib.sha1(orjson.dumps(body), usedforsecurity=False).hexdigest()
        return orjson.dumps({**body, "hash": digest})

    def _queue(self, message: _Message) -> None:
        self.counts.events += 1
        fate = self._faults.next_webhook()
        if fate.drop:
            self.counts.dropped += 1
            return
        (self._held if fate.reorder else self._waiting).append(message)
        if fate.duplicate:
            self.counts.duplicated += 1
            self._held.append(message)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self._waiting or self._held or self._retries or self._under_way)

    def blocked(self) -> list[Row]:
        now = self._store.clock.monotonic()
        return [
            {"destination": host, "time_left": int(until - now), "reasons": ["success rate below 90 %"]}
            for host, until in self._blocked_until.items()
            if until > now
        ]

    def forgive(self, hook: int) -> None:
        self._failures.pop(hook, None)

    # -- life

    async def start(self) -> None:
        if self._runner is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False, follow_redirects=False)
            self._runner = asyncio.create_task(self._run(), name="bigcommerce webhooks")

    async def stop(self) -> None:
        """What waits is lost, as when the vendor is switched off."""
        tasks = [*([self._runner] if self._runner else []), *self._under_way]
        self._runner = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _run(self) -> None:
        while True:
            await self._store.clock.sleep(self.settings.flush_seconds)
            self._idle_work()
            self._retire()
            if not self._faults.outage:  # a vendor off the net sends nothing either
                await self._flush()

    def _retire(self) -> None:
        """Hooks without any activity for 90 days go to sleep."""
        edge = self._store.unix() - _IDLE_SECONDS * self.settings.time_scale
        for hook in list(self._store.hooks.rows()):
            if hook["is_active"] and hook["used_at"] < edge:
                self.deactivate(hook["id"])

    def deactivate(self, number: int) -> None:
        hook = self._store.hooks.get(number)
        if hook is not None and hook["is_active"]:
            self.counts.deactivated += 1
            self._store.hooks.put({**hook, "is_active": False, "updated_at": self._store.unix()})

    async def _flush(self) -> None:
        now = self._store.clock.monotonic()
        due = [one for one in self._retries if one.due <= now]
        self._retries = [one for one in self._retries if one.due > now]
        messages = [*self._waiting, *due]
        self._waiting.clear()
        self._waiting.extend(self._held)  # these come a flush late
        self._held.clear()
        for one in messages:
            gate = self._gate
            await gate.acquire()
            task = asyncio.create_task(self._deliver(one, gate))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    # -- one delivery

    async def _deliver(self, message: _Message, gate: asyncio.Semaphore) -> None:
        hook = self._store.hooks.get(message.hook)
        try:
            if hook is None or not hook["is_active"]:
                return
            host = urlsplit(hook["destination"]).netloc
            if self._blocked_until.get(host, 0.0) > self._store.clock.monotonic():
                self._again(message, hook)
                return
            self.counts.requests += 1
            accepted = await self._post(hook, message)
        finally:
            gate.release()
        self._judge_host(host, accepted=accepted)
        if accepted:
            self.counts.delivered += 1
            self.forgive(message.hook)
            current = self._store.hooks.get(message.hook)
            if current is not None:
                self._store.hooks.put({**current, "used_at": self._store.unix()})
            return
        self.counts.failed += 1
        self._again(message, hook)

    def _again(self, message: _Message, hook: Mapping[str, Any]) -> None:
        if message.attempt >= len(RETRIES):
            self.counts.given_up += 1
            self.deactivate(message.hook)
            self._complain(hook, 90_002, "Retries are exhausted; the webhook is deactivated")
            return
        due = self._store.clock.monotonic() + RETRIES[message.attempt] * self.settings.time_scale
        self._retries.append(replace(message, attempt=message.attempt + 1, due=due))
        now = self._store.clock.monotonic()
        if now - self._warned.get(message.hook, -_WARN_SECONDS) >= _WARN_SECONDS * self.settings.time_scale:
            self._warned[message.hook] = now
            self._complain(hook, 90_001, "The delivery failed and will be retried")

    def _complain(self, hook: Mapping[str, Any], code: int, message: str) -> None:
        if hook["scope"] != EXCEPTION_SCOPE:
            self.tell(EXCEPTION_SCOPE, {"type": "webhook", "id": hook["id"], "error_code": code, "message": message})

    def _judge_host(self, host: str, *, accepted: bool) -> None:
        now = self._store.clock.monotonic()
        results = self._results.setdefault(host, deque())
        results.append((now, accepted))
        while results and results[0][0] < now - _BLOCK_WINDOW_SECONDS * self.settings.time_scale:
            results.popleft()
        good = sum(1 for _, one in results if one)
        if len(results) >= _BLOCK_FROM and good < _BLOCK_RATE * len(results):
            results.clear()
            self._blocked_until[host] = now + _BLOCK_SECONDS * self.settings.time_scale
            for hook in list(self._store.hooks.rows()):
                if urlsplit(hook["destination"]).netloc == host:
                    self._complain(hook, 90_003, "The destination is blocked for a low success rate")
                    break

    async def _post(self, hook: Mapping[str, Any], message: _Message) -> bool:
        if self._client is None:
            return False
        headers = {"Content-Type": "application/json", "User-Agent": "akka-http/10.5.0", **hook["headers"]}
        if self.settings.sign:
            headers |= signed(self._secret_of(hook["client_id"]), message.id, self._store.unix(), message.body)
        # No connection or no whole answer in time: a failed attempt.
        with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                reply = await self._client.post(hook["destination"], content=message.body, headers=headers)
            return 200 <= reply.status_code < 300 and _is_modest(reply)
        return False


def covers(hook_scope: str, scope: str) -> bool:
    """A wildcard at the end covers everything below it."""
    return scope.startswith(hook_scope[:-1]) if hook_scope.endswith("/*") else hook_scope == scope


def signed(client_secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Standard Webhooks headers; the key is the client secret's own bytes."""
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(client_secret.encode(), content, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{digest}"}


def _is_modest(reply: httpx.Response) -> bool:
    """An answer with too many or too large headers counts as none."""
    pairs = reply.headers.raw
    return len(pairs) <= _MOST_HEADERS and all(
        len(name) <= _LONGEST_NAME and len(value) <= _LONGEST_VALUE for name, value in pairs
    )
