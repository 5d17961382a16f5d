"""What can be asked of companies and contacts."""

from sqlalchemy.orm import aliased

from app.core.filters import Filterable, Relation
from app.core.lists import Listing
from app.core.paging import Related
from app.crm.models import Company, Contact

COMPANIES: Filterable = Filterable(
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

CONTACTS: Filterable = Filterable(
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
    relations={"company": Relation(lambda: COMPANIES, lambda: Contact.company_id == Company.id, many=False)},
)

COMPANY_LIST = Listing(
    COMPANIES,
    sorts={
        "created_at": Company.created_at,
        "updated_at": Company.updated_at,
        "name": Company.name,
        "employees": Company.employees,
    },
    hidden=Company.deleted_at,
)
_EMPLOYER = aliased(Company)
CONTACT_LIST = Listing(
    CONTACTS,
    sorts={
        "created_at": Contact.created_at,
        "updated_at": Contact.updated_at,
        "last_name": Contact.last_name,
        "email": Contact.email,
        "company_name": Related(
            _EMPLOYER,
            _EMPLOYER.name,
            Contact.company_id == _EMPLOYER.id,
            about=Company,
            doc="By the name of the company the person works for.",
            known=Contact.company_id.is_not(None),
        ),
    },
    hidden=Contact.deleted_at,
)
