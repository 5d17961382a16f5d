"""Aggregates of columns of kinds that no list of the API has: days without a time, numbers of 64 bits."""

from datetime import date
from decimal import Decimal

from app.core.aggregates import Bucket, Function, Measure, Part, groups, totals
from app.core.db import Database
from app.core.filters import Filterable
from app.core.ids import new_id
from app.core.lists import Listing
from app.core.work import Reads, work
from app.crm.models import Company
from app.signals.models import SignalCount
from tests.factories.tenants import Tenant

COUNTS = Listing(Filterable(SignalCount, columns={"day": SignalCount.day, "count": SignalCount.count}), sorts={})
DAYS = [date(2020, 12, 31), date(2021, 1, 1), date(2021, 1, 3), date(2021, 1, 4)]


async def test_days_are_grouped_as_times_are_and_sums_pass_64_bits(tenant: Tenant, database: Database) -> None:
    company = Company(id=new_id(), name="Acme")
    async with work(database, tenant.id) as unit:
        unit.add(company)
        await unit.flush()
        unit.add(*(SignalCount(company_id=company.id, day=day, type="visit", count=2**62) for day in DAYS))
    async with Reads(database, tenant.id) as reads:
        weeks = await reads.rows(groups(COUNTS, {}, [], [Part("day", Bucket.WEEK)], 5))
        days = await reads.rows(groups(COUNTS, {}, [], [Part("day", Bucket.DAY)], 5))
        whole = await reads.row(totals(COUNTS, {}, [Measure(Function.SUM, "count"), Measure(Function.MAX, "day")]))
    assert [(row.key_day, row.count) for row in weeks] == [(date(2020, 12, 28), 3), (date(2021, 1, 4), 1)]
    assert [row.key_day for row in days] == DAYS
    assert whole is not None and (whole.count, whole.sum_count, whole.max_day) == (4, Decimal(2**64), DAYS[-1])
