"""Keys under which a request is done once: its first answer is kept beside its effect and given again."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from pydantic import Field
from sqlalchemy import LargeBinary, String, bindparam, delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from app.core import jobs
from app.core.db import Tenant, index
from app.core.errors import Code, Refusal
from app.core.records import Line, Record
from app.core.statements import Prepared
from app.core.tenancy import ORGANIZATION, within
from app.core.work import Work

KEPT = timedelta(hours=24)
FORGET = "idempotency.forget"
"""The job that forgets the keys of a day, a day after it has ended."""
_PATH = ("idempotencyKey",)


class IdempotencyKey(Tenant, references_organization=False):
    """A key that was used. A committed one has an answer: both are written with the effect."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]

    __table_args__ = (index("created_at"),)


class _Said(Record):
    idempotency_key: Line = Field(description="The key, 1 to 255 characters.")


def checked(key: str) -> str:
    """The key as it is kept; a refusal for one that is empty, too long or cannot be stored."""
    return _Said.say({"idempotency_key": key}).idempotency_key


_insert: Any = insert(IdempotencyKey).values(
    organization_id=ORGANIZATION,
    key=bindparam("key"),
    fingerprint=bindparam("fingerprint"),
    answer=None,
    created_at=bindparam("at"),
)
_CLAIM = Prepared(
    _insert.on_conflict_do_update(
        index_elements=[IdempotencyKey.organization_id, IdempotencyKey.key], set_={"key": _insert.excluded.key}
    ).returning(IdempotencyKey.fingerprint, IdempotencyKey.answer)
)
_IT = within(IdempotencyKey) & (IdempotencyKey.key == bindparam("its_key"))
_KEEP = Prepared(update(IdempotencyKey).where(_IT).values(answer=bindparam("said", type_=IdempotencyKey.answer.type)))
_RELEASE = Prepared(delete(IdempotencyKey).where(_IT))


async def claim(work: Work, key: str, fingerprint: bytes) -> Mapping[str, Any] | None:
    """The answer that was given under the key, or None where it is this Work's from now on.

    Waits for another Work that has the key, for as long as a statement may take, then `CONFLICT`;
    `IDEMPOTENCY_CONFLICT` where the key was used for something else."""
    try:
        row = (await work.rows(_CLAIM, key=key, fingerprint=fingerprint, at=work.at))[0]
    except asyncpg.QueryCanceledError:
        raise Refusal(Code.CONFLICT, "is that of a request still under way: try again", _PATH) from None
    if row.fingerprint != fingerprint:
        raise Refusal(Code.IDEMPOTENCY_CONFLICT, "was used with other arguments or another field", _PATH)
    if row.answer is None:
        await jobs.queue(work, FORGET, f"{work.at:%Y-%m-%d}", "{}", delay=2 * KEPT)
    answer: Mapping[str, Any] | None = row.answer
    return answer


async def keep(work: Work, key: str, answer: Mapping[str, Any]) -> None:
    """Keeps the answer of a claimed key."""
    await work.rows(_KEEP, its_key=key, said=answer)


async def release(work: Work, key: str) -> None:
    """Frees a claimed key: nothing was done under it."""
    await work.rows(_RELEASE, its_key=key)


async def forget_old(work: Work) -> None:
    """Deletes the organization's keys that are older than a day."""
    old = delete(IdempotencyKey).where(IdempotencyKey.created_at < work.at - KEPT)
    await work.run(old.execution_options(synchronize_session=False))
