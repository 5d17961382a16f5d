"""deals with their stages and people, activities, tasks and notes

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from app.core.tenancy import protect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("deals", "activities", "deal_roles", "deal_stage_changes", "notes", "tasks")


def upgrade() -> None:
    create_tables()
    for table in TABLES:
        for statement in protect(table):
            op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def create_tables() -> None:
    op.create_table(
        "deals",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column(
            "stage",
            sa.Enum(
                "ANONYMOUS_USAGE",
                "IDENTIFIED",
                "ACTIVATED",
                "TEAM_ADOPTION",
                "EXPANSION_SIGNAL",
                "SALES_CONTACTED",
                "NEGOTIATION",
                "CLOSED_WON",
                "CLOSED_LOST",
                name="dealstage",
                native_enum=False,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("probability", sa.SmallInteger(), nullable=False),
        sa.Column("expected_close_on", sa.Date(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lost_reason", sa.String(length=1000), nullable=True),
        sa.Column("description", sa.String(length=20000), nullable=True),
        sa.Column("source", sa.String(length=100), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="deals_company_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "owner_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="deals_owner_id_fkey",
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="deals_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="deals_pkey"),
    )
    op.create_index("deals_organization_id_amount_id_idx", "deals", ["organization_id", "amount", "id"])
    op.create_index("deals_organization_id_company_id_id_idx", "deals", ["organization_id", "company_id", "id"])
    op.create_index("deals_organization_id_created_at_id_idx", "deals", ["organization_id", "created_at", "id"])
    op.create_index(
        "deals_organization_id_expected_close_on_id_idx", "deals", ["organization_id", "expected_close_on", "id"]
    )
    op.create_index("deals_organization_id_name_id_idx", "deals", ["organization_id", "name", "id"])
    op.create_index("deals_organization_id_owner_id_id_idx", "deals", ["organization_id", "owner_id", "id"])
    op.create_index("deals_organization_id_stage_id_idx", "deals", ["organization_id", "stage", "id"])
    op.create_index("deals_organization_id_updated_at_id_idx", "deals", ["organization_id", "updated_at", "id"])
    op.create_table(
        "activities",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "type",
            sa.Enum("CALL", "EMAIL", "MEETING", "DEMO", "OTHER", name="activitytype", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum("PLANNED", "DONE", "CANCELLED", name="activitystatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=20000), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_minutes", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("deal_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="activities_company_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "contact_id"],
            ["contacts.organization_id", "contacts.id"],
            name="activities_contact_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "deal_id"], ["deals.organization_id", "deals.id"], name="activities_deal_id_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "owner_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="activities_owner_id_fkey",
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="activities_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="activities_pkey"),
    )
    op.create_index(
        "activities_organization_id_company_id_id_idx", "activities", ["organization_id", "company_id", "id"]
    )
    op.create_index(
        "activities_organization_id_contact_id_id_idx", "activities", ["organization_id", "contact_id", "id"]
    )
    op.create_index(
        "activities_organization_id_created_at_id_idx", "activities", ["organization_id", "created_at", "id"]
    )
    op.create_index("activities_organization_id_deal_id_id_idx", "activities", ["organization_id", "deal_id", "id"])
    op.create_index("activities_organization_id_done_at_id_idx", "activities", ["organization_id", "done_at", "id"])
    op.create_index("activities_organization_id_due_at_id_idx", "activities", ["organization_id", "due_at", "id"])
    op.create_index("activities_organization_id_owner_id_id_idx", "activities", ["organization_id", "owner_id", "id"])
    op.create_index(
        "activities_organization_id_updated_at_id_idx", "activities", ["organization_id", "updated_at", "id"]
    )
    op.create_table(
        "deal_roles",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "CHAMPION",
                "DECISION_MAKER",
                "ECONOMIC_BUYER",
                "EVALUATOR",
                "USER",
                "BLOCKER",
                "OTHER",
                name="dealrolekind",
                native_enum=False,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "contact_id"],
            ["contacts.organization_id", "contacts.id"],
            name="deal_roles_contact_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "deal_id"],
            ["deals.organization_id", "deals.id"],
            name="deal_roles_deal_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="deal_roles_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="deal_roles_pkey"),
        sa.UniqueConstraint(
            "organization_id", "deal_id", "contact_id", name="deal_roles_organization_id_deal_id_contact_id_key"
        ),
    )
    op.create_index(
        "deal_roles_organization_id_contact_id_id_idx", "deal_roles", ["organization_id", "contact_id", "id"]
    )
    op.create_index("deal_roles_organization_id_deal_id_id_idx", "deal_roles", ["organization_id", "deal_id", "id"])
    op.create_table(
        "deal_stage_changes",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deal_id", sa.Uuid(), nullable=False),
        sa.Column(
            "before",
            sa.Enum(
                "ANONYMOUS_USAGE",
                "IDENTIFIED",
                "ACTIVATED",
                "TEAM_ADOPTION",
                "EXPANSION_SIGNAL",
                "SALES_CONTACTED",
                "NEGOTIATION",
                "CLOSED_WON",
                "CLOSED_LOST",
                name="dealstage",
                native_enum=False,
                length=40,
            ),
            nullable=True,
        ),
        sa.Column(
            "stage",
            sa.Enum(
                "ANONYMOUS_USAGE",
                "IDENTIFIED",
                "ACTIVATED",
                "TEAM_ADOPTION",
                "EXPANSION_SIGNAL",
                "SALES_CONTACTED",
                "NEGOTIATION",
                "CLOSED_WON",
                "CLOSED_LOST",
                name="dealstage",
                native_enum=False,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "deal_id"],
            ["deals.organization_id", "deals.id"],
            name="deal_stage_changes_deal_id_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="deal_stage_changes_user_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="deal_stage_changes_organization_id_fkey"
        ),
        sa.PrimaryKeyConstraint("organization_id", "id", name="deal_stage_changes_pkey"),
    )
    op.create_index(
        "deal_stage_changes_organization_id_deal_id_id_idx", "deal_stage_changes", ["organization_id", "deal_id", "id"]
    )
    op.create_index(
        "deal_stage_changes_organization_id_user_id_idx", "deal_stage_changes", ["organization_id", "user_id"]
    )
    op.create_table(
        "notes",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=True),
        sa.Column("body", sa.String(length=20000), nullable=False),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("deal_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "author_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="notes_author_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="notes_company_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "contact_id"], ["contacts.organization_id", "contacts.id"], name="notes_contact_id_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "deal_id"], ["deals.organization_id", "deals.id"], name="notes_deal_id_fkey"
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="notes_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="notes_pkey"),
    )
    op.create_index("notes_organization_id_author_id_id_idx", "notes", ["organization_id", "author_id", "id"])
    op.create_index("notes_organization_id_company_id_id_idx", "notes", ["organization_id", "company_id", "id"])
    op.create_index("notes_organization_id_contact_id_id_idx", "notes", ["organization_id", "contact_id", "id"])
    op.create_index("notes_organization_id_created_at_id_idx", "notes", ["organization_id", "created_at", "id"])
    op.create_index("notes_organization_id_deal_id_id_idx", "notes", ["organization_id", "deal_id", "id"])
    op.create_index("notes_organization_id_updated_at_id_idx", "notes", ["organization_id", "updated_at", "id"])
    op.create_table(
        "tasks",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=20000), nullable=True),
        sa.Column(
            "status",
            sa.Enum("TODO", "IN_PROGRESS", "DONE", "CANCELLED", name="taskstatus", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column(
            "priority",
            sa.Enum("LOW", "NORMAL", "HIGH", "URGENT", name="taskpriority", native_enum=False, length=40),
            nullable=False,
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("company_id", sa.Uuid(), nullable=True),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("deal_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "assignee_id"],
            ["memberships.organization_id", "memberships.user_id"],
            name="tasks_assignee_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "company_id"],
            ["companies.organization_id", "companies.id"],
            name="tasks_company_id_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "contact_id"], ["contacts.organization_id", "contacts.id"], name="tasks_contact_id_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "deal_id"], ["deals.organization_id", "deals.id"], name="tasks_deal_id_fkey"
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organizations.id"], name="tasks_organization_id_fkey"),
        sa.PrimaryKeyConstraint("organization_id", "id", name="tasks_pkey"),
    )
    op.create_index("tasks_organization_id_assignee_id_id_idx", "tasks", ["organization_id", "assignee_id", "id"])
    op.create_index("tasks_organization_id_company_id_id_idx", "tasks", ["organization_id", "company_id", "id"])
    op.create_index("tasks_organization_id_contact_id_id_idx", "tasks", ["organization_id", "contact_id", "id"])
    op.create_index("tasks_organization_id_created_at_id_idx", "tasks", ["organization_id", "created_at", "id"])
    op.create_index("tasks_organization_id_deal_id_id_idx", "tasks", ["organization_id", "deal_id", "id"])
    op.create_index("tasks_organization_id_due_at_id_idx", "tasks", ["organization_id", "due_at", "id"])
    op.create_index("tasks_organization_id_status_id_idx", "tasks", ["organization_id", "status", "id"])
    op.create_index("tasks_organization_id_updated_at_id_idx", "tasks", ["organization_id", "updated_at", "id"])
