"""idempotency keys; versions of companies and contacts

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.core.tenancy import protect

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COUNTED = ("companies", "contacts")


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "key", name=op.f("idempotency_keys_pkey")),
    )
    op.create_index(
        op.f("idempotency_keys_organization_id_created_at_idx"), "idempotency_keys", ["organization_id", "created_at"]
    )
    for statement in protect("idempotency_keys"):
        op.execute(statement)
    for table in COUNTED:
        op.add_column(table, sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    for table in COUNTED:
        op.drop_column(table, "version")
    op.drop_table("idempotency_keys")
