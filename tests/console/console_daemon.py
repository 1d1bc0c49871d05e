"""A daemon that says what the test prepared, on a real Unix socket, and can be killed and started again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import console_samples as samples
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from syncd.control import messages as m
from syncd.control.merge_messages import MergedField, MergedPlace, MergeRequest, MergeResult


class World:
    """What the daemon knows, and what it was asked to do. Lives longer than one run of the daemon."""

    def __init__(self) -> None:
        self.letters: dict[int, m.DeadLetter] = {
            **{n: samples.letter(n, samples.BAD_MAIL) for n in range(8)},
            **{n: samples.letter(n, samples.NO_PROPERTY) for n in range(20, 23)},
            30: samples.letter(30, samples.FORBIDDEN),
        }
        self.details: dict[int, m.DeadLetterDetail] = {}
        self.records = [samples.record_line(n) for n in range(450)]
        self.record_details: dict[str, m.RecordDetail] = {}
        self.status: m.Status | None = None
        self.step = True
        """Whether each snapshot differs from the one before."""
        self.ticks = 0
        self.interval = 0.2
        self.commands: list[msgspec.Struct] = []
        """Every command that arrived, repetitions included."""
        self.effects: list[str] = []
        """Ids of the commands that had an effect: each at most once."""
        self.answers: dict[str, bytes] = {}
        self.drop_replies = 0
        """So many commands take effect, but their answer is lost."""
        self.paused: set[str] = set()
        self.refuse: dict[str, tuple[int, m.Problem]] = {}
        """By path: answers with this problem."""
        self.tail_lines = samples.events()

    def groups(self) -> list[m.FailureGroup]:
        counted = [
            msgspec.structs.replace(group, count=sum(x.fingerprint == group.fingerprint for x in self.open_letters()))
            for group in samples.groups()
        ]
        return [group for group in counted if group.count]

    def open_letters(self) -> list[m.DeadLetter]:
        return [one for one in self.letters.values() if one.state == "open"]

    def snapshot(self, instance: str) -> m.Status:
        self.ticks += self.step
        return self.status or samples.status(tick=self.ticks, failures=self.groups(), instance=instance)

    def select(self, selection: m.Selection) -> list[m.DeadLetter]:
        if selection.ids:
            return [self.letters[one] for one in selection.ids if one in self.letters]
        return [
            one
            for one in self.open_letters()
            if (selection.all or one.fingerprint == selection.fingerprint)
            and (not selection.connection or one.connection == selection.connection)
        ]

    def close(self, letters: list[m.DeadLetter], state: Any, who: str, why: str) -> int:
        open_ones = [one for one in letters if one.state == "open"]
        for one in open_ones:
            self.letters[one.id] = msgspec.structs.replace(one, state=state, closed_by=who, closed_why=why)
        return len(open_ones)


class FakeDaemon:
    """Runs uvicorn in a thread of its own; :meth:`kill` drops every connection at once."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.world = World()
        self.runs = 0
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._gone: asyncio.Event | None = None

    def start(self) -> None:
        self.runs += 1
        self.socket.unlink(missing_ok=True)
        config = uvicorn.Config(
            self._app(),
            uds=str(self.socket),
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=1,
            ws="none",
        )
        ready = threading.Event()

        class Server(uvicorn.Server):
            async def startup(self, *args: Any, **kwargs: Any) -> None:
                await super().startup(*args, **kwargs)
                ready.set()

        self._server = Server(config)
        self._thread = threading.Thread(target=self._run, args=(self._server,), daemon=True)
        self._thread.start()
        assert ready.wait(10), "the fake daemon did not start"

    def _run(self, server: uvicorn.Server) -> None:
        async def serve() -> None:
            self._gone = asyncio.Event()
            await server.serve()

        asyncio.run(serve())

    def kill(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.socket.unlink(missing_ok=True)
        self._server = None

    # --- what it answers ----------------------------------------------------------------------------------------

    def _app(self) -> Starlette:
        get, post = ["GET"], ["POST"]
        return Starlette(
            routes=[
                Route("/v1/status", self._status, methods=get),
                Route("/v1/stream", self._stream, methods=get),
                Route("/v1/tail", self._tail, methods=get),
                Route("/v1/queue", self._queue, methods=get),
                Route("/v1/failures", self._failures, methods=get),
                Route("/v1/failures/{fingerprint}", self._dead_letters, methods=get),
                Route("/v1/dead-letters/{id:int}", self._dead_letter, methods=get),
                Route("/v1/records", self._records, methods=get),
                Route("/v1/records/{id}", self._record, methods=get),
                Route("/v1/records/{id}/history", self._history, methods=get),
                Route("/v1/records/{id}/attempts", self._attempts, methods=get),
                Route("/v1/budgets", self._budgets, methods=get),
                Route("/v1/runs", self._runs, methods=get),
                Route("/v1/runs/now", self._run_now, methods=post),
                Route("/v1/replay", self._replay, methods=post),
                Route("/v1/discard", self._discard, methods=post),
                Route("/v1/merge", self._merge, methods=post),
                Route("/v1/flows", self._flows, methods=post),
            ]
        )

    def _answer(self, request: Request, message: Any) -> Response:
        refusal = self.world.refuse.get(request.url.path)
        if refusal:
            return _json(refusal[1], refusal[0])
        return _json(message)

    async def _status(self, request: Request) -> Response:
        return self._answer(request, self.world.snapshot(f"run-{self.runs}"))

    async def _stream(self, request: Request) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            server = self._server
            while server is not None and not server.should_exit:
                yield msgspec.json.encode(self.world.snapshot(f"run-{self.runs}")) + b"\n"
                await asyncio.sleep(self.world.interval)

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def _tail(self, request: Request) -> Response:
        async def lines() -> AsyncIterator[bytes]:
            for line in self.world.tail_lines:
                yield msgspec.json.encode(line) + b"\n"
            server = self._server
            while request.query_params["follow"] == "true" and server is not None and not server.should_exit:  # noqa: ASYNC110
                await asyncio.sleep(self.world.interval)

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def _queue(self, request: Request) -> Response:
        items = [
            m.QueueItem(delivery_id=n, record_id=samples.record_id(n), title=samples.person(n)[2], entity="customer", connection="crm",
                        object="contacts", state="waiting", lane="live", attempts=n, age_seconds=10.0 * n, due_in_seconds=4.0)
            for n in range(3)
        ]  # fmt: skip
        return self._answer(request, m.QueuePage(items=items, total=3))

    async def _failures(self, request: Request) -> Response:
        groups = self.world.groups()
        return self._answer(
            request, m.FailureGroups(at=samples.AT, groups=groups, open_total=sum(x.count for x in groups))
        )

    async def _dead_letters(self, request: Request) -> Response:
        fingerprint = request.path_params["fingerprint"]
        if fingerprint not in {one.fingerprint for one in self.world.letters.values()}:
            return _json(m.Problem(code="not-found", message=f"no failures with fingerprint {fingerprint}"), 404)
        after, limit = int(request.query_params.get("after", -1)), int(request.query_params.get("limit", 200))
        matching = [x for x in self.world.open_letters() if x.fingerprint == fingerprint]
        rest = [x for x in matching if x.id > after]
        page = rest[:limit]
        more = page[-1].id if len(rest) > limit else None
        return self._answer(request, m.DeadLetterPage(items=page, total=len(matching), after=more))

    async def _dead_letter(self, request: Request) -> Response:
        number = request.path_params["id"]
        letter = self.world.letters.get(number)
        if letter is None:
            return _json(m.Problem(code="not-found", message=f"no dead letter {number}"), 404)
        detail = self.world.details.get(number) or samples.letter_detail(number, letter.fingerprint)
        return self._answer(request, msgspec.structs.replace(detail, letter=letter))

    async def _records(self, request: Request) -> Response:
        query = request.query_params.get("query", "").lower()
        after, limit = int(request.query_params.get("after", 0)), int(request.query_params.get("limit", 200))
        matching = [x for x in self.world.records if query in f"{x.title} {x.id} {x.entity}".lower()]
        page = matching[after : after + limit]
        more = str(after + limit) if len(matching) > after + limit else None
        return self._answer(
            request, m.RecordPage(items=page, total=len(matching), searched=len(self.world.records), after=more)
        )

    async def _record(self, request: Request) -> Response:
        identifier = request.path_params["id"]
        if identifier in self.world.record_details:
            return self._answer(request, self.world.record_details[identifier])
        if identifier not in {one.id for one in self.world.records} and not identifier.startswith("customer-0"):
            return _json(m.Problem(code="not-found", message=f"no record {identifier}"), 404)
        return self._answer(request, samples.record_detail(int(identifier.rsplit("-", 1)[1], 16)))

    async def _history(self, request: Request) -> Response:
        return self._answer(request, samples.history(request.path_params["id"]))

    async def _attempts(self, request: Request) -> Response:
        return self._answer(request, samples.attempts(request.path_params["id"]))

    async def _budgets(self, request: Request) -> Response:
        return self._answer(request, m.Budgets(at=samples.AT, windows=samples.windows()))

    async def _runs(self, request: Request) -> Response:
        return self._answer(request, samples.runs())

    async def _run_now(self, request: Request) -> Response:
        command = msgspec.json.decode(await request.body(), type=m.RunNowRequest)
        self.world.commands.append(command)
        known = {one.mapping for one in samples.runs().runs}
        if command.mapping not in known:
            return _json(m.Problem(code="not-found", message=f"no mapping {command.mapping}"), 404)
        return _json(
            m.RunNowResult(
                started=command.mapping != "shop.carts",
                reason="already running" if command.mapping == "shop.carts" else "",
            )
        )

    async def _replay(self, request: Request) -> Response:
        command = msgspec.json.decode(await request.body(), type=m.ReplayRequest)
        letters = self.world.select(command.selection)
        if command.preview:
            closed = [f"{one.id} is {one.state}" for one in letters if one.state != "open"]
            return self._answer(request, m.ReplayResult(matched=len(letters), replayed=0, refused=closed))

        def act() -> m.ReplayResult:
            replayed = self.world.close(letters, "replayed", command.who, command.why)
            refused = [f"{one.id} is {one.state}" for one in letters if one.state != "open"]
            return m.ReplayResult(matched=len(letters), replayed=replayed, refused=refused)

        return self._once(request, command, act)

    async def _discard(self, request: Request) -> Response:
        command = msgspec.json.decode(await request.body(), type=m.DiscardRequest)
        letters = self.world.select(command.selection)
        return self._once(
            request,
            command,
            lambda: m.DiscardResult(
                matched=len(letters), discarded=self.world.close(letters, "discarded", command.who, command.why)
            ),
        )

    async def _merge(self, request: Request) -> Response:
        command = msgspec.json.decode(await request.body(), type=MergeRequest)
        if command.preview:
            place = MergedPlace(place="crm.contacts", action="merges", survivor_id="1", absorbed_id="2")
            field = MergedField(field="nickname", absorbed="Countess", result="Countess")
            return _json(MergeResult(state="preview", places=[place], fields=[field]))
        self.world.commands.append(command)
        looks = sum(getattr(one, "command_id", "") == command.command_id for one in self.world.commands)
        return _json(MergeResult(state="open" if looks < 2 else "done"))

    async def _flows(self, request: Request) -> Response:
        command = msgspec.json.decode(await request.body(), type=m.FlowRequest)

        def act() -> m.FlowResult:
            changed = (command.target in self.world.paused) != command.paused
            (self.world.paused.add if command.paused else self.world.paused.discard)(command.target)
            return m.FlowResult(target=command.target, paused=command.paused, changed=changed)

        return self._once(request, command, act)

    def _once(self, request: Request, command: Any, act: Any) -> Response:
        self.world.commands.append(command)
        if request.url.path in self.world.refuse:
            return self._answer(request, None)
        if command.command_id not in self.world.answers:
            self.world.effects.append(command.command_id)
            self.world.answers[command.command_id] = msgspec.json.encode(act())
        if self.world.drop_replies:
            self.world.drop_replies -= 1
            return _Dropped()
        return Response(self.world.answers[command.command_id], media_type="application/json")


class _Dropped(Response):
    """Closes the connection in the middle of the answer, as a daemon killed at that moment does."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": False})


def _json(message: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(message), status_code=status, media_type="application/json")
