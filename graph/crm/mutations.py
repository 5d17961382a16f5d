"""Changing companies and contacts."""

import strawberry

from app.crm.companies import companies
from app.crm.contacts import contacts
from app.crm.models import Company as CompanyModel
from app.crm.models import Contact as ContactModel
from app.crm.records import CompanyPatch, CompanyRecord, ContactPatch, ContactRecord
from app.identity.permissions import Permission
from graph.context import Info
from graph.core.inputs import RecordInput, expected_version, says
from graph.core.mutation import Payload, mutation
from graph.core.node import as_node, key_of
from graph.crm.types import Company, Contact

_WRITE = Permission.CRM_WRITE


@says(CompanyRecord)
class CompanyCreateInput(RecordInput[CompanyRecord]):
    """A company to add. An upsert finds the company by its domain."""


@says(CompanyPatch)
class CompanyUpdateInput(RecordInput[CompanyPatch]):
    """What to change of a company: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The company to change.")
    expected_version: int | None = expected_version()


@says(ContactRecord, company_id=CompanyModel)
class ContactCreateInput(RecordInput[ContactRecord]):
    """A contact to add. An upsert finds the contact by its e-mail address."""


@says(ContactPatch, company_id=CompanyModel)
class ContactUpdateInput(RecordInput[ContactPatch]):
    """What to change of a contact: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The contact to change.")
    expected_version: int | None = expected_version()


@strawberry.input(description="The record that is meant.")
class RecordIdInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="A company as a mutation left it.")
class CompanyPayload(Payload):
    company: Company | None = strawberry.field(default=None, description="The company; null when refused.")
    created: bool = strawberry.field(default=False, description="Whether an upsert added it.")


@strawberry.type(description="A contact as a mutation left it.")
class ContactPayload(Payload):
    contact: Contact | None = strawberry.field(default=None, description="The contact; null when refused.")
    created: bool = strawberry.field(default=False, description="Whether an upsert added it.")


@strawberry.type
class Mutation:
    @mutation(CompanyPayload, _WRITE, "Adds a company.")
    async def company_create(self, info: Info, input: CompanyCreateInput) -> CompanyPayload:
        row = await companies.create(info.context.work, input.record())
        return CompanyPayload(company=as_node(row), created=True)

    @mutation(CompanyPayload, _WRITE, "Changes a company.")
    async def company_update(self, info: Info, input: CompanyUpdateInput) -> CompanyPayload:
        id_ = key_of(CompanyModel, input.id)
        changed = await companies.update(info.context.work, id_, input.record(), input.expected)
        return CompanyPayload(company=as_node(changed))

    @mutation(CompanyPayload, _WRITE, "Changes the company with this domain, or adds it.")
    async def company_upsert(self, info: Info, input: CompanyCreateInput) -> CompanyPayload:
        row, created = await companies.upsert(info.context.work, input.record())
        return CompanyPayload(company=as_node(row), created=created)

    @mutation(CompanyPayload, _WRITE, "Deletes a company; it can be restored.")
    async def company_delete(self, info: Info, input: RecordIdInput) -> CompanyPayload:
        id_ = key_of(CompanyModel, input.id)
        return CompanyPayload(company=as_node(await companies.delete(info.context.work, id_)))

    @mutation(CompanyPayload, _WRITE, "Restores a deleted company.")
    async def company_restore(self, info: Info, input: RecordIdInput) -> CompanyPayload:
        id_ = key_of(CompanyModel, input.id)
        return CompanyPayload(company=as_node(await companies.restore(info.context.work, id_)))

    @mutation(ContactPayload, _WRITE, "Adds a contact.")
    async def contact_create(self, info: Info, input: ContactCreateInput) -> ContactPayload:
        row = await contacts.create(info.context.work, input.record())
        return ContactPayload(contact=as_node(row), created=True)

    @mutation(ContactPayload, _WRITE, "Changes a contact.")
    async def contact_update(self, info: Info, input: ContactUpdateInput) -> ContactPayload:
        id_ = key_of(ContactModel, input.id)
        changed = await contacts.update(info.context.work, id_, input.record(), input.expected)
        return ContactPayload(contact=as_node(changed))

    @mutation(ContactPayload, _WRITE, "Changes the contact with this e-mail address, or adds it.")
    async def contact_upsert(self, info: Info, input: ContactCreateInput) -> ContactPayload:
        row, created = await contacts.upsert(info.context.work, input.record())
        return ContactPayload(contact=as_node(row), created=created)

    @mutation(ContactPayload, _WRITE, "Deletes a contact; it can be restored.")
    async def contact_delete(self, info: Info, input: RecordIdInput) -> ContactPayload:
        id_ = key_of(ContactModel, input.id)
        return ContactPayload(contact=as_node(await contacts.delete(info.context.work, id_)))

    @mutation(ContactPayload, _WRITE, "Restores a deleted contact.")
    async def contact_restore(self, info: Info, input: RecordIdInput) -> ContactPayload:
        id_ = key_of(ContactModel, input.id)
        return ContactPayload(contact=as_node(await contacts.restore(info.context.work, id_)))
