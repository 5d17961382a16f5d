"""Deals and the work around them: stages with their history, people with their parts, activities, tasks and notes."""

from typing import Any

import pytest

from app.core.ids import encode_id
from tests.factories.tenants import Tenant
from tests.graph.test_crm import NOBODY

DEAL = """
id name stage amount currency probability expectedCloseOn closedAt version
company { name } owner { email }
stageHistory(first: 20) { nodes { before stage user { email } } }
roles { nodes { role contact { email } } }
"""
ITEM = {
    "activity": "subject status doneAt owner { email } company { name } contact { email } deal { name }",
    "task": "title status priority dueAt doneAt assignee { email } company { name } deal { name }",
    "note": "title body isPinned author { email } contact { email }",
}


async def does(tenant: Tenant, name: str, kind: str, /, personally: bool = True, **said: Any) -> dict[str, Any]:
    """The answer to a mutation of one record, asked by the owner of the organization or else with the key."""
    noun = next(one for one in ("deal", "activity", "task", "note", "company", "contact") if name.startswith(one))
    shown = {"deal": DEAL, "company": "id name", "contact": "id email"}.get(noun) or f"id {ITEM[noun]}"
    query = f"""mutation ($input: {kind}!) {{
      answer: {name}(input: $input) {{ record: {noun} {{ {shown} }} userErrors {{ code path }} eventCursor }}
    }}"""
    ask = tenant.ask_personally if personally else tenant.ask
    answer: dict[str, Any] = (await ask(query, {"input": said}))["answer"]
    return answer


async def made(tenant: Tenant, noun: str, /, **said: Any) -> dict[str, Any]:
    answer = await does(tenant, f"{noun}Create", f"{noun.title()}CreateInput", **said)
    assert answer["userErrors"] == []
    record: dict[str, Any] = answer["record"]
    return record


async def changed(tenant: Tenant, record: dict[str, Any], /, **said: Any) -> dict[str, Any]:
    noun = record["id"].split("_")[0]
    answer = await does(tenant, f"{noun}Update", f"{noun.title()}UpdateInput", id=record["id"], **said)
    assert answer["userErrors"] == []
    after: dict[str, Any] = answer["record"]
    return after


def problems(answer: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["path"]) for error in answer["userErrors"]]


def steps(deal: dict[str, Any]) -> list[tuple[str | None, str]]:
    return [(one["before"], one["stage"]) for one in deal["stageHistory"]["nodes"]]


async def test_a_deal_goes_from_stage_to_stage_and_keeps_its_history(tenant: Tenant) -> None:
    deal = await made(tenant, "deal", name="Acme", amount=5_000_000_000, currency="EUR", expectedCloseOn="2027-01-31")
    assert (deal["stage"], deal["probability"], deal["amount"]) == ("IDENTIFIED", 5, 5_000_000_000)
    assert deal["closedAt"] is None and deal["expectedCloseOn"] == "2027-01-31"
    deal = await changed(tenant, deal, stage="NEGOTIATION")
    assert deal["probability"] == 75
    deal = await changed(tenant, deal, stage="CLOSED_WON", probability=3)
    assert deal["probability"] == 100 and deal["closedAt"]
    deal = await changed(tenant, deal, stage="SALES_CONTACTED", probability=60)
    assert deal["probability"] == 60 and deal["closedAt"] is None
    assert steps(deal) == [
        ("CLOSED_WON", "SALES_CONTACTED"),
        ("NEGOTIATION", "CLOSED_WON"),
        ("IDENTIFIED", "NEGOTIATION"),
        (None, "IDENTIFIED"),
    ]
    who = {step["user"]["email"] for step in deal["stageHistory"]["nodes"]}
    viewer = await tenant.ask_personally("{ viewer { user { email } } }")
    assert who == {viewer["viewer"]["user"]["email"]} and deal["version"] == 4


async def test_a_change_of_something_else_is_no_step(tenant: Tenant) -> None:
    deal = await made(tenant, "deal", name="Acme", stage="ACTIVATED")
    deal = await changed(tenant, deal, name="Acme 2", probability=12, stage="ACTIVATED")
    assert steps(deal) == [(None, "ACTIVATED")] and deal["probability"] == 12
    lost = await changed(tenant, deal, stage="CLOSED_LOST")
    assert (await changed(tenant, lost, probability=50))["probability"] == 0


async def test_a_step_by_a_program_has_no_user(tenant: Tenant) -> None:
    answer = await does(tenant, "dealCreate", "DealCreateInput", personally=False, name="Acme")
    assert [step["user"] for step in answer["record"]["stageHistory"]["nodes"]] == [None]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"amount": -1}, ("INVALID", ["amount"])),
        ({"amount": 10**15 + 1}, ("INVALID", ["amount"])),
        ({"currency": "XXX"}, ("INVALID", ["currency"])),
        ({"currency": "eur"}, ("INVALID", ["currency"])),
        ({"probability": 101}, ("INVALID", ["probability"])),
        ({"name": " "}, ("INVALID", ["name"])),
        ({"ownerId": encode_id("user", NOBODY)}, ("NOT_FOUND", ["ownerId"])),
    ],
    ids=str,
)
async def test_what_is_wrong_with_a_deal_is_named(
    tenant: Tenant, said: dict[str, Any], problem: tuple[str, list[str]]
) -> None:
    answer = await does(tenant, "dealCreate", "DealCreateInput", **{"name": "Acme", **said})
    assert problems(answer) == [problem] and answer["record"] is None


async def test_an_owner_must_be_a_member(tenant: Tenant, other_tenant: Tenant) -> None:
    stranger = encode_id("user", other_tenant.user)
    answer = await does(tenant, "dealCreate", "DealCreateInput", name="Acme", ownerId=stranger)
    assert problems(answer) == [("NOT_FOUND", ["ownerId"])]
    mine = await made(tenant, "deal", name="Acme", ownerId=encode_id("user", tenant.user))
    assert mine["owner"]["email"]


async def test_people_have_one_part_each_in_a_deal(tenant: Tenant) -> None:
    deal, ann = await made(tenant, "deal", name="Acme"), await made(tenant, "contact", email="ann@acme.dev")
    both = {"dealId": deal["id"], "contactId": ann["id"]}
    for role in ("CHAMPION", "BLOCKER"):
        answer = await does(tenant, "dealRoleSet", "DealRoleInput", **both, role=role)
        assert answer["record"]["roles"]["nodes"] == [{"role": role, "contact": {"email": "ann@acme.dev"}}]
    found = await tenant.ask("{ deals(filter: {roles: {some: {role: {eq: BLOCKER}}}}) { nodes { name } } }")
    assert found["deals"]["nodes"] == [{"name": "Acme"}]
    for cursor in (True, False):
        answer = await does(tenant, "dealRoleRemove", "DealRoleIdInput", **both)
        assert answer["record"]["roles"]["nodes"] == [] and bool(answer["eventCursor"]) is cursor


async def test_work_is_about_companies_people_and_deals(tenant: Tenant) -> None:
    company = await made(tenant, "company", name="Acme")
    ann = await made(tenant, "contact", email="ann@acme.dev")
    deal = await made(tenant, "deal", name="Big", companyId=company["id"])
    about = {"companyId": company["id"], "contactId": ann["id"], "dealId": deal["id"]}
    call = await made(tenant, "activity", type="CALL", subject="Hello", **about)
    assert call["owner"] and (call["status"], call["doneAt"], call["deal"]) == ("PLANNED", None, {"name": "Big"})
    assert (await changed(tenant, call, status="DONE"))["doneAt"]
    past = await made(tenant, "activity", type="DEMO", subject="x", status="DONE", doneAt="2026-01-02T03:04:05Z")
    assert past["doneAt"].startswith("2026-01-02T03:04:05")
    task = await made(tenant, "task", title="Send papers", dueAt="2027-01-01T00:00:00Z", **about)
    assert (task["status"], task["priority"], task["assignee"]) == ("TODO", "NORMAL", None)
    done = await changed(tenant, task, status="DONE")
    assert done["doneAt"] and (await changed(tenant, done, status="TODO"))["doneAt"] is None
    note = await made(tenant, "note", body="They like it", **about)
    assert note["author"] and note["isPinned"] is False
    answer = await tenant.ask("""{ companies(filter: {tasks: {some: {status: {eq: TODO}}}}) { nodes {
      deals { nodes { name } } activities { nodes { subject } } tasks { nodes { title } } notes { nodes { body } }
    } } }""")
    [seen] = answer["companies"]["nodes"]
    assert [next(iter(page["nodes"][0].values())) for page in seen.values()] == [
        "Big",
        "Hello",
        "Send papers",
        "They like it",
    ]


async def test_a_destroyed_deal_takes_its_history_along_and_leaves_its_work(tenant: Tenant) -> None:
    deal = await made(tenant, "deal", name="Acme")
    await made(tenant, "task", title="Call", dealId=deal["id"])
    for verb in ("dealDelete", "dealDestroy"):
        assert (await does(tenant, verb, "RecordIdInput", id=deal["id"]))["userErrors"] == []
    left = await tenant.ask("{ deals { totalCount } tasks { nodes { title deal { name } } } }")
    assert left == {"deals": {"totalCount": 0}, "tasks": {"nodes": [{"title": "Call", "deal": None}]}}


async def test_deals_come_to_sums_by_stage(tenant: Tenant) -> None:
    for amount, stage in ((3_000_000_000, "ACTIVATED"), (4_000_000_000, "ACTIVATED"), (None, "NEGOTIATION")):
        await made(tenant, "deal", name="d", amount=amount, stage=stage, expectedCloseOn="2026-12-31")
    answer = await tenant.ask("""{ dealsAggregate(groupBy: [{field: STAGE}, {field: EXPECTED_CLOSE_ON, by: MONTH}]) {
      count sum { amount } groups { key { stage expectedCloseOn } count sum { amount } } } }""")
    month = "2026-12-01"
    assert answer["dealsAggregate"] == {
        "count": 3,
        "sum": {"amount": 7_000_000_000},
        "groups": [
            {"key": {"stage": "ACTIVATED", "expectedCloseOn": month}, "count": 2, "sum": {"amount": 7_000_000_000}},
            {"key": {"stage": "NEGOTIATION", "expectedCloseOn": month}, "count": 1, "sum": {"amount": None}},
        ],
    }


async def test_two_who_change_a_deal_at_once_do_not_overwrite_each_other(tenant: Tenant) -> None:
    deal = await made(tenant, "deal", name="Acme")
    answer = await does(tenant, "dealUpdate", "DealUpdateInput", id=deal["id"], stage="ACTIVATED", expectedVersion=1)
    assert answer["userErrors"] == []
    again = await does(tenant, "dealUpdate", "DealUpdateInput", id=deal["id"], name="x", expectedVersion=1)
    assert problems(again) == [("CONFLICT", ["expectedVersion"])]


async def test_who_does_something_under_a_key_is_noted_as_well(tenant: Tenant) -> None:
    query = 'mutation { noteCreate(input: {body: "x"}, idempotencyKey: "k") { note { id author { email } } } }'
    first, again = await tenant.ask_personally(query), await tenant.ask_personally(query)
    assert first == again and first["noteCreate"]["note"]["author"]["email"]
