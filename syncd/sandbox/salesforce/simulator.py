"""The simulated vendor: its doors (http, https, gRPC), sign-in, allowances and disturbances around the org."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import orjson

from syncd.sandbox.http import HttpProtocol, Reply, Request
from syncd.sandbox.salesforce import inhabitants, rest, seeding, soap
from syncd.sandbox.salesforce.api_query import Cursors
from syncd.sandbox.salesforce.bulk_jobs import JobBook
from syncd.sandbox.salesforce.call import Answer, Call, wire
from syncd.sandbox.salesforce.errors import SalesforceError, exceeded_long, not_there
from syncd.sandbox.salesforce.limits import EDITIONS, Limits, LimitSettings, of_edition
from syncd.sandbox.salesforce.org import Caller, Org, Profile
from syncd.sandbox.salesforce.people import People
from syncd.sandbox.salesforce.pubsub import PubSub
from syncd.sandbox.salesforce.records import whole
from syncd.sandbox.salesforce.sessions import App, OAuthError, Session, Sessions
from syncd.sandbox.salesforce.stream import Stream
from syncd.sandbox.salesforce.tls import Identity, make_identity
from syncd.sandbox.vendor import ActError, Room, Vendor
from syncd.sandbox.world.world import World

CLIENT_ID = "3MVG9syncd.sandbox.external.client.app"
CLIENT_SECRET = "5E1F0C9A7B3D48E2A6F4C8B0D2E6A1F3"  # noqa: S105  # of the sandbox, on loopback
CAPTURED = ("Account", "Contact", "Lead", "Opportunity", "Order")
"""Selected for change data capture in a new org."""
_VERSION = re.compile(r"v(\d{2}\.0)")
_DATA = "/services/data"
_LEAST_GZIP = 2048


class SalesforceSandbox(Vendor):
    name = "salesforce"
    plans = tuple(edition.lower() for edition in EDITIONS)
    words: ClassVar[Mapping[str, str]] = {
        "create": "create", "edit": "edit", "delete": "delete", "restore": "undelete", "merge": "merge",
        "drop_field": "delete_field", "restore_field": "undelete_field", "retype_field": "retype_field",
        "expire_tokens": "expire_tokens",
        "lose_place": "expire_replay", "fail_next_job": "fail_next_job", "use_quota": "use_calls",
    }  # fmt: skip
    max_body_bytes = 152_000_000
    more_ports: ClassVar[tuple[str, ...]] = ("pubsub_port", "https_port", "pubsub_tls_port")

    def __init__(
        self,
        room: Room,
        *,
        profile: Profile | None = None,
        limits: LimitSettings | None = None,
        provisioned: bool = True,
        captured: Sequence[str] = CAPTURED,
        host: str = "127.0.0.1",
        pubsub_port: int = 0,
        https_port: int = 0,
        pubsub_tls_port: int = 0,
    ) -> None:
        """``provisioned``: with the custom fields of a synced org. Port 0 takes a free one."""
        super().__init__(room)
        profile = profile or Profile()
        self.org = Org(profile, room.clock, room.dice, room.faults, self.applied)
        seeding.boot(self.org)
        if provisioned:
            seeding.provision(self.org)
        self.sessions = Sessions(self.org, random.Random(room.dice.random()))
        self.app = App(CLIENT_ID, CLIENT_SECRET)
        self.sessions.apps[CLIENT_ID] = self.app
        self.limits = Limits(room.clock, limits or of_edition(profile.edition))
        self.stream = Stream(self.org, random.Random(room.dice.random()))
        self.cursors = Cursors()
        self.jobs = JobBook()
        self.pubsub = PubSub(self)
        self.people = People(self)
        self.select(captured)
        self._soap = soap.Soap(self)
        self._host, self._ports = host, (pubsub_port, https_port, pubsub_tls_port)
        self._fail_next = -1
        self._fail_dice = random.Random(room.dice.random())
        self.identity: Identity | None = None
        self._https: asyncio.Server | None = None
        self._https_connections: set[HttpProtocol] = set()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def on_plan(cls, plan: str) -> dict[str, Any]:
        if plan not in cls.plans:
            raise KeyError(plan)
        return {"profile": Profile(edition=plan.title())}

    # -- doors

    async def start(self) -> None:
        """Beside the kit's http door: https, and gRPC plain and over TLS."""
        names = [f"{self.org.profile.my_domain}.my.salesforce.com", "login.salesforce.com", "test.salesforce.com",
                 "api.pubsub.salesforce.com", self._host]  # fmt: skip
        self.identity = make_identity(*names)
        pubsub_port, https_port, tls_port = self._ports
        self._https = await asyncio.get_running_loop().create_server(
            lambda: HttpProtocol(
                self._serve_https, lambda: self.room.faults.outage == "abort", self._https_connections,
                self.max_body_bytes,
            ),
            self._host, https_port, ssl=self.identity.server_context(),
        )  # fmt: skip
        await self.pubsub.start(self._host, pubsub_port, self.identity, tls_port)
        self._publish_authority(self.identity)

    def _publish_authority(self, identity: Identity) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="salesforce-sandbox-")
        Path(self._folder.name, "ca.pem").write_bytes(identity.authority)

    async def stop(self) -> None:
        await self.jobs.stop()
        await self.pubsub.stop()
        if self._https is not None:
            self._https.close()
            self._https = None
        for connection in list(self._https_connections):
            await connection.settle()
            connection.abort()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def endpoints(self) -> Mapping[str, str]:
        """Known once open: https, pubsub, pubsub_tls, and ca, the file with the authority clients must trust."""
        if self._https is None or self._folder is None:
            return {}
        port = self._https.sockets[0].getsockname()[1]
        return {
            "https": f"https://{self._host}:{port}",
            "pubsub": f"{self._host}:{self.pubsub.port}",
            "pubsub_tls": f"{self._host}:{self.pubsub.tls_port}",
            "ca": str(Path(self._folder.name, "ca.pem")),
        }

    async def _serve_https(self, request: Request) -> Reply:
        return await self.serve(replace(request, headers={**request.headers, ":scheme": "https"}))

    async def serve(self, request: Request) -> Reply:
        number = self.limits.begin()
        try:
            reply = await super().serve(request)
            now = formatdate(self.room.clock.now_ms() / 1000, usegmt=True)
            return replace(reply, headers={"Date": now, **reply.headers})
        finally:
            self.limits.end(number)

    # -- requests

    async def handle(self, request: Request) -> Reply:
        base = _base(request)
        if request.path.startswith("/services/Soap/"):
            return self._soap.handle(request, base)
        if request.path.startswith(_DATA):
            return self._data(request)
        return self._identity(request, base)

    def _data(self, request: Request) -> Reply:
        headers: dict[str, str] = {}
        try:
            answer = self._answer(request, headers)
        except SalesforceError as error:
            answer = Answer(error.status, error.body())
        body = b"" if answer.body is None else wire(answer.body)
        headers |= answer.headers
        if len(body) >= _LEAST_GZIP and "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip.compress(body, 1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return Reply(answer.status, body, headers, answer.content_type or "application/json;charset=UTF-8")

    def _answer(self, request: Request, headers: dict[str, str]) -> Answer:
        """Fills ``headers`` on the way."""
        if len(request.target) > 16_384 or sum(map(len, request.headers.values())) > 16_384:
            raise SalesforceError("URI_TOO_LONG", "The URI or the headers are too long")
        parts = request.segments()[2:]
        if not parts:
            return Answer(200, rest.versions(self.org.profile.oldest_version, self.org.profile.newest_version))
        version = self._version(parts[0])
        session = self.sessions.of_header(request.headers.get("authorization", ""))
        try:
            self.limits.spend()
        finally:
            headers["Sforce-Limit-Info"] = self.limits.header(session.app.name)
        return rest.dispatch(self._call(request, tuple(parts[1:]), version, session))

    def known_version(self, version: str) -> bool:
        return self.org.profile.oldest_version <= float(version) <= self.org.profile.newest_version

    def _version(self, part: str) -> str:
        found = _VERSION.fullmatch(part)
        if found is None or float(found[1]) > self.org.profile.newest_version:
            raise not_there()
        if not self.known_version(found[1]):
            raise SalesforceError("UNSUPPORTED_API_VERSION", f"The API version {found[1]} has been retired")
        return found[1]

    def _call(self, request: Request, path: tuple[str, ...], version: str, session: Session) -> Call:
        raw = _unpacked(request)
        csv = path[:1] == ("jobs",) and request.method == "PUT"
        sent = request.headers.get("content-type", "")
        if raw and not sent.startswith("text/csv" if csv else "application/json"):
            raise SalesforceError("UNSUPPORTED_MEDIA_TYPE", f"Content type {sent or 'none'} is not supported")
        saves = "allowsave=true" in request.headers.get("sforce-duplicate-rule-header", "").lower().replace(" ", "")
        caller = Caller(
            session.user_id, session.app.name, "rest", version,
            _option(request.headers.get("sforce-call-options", ""), "client"), saves,
        )  # fmt: skip
        params = dict(parse_qsl(request.query, keep_blank_values=True))
        return Call(self, request.method, path, params, request.headers, raw, version, caller)

    # -- identity

    def _identity(self, request: Request, base: str) -> Reply:
        path = request.path.rstrip("/")
        match path:
            case "/services/oauth2/token":
                return self._token(request, base)
            case "/services/oauth2/revoke":
                self.sessions.expire(f"Bearer {request.form().get('token', '')}")
                return Reply(200)
            case "/services/oauth2/introspect":
                return self._introspect(request)
            case "/services/oauth2/userinfo":
                return self._who(request, base, claims=True)
        if path.startswith("/id/"):
            return self._who(request, base, claims=False)
        return Reply(404, b"<html><body>URL No Longer Exists</body></html>", content_type="text/html")

    def _token(self, request: Request, base: str) -> Reply:
        if request.method != "POST":
            return _oauth(OAuthError("invalid_request", "invalid request"))
        host = request.headers.get("host", "")
        try:
            body = self.sessions.grant(request.form(), request.headers.get("authorization", ""), host, base)
        except OAuthError as error:
            return _oauth(error)
        return Reply(200, orjson.dumps(body), {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"})

    def _introspect(self, request: Request) -> Reply:
        form = request.form()
        try:
            self.sessions.client(form, request.headers.get("authorization", ""))
        except OAuthError:
            return _oauth(OAuthError("invalid_client", "invalid client credentials", 401))
        return Reply(200, orjson.dumps(self.sessions.introspected(form.get("token", ""))))

    def _who(self, request: Request, base: str, *, claims: bool) -> Reply:
        try:
            session = self.sessions.of_header(request.headers.get("authorization", ""))
        except SalesforceError:
            return Reply(403, b"Bad_OAuth_Token", content_type="text/plain")
        if claims:
            return Reply(200, orjson.dumps(self.sessions.userinfo(session, base)))
        if request.path.rstrip("/").split("/")[2:] != [self.org.id, session.user_id]:
            return Reply(404, b"Bad_Id", content_type="text/plain")
        return Reply(200, orjson.dumps(self.sessions.identity(session, base)))

    # -- disturbances, in the vendor's words

    def _disturbance(self, request: Request, error: SalesforceError) -> Reply:
        if request.path.startswith("/services/Soap/"):
            return soap.unavailable_fault(error.code, error.message)
        if not request.path.startswith(_DATA):
            return _oauth(OAuthError(error.code.lower(), error.message, 503 if error.status == 503 else 400))
        return Reply(error.status, orjson.dumps(error.body()))

    def overloaded(self, request: Request) -> Reply:
        if request.path == "/services/oauth2/token":
            return _oauth(OAuthError("rate_limit_exceeded", "login rate limit exceeded"))
        return self._disturbance(request, exceeded_long())

    def broken(self, request: Request) -> Reply:
        number = self._fail_dice.randrange(10**9)
        message = ("An unexpected error occurred. Please include this ErrorId if you contact support: "
                   f"{number}-{number % 99991} (-{number % 1999993})")  # fmt: skip
        if request.path == "/services/oauth2/token":
            return Reply(500, orjson.dumps({"error": "unknown_error", "error_description": "retry your request"}))
        return self._disturbance(request, SalesforceError("UNKNOWN_EXCEPTION", message))

    def unavailable(self, request: Request) -> Reply:
        return self._disturbance(
            request, SalesforceError("SERVER_UNAVAILABLE", "The server is temporarily unavailable")
        )

    def expire_token(self, request: Request) -> None:
        self.sessions.expire(request.headers.get("authorization", ""))

    def job_fails_at(self) -> int:
        """The chunk of 200 rows before which a starting job fails; -1 when it does not."""
        if self._fail_next >= 0:
            chunk, self._fail_next = self._fail_next, -1
            return chunk
        rate = self.room.faults.plan.job_fail
        return self._fail_dice.randrange(4) if rate and self._fail_dice.random() < rate else -1

    def fail_next_job(self, after_rows: int = 0) -> None:
        """The next bulk job fails after so many rows, the rest unprocessed."""
        self._fail_next = after_rows // 200

    # -- the judge and the people

    def select(self, entities: Iterable[str]) -> None:
        """Choose the objects of change data capture. Raises :class:`ActError`."""
        chosen = list(dict.fromkeys(entities))
        for name in chosen:
            kind = self.org.schema.kinds.get(name)
            if kind is None or not kind.changes:
                raise ActError(f"{name} cannot be selected for change data capture")
        if len(chosen) > self.limits.settings.selected_entities:
            raise ActError(f"at most {self.limits.settings.selected_entities} objects can be selected")
        self.stream.selected = dict.fromkeys(chosen)
        for name in chosen:
            self.stream.schema(self.org.schema.kinds[name])

    def objects(self) -> Mapping[str, Iterable[Mapping[str, Any]]]:
        return {name: self._shown(name) for name in self.org.tables}

    def _shown(self, name: str) -> Iterator[Mapping[str, Any]]:
        table = self.org.tables[name]
        for row in table.all(deleted=True):
            yield whole(self.org, table.kind, row)

    def counts(self) -> dict[str, int]:
        return {name: table.live for name, table in self.org.tables.items()}

    def populate(self, world: World) -> None:
        inhabitants.populate(self, world)

    async def act(self, deed: Mapping[str, Any]) -> Any:
        """See :class:`People`."""
        if deed.get("op") not in self.people.deeds:
            raise ActError(f"salesforce knows no {deed.get('op')!r}; there are {', '.join(self.people.deeds)}")
        return self.people.act(deed)


def _base(request: Request) -> str:
    return f"{request.headers.get(':scheme', 'http')}://{request.headers.get('host', 'localhost')}"


def _oauth(error: OAuthError) -> Reply:
    return Reply(error.status, orjson.dumps({"error": error.error, "error_description": error.description}))


def _option(header: str, name: str) -> str:
    """``client=syncd, defaultNamespace=ns``."""
    for part in header.split(","):
        key, _, value = part.strip().partition("=")
        if key.strip().lower() == name:
            return value.strip()
    return ""


def _unpacked(request: Request) -> bytes:
    if request.headers.get("content-encoding", "").lower() != "gzip":
        return request.body
    try:
        return gzip.decompress(request.body)
    except (OSError, EOFError, zlib.error):
        raise SalesforceError("JSON_PARSER_ERROR", "the body is not gzip") from None
