"""GraphQL over HTTP: queries and mutations by POST, queries by GET, subscriptions as server-sent events.

Follows the GraphQL-over-HTTP specification, both media types, and graphql-sse in distinct connections mode."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from anyio import CancelScope
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from app.core.errors import Refusal
from app.core.outages import as_refusal
from graph.context import Context, context_for
from graph.core.asker import address_of
from graph.core.bodies import BodyError, json_body
from graph.core.disconnects import while_connected
from graph.core.ending import end
from graph.core.errors import STATUS, refused
from graph.core.graphiql import PAGE
from graph.core.limits import MAX_VALUES
from graph.core.operations import Answer, Asked, Operation, Operations, Rejected
from graph.server import Server

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
EVENTS = "text/event-stream"
_READING = ("GET", "HEAD")
_UNBUFFERED = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
_HEARTBEAT_SECONDS = 15
_KEY = "Idempotency-Key"


class GraphQLDoor:
    """The HTTP side of /graphql."""

    def __init__(self, server: Server, operations: Operations) -> None:
        self._server = server
        self._operations = operations

    async def __call__(self, request: Request) -> Response:
        if request.method in _READING and "query" not in request.query_params and _accepts(request, "text/html"):
            return HTMLResponse(PAGE) if self._server.shows_graphiql else Response(status_code=404)
        media = _media(request)
        if media is None:
            return Response(f"answers {JSON}, {GRAPHQL_JSON} or {EVENTS}", 406)
        try:
            asked = await _asked(request, self._server.settings.max_body_bytes)
            operation = self._operations.prepare(asked)
        except BodyError as error:
            return _refusal(media, error.status, {"message": str(error), "extensions": {"code": "BAD_REQUEST"}})
        except Rejected as error:
            if media == EVENTS:
                return Response(_event({"errors": error.errors}) + _COMPLETE, media_type=EVENTS, headers=_UNBUFFERED)
            return _response(media, {"errors": error.errors}, 400 if media == GRAPHQL_JSON else 200)
        if wrong := _method_refusal(request, operation, media) or _key_refusal(request, operation, media):
            return wrong
        return await self._answer(request, operation, media)

    async def _answer(self, request: Request, operation: Operation, media: str) -> Response:
        try:
            context = await self._context(request)
        except Exception as error:
            refusal = error if isinstance(error, Refusal) else as_refusal(error)
            if refusal is None:
                raise
            return _response(media, {"errors": [refused(refusal)]}, STATUS[refusal.code])
        context.idempotency_key = request.headers.get(_KEY)
        if media == EVENTS:
            context.last_event_id = request.headers.get("last-event-id")
            await context.reads.close()  # a stream that never starts would keep the connection
            return StreamingResponse(
                _events(self._operations, operation, context),
                media_type=EVENTS,
                headers=_UNBUFFERED,
            )
        if operation.kind is OperationType.SUBSCRIPTION:
            await context.reads.close()
            message = f"subscriptions are served as {EVENTS} or over WebSocket"
            return _refusal(media, 406, {"message": message, "extensions": {"code": "BAD_REQUEST"}})
        try:
            answer = await while_connected(request, self._operations.run(operation, context))
        except Rejected as error:
            await context.reads.close()
            if "retryAfter" in error.errors[0]["extensions"]:
                return _response(media, {"errors": error.errors}, 429)
            return _response(media, {"errors": error.errors}, 400 if media == GRAPHQL_JSON else 200)
        if answer is None:
            return Response(status_code=499)  # nobody is there to read it
        return _answered(media, answer)

    async def _context(self, request: Request) -> Context:
        """Who asks, their request counted; a refusal where they are nobody or have asked too often."""
        context = await context_for(self._server, request.headers, address_of(request.scope))
        request.state.asker = context.asker
        try:
            self._server.requests.count(context.asker)
        except Refusal:
            await context.reads.close()
            raise
        return context


def _media(request: Request) -> str | None:
    """The media type to answer in: the first of ours that the client accepts, in its own order."""
    if "accept" not in request.headers:
        return JSON
    for part in request.headers["accept"].split(","):
        kind, *parameters = (one.strip().lower() for one in part.split(";"))
        if any(one.startswith("q=") and not one[2:].strip("0.") for one in parameters):
            continue  # not acceptable
        if kind in (JSON, GRAPHQL_JSON, EVENTS):
            return kind
        if kind in ("*/*", "application/*"):
            return JSON
    return None


def _accepts(request: Request, kind: str) -> bool:
    return kind in request.headers.get("accept", "")


async def _asked(request: Request, limit: int) -> Asked:
    said = _parameters(request) if request.method in _READING else await json_body(request, limit, MAX_VALUES)
    if not isinstance(said, Mapping):
        raise BodyError(400, "the body must be a JSON object")
    query = said.get("query")
    if not isinstance(query, str):
        raise BodyError(400, "`query` must be a string")
    for name, kind in (("variables", Mapping), ("operationName", str), ("extensions", Mapping)):
        if said.get(name) is not None and not isinstance(said[name], kind):
            raise BodyError(400, f"`{name}` must be {'a string' if kind is str else 'an object'} or null")
    return Asked(query, said.get("variables"), said.get("operationName"))


def _parameters(request: Request) -> Mapping[str, Any]:
    said: dict[str, Any] = dict(request.query_params)
    for name in ("variables", "extensions"):
        if name in said:
            try:
                said[name] = orjson.loads(said[name])
            except orjson.JSONDecodeError:
                raise BodyError(400, f"`{name}` must be JSON") from None
    return said


def _method_refusal(request: Request, operation: Operation, media: str) -> Response | None:
    if request.method in _READING and operation.kind is not OperationType.QUERY:
        error = {"message": "only queries may be sent by GET", "extensions": {"code": "BAD_REQUEST"}}
        refusal = _refusal(media, 405, error)
        refusal.headers["Allow"] = "POST"
        return refusal
    return None


def _key_refusal(request: Request, operation: Operation, media: str) -> Response | None:
    """One key names one request: it cannot say which of several mutations it is for."""
    if _KEY in request.headers and operation.kind is OperationType.MUTATION and operation.root_count != 1:
        message = f"the {_KEY} header goes with one mutation: give each its own idempotencyKey argument"
        return _refusal(media, 400, {"message": message, "extensions": {"code": "BAD_REQUEST"}})
    return None


def _response(media: str, answer: Answer, status: int) -> Response:
    kind = JSON if media == EVENTS else media
    response = Response(orjson.dumps(answer), status, media_type=f"{kind}; charset=utf-8")
    if status in (429, 503) and (wait := answer["errors"][0]["extensions"].get("retryAfter")):
        response.headers["Retry-After"] = str(wait)
    return response


def _answered(media: str, answer: Answer) -> Response:
    """The answer; 429 or 503 where it only says to try again later, so that clients and proxies do."""
    if answer["data"] is None and "errors" in answer:
        extensions = answer["errors"][0]["extensions"]
        if "retryAfter" in extensions:
            return _response(media, answer, STATUS[extensions["code"]])
    return _response(media, answer, 200)


def _refusal(media: str, status: int, error: Mapping[str, Any]) -> Response:
    return _response(media, {"errors": [error]}, status)


async def _events(operations: Operations, operation: Operation, context: Context) -> AsyncIterator[bytes]:
    """The answers as server-sent events; what is refused is told as one."""
    try:
        if operation.kind is OperationType.SUBSCRIPTION:
            with context.server.streams.held(context.asker):
                yield _NOTHING_YET
                async with aclosing(_as_they_come(operations.follow(operation, context), context)) as events:
                    async for event in events:
                        yield event
        else:
            yield _event(await operations.run(operation, context))
    except Rejected as error:
        yield _event({"errors": error.errors})
    except Refusal as refusal:
        yield _event({"errors": [refused(refusal)]})
    if not context.live.closing:  # a client that is told nothing comes back
        yield _COMPLETE


async def _as_they_come(answers: AsyncGenerator[Answer, None], context: Context) -> AsyncGenerator[bytes, None]:
    """An event per answer, with a comment while nothing happens so that proxies keep the line."""
    upcoming: asyncio.Future[Answer] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(answers))
            done, _ = await asyncio.wait([upcoming], timeout=_HEARTBEAT_SECONDS)
            if not done:
                yield _NOTHING_YET
                continue
            answer, upcoming = upcoming.result(), None
            yield _event(answer, context.cursor)
    except StopAsyncIteration:
        return
    finally:
        with CancelScope(shield=True):  # the response's own scope would break off the clearing up as well
            if upcoming is not None:
                await end(upcoming)
            await answers.aclose()


_NOTHING_YET = b":\n\n"
_COMPLETE = b"event: complete\ndata:\n\n"


def _event(answer: Answer, cursor: str | None = None) -> bytes:
    head = b"event: next\n" + (f"id: {cursor}\n".encode() if cursor else b"")
    return head + b"data: " + orjson.dumps(answer) + b"\n\n"
