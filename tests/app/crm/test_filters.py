"""The filter language against a naive reading of the same conditions in memory."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.db import Database, Row
from app.core.errors import Code, Refusal
from app.core.filters import COMPARATORS, Filterable, Kind, kind_of
from app.core.ids import new_id
from app.core.work import Reads, work
from app.crm.models import Company, Contact, ContactStatus, Lifecycle
from app.crm.queries import COMPANIES, COMPANY_LIST, CONTACT_LIST, CONTACTS
from tests.factories.tenants import make_tenant

TEXTS = ["acme", "Acme", "ACME Labs", "a_b", "a%b", "axb", "back\\slash", "Ünïcorn", "ünïcorn", ""]
NUMBERS = [0, 1, 2, 50]
TIMES = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
Tree = Mapping[str, Any]
World = dict[str, list[Row]]
Open = Callable[[], Reads]


@pytest.fixture(scope="module")
async def reads(database: Database, http: AsyncClient) -> Open:
    """A tenant's companies and contacts, with and without values, and how to open reads that see them."""
    tenant = await make_tenant(database, http)
    ids = [new_id() for _ in range(8)]
    async with work(database, tenant.id) as unit:
        for n, id_ in enumerate(ids):
            company = Company(id=id_, name=TEXTS[n % 9] or "none", industry=(TEXTS[-n] or None) if n % 3 else None)
            company.employees, company.created_at = (None if n == 4 else NUMBERS[n % 4]), TIMES[n % 3]
            company.lifecycle = list(Lifecycle)[n % 4]
            unit.add(company)
        await unit.flush()
        for n in range(12):
            contact = Contact(last_name=TEXTS[n % 9] or None, title=TEXTS[(n * 3) % 9] if n % 2 else None)
            contact.company_id = ids[n % 5] if n % 4 else None
            contact.status, contact.created_at = list(ContactStatus)[n % 4], TIMES[n % 3]
            contact.deleted_at = TIMES[0] if n == 7 else None
            unit.add(contact)
    return lambda: Reads(database, tenant.id)


@pytest.fixture(scope="module")
async def world(reads: Open) -> World:
    async with reads() as opened:
        return {
            "companies": await opened.rows(COMPANY_LIST.every()),
            "contacts": await opened.rows(CONTACT_LIST.every()),
        }


def values(kind: Kind, column: str) -> st.SearchStrategy[Any]:
    choice = ContactStatus if column == "status" else Lifecycle
    return {
        Kind.TEXT: st.sampled_from(TEXTS[:-1]),
        Kind.NUMBER: st.sampled_from(NUMBERS),
        Kind.TIME: st.sampled_from(TIMES),
        Kind.CHOICE: st.sampled_from(list(choice)),
        Kind.ID: st.just(UUID(int=0)),
        Kind.FLAG: st.booleans(),
    }[kind]


def comparison(kind: Kind, column: str) -> st.SearchStrategy[Tree]:
    value = values(kind, column)
    operand = {"is_null": st.booleans(), "in": st.lists(value, max_size=3), "not_in": st.lists(value, max_size=3)}
    words = st.sampled_from(COMPARATORS[kind])
    return words.flatmap(lambda word: operand.get(word, value).map(lambda said: {word: said}))


def trees(filterable: Filterable, columns: tuple[str, ...], related: bool) -> st.SearchStrategy[Tree]:
    leaves = [
        comparison(kind_of(filterable.columns[column]), column).map(lambda said, column=column: {column: said})
        for column in columns
    ]
    if related and filterable is COMPANIES:
        inner = trees(CONTACTS, ("last_name", "title", "status", "company_id"), related=False)
        leaves.append(
            st.tuples(st.sampled_from(("some", "none", "every")), inner).map(lambda p: {"contacts": {p[0]: p[1]}})
        )
    if related and filterable is CONTACTS:
        leaves.append(trees(COMPANIES, ("name", "industry", "employees"), related=False).map(lambda t: {"company": t}))
    return st.recursive(
        st.one_of(leaves),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"and": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"or": parts}),
            inner.map(lambda part: {"not": part}),
            st.tuples(inner, inner).map(lambda two: {**two[0], **two[1]}),
        ),
        max_leaves=4,
    )


def holds(tree: Tree, row: Row, world: World) -> bool:
    """The conditions read the plain way: a comparison with nothing is false, and `not` turns that around."""
    return all(_part(name, said, row, world) for name, said in tree.items())


def _part(name: str, said: Any, row: Row, world: World) -> bool:
    match name:
        case "and":
            return all(holds(one, row, world) for one in said)
        case "or":
            return any(holds(one, row, world) for one in said)
        case "not":
            return not holds(said, row, world)
        case "contacts":
            found = [
                holds(next(iter(said.values())), contact, world)
                for contact in world["contacts"]
                if contact.company_id == row.id and contact.deleted_at is None
            ]
            return {"some": any, "every": all, "none": lambda those: not any(those)}[next(iter(said))](found)
        case "company":
            return any(holds(said, company, world) for company in world["companies"] if company.id == row.company_id)
    return all(_compares(word, getattr(row, name), operand) for word, operand in said.items())


def _compares(word: str, value: Any, operand: Any) -> bool:
    value, operand = _folded(value), [_folded(o) for o in operand] if isinstance(operand, list) else _folded(operand)
    if word == "is_null":
        return (value is None) is operand
    if word in ("neq", "not_in"):
        return value != operand if word == "neq" else value not in operand
    return value is not None and WORDS[word](value, operand)


WORDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "in": lambda a, b: a in b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "contains": lambda a, b: b in a,
    "starts_with": lambda a, b: a.startswith(b),
    "ends_with": lambda a, b: a.endswith(b),
}


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


modest = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@modest
@given(tree=trees(COMPANIES, ("name", "industry", "employees", "lifecycle", "created_at"), related=True))
async def test_companies_found_are_those_for_which_the_conditions_hold(reads: Open, world: World, tree: Tree) -> None:
    async with reads() as opened:
        rows = await opened.rows(COMPANY_LIST.kept(tree))
    assert {row.id for row in rows} == {row.id for row in world["companies"] if holds(tree, row, world)}


@modest
@given(tree=trees(CONTACTS, ("last_name", "title", "status", "created_at", "company_id"), related=True))
async def test_contacts_found_are_those_for_which_the_conditions_hold(reads: Open, world: World, tree: Tree) -> None:
    async with reads() as opened:
        rows = await opened.rows(CONTACT_LIST.kept(tree))
    kept = [row for row in world["contacts"] if row.deleted_at is None]
    assert {row.id for row in rows} == {row.id for row in kept if holds(tree, row, world)}


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"nonsense": {"eq": 1}}, ("nonsense",)),
        ({"and": []}, ("and",)),
        ({"or": [{"name": {"eq": None}}]}, ("or", 0, "name", "eq")),
        ({"employees": {"in": [1] * 501}}, ("employees", "in")),
        ({"name": {"contains": "\x00"}}, ("name", "contains")),
        ({"name": {"in": ["a", "\ud800"]}}, ("name", "in")),
    ],
)
def test_conditions_that_make_no_sense_are_refused_with_their_place(tree: Tree, path: tuple[str, ...]) -> None:
    with pytest.raises(Refusal) as refused:
        COMPANIES.condition(tree)
    assert refused.value.code is Code.INVALID and refused.value.problems[0].path == path


def test_conditions_are_nested_only_so_deep() -> None:
    tree: Tree = {"name": {"eq": "a"}}
    for _ in range(20):
        tree = {"not": tree}
    with pytest.raises(Refusal, match="nested"):
        COMPANIES.condition(tree)
