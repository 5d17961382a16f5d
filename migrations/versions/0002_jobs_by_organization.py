"""jobs that wait, by organization: none is looked for behind another's backlog

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WAITING = sa.text("status IN ('QUEUED', 'RUNNING', 'FAILED')")


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "jobs_due_idx",
            "jobs",
            ["organization_id", "run_at"],
            postgresql_where=_WAITING,
            postgresql_concurrently=True,
            if_not_exists=True,
        )
        op.drop_index("jobs_waiting_idx", "jobs", postgresql_concurrently=True, if_exists=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("jobs_waiting_idx", "jobs", ["run_at"], postgresql_where=_WAITING, postgresql_concurrently=True)
        op.drop_index("jobs_due_idx", "jobs", postgresql_concurrently=True)
