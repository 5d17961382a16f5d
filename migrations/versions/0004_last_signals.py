"""when companies and contacts last did something, and daily counters by type

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from app.core.tenancy import protect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OWNERS = {"company": "companies", "contact": "contacts"}


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "signal_counts_organization_id_type_day_company_id_idx",
            "signal_counts",
            ["organization_id", "type", "day", "company_id"],
            postgresql_concurrently=True,
            if_not_exists=True,
        )
    for owner, table in _OWNERS.items():
        _create(f"{owner}_last_signals", f"{owner}_id", table)


def _create(name: str, key: str, owner: str) -> None:
    op.create_table(
        name,
        sa.Column("organization_id", sa.Uuid(), server_default=sa.text("current_tenant()"), nullable=False),
        sa.Column(key, sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", key],
            [f"{owner}.organization_id", f"{owner}.id"],
            name=f"{name}_{key}_fkey",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", key, name=f"{name}_pkey"),
    )
    op.create_index(f"{name}_newest_idx", name, ["organization_id", "occurred_at", key])
    for statement in protect(name):
        op.execute(statement)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("signal_counts_organization_id_type_day_company_id_idx", postgresql_concurrently=True)
    for owner in _OWNERS:
        op.drop_table(f"{owner}_last_signals")
