"""The web process: its parts as data, its beginning and its end."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from app.core.config import Settings, settings
from app.core.telemetry import configure
from graph.admission import Admitted
from graph.core.http import GraphQLDoor
from graph.core.operations import Operations
from graph.core.websocket import SocketDoor
from graph.http import health
from graph.http.door import Endpoint, guarded
from graph.http.hooks import HooksDoor
from graph.http.ingest import SignalsDoor
from graph.http.openapi import openapi
from graph.http.problems import problem
from graph.http.segment import SegmentDoor
from graph.middleware import Noted
from graph.schema import schema
from graph.server import Server

_log = structlog.get_logger(__name__)


def application() -> Starlette:
    """The web process with the settings of its environment."""
    configure(settings().log_level)
    return application_with(settings())


def application_with(chosen: Settings) -> Starlette:
    """The web process with these settings."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with Server.open(chosen) as server:
            app.state.doors = _doors(server)
            _tune_garbage_collection()
            app.state.server = server
            _log.info("web.started")
            yield
            _log.info("web.stopped")

    return Starlette(
        routes=[
            Route("/", _home),
            Route("/graphql", _through("graphql"), methods=["GET", "POST"]),
            WebSocketRoute("/graphql", _socket),
            Route("/v1/signals", _through("signals"), methods=["POST"]),
            Route("/v1/{call}", _through("segment"), methods=["POST"]),
            Route("/hooks/{provider}/{connection_id}", _through("hooks"), methods=["POST"]),
            Route("/healthz", health.healthz),
            Route("/readyz", _through("readyz")),
            Route("/metrics", health.metrics),
            Route("/openapi.json", openapi),
        ],
        middleware=[Middleware(Admitted, chosen), Middleware(Noted), _cross_origin(chosen)],
        exception_handlers={404: _not_found, 405: _not_allowed, Exception: _bug},
        lifespan=lifespan,
    )


def _cross_origin(chosen: Settings) -> Middleware:
    """Lets pages on the origins that the operator named call the doors; none others. No cookies are involved."""
    return Middleware(
        CORSMiddleware,
        allow_origins=chosen.origins,
        allow_methods=["GET", "POST"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "Last-Event-ID",
            "X-Api-Key",
            "X-Organization-Id",
            "X-Request-Id",
        ],
        expose_headers=["RateLimit", "Retry-After", "X-Request-Id"],
        max_age=600,
    )


async def stop_streams(app: Starlette) -> None:
    """Sends the followers of streams away to come back elsewhere, so that requests under way can be waited for."""
    server: Server = app.state.server
    await server.sockets.close()
    server.live.close()


def _doors(server: Server) -> dict[str, Any]:
    operations = Operations(schema())
    return {
        "graphql": GraphQLDoor(server, operations),
        "socket": SocketDoor(server, operations),
        "signals": guarded(SignalsDoor(server)),
        "segment": guarded(SegmentDoor(server)),
        "hooks": guarded(HooksDoor(server)),
        "readyz": health.Readiness(server),
    }


def _through(door: str) -> Endpoint:
    """An endpoint that hands the request to a door, which exists from the start of the process on."""

    async def endpoint(request: Request) -> Response:
        answer: Response = await request.app.state.doors[door](request)
        return answer

    return endpoint


async def _socket(socket: WebSocket) -> None:
    await socket.app.state.doors["socket"](socket)


async def _home(request: Request) -> Response:
    return RedirectResponse("/graphql")


async def _not_found(request: Request, error: Exception) -> Response:
    return problem(404, "there is nothing at this address")


async def _not_allowed(request: Request, error: Exception) -> Response:
    return problem(405, f"{request.method} is not for this address")


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("http.bug", path=request.url.path, exc_info=error)
    answer = problem(500, "something went wrong here; it has been noted")
    answer.headers["Connection"] = "close"  # the server closes it: nothing more may be sent on it
    return answer


def _tune_garbage_collection() -> None:
    """Keeps what start-up made out of every later collection, and collects less often.

    Collections took half of the server's time at Python's thresholds; these cost some tens of megabytes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
