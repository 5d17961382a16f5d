"""HTTP/1.1 over a bare connection, so that "refused" is told from "sent, and never answered"."""

import asyncio
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass

import orjson

from tests.faults.installation import Installation

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 20.0


class ConnectRefusedError(Exception):
    """Nobody takes connections there."""


class CutError(Exception):
    """A request was sent on a connection that then ended without a whole answer."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_last(self) -> bool:
        """Whether the server said that it closes the connection."""
        return self.headers.get("connection", "").lower() == "close"


class Line:
    """A connection that is kept from one request to the next."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.requests = 0

    @classmethod
    async def open(cls, installation: Installation) -> "Line":
        host, _, port = installation.demo["url"].removeprefix("http://").partition(":")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return cls(*await asyncio.open_connection(host, int(port)))
        except OSError as error:
            raise ConnectRefusedError(str(error)) from None

    @property
    def was_closed(self) -> bool:
        """Whether the server has ended it, as far as is known here."""
        return self._reader.at_eof()

    async def ask(self, request: bytes) -> Answer:
        """The whole answer; `CutError` where the connection ended first."""
        self.requests += 1
        try:
            self._writer.write(request)
            await self._writer.drain()
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._answer()
        except (OSError, EOFError) as error:
            raise CutError(f"request {self.requests} of its connection: {type(error).__name__} {error}") from None

    async def _answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(int(head[0].split()[1]), headers, body)

    def send(self, some: bytes) -> None:
        """Sends bytes for which no answer may come."""
        self._writer.write(some)

    async def piece(self, seconds: float) -> bytes | None:
        """Some of what the server says; nothing once it has ended the connection, None where it is silent so long."""
        try:
            async with asyncio.timeout(seconds):
                return await self._reader.read(65_536)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        self._writer.close()


def post(installation: Installation, path: str, said: object) -> bytes:
    """The bytes of a request with a JSON body."""
    body = orjson.dumps(said)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {installation.demo['url'].removeprefix('http://')}\r\n"
        f"Authorization: Bearer {installation.demo['apiKey']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
