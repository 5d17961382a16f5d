"""The main job: organizations, customer records, signals, scores, outbox and jobs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.db import SERVER_ROLE, UNSCOPED_ROLE
from app.core.tenancy import FUNCTIONS, open_to_unscoped, protect

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


TENANT_TABLES = (
    "api_keys",
    "companies",
    "company_people",
    "connections",
    "contacts",
    "identities",
    "jobs",
    "memberships",
    "outbox",
    "outbox_heads",
    "outbox_marks",
    "routes",
    "score_snapshots",
    "scores",
    "scoring_models",
    "signal_counts",
    "signal_keys",
    "signals",
)
ROLES = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVER_ROLE}') THEN
    CREATE ROLE {SERVER_ROLE} NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{UNSCOPED_ROLE}') THEN
    CREATE ROLE {UNSCOPED_ROLE} NOLOGIN;
  END IF;
  IF NOT pg_has_role(current_user, '{SERVER_ROLE}', 'MEMBER') THEN
    GRANT {SERVER_ROLE}, {UNSCOPED_ROLE} TO CURRENT_USER;
  END IF;
END $$
"""
# A month is a range of UUIDv7 keys: 48 bits of milliseconds, then zeros. The new table is attached rather than
# created as a partition, which would lock out every reader. Direct access to it stays denied. Whether it is there is
# asked of the catalog: the cache that to_regclass reads may be older than the lock. True: it was there already.
# Attaching locks companies and contacts against writers. Who makes a month in its own transaction takes the names of
# actors as well, and before: else it would wait for a name whose holder waits for it.
ENSURE_MONTH = """
CREATE FUNCTION signals_ensure_month(month timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  starts timestamptz := date_trunc('month', month, 'UTC');
  ends timestamptz := date_trunc('month', starts + interval '32 days', 'UTC');
  part text := 'signals_' || to_char(starts AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
  IF EXISTS (SELECT FROM pg_class WHERE relname = part AND relkind = 'r') THEN RETURN true; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('signals_ensure_month'));
  IF EXISTS (SELECT FROM pg_class WHERE relname = part AND relkind = 'r') THEN RETURN true; END IF;
  LOCK TABLE identities IN EXCLUSIVE MODE;
  LOCK TABLE companies, contacts IN SHARE ROW EXCLUSIVE MODE;
  EXECUTE format('CREATE TABLE %I (LIKE signals INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', part);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', part);
  EXECUTE format('ALTER TABLE signals ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', part,
    signals_month_bound(starts), signals_month_bound(ends));
  RETURN false;
END $$
"""
MONTH_BOUND = """
CREATE FUNCTION signals_month_bound(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN rpad(lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
"""
OWN_ORGANIZATION = "id = current_tenant()"
# What the installation does for itself, such as its heartbeat, every organization may see.
SYSTEM_JOBS = "organization_id = '00000000-0000-0000-0000-000000000000'::uuid"


def upgrade() -> None:
    op.execute(ROLES)
    for function in FUNCTIONS:
        op.execute(function)
    create_tables()
    for table in TENANT_TABLES:
        for statement in protect(table):
            op.execute(statement)
    open_global_tables()
    for statement in (
        *open_to_unscoped("memberships", "organization_id, user_id, role, created_at"),
        *open_to_unscoped("routes", "organization_id, id"),
        *open_to_unscoped("outbox_heads", "organization_id, last_seq"),
        *open_to_unscoped("outbox_marks", "organization_id, relayed_seq"),
        *open_to_unscoped("jobs", "organization_id, id, type, status, run_at"),
        f"CREATE POLICY system ON jobs FOR SELECT TO {SERVER_ROLE} USING ({SYSTEM_JOBS})",
        MONTH_BOUND,
        ENSURE_MONTH,
        "SELECT signals_ensure_month(now())",
        "SELECT signals_ensure_month(now() + interval '1 month')",
    ):
        op.execute(statement)


def open_global_tables() -> None:
    for statement in (
        "ALTER TABLE organizations ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE organizations FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON organizations TO {SERVER_ROLE}"
        f" USING ({OWN_ORGANIZATION}) WITH CHECK ({OWN_ORGANIZATION})",
        f"CREATE POLICY unscoped ON organizations FOR SELECT TO {UNSCOPED_ROLE} USING (true)",
        f"GRANT SELECT, INSERT, UPDATE ON organizations TO {SERVER_ROLE}",
        f"GRANT SELECT ON organizations TO {UNSCOPED_ROLE}",
        f"GRANT SELECT (id, email, name, created_at) ON users TO {SERVER_ROLE}",
        f"GRANT SELECT (id, user_id, ended_at) ON login_sessions TO {SERVER_ROLE}",
        f"GRANT SELECT, INSERT, UPDATE ON users, login_sessions TO {UNSCOPED_ROLE}",
        "INSERT INTO organizations (id, name, slug, created_at, updated_at)"
        " VALUES ('00000000-0000-0000-0000-000000000000', 'DevSignal', 'system', now(), now())",
        f"GRANT SELECT ON alembic_version TO {SERVER_ROLE}",
    ):
        op.execute(statement)


def create_tables() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="organizations_pkey"),
        sa.UniqueConstraint("slug", name="organizations_slug_key"),
    )
    op.create_table(
        "outbox",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "seq", name="outbox_pkey"),
    )
    op.create_table(
        "outbox_heads",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name="outbox_heads_pkey"),
    )
    op.create_table(
        "outbox_marks",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("relayed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name="outbox_marks_pkey"),
    )
    op.create_table(
        "signal_keys",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("signal_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "key", name="signal_keys_pkey"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.UniqueConstraint("email", name="users_email_key"),
    )
    op.create_table(
        "api_keys",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("hint", sa.String(length=12), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="api_keys_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="api_keys_pkey"),
        sa.UniqueConstraint("organization_id", "digest", name="api_keys_organization_id_digest_key"),
    )
    op.create_table(
        "companies",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=True),
        sa.Column("website", sa.String(length=2048), nullable=True),
        sa.Column("industry", sa.String(length=255), nullable=True),
        sa.Column("employees", sa.Integer(), nullable=True),
        sa.Column("description", sa.String(length=20000), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("linkedin_url", sa.String(length=2048), nullable=True),
        sa.Column("lifecycle", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="companies_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="companies_pkey"),
    )
    op.create_index(
        "companies_domain_key",
        "companies",
        ["organization_id", "domain"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "companies_organization_id_created_at_id_idx",
        "companies",
        ["organization_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "companies_organization_id_name_id_idx", "companies", ["organization_id", "name", "id"], unique=False
    )
    op.create_index(
        "companies_organization_id_updated_at_id_idx",
        "companies",
        ["organization_id", "updated_at", "id"],
        unique=False,
    )
    op.create_table(
        "connections",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("received_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="connections_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="connections_pkey"),
    )
    op.create_index(
        "connections_organization_id_provider_id_idx",
        "connections",
        ["organization_id", "provider", "id"],
        unique=False,
    )
    op.create_table(
        "jobs",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="jobs_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="jobs_pkey"),
        sa.UniqueConstraint("organization_id", "type", "key", name="jobs_organization_id_type_key_key"),
    )
    op.create_index("jobs_organization_id_status_id_idx", "jobs", ["organization_id", "status", "id"], unique=False)
    op.create_index("jobs_organization_id_type_id_idx", "jobs", ["organization_id", "type", "id"], unique=False)
    op.create_index(
        "jobs_waiting_idx",
        "jobs",
        ["run_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('QUEUED', 'RUNNING', 'FAILED')"),
    )
    op.create_table(
        "login_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("refresh_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="login_sessions_user_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="login_sessions_pkey"),
    )
    op.create_index("login_sessions_user_id_idx", "login_sessions", ["user_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="memberships_organization_id_fkey"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="memberships_user_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "user_id", name="memberships_pkey"),
    )
    op.create_index("memberships_user_id_idx", "memberships", ["user_id"], unique=False)
    op.create_table(
        "routes",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="routes_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="routes_pkey"),
    )
    op.create_index("routes_id_idx", "routes", ["id"], unique=False)
    op.create_table(
        "scoring_models",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="scoring_models_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="scoring_models_pkey"),
    )
    op.create_index("scoring_models_version_key", "scoring_models", ["organization_id", "version"], unique=True)
    op.create_table(
        "company_people",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.Uuid(), nullable=False),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="company_people_company_id_fkey",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "company_id", "person", name="company_people_pkey"),
    )
    op.create_table(
        "contacts",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("first_name", sa.String(length=255), nullable=True),
        sa.Column("last_name", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("phone", sa.String(length=50), nullable=True),
        sa.Column("title", sa.String(length=255), nullable=True),
        sa.Column("department", sa.String(length=255), nullable=True),
        sa.Column("github_login", sa.String(length=255), nullable=True),
        sa.Column("linkedin_url", sa.String(length=2048), nullable=True),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="contacts_company_id_fkey",
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="contacts_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="contacts_pkey"),
    )
    op.create_index(
        "contacts_email_key",
        "contacts",
        ["organization_id", "email"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index(
        "contacts_organization_id_company_id_id_idx",
        "contacts",
        ["organization_id", "company_id", "id"],
        unique=False,
    )
    op.create_index(
        "contacts_organization_id_created_at_id_idx",
        "contacts",
        ["organization_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "contacts_organization_id_last_name_id_idx",
        "contacts",
        ["organization_id", "last_name", "id"],
        unique=False,
    )
    op.create_index(
        "contacts_organization_id_updated_at_id_idx",
        "contacts",
        ["organization_id", "updated_at", "id"],
        unique=False,
    )
    op.create_table(
        "score_snapshots",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=False),
        sa.Column("factors", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="score_snapshots_company_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "model_id"],
            ["scoring_models.organization_id", "scoring_models.id"],
            name="score_snapshots_model_id_fkey",
        ),
        sa.PrimaryKeyConstraint("organization_id", "company_id", "at", name="score_snapshots_pkey"),
    )
    op.create_table(
        "scores",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        sa.Column("tier", sa.String(length=40), nullable=False),
        sa.Column("trend", sa.String(length=40), nullable=False),
        sa.Column("factors", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="scores_company_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "model_id"],
            ["scoring_models.organization_id", "scoring_models.id"],
            name="scores_model_id_fkey",
        ),
        sa.PrimaryKeyConstraint("organization_id", "company_id", name="scores_pkey"),
    )
    op.create_index(
        "scores_organization_id_value_company_id_idx",
        "scores",
        ["organization_id", "value", "company_id"],
        unique=False,
    )
    op.create_table(
        "signal_counts",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("company_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="signal_counts_company_id_fkey",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "company_id", "day", "type", name="signal_counts_pkey"),
    )
    op.create_table(
        "identities",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=400), nullable=False),
        sa.Column("root_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("rule", sa.String(length=40), nullable=True),
        sa.Column("confidence", sa.SmallInteger(), nullable=True),
        sa.Column("signal_id", sa.Uuid(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="identities_company_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "contact_id"],
            ["contacts.organization_id", "contacts.id"],
            name="identities_contact_id_fkey",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="identities_pkey"),
        sa.UniqueConstraint("organization_id", "kind", "value", name="identities_organization_id_kind_value_key"),
    )
    op.create_index(
        "identities_organization_id_contact_id_idx",
        "identities",
        ["organization_id", "contact_id"],
        unique=False,
    )
    op.create_index(
        "identities_organization_id_root_id_idx", "identities", ["organization_id", "root_id"], unique=False
    )
    op.create_table(
        "signals",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("properties", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("identity_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("contact_rule", sa.String(length=40), nullable=True),
        sa.Column("company_rule", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="signals_company_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "contact_id"],
            ["contacts.organization_id", "contacts.id"],
            name="signals_contact_id_fkey",
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="signals_pkey"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "signals_organization_id_company_id_id_idx",
        "signals",
        ["organization_id", "company_id", "id"],
        unique=False,
    )
    op.create_index(
        "signals_organization_id_contact_id_id_idx",
        "signals",
        ["organization_id", "contact_id", "id"],
        unique=False,
    )
    op.create_index("signals_organization_id_type_id_idx", "signals", ["organization_id", "type", "id"], unique=False)
    op.create_index(
        "signals_unattributed_idx",
        "signals",
        ["organization_id", "identity_id"],
        unique=False,
        postgresql_where=sa.text("contact_id IS NULL"),
    )
