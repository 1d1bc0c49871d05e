"""Calls an ASGI application for one whole request: health and metrics beside the hot routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

import structlog

from syncd.intake.faults import place
from syncd.intake.reply import Reply, status_line, unavailable

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_log = structlog.get_logger(__name__)


class _Collector:
    """Gathers what an application sends into one reply."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def reply(self) -> Reply:
        lines = [status_line(self.status)]
        lines += [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name.lower() != b"content-length"]
        lines.append(b"content-length: %d\r\n" % len(self.body))
        return Reply(self.status, b"".join(lines), bytes(self.body))


async def call_application(
    application: Application,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    respond: Callable[[Reply], None],
) -> None:
    """Run the application and respond once; an application that fails is answered 503."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": None,
        "server": None,
    }
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            return {"type": "http.disconnect"}
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    collector = _Collector()
    try:
        await application(scope, receive, collector.send)
    except Exception as error:  # noqa: BLE001
        _log.error("intake.route_failed", path=path, error=type(error).__name__, place=place(error))
    respond(collector.reply() if collector.status else unavailable("internal", "the route did not answer", 30))
