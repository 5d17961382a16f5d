"""Asking for CRM records."""

import strawberry

from app.crm.queries import ACTIVITY_LIST, COMPANY_LIST, CONTACT_LIST, DEAL_LIST, NOTE_LIST, TASK_LIST
from app.identity.permissions import Permission
from graph.core.fields import listing, one

_READ = Permission.CRM_READ


@strawberry.type
class Query:
    company = one(COMPANY_LIST, _READ, "The company with this id, deleted or not; null where there is none.")
    companies = listing(COMPANY_LIST, _READ, "The companies, newest first unless ordered otherwise.")
    contact = one(CONTACT_LIST, _READ, "The contact with this id, deleted or not; null where there is none.")
    contacts = listing(CONTACT_LIST, _READ, "The contacts, newest first unless ordered otherwise.")
    deal = one(DEAL_LIST, _READ, "The deal with this id, deleted or not; null where there is none.")
    deals = listing(DEAL_LIST, _READ, "The deals, newest first unless ordered otherwise.")
    activity = one(ACTIVITY_LIST, _READ, "The activity with this id, deleted or not; null where there is none.")
    activities = listing(ACTIVITY_LIST, _READ, "The activities, newest first unless ordered otherwise.")
    task = one(TASK_LIST, _READ, "The task with this id, deleted or not; null where there is none.")
    tasks = listing(TASK_LIST, _READ, "The tasks, newest first unless ordered otherwise.")
    note = one(NOTE_LIST, _READ, "The note with this id, deleted or not; null where there is none.")
    notes = listing(NOTE_LIST, _READ, "The notes, newest first unless ordered otherwise.")
