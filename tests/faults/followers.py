"""A client that watches signals arrive and, after each loss of the line, goes on from its last cursor."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.factories.sockets import PROTOCOL
from tests.faults.installation import Installation

PATIENCE_SECONDS = 20.0
WATCHED = """
subscription ($after: String) {
  signalReceived(after: $after, filter: {source: {eq: "faults"}}) { cursor signal { properties } }
}
"""


class Interrupted(Exception):
    """The feed ended with this code of an error."""


class Follower(threading.Thread):
    def __init__(self, installation: Installation, after: str | None) -> None:
        super().__init__(daemon=True)
        self._installation = installation
        self._cursor = after
        self._ended = threading.Event()
        self.received: Counter[str] = Counter()
        self.losses = 0
        self.codes: set[str] = set()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except Interrupted as error:
                self.codes.add(str(error))
            except (OSError, WebSocketException, TimeoutError):
                pass
            if not self._ended.is_set():
                self.losses += 1
                time.sleep(0.1)

    def end(self) -> None:
        self._ended.set()
        self.join(30)
        assert not self.is_alive()

    def _follow(self) -> None:
        url = self._installation.socket_url
        with connect(
            url, subprotocols=[PROTOCOL], compression=None, proxy=None, open_timeout=5, close_timeout=1
        ) as line:
            key = {"Authorization": f"Bearer {self._installation.demo['apiKey']}"}
            line.send(orjson.dumps({"type": "connection_init", "payload": key}).decode())
            assert orjson.loads(line.recv(timeout=10))["type"] == "connection_ack"
            asked = {"query": WATCHED, "variables": {"after": self._cursor}}
            line.send(orjson.dumps({"id": "1", "type": "subscribe", "payload": asked}).decode())
            while not self._ended.is_set():
                self._take(line)

    def _take(self, line: ClientConnection) -> None:
        with contextlib.suppress(TimeoutError):
            message: dict[str, Any] = orjson.loads(line.recv(timeout=0.2))
            match message["type"]:
                case "next" if "errors" not in message["payload"]:
                    told = message["payload"]["data"]["signalReceived"]
                    self._cursor = told["cursor"]
                    self.received[told["signal"]["properties"]["key"]] += 1
                case "next":
                    raise Interrupted(message["payload"]["errors"][0]["extensions"]["code"])
                case "error":
                    raise Interrupted(message["payload"][0]["extensions"]["code"])
                case "complete":
                    raise Interrupted("COMPLETE")


@contextmanager
def following(installation: Installation, after: str | None) -> Iterator[Follower]:
    follower = Follower(installation, after)
    follower.start()
    try:
        yield follower
    finally:
        follower.end()


def missed(follower: Follower, keys: list[str]) -> list[str]:
    """What it has not been told after some patience."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := [key for key in keys if key not in follower.received]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
