"""What can be asked of signals and identities."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import aliased

from app.core.db import AnySelect
from app.core.filters import Filterable, Relation, compare
from app.core.ids import floor_at
from app.core.lists import Listing
from app.core.paging import Related
from app.crm.models import Company, Contact
from app.crm.queries import COMPANIES, COMPANY_LIST, CONTACT_LIST, CONTACTS
from app.signals.behaviour import COMPANY_BEHAVIOUR, CONTACT_BEHAVIOUR
from app.signals.models import CompanyLastSignal, ContactLastSignal, Identity, Signal


def _occurred(word: str, operand: Any) -> ColumnElement[bool]:
    """A time condition, said of the id as well: ids are made of that time, and partitions are ranges of ids."""
    condition = compare(Signal.occurred_at, word, operand)
    match word:
        case "gt" | "gte":
            return and_(condition, Signal.id >= floor_at(operand))
        case "lt" | "lte":
            return and_(condition, Signal.id <= _ceiling(operand))
        case "eq":
            return and_(condition, Signal.id >= floor_at(operand), Signal.id <= _ceiling(operand))
        case _:
            return condition


def _ceiling(moment: Any) -> UUID:
    """The largest key of that microsecond."""
    return UUID(int=floor_at(moment).int | (1 << 62) - 1)


SIGNALS = Filterable(
    Signal,
    columns={
        "id": Signal.id,
        "type": Signal.type,
        "source": Signal.source,
        "company_id": Signal.company_id,
        "contact_id": Signal.contact_id,
        "occurred_at": Signal.occurred_at,
        "received_at": Signal.received_at,
    },
    relations={
        "company": Relation(lambda: COMPANIES, lambda: Signal.company_id == Company.id, many=False),
        "contact": Relation(lambda: CONTACTS, lambda: Signal.contact_id == Contact.id, many=False),
    },
    special={"occurred_at": _occurred},
)
SIGNAL_LIST = Listing(SIGNALS, sorts={"occurred_at": Signal.id})

IDENTITIES = Filterable(
    Identity,
    columns={
        "id": Identity.id,
        "kind": Identity.kind,
        "value": Identity.value,
        "contact_id": Identity.contact_id,
        "company_id": Identity.company_id,
    },
)
IDENTITY_LIST = Listing(IDENTITIES, sorts={"created_at": Identity.created_at})

_OF_COMPANY, _OF_CONTACT = aliased(CompanyLastSignal), aliased(ContactLastSignal)
_NEWEST = "By when the newest signal occurred."
COMPANY_LIST.extend(
    questions={"signals": COMPANY_BEHAVIOUR},
    sorts={
        "last_signal_at": Related(
            _OF_COMPANY,
            _OF_COMPANY.occurred_at,
            _OF_COMPANY.company_id == Company.id,
            about=Signal,
            doc=_NEWEST,
            tie=_OF_COMPANY.company_id,
        )
    },
)
CONTACT_LIST.extend(
    questions={"signals": CONTACT_BEHAVIOUR},
    sorts={
        "last_signal_at": Related(
            _OF_CONTACT,
            _OF_CONTACT.occurred_at,
            _OF_CONTACT.contact_id == Contact.id,
            about=Signal,
            doc=_NEWEST,
            tie=_OF_CONTACT.contact_id,
        )
    },
)


def signals_with(ids: Sequence[UUID]) -> AnySelect:
    """The signals with these ids, oldest first."""
    return select(Signal).where(Signal.id == func.any(list(ids))).order_by(Signal.id)
