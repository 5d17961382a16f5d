"""CRM records as a client sees them."""

from typing import Any

from strawberry import auto

from app.crm import models
from app.crm.queries import (
    ACTIVITY_LIST,
    COMPANY_LIST,
    CONTACT_LIST,
    DEAL_LIST,
    DEAL_ROLE_LIST,
    NOTE_LIST,
    STAGE_CHANGE_LIST,
    TASK_LIST,
)
from app.identity.models import User
from app.identity.permissions import Permission
from app.identity.queries import members_of
from app.scoring.models import Score
from app.scoring.queries import scores_of
from app.signals.models import Identity, Signal
from app.signals.queries import IDENTITY_LIST, SIGNAL_LIST
from graph.core.fields import batched, related, relation
from graph.core.node import Node, entity


def _member(key: str, description: str) -> Any:
    return batched(members_of, User, key, description)


def _about() -> tuple[Any, Any, Any]:
    """The company, person and deal that a record may be about."""
    return (
        relation("company_id", COMPANY_LIST, "The company it is about."),
        relation("contact_id", CONTACT_LIST, "The person it is about."),
        relation("deal_id", DEAL_LIST, "The deal it is about."),
    )


@entity(models.Company, permission=Permission.CRM_READ, fetch=COMPANY_LIST.every)
class Company(Node):
    name: auto
    domain: auto
    website: auto
    industry: auto
    employees: auto
    description: auto
    country: auto
    linkedin_url: auto
    lifecycle: auto
    source: auto
    created_at: auto
    updated_at: auto
    deleted_at: auto
    version: auto
    contacts = related(models.Contact.company_id, CONTACT_LIST, "The people who work there, newest first.")
    signals = related(Signal.company_id, SIGNAL_LIST, "What its people did, newest first.")
    timeline = related(Signal.company_id, SIGNAL_LIST, "What happened around the company, newest first.")
    deals = related(models.Deal.company_id, DEAL_LIST, "The deals about it, newest first.")
    activities = related(models.Activity.company_id, ACTIVITY_LIST, "The activities about it, newest first.")
    tasks = related(models.Task.company_id, TASK_LIST, "The tasks about it, newest first.")
    notes = related(models.Note.company_id, NOTE_LIST, "The notes about it, newest first.")
    score = batched(scores_of, Score, "id", "Its score as it stands; null before its first signal.")


@entity(models.Contact, permission=Permission.CRM_READ, fetch=CONTACT_LIST.every)
class Contact(Node):
    first_name: auto
    last_name: auto
    email: auto
    phone: auto
    title: auto
    department: auto
    github_login: auto
    linkedin_url: auto
    status: auto
    source: auto
    created_at: auto
    updated_at: auto
    deleted_at: auto
    version: auto
    company = relation("company_id", COMPANY_LIST, "The company the person works for.")
    signals = related(Signal.contact_id, SIGNAL_LIST, "What the person did, newest first.")
    identities = related(Identity.contact_id, IDENTITY_LIST, "The names the person is known by, with why.")
    roles = related(models.DealRole.contact_id, DEAL_ROLE_LIST, "The person's parts in deals.")
    activities = related(models.Activity.contact_id, ACTIVITY_LIST, "The activities about the person, newest first.")
    tasks = related(models.Task.contact_id, TASK_LIST, "The tasks about the person, newest first.")
    notes = related(models.Note.contact_id, NOTE_LIST, "The notes about the person, newest first.")


@entity(models.Deal, permission=Permission.CRM_READ, fetch=DEAL_LIST.every)
class Deal(Node):
    name: auto
    stage: auto
    amount: auto
    currency: auto
    probability: auto
    expected_close_on: auto
    closed_at: auto
    lost_reason: auto
    description: auto
    source: auto
    created_at: auto
    updated_at: auto
    deleted_at: auto
    version: auto
    company = relation("company_id", COMPANY_LIST, "The company it is about.")
    owner = _member("owner_id", "The member who is responsible for it.")
    roles = related(models.DealRole.deal_id, DEAL_ROLE_LIST, "The people who have to do with it, and what.")
    stage_history = related(models.DealStageChange.deal_id, STAGE_CHANGE_LIST, "Its steps, the last one first.")
    activities = related(models.Activity.deal_id, ACTIVITY_LIST, "The activities about it, newest first.")
    tasks = related(models.Task.deal_id, TASK_LIST, "The tasks about it, newest first.")
    notes = related(models.Note.deal_id, NOTE_LIST, "The notes about it, newest first.")


@entity(models.DealRole, permission=Permission.CRM_READ, fetch=DEAL_ROLE_LIST.every)
class DealRole(Node):
    role: auto
    created_at: auto
    deal = relation("deal_id", DEAL_LIST, "The deal.")
    contact = relation("contact_id", CONTACT_LIST, "The person.")


@entity(models.DealStageChange, permission=Permission.CRM_READ, fetch=STAGE_CHANGE_LIST.every)
class DealStageChange(Node):
    before: auto
    stage: auto
    created_at: auto
    deal = relation("deal_id", DEAL_LIST, "The deal.")
    user = _member("user_id", "The member who moved it; null where a program did.")


@entity(models.Activity, permission=Permission.CRM_READ, fetch=ACTIVITY_LIST.every)
class Activity(Node):
    type: auto
    status: auto
    subject: auto
    description: auto
    due_at: auto
    done_at: auto
    duration_minutes: auto
    created_at: auto
    updated_at: auto
    deleted_at: auto
    version: auto
    company, contact, deal = _about()
    owner = _member("owner_id", "The member whose activity it is.")


@entity(models.Task, permission=Permission.CRM_READ, fetch=TASK_LIST.every)
class Task(Node):
    title: auto
    description: auto
    status: auto
    priority: auto
    due_at: auto
    done_at: auto
    created_at: auto
    updated_at: auto
    deleted_at: auto
    version: auto
    company, contact, deal = _about()
    assignee = _member("assignee_id", "The member who is to do it.")


@entity(models.Note, permission=Permission.CRM_READ, fetch=NOTE_LIST.every)
class Note(Node):
    title: auto
    body: auto
    is_pinned: auto
    created_at: auto
    updated_at: auto
    deleted_at: auto
    version: auto
    company, contact, deal = _about()
    author = _member("author_id", "The member who wrote it; null where a program did.")
