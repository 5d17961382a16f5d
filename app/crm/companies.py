"""Companies: an upsert finds one by its domain."""

from app.crm.events import COMPANY_EVENTS
from app.crm.models import Company
from app.crm.records import CompanyPatch
from app.crm.verbs import Verbs

companies = Verbs(Company, CompanyPatch, COMPANY_EVENTS, "domain")
