"""What every door turns its input into: something an actor did, with all that was said about who it was."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID


class IdentityKind(StrEnum):
    """What an identity names. `GROUP` names a company, the others a person."""

    EMAIL = "EMAIL"
    USER = "USER"
    ANONYMOUS = "ANONYMOUS"
    GITHUB = "GITHUB"
    GROUP = "GROUP"


class Identity(NamedTuple):
    """A name that one outside system knows somebody by: an address, a user id, a numeric GitHub id."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class PersonTraits:
    """What was said about the person; used for a new contact, and for fields that are still empty."""

    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    phone: str | None = None
    github_login: str | None = None


@dataclass(frozen=True, slots=True)
class CompanyTraits:
    """What was said about the company; `domain` may be a host, an address or a URL."""

    name: str | None = None
    domain: str | None = None
    industry: str | None = None
    employees: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One signal on its way in.

    `key` makes it unique within its source; without one every arrival is a new signal. `people` are names of
    the one actor, the surest first; `groups` are names of the company acted for. `person` and `company` say what is
    known of them. `creates_person` lets an actor without an e-mail become a contact."""

    type: str
    source: str
    occurred_at: datetime
    key: str | None = None
    people: tuple[Identity, ...] = ()
    groups: tuple[Identity, ...] = ()
    person: PersonTraits = PersonTraits()
    company: CompanyTraits = CompanyTraits()
    properties: dict[str, Any] = field(default_factory=dict)
    creates_person: bool = False
    contact_id: UUID | None = None
    company_id: UUID | None = None
