"""Sending signals."""

from typing import Any

import strawberry

from app.core.batches import ErrorPolicy, refuse_size
from app.core.errors import Refusal
from app.crm.models import Company, Contact
from app.crm.queries import COMPANY_LIST, CONTACT_LIST
from app.identity.permissions import Permission
from app.signals.batches import Row, accept, read_row
from app.signals.models import Rule
from app.signals.queries import SIGNAL_LIST
from app.signals.records import SignalRecord
from graph.context import Info
from graph.core.enums import choice
from graph.core.fields import relation
from graph.core.inputs import RecordInput, says
from graph.core.mutation import Payload, UserError, mutation, user_error
from graph.core.node import as_node

choice(ErrorPolicy)


@says(SignalRecord, company_id=Company, contact_id=Contact)
class SignalInput(RecordInput[SignalRecord]):
    """Something an actor did. Who acted may be said in several ways; the surest is believed."""

    def row(self) -> Row:
        """The observation it makes, or what is wrong with it."""
        try:
            return read_row(self.values())
        except Refusal as refusal:
            return refusal.problems


def _problems(root: Any) -> list[UserError]:
    return [user_error(problem) for problem in root.problems]


@strawberry.type(description="What became of one signal that was sent.")
class SignalReceipt:
    duplicate: bool = strawberry.field(description="Whether the event had been sent before; it is stored once.")
    contact_rule: Rule | None = strawberry.field(description="Why it was linked to the contact.")
    company_rule: Rule | None = strawberry.field(description="Why it was linked to the company.")
    new_contact: bool = strawberry.field(description="Whether the contact was added because of it.")
    new_company: bool = strawberry.field(description="Whether the company was added because of it.")
    user_errors: list[UserError] = strawberry.field(
        resolver=_problems, description="What is wrong with the row; empty when it was taken."
    )
    signal = relation("signal", SIGNAL_LIST, "The signal; for a duplicate, the one stored the first time.")
    contact = relation("contact", CONTACT_LIST, "The contact it was matched to.")
    company = relation("company", COMPANY_LIST, "The company it was matched to.")


@strawberry.type(description="What became of one signal, as a mutation's answer.")
class SignalIngestPayload(Payload):
    receipt: SignalReceipt | None = strawberry.field(default=None, description="What it became; null when refused.")


@strawberry.type(description="What became of a batch of signals.")
class SignalsIngestPayload(Payload):
    receipts: list[SignalReceipt] = strawberry.field(
        default_factory=list, description="One per row, in order; empty when the batch was refused."
    )


@strawberry.type
class Mutation:
    @mutation(SignalIngestPayload, Permission.SIGNALS_WRITE, "Stores a signal.")
    async def signal_ingest(self, info: Info, input: SignalInput) -> SignalIngestPayload:
        receipts = await accept(info.context.work, [input.row()], ErrorPolicy.REJECT_FAILED_ROWS)
        errors = [user_error(problem) for problem in receipts[0].problems]
        return SignalIngestPayload(receipt=None if errors else as_node(receipts[0]), user_errors=errors)

    @mutation(SignalsIngestPayload, Permission.SIGNALS_WRITE, "Stores a batch of 1 to 1,000 signals.")
    async def signals_ingest(
        self, info: Info, inputs: list[SignalInput], error_policy: ErrorPolicy = ErrorPolicy.REJECT_ALL
    ) -> SignalsIngestPayload:
        refuse_size(len(inputs))
        rows = [one.row() for one in inputs]
        receipts = await accept(info.context.work, rows, error_policy)
        return SignalsIngestPayload(receipts=as_node(receipts))
