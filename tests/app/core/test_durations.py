"""Durations back from a moment, and what is none."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.core.durations import start_of
from app.core.errors import Code, Refusal

END = datetime(2026, 3, 31, 15, 30, 45, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "start"),
    [
        ("P1D", datetime(2026, 3, 31, tzinfo=UTC)),
        ("P2D", datetime(2026, 3, 30, tzinfo=UTC)),
        ("P30D", datetime(2026, 3, 2, tzinfo=UTC)),
        ("P1W", datetime(2026, 3, 25, tzinfo=UTC)),
        ("P1M", datetime(2026, 3, 1, tzinfo=UTC)),
        ("P13M", datetime(2025, 3, 1, tzinfo=UTC)),
        ("P1Y", datetime(2025, 4, 1, tzinfo=UTC)),
        ("P10Y", datetime(2016, 4, 1, tzinfo=UTC)),
        ("P3660D", datetime(2016, 3, 24, tzinfo=UTC)),
        ("PT1S", END - timedelta(seconds=1)),
        ("PT36H", END - timedelta(hours=36)),
        ("P1DT12H30M", END - timedelta(days=1, hours=12, minutes=30)),
        ("P0DT1M", END - timedelta(minutes=1)),
        ("P1MT1H", datetime(2026, 2, 28, 14, 30, 45, 123456, tzinfo=UTC)),
    ],
)
def test_a_duration_begins_where_it_should(duration: str, start: datetime) -> None:
    assert start_of(duration, END) == start


def test_days_are_days_of_utc() -> None:
    late = datetime(2026, 3, 31, 23, tzinfo=timezone(-timedelta(hours=5)))
    assert start_of("P1D", late) == datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "duration",
    ["", "P", "PT", "P1", "1D", "P-1D", "-P1D", "P1DT", "P1H", "PT1D", "P1.5D", "p1d", "P1D ", "P1D\n", "P1D1Y", "P٣D",
     "P\x00D", "thirty days", "P99999999999999999999D"],
)  # fmt: skip
def test_what_is_no_duration_is_refused(duration: str) -> None:
    assert refusal(duration) == (Code.INVALID, "is not an ISO 8601 duration of whole numbers, such as P30D")


@pytest.mark.parametrize("duration", ["P0D", "PT0S", "P0Y0M0DT0H"])
def test_nothing_is_no_duration(duration: str) -> None:
    assert refusal(duration) == (Code.INVALID, "must be longer than nothing")


@pytest.mark.parametrize("duration", ["P11Y", "P9999Y", "P9999M", "P9999W", "P99999D", "PT999999H", "PT999999999S"])
def test_more_than_ten_years_are_refused(duration: str) -> None:
    assert refusal(duration) == (Code.INVALID, "must be at most ten years")


def refusal(duration: str) -> tuple[Code, str]:
    with pytest.raises(Refusal) as refused:
        start_of(duration, END, ("within",))
    assert refused.value.problems[0].path == ("within",)
    return refused.value.code, str(refused.value)
