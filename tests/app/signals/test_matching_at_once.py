"""Batches at the same time: one contact and one company for each, no deadlock, no lost link."""

import asyncio
from uuid import UUID

from app.core.db import Database
from app.core.work import work
from app.signals import ingest
from app.signals.observations import Observation
from tests.factories.books import assert_counters_are_counts, books
from tests.factories.observed import called, said, starred, take


async def at_once(database: Database, organization: UUID, *batches: list[Observation]) -> None:
    await asyncio.gather(*(take(database, organization, *batch) for batch in batches))


async def test_a_new_person_and_company_are_added_once(database: Database, room: UUID) -> None:
    for round_ in range(5):
        email = f"ann@at-once-{round_}.dev"
        rows = [said("x", email=email), said("y", email=email, actor_id=f"u{round_}")]
        await at_once(database, room, *([rows[number % 2]] for number in range(8)))
    ended = await books(database, room)
    assert ended.employers == {f"ann@at-once-{n}.dev": f"at-once-{n}.dev" for n in range(5)}
    assert set(ended.companies.values()) == {1} and len(ended.companies) == 5
    assert {(contact, company) for _, contact, company in ended.signals} == set(ended.employers.items())
    await assert_counters_are_counts(database, room)


async def test_large_batches_of_the_same_people_in_other_orders(database: Database, room: UUID) -> None:
    people = [f"p{number}@crowd-{number % 5}.dev" for number in range(60)]
    rows = [said("x", email=email, anonymous_id=email, actor_id=email) for email in people]
    await at_once(database, room, rows, rows[::-1], rows[30:] + rows[:30], rows[::2] + rows[1::2])
    ended = await books(database, room)
    assert set(ended.employers) == set(people)
    assert len(ended.companies) == 5 and set(ended.companies.values()) == {1}
    assert sum(ended.counts.values()) == 240
    await assert_counters_are_counts(database, room)


async def test_a_company_found_by_group_alone_is_added_once(database: Database, room: UUID) -> None:
    group = called("group", userId="u", groupId="g", traits={"name": "Grouped"})
    await at_once(database, room, *([group] for _ in range(8)))
    assert (await books(database, room)).companies == {"Grouped": 1}


async def test_somebody_who_stars_many_things_at_once_is_one_contact(database: Database, room: UUID) -> None:
    await at_once(database, room, *([starred(42, "jane")] for _ in range(8)))
    assert list((await books(database, room)).employers) == ["jane"]


async def test_anonymous_and_identified_at_once_end_together(database: Database, room: UUID) -> None:
    """A device's signals that commit while it is being identified follow their actor as well."""
    for round_ in range(10):
        device, email = f"dev{round_}", f"p{round_}@racing.dev"
        await take(database, room, called("track", event="first", anonymousId=device))
        visits = [[called("track", event="visit", anonymousId=device)] for _ in range(4)]
        identify = called("identify", userId=email, anonymousId=device, traits={"email": email})
        await at_once(database, room, *visits[:2], [identify], *visits[2:])
    ended = await books(database, room)
    stray = [key for key in ended.signals if key[1] is None]
    assert stray == []
    await assert_counters_are_counts(database, room)


async def test_a_signal_that_commits_after_its_device_was_identified_follows_too(
    database: Database, room: UUID
) -> None:
    email = "ann@overtaken.dev"
    await take(database, room, called("track", event="first", anonymousId="dev"))
    async with work(database, room) as unit:
        await ingest.accept(unit, [called("track", event="second", anonymousId="dev")])
        identify = called("identify", userId="7", anonymousId="dev", traits={"email": email})
        overtaking = asyncio.create_task(take(database, room, identify))
        await asyncio.wait([overtaking], timeout=0.3)
    await overtaking
    ended = await books(database, room)
    assert set(ended.signals) == {(type_, email, "overtaken.dev") for type_ in ("first", "second", "identify")}
    await assert_counters_are_counts(database, room)


async def test_names_of_one_actor_claimed_at_once_do_not_deadlock(database: Database, room: UUID) -> None:
    for round_ in range(10):
        user, one, two = f"u{round_}", f"one{round_}", f"two{round_}"
        for device in (one, two):
            await take(database, room, called("alias", previousId=device, userId=user))
        await at_once(
            database,
            room,
            [
                called("track", event="x", anonymousId=one),
                called("identify", userId=user, traits={"email": f"{user}@a-lock.dev"}),
            ],
            [called("identify", userId=f"{user}b", anonymousId=two, traits={"email": f"{user}@b-lock.dev"})],
            [called("identify", userId=f"{user}c", anonymousId=one, traits={"email": f"{user}@c-lock.dev"})],
            [called("alias", previousId=two, userId=one), called("track", event="x", userId=user)],
        )
    await assert_counters_are_counts(database, room)
