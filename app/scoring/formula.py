"""The score: what a model makes of a company's counters. Pure, so that it can be replayed and explained.

A type's intensity is its daily counts, each halved every half-life, times its weight; it earns
`cap * (1 - exp(-intensity / cap))` points, so that each further signal adds less and one loud type cannot fill the
score. Breadth (people in 30 days), velocity (this week against the average of the three before) and fit (a known
domain and size) add theirs. The points are scaled down to 100 where they exceed it, and rounded by largest
remainder, so that the factors' contributions are whole numbers whose sum is exactly the value."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.records import Record
from app.scoring.models import Tier, Trend

TREND_STEP = 5


class Definition(Record):
    """A scoring model. `weights` are points per fresh signal of a type; `other` is for types not named."""

    weights: dict[str, float]
    other: float
    half_life_days: float
    type_cap: float
    breadth_points: float
    breadth_people: int
    velocity_points: float
    fit_points: float
    fit_employees: int
    hot: int
    warm: int
    cold: int


DEFAULT = Definition(
    weights={
        "github_star": 3.0,
        "github_fork": 5.0,
        "github_issue_opened": 6.0,
        "github_issue_comment": 3.0,
        "github_pull_request_opened": 8.0,
        "github_discussion_created": 4.0,
        "docs_view": 1.0,
        "page_view": 0.5,
        "pricing_view": 8.0,
        "signup": 15.0,
        "api_key_created": 12.0,
        "api_call": 1.0,
        "feature_usage": 3.0,
        "invite_sent": 10.0,
        "identify": 1.0,
        "group": 1.0,
        "github_unstar": -3.0,
        "uninstall": -12.0,
        "alias": 0.0,
    },
    other=1.0,
    half_life_days=14.0,
    type_cap=30.0,
    breadth_points=20.0,
    breadth_people=5,
    velocity_points=10.0,
    fit_points=10.0,
    fit_employees=20,
    hot=60,
    warm=30,
    cold=5,
)


@dataclass(frozen=True, slots=True)
class TypeActivity:
    """What a company did of one type. `decayed` is the count with each day's part halved every half-life."""

    type: str
    count: int
    decayed: float
    last_on: str


@dataclass(frozen=True, slots=True)
class Activity:
    """All that a score is made of, for one company. The week counts are of all types."""

    types: Sequence[TypeActivity]
    people: int
    this_week: int
    three_weeks_before: int
    has_domain: bool
    employees: int | None


@dataclass(frozen=True, slots=True)
class Factor:
    """A part of the score: `contribution` in whole points, `evidence` as what was counted."""

    key: str
    label: str
    contribution: int
    evidence: Mapping[str, Any]


def score(definition: Definition, activity: Activity) -> tuple[int, list[Factor]]:
    """The value (0 to 100) and the factors that sum to it, the largest first."""
    raw = [part for part in _parts(definition, activity) if abs(part[2]) >= 0.005]
    total = sum(points for _, _, points, _ in raw)
    value = min(100, max(0, round(total)))
    shares = _whole([points for _, _, points, _ in raw], value)
    factors = [
        Factor(key, label, share, evidence) for (key, label, _, evidence), share in zip(raw, shares, strict=True)
    ]
    return value, sorted(factors, key=lambda factor: (-factor.contribution, factor.key))


def tier(definition: Definition, value: int) -> Tier:
    if value >= definition.hot:
        return Tier.HOT
    if value >= definition.warm:
        return Tier.WARM
    return Tier.COLD if value >= definition.cold else Tier.INACTIVE


def trend(value: int, week_ago: int | None) -> Trend:
    """Against the value of a week ago, which counts as 0 for a company that had none."""
    moved = value - (week_ago or 0)
    if moved >= TREND_STEP:
        return Trend.RISING
    return Trend.FALLING if moved <= -TREND_STEP else Trend.STABLE


_Part = tuple[str, str, float, Mapping[str, Any]]


def _parts(definition: Definition, activity: Activity) -> list[_Part]:
    parts = [_type_part(definition, one) for one in activity.types]
    people = min(activity.people, definition.breadth_people) / definition.breadth_people
    if activity.people > 1:
        breadth = definition.breadth_points * people
        parts.append(("breadth", "People active in 30 days", breadth, {"people": activity.people}))
    if activity.this_week:
        parts.append(_velocity_part(definition, activity))
    parts.extend(_fit_parts(definition, activity) if activity.types else [])
    return parts


def _type_part(definition: Definition, one: TypeActivity) -> _Part:
    intensity = definition.weights.get(one.type, definition.other) * one.decayed
    cap = definition.type_cap
    points = math.copysign(cap * -math.expm1(-abs(intensity) / cap), intensity)
    label = one.type.replace("_", " ").capitalize()
    evidence = {"type": one.type, "count": one.count, "decayed": round(one.decayed, 3), "lastOn": one.last_on}
    return f"signal:{one.type}", label, points, evidence


def _velocity_part(definition: Definition, activity: Activity) -> _Part:
    usual = activity.three_weeks_before / 3
    growth = (activity.this_week - usual) / (activity.this_week + usual)
    evidence = {"thisWeek": activity.this_week, "usualWeek": round(usual, 2)}
    return (
        "velocity",
        "Activity against its usual week",
        definition.velocity_points * max(0.0, growth),
        evidence,
    )


def _fit_parts(definition: Definition, activity: Activity) -> list[_Part]:
    half = definition.fit_points / 2
    parts: list[_Part] = []
    if activity.has_domain:
        parts.append(("fit:domain", "Known company domain", half, {"domain": True}))
    if activity.employees and activity.employees >= definition.fit_employees:
        parts.append(("fit:employees", "Company size", half, {"employees": activity.employees}))
    return parts


def _whole(points: Sequence[float], target: int) -> list[int]:
    """Whole shares of `target`, in proportion to the points, by largest remainder."""
    total = sum(points)
    if not points or abs(total) < 1e-9:
        return [0] * len(points)
    scaled = [point * target / total for point in points] if total > 0 else [0.0] * len(points)
    shares = [math.floor(part) for part in scaled]
    by_remainder = sorted(range(len(points)), key=lambda i: (shares[i] - scaled[i], i))
    for index in by_remainder[: target - sum(shares)]:
        shares[index] += 1
    return shares
