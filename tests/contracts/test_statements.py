"""Every statement on tenant tables names its organization itself, beside row level security, so that it stays on one
shard: shown by the plans of what a walk through the whole product sends."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import orjson
import pytest
from httpx2 import AsyncClient
from sqlalchemy import Connection, Engine, event

from app.core.db import UNSCOPED_ROLE, Database
from tests.contracts.tables import TENANT_NAMES
from tests.factories.documents import Place, Root, places, roots
from tests.factories.holdings import Holdings, fill
from tests.factories.statements import driver_statements
from tests.factories.tenants import make_tenant
from tests.factories.work import Backstage

CURSORS = """
query ($first: Int, $after: String, $last: Int, $before: String, $by: [CompanyOrder!], $filter: CompanyFilter) {
  companies(first: $first, after: $after, last: $last, before: $before, orderBy: $by, filter: $filter) {
    pageInfo { startCursor endCursor } totalCount nodes { contacts(first: 1) { totalCount nodes { id } } }
  }
}
"""
GROUPS = """
{
  companiesAggregate(groupBy: [{field: INDUSTRY}, {field: CREATED_AT, by: WEEK}]) { groups { count } }
  contactsAggregate(groupBy: [{field: COMPANY_ID}]) { groups { count key { company { name } } } }
}
"""
ORDERS = [
    None,
    [{"field": "EMPLOYEES"}],
    [{"field": "NAME"}, {"field": "CREATED_AT", "direction": "DESC"}],
    [{"field": "SCORE", "direction": "DESC"}],
    [{"field": "LAST_SIGNAL_AT"}, {"field": "SCORE"}],
]
BEHAVIOUR = [
    {"within": "P30D", "countGte": 2},
    {"type": {"contains": "a"}, "countLte": 7},
    {"source": {"eq": "api"}, "within": "PT5H", "countGte": 2, "countLte": 9, "peopleGte": 2},
]
RELATED = """
query ($filter: ContactFilter) {
  byCompany: contacts(orderBy: [{field: COMPANY_NAME}], filter: $filter) { nodes { id } }
  byBoth: contacts(orderBy: [{field: COMPANY_NAME}, {field: LAST_SIGNAL_AT}]) { nodes { id } }
  companies(first: 2) { nodes { contacts(orderBy: [{field: LAST_SIGNAL_AT}], filter: $filter) { nodes { id } } } }
}
"""


@contextmanager
def captured() -> Iterator[set[str]]:
    """The texts that are sent while the block runs, but for what is sent as the role that looks across tenants."""
    seen: set[str] = set()

    def begun(connection: Connection) -> None:
        connection.info.pop("unscoped", None)

    def sent(connection: Connection, _: Any, statement: str, *__: Any) -> None:
        if UNSCOPED_ROLE in statement:
            connection.info["unscoped"] = True
        if not connection.info.get("unscoped"):
            seen.add(statement)

    event.listen(Engine, "begin", begun)
    event.listen(Engine, "before_cursor_execute", sent)
    try:
        with driver_statements(seen.add):
            yield seen
    finally:
        event.remove(Engine, "begin", begun)
        event.remove(Engine, "before_cursor_execute", sent)


async def walk(holdings: Holdings, backstage: Backstage) -> None:
    """Pages in each direction, signals of late-known actors, every query and mutation with an id wherever one can
    be given, and what workers do of it all."""
    tenant = holdings.tenant
    for by in ORDERS:
        page = (await tenant.ask(CURSORS, {"first": 1, "by": by}))["companies"]["pageInfo"]
        await tenant.ask(CURSORS, {"after": page["endCursor"], "by": by})
        await tenant.ask(CURSORS, {"last": 2, "before": page["endCursor"], "by": by})
    await tenant.ask(GROUPS)
    for asked in BEHAVIOUR:
        await tenant.ask(CURSORS, {"filter": {"signals": asked, "not": {"score": {"value": {"lt": 3}}}}})
        of_people = {word: value for word, value in asked.items() if word != "peopleGte"}
        await tenant.ask(RELATED, {"filter": {"signals": of_people}})
    late = {"type": "signup", "email": f"late@{holdings.word}.dev", "anonymousId": f"{holdings.word}-late"}
    await tenant.send([{"type": "visit", "anonymousId": f"{holdings.word}-late"}])
    await tenant.send([late, {**late, "type": "visit", "idempotencyKey": "again"}])
    await tenant.send([{**late, "type": "visit", "idempotencyKey": "again"}])
    for root in roots():
        if root.kind != "subscription" and root.name != "logout":
            await _ask(holdings, root, root.variables(), 4)
            for place in places(root):
                if place.plain:
                    await _place(holdings, place)
    await backstage.settle(tenant.id)


async def _place(holdings: Holdings, place: Place) -> None:
    """Gives the place the first id that it takes."""
    ids = list(holdings.ids.values())
    for id_, other in itertools.product(ids, ids if place.needs_other else [""]):
        answer = await _ask(holdings, place.root, place.variables(id_, other), 2)
        if "is the id of a" not in answer:
            return


async def _ask(holdings: Holdings, root: Root, variables: dict[str, Any], depth: int) -> str:
    tenant = holdings.tenant
    headers = {"X-Organization-Id": tenant.public_id}
    return (await tenant.post(root.document(variables, depth), variables, token=tenant.access_token, **headers)).text


@pytest.fixture(scope="module")
async def walked(database: Database, http: AsyncClient, backstage: Backstage) -> set[str]:
    with captured() as seen:
        await walk(await fill(await make_tenant(database, http), backstage), backstage)
    return seen


def scans(plan: Any, tables: set[str]) -> Iterator[tuple[str, str]]:
    """The tables that a plan reads, each with all of its conditions."""
    if plan.get("Relation Name") in tables and plan["Node Type"] != "ModifyTable":
        yield plan["Relation Name"], " ".join(str(plan[key]) for key in plan if key.endswith(("Cond", "Filter")))
    for child in plan.get("Plans", ()):
        yield from scans(child, tables)


EXPLAIN = """
CREATE OR REPLACE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan text;
BEGIN
  EXECUTE 'EXPLAIN (GENERIC_PLAN, FORMAT JSON) ' || statement INTO plan;
  RETURN plan;
END $$
"""


async def _plan(owner: asyncpg.Connection, statement: str) -> Any:
    """The plan of a statement with parameters, which the driver cannot explain: it wants their values."""
    return orjson.loads(await owner.fetchval("SELECT pg_temp.plan_of($1)", statement))[0]["Plan"]


async def test_every_scan_of_a_tenant_table_is_narrowed_to_one_organization(
    owner: asyncpg.Connection, walked: set[str]
) -> None:
    """Asked as the owner, whom the policies do not concern: what narrows the scan is in the statement itself."""
    parts = await owner.fetch("SELECT inhrelid::regclass::text FROM pg_inherits")
    tables, wide, narrowed = {*TENANT_NAMES, *(name for (name,) in parts)}, [], set()
    await owner.execute(EXPLAIN)
    for statement in sorted(walked):
        if not statement.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            continue
        for table, conditions in scans(await _plan(owner, statement), tables):
            if "organization_id = $" in conditions or _is_system_or_own(table, conditions):
                narrowed.add(table)
            else:
                wide.append((table, conditions, statement))
    assert wide == []
    assert len(narrowed) > 12, f"the walk met too little: {sorted(narrowed)}"


def _is_system_or_own(table: str, conditions: str) -> bool:
    """Jobs are seen with those that the installation runs for itself."""
    return table == "jobs" and "organization_id = ANY" in conditions


async def test_no_statement_of_a_walk_writes_row_by_row(walked: set[str]) -> None:
    """Sets travel as lists: a multi-row insert would have one text per number of rows."""
    texts = [text for text in walked if text.lstrip().startswith("INSERT")]
    assert texts
    assert [text for text in texts if text.count("VALUES") and text.count("), (") > 1] == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM companies WHERE id = $1",
        "UPDATE contacts SET title = $1 WHERE id = $2",
        "DELETE FROM signals WHERE id = $1",
        "SELECT c.id FROM companies c WHERE organization_id = $1 AND EXISTS "
        "(SELECT FROM contacts p WHERE p.company_id = c.id AND p.title IS NULL)",
    ],
)
async def test_a_statement_that_leaves_the_organization_out_is_noticed(
    owner: asyncpg.Connection, statement: str
) -> None:
    await owner.execute(EXPLAIN)
    parts = await owner.fetch("SELECT inhrelid::regclass::text FROM pg_inherits")
    found = scans(await _plan(owner, statement), {*TENANT_NAMES, *(name for (name,) in parts)})
    assert [table for table, conditions in found if "organization_id = $" not in conditions]
