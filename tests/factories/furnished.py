"""Organizations whose records share values or have none, from around the ends of days, weeks, months and years."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.core.ids import new_id
from app.core.work import Work, work
from app.crm.models import Company, Contact, ContactStatus, Lifecycle
from tests.factories.tenants import Tenant

TEXTS = ["SaaS", "saas", "Retail", "", "a_b", "Ünïcorn", "ünïcorn", None]
TIMES = [
    datetime(2020, 12, 27, 23, 59, 59, 999_999, UTC),
    datetime(2020, 12, 28, tzinfo=UTC),
    datetime(2021, 1, 3, 23, 59, tzinfo=UTC),
    datetime(2021, 1, 4, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 30, tzinfo=UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2025, 1, 31, 23, 59, tzinfo=UTC),
]


async def furnish(tenant: Tenant) -> Tenant:
    """The tenant, given companies and contacts, of which some are deleted."""
    ids = [new_id() for _ in range(30)]
    companies, contacts = [], []
    for n, id_ in enumerate(ids):
        company = Company(id=id_, name=TEXTS[n % 3], industry=TEXTS[n % 8], country=(None, "DE", "FR")[n % 3])
        company.employees = None if n % 5 == 4 else (2_000_000_000 if n % 7 == 0 else n % 4)
        company.lifecycle = list(Lifecycle)[n * n % 4]
        company.deleted_at = TIMES[n % 7] if n % 9 == 8 else None
        companies.append(company)
    for n in range(40):
        contact = Contact(last_name=TEXTS[n * 3 % 8], title=TEXTS[n % 2], company_id=ids[n % 6] if n % 4 else None)
        contact.status, contact.deleted_at = list(ContactStatus)[n % 4], TIMES[0] if n % 11 == 10 else None
        contacts.append(contact)
    async with work(tenant.database, tenant.id) as unit:
        await made(unit, companies, TIMES)
        await made(unit, contacts, TIMES)
    return tenant


async def made(unit: Work, rows: Sequence[Any], times: Sequence[datetime]) -> None:
    """Adds the rows as if they had been made at these times, in turn."""
    unit.add(*rows)
    await unit.flush()
    for n, row in enumerate(rows):
        row.created_at = times[n % len(times)]


async def with_signals(tenant: Tenant) -> Tenant:
    """The tenant, sent signals of some people of some companies, and one of nobody."""
    rows = [
        {
            "type": f"t{n % 3}",
            "email": f"p{n % 4}@at{n % 5}.dev",
            "occurredAt": at.isoformat(),
            "idempotencyKey": f"{n}",
        }
        for n, at in enumerate(TIMES * 4)
    ]
    assert (await tenant.send([*rows, {"type": "t0", "anonymousId": "nobody"}])).status_code == 202
    return tenant


async def one(tenant: Tenant, asked: str, **options: Any) -> dict[str, Any]:
    """What an aggregate without variables answers."""
    found: dict[str, Any] = (await tenant.ask(f"{{ found: {asked} }}", **options))["found"]
    return found
