"""Reading the Webhooks Journal: entries by offset, the files behind their addresses, shared by all who read along.

One journal serves every mapping of an account. What one stream has fetched the others find here, so that nothing is
read twice however many streams there are; and when it is empty they all wait for one question.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from syncd.model.change import Lane
from syncd.model.failure import Failure, Remedy
from syncd.runtime.clock import World
from syncd.runtime.secret import Secret
from syncd.systems.contract import Call, Payer, VendorError
from syncd.systems.hubspot.auth import Auth
from syncd.systems.hubspot.client import Client
from syncd.systems.hubspot.errors import incomplete, parse
from syncd.systems.hubspot.journal_events import object_of
from syncd.systems.hubspot.objects import of_account
from syncd.systems.hubspot.read import milliseconds
from syncd.systems.hubspot.settings import AppGrant, Paths, Settings
from syncd.systems.hubspot.vitals import Vitals
from syncd.systems.wire import Wire

BATCH: Final = 20
"""Addresses asked for at once."""
KEPT_EVENTS: Final = 20_000
"""Events of entries kept for the streams that come after; an entry has at most 10,000."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 5.0
GONE: Final = frozenset({404, 410})
ABSENT: Final = frozenset({400, 405, *GONE})
"""The vendor says 404 of an offset that has expired; 400 and 405 may mean the same, or that there are no batches."""


SCOPES: Final = (
    "developer.webhooks_journal.read",
    "developer.webhooks_journal.subscriptions.read",
    "developer.webhooks_journal.subscriptions.write",
)
"""What the app asks for on its own behalf."""


def app_client(
    settings: Settings, payer: Payer, world: World, vitals: Vitals, paths: Paths,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Client:  # fmt: skip
    """A client that signs in as the app; its calls count against none of the account's limits."""

    async def buy(grant: AppGrant, lane: Lane) -> Mapping[str, Any]:
        return await client.sign_in(grant, paths.token(), lane)

    app = settings.journal or AppGrant("", Secret(""), SCOPES)
    client = Client(settings, payer, world, Auth(settings, world, buy, app=app), vitals, transport, kind="journal")
    return client


class PositionLostError(Exception):
    """The journal does not know an offset (any more)."""


@dataclass(frozen=True, slots=True)
class Entry:
    offset: str
    published_at: int
    events: Mapping[str, tuple[tuple[int, Mapping[str, Any]], ...]]
    """By object, each with its place in the entry."""
    size: int


@dataclass(frozen=True, slots=True)
class Address:
    url: str
    offset: str


class Files:
    """Fetches what lies behind addresses that carry their own permission: our token is never sent there."""

    def __init__(
        self, settings: Settings, payer: Payer, world: World, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._base = urlsplit(settings.base_url)
        self._wire = Wire(settings.bounds, (), payer, world, transport, observed=_theirs, admits=self.admits)

    def open(self) -> None:
        self._wire.open()

    async def close(self) -> None:
        await self._wire.close()

    def admits(self, url: str) -> bool:
        """Encrypted, at any host that is not one of this machine's or its network's own; otherwise only where the
        vendor itself is."""
        parts = urlsplit(url)
        if parts.username or parts.password or not parts.hostname:
            return False
        if (parts.scheme, parts.netloc) == (self._base.scheme, self._base.netloc):
            return True
        return parts.scheme == "https" and _elsewhere(parts.hostname)

    async def fetch(self, url: str, lane: Lane) -> tuple[int, bytes]:
        """Status and body. Raises :class:`VendorError`."""
        try:
            request = httpx.Request("GET", url)
            reply = await self._wire.send(request, Call("file"), lane, writes=False)
        except (httpx.InvalidURL, ValueError):
            raise VendorError(Failure(Remedy.ASK, "journal-address", "an address that is none")) from None
        except VendorError as error:
            # What an entry's file is like says nothing of the account's other calls, and cannot be asked for in parts.
            if error.failure.remedy in {Remedy.STOP, Remedy.SPLIT}:
                told = f"a file of the Webhooks Journal: {error.failure.message}"
                raise VendorError(Failure(Remedy.ASK, f"journal-{error.failure.code}", told)) from None
            raise
        return reply.status, reply.content


def _elsewhere(host: str) -> bool:
    """A name, or the address of a machine that the whole world can reach."""
    try:
        return ip_address(host).is_global
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        # What ends in a number (127.1, 0x7f000001) is an address written in another way.
        return last != "localhost" and not last.isdecimal() and not last.startswith("0x")


def _theirs(status: int, _headers: Mapping[str, str], _body: bytes) -> tuple[int, Mapping[str, str]]:
    """Where files lie has a clock and limits of its own, which say nothing of the account's."""
    return (503 if status == 429 else status), {}


class Pages:
    def __init__(self, client: Client, files: Files, paths: Paths, world: World) -> None:
        self._client = client
        self._files = files
        self._paths = paths
        self._world = world
        self._turn = asyncio.Lock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        """By the offset before."""
        self._addresses: dict[str, Address] = {}
        """By the offset before, as far as the last batch told."""
        self._quiet: dict[str, tuple[float, int]] = {}
        """Offsets with nothing behind them: until when that is believed, and when it was asked."""
        self._wait = FIRST_WAIT
        self._batches = True
        self.portal = 0
        """The account whose events are read."""

    async def latest(self, lane: Lane) -> str:
        """The newest offset; empty for a journal in which nothing stands."""
        told = await self._lost_or("latest", "", lane)
        return _addresses([told])[0].offset if told else ""

    async def next(self, offset: str, lane: Lane) -> Entry | None:
        """The entry behind an offset, the first one behind an empty offset, or ``None`` when there is none yet: then
        :meth:`quiet` says more. Raises :class:`PositionLostError` and :class:`VendorError`."""
        async with self._turn:
            entry = self._entries.get(offset)
            if entry is not None:
                self._entries.move_to_end(offset)
                return entry
            until, _ = self._quiet.get(offset, (0.0, 0))
            if self._world.clock.monotonic() < until:
                return None
            return await self._fetch(offset, lane)

    def quiet(self, offset: str) -> tuple[float, int]:
        """Seconds until asking again makes sense, and when (by our clock) nothing stood behind the offset."""
        until, asked = self._quiet.get(offset, (0.0, 0))
        return max(0.05, until - self._world.clock.monotonic()), asked

    async def _fetch(self, offset: str, lane: Lane) -> Entry | None:
        address = self._addresses.get(offset)
        fresh = address is None
        asked = self._world.clock.now_ms()
        if address is None:
            address = await self._look(offset, lane)
        if address is None:
            self._quiet = {offset: (self._world.clock.monotonic() + self._wait, asked)}
            self._wait = min(self._wait * 1.5, LONGEST_WAIT)
            return None
        status, body = await self._files.fetch(address.url, lane)
        if status in {400, 403, *GONE} and not fresh:
            # The address has had its time; the entry has not.
            self._addresses.clear()
            return await self._fetch(offset, lane)
        if not 200 <= status <= 299:
            self._addresses.clear()
            raise VendorError(Failure(Remedy.RETRY, "journal-file", f"HTTP {status} for a journal entry", status))
        entry = self._entry(address, body, status)
        self._keep(offset, entry)
        self._wait = FIRST_WAIT
        return entry

    async def _look(self, offset: str, lane: Lane) -> Address | None:
        """The address behind an offset. Several are asked for at once; those behind it are kept."""
        at = quote(offset, safe="")
        found = await self._several(f"batch/{at}/next" if at else "batch/earliest", lane) if self._batches else None
        if found is None:
            # Gone, or no batches are to be had here: asking for one entry tells which.
            told = await self._lost_or(f"offset/{at}/next" if at else "earliest", offset, lane)
            self._batches = False
            found = _addresses([told] if told else [])
        self._addresses = {}
        before = offset
        for one in found:
            self._addresses[before] = one
            before = one.offset
        return found[0] if found else None

    async def _several(self, tail: str, lane: Lane) -> list[Address] | None:
        """``None`` where there is no such thing."""
        try:
            told = await self._ask(f"{tail}/{BATCH}", lane)
        except PositionLostError:
            return None
        return _addresses(told.get("results") if isinstance(told, Mapping) else told or [])

    async def _lost_or(self, tail: str, offset: str, lane: Lane) -> Any:
        try:
            return await self._ask(tail, lane)
        except PositionLostError as error:
            if not offset:
                told = f"the Webhooks Journal is not to be had: {error}"
                raise VendorError(Failure(Remedy.ASK, "journal-missing", told, 404)) from None
            # What was kept may be of before the loss; the journal begins elsewhere now.
            self._entries.clear()
            self._addresses.clear()
            self._quiet.clear()
            raise

    async def _ask(self, tail: str, lane: Lane) -> Any:
        """The answer's JSON. Raises :class:`PositionLostError` where there is no such thing."""
        query = {"installPortalId": str(self.portal)} if self.portal else {}
        try:
            return (await self._client.get(self._paths.journal(tail), query, lane)).data
        except VendorError as error:
            if error.failure.status in ABSENT:
                raise PositionLostError(error.failure.message) from None
            raise VendorError(unavailable(error.failure)) from None

    def _entry(self, address: Address, body: bytes, status: int) -> Entry:
        data = parse(body)
        if not isinstance(data, Mapping) or not isinstance(data.get("journalEvents"), list):
            raise VendorError(incomplete(status, body[:200], writes=False))
        by_object: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        for place, event in enumerate(data["journalEvents"]):
            if isinstance(event, Mapping) and (not self.portal or of_account(event, self.portal)):
                by_object.setdefault(object_of(event), []).append((place, event))
        events = {name: tuple(told) for name, told in by_object.items()}
        return Entry(address.offset, milliseconds(data.get("publishedAt")), events, len(data["journalEvents"]))

    def _keep(self, offset: str, entry: Entry) -> None:
        self._entries[offset] = entry
        while len(self._entries) > 1 and sum(one.size for one in self._entries.values()) > KEPT_EVENTS:
            self._entries.popitem(last=False)
        while len(self._entries) > 4 * BATCH:
            self._entries.popitem(last=False)


def _addresses(told: Any) -> list[Address]:
    """Raises :class:`VendorError` where one cannot be read: leaving it out would pass over its entry."""
    found: list[Address] = []
    for one in told if isinstance(told, list) else [None]:
        url, offset = (one.get("url"), one.get("currentOffset")) if isinstance(one, Mapping) else (None, None)
        if not (isinstance(url, str) and isinstance(offset, str) and url and offset):
            raise VendorError(Failure(Remedy.RETRY, "unreadable-reply", "the journal named no entry's address", 200))
        found.append(Address(url, offset))
    return found


def unavailable(failure: Failure) -> Failure:
    """The journal has a credential of its own: what refuses that says nothing of the account's other calls."""
    if failure.remedy in (Remedy.STOP, Remedy.REFRESH, Remedy.GONE):
        return Failure(Remedy.ASK, failure.code, f"the Webhooks Journal: {failure.message}", failure.status)
    return failure
