"""An organization that has at least one row in every table, and what betrays that row elsewhere."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from app.core import jobs
from app.core.ids import decode_id, encode_id
from app.core.jobs import Job, JobStatus
from app.core.work import work
from tests.factories.tenants import Tenant
from tests.factories.work import Backstage

CONNECT = """mutation ($key: String) {
  connectionConnect(input: {provider: "github"}, idempotencyKey: $key) { connection { id } }
}"""
MINE = """
{
  companies(first: 1) { nodes { id } } contacts(first: 1) { nodes { id } } signals(first: 1) { nodes { id } }
  identities(first: 1) { nodes { id } } connections(first: 1) { nodes { id } } apiKeys(first: 1) { nodes { id } }
  jobs(first: 1, filter: {status: {eq: DEAD}}) { nodes { id } } deals(first: 1) { nodes { id } }
  activities(first: 1) { nodes { id } } tasks(first: 1) { nodes { id } } notes(first: 1) { nodes { id } }
}
"""
DEAL = "mutation ($input: DealCreateInput!) { dealCreate(input: $input) { deal { id } } }"
WORK_ITEMS = """
mutation ($deal: ID!, $contact: ID!, $company: ID!, $user: ID!, $word: String!) {
  dealRoleSet(input: {dealId: $deal, contactId: $contact, role: CHAMPION}) {
    deal { roles { nodes { id } } stageHistory { nodes { id } } }
  }
  activityCreate(
    input: {type: CALL, subject: $word, companyId: $company, contactId: $contact, dealId: $deal, ownerId: $user}
  ) { userErrors { message } }
  taskCreate(
    input: {title: $word, companyId: $company, contactId: $contact, dealId: $deal, assigneeId: $user}
  ) { userErrors { message } }
  noteCreate(input: {body: $word, companyId: $company, contactId: $contact, dealId: $deal}) { userErrors { message } }
}
"""


@dataclass(frozen=True)
class Holdings:
    """What a tenant has: one public id of each kind, by its prefix, and a word that all of its texts contain."""

    tenant: Tenant
    ids: Mapping[str, str]
    word: str

    @property
    def keys(self) -> list[UUID]:
        return [decode_id(id_)[1] for id_ in self.ids.values()]


async def fill(tenant: Tenant, backstage: Backstage | None = None) -> Holdings:
    """Gives the tenant a row of everything, each holding a word that no other tenant's rows have.

    Without a backstage nothing is scored."""
    word = f"marker{secrets.token_hex(6)}"
    sent = {"type": f"{word}_signup", "email": f"ada@{word}.dev", "anonymousId": word, "properties": {"said": word}}
    assert (await tenant.send({**sent, "idempotencyKey": word})).status_code == 202
    group = {"groupId": word, "userId": word, "traits": {"name": word, "website": f"https://{word}.dev"}}
    headers = {"Authorization": f"Bearer {tenant.key}"}
    assert (await tenant.http.post("/v1/group", json=group, headers=headers)).status_code == 200
    await tenant.ask(CONNECT, {"key": word})
    if backstage is not None:
        await backstage.settle(tenant.id)
    await _dead_job(tenant, word)
    of_deal = await _deal(tenant, word)
    answer = await tenant.ask_personally(MINE)
    ids = {field: page["nodes"][0]["id"] for field, page in answer.items()}
    return Holdings(tenant, {id_.rsplit("_", 1)[0]: id_ for id_ in (*ids.values(), *of_deal, *_own(tenant))}, word)


async def _deal(tenant: Tenant, word: str) -> list[str]:
    """A deal and what there is to do about it; the ids of a step and a part of it."""
    found = await tenant.ask("{ companies(first: 1) { nodes { id } } contacts(first: 1) { nodes { id } } }")
    company, contact = (found[field]["nodes"][0]["id"] for field in ("companies", "contacts"))
    user = encode_id("user", tenant.user)
    said = {"name": word, "companyId": company, "ownerId": user, "amount": 5_000_000_000, "description": word}
    deal = (await tenant.ask_personally(DEAL, {"input": said}))["dealCreate"]["deal"]["id"]
    named = {"deal": deal, "contact": contact, "company": company, "user": user, "word": word}
    done = (await tenant.ask_personally(WORK_ITEMS, named))["dealRoleSet"]["deal"]
    return [done[field]["nodes"][0]["id"] for field in ("roles", "stageHistory")]


def _own(tenant: Tenant) -> tuple[str, ...]:
    return tenant.public_id, encode_id("user", tenant.user)


async def _dead_job(tenant: Tenant, word: str) -> None:
    async with work(tenant.database, tenant.id) as unit:
        id_ = await jobs.queue(unit, f"{word}.job", word, f'{{"said": "{word}"}}')
        assert id_ is not None
        job = await unit.get(Job, id_, noun="job")
        job.status, job.error = JobStatus.DEAD, word
