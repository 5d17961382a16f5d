"""when companies and contacts last did something, of the signals that were there before; nobody waits for it

Revision ID: 0005
Revises: 0004
"""

from alembic import op

from app.core.db import SERVER_ROLE, UNSCOPED_ROLE

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _fill(owner: str) -> str:
    """Keys go in order, as where signals are taken in: the two cannot lock each other out."""
    return f"""
    INSERT INTO {owner}_last_signals AS known (organization_id, {owner}_id, occurred_at)
      SELECT organization_id, {owner}_id, max(occurred_at) FROM signals
      WHERE organization_id = organization AND {owner}_id IS NOT NULL GROUP BY 1, 2 ORDER BY 2
      ON CONFLICT (organization_id, {owner}_id)
      DO UPDATE SET occurred_at = greatest(known.occurred_at, excluded.occurred_at);
    """


# Each organization's signals are read as it would read them itself: row level security lets nobody else.
_FILL = f"""
DO $$
#variable_conflict use_column
DECLARE
  organization uuid;
  organizations uuid[];
BEGIN
  SET LOCAL ROLE {UNSCOPED_ROLE};
  SELECT array_agg(organization_id) INTO organizations FROM outbox_heads;
  SET LOCAL ROLE {SERVER_ROLE};
  FOREACH organization IN ARRAY coalesce(organizations, '{{}}') LOOP
    PERFORM set_tenant(organization);
    {_fill("company")}
    {_fill("contact")}
  END LOOP;
  RESET ROLE;
END $$
"""


def upgrade() -> None:
    op.execute(_FILL)


def downgrade() -> None:
    pass
