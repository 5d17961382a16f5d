"""Admission: how fast an address may send requests, and how many the process has in hand at once.

What it cannot take it refuses at once, before anything is spent on it, with the time to wait. Pure ASGI."""

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

PROBES = ("/healthz", "/readyz", "/metrics")
"""Always answered: a process that is busy is not to be taken for one that is broken."""


class Admitted:
    def __init__(self, app: ASGIApp, chosen: Settings) -> None:
        self._app = app
        self._addresses = Buckets(chosen.address_request_rate * BURST_SECONDS, chosen.address_request_rate)
        self._room = chosen.max_requests_at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
        elif wait := self._addresses.take(address_of(scope)):
            refusal = Refusal(Code.RATE_LIMITED, f"too many requests: try again in {wait} s", retry_after=wait)
            await _refuse(scope, receive, send, refusal)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        elif self._room <= 0:
            refusal = Refusal(Code.UNAVAILABLE, "too much is asked at once: try again shortly", retry_after=1)
            await _refuse(scope, receive, send, refusal)
        else:
            await self._in_hand(scope, receive, send)

    async def _in_hand(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes up room until the answer has been given, or has become a stream."""
        state = scope.setdefault("state", {})
        taken = 1
        self._room -= 1

        async def noting(message: Message) -> None:
            nonlocal taken
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "asker" in state:
                    server: Server = scope["app"].state.server
                    headers["RateLimit"] = server.requests.header(state["asker"])
                if taken and headers.get("content-type", "").startswith("text/event-stream"):
                    self._room += taken
                    taken = 0
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._room += taken


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    """Answers in the way of the door: GraphQL clients read `errors`, others problem details."""
    REQUESTS.labels("refused", str(STATUS[refusal.code])).inc()
    answer = problems.refused(refusal)
    if scope["path"] == "/graphql":
        body = orjson.dumps({"errors": [refused(refusal)]})
        answer = Response(body, answer.status_code, {"Retry-After": str(refusal.retry_after)}, "application/json")
    await answer(scope, receive, send)
