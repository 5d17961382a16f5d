"""Small batches that an organization sends at nearly the same time are stored in one Work.

The first one waits for nothing. What comes while it is being stored is stored next, all in one: a transaction for a
hundred signals costs little more than for one, and the events of an organization are numbered one transaction after
another anyway. Each sender is answered as if its batch had been alone."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.core.batches import ErrorPolicy
from app.core.db import Database
from app.core.errors import Refusal
from app.core.outages import is_away
from app.core.work import work
from app.signals.batches import Batch, Row, accept_each
from app.signals.ingest import Receipt

SMALL = 50
"""A batch with more rows than that is stored by itself."""
MOST = 500
"""How many rows are stored in one Work."""
_LONGEST_TURN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Stored:
    """Receipts in the order of the rows; `cursor` is the number of the last event of their Work."""

    receipts: list[Receipt]
    cursor: int | None


@dataclass(frozen=True, slots=True, eq=False)
class _Sent:
    """A batch that waits to be stored, and what its sender waits for."""

    batch: Batch
    answer: asyncio.Future[Stored]

    @property
    def given_up(self) -> bool:
        return self.answer.done()


@dataclass(slots=True)
class Intake:
    """The batches of a process that wait, by organization."""

    database: Database
    _waiting: dict[UUID, deque[_Sent]] = field(default_factory=lambda: defaultdict(deque))
    _tasks: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)

    async def accept(self, organization: UUID, rows: Sequence[Row], policy: ErrorPolicy) -> Stored:
        """Stores the good rows; the refusal of `batches.accept` where the batch is refused as a whole.

        A sender that leaves takes its batch along, unless that is being stored together with another's."""
        sent = _Sent(Batch(rows, policy), asyncio.get_running_loop().create_future())
        if len(rows) > SMALL:
            async with work(self.database, organization) as unit:
                answers = await accept_each(unit, [sent.batch])
            _answer([sent], answers, unit.cursor)
            return await sent.answer
        self._waiting[organization].append(sent)
        if organization not in self._tasks:
            self._tasks[organization] = asyncio.create_task(self._take_turns(organization))
        return await sent.answer

    async def _take_turns(self, organization: UUID) -> None:
        """One Work after another; one that is held up for long holds up only those who are in it."""
        try:
            while together := self._next(organization):
                await asyncio.wait([self._begin(organization, together)], timeout=_LONGEST_TURN_SECONDS)
        finally:
            del self._tasks[organization]

    def _next(self, organization: UUID) -> list[_Sent]:
        """Those who are next, still wait, and fit into one Work; none where nobody waits."""
        waiting, together, count = self._waiting[organization], list[_Sent](), 0
        while waiting and count + len(waiting[0].batch.rows) <= MOST:
            sent = waiting.popleft()
            if not sent.given_up:
                together.append(sent)
                count += len(sent.batch.rows)
        if not waiting:
            del self._waiting[organization]
        return together

    def _begin(self, organization: UUID, together: Sequence[_Sent]) -> asyncio.Task[None]:
        """Stores them in a task, which ends when all have left."""
        storing = asyncio.create_task(self._store(organization, together))

        def left(_: asyncio.Future[Stored]) -> None:
            if all(sent.answer.cancelled() for sent in together):
                storing.cancel()

        for sent in together:
            sent.answer.add_done_callback(left)
        return storing

    async def _store(self, organization: UUID, together: Sequence[_Sent]) -> None:
        """Where that fails for several, each is tried by itself, for what is wrong with one is not the others' fault;
        unless an engine is away."""
        try:
            async with work(self.database, organization) as unit:
                answers = await accept_each(unit, [sent.batch for sent in together])
        except Exception as error:
            waiting = [sent for sent in together if not sent.given_up]
            if len(together) == 1 or is_away(error):
                for sent in waiting:
                    sent.answer.set_exception(error)
            else:
                await asyncio.gather(*(self._store(organization, [sent]) for sent in waiting))
        else:
            _answer(together, answers, unit.cursor)


def _answer(together: Sequence[_Sent], answers: Sequence[list[Receipt] | Refusal], cursor: int | None) -> None:
    for sent, answer in zip(together, answers, strict=True):
        if sent.given_up:
            continue
        if isinstance(answer, Refusal):
            sent.answer.set_exception(answer)
        else:
            sent.answer.set_result(Stored(answer, cursor))
