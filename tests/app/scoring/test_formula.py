"""The score's formula: what must hold for every activity."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scoring.formula import DEFAULT, Activity, TypeActivity, _whole, score, tier, trend
from app.scoring.models import Tier, Trend

NOTHING = Activity((), 0, 0, 0, has_domain=False, employees=None)
TYPES = (*DEFAULT.weights, "something_else")

counts = st.integers(1, 10**9)
activities = st.builds(
    Activity,
    st.lists(st.sampled_from(TYPES), unique=True, max_size=8).flatmap(
        lambda types: st.tuples(
            *(
                st.builds(
                    lambda name, count, part: TypeActivity(name, count, count * part, "2026-11-20"),
                    st.just(name),
                    counts,
                    st.floats(0.0001, 1),
                )
                for name in types
            )
        )
    ),
    st.integers(0, 10**6),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    has_domain=st.booleans(),
    employees=st.none() | st.integers(0, 10**7),
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(activities)
def test_factors_are_whole_and_add_up_to_a_value_of_0_to_100(activity: Activity) -> None:
    value, factors = score(DEFAULT, activity)
    assert 0 <= value <= 100 and isinstance(value, int)
    assert sum(factor.contribution for factor in factors) == value
    assert all(isinstance(factor.contribution, int) for factor in factors)
    assert len({factor.key for factor in factors}) == len(factors)
    assert [f.contribution for f in factors] == sorted((f.contribution for f in factors), reverse=True)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(activities, st.sampled_from([name for name, weight in DEFAULT.weights.items() if weight > 0]), counts)
def test_more_of_a_good_type_never_lowers_the_value(activity: Activity, name: str, more: int) -> None:
    before = {one.type: one for one in activity.types}
    known = before.get(name, TypeActivity(name, 0, 0.0, "2026-11-20"))
    raised = replace(known, count=known.count + more, decayed=known.decayed + more)
    others = [one for one in activity.types if one.type != name]
    assert score(DEFAULT, replace(activity, types=[*others, raised]))[0] >= score(DEFAULT, activity)[0]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=10), st.integers(1, 100))
def test_a_share_differs_from_its_exact_part_by_less_than_one(points: list[float], target: int) -> None:
    shares = _whole(points, target)
    total = sum(points)
    if total > 1e-6:
        assert sum(shares) == target
        assert all(abs(share - point * target / total) < 1 for share, point in zip(shares, points, strict=True))


def test_nothing_scores_nothing() -> None:
    assert score(DEFAULT, NOTHING) == (0, [])
    known_firm = replace(NOTHING, has_domain=True, employees=5_000)
    assert score(DEFAULT, known_firm) == (0, [])


def one(name: str, decayed: float, **more: object) -> Activity:
    return replace(NOTHING, types=[TypeActivity(name, round(decayed) or 1, decayed, "2026-11-20")], **more)  # type: ignore[arg-type]


def test_what_speaks_against_lowers_the_value_and_never_below_zero() -> None:
    good = one("signup", 1)
    bad = replace(good, types=[*good.types, TypeActivity("uninstall", 1, 1, "2026-11-20")])
    assert score(DEFAULT, bad)[0] < score(DEFAULT, good)[0]
    contributions = {factor.key: factor.contribution for factor in score(DEFAULT, bad)[1]}
    assert contributions["signal:uninstall"] < 0
    value, factors = score(DEFAULT, one("uninstall", 100))
    assert value == 0 and sum(factor.contribution for factor in factors) == 0


def test_one_loud_type_cannot_fill_the_score() -> None:
    value, _ = score(DEFAULT, one("api_call", 10**12))
    assert value == DEFAULT.type_cap


def test_more_than_a_hundred_points_are_scaled_down_evenly() -> None:
    loud = [TypeActivity(name, 10**6, 1e6, "2026-11-20") for name in ("signup", "api_call", "docs_view", "github_fork")]
    value, factors = score(DEFAULT, replace(NOTHING, types=loud))
    assert value == 100
    assert {factor.contribution for factor in factors} == {25}


def test_weights_decide_and_unknown_types_count_as_other() -> None:
    assert score(DEFAULT, one("signup", 1))[0] > score(DEFAULT, one("docs_view", 1))[0] == 1
    assert score(DEFAULT, one("never_heard_of", 1))[0] == 1
    assert score(DEFAULT, one("alias", 1_000)) == (0, [])


def test_breadth_velocity_and_fit_add_theirs() -> None:
    plain = score(DEFAULT, one("signup", 1))[0]
    for more in ({"people": 3}, {"this_week": 5}, {"has_domain": True}, {"employees": 500}):
        assert score(DEFAULT, one("signup", 1, **more))[0] > plain, more
    for same in ({"people": 1}, {"this_week": 5, "three_weeks_before": 15}, {"employees": 3}):
        assert score(DEFAULT, one("signup", 1, **same))[0] == plain, same


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (100, Tier.HOT),
        (60, Tier.HOT),
        (59, Tier.WARM),
        (30, Tier.WARM),
        (29, Tier.COLD),
        (5, Tier.COLD),
        (4, Tier.INACTIVE),
        (0, Tier.INACTIVE),
    ],
)
def test_tiers_begin_at_their_thresholds(value: int, expected: Tier) -> None:
    assert tier(DEFAULT, value) is expected


@pytest.mark.parametrize(
    ("value", "week_ago", "expected"),
    [
        (5, None, Trend.RISING),
        (4, None, Trend.STABLE),
        (55, 50, Trend.RISING),
        (54, 50, Trend.STABLE),
        (45, 50, Trend.FALLING),
        (46, 50, Trend.STABLE),
    ],
)
def test_the_trend_is_told_by_five_points_against_a_week_ago(value: int, week_ago: int | None, expected: Trend) -> None:
    assert trend(value, week_ago) is expected
