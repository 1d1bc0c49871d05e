"""The control API: routes over queries and commands. See :mod:`syncd.control.messages` for what is said."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from syncd.control import messages as m
from syncd.control import queries
from syncd.control.merge_messages import MergeRequest, MergeResult
from syncd.engine import merging, replay
from syncd.engine.capture import Captor
from syncd.engine.flows import Flows
from syncd.engine.health import Health
from syncd.engine.replay import Chosen, CommandReusedError, ReplayError
from syncd.engine.signals import News, Signals
from syncd.model.change import Lane
from syncd.runtime.clock import World
from syncd.runtime.metrics import Metrics
from syncd.store import books
from syncd.store.database import Database, Tx
from syncd.store.errors import StoreError

T = TypeVar("T")

_log = structlog.get_logger("syncd.control")

PAGE_LIMIT = 500
_WHOLE = re.compile(r"[0-9]{1,18}")
_RECORD_PLACE = re.compile(r"[0-9]{1,18}:.+")
BODY_LIMIT = 1024 * 1024


class BadRequestError(Exception):
    """The request makes no sense; the message names the part and what was expected."""


class StatusSource(Protocol):
    """Whoever can say how everything is."""

    async def status(self) -> m.Status: ...

    def windows(self) -> list[m.WindowLine]: ...


class Control:
    """The handlers, with what they stand on."""

    def __init__(
        self, *, database: Database, flows: Flows, signals: Signals, health: Health, captor: Captor,
        status: StatusSource, systems: dict[str, str], world: World, metrics: Metrics,
    ) -> None:  # fmt: skip
        self._database = database
        self._flows = flows
        self._signals = signals
        self._health = health
        self._captor = captor
        self._status = status
        self._systems = systems
        self._world = world
        self._metrics = metrics

    def app(self) -> Starlette:
        routes = [
            Route("/v1/status", self._guard(self.status)),
            Route("/v1/stream", self._guard(self.stream)),
            Route("/v1/tail", self._guard(self.tail)),
            Route("/v1/queue", self._guard(self.queue)),
            Route("/v1/failures", self._guard(self.failures)),
            Route("/v1/failures/{fingerprint}", self._guard(self.failure)),
            Route("/v1/dead-letters/{number:int}", self._guard(self.dead_letter)),
            Route("/v1/records", self._guard(self.records)),
            Route("/v1/records/{number}", self._guard(self.record)),
            Route("/v1/records/{number}/history", self._guard(self.history)),
            Route("/v1/records/{number}/attempts", self._guard(self.attempts)),
            Route("/v1/replay", self._guard(self.replay), methods=["POST"]),
            Route("/v1/discard", self._guard(self.discard), methods=["POST"]),
            Route("/v1/merge", self._guard(self.merge), methods=["POST"]),
            Route("/v1/budgets", self._guard(self.budgets)),
            Route("/v1/runs", self._guard(self.runs)),
            Route("/v1/runs/now", self._guard(self.run_now), methods=["POST"]),
            Route("/v1/flows", self._guard(self.flows), methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _no_route})

    def _guard(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Expected failures become problems; unexpected ones become a 503 that is logged, never a silent 500."""

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except queries.NotFoundError as error:
                return _problem(404, "not-found", str(error))
            except CommandReusedError as error:
                return _problem(409, "command-reused", str(error))
            except (ReplayError, BadRequestError, msgspec.DecodeError) as error:
                return _problem(400, "bad-request", str(error))
            except (OverflowError, RecursionError):
                return _problem(400, "bad-request", "a number is too large or the JSON too deep")
            except StoreError as error:
                return _problem(503, "store-unavailable", str(error))
            except Exception as error:  # noqa: BLE001 - told, with its place in the log
                _log.error(
                    "control.failed", path=request.scope["route"].path, error=type(error).__name__, exc_info=error
                )
                told = f"syncd failed to answer: {type(error).__name__}; its log says where"
                return _problem(503, "internal", told)

        return guarded

    # --- reading -----------------------------------------------------------------------------------------------

    async def status(self, request: Request) -> Response:
        del request
        return _reply(await self._status.status())

    async def stream(self, request: Request) -> Response:
        interval = min(60.0, max(0.1, _seconds(request, "interval", 1.0)))
        first = await self._status.status()

        async def lines() -> AsyncIterator[bytes]:
            yield msgspec.json.encode(first) + b"\n"
            with contextlib.suppress(StoreError):
                # The end of the stream says enough; whoever comes again is told why.
                while True:
                    await asyncio.sleep(interval)
                    yield msgspec.json.encode(await self._status.status()) + b"\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def tail(self, request: Request) -> Response:
        if request.query_params.get("follow", "true") == "false":
            body = b"".join(_tail_line(one) for one in self._signals.recent(100))
            return Response(body, media_type="application/x-ndjson")

        async def lines() -> AsyncIterator[bytes]:
            async for one in self._signals.follow():
                yield _tail_line(one)

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def queue(self, request: Request) -> Response:
        query = request.query_params
        return _reply(
            await self._database.read(
                partial(
                    queries.queue_page, now=self._now(), connection=query.get("connection", ""),
                    state=query.get("state", ""), lane=_lane(request), limit=_limit(request),
                    after=_number(request, "after", 0),
                )
            )
        )  # fmt: skip

    async def failures(self, request: Request) -> Response:
        query = request.query_params
        return _reply(
            await self._database.read(
                partial(
                    queries.failure_groups, now=self._now(), connection=query.get("connection", ""),
                    entity=query.get("entity", ""),
                )
            )
        )  # fmt: skip

    async def failure(self, request: Request) -> Response:
        return _reply(
            await self._database.read(
                partial(
                    queries.dead_letters, flows=self._flows, fingerprint=request.path_params["fingerprint"],
                    limit=_limit(request), after=_number(request, "after", 0),
                )
            )
        )  # fmt: skip

    async def dead_letter(self, request: Request) -> Response:
        number = request.path_params["number"]
        return _reply(await self._database.read(partial(queries.dead_letter, flows=self._flows, number=number)))

    async def records(self, request: Request) -> Response:
        query = request.query_params
        after = query.get("after", "")
        if after and not _RECORD_PLACE.fullmatch(after):
            raise BadRequestError("after: give what the page before said")
        return _reply(
            await self._database.read(
                partial(
                    queries.record_page, query=query.get("query", ""), entity=query.get("entity", ""),
                    limit=_limit(request), after=after,
                )
            )
        )  # fmt: skip

    async def record(self, request: Request) -> Response:
        number = request.path_params["number"]
        return _reply(
            await self._database.read(
                partial(queries.record_detail, flows=self._flows, number=number, systems=self._systems)
            )
        )

    async def history(self, request: Request) -> Response:
        number, limit = request.path_params["number"], _limit(request)
        return _reply(await self._database.read(partial(queries.history, number=number, limit=limit)))

    async def attempts(self, request: Request) -> Response:
        number, limit = request.path_params["number"], _limit(request)
        return _reply(await self._database.read(partial(queries.attempts, number=number, limit=limit)))

    async def budgets(self, request: Request) -> Response:
        del request
        return _reply(m.Budgets(at=self._now(), windows=self._status.windows()))

    async def runs(self, request: Request) -> Response:
        del request
        now = self._now()
        lines = [
            m.RunLine(
                mapping=run.mapping, kind=run.kind, every_seconds=run.every_seconds,  # type: ignore[arg-type]
                state=run.state,  # type: ignore[arg-type]
                last_started_at=run.last_started_at, last_ended_at=run.last_ended_at, next_at=next_at, seen=run.seen,
                staged=run.staged, error=run.error,
                cursor_age_seconds=(now - run.last_ended_at) / 1000 if run.last_ended_at else None,
            )
            for run, next_at in self._captor.runs()
        ]  # fmt: skip
        lines += await self._database.read(
            partial(queries.stream_lines, flows=self._flows, now=now, paused=self._health.is_paused)
        )
        return _reply(m.Runs(at=now, runs=lines))

    # --- commands ----------------------------------------------------------------------------------------------

    async def replay(self, request: Request) -> Response:
        asked = await _body(request, m.ReplayRequest)
        chosen = _chosen(asked.selection)
        if asked.preview:
            found = await self._database.read(partial(replay.choose, chosen=chosen))
            return _reply(m.ReplayResult(matched=len(found), replayed=0))
        _signed(asked.command_id, asked.who)
        outcome = await self._database.write(
            partial(
                replay.replay, flows=self._flows, chosen=chosen, command_id=asked.command_id, who=asked.who,
                why=asked.why, edits=asked.edits, now=self._now(),
            )
        )  # fmt: skip
        self._signals.ring_staged()
        for connection in outcome.connections:
            self._signals.due(connection).ring()
        self._metrics.replayed("replayed", outcome.replayed)
        self._signals.tell("replay.done", who=asked.who, matched=outcome.matched, replayed=outcome.replayed)
        return _reply(m.ReplayResult(matched=outcome.matched, replayed=outcome.replayed, refused=list(outcome.refused)))

    async def discard(self, request: Request) -> Response:
        asked = await _body(request, m.DiscardRequest)
        _signed(asked.command_id, asked.who)
        matched, done = await self._database.write(
            partial(
                replay.discard, chosen=_chosen(asked.selection), command_id=asked.command_id, who=asked.who,
                why=asked.why, now=self._now(),
            )
        )  # fmt: skip
        self._metrics.replayed("discarded", done)
        self._signals.tell("discard.done", who=asked.who, matched=matched, discarded=done)
        return _reply(m.DiscardResult(matched=matched, discarded=done))

    async def merge(self, request: Request) -> Response:
        asked = await _body(request, MergeRequest)
        if asked.preview:
            found = partial(queries.merge_preview, flows=self._flows, survivor=asked.survivor, absorbed=asked.absorbed)
            return _reply(await self._database.read(found))
        _signed(asked.command_id, asked.who)
        known = await self._database.write(
            partial(
                merging.ask, flows=self._flows, command_id=asked.command_id, who=asked.who, why=asked.why,
                now=self._now(), survivor=asked.survivor, absorbed=asked.absorbed,
            )
        )  # fmt: skip
        self._signals.merges.ring()
        return _reply(MergeResult(state=known.state, reason=known.reason))  # type: ignore[arg-type]

    async def run_now(self, request: Request) -> Response:
        asked = await _body(request, m.RunNowRequest)
        if asked.mapping not in {one.name for one in self._flows.mappings}:
            raise queries.NotFoundError(f"there is no mapping {asked.mapping}")
        reason = self._captor.run_now(asked.mapping, asked.kind)
        if not reason:
            self._signals.tell("run.asked", who=asked.who, mapping=asked.mapping, kind=asked.kind)
        return _reply(m.RunNowResult(started=not reason, reason=reason))

    async def flows(self, request: Request) -> Response:
        asked = await _body(request, m.FlowRequest)
        _signed(asked.command_id, asked.who)
        known = {one.name for one in self._flows.mappings} | set(self._flows.systems)
        if asked.target not in known:
            raise queries.NotFoundError(f"there is no connection or mapping {asked.target}")
        changed, paused = await self._database.write(partial(_pause, asked=asked, now=self._now()))
        self._health.paused = frozenset(paused)
        self._signals.tell("flow.paused" if asked.paused else "flow.resumed", who=asked.who, target=asked.target)
        self._signals.ring_staged()
        self._signals.due(asked.target.split(".", 1)[0]).ring()
        return _reply(m.FlowResult(target=asked.target, paused=asked.paused, changed=changed))

    def _now(self) -> int:
        return self._world.clock.now_ms()


def _pause(tx: Tx, asked: m.FlowRequest, now: int) -> tuple[bool, set[str]]:
    action = f"{'pause' if asked.paused else 'resume'} {asked.target}"
    before = replay.answered(tx, asked.command_id, action)
    if before is not None:
        return before == "changed", books.pauses(tx)
    changed = books.set_pause(tx, asked.target, now, asked.who, asked.why, paused=asked.paused)
    # Also what changed nothing is noted: repeated later, it must change nothing then either.
    outcome = "changed" if changed else "unchanged"
    books.add_audit(tx, now, asked.command_id, asked.who, action, asked.target, asked.why, {}, outcome)
    return changed, books.pauses(tx)


def _chosen(selection: m.Selection) -> Chosen:
    return Chosen(tuple(selection.ids), selection.fingerprint, selection.connection, selection.entity, selection.all)


def _tail_line(one: News) -> bytes:
    line = m.TailLine(
        at=one.at, event=one.event, level=one.level, connection=one.connection, entity=one.entity,
        record_id=one.record_id, correlation_id=one.correlation_id, detail=dict(one.detail),
    )  # fmt: skip
    return msgspec.json.encode(line) + b"\n"


def _limit(request: Request) -> int:
    return max(1, min(PAGE_LIMIT, _number(request, "limit", 100)))


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text):
        raise BadRequestError(f"{name}: must be a whole number")
    return int(text)


def _seconds(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    try:
        return default if text is None else float(text)
    except ValueError:
        raise BadRequestError(f"{name}: must be a number of seconds") from None


def _lane(request: Request) -> str:
    text = request.query_params.get("lane", "")
    if text and text.upper() not in Lane.__members__:
        raise BadRequestError(f"lane: must be one of {', '.join(name.lower() for name in Lane.__members__)}")
    return text


def _signed(command_id: str, who: str) -> None:
    """A command says who gives it, and has an id by which its repetition is known."""
    if not command_id.strip():
        raise BadRequestError("command_id: make one up for every command; the same again means the same command")
    if not who.strip():
        raise BadRequestError("who: say who asks")


async def _body(request: Request, kind: type[T]) -> T:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            raise BadRequestError(f"the request is larger than {BODY_LIMIT} bytes")
    return msgspec.json.decode(bytes(body), type=kind)


def _reply(message: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(message), media_type="application/json")


async def _no_route(request: Request, error: Exception) -> Response:
    del request
    status = error.status_code if isinstance(error, HTTPException) else 404
    code = "method-not-allowed" if status == 405 else "not-found"
    return _problem(status, code, "there is no such route; the routes stand in the API's description")


def _problem(status: int, code: str, message: str) -> Response:
    return Response(
        msgspec.json.encode(m.Problem(code=code, message=message)), status, media_type="application/problem+json"
    )
