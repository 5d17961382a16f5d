"""The `devsignal` command and its parts."""

import sys

import typer
from pydantic import ValidationError

from app.cli.alive import alive
from app.cli.console import settings_mistakes
from app.cli.doctor import doctor
from app.cli.environment import adopt
from app.cli.migrate import migrate
from app.cli.processes import relay, schedule, serve, worker
from app.cli.schema import schema
from app.cli.seed import seed
from app.cli.up import up
from app.core.embedded import EngineError

cli = typer.Typer(
    help="DevSignal: the CRM a developer-tools company's own product writes to.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local values, and with them secrets
)


@cli.callback()
def begin(context: typer.Context) -> None:
    if context.invoked_subcommand != "up":
        adopt()


for command in (up, serve, worker, relay, schedule, migrate, seed, doctor, alive):
    cli.command()(command)
cli.add_typer(schema, name="schema")


def main() -> None:
    try:
        cli()
    except EngineError as error:
        sys.exit(str(error))
    except ValidationError as error:
        sys.exit("\n".join(settings_mistakes(error)))
