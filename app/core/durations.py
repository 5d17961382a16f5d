"""ISO 8601 durations that lead back from a moment, such as `P30D` or `PT12H`."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

from app.core.errors import Code, Refusal

MAX_DAYS = 3_660
_FORM = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?\Z",
    re.ASCII,
)


def start_of(duration: str, end: datetime, path: tuple[str | int, ...] = ()) -> datetime:
    """Where a time of that length begins that ends at `end`; a `Refusal` for what is no duration of up to ten years.

    One of whole days is of days in UTC, the last of which is the day of `end`: `P1D` begins at its midnight."""
    form = _FORM.match(duration)
    if form is None:
        raise Refusal(Code.INVALID, "is not an ISO 8601 duration of whole numbers, such as P30D", path)
    years, months, weeks, days, hours, minutes, seconds = (int(number or 0) for number in form.groups())
    months, days = years * 12 + months, weeks * 7 + days
    clock = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not (months or days or clock):
        raise Refusal(Code.INVALID, "must be longer than nothing", path)
    if months * 31 + days + clock.days > MAX_DAYS + 60:
        raise Refusal(Code.INVALID, "must be at most ten years", path)
    end = end.astimezone(UTC)
    first = _months_before(end.date(), months) - timedelta(days=days)
    if clock:
        return datetime.combine(first, end.time(), UTC) - clock
    return datetime.combine(first + timedelta(days=1), time(), UTC)


def _months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
