"""A database worth measuring on: organizations with companies, people and three months of signals, made by SQL."""

import random
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.core.db import Database
from app.core.ids import new_id
from app.core.work import work
from app.identity import api_keys
from app.identity.permissions import PERMISSIONS, PERSONAL, Role
from app.identity.records import ApiKeyRecord
from app.scoring.scores import rescore

ORGANIZATIONS = 20
COMPANIES = 20_000
CONTACTS_EACH = 5
SIGNALS_EACH = 15
MONTHS = 3
QUIET = 0.3
"""The share of companies without signals or scores: a first signal there always changes a score."""
_SCORED = 200

_ORGANIZATIONS = """
INSERT INTO organizations (id, name, slug, created_at, updated_at)
SELECT id, 'Bench ' || place, 'bench-' || place, now(), now() FROM unnest($1::uuid[]) WITH ORDINALITY AS o (id, place)
"""
_COMPANIES = """
INSERT INTO companies (organization_id, id, name, domain, website, industry, employees, description, country,
  lifecycle, source, created_at, updated_at)
SELECT o, uuidv7(-age), 'Company ' || n, 'company' || n || '.com', 'https://company' || n || '.com',
  (ARRAY['Databases', 'Observability', 'Payments', 'Security', 'Games'])[1 + n % 5], 5 + n * 7 % 5000,
  'Makes tools for developers in team ' || n, (ARRAY['DE', 'US', 'FR', 'JP', 'BR'])[1 + n % 5],
  (ARRAY['PROSPECT', 'ACTIVE', 'CUSTOMER'])[1 + n % 3], 'import', now() - age, now() - age
FROM unnest($1::uuid[]) o, generate_series(1, $2::int) n, LATERAL (SELECT interval '1 minute' * (n + 200000) AS age)
"""
_CONTACTS = """
INSERT INTO contacts (organization_id, id, first_name, last_name, email, title, department, github_login, status,
  source, company_id, created_at, updated_at)
SELECT c.organization_id, uuidv7(-age), 'First' || k, 'Last' || k, 'person' || k || '@' || c.domain, 'Engineer',
  'Platform', 'person' || k || '-' || substr(c.domain, 1, 20), 'ACTIVE', 'import', c.id, now() - age, now() - age
FROM companies c, generate_series(1, $1::int) k, LATERAL (SELECT now() - c.created_at - interval '1 second' * k AS age)
"""
_IDENTITIES = """
INSERT INTO identities (organization_id, id, kind, value, root_id, contact_id, rule, confidence, linked_at, created_at)
SELECT organization_id, name.id, name.kind, name.value, root.id, contact_id, 'EMAIL', 100, created_at, created_at
FROM (SELECT organization_id, id AS contact_id, email, uuidv7() AS email_id, uuidv7() AS user_id, created_at
      FROM contacts) c,
  LATERAL (VALUES (email_id, 'EMAIL', email), (user_id, 'USER', 'user-' || email)) AS name (id, kind, value),
  LATERAL (SELECT email_id) AS root (id)
"""
# Some people are far busier than others: the product of two random numbers picks them. `busy` are those who act at all.
_SIGNALS = """
INSERT INTO signals (organization_id, id, type, source, occurred_at, received_at, properties, identity_id, contact_id,
  company_id, contact_rule, company_rule)
SELECT p.organization_id, uuidv7(-s.age), s.type, 'product', now() - s.age, now() - s.age,
  jsonb_build_object('path', '/docs/page-' || s.n % 400, 'plan', 'team', 'ms', s.n % 977), p.identity, p.id,
  p.company_id, 'KNOWN_IDENTITY', 'EMPLOYER'
FROM (
  SELECT o, n, interval '1 second' * (random() * 86400 * 90) AS age,
    (1 + floor(random() * random() * $3::int))::bigint AS place,
    (ARRAY['docs_view', 'docs_view', 'api_call', 'api_call', 'feature_usage', 'signup', 'github_star',
      'api_key_created'])[1 + n % 8] AS type
  FROM unnest($1::uuid[]) o, generate_series(1, $2::int) n
) s JOIN busy p ON p.organization_id = s.o AND p.place = s.place
"""
_BUSY = """
CREATE TEMP TABLE busy AS
SELECT c.organization_id, c.id, c.company_id, i.id AS identity,
  row_number() OVER (PARTITION BY c.organization_id ORDER BY md5(c.email)) AS place
FROM contacts c JOIN identities i ON i.organization_id = c.organization_id AND i.contact_id = c.id AND i.kind = 'USER'
JOIN companies f ON f.organization_id = c.organization_id AND f.id = c.company_id
WHERE substr(f.name, 9)::int <= $1
"""
_COUNTERS = (
    """INSERT INTO signal_keys (organization_id, key, signal_id)
    SELECT organization_id, 'product ' || id, id FROM signals""",
    """INSERT INTO signal_counts (organization_id, company_id, day, type, count)
    SELECT organization_id, company_id, (occurred_at AT TIME ZONE 'UTC')::date, type, count(*) FROM signals
    GROUP BY 1, 2, 3, 4""",
    """INSERT INTO company_people (organization_id, company_id, person, last_seen_on)
    SELECT organization_id, company_id, contact_id, max((occurred_at AT TIME ZONE 'UTC')::date) FROM signals
    GROUP BY 1, 2, 3""",
    """INSERT INTO company_last_signals (organization_id, company_id, occurred_at)
    SELECT organization_id, company_id, max(occurred_at) FROM signals GROUP BY 1, 2""",
    """INSERT INTO contact_last_signals (organization_id, contact_id, occurred_at)
    SELECT organization_id, contact_id, max(occurred_at) FROM signals GROUP BY 1, 2""",
)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization to ask as: its key, some of its companies, and people to send signals of.

    `fresh` are addresses at companies that have no score yet."""

    id: UUID
    key: str
    companies: list[UUID]
    people: list[str]
    fresh: list[str]


async def fill(url: str, database: Database, scale: float) -> list[Tenant]:
    """Fills the migrated database; the organizations with what the measures need of each."""
    organizations = [new_id() for _ in range(ORGANIZATIONS)]
    each = max(100, int(COMPANIES * scale) // ORGANIZATIONS)
    busy = int(each * (1 - QUIET))
    connection = await asyncpg.connect(url)
    try:
        # Rows are made whole and consistent here: checking each reference again would double the time.
        await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await connection.execute("SELECT setseed(0.5)")
        await connection.execute(_ORGANIZATIONS, organizations)
        for back in range(MONTHS + 2):
            await connection.execute("SELECT signals_ensure_month(now() - interval '1 month' * $1::int)", back - 1)
        await connection.execute(_COMPANIES, organizations, each)
        await connection.execute(_CONTACTS, CONTACTS_EACH)
        await connection.execute(_IDENTITIES)
        await connection.execute("ANALYZE companies, contacts, identities")
        await connection.execute(_BUSY, busy)
        await connection.execute("CREATE INDEX ON busy (organization_id, place); ANALYZE busy")
        await connection.execute(_SIGNALS, organizations, each * SIGNALS_EACH, busy * CONTACTS_EACH)
        for statement in _COUNTERS:
            await connection.execute(statement)
        tenants = [await _tenant(connection, database, organization, busy) for organization in organizations]
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")  # else it writes all of this out while we measure
    finally:
        await connection.close()
    return tenants


async def _tenant(connection: asyncpg.Connection, database: Database, organization: UUID, busy: int) -> Tenant:
    rows = await connection.fetch(
        "SELECT id, domain, substr(name, 9)::int > $2 AS quiet FROM companies WHERE organization_id = $1",
        organization,
        busy,
    )
    random.Random(7).shuffle(rows)
    known = [row for row in rows if not row["quiet"]]
    async with work(database, organization) as unit:
        record = ApiKeyRecord(name="bench", scopes=PERMISSIONS[Role.OWNER] - PERSONAL)
        _, key = api_keys.create(unit, record, user=None, allowed=PERMISSIONS[Role.OWNER])
        await rescore(unit, [row["id"] for row in known[:_SCORED]])
    # The events of making scores are of no use to anybody here, and would keep the relay busy.
    await connection.execute("DELETE FROM outbox WHERE organization_id = $1", organization)
    await connection.execute("DELETE FROM outbox_heads WHERE organization_id = $1", organization)
    return Tenant(
        organization,
        key,
        [row["id"] for row in known[:500]],
        [f"person{k}@{row['domain']}" for row in known[:200] for k in (1, 2)],
        [f"person1@{row['domain']}" for row in rows if row["quiet"]],
    )
