"""The read shapes: what is asked of our server in GraphQL and of the reference by path, with the same answer."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import orjson

from app.core.ids import encode_id
from bench.client import Connection, Round, drive, percentile, request_of
from bench.dataset import Tenant
from bench.processes import BenchError, Process
from bench.report import Row

_Q1 = """query Q1($id: ID!) { company(id: $id) {
  id name domain website industry employees description country lifecycle source createdAt updatedAt } }"""
_Q2 = """query Q2 { companies(first: 50) { nodes {
  id name domain industry employees country lifecycle createdAt
  contacts(first: 5) { nodes { id firstName lastName email title status createdAt } }
  signals(first: 5) { nodes { id type source occurredAt properties } } } } }"""
_Q3 = """query Q3 { signals(first: 200) { nodes {
  id type source occurredAt receivedAt properties companyRule
  company { id name domain lifecycle }
  contact { id firstName lastName email title } } } }"""
_Q4 = """query Q4 { topCompanies(first: 50) {
  id name domain
  score { value tier trend computedAt model { id version } factors { key label contribution evidence } } } }"""


@dataclass(frozen=True, slots=True)
class Shape:
    """One read, as our server and as the reference are asked for it."""

    name: str
    query: str
    path: str
    note: str
    variables: Callable[[str], Any] = lambda _: None

    def ours(self, tenant: Tenant, company: str) -> bytes:
        return request_of("POST", "/graphql", tenant.key, {"query": self.query, "variables": self.variables(company)})

    def reference(self, tenant: Tenant, company: str) -> bytes:
        return request_of("GET", self.path.format(company=company), tenant.key)


SHAPES = (
    Shape("Q1", _Q1, "/company/{company}", "one company by id", lambda id_: {"id": id_}),
    Shape("Q2", _Q2, "/companies", "50 companies, each with 5 contacts and 5 signals"),
    Shape("Q3", _Q3, "/signals", "200 signals with company and contact"),
    Shape("Q4", _Q4, "/top", "50 top companies with score and factors, in place of analytics, which has no room yet"),
)


async def measure(
    shape: Shape, ours: Process, reference: Process, tenants: Sequence[Tenant], *, rounds: int, seconds: float
) -> list[Row]:
    """CPU and latency of both, in rounds that alternate; the median round counts."""
    asked = {
        ours: _cycle([shape.ours(t, c) for t, c in _asks(tenants)]),
        reference: _cycle([shape.reference(t, c) for t, c in _asks(tenants)]),
    }
    await _compare(shape, ours, reference, tenants[0])
    seen: dict[Process, list[Round]] = {ours: [], reference: []}
    for process, requests in asked.items():
        await drive(process, requests, seconds=seconds / 2, connections=4)
    for _ in range(rounds):
        for process, requests in asked.items():
            seen[process].append(await drive(process, requests, seconds=seconds, connections=4))
    return rows_of(shape.name, shape.note, seen[ours], seen[reference])


def rows_of(name: str, note: str, ours: Sequence[Round], reference: Sequence[Round]) -> list[Row]:
    cpu = [median(one.cpu_us for one in side) for side in (ours, reference)]
    rows = [Row(f"{name} server CPU", cpu[0], cpu[1], "µs/request", note)]
    for share in (0.50, 0.95):
        at = [median(percentile(one.latencies, share) * 1000 for one in side) for side in (ours, reference)]
        rows.append(Row(f"{name} latency p{share * 100:.0f}", at[0], at[1], "ms", "4 connections"))
    return rows


def _asks(tenants: Sequence[Tenant]) -> Iterator[tuple[Tenant, str]]:
    for place in range(25):
        for tenant in tenants:
            yield tenant, encode_id("company", tenant.companies[place % len(tenant.companies)])


def _cycle(requests: list[bytes]) -> Iterator[bytes]:
    return itertools.cycle(requests)


async def _compare(shape: Shape, ours: Process, reference: Process, tenant: Tenant) -> None:
    """Both must say the same, else they cannot be compared."""
    company = encode_id("company", tenant.companies[0])
    answers = []
    for process, request in ((ours, shape.ours(tenant, company)), (reference, shape.reference(tenant, company))):
        connection = await Connection.open(process.port)
        answers.append(orjson.loads(await connection.send(request))["data"])
        await connection.close()
    if answers[0] != answers[1]:
        raise BenchError(f"{shape.name}: the reference does not answer what our server answers")
