"""Behaviour as a condition, against a naive count of the signals in memory."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.clock import now
from app.core.db import Database, Row
from app.core.errors import Code, Refusal
from app.core.lists import Listing
from app.core.work import Reads
from app.crm.queries import COMPANIES, COMPANY_LIST, CONTACT_LIST
from app.signals.models import Signal
from app.signals.queries import SIGNALS
from tests.factories import observed
from tests.factories.observed import said, take
from tests.factories.statements import statements

Tree = Mapping[str, Any]
MIDNIGHT = now().replace(hour=0, minute=0, second=0, microsecond=0)
TICK = timedelta(microseconds=1)
EDGES = [
    *(MIDNIGHT - timedelta(days=days) + tick for days in (0, 6, 29, 30) for tick in (-TICK, timedelta(), TICK)),
    MIDNIGHT - timedelta(days=200, hours=7),
    now() - timedelta(hours=12, minutes=1),
    now() - timedelta(hours=11, minutes=50),
]
WITHIN: Mapping[str, Callable[[datetime], datetime]] = {
    "P1D": lambda at: at.replace(hour=0, minute=0, second=0, microsecond=0),
    "P1W": lambda at: WITHIN["P1D"](at) - timedelta(days=6),
    "P30D": lambda at: WITHIN["P1D"](at) - timedelta(days=29),
    "P31D": lambda at: WITHIN["P1D"](at) - timedelta(days=30),
    "P10Y": lambda at: at - timedelta(days=3650),
    "PT12H": lambda at: at - timedelta(hours=12),
    "P29DT24H": lambda at: at - timedelta(days=30),
}
assert SIGNALS, "what the room adds to companies and contacts is known"


@pytest.fixture(scope="module")
async def room(database: Database) -> UUID:
    """Companies with signals at the edges of days, of several people, some of whom became known only later."""
    room = await observed.room(database)
    batch = []
    for number, edge in enumerate(EDGES):
        for firm in range(5):
            if (number + firm) % (firm + 1) == 0:
                who = {"email": f"p{number % 3}@firm-{firm}.dev"} if number % 4 else {"anonymous_id": f"late-{firm}"}
                type_, source = ("docs_view", "signup")[number % 2], ("api", "web")[number % 3 % 2]
                batch.append(said(type_, source=source, occurred_at=edge, **who))
    await take(database, room, *batch)
    known = [
        said("identify", email=f"p0@firm-{n}.dev", anonymous_id=f"late-{n}", occurred_at=EDGES[-1]) for n in (0, 1)
    ]
    await take(database, room, *known)
    await take(database, room, *(said("quiet", domain=f"idle-{n}.dev", occurred_at=EDGES[12]) for n in range(2)))
    return room


@pytest.fixture(scope="module")
async def world(database: Database, room: UUID) -> Mapping[str, Sequence[Row]]:
    async with Reads(database, room) as reads:
        return {
            "signals": await reads.rows(select(Signal)),
            "companies": await reads.rows(COMPANY_LIST.every()),
            "contacts": await reads.rows(CONTACT_LIST.every()),
        }


texts = st.one_of(
    st.sampled_from(["docs_view", "DOCS_VIEW", "signup", "never"]).map(lambda type_: {"eq": type_}),
    st.just({"in": ["signup", "identify"]}),
    st.just({"starts_with": "doc"}),
    st.just({"neq": "docs_view"}),
)
moments = st.sampled_from([*EDGES, MIDNIGHT - timedelta(days=29), MIDNIGHT + timedelta(days=1)])
counts = st.integers(0, 5)
periods = st.one_of(
    st.just({}),
    st.sampled_from(sorted(WITHIN)).map(lambda within: {"within": within}),
    st.fixed_dictionaries({}, optional={"after": moments, "before": moments}),
)
extras = st.fixed_dictionaries({}, optional={"type": texts, "count_gte": counts})
questions = st.tuples(periods, extras, st.sampled_from([{}, {}, {"source": {"eq": "api"}}, {"count_lte": 5}])).map(
    lambda parts: {**parts[0], **parts[1], **parts[2]}
)


def holds(asked: Tree, theirs: Sequence[Row]) -> bool:
    """The question read the plain way."""
    met = [signal for signal in theirs if _meets(asked, signal)]
    most = asked.get("count_lte", len(met))
    least = asked.get("count_gte", 0 if "count_lte" in asked else 1)
    people = {signal.contact_id or signal.identity_id for signal in met} - {None}
    return least <= len(met) <= most and len(people) >= asked.get("people_gte", 0)


def _meets(asked: Tree, signal: Row) -> bool:
    since = (
        WITHIN[asked["within"]](now()) if "within" in asked else asked.get("after", datetime.min.replace(tzinfo=UTC))
    )
    until = asked.get("before", datetime.max.replace(tzinfo=UTC))
    named = all(_compares(asked[word], signal[word]) for word in ("type", "source") if word in asked)
    return named and since <= signal.occurred_at < until


def _compares(said: Tree, value: str) -> bool:
    [(word, operand)] = said.items()
    match word:
        case "eq":
            return value == operand.lower()
        case "neq":
            return value != operand
        case "in":
            return value in operand
        case _:
            return value.startswith(operand)


async def found(database: Database, room: UUID, listed: Listing, tree: Tree) -> set[UUID]:
    async with Reads(database, room) as reads:
        return {row.id for row in await reads.rows(listed.kept(tree))}


modest = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@modest
@given(asked=questions, people=st.sampled_from([{}, {}, {"people_gte": 2}, {"people_gte": 0}]))
async def test_companies_are_found_by_what_their_people_did(
    database: Database, room: UUID, world: Any, asked: Tree, people: Tree
) -> None:
    asked = {**asked, **people}
    expected = {
        firm.id
        for firm in world["companies"]
        if holds(asked, [signal for signal in world["signals"] if signal.company_id == firm.id])
    }
    assert await found(database, room, COMPANY_LIST, {"signals": asked}) == expected


@modest
@given(asked=questions)
async def test_contacts_are_found_by_what_they_did(database: Database, room: UUID, world: Any, asked: Tree) -> None:
    expected = {
        person.id
        for person in world["contacts"]
        if holds(asked, [signal for signal in world["signals"] if signal.contact_id == person.id])
    }
    assert await found(database, room, CONTACT_LIST, {"signals": asked}) == expected
    employers = {person.company_id for person in world["contacts"] if person.id in expected} - {None}
    assert await found(database, room, COMPANY_LIST, {"contacts": {"some": {"signals": asked}}}) == employers
    others = {firm.id for firm in world["companies"]} - employers
    assert await found(database, room, COMPANY_LIST, {"not": {"contacts": {"some": {"signals": asked}}}}) == others


def tables(sent: list[str]) -> set[str]:
    return {table for table in ("signals", "signal_counts") for text in sent if f"FROM {table} " in text}


@pytest.mark.parametrize(
    ("asked", "answered_by"),
    [
        ({}, "signal_counts"),
        ({"type": {"eq": "signup"}, "within": "P30D", "count_gte": 3}, "signal_counts"),
        ({"after": MIDNIGHT - timedelta(days=3), "before": MIDNIGHT, "count_lte": 0}, "signal_counts"),
        ({"within": "PT12H"}, "signals"),
        ({"after": MIDNIGHT + TICK}, "signals"),
        ({"source": {"eq": "api"}}, "signals"),
        ({"people_gte": 2}, "signals"),
    ],
    ids=str,
)
async def test_whole_days_are_answered_by_the_counters(
    database: Database, room: UUID, asked: Tree, answered_by: str
) -> None:
    with statements() as sent:
        await found(database, room, COMPANY_LIST, {"signals": asked})
    assert tables(sent) == {answered_by}


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"within": "a month"}, "within"),
        ({"within": "-P1D"}, "within"),
        ({"within": "P99999D"}, "within"),
        ({"within": "P1D", "after": MIDNIGHT}, "within"),
        ({"within": "P1D", "before": MIDNIGHT}, "within"),
        ({"count_gte": -1}, "count_gte"),
        ({"count_lte": 2_000_000}, "count_lte"),
        ({"count_gte": 3, "count_lte": 2}, "count_lte"),
        ({"people_gte": -1}, "people_gte"),
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_refused_with_its_place(asked: Tree, word: str) -> None:
    with pytest.raises(Refusal) as refused:
        COMPANIES.condition({"or": [{"signals": asked}]}, ("filter",))
    assert refused.value.code is Code.INVALID
    assert refused.value.problems[0].path == ("filter", "or", 0, "signals", word)


def test_text_that_cannot_be_stored_is_refused_where_it_stands() -> None:
    with pytest.raises(Refusal) as refused:
        COMPANIES.condition({"signals": {"type": {"in": ["\x00"]}}})
    assert refused.value.problems[0].path == ("signals", "type", "in")


def test_what_lists_know_is_settled_once_it_is_published() -> None:
    with pytest.raises(RuntimeError, match="settled"):
        COMPANY_LIST.extend(questions=dict(COMPANIES.questions))
    with pytest.raises(RuntimeError, match="settled"):
        COMPANY_LIST.extend(sorts=dict(COMPANY_LIST.sorts))
