"""No field shows or changes what belongs to another organization. The questions are made from the schema: every
place that takes an id is given the ids of another organization's records, one of each kind."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
import pytest
from httpx2 import AsyncClient

from app.core.config import Settings
from app.core.db import Database
from graph.context import context_for
from graph.core.operations import Asked, Operations
from graph.schema import schema
from graph.server import Server
from tests.contracts.tables import rows_of
from tests.factories.documents import Place, Root, places, roots
from tests.factories.holdings import Holdings, fill
from tests.factories.tenants import make_tenant
from tests.factories.work import Backstage

WITH_IDS = [root for root in roots() if places(root)]
_kinds: dict[tuple[str, ...], list[str]] = {}


def named(*kinds: str) -> Any:
    return pytest.mark.parametrize("root", [root for root in WITH_IDS if root.kind in kinds], ids=str)


async def asked(asker: Holdings, root: Root, variables: Mapping[str, Any], depth: int = 3) -> dict[str, Any]:
    """The answer to the asker's owner, who may do everything in the organization."""
    tenant = asker.tenant
    answer = await tenant.answer(
        root.document(variables, depth), variables, token=tenant.access_token, **{"X-Organization-Id": tenant.public_id}
    )
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= {"INVALID", "NOT_FOUND"}, answer["errors"]
    return {"data": answer["data"], "errors": answer.get("errors")}


def reveals(answer: Any, of: Holdings) -> bool:
    text = orjson.dumps(answer).decode()
    return of.word in text or any(id_ in text for id_ in of.ids.values())


def is_wrong_kind(answer: Mapping[str, Any]) -> bool:
    text = orjson.dumps(answer).decode()
    return "is the id of a" in text or "is not an id" in text


async def trials(place: Place, asker: Holdings, victim: Holdings) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Kinds of ids that the place takes and the answers to the victim's. Which they are is learnt from the first
    place that speaks of the same record."""
    for kind in _kinds.get(place.subject) or list(victim.ids):
        for other in asker.ids.values() if place.needs_other else [""]:
            variables = place.variables(victim.ids[kind], other)
            answer = await asked(asker, place.root, variables, 3 if place.plain else 2)
            if not is_wrong_kind(answer):
                known = _kinds.setdefault(place.subject, [])
                known.extend({kind} - set(known))
                yield kind, answer
                break


@named("query")
async def test_a_query_given_ids_of_another_organization_shows_nothing_of_it(
    root: Root, holdings: Holdings, other_holdings: Holdings
) -> None:
    victim = other_holdings
    for place in places(root):
        taken = []
        async for kind, answer in trials(place, holdings, victim):
            assert not reveals(answer["data"], victim), f"{place} shows a {kind} of another organization"
            if place.plain:
                theirs = await asked(victim, root, place.variables(victim.ids[kind]))
                taken.append(theirs != answer)
        assert any(taken) or not place.plain, (
            f"{place} was not tried with an id that it can find: add one to the holdings"
        )


@named("mutation")
async def test_a_mutation_given_ids_of_another_organization_changes_nothing_of_it(
    root: Root, holdings: Holdings, other_holdings: Holdings, owner: asyncpg.Connection
) -> None:
    victim = other_holdings
    before = await rows_of(owner, victim.tenant.id)
    tried: list[tuple[Place, str, dict[str, Any]]] = []
    for place in places(root):
        async for kind, answer in trials(place, holdings, victim):
            assert not reveals(answer["data"], victim), f"{place} shows a {kind} of another organization"
            tried.append((place, kind, answer))
    assert await rows_of(owner, victim.tenant.id) == before
    own = "\n".join(row for rows in (await rows_of(owner, holdings.tenant.id)).values() for row in rows)
    assert not [key for key in victim.keys if str(key) in own], "a row of ours points at another organization"
    assert {place for place, _, _ in tried} == set(places(root))
    for place, kind, answer in tried:
        assert "NOT_FOUND" in orjson.dumps(answer).decode(), f"{place} did not miss the {kind}: {answer}"


@named("mutation")
async def test_the_same_mutation_finds_the_ids_of_its_own_organization(
    root: Root, holdings: Holdings, other_holdings: Holdings
) -> None:
    """The counter-proof: what was refused above was refused for whose it is and for nothing else."""
    for place in places(root):
        answers = [answer async for _, answer in trials(place, other_holdings, other_holdings)]
        assert any("NOT_FOUND" not in orjson.dumps(answer).decode() for answer in answers), str(place)


@pytest.fixture(scope="module")
async def server(chosen_settings: Settings) -> AsyncIterator[Server]:
    async with Server.open(chosen_settings) as opened:
        yield opened


@pytest.fixture(scope="module")
async def untouched(database: Database, http: AsyncClient, backstage: Backstage) -> Holdings:
    """Holdings that no test has changed: a deleted record is not told of."""
    return await fill(await make_tenant(database, http), backstage)


@dataclass
class Listener:
    """A subscription from the beginning, and what it tells the asker until it is stopped."""

    place: Place
    told: list[Any] = field(default_factory=list)
    first: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, server: Server, asker: Holdings, id_: str) -> None:
        tenant, operations = asker.tenant, Operations(schema())
        variables = {**self.place.variables(id_), "after": "0"}
        headers = {"authorization": f"Bearer {tenant.access_token}", "x-organization-id": tenant.public_id}
        operation = operations.prepare(Asked(self.place.root.document(variables), variables))
        async with aclosing(operations.follow(operation, await context_for(server, headers))) as answers:
            async for answer in answers:
                self.told.append(answer)
                self.first.set()


@named("subscription")
async def test_a_subscription_given_ids_of_another_organization_tells_nothing_of_it(
    root: Root, holdings: Holdings, untouched: Holdings, server: Server
) -> None:
    victim = untouched
    subjects: dict[tuple[str, ...], Place] = {}
    for place in places(root):
        if place.plain and place.steps[-1] == "eq":
            subjects.setdefault(place.subject, place)
    assert {place.subject for place in places(root)} == set(subjects)
    ours = [(Listener(p), id_) for p in places(root) if p.plain for id_ in await fitting(p, holdings, victim)]
    theirs = [(Listener(p), id_) for p in subjects.values() for id_ in await fitting(p, victim, victim)]
    listening = [
        asyncio.create_task(listener.listen(server, asker, id_))
        for asker, listeners in ((holdings, ours), (victim, theirs))
        for listener, id_ in listeners
    ]
    try:
        async with asyncio.timeout(20):  # the victim itself hears something by each: the questions are good ones
            for listener, _ in theirs:
                await listener.first.wait()
    finally:
        for task in listening:
            task.cancel()
        ended = await asyncio.gather(*listening, return_exceptions=True)
    assert [one for one in ended if not isinstance(one, asyncio.CancelledError)] == []
    assert all(reveals(listener.told, victim) for listener, _ in theirs)
    for listener, _ in ours:
        assert not reveals(listener.told, victim), f"{listener.place} tells of another organization"


async def fitting(place: Place, asker: Holdings, victim: Holdings) -> list[str]:
    """The victim's ids that the place takes, found out on the query that filters by the same type."""
    if place.subject not in _kinds:
        filters = str(place.root.field.args["filter"].type)
        query = next(
            r
            for r in roots()
            if r.kind == "query" and "filter" in r.field.args and str(r.field.args["filter"].type) == filters
        )
        async for kind, _ in trials(Place(query, place.steps), asker, victim):
            _kinds.setdefault(place.subject, []).append(kind)
    return [victim.ids[kind] for kind in _kinds[place.subject]]


async def test_an_organization_one_is_no_member_of_cannot_be_chosen(
    holdings: Holdings, other_holdings: Holdings
) -> None:
    for token in (holdings.tenant.access_token, holdings.tenant.key):
        headers = {"X-Organization-Id": other_holdings.tenant.public_id}
        answer = await holdings.tenant.post("{ viewer { permissions } }", token=token, **headers)
        assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_signals_sent_over_http_cannot_name_records_of_another_organization(
    holdings: Holdings, other_holdings: Holdings, owner: asyncpg.Connection
) -> None:
    before = await rows_of(owner, other_holdings.tenant.id)
    for name in ("company", "contact"):
        answer = await holdings.tenant.send({"type": "visit", f"{name}Id": other_holdings.ids[name]})
        assert answer.status_code == 404, answer.text
        assert not reveals(answer.json(), other_holdings)
    assert await rows_of(owner, other_holdings.tenant.id) == before
