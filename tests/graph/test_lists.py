"""Lists over GraphQL: keyset pages in every order and both ways, their cursors, and what is refused."""

import base64
from typing import Any

import orjson
import pytest
from httpx2 import AsyncClient

from app.core.db import Database
from tests.factories.tenants import Tenant, make_tenant

PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $orderBy: [CompanyOrder!], $filter: CompanyFilter) {
  companies(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy, filter: $filter) {
    edges { cursor node { id name employees createdAt updatedAt } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount
  }
}
"""
ADD = "mutation ($input: CompanyCreateInput!) { companyCreate(input: $input) { company { id } } }"
SIZES = [7, None, 3, 7, None, 3, 50, 1, None, 7, 2]
ATTRIBUTES = {"CREATED_AT": "createdAt", "UPDATED_AT": "updatedAt", "NAME": "name", "EMPLOYEES": "employees"}
ORDERS = [
    None,
    *([{"field": field, "direction": way}] for field in ATTRIBUTES for way in ("ASC", "DESC")),
    [{"field": "EMPLOYEES"}, {"field": "NAME", "direction": "DESC"}],
    [{"field": "EMPLOYEES", "direction": "DESC"}, {"field": "CREATED_AT", "direction": "ASC"}],
]


@pytest.fixture(scope="module")
async def house(database: Database, http: AsyncClient) -> Tenant:
    """A tenant with companies that share names and sizes, some without a size."""
    house = await make_tenant(database, http)
    for number, employees in enumerate(SIZES):
        await house.ask(ADD, {"input": {"name": f"Company {number % 4}", "employees": employees}})
    return house


async def page(tenant: Tenant, **variables: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await tenant.ask(PAGE, variables))["companies"]
    return answer


async def refusal(tenant: Tenant, **variables: Any) -> tuple[str, list[str]]:
    extensions = (await tenant.answer(PAGE, variables))["errors"][0]["extensions"]
    return extensions["code"], extensions["problems"][0]["path"]


def nodes(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in answer["edges"]]


def ordered(rows: list[dict[str, Any]], order: Any) -> list[dict[str, Any]]:
    """The rows as they should stand: by id at last, in the direction of the part before; nulls last both ways."""
    rows = sorted(rows, key=lambda row: row["id"], reverse=order is None or order[-1].get("direction") == "DESC")
    for part in reversed(order or ()):
        name, down = ATTRIBUTES[part["field"]], part.get("direction") == "DESC"
        valued = sorted((r for r in rows if r[name] is not None), key=lambda row: row[name], reverse=down)
        rows = _stable(valued, rows, name) + [row for row in rows if row[name] is None]
    return rows


def _stable(valued: list[dict[str, Any]], rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    places = {row["id"]: place for place, row in enumerate(rows)}
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in valued:
        groups.setdefault(row[name], []).append(row)
    return [row for group in groups.values() for row in sorted(group, key=lambda row: places[row["id"]])]


@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_pages_forward_and_back_make_the_whole_list_in_order(house: Tenant, order: Any) -> None:
    whole = ordered(nodes(await page(house, first=250)), order)
    assert nodes(await page(house, first=250, orderBy=order)) == whole
    forward: list[Any] = []
    after = None
    while True:
        answer = await page(house, first=4, after=after, orderBy=order)
        assert answer["pageInfo"]["hasPreviousPage"] == (after is not None)
        forward += nodes(answer)
        after = answer["pageInfo"]["endCursor"]
        if not answer["pageInfo"]["hasNextPage"]:
            break
    assert forward == whole
    back: list[Any] = []
    before = None
    while True:
        answer = await page(house, last=3, before=before, orderBy=order)
        back = nodes(answer) + back
        before = answer["pageInfo"]["startCursor"]
        if not answer["pageInfo"]["hasPreviousPage"]:
            break
    assert back == whole


async def test_a_window_may_have_both_ends(house: Tenant) -> None:
    edges = (await page(house, first=250))["edges"]
    between = await page(house, first=250, after=edges[1]["cursor"], before=edges[6]["cursor"])
    assert between["edges"] == edges[2:6]
    assert (await page(house, last=2, after=edges[1]["cursor"], before=edges[6]["cursor"]))["edges"] == edges[4:6]


async def test_a_row_that_arrives_meanwhile_neither_repeats_nor_hides_another(tenant: Tenant) -> None:
    for name in ("A", "C", "E", "G"):
        await tenant.ask(ADD, {"input": {"name": name}})
    order = [{"field": "NAME"}]
    first = await page(tenant, first=2, orderBy=order)
    for name in ("B", "D", "H"):
        await tenant.ask(ADD, {"input": {"name": name}})
    rest = await page(tenant, first=10, after=first["pageInfo"]["endCursor"], orderBy=order)
    assert [row["name"] for row in nodes(first) + nodes(rest)] == ["A", "C", "D", "E", "G", "H"]


async def test_the_total_is_of_the_whole_filtered_list(house: Tenant) -> None:
    answer = await page(house, first=1, filter={"employees": {"gte": 7}})
    assert answer["totalCount"] == sum(1 for size in SIZES if size is not None and size >= 7)
    assert len(answer["edges"]) == 1


async def test_an_empty_list_is_a_page(tenant: Tenant) -> None:
    empty = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert await page(tenant) == {"edges": [], "pageInfo": empty, "totalCount": 0}


async def test_fifty_rows_are_given_where_no_number_is_said(tenant: Tenant) -> None:
    rows = [{"type": "visit", "idempotencyKey": str(number)} for number in range(60)]
    assert (await tenant.send(rows)).status_code == 202
    answer = await tenant.ask("{ signals { nodes { id } pageInfo { hasNextPage } } }")
    assert len(answer["signals"]["nodes"]) == 50 and answer["signals"]["pageInfo"]["hasNextPage"]


@pytest.mark.parametrize(
    ("window", "path"),
    [
        ({"first": 0}, ["first"]),
        ({"first": 251}, ["first"]),
        ({"first": -1}, ["first"]),
        ({"last": 0}, ["last"]),
        ({"last": 251}, ["last"]),
        ({"first": 1, "last": 1}, ["last"]),
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(house: Tenant, window: Any, path: list[str]) -> None:
    assert await refusal(house, **window) == ("INVALID", path)


def forged(*values: Any, cursor: str) -> str:
    """A cursor with the mark of a good one and other values."""
    mark = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]
    return base64.urlsafe_b64encode(orjson.dumps([mark, *values])).decode().rstrip("=")


async def test_a_cursor_belongs_to_its_list_and_order(house: Tenant) -> None:
    cursor = (await page(house, first=1))["pageInfo"]["endCursor"]
    for name in ("after", "before"):
        assert await refusal(house, **{name: cursor, "orderBy": [{"field": "NAME"}]}) == ("CURSOR_INVALID", [name])
    answer = await house.answer(
        "query ($after: String) { contacts(after: $after) { nodes { id } } }", {"after": cursor}
    )
    assert answer["errors"][0]["extensions"]["code"] == "CURSOR_INVALID"


@pytest.mark.parametrize("cursor", ["x", "AAAA", "bnVsbA", "é", "W10", "=", "MQ", "eyJhIjoxfQ", " ", "A" * 5_000])
async def test_what_is_no_cursor_is_refused(house: Tenant, cursor: str) -> None:
    assert await refusal(house, after=cursor) == ("CURSOR_INVALID", ["after"])


@pytest.mark.parametrize(
    "values",
    [["x"], [None], [1], [[]], [{}], ["00000000-0000-0000-0000-00000000000g"], [], [True]],
)
async def test_a_cursor_with_other_values_is_refused(house: Tenant, values: list[Any]) -> None:
    cursor = (await page(house, first=1))["pageInfo"]["endCursor"]
    assert await refusal(house, after=forged(*values, cursor=cursor)) == ("CURSOR_INVALID", ["after"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("NAME", "\x00"),
        ("EMPLOYEES", 1 << 40),
        ("EMPLOYEES", 1e300),
        ("CREATED_AT", "0001-01-01"),
    ],
)
async def test_a_forged_cursor_is_no_bug_of_ours(house: Tenant, field: str, value: Any) -> None:
    order = [{"field": field}]
    good = await page(house, first=1, orderBy=order)
    id_ = orjson.loads(base64.urlsafe_b64decode(good["pageInfo"]["endCursor"] + "==="))[-1]
    cursor = forged(value, id_, cursor=good["pageInfo"]["endCursor"])
    answer = await house.answer(PAGE, {"after": cursor, "orderBy": order})
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    assert codes <= {"CURSOR_INVALID"}


NESTED = """
query ($first: Int, $after: String) {
  companies(first: 3, orderBy: [{field: NAME}]) {
    nodes {
      name
      contacts(first: $first, after: $after, orderBy: [{field: LAST_NAME, direction: DESC}]) {
        nodes { lastName company { name } } pageInfo { hasNextPage endCursor } totalCount
      }
    }
  }
}
"""


async def test_each_row_has_a_page_of_its_own(tenant: Tenant) -> None:
    add = "mutation ($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } } }"
    for name, people in (("A", ""), ("B", "xyz"), ("C", "pq")):
        made = await tenant.ask(ADD, {"input": {"name": name}})
        for person in people:
            said = {"lastName": person, "companyId": made["companyCreate"]["company"]["id"]}
            await tenant.ask(add, {"input": said})
    a, b, c = (await tenant.ask(NESTED, {"first": 2}))["companies"]["nodes"]
    assert a["contacts"]["nodes"] == []
    assert [row["lastName"] for row in b["contacts"]["nodes"]] == ["z", "y"]
    assert [row["lastName"] for row in c["contacts"]["nodes"]] == ["q", "p"]
    assert [one["contacts"]["pageInfo"]["hasNextPage"] for one in (a, b, c)] == [False, True, False]
    assert [one["contacts"]["totalCount"] for one in (a, b, c)] == [0, 3, 2]
    assert {row["company"]["name"] for row in b["contacts"]["nodes"]} == {"B"}
    after = b["contacts"]["pageInfo"]["endCursor"]
    _, b, c = (await tenant.ask(NESTED, {"first": 2, "after": after}))["companies"]["nodes"]
    assert [row["lastName"] for row in b["contacts"]["nodes"]] == ["x"]
    assert [row["lastName"] for row in c["contacts"]["nodes"]] == ["q", "p"]
