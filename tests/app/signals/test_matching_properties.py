"""What holds for every small history: counters are counts, events are stored once, the order does not matter
where one person is concerned, and nobody else's rows are touched."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.db import Database
from app.signals.models import Signal
from app.signals.observations import Observation
from tests.factories import observed
from tests.factories.books import Books, assert_counters_are_counts, books, count_of
from tests.factories.observed import called, said, take

MODEST = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
EMAILS = ("ann@prop-one.dev", "bob@prop-one.dev", "eve@prop-two.dev", "ann@gmail.com", "info@prop-one.dev")

anything = st.builds(
    said,
    st.sampled_from(("a", "b")),
    actor_id=st.sampled_from((None, None, "u1", "u2")),
    anonymous_id=st.sampled_from((None, "d1", "d2")),
    email=st.sampled_from((None, None, *EMAILS)),
    domain=st.sampled_from((None, None, None, "prop-two.dev", "prop-three.dev")),
)
ANN = {"userId": "u", "traits": {"email": "ann@prop-one.dev"}}
OF_ONE_PERSON = (
    said("visit", anonymous_id="d1"),
    said("visit", anonymous_id="d2"),
    called("track", event="use", userId="u"),
    called("track", event="use", userId="u", anonymousId="d1"),
    called("alias", previousId="d2", userId="u"),
    called("identify", anonymousId="d1", **ANN),
    said("mail", email="ann@prop-one.dev"),
)


def with_keys(history: Sequence[Observation]) -> list[Observation]:
    return [replace(one, key=f"k{number}", source="test") for number, one in enumerate(history)]


@st.composite
def deliveries(draw: st.DrawFn, history: Sequence[Observation]) -> list[list[Observation]]:
    """The history in some order, some of it more than once, cut into batches."""
    keyed = with_keys(history)
    sent = draw(st.permutations(keyed + draw(st.lists(st.sampled_from(keyed), max_size=4))))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(sent) - 1)), max_size=4)))
    return [batch for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True) if (batch := sent[start:end])]


async def deliver(database: Database, batches: Sequence[Sequence[Observation]]) -> tuple[UUID, Books]:
    organization = await observed.room(database)
    for batch in batches:
        await take(database, organization, *batch)
    return organization, await books(database, organization)


@MODEST
@given(st.lists(anything, min_size=1, max_size=6).flatmap(lambda h: st.tuples(st.just(len(h)), deliveries(h))))
async def test_every_history_is_stored_once_and_counted_right(database: Database, drawn: Any) -> None:
    size, batches = drawn
    organization, ended = await deliver(database, batches)
    assert await count_of(database, organization, Signal) == size
    await assert_counters_are_counts(database, organization)
    assert max(ended.companies.values(), default=1) == 1
    assert all("info@" not in name for name in ended.employers)
    assert "gmail.com" not in ended.companies


@MODEST
@given(deliveries(OF_ONE_PERSON))
async def test_one_persons_history_ends_alike_in_every_order(database: Database, batches: Any) -> None:
    _, ended = await deliver(database, batches)
    ann, company = "ann@prop-one.dev", "prop-one.dev"
    assert set(ended.signals) == {(type_, ann, company) for type_ in ("visit", "use", "alias", "identify", "mail")}
    assert ended.signals["visit", ann, company] == 2
    assert sum(ended.counts.values()) == len(OF_ONE_PERSON)
    assert ended.people == {(company, ann): 1}
    assert ended.employers == {ann: company}


async def test_another_organizations_rows_are_left_as_they_are(database: Database) -> None:
    _, theirs = bystander = await deliver(database, [with_keys(OF_ONE_PERSON)[:4]])
    await deliver(database, [with_keys(OF_ONE_PERSON)])
    assert await books(database, bystander[0]) == theirs
