"""Plain lines for the person at the terminal, and the one way to refuse."""

import contextlib
from typing import NoReturn

import typer
from pydantic import ValidationError


def say(line: str = "") -> None:
    # A terminal that was closed must not keep the supervisor from stopping what it started.
    with contextlib.suppress(OSError):
        print(line, flush=True)


def refuse(sentence: str) -> NoReturn:
    """Ends the command with a sentence on standard error and exit code 1."""
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def settings_mistakes(error: ValidationError) -> list[str]:
    """One sentence for each setting that is missing or contradictory, without its value."""
    sentences = []
    for mistake in error.errors(include_input=False, include_url=False):
        name = ".".join(map(str, mistake["loc"]))
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "missing":
            message = "is not set"
        sentences.append(f"{name} {message}" if name else message)
    return sentences
