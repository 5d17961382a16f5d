"""The GraphQL schema as a file, so that a change of it is seen in review."""

import difflib
import subprocess
from pathlib import Path

import typer

from app.cli.console import refuse
from app.cli.processes import module_of

SHOWN_LINES = 60

schema = typer.Typer(help="The GraphQL schema as a file.", no_args_is_help=True)


@schema.callback()
def group() -> None:
    """The GraphQL schema as a file."""


@schema.command()
def export(
    check: bool = typer.Option(False, "--check", help="Compare instead of writing; exit code 1 if it differs."),
    file: Path = typer.Option(Path("schema.graphql"), help="The file to write or compare."),
) -> None:
    """Write the schema to a file, or check that the file is up to date."""
    done = subprocess.run(  # noqa: S603 - our own module
        module_of("graph", "schema"), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        refuse("The schema could not be built.")
    if not check:
        file.write_text(done.stdout)
        return
    kept = file.read_text() if file.exists() else ""
    if kept != done.stdout:
        changes = difflib.unified_diff(kept.splitlines(), done.stdout.splitlines(), str(file), "the code", n=1)
        typer.echo("\n".join(list(changes)[:SHOWN_LINES]))
        refuse(f"{file} is out of date: run `devsignal schema export`.")
