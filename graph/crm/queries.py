"""Asking for CRM records."""

import strawberry

from app.crm.queries import ACTIVITY_LIST, COMPANY_LIST, CONTACT_LIST, DEAL_LIST, NOTE_LIST, TASK_LIST
from app.identity.permissions import Permission
from graph.core.aggregates import aggregate
from graph.core.fields import listing, one

_READ = Permission.CRM_READ


@strawberry.type
class Query:
    company = one(COMPANY_LIST, _READ, "The company with this id, deleted or not; null where there is none.")
    companies = listing(COMPANY_LIST, _READ, "The companies, newest first unless ordered otherwise.")
    companies_aggregate = aggregate(COMPANY_LIST, _READ, "What the companies come to, as a whole and by groups.")
    contact = one(CONTACT_LIST, _READ, "The contact with this id, deleted or not; null where there is none.")
    contacts = listing(CONTACT_LIST, _READ, "The contacts, newest first unless ordered otherwise.")
    contacts_aggregate = aggregate(CONTACT_LIST, _READ, "What the contacts come to, as a whole and by groups.")
    deal = one(DEAL_LIST, _READ, "The deal with this id, deleted or not; null where there is none.")
    deals = listing(DEAL_LIST, _READ, "The deals, newest first unless ordered otherwise.")
    deals_aggregate = aggregate(DEAL_LIST, _READ, "What the deals come to, as a whole and by groups.")
    activity = one(ACTIVITY_LIST, _READ, "The activity with this id, deleted or not; null where there is none.")
    activities = listing(ACTIVITY_LIST, _READ, "The activities, newest first unless ordered otherwise.")
    activities_aggregate = aggregate(ACTIVITY_LIST, _READ, "What the activities come to, as a whole and by groups.")
    task = one(TASK_LIST, _READ, "The task with this id, deleted or not; null where there is none.")
    tasks = listing(TASK_LIST, _READ, "The tasks, newest first unless ordered otherwise.")
    tasks_aggregate = aggregate(TASK_LIST, _READ, "What the tasks come to, as a whole and by groups.")
    note = one(NOTE_LIST, _READ, "The note with this id, deleted or not; null where there is none.")
    notes = listing(NOTE_LIST, _READ, "The notes, newest first unless ordered otherwise.")
    notes_aggregate = aggregate(NOTE_LIST, _READ, "What the notes come to, as a whole and by groups.")
