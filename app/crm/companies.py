"""Companies: an upsert finds one by its domain."""

from app.crm.events import CompanyCreated, CompanyDeleted, CompanyRestored, CompanyUpdated
from app.crm.models import Company
from app.crm.records import CompanyPatch
from app.crm.verbs import Verbs

companies = Verbs(Company, CompanyPatch, "domain", CompanyCreated, CompanyUpdated, CompanyDeleted, CompanyRestored)
