"""The simulated vendor: sign-in, windows and disturbances around the account's API."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from email.utils import formatdate
from typing import Any, ClassVar

import orjson

from syncd.sandbox.http import Reply, Request
from syncd.sandbox.hubspot import (
    api_account,
    api_associations,
    api_imports,
    api_journal,
    api_metadata,
    api_objects,
    api_schemas,
    api_webhooks,
    inhabitants,
    settings,
)
from syncd.sandbox.hubspot.account import Account, Profile
from syncd.sandbox.hubspot.call import MAX_TARGET, Answer, Call, Route, correlation_id, not_there, route
from syncd.sandbox.hubspot.errors import ApiError
from syncd.sandbox.hubspot.events import Event
from syncd.sandbox.hubspot.graphql import GraphQLDoor
from syncd.sandbox.hubspot.imports import Imports
from syncd.sandbox.hubspot.journal import FILES, Journal
from syncd.sandbox.hubspot.kinds import Kind
from syncd.sandbox.hubspot.limits import PLANS, Limits, LimitSettings, of_plan, overload
from syncd.sandbox.hubspot.oddities import Oddities
from syncd.sandbox.hubspot.people import OWNERS, People
from syncd.sandbox.hubspot.records import Record, Source
from syncd.sandbox.hubspot.search import SearchIndex
from syncd.sandbox.hubspot.tokens import ALL_SCOPES, DEFAULT_TOKEN, App, Token, Tokens
from syncd.sandbox.hubspot.values import iso
from syncd.sandbox.hubspot.webhooks import WebhookSender, WebhookSettings
from syncd.sandbox.vendor import ActError, Room, Vendor
from syncd.sandbox.world.world import World

APP = App(19_635_961, "syncd")
OAUTH_APP = App(
    19_635_962,
    "syncd-oauth",
    "5e7b2f6c-0a1d-4c55-9a4e-2f3c8d1b7a90",
    "a3c9d0e4-7b16-4f82-8c2d-91e5b6f7a048",
    oauth=True,
    own_scopes=api_journal.SCOPES,
)
"""Installed in every account, besides the private app with the static token."""


class HubspotSandbox(Vendor):
    name = "hubspot"
    max_body_bytes = 128 * 1024 * 1024
    plans = tuple(PLANS)
    words: ClassVar[Mapping[str, str]] = {
        "create": "create", "edit": "edit", "delete": "archive", "restore": "restore", "merge": "merge",
        "drop_field": "archive_property", "restore_field": "restore_property", "expire_tokens": "expire_tokens",
        "lose_place": "expire_journal", "retype_field": "retype_property", "stop_webhooks": "disable_webhook",
    }  # fmt: skip

    def __init__(
        self,
        room: Room,
        *,
        token: str = DEFAULT_TOKEN,
        scopes: Iterable[str] = ALL_SCOPES,
        profile: Profile | None = None,
        limits: LimitSettings | None = None,
        search_delay: tuple[float, float] = (0.0, 2.0),
        webhooks: WebhookSettings | None = None,
    ) -> None:
        """``search_delay``: seconds, least and most, until a change can be searched for."""
        super().__init__(room)
        profile = profile or Profile()
        index = SearchIndex(room.clock, random.Random(room.dice.random()), *search_delay)
        self.account = Account(profile, room.clock, room.dice, self.applied, index)
        self.account.properties.set_owners(one.id for one in OWNERS)
        self.people = People(self.account)
        self.tokens = Tokens(room.clock, random.Random(room.dice.random()), profile.portal_id)
        self.token = self.tokens.add_static(token, APP, scopes).value
        self.refresh_token = self.tokens.add_oauth_app(OAUTH_APP, ALL_SCOPES).value
        self.limits = Limits(room.clock, limits or LimitSettings(), profile.time_zone)
        self.webhooks = WebhookSender(
            webhooks or WebhookSettings(),
            room.clock,
            random.Random(room.dice.random()),
            room.faults,
            profile.portal_id,
            APP.id,
        )
        self._odd = Oddities(room.dice.random(), room.faults)
        self.journal = Journal(
            room.clock, random.Random(room.dice.random()), profile.portal_id, OAUTH_APP.id, self.account.values_of
        )
        self.imports = Imports(self.account, room.clock, random.Random(room.dice.random()))
        self.graphql = GraphQLDoor(self.account)
        self.account.emit = self._tell
        self.account.heard = lambda: self.webhooks.listening or self.journal.listening
        self._correlation = random.Random(room.dice.random())

    def _tell(self, event: Event) -> None:
        self.webhooks.tell(event)
        if self.journal.listening:
            self.journal.tell(event)

    @classmethod
    def on_plan(cls, plan: str) -> dict[str, Any]:
        return {"limits": of_plan(plan), "profile": Profile(edition=plan)}

    # -- requests

    async def handle(self, request: Request) -> Reply:
        if request.path.startswith(FILES):
            return api_journal.file(request, self.journal)
        self.imports.run()
        headers = self._headers()
        try:
            where = _where(request)
            reply = self._reply(self._answer(request, where, headers), headers)
        except ApiError as error:
            return self._refusal(error, headers)
        batch = where.area == "objects" and "batch" in where.rest and _writes(request, where)
        return self._odd.after(reply) if batch else reply

    def _answer(self, request: Request, where: Route, headers: dict[str, str]) -> Answer:
        """Fills ``headers`` on the way."""
        if where.area == "oauth":
            return api_account.sign_in(request, where, self.tokens)
        if where.area in {"webhooks", "app-webhooks"}:
            return api_webhooks.answer(request, where, self.webhooks)
        token = self.tokens.of(request.headers.get("authorization", ""))
        if where.area.startswith("journal"):
            _check_type(request)
            return api_journal.answer(Call(self.account, request, where, token, _source(token)), self.journal)
        search = where.area == "objects" and where.rest[1:] == ("search",)
        headers.update(self.limits.spend(token.app.id, search=search, oauth=token.app.oauth))
        if where.area != "imports":
            _check_type(request)
        self._odd.before(write=_writes(request, where))
        call = Call(self.account, request, where, token, _source(token))
        answer = self._dispatch(call)
        settings.note(call, answer)
        return answer

    def _dispatch(self, call: Call) -> Answer:
        match call.route.area:
            case "objects":
                return api_objects.answer(call)
            case "associations":
                return api_associations.answer(call)
            case "properties":
                return api_metadata.properties(call)
            case "pipelines":
                return api_metadata.pipelines(call)
            case "schemas":
                return api_schemas.schemas(call)
            case "owners":
                return api_metadata.owners(call, OWNERS)
            case "graphql":
                return self.graphql.answer(call)
            case "imports":
                return api_imports.answer(call, self.imports)
            case "account-info":
                return api_account.details(call, self.limits)
        raise not_there()

    def _headers(self) -> dict[str, str]:
        """What every reply carries."""
        now = formatdate(self.room.clock.now_ms() / 1000, usegmt=True)
        return {"date": now, "x-hubspot-correlation-id": correlation_id(self._correlation)}

    @staticmethod
    def _reply(answer: Answer, headers: dict[str, str]) -> Reply:
        status, body = answer
        return Reply(status, b"" if body is None else orjson.dumps(body), headers)

    @staticmethod
    def _refusal(error: ApiError, headers: dict[str, str]) -> Reply:
        body = error.body(headers["x-hubspot-correlation-id"])
        return Reply(error.status, orjson.dumps(body), {**headers, **error.headers})

    # -- disturbances, in the vendor's words

    def _disturbance(self, error: ApiError) -> Reply:
        return self._refusal(error, self._headers())

    def overloaded(self, request: Request) -> Reply:  # noqa: ARG002
        return self._disturbance(overload())

    def broken(self, request: Request) -> Reply:  # noqa: ARG002
        return self._disturbance(ApiError(500, "internal error", "INTERNAL_ERROR"))

    def unavailable(self, request: Request) -> Reply:  # noqa: ARG002
        return self._disturbance(ApiError(503, "Service temporarily unavailable"))

    def expire_token(self, request: Request) -> None:
        self.tokens.expire(request.headers.get("authorization", ""))

    # -- the judge and the people

    def objects(self) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        return {kind.name: self._shown(kind) for kind in self.account.kinds}

    def _shown(self, kind: Kind) -> Iterator[Mapping[str, Any]]:
        for record in self.account.records.all(kind):
            yield self._whole(record)

    def _whole(self, record: Record) -> dict[str, Any]:
        links: dict[str, list[str]] = {}
        for kind, other, _ in self.account.graph.neighbours(record.id):
            links.setdefault(kind.name, []).append(other)
        return {
            "id": record.id,
            "properties": dict(record.values),
            "createdAt": iso(record.created_ms),
            "updatedAt": iso(record.updated_ms),
            "archived": bool(record.archived_ms),
            "associations": links,
        }

    def counts(self) -> dict[str, int]:
        return {kind.name: self.account.records.count(kind) for kind in self.account.kinds}

    def populate(self, world: World) -> None:
        inhabitants.populate(self, world)

    async def act(self, deed: Mapping[str, Any]) -> Any:
        """What :class:`People` do, and switches of the simulator: ``webhooks``, ``webhook_counts``,
        ``limits``, ``search_delay``, ``expire_tokens``, ``disable_webhook``, ``expire_journal``,
        ``forget_journal_subscriptions``."""
        match deed.get("op"):
            case "webhooks":
                self.set_webhooks(dict(deed["settings"]))
            case "webhook_counts":
                return {**asdict(self.webhooks.counts), "idle": self.webhooks.idle}
            case "limits":
                self.limits.settings = LimitSettings(**deed["settings"])
            case "search_delay":
                self.account.search.least, self.account.search.most = float(deed["least"]), float(deed["most"])
            case "expire_tokens":
                self.tokens.expire_all()
            case "disable_webhook":
                self._disable(str(deed["type"]))
            case "expire_journal":
                self.journal.expire()
            case "forget_journal_subscriptions":
                self.journal.subscriptions.clear()
            case op if op in self.people.deeds:
                return self.people.act(deed)
            case op:
                raise ActError(f"hubspot knows no {op!r}; there are webhooks, webhook_counts, limits, "
                               f"search_delay, disable_webhook, expire_tokens, expire_journal, "
                               f"forget_journal_subscriptions, {', '.join(self.people.deeds)}")  # fmt: skip
        return None

    def _disable(self, type_: str) -> None:
        """Subscriptions of a type, such as ``contact.creation``, are switched off in the app's screens."""
        found = [one for one in self.webhooks.subscriptions.values() if one.type == type_]
        if not found:
            raise ActError(f"nobody subscribed to {type_!r}")
        for one in found:
            self.webhooks.switch(one, active=False)

    def set_webhooks(self, changes: Mapping[str, Any]) -> None:
        """Change some of :class:`WebhookSettings`. Raises ``ValueError`` and ``TypeError``."""
        more = {**changes}
        if "subscriptions" in more:
            more["subscriptions"] = tuple(more["subscriptions"])
        self.webhooks.configure(replace(self.webhooks.settings, **more))

    async def start(self) -> None:
        await self.webhooks.start()

    async def stop(self) -> None:
        await self.webhooks.stop()


def _source(token: Token) -> Source:
    return Source("INTEGRATION", str(token.app.id), token.app.name)


def _where(request: Request) -> Route:
    if len(request.target) > MAX_TARGET:
        raise ApiError(414, "URI Too Long")
    where = route(request.segments())
    if where is None:
        raise not_there()
    return where


def _check_type(request: Request) -> None:
    sent = request.headers.get("content-type", "")
    if request.body and not sent.startswith("application/json"):
        raise ApiError(415, f"Unsupported media type: {sent or 'none'}")


def _writes(request: Request, where: Route) -> bool:
    """Changes objects or associations."""
    return (
        where.area in {"objects", "associations"}
        and request.method != "GET"
        and not (where.rest and where.rest[-1] in {"search", "read"})
    )
