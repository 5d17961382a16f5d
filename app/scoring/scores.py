"""Scores: recomputed for the companies that changed, as a set."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from uuid import UUID

import orjson
from sqlalchemy import Integer, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on

from app.core.db import Row
from app.core.sets import Merge, add_rows
from app.core.work import Work
from app.crm.models import Company
from app.scoring import formula
from app.scoring.events import ScoreChanged, TierChanged
from app.scoring.formula import Activity, Definition, TypeActivity
from app.scoring.models import Score, ScoreSnapshot, ScoringModel, Tier
from app.signals.models import CompanyPerson, SignalCount

WINDOW_DAYS = 180
"""Older counters no longer score: after 180 days even a half-life of a month leaves less than 2 %."""


async def current_model(work: Work) -> ScoringModel:
    """The newest model of the organization; the default one is stored when it is first needed."""
    newest = select(ScoringModel).order_by(ScoringModel.version.desc()).limit(1)
    model: ScoringModel | None = (await work.run(newest)).scalar_one_or_none()
    if model is None:
        await work.take_turn("scoring_model")
        model = (await work.run(newest)).scalar_one_or_none()
    if model is None:
        model = ScoringModel(version=1, definition=formula.DEFAULT.model_dump())
        work.add(model)
        await work.flush()
    return model


async def rescore(work: Work, companies: Sequence[UUID]) -> int:
    """Computes the scores of these companies from their counters; how many values or tiers changed.

    A change leaves a snapshot and says so. The companies' rows are locked first, so that the counters read are
    never older than those of a score that is overwritten."""
    model = await current_model(work)
    definition = Definition.say(model.definition)
    wanted = await _locked(work, sorted(set(companies)))
    if not wanted:
        return 0
    today = work.at.date()
    before = await _before(work, wanted)
    week_ago = await _week_ago(work, wanted)
    activities = await _activities(work, wanted, definition, today)
    results = {company: formula.score(definition, activities[company]) for company in wanted}
    await _store(work, model, definition, results, week_ago)
    return await _announce(work, model, definition, results, before)


async def _locked(work: Work, companies: Sequence[UUID]) -> list[UUID]:
    there = (
        select(Company.id).where(Company.id == func.any(companies), Company.deleted_at.is_(None)).order_by(Company.id)
    )
    return [row.id for row in await work.read(there.with_for_update(key_share=True))]


async def _before(work: Work, companies: Sequence[UUID]) -> dict[UUID, tuple[int, Tier]]:
    current = select(Score.company_id, Score.value, Score.tier).where(Score.company_id == func.any(companies))
    return {row.company_id: (row.value, Tier(row.tier)) for row in await work.read(current)}


async def _week_ago(work: Work, companies: Sequence[UUID]) -> dict[UUID, int]:
    then = (
        select(ScoreSnapshot.company_id, ScoreSnapshot.value)
        .ext(distinct_on(ScoreSnapshot.company_id))
        .where(ScoreSnapshot.company_id == func.any(companies), ScoreSnapshot.at <= work.at - timedelta(days=7))
        .order_by(ScoreSnapshot.company_id, ScoreSnapshot.at.desc())
    )
    return {row.company_id: row.value for row in await work.read(then)}


async def _activities(
    work: Work, companies: Sequence[UUID], definition: Definition, today: date
) -> dict[UUID, Activity]:
    types: dict[UUID, list[TypeActivity]] = defaultdict(list)
    weeks: dict[UUID, list[int]] = defaultdict(lambda: [0, 0])
    for company, type_, count, decayed, last_on, this_week, before in await _counts(work, companies, definition, today):
        types[company].append(TypeActivity(type_, int(count), float(decayed), last_on.isoformat()))
        weeks[company][0] += int(this_week)
        weeks[company][1] += int(before)
    people = await _people(work, companies, today)
    firms = select(Company.id, Company.domain, Company.employees).where(Company.id == func.any(companies))
    return {
        company: Activity(
            sorted(types[company], key=lambda one: one.type),
            people.get(company, 0),
            this_week=weeks[company][0],
            three_weeks_before=weeks[company][1],
            has_domain=domain is not None,
            employees=employees,
        )
        for company, domain, employees in await work.read(firms)
    }


async def _counts(work: Work, companies: Sequence[UUID], definition: Definition, today: date) -> Sequence[Row]:
    """Per company and type: the count, the count decayed by half-life, the last day, the week's and the three
    weeks' before."""
    age = cast(literal(today) - SignalCount.day, Integer)
    decay = func.power(0.5, func.greatest(age, 0) / definition.half_life_days)
    sums = (
        select(
            SignalCount.company_id,
            SignalCount.type,
            func.sum(SignalCount.count),
            func.sum(SignalCount.count * decay),
            func.max(SignalCount.day),
            func.sum(case((age < 7, SignalCount.count), else_=0)),
            func.sum(case((age.between(7, 27), SignalCount.count), else_=0)),
        )
        .where(
            SignalCount.company_id == func.any(companies),
            SignalCount.day > today - timedelta(days=WINDOW_DAYS),
        )
        .group_by(SignalCount.company_id, SignalCount.type)
    )
    return await work.read(sums)


async def _people(work: Work, companies: Sequence[UUID], today: date) -> dict[UUID, int]:
    active = (
        select(CompanyPerson.company_id, func.count())
        .where(
            CompanyPerson.company_id == func.any(companies),
            CompanyPerson.last_seen_on > today - timedelta(days=30),
        )
        .group_by(CompanyPerson.company_id)
    )
    return {row[0]: row[1] for row in await work.read(active)}


_Results = Mapping[UUID, tuple[int, Sequence[formula.Factor]]]


async def _store(
    work: Work, model: ScoringModel, definition: Definition, results: _Results, week_ago: Mapping[UUID, int]
) -> None:
    companies = sorted(results)
    values = [results[company][0] for company in companies]
    changed = ("value", "tier", "trend", "factors", "model_id", "computed_at")
    await add_rows(
        work,
        Score,
        {
            "company_id": companies,
            "value": values,
            "tier": [formula.tier(definition, value) for value in values],
            "trend": [formula.trend(results[c][0], week_ago.get(c)) for c in companies],
            "factors": [_json(results[company][1]) for company in companies],
            "model_id": [model.id] * len(companies),
            "computed_at": [work.at] * len(companies),
        },
        on=[Score.company_id],
        merge=dict.fromkeys(changed, Merge.REPLACE),
    )


async def _announce(
    work: Work,
    model: ScoringModel,
    definition: Definition,
    results: _Results,
    before: Mapping[UUID, tuple[int, Tier]],
) -> int:
    moved = [company for company, (value, _) in results.items() if before.get(company, (None,))[0] != value]
    for company in moved:
        value = results[company][0]
        old, old_tier = before.get(company, (None, None))
        move = {
            "company": company,
            "before": old,
            "after": value,
            "tier_before": old_tier,
            "tier": formula.tier(definition, value),
        }
        work.emit(ScoreChanged(**move))
        if move["tier_before"] != move["tier"]:
            work.emit(TierChanged(**move))
    if moved:
        await _snapshot(work, model, definition, results, moved)
    return len(moved)


async def _snapshot(
    work: Work, model: ScoringModel, definition: Definition, results: _Results, moved: Sequence[UUID]
) -> None:
    await add_rows(
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
    return orjson.dumps([asdict(factor) for factor in factors]).decode()
