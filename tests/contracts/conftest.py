"""A connection of the database's owner, who sees every row, and an organization with a row of everything."""

import pytest
from httpx2 import AsyncClient

from app.core.db import Database
from tests.factories.holdings import Holdings, fill
from tests.factories.tenants import make_tenant
from tests.factories.work import Backstage


@pytest.fixture(scope="session")
async def holdings(database: Database, http: AsyncClient, backstage: Backstage) -> Holdings:
    return await fill(await make_tenant(database, http), backstage)


@pytest.fixture(scope="session")
async def other_holdings(database: Database, http: AsyncClient, backstage: Backstage) -> Holdings:
    return await fill(await make_tenant(database, http), backstage)
