"""HTTP/1.1 for the intake: an asyncio protocol over httptools, with limits, deadlines and answers in order.

A general server spends more on each request than the intake does on judging it; this one hands over whole, bounded
requests and nothing else. llhttp (strict) refuses smuggling: lengths beside chunked coding, repeated lengths,
bare line feeds, folded headers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final, NoReturn, cast

import httptools
import structlog

from syncd.intake.app import Intake
from syncd.intake.bridge import Application, call_application
from syncd.intake.limits import Limits
from syncd.intake.reply import Reply, problem, unavailable

_JOINED: Final = {"webhook-signature": " "}
"""Headers whose repetitions join by something else than a comma."""
_SINGLE: Final = frozenset({"host", "content-type", "authorization", "content-encoding", "traceparent"})
_SINGLE_PREFIXES: Final = ("ce-", "webhook-", "x-hubspot-")
"""Headers that decide who speaks and what is said: a second one could be read differently by somebody in between."""
_NAMES: Final = {
    form.encode(): name
    for name in (
        "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host",
        "traceparent", "user-agent", "webhook-id", "webhook-signature", "webhook-timestamp",
    )
    for form in (name, name.title())
}  # fmt: skip
"""Frequent names as they are mostly written, so that they need no decoding."""
_HOP: Final = frozenset({"connection", "upgrade", "http2-settings"})
LINGER_SECONDS: Final = 2.0
"""How long a refused sender's bytes are thrown away, so that it reads the answer instead of a reset."""

_log = structlog.get_logger(__name__)


class _StopParsingError(Exception):
    """Leaves the parser: the connection has its last answer."""


class Listener:
    """What all connections of a server share."""

    def __init__(self, intake: Intake, extra_routes: Mapping[str, Application]) -> None:
        self.intake = intake
        self.limits: Limits = intake.limits
        self.extra_routes = extra_routes
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.date_line = b""
        self.draining = False

    def protocol(self) -> Connection:
        return Connection(self)

    def sweep(self, now: float) -> None:
        """Cut what is too slow. ``now`` is the loop's time."""
        for connection in tuple(self.connections):
            connection.check_deadlines(now)

    def drain(self) -> None:
        """No new requests: idle connections close now, busy ones after their answers."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.close_when_idle()


class Exchange:
    """One request's place in the order of answers."""

    __slots__ = ("_connection", "answer", "head_only", "keep_alive", "since")

    def __init__(self, connection: Connection, keep_alive: bool, head_only: bool, since: float) -> None:
        self._connection = connection
        self.keep_alive = keep_alive
        self.head_only = head_only
        self.since = since
        self.answer: Reply | None = None

    def respond(self, answer: Reply) -> None:
        """Answer. A second answer is ignored: the first one may have been "too late"."""
        if self.answer is None:
            self.answer = answer
            self._connection.flush()


class Connection(asyncio.Protocol):
    """One sender's connection."""

    __slots__ = (
        "_body", "_body_bytes", "_completed", "_head_bytes", "_head_unread", "_header_count", "_headers", "_in_head",
        "_listener", "_loop", "_method", "_parser", "_peer_done", "_pending", "_quiet_since", "_reading", "_rebuild",
        "_request_since", "_shut", "_target", "_transport", "_used", "_write_stuck_since",
    )  # fmt: skip

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._pending: deque[Exchange] = deque()
        self._transport: asyncio.Transport
        self._reading = True
        self._shut = False
        """The last answer was given; what still arrives is thrown away."""
        self._request_since = 0.0
        """When the request that is being read began; 0 between requests."""
        self._quiet_since = self._loop.time()
        self._write_stuck_since = 0.0
        self._rebuild = b""
        """The head of a request that offers an upgrade, without the offer."""
        self._used = False
        self._peer_done = False
        self._completed = False
        self._reset_request()

    # --- transport -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        listener = self._listener
        full = len(listener.connections) >= listener.limits.connections
        listener.connections.add(self)
        listener.intake.meter.connections = len(listener.connections)
        if full or listener.draining:
            self._finish(unavailable("connections", "too many connections are open", 5, close=True))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._shut = True
        self._pending.clear()
        self._body.clear()
        self._listener.connections.discard(self)
        self._listener.intake.meter.connections = len(self._listener.connections)

    def eof_received(self) -> bool:
        # Half-closed: answers that are due are still written.
        if self._pending and not self._shut:
            self._peer_done = True
            self._pending[-1].keep_alive = False
            return True
        return False

    def pause_writing(self) -> None:
        # A sender that does not read its answers gets no more of its requests read.
        self._write_stuck_since = self._loop.time()
        self._pause()

    def resume_writing(self) -> None:
        self._write_stuck_since = 0.0
        self._resume()

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            if self._request_since:
                # The time we did not read does not count.
                self._request_since = self._loop.time()
            self._transport.resume_reading()

    # --- bytes to requests -----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._shut:
            return
        self._completed = False
        try:
            self._parse(data)
        except httptools.HttpParserError:
            if not self._shut:
                self._break("http", "the request is not valid HTTP/1.1")
        # Bytes of a header that has no end yet are told by no callback.
        if self._in_head and not self._completed:
            self._head_unread += len(data)
            if self._head_unread > 2 * self._listener.limits.header_bytes and not self._shut:
                self._finish(problem(431, "header-size", "the headers are too large", close=True))

    def _parse(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                # An upgrade may be ignored (RFC 9110, 7.8), and some clients always offer h2c: carry on with a
                # parser that never saw the offer.
                head, self._rebuild = self._rebuild, b""
                rest = memoryview(rest)[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
                self._parser.feed_data(head)
            else:
                return

    def _reset_request(self) -> None:
        self._target = b""
        self._method = ""
        self._headers: dict[str, str] = {}
        self._header_count = 0
        self._head_bytes = 0
        self._head_unread = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._in_head = False

    def on_message_begin(self) -> None:
        self._reset_request()
        self._in_head = True
        self._request_since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self._listener.limits.target_bytes:
            self._stop(problem(414, "target-size", "the path is too long", close=True))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._head_bytes += len(name) + len(value) + 4
        limits = self._listener.limits
        if self._head_bytes > limits.header_bytes or self._header_count > limits.header_count:
            self._stop(problem(431, "header-size", "the headers are too many or too large", close=True))
        if not self._in_head:
            # Trailers are counted and otherwise ignored.
            return
        key = _NAMES.get(name) or name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers = self._headers
        if key in headers:
            if key in _JOINED:
                text = headers[key] + _JOINED[key] + text
            elif key in _SINGLE or key.startswith(_SINGLE_PREFIXES):
                self._stop(problem(400, "header-repeated", "a header that must be single is repeated", close=True))
            else:
                text = f"{headers[key]}, {text}"
        headers[key] = text

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._method = self._parser.get_method().decode("ascii")
        if self._method == "CONNECT":
            self._stop(problem(400, "http", "this is no proxy", close=True))
        headers = self._headers
        length = int(headers.get("content-length", "0"))
        if length > self._listener.limits.body_bytes:
            self._stop_too_large()
        if "host" not in headers and self._parser.get_http_version() == "1.1":
            self._stop(problem(400, "host", "the Host header is missing", close=True))
        expects = headers.get("expect")
        if expects is not None and expects.lower() == "100-continue" and not self._pending:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._parser.should_upgrade():
            self._rebuild = self._without_upgrade()

    def _without_upgrade(self) -> bytes:
        kept = [f"{name}: {value}\r\n" for name, value in self._headers.items() if name not in _HOP]
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (self._method.encode(), self._target, "".join(kept).encode("latin-1"))

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > self._listener.limits.body_bytes:
            self._stop_too_large()
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._completed = True
        if self._rebuild or self._shut:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self._request_since = 0.0
        now = self._quiet_since = self._loop.time()
        self._used = True
        keep_alive = self._parser.should_keep_alive() and not self._listener.draining
        exchange = Exchange(self, keep_alive, self._method == "HEAD", now)
        self._pending.append(exchange)
        self._dispatch(exchange, body)
        if len(self._pending) >= self._listener.limits.pipelined:
            self._pause()

    def _dispatch(self, exchange: Exchange, body: bytes) -> None:
        target = self._target.decode("latin-1")
        if not target.startswith("/"):
            # Absolute form (RFC 9112, 3.2.2): the authority says nothing here.
            target = "/" + target.partition("://")[2].partition("/")[2]
        application = self._listener.extra_routes.get(target.partition("?")[0])
        if application is None:
            self._listener.intake.handle(self._method, target, self._headers, body, exchange.respond)
            return
        task = self._loop.create_task(
            call_application(application, self._method, target, self._headers, body, exchange.respond)
        )
        self._listener.tasks.add(task)
        task.add_done_callback(self._listener.tasks.discard)

    # --- answers ---------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write the answers that are due, in the order of their requests."""
        pending = self._pending
        while pending and (answer := pending[0].answer) is not None:
            exchange = pending.popleft()
            self._write(answer, exchange)
            if self._shut:
                pending.clear()
                return
        if not self._reading and not self._write_stuck_since and len(pending) < self._listener.limits.pipelined:
            self._resume()

    def _write(self, answer: Reply, exchange: Exchange) -> None:
        if self._transport.is_closing():
            self._shut = True
            return
        body = b"" if exchange.head_only else answer.body
        if exchange.keep_alive and not answer.close:
            self._transport.write(answer.head + self._listener.date_line + b"\r\n" + body)
            return
        self._transport.write(answer.head + self._listener.date_line + b"connection: close\r\n\r\n" + body)
        self._shut = True
        self._quiet_since = self._loop.time()
        if self._peer_done or not self._transport.can_write_eof():
            self._transport.close()
        else:
            # Closing with unread bytes would reset the connection and take the answer with it.
            self._transport.write_eof()
            self._resume()

    def _stop(self, answer: Reply) -> NoReturn:
        """Refuse from inside a parser callback."""
        self._finish(answer)
        raise _StopParsingError

    def _stop_too_large(self) -> NoReturn:
        limit = self._listener.limits.body_bytes
        self._stop(problem(413, "body-size", f"the body is larger than {limit} bytes", close=True))

    def _break(self, check: str, detail: str) -> None:
        self._finish(problem(400, check, detail, close=True))

    def _finish(self, answer: Reply) -> None:
        """Give the last answer of this connection, after those that are due before it."""
        if any(not exchange.keep_alive for exchange in self._pending):
            return
        if answer.check:
            self._listener.intake.meter.refused[answer.status, answer.check] += 1
        self._request_since = 0.0
        exchange = Exchange(self, keep_alive=False, head_only=False, since=self._loop.time())
        self._pending.append(exchange)
        self._body.clear()
        exchange.respond(answer)

    # --- deadlines -------------------------------------------------------------------------------------------

    def check_deadlines(self, now: float) -> None:
        limits = self._listener.limits
        if self._shut:
            if now - self._quiet_since > LINGER_SECONDS:
                self._transport.abort()
        elif self._write_stuck_since and now - self._write_stuck_since > limits.answer_seconds:
            self._transport.abort()
        elif self._request_since and now - self._request_since > limits.request_seconds and self._reading:
            self._finish(problem(408, "request-time", "the request took too long to arrive", close=True))
        elif self._pending and now - self._pending[0].since > limits.answer_seconds:
            self._pending[0].respond(unavailable("commit-time", "the changes are not stored yet", 5))
        elif not self._pending and not self._request_since and now - self._quiet_since > self._patience():
            self._transport.close()

    def _patience(self) -> float:
        """Seconds without a request: a connection that never sent one gets less."""
        return self._listener.limits.idle_seconds if self._used else self._listener.limits.request_seconds

    def abort(self) -> None:
        """Close at once, whatever is due."""
        self._transport.abort()

    def close_when_idle(self) -> None:
        """Close now, or after the answers that are due."""
        if self._pending:
            self._pending[-1].keep_alive = False
        elif not self._shut and not self._request_since:
            self._transport.close()
