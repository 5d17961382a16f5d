"""GraphQL over WebSocket: the graphql-transport-ws protocol, to the letter of its close codes."""

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import ExitStack, aclosing
from typing import Any

import orjson
import structlog
from graphql import OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.core.errors import Refusal
from app.core.outages import as_refusal
from graph.context import Context, context_for
from graph.core.asker import address_of
from graph.core.ending import end
from graph.core.errors import refused
from graph.core.operations import Asked, Operations, Rejected
from graph.core.quotas import Buckets
from graph.server import Server

PROTOCOL = "graphql-transport-ws"
_INIT_SECONDS = 10
_IDLE_SECONDS = 300
_MAX_OPERATIONS = 100
_MESSAGES_AT_ONCE = 500
_MESSAGE_RATE = 50
_log = structlog.get_logger(__name__)


class Closed(Exception):
    """Ends the socket with one of the protocol's codes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SocketDoor:
    """The WebSocket side of /graphql."""

    def __init__(self, server: Server, operations: Operations) -> None:
        self._server = server
        self._operations = operations

    async def __call__(self, socket: WebSocket) -> None:
        if not self._is_welcome(socket):
            await socket.close(1008)
            return
        offered = PROTOCOL in socket.scope.get("subprotocols", ())
        await socket.accept(PROTOCOL if offered else None)
        if not offered:
            await socket.close(4406, "Subprotocol not acceptable")
            return
        with self._server.sockets.holding(socket):
            await Conversation(socket, self._server, self._operations).run()

    def _is_welcome(self, socket: WebSocket) -> bool:
        """Whether the page that opened the socket is ours or allowed; programs send no origin."""
        origin = socket.headers.get("origin")
        if origin is None:
            return True
        return origin in self._server.settings.origins or origin.partition("://")[2] == socket.headers.get("host")


class Conversation:
    """One socket from its opening to its close."""

    def __init__(self, socket: WebSocket, server: Server, operations: Operations) -> None:
        self._socket = socket
        self._server = server
        self._operations = operations
        self._context: Context | None = None
        self._greeted = False
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()
        self._messages = Buckets(_MESSAGES_AT_ONCE, _MESSAGE_RATE)
        self._share = ExitStack()

    async def run(self) -> None:
        try:
            async with asyncio.timeout(_INIT_SECONDS):
                while self._context is None:
                    await self._take(await self._message())
            while True:
                await self._take(await self._message_before_idle())
        except TimeoutError:
            await self._close(4408, "Connection initialisation timeout")
        except Closed as closed:
            await self._close(closed.code, closed.reason)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client has gone, or the server is closing the socket
        finally:
            await self._end()

    async def _message_before_idle(self) -> Mapping[str, Any]:
        """The next message; a socket on which nothing has run for long while nothing is said is given up."""
        while True:
            try:
                async with asyncio.timeout(_IDLE_SECONDS):
                    return await self._message()
            except TimeoutError:
                if not self._tasks:
                    raise Closed(1001, "Idle: reconnect when there is something to ask") from None

    async def _message(self) -> Mapping[str, Any]:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        if self._messages.take(""):
            raise Closed(1008, "Too many messages")
        if received.get("text") is None:
            raise Closed(4400, "Messages must be text")
        try:
            message = orjson.loads(received["text"])
        except orjson.JSONDecodeError:
            raise Closed(4400, "Messages must be JSON") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Closed(4400, "Messages must be objects with a type")
        return message

    async def _take(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                await self._greet(message.get("payload"))
            case "ping" | "pong" as kind:
                if not isinstance(message.get("payload"), dict | None):
                    raise Closed(4400, "The payload must be an object or null")
                if kind == "ping":
                    await self._send({"type": "pong"})
            case "subscribe":
                await self._start(message)
            case "complete":
                await self._stop(message.get("id"))
            case _:
                raise Closed(4400, "Unknown message type")

    async def _greet(self, payload: Any) -> None:
        if self._greeted:
            raise Closed(4429, "Too many initialisation requests")
        self._greeted = True
        if payload is not None and not isinstance(payload, dict):
            raise Closed(4400, "The payload of connection_init must be an object")
        headers = {k.lower(): v for k, v in (payload or {}).items() if isinstance(v, str)}
        try:
            context = await context_for(self._server, headers, address_of(self._socket.scope))
        except Refusal:
            raise Closed(4403, "Forbidden") from None
        except Exception as error:
            if as_refusal(error) is None:
                raise
            raise Closed(1013, "Try again later") from None
        await context.reads.close()
        try:
            self._share.enter_context(self._server.streams.held(context.asker))
        except Refusal as refusal:
            raise Closed(1013, str(refusal)) from None
        self._context = context
        await self._send({"type": "connection_ack"})

    async def _start(self, message: Mapping[str, Any]) -> None:
        id_, payload = message.get("id"), message.get("payload")
        if self._context is None:
            raise Closed(4401, "Unauthorized")
        if not isinstance(id_, str) or not id_ or not isinstance(payload, dict):
            raise Closed(4400, "subscribe needs an id and a payload")
        asked = _asked(payload)
        if id_ in self._tasks:
            raise Closed(4409, f"Subscriber for {id_[:100]} already exists")
        if len(self._tasks) >= _MAX_OPERATIONS:
            await self._send({"id": id_, "type": "error", "payload": [_TOO_MANY]})
            return
        self._tasks[id_] = asyncio.create_task(self._run(id_, asked, self._context.fresh()))

    async def _stop(self, id_: Any) -> None:
        """Ends the operation; what it held is free before the next message is taken."""
        if not isinstance(id_, str):
            raise Closed(4400, "complete needs an id")
        if task := self._tasks.pop(id_, None):
            await end(task)

    async def _run(self, id_: str, asked: Asked, context: Context) -> None:
        try:
            self._count(context)
            operation = self._operations.prepare(asked)
            if operation.kind is OperationType.SUBSCRIPTION:
                async with aclosing(self._operations.follow(operation, context)) as answers:
                    async for answer in answers:
                        await self._send({"id": id_, "type": "next", "payload": answer})
                        answer = {}
                        await self._read()
            else:
                answer = await self._operations.run(operation, context)
                await self._send({"id": id_, "type": "next", "payload": answer})
            if not context.live.closing:  # the client shall come back, not think that it was all
                await self._finish(id_, {"id": id_, "type": "complete"})
        except Rejected as error:
            await self._finish(id_, {"id": id_, "type": "error", "payload": error.errors})
        except (WebSocketDisconnect, RuntimeError):
            self._tasks.pop(id_, None)  # nobody is there to be told

    def _count(self, context: Context) -> None:
        try:
            self._server.requests.count(context.asker)
        except Refusal as refusal:
            raise Rejected([refused(refusal)]) from None

    async def _finish(self, id_: str, message: Mapping[str, Any]) -> None:
        """Frees the id before the last message: the client may use it again at once."""
        if self._tasks.get(id_) is asyncio.current_task():
            del self._tasks[id_]
            await self._send(message)

    async def _send(self, message: Mapping[str, Any]) -> None:
        async with self._sending:
            await self._socket.send_text(orjson.dumps(message).decode())

    async def _read(self) -> None:
        """Waits until the client has read most of what was sent: the next event is fetched after that, not before."""
        writable = self._socket.scope["state"].get("writable")
        if writable is not None:
            await writable.wait()

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it may be closed already
            await self._socket.close(code, reason.encode()[:120].decode(errors="ignore"))

    async def _end(self) -> None:
        self._share.close()
        await end(*self._tasks.values())


_TOO_MANY = {
    "message": f"a socket may carry at most {_MAX_OPERATIONS} operations at once",
    "extensions": {"code": "LIMIT_EXCEEDED"},
}


def _asked(payload: Mapping[str, Any]) -> Asked:
    query, variables, name = payload.get("query"), payload.get("variables"), payload.get("operationName")
    if not isinstance(query, str):
        raise Closed(4400, "The payload of subscribe needs a query")
    if variables is not None and not isinstance(variables, dict):
        raise Closed(4400, "variables must be an object or null")
    if name is not None and not isinstance(name, str):
        raise Closed(4400, "operationName must be a string or null")
    if not isinstance(payload.get("extensions"), dict | None):
        raise Closed(4400, "extensions must be an object or null")
    return Asked(query, variables, name)
