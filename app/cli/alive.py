"""Whether a process makes progress, asked by whatever watches over it: the health check of a container."""

from pathlib import Path

import typer

from app.cli.console import refuse, say
from app.core.beat import FILE_VARIABLE, age


def alive(
    file: Path = typer.Option(..., envvar=FILE_VARIABLE, help="The file that the process touches."),
    within: float = typer.Option(30, min=1, help="How old its last beat may be, in seconds."),
) -> None:
    """Tell whether a worker, relay or scheduler makes progress; exit code 1 if not."""
    seconds = age(file)
    if seconds is None:
        refuse(f"there was no beat in {file} yet")
    if seconds > within:
        refuse(f"the last beat was {seconds:.0f} s ago, which is more than {within:g} s")
    say(f"the last beat was {seconds:.1f} s ago")


if __name__ == "__main__":  # as `devsignal alive`, without loading what the other commands need: it is asked often
    typer.run(alive)
