"""What every HTTP request passes: a request id, a log line, counters. Pure ASGI, so that streams stream."""

import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.ids import new_id
from app.core.telemetry import REQUEST_SECONDS, REQUESTS

_log = structlog.get_logger("http")
_GOOD_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


class Noted:
    """Gives each request an id (the client's, where it sends a good one), logs it and counts it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("x-request-id", "")
        request_id = said if _GOOD_ID.match(said) else new_id().hex
        started, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, noting)
            finally:
                self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        door = getattr(scope.get("route"), "path", "none")
        REQUESTS.labels(door, str(status)).inc()
        REQUEST_SECONDS.labels(door).observe(seconds)
        _log.info("request", method=scope["method"], door=door, status=status, ms=round(seconds * 1000, 1))
