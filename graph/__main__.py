"""`python -m graph serve` runs the web process; `python -m graph schema` prints the schema."""

import argparse
import asyncio
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette

from app.core.beat import Beat, no_beat
from app.core.config import Settings, settings
from graph.asgi import application, stop_streams
from graph.connections import Connections, raise_file_limit
from graph.protocol import DoorProtocol, SocketProtocol
from graph.schema import sdl

ACCEPTED_AT_ONCE = 32
"""libuv accepts one connection a turn for each socket that listens: under load that would keep new ones waiting."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m graph")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("schema", help="print the GraphQL schema")
    serve = commands.add_parser("serve", help="run the web process")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    if arguments.command == "schema":
        sys.stdout.write(sdl())
    else:
        run(arguments.host, arguments.port)


class WebServer(uvicorn.Server):
    """Looks after its connections, and ends live streams before it waits for requests: they would not end by
    themselves."""

    def __init__(
        self, config: uvicorn.Config, app: Starlette, connections: Connections, beat: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._app = app
        self._connections = connections
        self._beat = beat

    async def on_tick(self, counter: int) -> bool:
        self._beat()
        return await super().on_tick(counter)

    async def main_loop(self) -> None:
        sweeping = asyncio.create_task(self._connections.keep_swept())
        try:
            await super().main_loop()
        finally:
            sweeping.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await stop_streams(self._app)
        await super().shutdown(sockets)


def run(host: str, port: int) -> None:
    """Serves until told to stop; requests that are under way get six seconds to finish."""
    app = application()
    raise_file_limit(settings().max_connections + 200)
    beat = Beat(settings().beat_file, settings().frozen_after_seconds)
    server = server_of(app, settings(), beat, host=host, port=port)
    listening = server.config.bind_socket()
    server.run(sockets=[listening, *(listening.dup() for _ in range(ACCEPTED_AT_ONCE - 1))])


def server_of(app: Starlette, chosen: Settings, beat: Callable[[], None] = no_beat, **options: Any) -> WebServer:
    """The server of the web process, not yet started; `beat` is called while it serves, `options` are uvicorn's."""
    proxies = [address.strip() for address in chosen.trusted_proxies.split(",") if address.strip()]
    connections = Connections(chosen.max_connections, chosen.max_address_connections, frozenset(proxies))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=cast(Any, partial(DoorProtocol, connections=connections)),
        ws=cast(Any, partial(SocketProtocol, connections=connections)),
        ws_max_size=256 * 1024,
        ws_per_message_deflate=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=6,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        backlog=1_024,
        **options,
    )
    return WebServer(config, app, connections, beat)


if __name__ == "__main__":
    main()
