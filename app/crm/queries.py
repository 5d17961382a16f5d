"""What can be asked of CRM records."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.core.filters import Filterable, Relation
from app.core.lists import Listing
from app.core.paging import Related
from app.crm.models import About, Activity, Company, Contact, Deal, DealRole, DealStageChange, Kept, Note, Task


def _columns(model: Any, *names: str) -> dict[str, InstrumentedAttribute[Any]]:
    """Columns by their own names, and those that every record has."""
    return {name: getattr(model, name) for name in ("id", *names, "created_at", "updated_at", "deleted_at")}


def _many(to: Callable[[], Filterable], model: type[Kept], on: Callable[[], ColumnElement[bool]]) -> Relation:
    """The kept records that point here."""
    return Relation(to, lambda: on() & model.deleted_at.is_(None), many=True)


def _work_items(column: str, of: Any) -> dict[str, Relation]:
    """The activities, tasks and notes that are about a record."""
    return {
        "activities": _many(lambda: ACTIVITIES, Activity, lambda: getattr(Activity, column) == of.id),
        "tasks": _many(lambda: TASKS, Task, lambda: getattr(Task, column) == of.id),
        "notes": _many(lambda: NOTES, Note, lambda: getattr(Note, column) == of.id),
    }


def _subjects(model: type[About]) -> dict[str, Relation]:
    """What a record is about."""
    return {
        "company": Relation(lambda: COMPANIES, lambda: model.company_id == Company.id, many=False),
        "contact": Relation(lambda: CONTACTS, lambda: model.contact_id == Contact.id, many=False),
        "deal": Relation(lambda: DEALS, lambda: model.deal_id == Deal.id, many=False),
    }


COMPANIES: Filterable = Filterable(
    Company,
    columns=_columns(
        Company,
        "name",
        "domain",
        "website",
        "industry",
        "employees",
        "country",
        "lifecycle",
        "source",
    ),
    relations={
        "contacts": _many(lambda: CONTACTS, Contact, lambda: Contact.company_id == Company.id),
        "deals": _many(lambda: DEALS, Deal, lambda: Deal.company_id == Company.id),
        **_work_items("company_id", Company),
    },
)

CONTACTS: Filterable = Filterable(
    Contact,
    columns=_columns(
        Contact,
        "first_name",
        "last_name",
        "email",
        "phone",
        "title",
        "department",
        "github_login",
        "status",
        "source",
        "company_id",
    ),
    relations={
        "company": Relation(lambda: COMPANIES, lambda: Contact.company_id == Company.id, many=False),
        "roles": Relation(lambda: DEAL_ROLES, lambda: DealRole.contact_id == Contact.id, many=True),
        **_work_items("contact_id", Contact),
    },
)

DEALS: Filterable = Filterable(
    Deal,
    columns=_columns(
        Deal,
        "name",
        "stage",
        "amount",
        "currency",
        "probability",
        "expected_close_on",
        "closed_at",
        "source",
        "company_id",
        "owner_id",
    ),
    relations={
        "company": Relation(lambda: COMPANIES, lambda: Deal.company_id == Company.id, many=False),
        "roles": Relation(lambda: DEAL_ROLES, lambda: DealRole.deal_id == Deal.id, many=True),
        "stage_history": Relation(lambda: STAGE_CHANGES, lambda: DealStageChange.deal_id == Deal.id, many=True),
        **_work_items("deal_id", Deal),
    },
)
DEAL_ROLES: Filterable = Filterable(
    DealRole,
    columns={"role": DealRole.role, "deal_id": DealRole.deal_id, "contact_id": DealRole.contact_id},
    relations={
        "deal": Relation(lambda: DEALS, lambda: DealRole.deal_id == Deal.id, many=False),
        "contact": Relation(lambda: CONTACTS, lambda: DealRole.contact_id == Contact.id, many=False),
    },
)
STAGE_CHANGES: Filterable = Filterable(
    DealStageChange,
    columns={
        "stage": DealStageChange.stage,
        "before": DealStageChange.before,
        "user_id": DealStageChange.user_id,
        "created_at": DealStageChange.created_at,
    },
)
ACTIVITIES: Filterable = Filterable(
    Activity,
    columns=_columns(
        Activity,
        "type",
        "status",
        "subject",
        "due_at",
        "done_at",
        "duration_minutes",
        "company_id",
        "contact_id",
        "deal_id",
        "owner_id",
    ),
    relations=_subjects(Activity),
)
TASKS: Filterable = Filterable(
    Task,
    columns=_columns(
        Task,
        "title",
        "status",
        "priority",
        "due_at",
        "done_at",
        "company_id",
        "contact_id",
        "deal_id",
        "assignee_id",
    ),
    relations=_subjects(Task),
)
NOTES: Filterable = Filterable(
    Note,
    columns=_columns(Note, "title", "body", "is_pinned", "company_id", "contact_id", "deal_id", "author_id"),
    relations=_subjects(Note),
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
DEAL_LIST = Listing(
    DEALS,
    sorts={
        "created_at": Deal.created_at,
        "updated_at": Deal.updated_at,
        "name": Deal.name,
        "amount": Deal.amount,
        "expected_close_on": Deal.expected_close_on,
    },
    hidden=Deal.deleted_at,
)
DEAL_ROLE_LIST = Listing(DEAL_ROLES, sorts={"created_at": DealRole.created_at})
STAGE_CHANGE_LIST = Listing(STAGE_CHANGES, sorts={"created_at": DealStageChange.created_at})
ACTIVITY_LIST = Listing(
    ACTIVITIES,
    sorts={
        "created_at": Activity.created_at,
        "updated_at": Activity.updated_at,
        "due_at": Activity.due_at,
        "done_at": Activity.done_at,
    },
    hidden=Activity.deleted_at,
)
TASK_LIST = Listing(
    TASKS,
    sorts={"created_at": Task.created_at, "updated_at": Task.updated_at, "due_at": Task.due_at},
    hidden=Task.deleted_at,
)
NOTE_LIST = Listing(NOTES, sorts={"created_at": Note.created_at, "updated_at": Note.updated_at}, hidden=Note.deleted_at)
