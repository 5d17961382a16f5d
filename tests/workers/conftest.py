"""Actors of the tests' own, and organizations for them to act in."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.core.db import Database
from app.core.work import Work
from app.identity.events import OrganizationUpdated
from tests.factories import observed
from tests.factories.chores import Declare
from workers.actors import ACTORS, on

Effect = Callable[[Work, Sequence[Any]], Awaitable[None]]


@pytest.fixture
async def room(database: Database) -> UUID:
    return await observed.room(database)


@pytest.fixture
def actor() -> Iterator[Declare]:
    """`actor(effect)` has the effect done for each OrganizationUpdated while the test runs; the job's type."""
    made: list[str] = []

    def declare(effect: Effect, **options: Any) -> str:
        type_ = f"test.{len(made)}"
        on(OrganizationUpdated, type_, **options)(effect)
        made.append(type_)
        return type_

    yield declare
    for type_ in made:
        del ACTORS[type_]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Failures are meant here: their tracebacks are not rendered."""
    with capture_logs():
        yield
