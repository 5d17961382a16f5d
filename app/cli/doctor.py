"""Says what of an installation works and what does not, one line each."""

import asyncio
import http.client
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import typer
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.cli.console import settings_mistakes
from app.cli.migrate import alembic_config
from app.core.config import Environment, Settings, settings
from app.core.db import SERVER_ROLE, UNSCOPED_ROLE, driver_url

OLDEST_POSTGRES = 18
CONNECT_SECONDS = 5.0

Check = Callable[[Settings], Coroutine[Any, Any, str]]


class CheckError(Exception):
    """What is wrong, and where possible what mends it."""


@asynccontextmanager
async def _connection(known: Settings, **server_settings: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(
        driver_url(known.database_url.get_secret_value()),
        timeout=CONNECT_SECONDS,
        server_settings=server_settings,
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_SECONDS)


async def database(known: Settings) -> str:
    async with _connection(known) as connection:
        version = await connection.fetchval("show server_version")
    if int(version.split(".")[0]) < OLDEST_POSTGRES:
        raise CheckError(f"PostgreSQL {version} is too old: {OLDEST_POSTGRES} or later is needed")
    return f"PostgreSQL {version} answers"


async def role(known: Settings) -> str:
    async with _connection(known, role=SERVER_ROLE) as connection:
        bypasses = await connection.fetchval(
            "select rolsuper or rolbypassrls from pg_roles where rolname = current_user"
        )
        owned = await connection.fetchval("select count(*) from pg_class where relowner = current_user::regrole")
        unscoped = await connection.fetchval("select pg_has_role(session_user, $1, 'set')", UNSCOPED_ROLE)
        login_is_super = await connection.fetchval(
            "select rolsuper or rolbypassrls from pg_roles where rolname = session_user"
        )
    if bypasses or owned:
        raise CheckError(f"{SERVER_ROLE} must own nothing and must not bypass row level security")
    if not unscoped:
        raise CheckError(f"the login of DATABASE_URL must be a member of {UNSCOPED_ROLE}")
    if login_is_super and known.environment is Environment.PRODUCTION:
        raise CheckError("the login of DATABASE_URL bypasses row level security: give it a role without")
    return f"sessions run as {SERVER_ROLE}, which owns nothing and obeys row level security"


async def revision(known: Settings) -> str:
    heads = set(ScriptDirectory.from_config(alembic_config()).get_heads())
    try:
        async with _connection(known, role=SERVER_ROLE) as connection:
            rows = await connection.fetch("select version_num from alembic_version")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidParameterValueError):  # no table, no role
        raise CheckError("the database was never migrated: run `devsignal migrate`") from None
    found = {row["version_num"] for row in rows}
    if found != heads:
        raise CheckError(f"the database is at {', '.join(found)}, the code at {', '.join(heads)}: run migrate")
    return f"the schema is at the newest revision ({', '.join(heads)})"


async def valkey(known: Settings) -> str:
    client = Redis.from_url(known.redis_url.get_secret_value(), socket_timeout=CONNECT_SECONDS, decode_responses=True)
    async with client:
        facts = await client.info()
    policy = facts.get("maxmemory_policy")
    if policy != "noeviction":
        raise CheckError(f"maxmemory-policy is {policy}: jobs would be dropped; set it to noeviction")
    return f"Valkey {facts.get('valkey_version', facts.get('redis_version'))} answers and evicts nothing"


def _port(port: int) -> str:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return _who_answers(port)
    return f"port {port} is free"


def _who_answers(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CONNECT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        raise CheckError(f"port {port} is in use by another program: choose one with PORT") from None
    finally:
        connection.close()
    if status != http.HTTPStatus.OK:
        raise CheckError(f"port {port} answers /readyz with {status}")
    return f"port {port} answers /readyz"


def _report(name: str, ask: Callable[[], str]) -> bool:
    try:
        answer = ask()
    except (CheckError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError) as error:
        print(f"fail  {name}: {error or type(error).__name__}")
        return False
    print(f"ok    {name}: {answer}")
    return True


def _run(check: Check, known: Settings) -> str:
    return asyncio.run(check(known))


def _known_settings() -> Settings | None:
    try:
        known = settings()
    except ValidationError as error:
        print(f"fail  settings: {'; '.join(settings_mistakes(error))}")
        return None
    print(f"ok    settings: {known.environment}")
    return known


def doctor(
    quick: bool = typer.Option(False, "--quick", help="Only whether PostgreSQL and Valkey answer."),
    port: int = typer.Option(8000, envvar="PORT", min=1, max=65535, help="The web process's port."),
) -> None:
    """Check the installation: one line per check, exit code 1 if one fails."""
    known = _known_settings()
    if known is None:
        raise typer.Exit(1)
    checks: dict[str, Callable[[], str]] = {}
    checks |= {"database": partial(_run, database, known), "valkey": partial(_run, valkey, known)}
    if not quick:
        checks |= {"role": partial(_run, role, known), "revision": partial(_run, revision, known)}
        checks |= {"python": lambda: sys.version.split()[0], "port": partial(_port, port)}
    answers = [_report(name, ask) for name, ask in checks.items()]
    if not all(answers):
        raise typer.Exit(1)
