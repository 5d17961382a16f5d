"""A line to a server that breaks without a farewell, wherever it is: between two messages or in the middle of one."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

MOST_BYTES, MOST_SECONDS = 6_000, 0.4
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Line:
    """Once on fire it breaks every connection, after some bytes of the server's or some time, until it has broken
    as many as it shall. `in_the_middle` are those where only a part of what the server said in one go came through."""

    target: int
    breaks: int
    chance: Random
    port: int = 0
    broken: int = 0
    in_the_middle: int = 0
    on_fire: bool = False
    calm: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, here: asyncio.StreamReader, here_out: asyncio.StreamWriter) -> None:
        """One connection of a client's, from its beginning to its end."""
        there, there_out = await asyncio.open_connection("127.0.0.1", self.target)
        both = (here_out, there_out)
        ways = [asyncio.create_task(self._up(here, there_out)), asyncio.create_task(self._down(there, here_out))]
        try:
            time = self.chance.uniform(0.05, MOST_SECONDS) if self.on_fire else None
            done, _ = await asyncio.wait(ways, timeout=time, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self._break()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for out in both:
                self._drop(out)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65_536):
            writer.write(said)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.chance.randrange(1, MOST_BYTES)
        while said := await reader.read(65_536):
            if self.on_fire and len(said) > left:
                writer.write(said[: max(left, 0)])
                await writer.drain()
                self.in_the_middle += 1
                self._break()
                return
            left -= len(said)
            writer.write(said)
            await writer.drain()

    def _break(self) -> None:
        self.broken += 1
        if self.broken >= self.breaks:
            self.on_fire = False
            self.calm.set()

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        """Ends one side: by a reset, or by an end of the bytes that no protocol announced."""
        if self.chance.random() < 0.5:
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
        else:
            writer.close()


@asynccontextmanager
async def breaking(target: int, *, breaks: int, seed: int) -> AsyncIterator[Line]:
    """A line to the port that will break so many times, in a way that the seed decides."""
    line = Line(target, breaks, Random(seed))
    async with await asyncio.start_server(line.carry, "127.0.0.1", 0) as server:
        line.port = server.sockets[0].getsockname()[1]
        yield line
