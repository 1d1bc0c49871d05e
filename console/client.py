"""The control API as seen by an operator: typed calls over the Unix socket, with retries that have one effect.

Errors are three::

    ClientError
    |- UnreachableError  no daemon answers at the socket (exit code 3)
    |- RefusedError      the daemon answered with a problem (exit code by its HTTP status)
    `- GarbledError      what answers does not speak this API (exit code 3)
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from syncd.control import messages as m
from syncd.control.merge_messages import MergeRequest, MergeResult

T = TypeVar("T")

TRIES: Final = 6
"""Of a command, while the daemon restarts; together with the waits about ten seconds."""

_CALL = httpx.Timeout(15.0, connect=2.0)


class ClientError(Exception):
    """Something an operator must hear about; the text says what, where and what to do."""

    code = "error"


class UnreachableError(ClientError):
    code = "unreachable"


class RefusedError(ClientError):
    def __init__(self, status: int, problem: m.Problem) -> None:
        super().__init__(problem.message)
        self.status = status
        self.code = problem.code


class GarbledError(ClientError):
    code = "garbled"


def new_command_id() -> str:
    """Names one command, so that sending it twice has one effect."""
    return uuid.uuid4().hex


class Client:
    """One connection pool to the daemon behind ``socket``. Use as an async context manager, or call :meth:`close`."""

    def __init__(
        self,
        socket: Path,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.socket = socket
        self._sleep = sleep
        self._http = httpx.AsyncClient(
            transport=transport or httpx.AsyncHTTPTransport(uds=str(socket)),
            base_url="http://syncd",
            timeout=_CALL,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    # --- reading ------------------------------------------------------------------------------------------------

    async def status(self) -> m.Status:
        return await self._get("/v1/status", m.Status)

    async def queue(
        self, *, connection: str = "", state: str = "", lane: str = "", limit: int = 100, after: int | None = None
    ) -> m.QueuePage:
        return await self._get(
            "/v1/queue", m.QueuePage, connection=connection, state=state, lane=lane, limit=limit, after=after
        )

    async def failures(self, *, connection: str = "", entity: str = "") -> m.FailureGroups:
        return await self._get("/v1/failures", m.FailureGroups, connection=connection, entity=entity, state="open")

    async def dead_letters(self, fingerprint: str, *, limit: int = 200, after: int | None = None) -> m.DeadLetterPage:
        return await self._get(f"/v1/failures/{_part(fingerprint)}", m.DeadLetterPage, limit=limit, after=after)

    async def dead_letter(self, letter_id: int) -> m.DeadLetterDetail:
        return await self._get(f"/v1/dead-letters/{letter_id}", m.DeadLetterDetail)

    async def records(
        self, query: str = "", *, entity: str = "", limit: int = 200, after: str | None = None
    ) -> m.RecordPage:
        return await self._get("/v1/records", m.RecordPage, query=query, entity=entity, limit=limit, after=after)

    async def record(self, record_id: str) -> m.RecordDetail:
        return await self._get(f"/v1/records/{_part(record_id)}", m.RecordDetail)

    async def history(self, record_id: str, *, limit: int = 100) -> m.History:
        return await self._get(f"/v1/records/{_part(record_id)}/history", m.History, limit=limit)

    async def attempts(self, record_id: str, *, limit: int = 100) -> m.Attempts:
        return await self._get(f"/v1/records/{_part(record_id)}/attempts", m.Attempts, limit=limit)

    async def budgets(self) -> m.Budgets:
        return await self._get("/v1/budgets", m.Budgets)

    async def runs(self) -> m.Runs:
        return await self._get("/v1/runs", m.Runs)

    # --- streams ------------------------------------------------------------------------------------------------

    def stream(self, interval_seconds: float = 1.0) -> AsyncIterator[m.Status]:
        """Snapshots for as long as the daemon sends them. Ends or raises when it goes away."""
        # A daemon that is silent for this long is hung; a fresh connection is the only cure.
        patience = max(6.0, interval_seconds * 4)
        return self._lines("/v1/stream", m.Status, patience, interval=interval_seconds)

    def tail(self, *, follow: bool = True) -> AsyncIterator[m.TailLine]:
        return self._lines("/v1/tail", m.TailLine, None, follow="true" if follow else "false")

    # --- commands -----------------------------------------------------------------------------------------------

    async def replay(self, request: m.ReplayRequest) -> m.ReplayResult:
        return await self._command("/v1/replay", request, m.ReplayResult)

    async def discard(self, request: m.DiscardRequest) -> m.DiscardResult:
        return await self._command("/v1/discard", request, m.DiscardResult)

    async def merge(self, request: MergeRequest) -> MergeResult:
        return await self._command("/v1/merge", request, MergeResult)

    async def set_flow(self, request: m.FlowRequest) -> m.FlowResult:
        return await self._command("/v1/flows", request, m.FlowResult)

    async def run_now(self, request: m.RunNowRequest) -> m.RunNowResult:
        # Without a command id a second sending could start a second run: so it is sent once.
        return await self._call("POST", "/v1/runs/now", m.RunNowResult, body=request)

    # --- plumbing -----------------------------------------------------------------------------------------------

    async def _get(self, path: str, kind: type[T], **query: str | int | None) -> T:
        wanted = {name: value for name, value in query.items() if value not in {None, ""}}
        return await self._call("GET", path, kind, query=wanted)

    async def _command(self, path: str, request: msgspec.Struct, kind: type[T]) -> T:
        """Send a command until it is answered. Its command id makes the repetition harmless."""
        for attempt in range(1, TRIES):
            try:
                return await self._call("POST", path, kind, body=request)
            except UnreachableError:
                await self._sleep(backoff_seconds(attempt + 1))
        return await self._call("POST", path, kind, body=request)

    async def _call(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        query: dict[str, Any] | None = None,
        body: msgspec.Struct | None = None,
    ) -> T:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            reply = await self._http.request(method, path, params=query, content=content, headers=headers)
        except (httpx.TransportError, OSError) as error:
            raise self._unreachable(error) from error
        if not reply.is_success:
            raise _refused(reply.status_code, reply.content)
        return _decoded(reply.content, kind)

    async def _lines(self, path: str, kind: type[T], patience: float | None, **query: str | float) -> AsyncIterator[T]:
        timeout = httpx.Timeout(patience, connect=2.0)
        try:
            async with self._http.stream("GET", path, params=query, timeout=timeout) as reply:
                if not reply.is_success:
                    raise _refused(reply.status_code, await reply.aread())
                async for line in _split(reply.aiter_bytes()):
                    yield _decoded(line, kind)
        except (httpx.TransportError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UnreachableError:
        if isinstance(error, httpx.ReadTimeout):
            return UnreachableError(f"the daemon at {self.socket} does not answer; see `systemctl status syncd`")
        if isinstance(error, httpx.ConnectError) and "Permission denied" in str(error):
            return UnreachableError(f"no permission for {self.socket}; run as the user that runs syncd")
        if not self.socket.exists():
            return UnreachableError(f"no daemon: {self.socket} does not exist; start it, or pass --socket")
        return UnreachableError(f"no daemon answers at {self.socket}; start it with `syncd start`")


def backoff_seconds(attempt: int) -> float:
    """Waits before trying again, short enough that a restarted daemon is seen within three seconds."""
    return float(min(0.1 * 2**attempt, 1.0))


async def _split(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines that are not blank. Only a line feed ends one: the line breaks Unicode knows may stand inside values."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


def _part(text: str) -> str:
    return quote(text, safe="")


def _refused(status: int, content: bytes) -> ClientError:
    try:
        return RefusedError(status, _decoded(content, m.Problem))
    except GarbledError:
        return GarbledError(f"the daemon answered {status} without saying why; are daemon and syncctl of one version?")


def _decoded(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError:
        pass
    # msgspec refuses lone surrogates, which vendors do send and an operator must still be able to see.
    try:
        return msgspec.convert(json.loads(content), type=kind)
    except (ValueError, msgspec.ValidationError) as error:
        raise GarbledError(f"the daemon's answer is not understood: {error}; update the older of the two") from error
