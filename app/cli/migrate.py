"""Brings the database's schema to the newest revision."""

from pathlib import Path

import typer
from alembic import command
from alembic.config import Config

import app

SCRIPTS = Path(app.__file__).parents[1] / "migrations"  # beside `app`, in a checkout and when installed


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migrate(
    sql: bool = typer.Option(False, "--sql", help="Print the statements instead of running them."),
) -> None:
    """Bring the database (DATABASE_MIGRATION_URL, else DATABASE_URL) to the newest revision."""
    command.upgrade(alembic_config(), "head", sql=sql)
    if not sql:
        typer.echo("The database is at the newest revision.")
