"""Changing CRM records."""

from typing import Any
from uuid import UUID

import strawberry
from strawberry.tools import merge_types

from app.crm import models
from app.crm.activities import activities
from app.crm.companies import companies
from app.crm.contacts import contacts
from app.crm.deals import deals, give_role, take_role
from app.crm.notes import notes
from app.crm.records import (
    ActivityPatch,
    ActivityRecord,
    CompanyPatch,
    CompanyRecord,
    ContactPatch,
    ContactRecord,
    DealPatch,
    DealRecord,
    NotePatch,
    NoteRecord,
    TaskPatch,
    TaskRecord,
)
from app.crm.tasks import tasks
from app.identity.models import User
from app.identity.permissions import Permission
from graph.context import Info
from graph.core.enums import choice
from graph.core.inputs import RecordInput, expected_version, says
from graph.core.mutation import Payload, mutation
from graph.core.node import as_node, key_of
from graph.crm.types import Activity, Company, Contact, Deal, Note, Task
from graph.crm.verbs import record_mutations

_ABOUT: dict[str, Any] = {"company_id": models.Company, "contact_id": models.Contact, "deal_id": models.Deal}
choice(models.DealRoleKind)


@says(CompanyRecord)
class CompanyCreateInput(RecordInput[CompanyRecord]):
    """A company to add. An upsert finds the company by its domain."""


@says(CompanyPatch)
class CompanyUpdateInput(RecordInput[CompanyPatch]):
    """What to change of a company: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The company to change.")
    expected_version: int | None = expected_version()


@says(ContactRecord, company_id=models.Company)
class ContactCreateInput(RecordInput[ContactRecord]):
    """A contact to add. An upsert finds the contact by its e-mail address."""


@says(ContactPatch, company_id=models.Company)
class ContactUpdateInput(RecordInput[ContactPatch]):
    """What to change of a contact: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The contact to change.")
    expected_version: int | None = expected_version()


@says(DealRecord, company_id=models.Company, owner_id=User)
class DealCreateInput(RecordInput[DealRecord]):
    """A deal to add."""


@says(DealPatch, company_id=models.Company, owner_id=User)
class DealUpdateInput(RecordInput[DealPatch]):
    """What to change of a deal: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The deal to change.")
    expected_version: int | None = expected_version()


@says(ActivityRecord, **_ABOUT, owner_id=User)
class ActivityCreateInput(RecordInput[ActivityRecord]):
    """An activity to add."""


@says(ActivityPatch, **_ABOUT, owner_id=User)
class ActivityUpdateInput(RecordInput[ActivityPatch]):
    """What to change of an activity: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The activity to change.")
    expected_version: int | None = expected_version()


@says(TaskRecord, **_ABOUT, assignee_id=User)
class TaskCreateInput(RecordInput[TaskRecord]):
    """A task to add."""


@says(TaskPatch, **_ABOUT, assignee_id=User)
class TaskUpdateInput(RecordInput[TaskPatch]):
    """What to change of a task: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The task to change.")
    expected_version: int | None = expected_version()


@says(NoteRecord, **_ABOUT)
class NoteCreateInput(RecordInput[NoteRecord]):
    """A note to add."""


@says(NotePatch, **_ABOUT)
class NoteUpdateInput(RecordInput[NotePatch]):
    """What to change of a note: a field left out stays, null clears."""

    id: strawberry.ID = strawberry.field(description="The note to change.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A person's part in a deal.")
class DealRoleInput:
    deal_id: strawberry.ID = strawberry.field(description="The deal.")
    contact_id: strawberry.ID = strawberry.field(description="The person.")
    role: models.DealRoleKind = strawberry.field(description="What the person has to do with the deal.")


@strawberry.input(description="A person and a deal.")
class DealRoleIdInput:
    deal_id: strawberry.ID = strawberry.field(description="The deal.")
    contact_id: strawberry.ID = strawberry.field(description="The person.")


@strawberry.type(description="The deal as a mutation of its people left it.")
class DealRolePayload(Payload):
    deal: Deal | None = strawberry.field(default=None, description="The deal; null when refused.")


@strawberry.type
class DealRoleMutations:
    @mutation(DealRolePayload, Permission.CRM_WRITE, "Says what a person has to do with a deal; each has one part.")
    async def deal_role_set(self, info: Info, input: DealRoleInput) -> DealRolePayload:
        row = await give_role(info.context.work, *_deal_and_contact(input), input.role)
        return DealRolePayload(deal=as_node(row))

    @mutation(DealRolePayload, Permission.CRM_WRITE, "Ends a person's part in a deal.")
    async def deal_role_remove(self, info: Info, input: DealRoleIdInput) -> DealRolePayload:
        return DealRolePayload(deal=as_node(await take_role(info.context.work, *_deal_and_contact(input))))


def _deal_and_contact(input: DealRoleInput | DealRoleIdInput) -> tuple[UUID, UUID]:
    return key_of(models.Deal, input.deal_id, "dealId"), key_of(models.Contact, input.contact_id, "contactId")


Mutation = merge_types(
    "CrmMutation",
    (
        record_mutations(companies, Company, CompanyCreateInput, CompanyUpdateInput),
        record_mutations(contacts, Contact, ContactCreateInput, ContactUpdateInput),
        record_mutations(deals, Deal, DealCreateInput, DealUpdateInput),
        record_mutations(activities, Activity, ActivityCreateInput, ActivityUpdateInput),
        record_mutations(tasks, Task, TaskCreateInput, TaskUpdateInput),
        record_mutations(notes, Note, NoteCreateInput, NoteUpdateInput),
        DealRoleMutations,
    ),
)
