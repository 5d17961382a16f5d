"""Scoring models, current scores, and the snapshots that changes leave behind."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Entity, Tenant, index, reference


class Tier(StrEnum):
    """How ready a company is, by its score."""

    HOT = "HOT"
    WARM = "WARM"
    COLD = "COLD"
    INACTIVE = "INACTIVE"


class Trend(StrEnum):
    """Where the score is going, against a week ago."""

    RISING = "RISING"
    STABLE = "STABLE"
    FALLING = "FALLING"


class ScoringModel(Entity):
    """A way of scoring, as data; a change makes the next version."""

    __tablename__ = "scoring_models"
    prefix: ClassVar[str] = "scoringmodel"

    version: Mapped[int] = mapped_column(doc="Counts up with each published change.")
    definition: Mapped[dict[str, Any]] = mapped_column(doc="Weights, half-life, caps and thresholds.")

    __table_args__ = (index("version", name="scoring_models_version_key", unique=True),)


class Score(Tenant, references_organization=False):
    """A company's score as it stands."""

    __tablename__ = "scores"

    company_id: Mapped[UUID] = reference("companies", on_delete="CASCADE", primary_key=True)
    value: Mapped[int] = mapped_column(SmallInteger, doc="0 to 100; the sum of the factors' contributions.")
    tier: Mapped[Tier] = mapped_column(doc="The tier that the value falls in.")
    trend: Mapped[Trend] = mapped_column(doc="Where the value is going, against a week ago.")
    factors: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, doc="What the value is made of.")
    model_id: Mapped[UUID] = reference("scoring_models", doc="The scoring model that was used.")
    computed_at: Mapped[datetime] = mapped_column(doc="When it was computed.")

    __table_args__ = (index("value", "company_id"),)


class ScoreSnapshot(Tenant, references_organization=False):
    """A score as it became at a moment when it changed."""

    __tablename__ = "score_snapshots"

    company_id: Mapped[UUID] = reference("companies", on_delete="CASCADE", primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True, doc="When the score became this.")
    value: Mapped[int] = mapped_column(SmallInteger, doc="The score from then on.")
    tier: Mapped[Tier] = mapped_column(doc="The tier from then on.")
    factors: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, doc="What it was made of.")
    model_id: Mapped[UUID] = reference("scoring_models", doc="The scoring model that was used.")
