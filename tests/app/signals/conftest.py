"""Organizations without people and keys, for tests that work below the doors."""

from uuid import UUID

import pytest

from app.core.db import Database
from tests.factories import observed


@pytest.fixture
async def room(database: Database) -> UUID:
    """An empty organization."""
    return await observed.room(database)
