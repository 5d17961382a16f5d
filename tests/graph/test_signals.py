"""Signals through GraphQL: sent alone and in batches, listed, filtered, asked for one by one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.signals.models import Signal
from tests.factories.books import count_of
from tests.factories.statements import statements
from tests.factories.tenants import Tenant

INGEST = """
mutation ($input: SignalInput!) {
  signalIngest(input: $input) {
    eventCursor
    userErrors { code message path }
    receipt {
      duplicate contactRule companyRule newContact newCompany
      signal { id type properties occurredAt }
      contact { email } company { name domain }
    }
  }
}
"""
BATCH = """
mutation ($inputs: [SignalInput!]!, $errorPolicy: ErrorPolicy! = REJECT_ALL) {
  signalsIngest(inputs: $inputs, errorPolicy: $errorPolicy) {
    eventCursor
    userErrors { code path }
    receipts { duplicate signal { type contact { email } } company { domain } userErrors { code path } }
  }
}
"""
LIST = """
query ($filter: SignalFilter, $first: Int, $after: String) {
  signals(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } nodes { type }
  }
}
"""


async def types(tenant: Tenant, **variables: Any) -> list[str]:
    return [node["type"] for node in (await tenant.ask(LIST, variables))["signals"]["nodes"]]


async def test_a_signal_is_answered_with_whom_it_was_given_to(tenant: Tenant) -> None:
    said = {"type": "signup", "email": "Ann@Graph-Ingest.dev", "properties": {"plan": "pro"}}
    payload = (await tenant.ask(INGEST, {"input": said}))["signalIngest"]
    receipt = payload["receipt"]
    assert payload["userErrors"] == [] and int(payload["eventCursor"]) > 0
    assert receipt["signal"]["properties"] == {"plan": "pro"}
    assert receipt["contact"] == {"email": "ann@graph-ingest.dev"}
    assert receipt["company"] == {"name": "graph-ingest.dev", "domain": "graph-ingest.dev"}
    assert receipt["newContact"] and receipt["newCompany"]
    assert (receipt["contactRule"], receipt["companyRule"]) == ("EMAIL", "EMAIL_DOMAIN")


async def test_a_duplicate_is_answered_with_the_first_signal(tenant: Tenant) -> None:
    first = await tenant.ask(INGEST, {"input": {"type": "a", "externalId": "k"}})
    again = await tenant.ask(INGEST, {"input": {"type": "b", "externalId": "k"}})
    assert again["signalIngest"]["receipt"]["duplicate"] is True
    assert again["signalIngest"]["receipt"]["signal"] == first["signalIngest"]["receipt"]["signal"]
    assert await count_of(tenant.database, tenant.id, Signal) == 1


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"type": "not a word"}, ["type"]),
        ({"type": "x", "occurredAt": "1970-01-01T00:00:00Z"}, ["occurredAt"]),
        ({"type": "x", "occurredAt": "3000-01-01T00:00:00Z"}, ["occurredAt"]),
        ({"type": "x", "properties": [1]}, ["properties"]),
        ({"type": "x", "companyId": "contact_01k9zzzzzzf8sbt0000000000x"}, ["companyId"]),
        ({"type": "x", "companyId": "company_01k9zzzzzzf8sbt0000000000x"}, ["companyId"]),
        ({"type": "x", "contactId": "nonsense"}, ["contactId"]),
    ],
)
async def test_what_a_user_can_mend_is_a_user_error(tenant: Tenant, said: Any, path: list[str]) -> None:
    payload = (await tenant.ask(INGEST, {"input": said}))["signalIngest"]
    assert [error["path"] for error in payload["userErrors"]] == [path]
    assert payload["receipt"] is None and payload["eventCursor"] is None
    assert await count_of(tenant.database, tenant.id, Signal) == 0


@pytest.mark.parametrize(
    "variables",
    [
        {"input": {"type": "x", "colour": "red"}},
        {"input": {}},
        {"input": {"type": 5}},
        {"input": None},
        {"input": {"type": "x", "anonymousId": "a\x00b"}},
        {"input": {"type": "x", "occurredAt": "not a time"}},
    ],
)
async def test_what_does_not_fit_the_schema_is_an_error(tenant: Tenant, variables: Any) -> None:
    answer = await tenant.answer(INGEST, variables)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert await count_of(tenant.database, tenant.id, Signal) == 0


@pytest.mark.parametrize("literal", ["{n: 999999999999999999999999999}", '{a: "x\\u0000y"}', "{n: 1e999}"])
async def test_literals_that_cannot_be_stored_are_user_errors(tenant: Tenant, literal: str) -> None:
    query = f'mutation {{ signalIngest(input: {{type: "x", properties: {literal}}}) {{ userErrors {{ path }} }} }}'
    payload = (await tenant.ask(query))["signalIngest"]
    assert [error["path"] for error in payload["userErrors"]] == [["properties"]]


async def test_a_batch_is_answered_in_its_order(tenant: Tenant) -> None:
    inputs = [{"type": f"t{number}", "email": f"p{number}@batch-{number % 2}.dev"} for number in range(10)]
    payload = (await tenant.ask(BATCH, {"inputs": inputs}))["signalsIngest"]
    assert [receipt["signal"]["type"] for receipt in payload["receipts"]] == [one["type"] for one in inputs]
    assert [receipt["company"]["domain"] for receipt in payload["receipts"]] == ["batch-0.dev", "batch-1.dev"] * 5


async def test_a_bad_row_refuses_the_batch_unless_said_otherwise(tenant: Tenant) -> None:
    inputs = [{"type": "good"}, {"type": "b a d"}]
    refused = (await tenant.ask(BATCH, {"inputs": inputs}))["signalsIngest"]
    assert refused["userErrors"] == [{"code": "INVALID", "path": ["1", "type"]}]
    assert refused["receipts"] == [] and await count_of(tenant.database, tenant.id, Signal) == 0
    taken = (await tenant.ask(BATCH, {"inputs": inputs, "errorPolicy": "REJECT_FAILED_ROWS"}))["signalsIngest"]
    assert taken["userErrors"] == []
    assert [len(receipt["userErrors"]) for receipt in taken["receipts"]] == [0, 1]
    assert [receipt["signal"] and receipt["signal"]["type"] for receipt in taken["receipts"]] == ["good", None]


@pytest.mark.parametrize(("count", "code"), [(0, "INVALID"), (1_001, "TOO_LARGE")])
async def test_a_batch_of_no_size_or_too_much_is_refused(tenant: Tenant, count: int, code: str) -> None:
    payload = (await tenant.ask(BATCH, {"inputs": [{"type": "x"}] * count}))["signalsIngest"]
    assert [error["code"] for error in payload["userErrors"]] == [code]
    assert await count_of(tenant.database, tenant.id, Signal) == 0


async def test_a_batch_of_five_hundred_costs_the_statements_of_five(tenant: Tenant) -> None:
    async def cost(count: int, name: str) -> int:
        inputs = [
            {
                "type": f"t{number % 4}",
                "externalId": f"{name}{number}",
                "actorId": f"{name}{number}",
                "anonymousId": f"{name}{number}",
                "email": f"p{number}@{name}-{number % 30}.dev",
            }
            for number in range(count)
        ]
        with statements() as seen:
            payload = (await tenant.ask(BATCH, {"inputs": inputs}))["signalsIngest"]
        assert payload["userErrors"] == [] and len(payload["receipts"]) == count
        return len(seen)

    await cost(1, "warm")
    assert await cost(500, "large") == await cost(5, "small")


async def test_signals_are_listed_newest_first_by_the_time_they_occurred(tenant: Tenant) -> None:
    moments = [f"2026-0{month}-01T00:00:00Z" for month in (3, 1, 4, 2)]
    await tenant.send([{"type": f"m{moment[6]}", "occurredAt": moment} for moment in moments])
    assert await types(tenant) == ["m4", "m3", "m2", "m1"]
    page = (await tenant.ask(LIST, {"first": 2}))["signals"]
    assert page["totalCount"] == 4 and page["pageInfo"]["hasNextPage"]
    assert await types(tenant, first=2, after=page["pageInfo"]["endCursor"]) == ["m2", "m1"]


async def test_signals_are_filtered_by_type_source_company_contact_and_time(tenant: Tenant) -> None:
    rows = [
        {"type": "old", "source": "web", "email": "a@filter-one.dev", "occurredAt": "2025-05-05T05:05:05.000005Z"},
        {"type": "new", "source": "app", "email": "b@filter-two.dev", "occurredAt": "2026-05-05T05:05:05Z"},
    ]
    receipts = (await tenant.send(rows)).json()["receipts"]
    middle = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    for condition in (
        {"type": {"eq": "OLD"}},
        {"type": {"in": ["old", "nothing"]}},
        {"source": {"neq": "app"}},
        {"companyId": {"eq": receipts[0]["companyId"]}},
        {"contactId": {"eq": receipts[0]["contactId"]}},
        {"contact": {"email": {"startsWith": "a@"}}},
        {"company": {"domain": {"eq": "filter-one.dev"}}},
        {"occurredAt": {"lt": middle}},
        {"occurredAt": {"lte": "2025-05-05T05:05:05.000005Z"}},
        {"occurredAt": {"eq": "2025-05-05T05:05:05.000005Z"}},
        {"occurredAt": {"gte": "2025-05-05T05:05:05.000005Z", "lt": middle}},
        {"not": {"occurredAt": {"gt": "2025-05-05T05:05:05.000005Z"}}},
        {"id": {"eq": receipts[0]["signalId"]}},
    ):
        assert await types(tenant, filter=condition) == ["old"], condition


async def test_a_signal_is_found_by_its_id_and_on_its_companys_timeline(tenant: Tenant) -> None:
    receipt = (await tenant.send({"type": "x", "email": "a@timeline.dev"})).json()["receipts"][0]
    query = """query ($signal: ID!, $company: ID!) {
      signal(id: $signal) { type companyRule contact { email } company { domain } }
      company(id: $company) { timeline { nodes { id } } signals(first: 1) { nodes { id } } }
    }"""
    answer = await tenant.ask(query, {"signal": receipt["signalId"], "company": receipt["companyId"]})
    assert answer["signal"]["contact"]["email"] == "a@timeline.dev"
    nodes = {"nodes": [{"id": receipt["signalId"]}]}
    assert answer["company"] == {"timeline": nodes, "signals": nodes}
