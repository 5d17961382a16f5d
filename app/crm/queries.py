"""What can be asked of companies and contacts: selects, filters and orders."""

from typing import Any

from sqlalchemy import Select, select

from app.core.filters import Filterable, Relation
from app.core.paging import Order, Sort
from app.crm.models import Company, Contact

COMPANIES = Filterable(
    Company,
    columns={
        "id": Company.id,
        "name": Company.name,
        "domain": Company.domain,
        "website": Company.website,
        "industry": Company.industry,
        "employees": Company.employees,
        "country": Company.country,
        "lifecycle": Company.lifecycle,
        "source": Company.source,
        "created_at": Company.created_at,
        "updated_at": Company.updated_at,
        "deleted_at": Company.deleted_at,
    },
    relations={
        "contacts": Relation(
            lambda: CONTACTS,
            lambda: (Contact.company_id == Company.id) & Contact.deleted_at.is_(None),
            many=True,
        )
    },
)

CONTACTS = Filterable(
    Contact,
    columns={
        "id": Contact.id,
        "first_name": Contact.first_name,
        "last_name": Contact.last_name,
        "email": Contact.email,
        "phone": Contact.phone,
        "title": Contact.title,
        "department": Contact.department,
        "github_login": Contact.github_login,
        "status": Contact.status,
        "source": Contact.source,
        "company_id": Contact.company_id,
        "created_at": Contact.created_at,
        "updated_at": Contact.updated_at,
        "deleted_at": Contact.deleted_at,
    },
    relations={
        "company": Relation(lambda: COMPANIES, lambda: Contact.company_id == Company.id, many=False)
    },
)

COMPANY_SORTS = {
    "created_at": Company.created_at,
    "updated_at": Company.updated_at,
    "name": Company.name,
    "employees": Company.employees,
}
CONTACT_SORTS = {
    "created_at": Contact.created_at,
    "updated_at": Contact.updated_at,
    "last_name": Contact.last_name,
    "email": Contact.email,
}


def kept_companies() -> Select[Any]:
    return select(Company).where(Company.deleted_at.is_(None))


def kept_contacts() -> Select[Any]:
    return select(Contact).where(Contact.deleted_at.is_(None))


def newest_companies() -> Order:
    return Order(Sort(Company.id, descending=True))


def newest_contacts() -> Order:
    return Order(Sort(Contact.id, descending=True))
