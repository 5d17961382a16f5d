"""Real engines for the whole run, a database per worker, an organization per test.

The controller starts PostgreSQL and Valkey once and migrates a template; each worker copies it. Tests share the
copy and are kept apart as customers are: by organization."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from httpx2 import ASGITransport, AsyncClient

from app.cli.migrate import alembic_config
from app.core.config import Settings, settings
from app.core.db import Database, driver_url
from app.core.embedded import engines
from graph.asgi import application_with
from tests.factories.locks import Held, holding
from tests.factories.tenants import Tenant, make_tenant
from tests.factories.web import Web, running
from tests.factories.work import Backstage

_running = contextlib.ExitStack()
_TEMPLATE = "devsignal"


def pytest_configure(config: pytest.Config) -> None:
    """Starts the engines in the controller; workers find them in their environment."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="devsignal-tests-"))
    folder.chmod(0o755)
    _running.callback(shutil.rmtree, folder, ignore_errors=True)
    started = _running.enter_context(engines(folder, durable=False))
    os.environ["DATABASE_URL"] = os.environ["DATABASE_MIGRATION_URL"] = started.database_url
    os.environ["REDIS_URL"] = started.redis_url
    from alembic import command  # noqa: PLC0415

    command.upgrade(alembic_config(), "head")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _running.close()


@pytest.fixture(scope="session")
def worker_number(worker_id: str) -> int:
    return 1 + int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 1


@pytest.fixture(scope="session")
def database_url(worker_id: str) -> Iterator[str]:
    """The address of this worker's own database, a copy of the migrated template."""
    base, name = os.environ["DATABASE_URL"].rsplit("/", 1)
    copy = f"{name}_{worker_id}"
    asyncio.run(_copy(f"{base}/postgres", name, copy))
    yield f"{base}/{copy}"


async def _copy(admin_url: str, template: str, copy: str) -> None:
    connection = await asyncpg.connect(admin_url)
    await connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{template}" STRATEGY file_copy')
    await connection.close()


@pytest.fixture(scope="session")
def chosen_settings(database_url: str, worker_number: int) -> Settings:
    """The settings of the tests, which every part of this worker reads."""
    os.environ["DATABASE_URL"] = database_url
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rsplit("/", 1)[0] + f"/{worker_number}"
    os.environ["DEVSIGNAL_REQUEST_RATE"] = os.environ["DEVSIGNAL_ADDRESS_REQUEST_RATE"] = "100000"
    os.environ["DEVSIGNAL_COST_RATE"] = "10000000"
    settings.cache_clear()
    return settings()


@pytest.fixture(scope="session")
async def database(chosen_settings: Settings) -> AsyncIterator[Database]:
    async with Database.open(chosen_settings.database_url.get_secret_value(), pool_size=5) as opened:
        yield opened


@pytest.fixture(scope="session")
async def http(chosen_settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client of the web process, which runs here without a socket."""
    app = application_with(chosen_settings)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as client,
    ):
        yield client


@pytest.fixture
async def tenant(database: Database, http: AsyncClient) -> Tenant:
    """A new organization with a key of every scope; tests that need another make one."""
    return await make_tenant(database, http)


@pytest.fixture
async def other_tenant(database: Database, http: AsyncClient) -> Tenant:
    return await make_tenant(database, http)


@pytest.fixture(scope="session")
async def owner(chosen_settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables, past all policies."""
    connection = await asyncpg.connect(driver_url(chosen_settings.database_url.get_secret_value()))
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def backstage(database: Database, chosen_settings: Settings) -> AsyncIterator[Backstage]:
    """Relay and worker, run on demand: `await backstage.settle(tenant)` does all that is waiting."""
    async with Backstage.open(database, chosen_settings) as opened:
        yield opened


@pytest.fixture
def held(chosen_settings: Settings) -> Held:
    """Holds a table: `async with held("companies") as waits` makes what asks for it wait."""
    return partial(holding, chosen_settings)


@pytest.fixture(scope="session")
async def web(chosen_settings: Settings) -> AsyncIterator[Web]:
    """The web process on a port, for tests that need real sockets."""
    async with running(chosen_settings) as started:
        yield started
