"""Observations as each door makes them, and a way to take them in."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.connectors.providers import github, segment
from app.core.db import Database
from app.core.ids import new_id
from app.core.work import work
from app.identity.models import Organization
from app.signals import ingest
from app.signals.ingest import Receipt
from app.signals.observations import Observation
from app.signals.records import SignalRecord, observe

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


def said(type_: str, **fields: Any) -> Observation:
    """By POST /v1/signals."""
    made = observe(SignalRecord(type=type_, **{"occurred_at": AT, **fields}), datetime.now(UTC))
    assert isinstance(made, Observation), made
    return made


def called(call: str, **body: Any) -> Observation:
    """By a Segment SDK."""
    [made] = segment.observations(call, {"timestamp": AT.isoformat(), "sentAt": AT.isoformat(), **body}, AT)
    assert isinstance(made, Observation), made
    return made


def starred(number: int, login: str, **sender: Any) -> Observation:
    """By GitHub."""
    payload = {"action": "created", "sender": {"id": number, "login": login, "type": "User", **sender}}
    made = github.observation("star", str(new_id()), payload, AT)
    assert made is not None
    return made


async def take(database: Database, organization: UUID, *observations: Observation) -> Sequence[Receipt]:
    """Takes the observations in as one batch."""
    async with work(database, organization) as unit:
        return await ingest.accept(unit, observations)


async def room(database: Database) -> UUID:
    """An empty organization without people and keys, for tests that work below the doors."""
    id_ = new_id()
    async with work(database, id_) as unit:
        unit.add(Organization(id=id_, name="Room", slug=secrets.token_hex(8)))
    return id_
