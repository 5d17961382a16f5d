"""A client of the graphql-transport-ws protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("graphql-transport-ws")
PATIENCE = 8.0

SIGNALS = """
subscription ($after: String, $filter: SignalFilter) {
  signalReceived(after: $after, filter: $filter) { cursor signal { type source } }
}
"""


class Socket:
    """One socket. `watch` starts an operation; `next` waits for its next message."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: Any) -> None:
        await self._connection.send(message if isinstance(message, str | bytes) else orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            message: dict[str, Any] = orjson.loads(await self._connection.recv())
            return message

    async def greet(self, payload: Any = None) -> None:
        await self.send({"type": "connection_init", **({} if payload is None else {"payload": payload})})
        assert await self.receive() == {"type": "connection_ack"}

    async def watch(self, query: str, variables: Any = None, id_: str = "1") -> None:
        await self.send({"id": id_, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def next(self, id_: str = "1") -> dict[str, Any]:
        """The payload of the next `next` message."""
        message = await self.receive()
        assert message["type"] == "next" and message["id"] == id_, message
        payload: dict[str, Any] = message["payload"]
        return payload

    async def refusal(self, id_: str = "1") -> str:
        """The code of the error that ends the operation: before its first event, or in its stead."""
        message = await self.receive()
        assert message["id"] == id_, message
        if message["type"] == "next":
            errors = message["payload"]["errors"]
            assert message["payload"]["data"] is None and await self.receive() == {"id": id_, "type": "complete"}
        else:
            assert message["type"] == "error", message
            errors = message["payload"]
        code: str = errors[0]["extensions"]["code"]
        return code

    async def signals(self, count: int) -> list[tuple[str, str]]:
        """Cursor and type of the next signals."""
        received = [(await self.next())["data"]["signalReceived"] for _ in range(count)]
        return [(one["cursor"], one["signal"]["type"]) for one in received]

    async def closed(self, patience: float = PATIENCE) -> int:
        """Reads to the end; the close code."""
        async with asyncio.timeout(patience):
            try:
                while True:
                    await self._connection.recv()
            except ConnectionClosed as error:
                return error.rcvd.code if error.rcvd else 1006

    async def close(self) -> None:
        await self._connection.close()


@asynccontextmanager
async def opened(url: str, key: str | None = None, **options: Any) -> AsyncIterator[Socket]:
    """A socket, greeted with the key where one is given."""
    async with connect(url, subprotocols=[PROTOCOL], compression=None, **options) as connection:
        socket = Socket(connection)
        if key is not None:
            await socket.greet({"Authorization": f"Bearer {key}"})
        yield socket
