"""`python -m graph serve` runs the web process; `python -m graph schema` prints the schema."""

import argparse
import socket
import sys

import uvicorn
from starlette.applications import Starlette

from graph.asgi import application, stop_streams
from graph.protocol import DoorProtocol
from graph.schema import sdl


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
    """Ends live streams before it waits for requests: they would not end by themselves."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await stop_streams(self._app)
        await super().shutdown(sockets)


def run(host: str, port: int) -> None:
    """Serves until told to stop; requests that are under way get ten seconds to finish."""
    app = application()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=DoorProtocol,
        ws="websockets-sansio",
        ws_max_size=256 * 1024,
        ws_per_message_deflate=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=6,
        limit_concurrency=2_000,
        backlog=1_024,
    )
    WebServer(config, app).run()


if __name__ == "__main__":
    main()
