"""`devsignal up`: the whole system on one machine, engines included, watched over until Ctrl-C."""

import socket
from contextlib import ExitStack
from pathlib import Path

import typer

from app.cli import environment
from app.cli.console import refuse, say
from app.cli.supervisor import Supervisor
from app.cli.system import System
from app.core.embedded import Leash, claim


def up(
    host: str = typer.Option("127.0.0.1", help="The address the web process listens on."),
    port: int = typer.Option(8000, envvar="PORT", min=1, max=65535, help="The web process's port."),
    data_dir: Path = typer.Option(
        environment.DEFAULT_DATA_DIR, envvar=environment.DATA_DIR_VARIABLE, help="Where all data is kept."
    ),
    no_demo: bool = typer.Option(False, "--no-demo", help="Do not seed a demo organization."),
) -> None:
    """Start everything; also the engines, where DATABASE_URL and REDIS_URL do not name yours."""
    with ExitStack() as stack:
        lock = stack.enter_context(claim(data_dir))
        _refuse_busy_port(host, port)
        leash = stack.enter_context(Leash(lock))
        supervisor = Supervisor()
        stack.callback(supervisor.stop)
        system = System(host, port, data_dir.resolve(), supervisor, leash)
        stack.callback(system.retract)
        if system.start(demo=not no_demo):
            supervisor.run_until(lambda: False)
    say("Stopped")


def _refuse_busy_port(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror:
        refuse(f"{host} is not an address of this machine: choose another with --host.")
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            refuse(
                f"Port {port} on {host} cannot be used ({error.strerror}): "
                "stop the program that has it, or choose another with --port (or PORT)."
            )
