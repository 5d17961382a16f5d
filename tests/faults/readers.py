"""Followers of a feed on bare sockets with small buffers, so that one that does not read is felt by the server."""

import base64
import os
import re
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import orjson

from tests.faults.installation import Installation
from tests.faults.wire import post

RECEIVE_BUFFER = 4_096
PATIENCE_SECONDS = 60.0
WATCHED = """
subscription ($after: String) {
  signalReceived(after: $after, filter: {source: {eq: "faults"}}) { cursor signal { properties } }
}
"""


class Reader(ABC):
    """Opened step by step, so that a thousand can be opened side by side."""

    def __init__(self, installation: Installation, after: str) -> None:
        self._installation = installation
        self.after = after
        self._buffer = b""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self._socket.settimeout(PATIENCE_SECONDS)
        self._socket.connect(("127.0.0.1", int(installation.demo["url"].rpartition(":")[2])))

    @abstractmethod
    def steps(self) -> Iterator[None]:
        """Opens the feed, with a pause wherever the server has to answer."""

    @abstractmethod
    def _told(self) -> list[str]:
        """Takes whole events off what was read; their cursors."""

    def cursors(self, count: int) -> list[str]:
        """The cursors of the next events, fewer where the server ends the connection first."""
        found = self._told()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < count and self._read_more():
            found += self._told()
            assert time.monotonic() < deadline, "the feed stands still"
        return found

    def close(self) -> None:
        self._socket.close()

    def _asked(self) -> dict[str, Any]:
        return {"query": WATCHED, "variables": {"after": self.after}}

    def _read_more(self) -> bool:
        try:
            piece = self._socket.recv(65_536)
        except ConnectionError:
            return False
        self._buffer += piece
        return bool(piece)

    def _head(self) -> bytes:
        """Reads to the end of the head of the answer."""
        while b"\r\n\r\n" not in self._buffer:
            assert self._read_more(), self._buffer
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head


class SocketReader(Reader):
    """By WebSocket."""

    def steps(self) -> Iterator[None]:
        self._socket.sendall(upgrade(self._installation))
        yield
        assert b" 101 " in self._head()
        key = {"Authorization": f"Bearer {self._installation.demo['apiKey']}"}
        self._send({"type": "connection_init", "payload": key})
        yield
        while not self._messages():
            assert self._read_more(), "no acknowledgement"
        self._send({"id": "1", "type": "subscribe", "payload": self._asked()})

    def _send(self, message: dict[str, Any]) -> None:
        """One text frame, masked with zeros."""
        said = orjson.dumps(message)
        self._socket.sendall(struct.pack("!BBH", 0x81, 0x80 | 126, len(said)) + bytes(4) + said)

    def _told(self) -> list[str]:
        return [said["payload"]["data"]["signalReceived"]["cursor"] for said in self._messages()]

    def _messages(self) -> list[dict[str, Any]]:
        found = []
        while frame := self._frame():
            if frame[0] == 0x81:
                found.append(orjson.loads(frame[1]))
        return found

    def _frame(self) -> tuple[int, bytes] | None:
        """Opcode and content of the next whole frame."""
        if len(self._buffer) < 2:
            return None
        length, start = self._buffer[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(self._buffer) < start:
                return None
            length = int.from_bytes(self._buffer[2:start], "big")
        if len(self._buffer) < start + length:
            return None
        opcode, content = self._buffer[0], self._buffer[start : start + length]
        self._buffer = self._buffer[start + length :]
        return opcode, content


class EventsReader(Reader):
    """By server-sent events."""

    def steps(self) -> Iterator[None]:
        request = post(self._installation, "/graphql", self._asked())
        self._socket.sendall(request.replace(b"\r\n", b"\r\nAccept: text/event-stream\r\n", 1))
        yield
        assert b" 200 " in self._head()
        yield

    def _told(self) -> list[str]:
        whole = list(re.finditer(rb"id: ([0-9.]+)\ndata: [^\n]*\n\n", self._buffer))
        if whole:
            self._buffer = self._buffer[whole[-1].end() :]
        return [one[1].decode() for one in whole]


def upgrade(installation: Installation) -> bytes:
    """The request that opens a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /graphql HTTP/1.1\r\nHost: {installation.demo['url'].removeprefix('http://')}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: graphql-transport-ws\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def open_all(readers: list[Reader]) -> None:
    """Takes all of them through their steps side by side."""
    going = [reader.steps() for reader in readers]
    while going:
        going = [steps for steps in going if next(steps, going) is None]
