"""What can be asked of scores."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from app.core.db import AnySelect
from app.core.filters import Filterable, Relation
from app.core.paging import Related
from app.core.work import Reads
from app.crm.models import Company
from app.crm.queries import COMPANY_LIST
from app.scoring.models import Score, ScoreSnapshot, ScoringModel

SCORES = Filterable(
    Score,
    columns={
        "value": Score.value,
        "tier": Score.tier,
        "trend": Score.trend,
        "computed_at": Score.computed_at,
    },
)
_OWN = aliased(Score)
COMPANY_LIST.extend(
    relations={
        "score": Relation(
            lambda: SCORES,
            lambda: Score.company_id == Company.id,
            many=False,
            doc="By its score. A company without one meets no condition on it, and `not: {score: {}}`.",
        )
    },
    sorts={
        "score": Related(
            _OWN,
            _OWN.value,
            _OWN.company_id == Company.id,
            about=Score,
            doc="By the score's value; companies without a score come last.",
            tie=_OWN.company_id,
        )
    },
)


def _scores() -> AnySelect:
    return select(Score, ScoringModel.version.label("model_version")).join(
        ScoringModel, ScoringModel.id == Score.model_id
    )


async def scores_of(reads: Reads, companies: Sequence[UUID]) -> Mapping[UUID, Any]:
    """The scores of these companies as they stand, by company."""
    rows = await reads.rows(_scores().where(Score.company_id == func.any(list(companies))))
    return {row.company_id: row for row in rows}


def top_companies(limit: int) -> AnySelect:
    """The companies with the highest scores, highest first."""
    return (
        select(Company)
        .join(Score, Score.company_id == Company.id)
        .where(Company.deleted_at.is_(None))
        .order_by(Score.value.desc(), Score.company_id.desc())
        .limit(limit)
    )


def history(company: UUID, limit: int) -> AnySelect:
    """How a company's score changed, newest first."""
    return (
        select(ScoreSnapshot).where(ScoreSnapshot.company_id == company).order_by(ScoreSnapshot.at.desc()).limit(limit)
    )
