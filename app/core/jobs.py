"""Jobs: every background work as a row, so that it can be seen, counted, and have its effect once.

A worker takes a job by writing a fresh lease into it, and its effect commits only while that lease stands: one that
froze and wakes after another took over cannot write. All times are the database's.

A process that ends takes the jobs under way with it, and each of them may be what ended it. Such jobs are taken over
one at a time, with nothing beside them: what kills its process then kills nothing else, and is dead after five starts;
what merely stood beside it loses one attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Index,
    String,
    Text,
    TextClause,
    UniqueConstraint,
    Uuid,
    and_,
    bindparam,
    delete,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import now
from app.core.config import settings
from app.core.db import Entity
from app.core.errors import Code, Refusal
from app.core.filters import Filterable
from app.core.ids import new_id
from app.core.lists import Listing
from app.core.sets import add_rows
from app.core.statements import Prepared
from app.core.tenancy import SYSTEM
from app.core.work import Work

MAX_ATTEMPTS = 5
KEPT = timedelta(days=3)


class JobStatus(StrEnum):
    """Where a job stands. A DEAD one has used up its attempts and waits to be replayed or discarded."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    DEAD = "DEAD"


class Job(Entity):
    """One background work. `key` makes it unique within its type; `run_at` is when it may next be taken."""

    __tablename__ = "jobs"
    prefix: ClassVar[str] = "job"

    type: Mapped[str] = mapped_column(String(80), doc="What is done, such as `scoring.rescore`.")
    key: Mapped[str] = mapped_column(String(200))
    payload: Mapped[dict[str, Any]] = mapped_column(doc="What it is done with, as JSON.")
    status: Mapped[JobStatus] = mapped_column(default=JobStatus.QUEUED, doc="Where it stands.")
    attempts: Mapped[int] = mapped_column(default=0, doc="How often it was started.")
    error: Mapped[str | None] = mapped_column(Text, doc="Why the last attempt failed.")
    run_at: Mapped[datetime] = mapped_column(default=now, doc="When it may next be started.")
    lease: Mapped[UUID | None] = mapped_column(Uuid)
    started_at: Mapped[datetime | None] = mapped_column(doc="When the last attempt started.")
    finished_at: Mapped[datetime | None] = mapped_column(doc="When it succeeded or was given up.")

    __table_args__ = (
        UniqueConstraint("organization_id", "type", "key"),
        Index(
            "jobs_due_idx",
            "organization_id",
            "run_at",
            postgresql_where=text("status IN ('QUEUED', 'RUNNING', 'FAILED')"),
        ),
        Index(None, "organization_id", "status", "id"),
        Index(None, "organization_id", "type", "id"),
    )

    @classmethod
    def visible_to(cls, organization: UUID) -> ColumnElement[bool]:
        """An organization sees its own jobs and, to read only, those the installation runs for itself."""
        return or_(cls.organization_id == organization, cls.organization_id == SYSTEM)


JOB_LIST = Listing(
    Filterable(
        Job,
        columns={
            "id": Job.id,
            "type": Job.type,
            "status": Job.status,
            "run_at": Job.run_at,
            "created_at": Job.created_at,
        },
    ),
    sorts={"created_at": Job.created_at, "run_at": Job.run_at},
)


async def queue(work: Work, type_: str, key: str, payload: str, *, delay: timedelta = timedelta()) -> UUID | None:
    """Adds a job; None where one of this type and key was added before. `payload` is a JSON object."""
    id_ = new_id()
    added = await add_rows(
        work,
        Job,
        {
            "id": [id_],
            "type": [type_],
            "key": [key],
            "payload": [payload],
            "status": [JobStatus.QUEUED.value],
            "attempts": [0],
            "run_at": [work.at + delay],
            "created_at": [work.at],
            "updated_at": [work.at],
        },
        on=[Job.type, Job.key],
        returning=[Job.id],
    )
    return id_ if added else None


async def extend(work: Work, id_: UUID, last: int) -> bool:
    """Has a job that nobody has started yet work on the events up to `last` as well; whether it could be told."""
    return bool(await work.rows(_EXTEND, id=id_, last=last, at=work.at))


def _prepared(sql: str) -> Prepared:
    """A statement about one job of the organization; its parameters are named alike in all of them."""
    said = text(sql)
    return Prepared(said.bindparams(*(one for one in _PARAMETERS if one.key in said._bindparams)))


_MOMENT = DateTime(timezone=True)
_PARAMETERS = (
    bindparam("organization", type_=Uuid()),
    bindparam("id", type_=Uuid()),
    bindparam("lease", type_=Uuid()),
    bindparam("statuses", type_=ARRAY(String)),
    bindparam("status", type_=String()),
    bindparam("error", type_=Text()),
    bindparam("last", type_=BigInteger()),
    bindparam("at", type_=_MOMENT),
    bindparam("until", type_=_MOMENT),
    bindparam("finished", type_=_MOMENT),
    bindparam("run_at", type_=_MOMENT),
)
_EXTEND = _prepared("""
    UPDATE jobs SET payload = payload || jsonb_build_object('last', CAST(:last AS bigint)), updated_at = :at
    WHERE organization_id = :organization AND id = :id AND status = 'QUEUED'
    RETURNING id
    """)
_START = _prepared("""
    WITH free AS (
      SELECT id FROM jobs
      WHERE organization_id = :organization AND id = :id AND status = ANY (:statuses) AND run_at <= :at
      FOR UPDATE SKIP LOCKED
    )
    UPDATE jobs SET status = 'RUNNING', attempts = jobs.attempts + 1, lease = :lease, started_at = :at,
      run_at = :until, updated_at = :at
    FROM free WHERE jobs.organization_id = :organization AND jobs.id = free.id
    RETURNING jobs.type, jobs.payload, jobs.attempts
    """)
_END = _prepared("""
    UPDATE jobs SET status = :status, error = :error, lease = NULL, updated_at = :at, finished_at = :finished,
      run_at = :run_at
    WHERE organization_id = :organization AND id = :id AND lease = :lease
    RETURNING id
    """)


class LeaseLostError(Exception):
    """Another worker has taken the job over; what this one did is undone."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of a job. Its effect commits with `succeed`, which fails where the lease is another's by then."""

    id: UUID
    type: str
    payload: dict[str, Any]
    number: int
    lease: UUID


def lease_time() -> timedelta:
    """For how long a worker has a job that it does not renew."""
    return timedelta(seconds=settings().job_lease_seconds)


async def take(work: Work, id_: UUID) -> Attempt | None:
    """Starts an attempt at a job that waits; None where it is done, under way or not due."""
    return await _start(work, id_, (JobStatus.QUEUED, JobStatus.FAILED))


async def take_over(work: Work, id_: UUID) -> Attempt | None:
    """Starts an attempt at an abandoned job, or gives the job up after `MAX_ATTEMPTS`. Nothing may run beside it."""
    spent = update(Job).where(_abandoned(work, id_), Job.attempts >= MAX_ATTEMPTS)
    gone = f"its process ended or froze in the last of {MAX_ATTEMPTS} attempts"
    dead = spent.values(status=JobStatus.DEAD, error=gone, lease=None, finished_at=work.at, updated_at=work.at)
    await work.run(dead.execution_options(synchronize_session=False))
    return await _start(work, id_, (JobStatus.RUNNING,))


async def is_abandoned(work: Work, id_: UUID) -> bool:
    """Whether the lease is over and nobody said how the attempt ended: its process was killed, or froze."""
    return (await work.run(select(Job.id).where(_abandoned(work, id_)))).first() is not None


def _abandoned(work: Work, id_: UUID) -> ColumnElement[bool]:
    return and_(Job.id == id_, Job.status == JobStatus.RUNNING, Job.run_at <= work.at)


async def _start(work: Work, id_: UUID, statuses: Sequence[JobStatus]) -> Attempt | None:
    """Of several at once one gets the job; the others do not wait: who has it may be frozen."""
    lease = new_id()
    until = work.at + lease_time()
    rows = await work.rows(_START, id=id_, statuses=list(statuses), lease=lease, at=work.at, until=until)
    return Attempt(id_, rows[0].type, rows[0].payload, rows[0].attempts, lease) if rows else None


async def renew(work: Work, attempt: Attempt) -> None:
    """Makes the lease last again as long as at first, unless it has passed to another."""
    mine = update(Job).where(Job.id == attempt.id, Job.lease == attempt.lease)
    fresh = mine.values(run_at=work.at + lease_time(), updated_at=work.at)
    await work.run(fresh.execution_options(synchronize_session=False))


async def succeed(work: Work, attempt: Attempt) -> None:
    """Marks the job done in the transaction of its effect; `LeaseLostError` where the lease has passed to another."""
    await _end(work, attempt, JobStatus.SUCCEEDED, None)


async def fail(work: Work, attempt: Attempt, error: str, *, retry: bool) -> None:
    """Records a failed attempt: tried again after 5 s, 15 s, 45 s ... until the attempts are used up."""
    if not retry or attempt.number >= MAX_ATTEMPTS:
        await _end(work, attempt, JobStatus.DEAD, error)
        return
    wait = timedelta(seconds=5 * 3 ** (attempt.number - 1))
    await _end(work, attempt, JobStatus.FAILED, error, run_at=work.at + wait)


_OVERDUE = text("""
    WITH RECURSIVE rooms (organization) AS (
      (SELECT organization_id FROM jobs
       WHERE organization_id >= :start AND status IN ('QUEUED', 'RUNNING', 'FAILED')
       ORDER BY organization_id LIMIT 1)
      UNION ALL
      SELECT (SELECT organization_id FROM jobs
              WHERE organization_id > rooms.organization AND status IN ('QUEUED', 'RUNNING', 'FAILED')
              ORDER BY organization_id LIMIT 1)
      FROM rooms WHERE rooms.organization IS NOT NULL
    )
    SELECT rooms.organization, late.id, late.age
    FROM rooms CROSS JOIN LATERAL (
      SELECT id, extract(epoch FROM now() - run_at)::float AS age FROM jobs
      WHERE organization_id = rooms.organization AND status IN ('QUEUED', 'RUNNING', 'FAILED')
        AND run_at <= now() - make_interval(secs => :seconds)
      ORDER BY run_at LIMIT :share
    ) AS late
    LIMIT :limit
    """).bindparams(bindparam("start", type_=Uuid()))


def overdue(start: UUID, seconds: float, share: int, limit: int) -> TextClause:
    """The organization, id and age in seconds of jobs that could have been taken for so long, for the unscoped role.

    Goes from organization to organization, beginning with `start`, and takes the oldest jobs of each, at most `share`:
    the backlog of one hides nothing of the others."""
    return _OVERDUE.bindparams(start=start, seconds=seconds, share=share, limit=limit)


async def replay(work: Work, id_: UUID) -> Job:
    """Queues a dead or failed job again with fresh attempts."""
    job = await work.get(Job, id_, noun="job")
    if job.status not in (JobStatus.DEAD, JobStatus.FAILED):
        raise Refusal(Code.CONFLICT, f"the job is {job.status}: only a dead or failed one can be replayed", ("id",))
    job.status, job.attempts, job.run_at, job.error = JobStatus.QUEUED, 0, work.at, None
    return job


async def forget_done(work: Work) -> None:
    """Deletes the organization's jobs that succeeded more than three days ago, at most 5,000 at once."""
    old = select(Job.id).where(Job.status == JobStatus.SUCCEEDED, Job.finished_at < work.at - KEPT).limit(5_000)
    await work.run(delete(Job).where(Job.id.in_(old)).execution_options(synchronize_session=False))


async def _end(
    work: Work, attempt: Attempt, status: JobStatus, error: str | None, run_at: datetime | None = None
) -> None:
    finished = None if run_at else work.at
    values = {"status": status, "error": error, "at": work.at, "finished": finished, "run_at": run_at or work.at}
    if not await work.rows(_END, id=attempt.id, lease=attempt.lease, **values):
        raise LeaseLostError
