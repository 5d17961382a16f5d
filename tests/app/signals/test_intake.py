"""What comes at once from one organization is stored together, and each sender is answered as if alone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core import outbox
from app.core.batches import ErrorPolicy
from app.core.db import Database
from app.core.errors import Code, Problem, Refusal
from app.core.work import Reads, Work, work
from app.crm.events import COMPANY_EVENTS
from app.signals import batches, intake
from app.signals.batches import Row
from app.signals.intake import Intake, Stored
from app.signals.models import Signal, SignalCount
from tests.factories.observed import said

BAD: Row = (Problem(Code.INVALID, "is bad"),)


@asynccontextmanager
async def numbering(database: Database, room: UUID) -> AsyncIterator[None]:
    """Holds the organization's next event number, so that whoever stores something waits at its very end."""
    async with work(database, room) as unit:
        await unit.rows(outbox.APPEND, **outbox.said_of([COMPANY_EVENTS.created(id=room)], unit.at))
        yield


async def stored(database: Database, room: UUID) -> list[str]:
    async with Reads(database, room) as reads:
        return sorted(row.type for row in await reads.rows(select(Signal.type)))


def send(taking: Intake, room: UUID, *rows: Row, policy: ErrorPolicy = ErrorPolicy.REJECT_ALL) -> asyncio.Task[Stored]:
    return asyncio.create_task(taking.accept(room, rows, policy))


async def behind(database: Database, room: UUID, *batches: Sequence[Row]) -> list[Any]:
    """The answers to batches that come while one is being stored."""
    taking = Intake(database)
    async with numbering(database, room):
        first = send(taking, room, said("first"))
        await asyncio.sleep(0.05)
        others = [send(taking, room, *rows) for rows in batches]
        await asyncio.sleep(0.02)
    await first
    return await asyncio.gather(*others, return_exceptions=True)


async def test_what_comes_while_one_is_stored_is_stored_in_one_work(database: Database, room: UUID) -> None:
    answers = await behind(database, room, *([said(f"t{n}", external_id=f"k{n}")] for n in range(20)))
    assert len({answer.cursor for answer in answers}) == 1
    assert len({answer.receipts[0].signal for answer in answers}) == 20
    assert await stored(database, room) == sorted(["first", *(f"t{n}" for n in range(20))])


async def test_each_sender_is_answered_as_if_alone(database: Database, room: UUID) -> None:
    new, again, refused, bad = await behind(
        database,
        room,
        [said("visit", external_id="k", email="ann@acme.dev")],
        [said("visit", external_id="k", email="ann@acme.dev"), said("click", email="ann@acme.dev")],
        [said("lost"), BAD],
        [BAD],
    )
    assert new.receipts[0].new_contact and not new.receipts[0].duplicate
    assert again.receipts[0].duplicate and again.receipts[0].signal == new.receipts[0].signal
    assert not again.receipts[1].new_contact and again.receipts[1].contact == new.receipts[0].contact
    assert isinstance(refused, Refusal) and [problem.path for problem in refused.problems] == [(1,)]
    assert isinstance(bad, Refusal) and [problem.path for problem in bad.problems] == [(0,)]
    assert await stored(database, room) == ["click", "first", "visit"]


async def test_what_breaks_one_is_not_the_others_fault(
    database: Database, room: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaking(unit: Work, sent: Sequence[batches.Batch]) -> Any:
        answers = await batches.accept_each(unit, sent)
        if any(row.type == "poison" for batch in sent for row in batch.rows):  # type: ignore[union-attr]
            raise ZeroDivisionError
        return answers

    monkeypatch.setattr(intake, "accept_each", breaking)
    good, poison, fine = await behind(database, room, [said("good")], [said("poison")], [said("fine")])
    assert isinstance(poison, ZeroDivisionError)
    assert good.receipts[0].signal and fine.receipts[0].signal
    assert await stored(database, room) == ["fine", "first", "good"]


async def test_a_sender_that_leaves_takes_its_batch_along(database: Database, room: UUID) -> None:
    taking = Intake(database)
    async with numbering(database, room):
        first = send(taking, room, said("first"))
        await asyncio.sleep(0.05)
        leaver, other = send(taking, room, said("leaver")), send(taking, room, said("other"))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.sleep(0.02)
    await asyncio.gather(first, other)
    assert await stored(database, room) == ["first", "other"]


async def test_the_only_sender_that_leaves_stops_the_work(database: Database, room: UUID) -> None:
    async with numbering(database, room):
        leaver = send(Intake(database), room, said("leaver"))
        await asyncio.sleep(0.05)
        leaver.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaver
        await asyncio.sleep(0.05)
    assert await stored(database, room) == []


async def test_one_that_is_held_up_holds_up_nobody_behind_it(database: Database, room: UUID) -> None:
    """Nor does it hold the organization's next number while it waits for a counter."""
    taking = Intake(database)
    await taking.accept(room, [said("visit", email="ann@acme.dev")], ErrorPolicy.REJECT_ALL)
    async with work(database, room) as unit:
        await unit.run(select(SignalCount).with_for_update())
        blocked = send(taking, room, said("visit", email="ann@acme.dev"))
        await asyncio.sleep(0.05)
        await taking.accept(room, [said("click", email="bob@other.dev")], ErrorPolicy.REJECT_ALL)
        assert not blocked.done()
    await blocked
    assert await stored(database, room) == ["click", "visit", "visit"]


async def test_large_batches_go_by_themselves(database: Database, room: UUID) -> None:
    rows = [said("bulk") for _ in range(intake.SMALL + 1)]
    small, large = await behind(database, room, [said("small")], rows)
    assert small.cursor != large.cursor
    assert len(await stored(database, room)) == len(rows) + 2
