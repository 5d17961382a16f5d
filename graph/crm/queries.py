"""Asking for companies and contacts."""

import strawberry

from app.crm.queries import COMPANY_LIST, CONTACT_LIST
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
