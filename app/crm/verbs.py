"""What can be done to any CRM record: create, update, upsert by its declared key, delete, restore."""

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from pydantic.alias_generators import to_camel
from sqlalchemy import select

from app.core.errors import Code, Refusal
from app.core.records import Patch, Record
from app.core.work import Work
from app.crm.events import RecordEvent
from app.crm.models import Company, Contact

M = TypeVar("M", Company, Contact)
P = TypeVar("P", bound=Patch)


@dataclass(frozen=True, slots=True)
class Verbs(Generic[M, P]):
    """The verbs of one kind of record. `key` is the field that an upsert finds it by."""

    model: type[M]
    patch: type[P]
    key: str
    created: type[RecordEvent]
    updated: type[RecordEvent]
    deleted: type[RecordEvent]
    restored: type[RecordEvent]

    async def create(self, work: Work, record: Record) -> M:
        """A new record; `TAKEN` where another one that is kept has its key."""
        row = self.model(**{name: value for name, value in record.said().items() if value is not None})
        work.add(row)
        await work.flush()
        work.emit(self.created(id=row.id))
        return row

    async def update(self, work: Work, id_: UUID, patch: P, expected_version: int | None = None) -> M:
        """Changes what the patch says and leaves the rest; a deleted record must be restored first.

        `CONFLICT` where a version is expected and the record has another."""
        row = await self._get(work, id_)
        if row.deleted_at is not None:
            raise Refusal(Code.CONFLICT, f"the {self.model.prefix} is deleted: restore it first", ("id",))
        if expected_version not in (None, row.version):
            raise Refusal(Code.CONFLICT, f"was changed meanwhile: its version is {row.version}", ("expectedVersion",))
        return await self._change(work, row, patch)

    async def upsert(self, work: Work, record: Record) -> tuple[M, bool]:
        """The record with this key, changed, or else a new one; and whether it is new."""
        value = getattr(record, self.key)
        if value is None:
            raise Refusal(Code.INVALID, "is what an upsert finds the record by", (to_camel(self.key),))
        await work.take_turn(f"{self.model.__tablename__}:{value}")
        same = select(self.model).where(getattr(self.model, self.key) == value, self.model.deleted_at.is_(None))
        row: M | None = (await work.run(same.with_for_update())).scalar_one_or_none()
        if row is None:
            return await self.create(work, record), True
        return await self._change(work, row, self.patch.say(record.said())), False

    async def delete(self, work: Work, id_: UUID) -> M:
        """Takes the record out of every list; what refers to it stays. Deleting again changes nothing."""
        row = await self._get(work, id_)
        if row.deleted_at is None:
            row.deleted_at = work.at
            work.emit(self.deleted(id=id_))
        return row

    async def restore(self, work: Work, id_: UUID) -> M:
        """Undoes a delete; `TAKEN` where the key has gone to another record meanwhile."""
        row = await self._get(work, id_)
        if row.deleted_at is not None:
            row.deleted_at = None
            await work.flush()
            work.emit(self.restored(id=id_))
        return row

    async def _get(self, work: Work, id_: UUID) -> M:
        return await work.get(self.model, id_, noun=self.model.prefix)

    async def _change(self, work: Work, row: M, patch: P) -> M:
        said = patch.said()
        changed = tuple(name for name, value in said.items() if getattr(row, name) != value)
        for name in changed:
            setattr(row, name, said[name])
        if changed:
            await work.flush()
            work.emit(self.updated(id=row.id, changed=changed))
        return row
