"""Admission: how fast an address may send requests, and how many the process has in hand at once.

What it cannot take it refuses at once, before anything is spent on it, with the time to wait. Pure ASGI."""

import time
from itertools import islice

import orjson
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.config import Settings
from app.core.errors import Code, Refusal
from app.core.telemetry import REQUESTS
from graph.core.asker import address_of
from graph.core.errors import STATUS, refused
from graph.core.quotas import Buckets
from graph.http import problems
from graph.server import BURST_SECONDS, Server

PATIENCE_SECONDS = 2.0
MOST_OVERDUE = 50
PROBES = ("/healthz", "/readyz", "/metrics")
"""Always answered: a process that is busy is not to be taken for one that is broken."""
_WITH_BODY = (b"content-length", b"transfer-encoding")


class Admitted:
    def __init__(self, app: ASGIApp, chosen: Settings) -> None:
        self._app = app
        self._addresses = Buckets(chosen.address_request_rate * BURST_SECONDS, chosen.address_request_rate)
        self._most = chosen.max_requests_at_once
        self._in_hand: dict[object, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        try:
            self._addresses.count(address_of(scope))
            self._refuse_overrun(scope)
        except Refusal as refusal:
            await _refuse(scope, receive, send, refusal)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._take(scope, receive, send)

    def _refuse_overrun(self, scope: Scope) -> None:
        if scope["type"] == "http" and self._is_overrun():
            raise Refusal(Code.UNAVAILABLE, "too much is asked at once: try again shortly", retry_after=1)

    def _is_overrun(self) -> bool:
        """Whether too much is in hand, or so many have waited so long that one more would only wait as well.

        A burst fits in, however large, while it is worked off quickly enough."""
        if len(self._in_hand) >= self._most:
            return True
        overdue = next(islice(self._in_hand.values(), MOST_OVERDUE, None), None)
        return overdue is not None and time.monotonic() - overdue > PATIENCE_SECONDS

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Has the request in hand from when it is here whole until its answer is given, or has become a stream.

        One whose body is still on its way costs a connection only: a slow sender keeps nobody out."""
        state = scope.setdefault("state", {})
        request = object()
        if not any(name in _WITH_BODY for name, _ in scope["headers"]):
            self._in_hand[request] = time.monotonic()

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                self._in_hand[request] = time.monotonic()
            return message

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "asker" in state:
                    server: Server = scope["app"].state.server
                    headers["RateLimit"] = server.requests.header(state["asker"])
                if headers.get("content-type", "").startswith("text/event-stream"):
                    self._in_hand.pop(request, None)
            await send(message)

        try:
            await self._app(scope, receiving, noting)
        finally:
            self._in_hand.pop(request, None)


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    """Answers in the way of the door: GraphQL clients read `errors`, others problem details."""
    REQUESTS.labels("refused", str(STATUS[refusal.code])).inc()
    answer = problems.refused(refusal)
    if scope["path"] == "/graphql":
        body = orjson.dumps({"errors": [refused(refusal)]})
        answer = Response(body, answer.status_code, {"Retry-After": str(refusal.retry_after)}, "application/json")
    await answer(scope, receive, send)
