"""Changing companies and contacts."""

import strawberry
from strawberry.tools import merge_types

from app.crm.companies import companies
from app.crm.contacts import contacts
from app.crm.models import Company as CompanyModel
from app.crm.records import CompanyPatch, CompanyRecord, ContactPatch, ContactRecord
from graph.core.inputs import RecordInput, says
from graph.crm.types import Company, Contact
from graph.crm.verbs import record_mutations


@says(CompanyRecord)
class CompanyCreateInput(RecordInput[CompanyRecord]):
    """A company to add. An upsert finds the company by its domain."""


@says(CompanyPatch)
class CompanyUpdateInput(RecordInput[CompanyPatch]):
    """What to change of a company: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The company to change.")


@says(ContactRecord, company_id=CompanyModel)
class ContactCreateInput(RecordInput[ContactRecord]):
    """A contact to add. An upsert finds the contact by its e-mail address."""


@says(ContactPatch, company_id=CompanyModel)
class ContactUpdateInput(RecordInput[ContactPatch]):
    """What to change of a contact: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The contact to change.")


Mutation = merge_types(
    "CrmMutation",
    (
        record_mutations(companies, Company, CompanyCreateInput, CompanyUpdateInput),
        record_mutations(contacts, Contact, ContactCreateInput, ContactUpdateInput),
    ),
)
