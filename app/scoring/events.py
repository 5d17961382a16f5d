"""What may happen to scores."""

from uuid import UUID

from app.core.events import Event


class ScoreMove(Event, name="score"):
    """A company's score before and after. `before` and `tier_before` are null for a first score."""

    company: UUID
    before: int | None
    after: int
    tier_before: str | None
    tier: str


class ScoreChanged(ScoreMove, name="score.changed"):
    """A company's score became another value."""


class TierChanged(ScoreMove, name="tier.changed"):
    """A company's score crossed into another tier."""
