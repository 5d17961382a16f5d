"""The outbox: every event of an organization in one dense, commit-ordered sequence.

The number is taken as the last statement of a transaction, under the lock of the organization's head row, so
a reader that has seen number n will never find a smaller one later. Everything that follows an event (queues,
live streams, webhooks) is a reading of this table."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any

from sqlalchemy import BigInteger, DateTime, String, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import AnySelect, Tenant
from app.core.events import Event
from app.core.statements import Prepared, numbered_from


class OutboxEvent(Tenant, references_organization=False):
    """One event: its number within the organization, its name and what it says."""

    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(80))
    payload: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]


class OutboxHead(Tenant, references_organization=False):
    """The last number given in an organization."""

    __tablename__ = "outbox_heads"

    last_seq: Mapped[int] = mapped_column(BigInteger)


class OutboxMark(Tenant, references_organization=False):
    """The last number that the relay has passed on."""

    __tablename__ = "outbox_marks"

    relayed_seq: Mapped[int] = mapped_column(BigInteger)


APPEND = Prepared(
    text("""
    WITH head AS (
      INSERT INTO outbox_heads AS h (organization_id, last_seq)
      SELECT :organization, :count WHERE true
      ON CONFLICT (organization_id) DO UPDATE SET last_seq = h.last_seq + excluded.last_seq
      RETURNING h.last_seq
    ), appended AS (
      INSERT INTO outbox (organization_id, seq, name, payload, occurred_at)
      SELECT :organization, head.last_seq - :count + event.position, event.name, event.payload::jsonb, :at
      FROM head, unnest(:names, :payloads) WITH ORDINALITY AS event (name, payload, position)
    )
    SELECT last_seq FROM head
    """).bindparams(
        bindparam("count", type_=BigInteger()),
        bindparam("names", type_=ARRAY(String)),
        bindparam("payloads", type_=ARRAY(String)),
        bindparam("organization", type_=Uuid()),
        bindparam("at", type_=DateTime(timezone=True)),
    )
)
"""Numbers and stores events in one statement; answers the number of the last one."""


@lru_cache(maxsize=100)
def append_after(statements: tuple[Prepared, ...]) -> str:
    """`APPEND` that also does these before, in their order: writes that return nothing and touch different tables.
    It takes their arguments one after another, then its own.

    The number is taken only when they are through: its lock is the last one."""
    if not statements:
        return APPEND.sql
    shifts = accumulate((len(one.names) for one in statements), initial=0)
    *before, append = [numbered_from(one.sql, shift) for one, shift in zip((*statements, APPEND), shifts, strict=True)]
    parts = [f"part_{i} AS ({sql} RETURNING 1)" for i, sql in enumerate(before)]
    through = " AND ".join(f"(SELECT count(*) FROM part_{i}) >= 0" for i in range(len(before)))  # noqa: S608
    text = append.strip().removeprefix("WITH").replace("WHERE true", f"WHERE {through}")
    return f"WITH {', '.join(parts)}, {text}"


NEXT = Prepared(
    text("""
    WITH mark AS MATERIALIZED (
      SELECT relayed_seq FROM outbox_marks WHERE organization_id = :organization FOR UPDATE SKIP LOCKED
    )
    SELECT event.seq, event.name, event.payload
    FROM mark JOIN outbox AS event ON event.organization_id = :organization AND event.seq > mark.relayed_seq
    ORDER BY event.seq LIMIT :limit
    """).bindparams(bindparam("organization", type_=Uuid()), bindparam("limit", type_=BigInteger()))
)
"""Holds the organization's mark until the end, and gives the events after it; none where another relay holds it."""

PASSED_ON = Prepared(
    text("UPDATE outbox_marks SET relayed_seq = :seq WHERE organization_id = :organization").bindparams(
        bindparam("organization", type_=Uuid()), bindparam("seq", type_=BigInteger())
    )
)
"""Moves the mark."""


def said_of(events: Sequence[Event], at: datetime) -> dict[str, Any]:
    """What `APPEND` takes."""
    return {
        "count": len(events),
        "names": [event.name for event in events],
        "payloads": [event.model_dump_json() for event in events],
        "at": at,
    }


def organizations() -> AnySelect:
    """Every organization that has had an event; for the unscoped role."""
    return select(OutboxHead.organization_id)


def behind(limit: int) -> AnySelect:
    """The organizations that have events to pass on; for the unscoped role."""
    return (
        organizations()
        .outerjoin(OutboxMark, OutboxMark.organization_id == OutboxHead.organization_id)
        .where(OutboxHead.last_seq > func.coalesce(OutboxMark.relayed_seq, 0))
        .limit(limit)
    )


def after(seq: int, limit: int) -> Any:
    """The select of the events that follow number `seq`, oldest first."""
    return (
        select(OutboxEvent.seq, OutboxEvent.name, OutboxEvent.payload, OutboxEvent.occurred_at)
        .where(OutboxEvent.seq > seq)
        .order_by(OutboxEvent.seq)
        .limit(limit)
    )
