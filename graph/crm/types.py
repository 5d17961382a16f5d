"""Company and contact as a client sees them."""

from strawberry import auto

from app.crm.models import Company as CompanyModel
from app.crm.models import Contact as ContactModel
from app.crm.queries import COMPANY_LIST, CONTACT_LIST
from app.identity.permissions import Permission
from app.scoring.models import Score
from app.scoring.queries import scores_of
from app.signals.models import Identity, Signal
from app.signals.queries import IDENTITY_LIST, SIGNAL_LIST
from graph.core.fields import batched, related, relation
from graph.core.node import Node, entity


@entity(CompanyModel, permission=Permission.CRM_READ, fetch=COMPANY_LIST.every)
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
    contacts = related(ContactModel.company_id, CONTACT_LIST, "The people who work there, newest first.")
    signals = related(Signal.company_id, SIGNAL_LIST, "What its people did, newest first.")
    timeline = related(Signal.company_id, SIGNAL_LIST, "What happened around the company, newest first.")
    score = batched(scores_of, Score, "id", "Its score as it stands; null before its first signal.")


@entity(ContactModel, permission=Permission.CRM_READ, fetch=CONTACT_LIST.every)
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
