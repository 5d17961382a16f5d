"""The protocols of the web process: uvicorn's, with deadlines, bounded buffers and a gentle end.

uvicorn waits for ever for a client that says nothing or half a header, buffers what nobody reads, and closes kept
connections on stopping although a request may be on its way."""

import asyncio
import socket
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from graph.connections import Connections

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 64 * 1024
SLICE = 4_096
MAX_WAITING_MESSAGES = 600
MAX_PARTS = 1_000
DRAIN_SECONDS = 1.0
STREAM_SEND_BUFFER = 32 * 1024
STREAM_WRITE_LIMIT = 0
LINGER_SECONDS = 2.0


def _raw(status: HTTPStatus, detail: str, *headers: str) -> bytes:
    """A whole answer for a connection that ends with it."""
    body = f'{{"status":{status.value},"detail":"{detail}"}}'
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*head, "", body]).encode()


_FULL = _raw(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open", "Retry-After: 5")
_LARGE = _raw(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head is over {MAX_HEAD_BYTES} bytes")
_NO_HANDSHAKE = _raw(HTTPStatus.BAD_REQUEST, "this is no WebSocket handshake")


class HeadTooLarge(Exception):
    """Ends the reading of a request whose head is too large; it has its answer already."""


class DoorProtocol(HttpToolsProtocol):
    """HTTP. The head of a request, and what is left of a body that nobody wants, must arrive in time."""

    _deadline: asyncio.TimerHandle | None = None
    _stopping = False
    _refused = False
    _head_bytes: int | None = None

    def __init__(self, *arguments: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections = connections

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._connections.admit(transport):
            self._refuse()
            return
        self._arm()

    def _refuse(self) -> None:
        """Says so and lets the client read it: to close at once, with its request unread, would be a reset."""
        self._refused = True
        self.transport.write(_FULL)
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._head_bytes is not None:
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse_head()
                return
            self._head_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._arm()

    def on_headers_complete(self) -> None:
        self._disarm()
        self._head_bytes = None
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse_head()
            raise HeadTooLarge
        if any(name == b"accept" and b"text/event-stream" in value for name, value in self.headers):
            bound_buffers(self.transport)
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        body_is_whole = not self.cycle.more_body
        super().on_response_complete()
        if not body_is_whole:
            self._arm(LINGER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._connections.release(self.transport)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Lets a request that is on its way have its answer: the connection ends with that, or after a moment."""
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(DRAIN_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _refuse_head(self) -> None:
        self.transport.write(_LARGE)
        self.transport.close()

    def _arm(self, seconds: float | None = None) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(HEAD_SECONDS if seconds is None else seconds, self.transport.close)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class SocketProtocol(WebSocketsSansIOProtocol):
    """WebSockets, which take over the connection of the request that opened them."""

    def __init__(self, *arguments: Any, connections: Connections, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections = connections

    def connection_made(self, transport: Any) -> None:
        bound_buffers(transport)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Takes what came bit by bit, so that thousands of tiny frames are noticed before all have been read."""
        for start in range(0, len(data), SLICE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + SLICE])
            if self.queue.qsize() > MAX_WAITING_MESSAGES or len(self.frames) > MAX_PARTS:
                self.conn.fail(1008, "Too many messages")
                self.handle_parser_exception()
                return
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(_NO_HANDSHAKE)  # its head could not be read, and uvicorn would say nothing
            self.transport.close()

    async def run_asgi(self) -> None:
        self.scope["state"]["writable"] = self.writable
        await super().run_asgi()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.release(self.transport)
        super().connection_lost(exc)


def bound_buffers(transport: asyncio.Transport) -> None:
    """Keeps little for a reader that does not read: what it misses waits in the stream, not in memory."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_SEND_BUFFER)
    transport.set_write_buffer_limits(high=STREAM_WRITE_LIMIT)
