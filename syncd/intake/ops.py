"""The operations endpoints as one small ASGI application: ``/livez``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias

import orjson
import structlog

from syncd.intake.bridge import Application, Receive, Send
from syncd.intake.faults import place

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Health: TypeAlias = Callable[[], Awaitable[tuple[bool, Mapping[str, Any]]]]
"""Whether all is well, and what to tell: version, checks by name. No secrets and no personal data."""
Metrics: TypeAlias = Callable[[], Awaitable[bytes]]
"""The text exposition of all metrics."""

PATHS: Final = ("/livez", "/readyz", "/metrics")

_log = structlog.get_logger(__name__)


def ops_app(livez: Health, readyz: Health, metrics: Metrics) -> Application:
    """An ASGI application for :data:`PATHS`. Health answers 200 or 503 with JSON; a check that raises is not well."""

    async def health(check: Health) -> tuple[int, str, bytes]:
        try:
            well, told = await check()
        except Exception as error:  # noqa: BLE001
            _log.error("ops.check_failed", error=type(error).__name__, place=place(error))
            well, told = False, {"error": type(error).__name__}
        body = orjson.dumps({"status": "ok" if well else "unavailable", **told})
        return 200 if well else 503, "application/json", body

    async def answer(path: str) -> tuple[int, str, bytes]:
        if path == "/livez":
            return await health(livez)
        if path == "/readyz":
            return await health(readyz)
        if path == "/metrics":
            return 200, METRICS_TYPE, await metrics()
        return 404, "text/plain", b"not found\n"

    async def app(scope: MutableMapping[str, Any], _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"only HTTP is served here, not {scope['type']}")
        if scope["method"] in ("GET", "HEAD"):
            status, content_type, body = await answer(scope["path"])
        else:
            status, content_type, body = 405, "text/plain", b"use GET\n"
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


def ops_routes(app: Application) -> dict[str, Application]:
    """The routes to mount ``app`` beside the intake's own."""
    return dict.fromkeys(PATHS, app)
