"""The long-running processes, started by module name: nothing in `app` imports what stands above it."""

import os
import sys
from typing import NoReturn

import typer

COMMANDS = {
    "web": ("graph", "serve"),
    "worker": ("workers", "run"),
    "relay": ("workers", "relay"),
    "schedule": ("workers", "schedule"),
}


def module_of(module: str, *options: str) -> list[str]:
    return [sys.executable, "-m", module, *options]


def command_of(name: str, *options: str) -> list[str]:
    return module_of(*COMMANDS[name], *options)


def _become(command: list[str]) -> NoReturn:
    os.execv(command[0], command)  # noqa: S606 - signals and the exit code are then the process's own


def serve(
    host: str = typer.Option("127.0.0.1", help="The address to listen on."),
    port: int = typer.Option(8000, envvar="PORT", min=1, max=65535, help="The port to listen on."),
) -> None:
    """Run the web process: GraphQL, ingest, webhooks, health."""
    _become(command_of("web", "--host", host, "--port", str(port)))


def worker() -> None:
    """Run the worker process: what the queues hold."""
    _become(command_of("worker"))


def relay() -> None:
    """Run the relay process: carries the outbox to the queues and live streams."""
    _become(command_of("relay"))


def schedule() -> None:
    """Run the scheduler process: starts what is due by the clock."""
    _become(command_of("schedule"))
