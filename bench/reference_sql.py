"""The statements of the reference, as a person would write them who knows the tables. $1 is the organization."""

KEY = "SELECT id, scopes, expires_at, revoked_at FROM api_keys WHERE organization_id = $1 AND digest = $2"

COMPANY = """
SELECT name, domain, website, industry, employees, description, country, lifecycle, source, created_at, updated_at
FROM companies WHERE organization_id = $1 AND id = $2
"""

COMPANIES = """
SELECT id, name, domain, industry, employees, country, lifecycle, created_at
FROM companies WHERE organization_id = $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT 50
"""
CONTACTS = """
SELECT parent.id, c.id, c.first_name, c.last_name, c.email, c.title, c.status, c.created_at
FROM unnest($2::uuid[]) AS parent (id) CROSS JOIN LATERAL (
  SELECT * FROM contacts WHERE organization_id = $1 AND company_id = parent.id AND deleted_at IS NULL
  ORDER BY id DESC LIMIT 5
) c
"""
SIGNALS = """
SELECT parent.id, s.id, s.type, s.source, s.occurred_at, s.properties
FROM unnest($2::uuid[]) AS parent (id) CROSS JOIN LATERAL (
  SELECT * FROM signals WHERE organization_id = $1 AND company_id = parent.id ORDER BY id DESC LIMIT 5
) s
"""

FEED = """
SELECT s.id, s.type, s.source, s.occurred_at, s.received_at, s.properties, s.company_rule,
  c.id, c.name, c.domain, c.lifecycle, p.id, p.first_name, p.last_name, p.email, p.title
FROM (SELECT * FROM signals WHERE organization_id = $1 ORDER BY id DESC LIMIT 200) s
LEFT JOIN companies c ON c.organization_id = $1 AND c.id = s.company_id AND c.deleted_at IS NULL
LEFT JOIN contacts p ON p.organization_id = $1 AND p.id = s.contact_id AND p.deleted_at IS NULL
ORDER BY s.id DESC
"""

TOP = """
SELECT c.id, c.name, c.domain, s.value, s.tier, s.trend, s.computed_at, s.model_id, m.version, s.factors
FROM scores s
JOIN companies c ON c.organization_id = $1 AND c.id = s.company_id
JOIN scoring_models m ON m.organization_id = $1 AND m.id = s.model_id
WHERE s.organization_id = $1 AND c.deleted_at IS NULL ORDER BY s.value DESC, s.company_id DESC LIMIT 50
"""

ACTOR = """
SELECT i.id, p.id, p.company_id FROM identities i
JOIN contacts p ON p.organization_id = $1 AND p.id = i.contact_id AND p.deleted_at IS NULL
WHERE i.organization_id = $1 AND i.kind = 'EMAIL' AND i.value = $2
"""
INGEST = """
WITH claimed AS (
  INSERT INTO signal_keys (organization_id, key, signal_id) VALUES ($1, $3, $2) ON CONFLICT DO NOTHING RETURNING 1
), stored AS (
  INSERT INTO signals (organization_id, id, type, source, occurred_at, received_at, properties, identity_id,
    contact_id, company_id, contact_rule, company_rule)
  SELECT $1, $2, $4, $5, $6, $6, $7::jsonb, $8, $9, $10, 'KNOWN_IDENTITY', 'EMPLOYER' FROM claimed
), counted AS (
  INSERT INTO signal_counts AS t (organization_id, company_id, day, type, count)
  SELECT $1, $10, ($6 AT TIME ZONE 'UTC')::date, $4, 1 FROM claimed WHERE $10::uuid IS NOT NULL
  ON CONFLICT (organization_id, company_id, day, type) DO UPDATE SET count = t.count + 1
), seen AS (
  INSERT INTO company_people AS t (organization_id, company_id, person, last_seen_on)
  SELECT $1, $10, $9, ($6 AT TIME ZONE 'UTC')::date FROM claimed WHERE $10::uuid IS NOT NULL
  ON CONFLICT (organization_id, company_id, person) DO UPDATE
    SET last_seen_on = greatest(t.last_seen_on, excluded.last_seen_on)
), head AS (
  INSERT INTO outbox_heads AS t (organization_id, last_seq) SELECT $1, 1 FROM claimed
  ON CONFLICT (organization_id) DO UPDATE SET last_seq = t.last_seq + 1 RETURNING t.last_seq
), told AS (
  INSERT INTO outbox (organization_id, seq, name, payload, occurred_at)
  SELECT $1, last_seq, 'signal.created', $11::jsonb, $6 FROM head
)
SELECT last_seq FROM head
"""

COUNT = """
INSERT INTO signal_counts AS t (organization_id, company_id, day, type, count)
SELECT $1, * FROM unnest($2::uuid[], $3::date[], $4::text[], $5::bigint[])
ON CONFLICT (organization_id, company_id, day, type) DO UPDATE SET count = t.count + excluded.count
"""
TELL = """
WITH head AS (
  INSERT INTO outbox_heads AS t (organization_id, last_seq) VALUES ($1, 1)
  ON CONFLICT (organization_id) DO UPDATE SET last_seq = t.last_seq + 1 RETURNING t.last_seq
)
INSERT INTO outbox (organization_id, seq, name, payload, occurred_at)
SELECT $1, last_seq, 'bench.copied', $2::jsonb, now() FROM head
"""

KEY_COLUMNS = ("organization_id", "key", "signal_id")
SIGNAL_COLUMNS = (
    *("organization_id", "id", "type", "source", "occurred_at", "received_at", "properties"),
    *("identity_id", "contact_id", "company_id", "contact_rule", "company_rule"),
)
PEOPLE = """
SELECT i.id AS identity_id, p.id AS contact_id, p.company_id FROM identities i
JOIN contacts p ON p.organization_id = $1 AND p.id = i.contact_id
WHERE i.organization_id = $1 AND i.kind = 'EMAIL' AND i.value = ANY($2::text[])
"""
