"""Scores: recomputed for the companies that changed, as a set."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Date, DateTime, Float, Integer, bindparam, case, cast, func, select

from app.core.db import Row
from app.core.sets import Merge, add_rows_last
from app.core.statements import Prepared, several
from app.core.work import Work
from app.crm.models import Company
from app.scoring import formula
from app.scoring.events import ScoreChanged, TierChanged
from app.scoring.formula import Activity, Definition, TypeActivity
from app.scoring.models import Score, ScoreSnapshot, ScoringModel, Tier
from app.signals.models import CompanyPerson, SignalCount

WINDOW_DAYS = 180
"""Older counters no longer score: after 180 days even a half-life of a month leaves less than 2 %."""


_NEWEST = Prepared(select(ScoringModel.id, ScoringModel.definition).order_by(ScoringModel.version.desc()).limit(1))


async def current_model(work: Work) -> Row:
    """Id and definition of the organization's newest model; the default one is stored when it is first needed."""
    newest = await work.rows(_NEWEST)
    if not newest:
        await work.take_turn("scoring_model")
        newest = await work.rows(_NEWEST)
    if not newest:
        work.add(ScoringModel(version=1, definition=formula.DEFAULT.model_dump()))
        newest = await work.rows(_NEWEST)
    return newest[0]


async def rescore(work: Work, companies: Sequence[UUID]) -> int:
    """Computes the scores of these companies from their counters; how many values or tiers changed.

    A change leaves a snapshot and says so. The companies' rows are locked first, so that the counters read are
    never older than those of a score that is overwritten."""
    model = await current_model(work)
    definition = Definition.say(model.definition)
    firms = {row.id: row for row in await work.rows(_LOCKED, ids=sorted(set(companies)))}
    if not firms:
        return 0
    wanted = list(firms)
    standing = {row.id: row for row in await work.rows(_STANDING, ids=wanted, **_moments(work))}
    activities = await _activities(work, firms, standing, definition)
    results = {company: formula.score(definition, activities[company]) for company in wanted}
    await _store(work, model, definition, results, standing)
    return await _announce(work, model, definition, results, standing)


_IDS = func.any(several("ids", Company.id))
_LOCKED = Prepared(
    select(Company.id, Company.domain, Company.employees)
    .where(Company.id == _IDS, Company.deleted_at.is_(None))
    .order_by(Company.id)
    .with_for_update(key_share=True)
)


def _standing() -> Prepared:
    """Per company: the score as it stands and as it was a week ago, and how many people were active in a month."""
    week_ago = (
        select(ScoreSnapshot.value)
        .where(ScoreSnapshot.company_id == Company.id, ScoreSnapshot.at <= bindparam("week_ago", type_=_MOMENT))
        .order_by(ScoreSnapshot.at.desc())
        .limit(1)
        .scalar_subquery()
    )
    people = (
        select(func.count())
        .where(
            CompanyPerson.company_id == Company.id,
            CompanyPerson.last_seen_on > bindparam("month_ago", type_=Date()),
        )
        .scalar_subquery()
    )
    return Prepared(
        select(Company.id, Score.value, Score.tier, week_ago.label("week_ago"), people.label("people"))
        .join(Score, Score.company_id == Company.id, isouter=True)
        .where(Company.id == _IDS)
    )


def _counts() -> Prepared:
    """Per company and type: the count, the count decayed by half-life, the last day, the week's and the three
    weeks' before."""
    age = cast(bindparam("today", type_=Date()) - SignalCount.day, Integer)
    decay = func.power(0.5, func.greatest(age, 0) / bindparam("half_life", type_=Float()))
    return Prepared(
        select(
            SignalCount.company_id,
            SignalCount.type,
            func.sum(SignalCount.count),
            func.sum(SignalCount.count * decay),
            func.max(SignalCount.day),
            func.sum(case((age < 7, SignalCount.count), else_=0)),
            func.sum(case((age.between(7, 27), SignalCount.count), else_=0)),
        )
        .where(SignalCount.company_id == _IDS, SignalCount.day > bindparam("since", type_=Date()))
        .group_by(SignalCount.company_id, SignalCount.type)
    )


_MOMENT = DateTime(timezone=True)
_STANDING, _COUNTS = _standing(), _counts()


def _moments(work: Work) -> dict[str, Any]:
    return {"week_ago": work.at - timedelta(days=7), "month_ago": work.at.date() - timedelta(days=30)}


async def _activities(
    work: Work, firms: Mapping[UUID, Row], standing: Mapping[UUID, Row], definition: Definition
) -> dict[UUID, Activity]:
    today = work.at.date()
    since = today - timedelta(days=WINDOW_DAYS)
    types: dict[UUID, list[TypeActivity]] = defaultdict(list)
    weeks: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    counts = await work.rows(
        _COUNTS, ids=list(firms), today=today, since=since, half_life=float(definition.half_life_days)
    )
    for company, type_, count, decayed, last_on, this_week, before in counts:
        types[company].append(TypeActivity(type_, int(count), float(decayed), last_on.isoformat()))
        weeks[company][0] += int(this_week)
        weeks[company][1] += int(before)
    return {
        company: Activity(
            sorted(types[company], key=lambda one: one.type),
            standing[company].people,
            this_week=weeks[company][0],
            three_weeks_before=weeks[company][1],
            has_domain=firm.domain is not None,
            employees=firm.employees,
        )
        for company, firm in firms.items()
    }


_Results = Mapping[UUID, tuple[int, Sequence[formula.Factor]]]
_Standing = Mapping[UUID, Row]


async def _store(work: Work, model: Row, definition: Definition, results: _Results, standing: _Standing) -> None:
    companies = sorted(results)
    values = [results[company][0] for company in companies]
    changed = ("value", "tier", "trend", "factors", "model_id", "computed_at")
    await add_rows_last(
        work,
        Score,
        {
            "company_id": companies,
            "value": values,
            "tier": [formula.tier(definition, value) for value in values],
            "trend": [formula.trend(results[c][0], standing[c].week_ago) for c in companies],
            "factors": [_json(results[company][1]) for company in companies],
            "model_id": [model.id] * len(companies),
            "computed_at": [work.at] * len(companies),
        },
        on=[Score.company_id],
        merge=dict.fromkeys(changed, Merge.REPLACE),
    )


async def _announce(
    work: Work,
    model: Row,
    definition: Definition,
    results: _Results,
    standing: _Standing,
) -> int:
    moved = [company for company, (value, _) in results.items() if standing[company].value != value]
    for company in moved:
        value, before = results[company][0], standing[company]
        move = {
            "company": company,
            "before": before.value,
            "after": value,
            "tier_before": before.tier and Tier(before.tier),
            "tier": formula.tier(definition, value),
        }
        work.emit(ScoreChanged(**move))
        if move["tier_before"] != move["tier"]:
            work.emit(TierChanged(**move))
    if moved:
        await _snapshot(work, model, definition, results, moved)
    return len(moved)


async def _snapshot(work: Work, model: Row, definition: Definition, results: _Results, moved: Sequence[UUID]) -> None:
    await add_rows_last(
        work,
        ScoreSnapshot,
        {
            "company_id": list(moved),
            "at": [work.at] * len(moved),
            "value": [results[company][0] for company in moved],
            "tier": [formula.tier(definition, results[company][0]) for company in moved],
            "factors": [_json(results[company][1]) for company in moved],
            "model_id": [model.id] * len(moved),
        },
    )


def _json(factors: Sequence[formula.Factor]) -> str:
    return orjson.dumps(factors).decode()
