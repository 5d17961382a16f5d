"""Idempotency keys at the public door: a request that is sent again is answered again, and done once."""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core import idempotency
from app.core.db import Database
from app.core.idempotency import FORGET, IdempotencyKey
from app.core.jobs import Job, JobStatus
from app.core.work import Reads, work
from app.identity.permissions import Permission
from graph.core.mutation import Payload
from graph.schema import schema
from tests.factories.chores import jobs_of, make_due
from tests.factories.documents import roots
from tests.factories.locks import Held
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage

CREATE = """mutation ($i: CompanyCreateInput!, $k: String) {
  answer: companyCreate(input: $i, idempotencyKey: $k) {
    company { id name version } created eventCursor userErrors { code message path }
  } }"""
UPDATE = CREATE.replace("companyCreate", "companyUpdate").replace("CompanyCreateInput", "CompanyUpdateInput")
UPSERT = CREATE.replace("companyCreate", "companyUpsert")
DELETE = UPDATE.replace("companyUpdate", "companyDelete").replace("CompanyUpdateInput", "RecordIdInput")
TWO = """mutation ($i: CompanyCreateInput!) {
  a: companyCreate(input: $i) { company { id } } ...other
}
fragment other on Mutation { b: companyCreate(input: $i) { company { id } } }"""


async def does(tenant: Tenant, mutation: str, key: str | None, /, **input_: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await tenant.ask(mutation, {"i": input_, "k": key}))["answer"]
    return payload


async def by_header(tenant: Tenant, mutation: str, header: str, **variables: Any) -> dict[str, Any]:
    return await tenant.answer(mutation, variables, **{"Idempotency-Key": header})


async def names(tenant: Tenant) -> list[str]:
    found = await tenant.ask("{ companies { nodes { name } } }")
    return sorted(node["name"] for node in found["companies"]["nodes"])


async def kept(tenant: Tenant) -> list[Any]:
    async with Reads(tenant.database, tenant.id) as reads:
        return list(await reads.rows(select(IdempotencyKey).order_by(IdempotencyKey.key)))


def problems(payload: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(error["code"], error["path"]) for error in payload["userErrors"]]


CONFLICT = [("IDEMPOTENCY_CONFLICT", ["idempotencyKey"])]


async def test_what_is_sent_again_is_answered_again_and_done_once(tenant: Tenant) -> None:
    first = await does(tenant, CREATE, "k", name="Acme")
    again = await does(tenant, CREATE, "k", name="Acme")
    assert again == first and first["created"] and int(first["eventCursor"]) > 0
    assert await names(tenant) == ["Acme"]


async def test_without_a_key_it_is_done_again(tenant: Tenant) -> None:
    for key in (None, None, "k", "l"):
        await does(tenant, CREATE, key, name="Acme")
    assert await names(tenant) == ["Acme"] * 4
    assert [row.key for row in await kept(tenant)] == ["k", "l"]


async def test_an_answer_given_again_tells_of_the_record_as_it_is_now(tenant: Tenant) -> None:
    first = await does(tenant, CREATE, "k", name="Acme")
    await does(tenant, UPDATE, None, id=first["company"]["id"], name="Acme 2")
    again = await does(tenant, CREATE, "k", name="Acme")
    assert again == {**first, "company": {**first["company"], "name": "Acme 2", "version": 2}}


async def test_what_an_upsert_did_the_first_time_is_what_it_says_again(tenant: Tenant) -> None:
    said = {"name": "Acme", "domain": "acme.dev"}
    assert [(await does(tenant, UPSERT, key, **said))["created"] for key in ("k", "l", "k", "l")] == [
        True,
        False,
        True,
        False,
    ]


async def test_a_delete_sent_again_after_a_restore_does_not_delete_again(tenant: Tenant) -> None:
    id_ = (await does(tenant, CREATE, None, name="Acme"))["company"]["id"]
    await does(tenant, DELETE, "k", id=id_)
    await does(tenant, DELETE.replace("companyDelete", "companyRestore"), "l", id=id_)
    assert problems(await does(tenant, DELETE, "k", id=id_)) == []
    assert await names(tenant) == ["Acme"]


async def test_a_change_sent_again_is_not_held_against_the_version_it_made(tenant: Tenant) -> None:
    id_ = (await does(tenant, CREATE, None, name="Acme"))["company"]["id"]
    first = await does(tenant, UPDATE, "k", id=id_, name="Bolt", expectedVersion=1)
    assert first["company"]["version"] == 2
    assert await does(tenant, UPDATE, "k", id=id_, name="Bolt", expectedVersion=1) == first


async def test_what_changes_nothing_is_answered_again_as_well(tenant: Tenant) -> None:
    id_ = (await does(tenant, CREATE, None, name="Acme"))["company"]["id"]
    first = await does(tenant, UPDATE, "k", id=id_, name="Acme")
    await does(tenant, UPDATE, None, id=id_, name="Bolt")
    again = await does(tenant, UPDATE, "k", id=id_, name="Acme")
    assert first["eventCursor"] is None and again["company"]["name"] == "Bolt"
    assert await names(tenant) == ["Bolt"]


async def test_twenty_at_once_make_one_record_and_are_answered_alike(tenant: Tenant) -> None:
    answers = await asyncio.gather(*(does(tenant, CREATE, "k", name="Acme") for _ in range(20)))
    assert all(answer == answers[0] for answer in answers) and problems(answers[0]) == []
    assert await names(tenant) == ["Acme"]


async def test_twenty_at_once_that_differ_make_one_record_and_nineteen_refusals(tenant: Tenant) -> None:
    answers = await asyncio.gather(*(does(tenant, CREATE, "k", name=f"Acme {n}") for n in range(20)))
    assert sorted(len(problems(answer)) for answer in answers) == [0] + [1] * 19
    assert [problems(answer) for answer in answers if answer["company"] is None] == [CONFLICT] * 19
    assert len(await names(tenant)) == 1


async def test_one_that_comes_while_the_first_is_under_way_waits_for_it(tenant: Tenant, held: Held) -> None:
    async with held("companies") as waits:
        first = asyncio.create_task(does(tenant, CREATE, "k", name="Acme"))
        await waits(1)
        second = asyncio.create_task(does(tenant, CREATE, "k", name="Acme"))
        await asyncio.sleep(0.2)
        assert not first.done() and not second.done()
    assert await first == await second
    assert await names(tenant) == ["Acme"]


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Acme 2"},
        {"name": "Acme", "industry": None},
        {"name": "Acme", "industry": "robots"},
        {"name": "acme"},
    ],
)
async def test_a_key_is_not_used_for_something_else(tenant: Tenant, other: dict[str, Any]) -> None:
    await does(tenant, CREATE, "k", name="Acme")
    refused = await does(tenant, CREATE, "k", **other)
    assert refused["company"] is None and problems(refused) == CONFLICT
    assert await names(tenant) == ["Acme"]


async def test_a_key_is_not_used_for_another_field(tenant: Tenant) -> None:
    await does(tenant, CREATE, "k", name="Acme", domain="acme.dev")
    assert problems(await does(tenant, UPSERT, "k", name="Acme", domain="acme.dev")) == CONFLICT


async def test_the_order_of_fields_and_how_they_are_written_do_not_matter(tenant: Tenant) -> None:
    first = await does(tenant, CREATE, "k", name="Acme", industry="robots")
    written = CREATE.replace(
        "input: $i, idempotencyKey: $k", 'idempotencyKey: "k", input: {industry: "robots", name: "Acme"}'
    )
    written = written.replace("($i: CompanyCreateInput!, $k: String)", "")
    assert (await tenant.ask(written))["answer"] == first


async def test_another_selection_of_the_same_answer_may_be_asked_for(tenant: Tenant) -> None:
    first = await does(tenant, CREATE, "k", name="Acme")
    asked = """mutation { companyCreate(idempotencyKey: "k", input: {name: "Acme"}) {
      company { contacts { totalCount } id } } }"""
    found = (await tenant.ask(asked))["companyCreate"]["company"]
    assert found == {"id": first["company"]["id"], "contacts": {"totalCount": 0}}


async def test_a_refused_request_may_be_mended_and_keeps_its_key(tenant: Tenant) -> None:
    assert problems(await does(tenant, CREATE, "k", name="")) == [("INVALID", ["name"])]
    await does(tenant, CREATE, None, name="Acme", domain="acme.dev")
    assert problems(await does(tenant, CREATE, "k", name="Bolt", domain="acme.dev")) == [("TAKEN", ["domain"])]
    assert await kept(tenant) == []
    mended = await does(tenant, CREATE, "k", name="Bolt", domain="bolt.dev")
    assert problems(mended) == [] and await does(tenant, CREATE, "k", name="Bolt", domain="bolt.dev") == mended
    assert await names(tenant) == ["Acme", "Bolt"]


async def test_a_request_that_is_broken_off_leaves_neither_key_nor_effect(tenant: Tenant, held: Held) -> None:
    async with held("companies") as waits:
        asked = asyncio.create_task(does(tenant, CREATE, "k", name="Acme"))
        await waits(1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert await kept(tenant) == [] and await names(tenant) == []
    assert problems(await does(tenant, CREATE, "k", name="Other")) == []


async def test_one_that_has_waited_long_for_the_first_is_told_to_try_again(tenant: Tenant, database: Database) -> None:
    async with work(database, tenant.id) as unit:
        assert await idempotency.claim(unit, "k", b"of the first") is None
        refused = await does(tenant, CREATE, "k", name="Acme")
        await idempotency.release(unit, "k")
    assert problems(refused) == [("CONFLICT", ["idempotencyKey"])]
    assert "try again" in refused["userErrors"][0]["message"]
    assert problems(await does(tenant, CREATE, "k", name="Acme")) == []
    assert await names(tenant) == ["Acme"]


async def test_each_organization_has_keys_of_its_own(tenant: Tenant, other_tenant: Tenant) -> None:
    for each in (tenant, other_tenant):
        assert problems(await does(each, CREATE, "k", name=f"Of {each.id}")) == []
        assert await names(each) == [f"Of {each.id}"]


async def test_all_members_and_keys_of_an_organization_share_its_keys(tenant: Tenant) -> None:
    first = await does(tenant, CREATE, "k", name="Acme")
    assert await tenant.ask_personally(CREATE, {"i": {"name": "Acme"}, "k": "k"}) == {"answer": first}


async def test_who_may_not_do_it_is_not_given_the_answer(tenant: Tenant) -> None:
    await does(tenant, CREATE, "k", name="Acme")
    reader = await tenant.new_key(Permission.CRM_READ)
    answer = await tenant.answer(CREATE, {"i": {"name": "Acme"}, "k": "k"}, token=reader)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


@pytest.mark.parametrize("key", ["", "   ", "a" * 256, "\\u0000", "a\\u0000b"])
async def test_a_bad_key_is_refused(tenant: Tenant, key: str) -> None:
    asked = """mutation { answer: companyCreate(idempotencyKey: "%", input: {name: "Acme"}) {
      userErrors { code path } } }""".replace("%", key)
    assert problems((await tenant.ask(asked))["answer"]) == [("INVALID", ["idempotencyKey"])]
    assert await names(tenant) == []


@pytest.mark.parametrize("key", ["a" * 255, "ключ 🔑", "'; DROP TABLE companies; --", "0"])
async def test_any_other_text_is_a_key(tenant: Tenant, key: str) -> None:
    assert await does(tenant, CREATE, key, name="Acme") == await does(tenant, CREATE, key, name="Acme")
    assert await names(tenant) == ["Acme"]


async def test_the_header_says_the_same_as_the_argument(tenant: Tenant) -> None:
    first = await by_header(tenant, CREATE, "k", i={"name": "Acme"})
    assert (await by_header(tenant, CREATE, "k", i={"name": "Acme"}))["data"] == first["data"]
    assert await does(tenant, CREATE, "k", name="Acme") == first["data"]["answer"]
    assert (await by_header(tenant, CREATE, "k", i={"name": "Acme"}, k="k"))["data"] == first["data"]
    differing = await by_header(tenant, CREATE, "h", i={"name": "Acme"}, k="k")
    assert problems(differing["data"]["answer"]) == [("INVALID", ["idempotencyKey"])]
    bad = await by_header(tenant, CREATE, "", i={"name": "Acme"})
    assert problems(bad["data"]["answer"]) == [("INVALID", ["idempotencyKey"])]
    assert await names(tenant) == ["Acme"]


async def test_the_header_goes_with_one_mutation(tenant: Tenant) -> None:
    answer = await by_header(tenant, TWO, "k", i={"name": "Acme"})
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    assert "idempotencyKey" in answer["errors"][0]["message"] and "data" not in answer
    assert await names(tenant) == []
    listed = await by_header(tenant, "{ a: companies { totalCount } b: companies { totalCount } }", "k")
    assert "errors" not in listed


async def test_two_fields_of_one_request_have_keys_of_their_own(tenant: Tenant) -> None:
    asked = """mutation { a: companyCreate(input: {name: "A"}, idempotencyKey: "a") { company { id } }
      same: companyCreate(input: {name: "A"}, idempotencyKey: "a") { company { id } }
      b: companyCreate(input: {name: "B"}, idempotencyKey: "b") { company { id } } }"""
    first = await tenant.ask(asked)
    assert first["a"] == first["same"] and await tenant.ask(asked) == first
    assert await names(tenant) == ["A", "B"]


async def test_a_batch_is_answered_again_row_by_row(tenant: Tenant) -> None:
    sent = """mutation ($rows: [SignalInput!]!) {
      signalsIngest(inputs: $rows, errorPolicy: REJECT_FAILED_ROWS, idempotencyKey: "k") {
        eventCursor receipts {
          duplicate contactRule companyRule newContact newCompany userErrors { code message path }
          signal { id type occurredAt } contact { id email } company { id domain }
        } } }"""
    rows = [{"type": "visit", "email": "ada@acme.dev"}, {"type": ""}, {"type": "visit", "domain": "bolt.dev"}]
    first = await tenant.ask(sent, {"rows": rows})
    assert [row["signal"] is None for row in first["signalsIngest"]["receipts"]] == [False, True, False]
    assert await tenant.ask(sent, {"rows": rows}) == first
    assert (await tenant.ask("{ signals { totalCount } }"))["signals"]["totalCount"] == 2


async def test_one_signal_that_was_refused_may_be_mended(tenant: Tenant) -> None:
    sent = """mutation ($i: SignalInput!) {
      answer: signalIngest(input: $i, idempotencyKey: "k") { receipt { signal { id } } userErrors { code path } } }"""
    assert problems((await tenant.ask(sent, {"i": {"type": ""}}))["answer"]) == [("INVALID", ["type"])]
    first = await tenant.ask(sent, {"i": {"type": "visit"}})
    assert first["answer"]["userErrors"] == [] and await tenant.ask(sent, {"i": {"type": "visit"}}) == first


SECRETS = {
    "apiKeyCreate": """(input: {name: "k", scopes: [CRM_READ]}, idempotencyKey: "k") {
      record: apiKey { id name } secret }""",
    "connectionConnect": """(input: {provider: "github"}, idempotencyKey: "k") {
      record: connection { id provider } webhookUrl secret: webhookSecret }""",
}


@pytest.mark.parametrize("name", SECRETS)
async def test_a_secret_is_shown_once_and_not_kept(tenant: Tenant, name: str) -> None:
    asked = f"mutation {{ answer: {name}{SECRETS[name]} }}"
    first = (await tenant.ask_personally(asked))["answer"]
    again = (await tenant.ask_personally(asked))["answer"]
    assert first["secret"] and again == {**first, "secret": None}
    (row,) = await kept(tenant)
    assert first["secret"] not in str(row.answer)


def test_every_payload_marks_the_texts_that_are_secret() -> None:
    """A token or secret that is not marked would be kept in clear."""
    payloads = _subclasses(Payload)
    suspects = {
        (payload.__name__, field.name)
        for payload in payloads
        for field in dataclasses.fields(payload)
        if any(word in field.name for word in ("secret", "token", "password")) and "shown_once" not in field.metadata
    }
    assert len(payloads) > 5 and suspects == set()


def _subclasses(cls: type) -> list[Any]:
    return [one for sub in cls.__subclasses__() for one in (sub, *_subclasses(sub)) if dataclasses.is_dataclass(one)]


def test_every_mutation_of_an_organization_takes_a_key() -> None:
    schema()
    personal = {"register", "login", "refresh", "logout", "organizationCreate"}
    without = {root.name for root in roots() if root.kind == "mutation" and "idempotencyKey" not in root.field.args}
    assert without == personal


async def test_a_key_is_forgotten_a_day_after_and_may_be_used_anew(
    tenant: Tenant, backstage: Backstage, database: Database
) -> None:
    for key in ("old", "new"):
        await does(tenant, CREATE, key, name=key)
    async with work(database, tenant.id) as unit:
        aged = update(IdempotencyKey).where(IdempotencyKey.key == "old")
        await unit.run(aged.values(created_at=unit.at - timedelta(hours=24, seconds=1)))
    (job,) = await jobs_of(database, tenant.id, FORGET)
    assert timedelta(hours=47) < job.run_at - job.created_at < timedelta(hours=49)
    await make_due(database, tenant.id, job.id)
    await backstage.settle(tenant.id)
    async with Reads(database, tenant.id) as reads:
        assert await reads.value(select(Job.status).where(Job.id == job.id)) == JobStatus.SUCCEEDED
    assert [row.key for row in await kept(tenant)] == ["new"]
    assert problems(await does(tenant, CREATE, "old", name="other")) == []
    assert problems(await does(tenant, CREATE, "new", name="other")) == CONFLICT
