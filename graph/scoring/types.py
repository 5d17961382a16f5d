"""A score as a client sees it: the value, and what it is made of."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import auto
from strawberry.scalars import JSON

from app.identity.permissions import Permission
from app.scoring.models import Score as ScoreModel
from app.scoring.models import ScoringModel as ScoringModelModel
from app.scoring.models import Tier
from graph.core.enums import choice
from graph.core.node import public_id, value_type

choice(Tier)


@strawberry.type(description="The version of the scoring model that a score was computed with.")
class ScoringModelVersion:
    id: strawberry.ID = strawberry.field(description="The scoring model's id.")
    version: int = strawberry.field(description="Its version.")


@strawberry.type(description="A part of a score. The contributions of all parts add up to the value exactly.")
class ScoreFactor:
    key: str = strawberry.field(
        description="What the part is, for programs: `signal:<type>`, `breadth`, `velocity`, `fit:…`."
    )
    label: str = strawberry.field(description="What the part is, for people.")
    contribution: int = strawberry.field(description="Its whole points; below zero for what speaks against.")
    evidence: JSON = strawberry.field(
        description="What was counted: for a signal type its count, decayed count and last day."
    )


def _factors(root: Any) -> list[ScoreFactor]:
    return [ScoreFactor(**factor) for factor in root.factors]


@value_type(ScoreModel, Permission.SCORES_READ)
class Score:
    """How ready a company is to buy, and why. Recomputed within seconds of a signal."""

    value: auto
    tier: auto
    trend: auto
    computed_at: auto
    factors: list[ScoreFactor] = strawberry.field(
        resolver=_factors, description="What the value is made of, the largest part first."
    )

    @strawberry.field(description="The scoring model that was used.")
    def model(self) -> ScoringModelVersion:
        row: Any = self
        return ScoringModelVersion(id=public_id(ScoringModelModel, row.model_id), version=row.model_version)


@strawberry.type(description="A score as it became at some moment.")
class ScorePoint:
    at: datetime = strawberry.field(description="When the score became this.")
    value: int = strawberry.field(description="The score from then on.")
    tier: Tier = strawberry.field(description="The tier from then on.")
    factors: list[ScoreFactor] = strawberry.field(resolver=_factors, description="What it was made of.")
