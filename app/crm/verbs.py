"""What can be done to any CRM record: create, update, upsert by its declared key, delete, restore, destroy.

Each verb takes many records, in a number of statements that does not grow with them, and the verbs of one record are
those of a batch of one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic.alias_generators import to_camel
from sqlalchemy import func, select

from app.core.batches import Results, only
from app.core.errors import Code, Problem, Refusal
from app.core.records import Patch, Record
from app.core.references import missing, unlink
from app.core.work import Work
from app.crm.events import RecordEvents
from app.crm.models import Kept

M = TypeVar("M", bound=Kept)
P = TypeVar("P", bound=Patch)


class Verbs(Generic[M, P]):
    """The verbs of one kind of record. `key` is the field that no two kept records share and an upsert finds one by."""

    def __init__(self, model: type[M], patch: type[P], events: RecordEvents, key: str | None = None) -> None:
        self.model = model
        self.patch = patch
        self.events = events
        self.key = key

    async def create(self, work: Work, record: Record) -> M:
        """A new record; `TAKEN` where another one that is kept has its key."""
        return only(await self.create_all(work, {0: record}))

    async def create_all(self, work: Work, records: Mapping[int, Record]) -> Results[M]:
        """New records, or what is wrong with each, by their numbers."""
        bad = await self._refused(work, {i: record.said() for i, record in records.items()})
        rows = {i: self.model(**self.beginning(work, record)) for i, record in records.items() if i not in bad}
        work.add(*rows.values())
        await work.flush()
        for row in rows.values():
            self.began(work, row)
            work.emit(self.events.created(id=row.id))
        return {**rows, **bad}

    async def update(self, work: Work, id_: UUID, patch: P, expected: int | None = None) -> M:
        """Changes what the patch says and leaves the rest; a deleted record must be restored first.

        `CONFLICT` where a version is expected and the record has another."""
        return only(await self.update_all(work, {0: (id_, patch, expected)}))

    async def update_all(self, work: Work, patches: Mapping[int, tuple[UUID, P, int | None]]) -> Results[M]:
        """Changed records, or what is wrong with each, by their numbers."""
        rows = await self._held(work, [id_ for id_, _, _ in patches.values()])
        results: Results[M] = {}
        wanted: dict[int, tuple[M, P]] = {}
        for i, (id_, patch, expected) in patches.items():
            row = rows.get(id_)
            if row is None:
                results[i] = self._unknown()
            elif row.deleted_at is not None:
                results[i] = self._deleted()
            elif expected not in (None, row.version):
                said = f"was changed meanwhile: its version is {row.version}"
                results[i] = Refusal(Code.CONFLICT, said, ("expectedVersion",))
            else:
                wanted[i] = row, patch
        return results | await self._change_all(work, wanted)

    async def upsert(self, work: Work, record: Record) -> tuple[M, bool]:
        """The record with this key, changed, or else a new one; and whether it is new."""
        return only(await self.upsert_all(work, {0: record}))

    async def upsert_all(self, work: Work, records: Mapping[int, Record]) -> Results[tuple[M, bool]]:
        """Each record with this key, changed, or else a new one, and whether it is new; by their numbers."""
        results: Results[tuple[M, bool]] = {}
        first: dict[str, int] = {}
        for i, record in records.items():
            value = self._key_of(record.said())
            if value is None:
                results[i] = Refusal(Code.INVALID, "is what an upsert finds the record by", self._key_path)
            elif (twin := first.setdefault(value, i)) != i:
                results[i] = Refusal(Code.INVALID, f"is said by row {twin} as well", self._key_path)
        await work.take_turn(*(f"{self.model.__tablename__}:{value}" for value in sorted(first)))
        there = {self._key_of(vars(row)): row for row in await self._with_keys(work, list(first))}
        known = {i: there[value] for value, i in first.items() if value in there}
        patches = {i: (row, self.patch.say(records[i].said())) for i, row in known.items()}
        made = await self.create_all(work, {i: records[i] for i in first.values() if i not in known})
        changed = await self._change_all(work, patches)
        for rows, new in ((made, True), (changed, False)):
            for i, row in rows.items():
                results[i] = row if isinstance(row, Refusal) else (row, new)
        return results

    async def delete(self, work: Work, id_: UUID) -> M:
        """Takes the record out of every list; what refers to it stays. Deleting again changes nothing."""
        return only(await self.delete_all(work, {0: id_}))

    async def delete_all(self, work: Work, ids: Mapping[int, UUID]) -> Results[M]:
        rows = await self._held(work, ids.values())
        for row in rows.values():
            if row.deleted_at is None:
                row.deleted_at = work.at
                work.emit(self.events.deleted(id=row.id))
        return {i: rows.get(id_) or self._unknown() for i, id_ in ids.items()}

    async def restore(self, work: Work, id_: UUID) -> M:
        """Undoes a delete; `TAKEN` where the key has gone to another record meanwhile."""
        row = await self._get(work, id_)
        if row.deleted_at is not None:
            row.deleted_at = None
            await work.flush()
            work.emit(self.events.restored(id=id_))
        return row

    async def destroy(self, work: Work, id_: UUID) -> None:
        """Removes a deleted record for good. What belongs to it alone goes along; what only names it forgets it."""
        row = await self._get(work, id_)
        if row.deleted_at is None:
            raise Refusal(Code.CONFLICT, f"the {self.noun} must be deleted first", ("id",))
        await unlink(work, self.model, id_)
        await work.remove(row)
        work.emit(self.events.destroyed(id=id_))

    @property
    def noun(self) -> str:
        return self.model.prefix

    def beginning(self, work: Work, record: Record) -> dict[str, Any]:
        """The values with which a new record begins."""
        return {name: value for name, value in record.said().items() if value is not None}

    def began(self, work: Work, row: M) -> None:
        """Called with each new record, after it was stored."""

    def changing(self, work: Work, row: M, said: dict[str, Any]) -> None:
        """Called before a record takes the values that are said and differ; may add to them."""

    async def _change_all(self, work: Work, wanted: Mapping[int, tuple[M, P]]) -> Results[M]:
        differs = {
            i: {name: value for name, value in patch.said().items() if getattr(row, name) != value}
            for i, (row, patch) in wanted.items()
        }
        bad = await self._refused(work, differs)
        changed: list[tuple[M, tuple[str, ...]]] = []
        for i, (row, _) in wanted.items():
            if i not in bad and differs[i]:
                self.changing(work, row, differs[i])
                names = tuple(name for name, value in differs[i].items() if getattr(row, name) != value)
                for name in names:
                    setattr(row, name, differs[i][name])
                if names:
                    changed.append((row, names))
        await work.flush()
        work.emit(*(self.events.updated(id=row.id, changed=names) for row, names in changed))
        return {i: bad.get(i) or row for i, (row, _) in wanted.items()}

    async def _refused(self, work: Work, said: Mapping[int, Mapping[str, Any]]) -> dict[int, Refusal]:
        """What is wrong with new values beyond their shape, by row: keys that are taken, records that are not there."""
        problems = await missing(work, self.model, said)
        keys = {i: value for i, values in said.items() if (value := self._key_of(values)) is not None}
        taken = {self._key_of(vars(row)) for row in await self._with_keys(work, list(keys.values()))}
        for i, value in keys.items():
            if value in taken:
                problems.setdefault(i, []).append(
                    Problem(Code.TAKEN, "is already used by another record", self._key_path)
                )
            taken.add(value)
        return {i: Refusal.of(found) for i, found in problems.items()}

    def _key_of(self, values: Mapping[str, Any]) -> str | None:
        return values.get(self.key) if self.key else None

    @property
    def _key_path(self) -> tuple[str, ...]:
        return (to_camel(self.key or "id"),)

    async def _with_keys(self, work: Work, keys: Sequence[str]) -> Sequence[M]:
        if not keys or self.key is None:
            return []
        column = getattr(self.model, self.key)
        rows = select(self.model).where(column == func.any(sorted(set(keys))), self.model.deleted_at.is_(None))
        return (await work.run(rows.order_by(self.model.id).with_for_update())).scalars().all()

    async def _held(self, work: Work, ids: Iterable[UUID]) -> dict[UUID, M]:
        """The rows of these ids, locked in one order until the end."""
        rows = select(self.model).where(self.model.id == func.any(sorted(set(ids)))).order_by(self.model.id)
        return {row.id: row for row in (await work.run(rows.with_for_update())).scalars()}

    async def kept(self, work: Work, id_: UUID, *path: str) -> M:
        """The record, held until the end; a refusal where there is none or it is deleted."""
        row = await work.get(self.model, id_, noun=self.noun, path=path or ("id",))
        if row.deleted_at is not None:
            raise self._deleted(*path)
        return row

    def _deleted(self, *path: str) -> Refusal:
        return Refusal(Code.CONFLICT, f"the {self.noun} is deleted: restore it first", path or ("id",))

    async def _get(self, work: Work, id_: UUID) -> M:
        return await work.get(self.model, id_, noun=self.noun)

    def _unknown(self) -> Refusal:
        return Refusal(Code.NOT_FOUND, f"no such {self.noun}", ("id",))
