"""Deals: each step from stage to stage is kept, with when and who."""

from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.core.errors import Code, Refusal
from app.core.work import Work
from app.crm.events import DEAL_EVENTS, DealStageChanged
from app.crm.models import Contact, Deal, DealRole, DealRoleKind, DealStage, DealStageChange
from app.crm.records import DealPatch, DealRecord
from app.crm.verbs import Verbs

PROBABILITY: dict[DealStage, int] = {
    DealStage.ANONYMOUS_USAGE: 1,
    DealStage.IDENTIFIED: 5,
    DealStage.ACTIVATED: 10,
    DealStage.TEAM_ADOPTION: 20,
    DealStage.EXPANSION_SIGNAL: 35,
    DealStage.SALES_CONTACTED: 50,
    DealStage.NEGOTIATION: 75,
    DealStage.CLOSED_WON: 100,
    DealStage.CLOSED_LOST: 0,
}
"""Of each stage, in percent, unless one is said."""


class Deals(Verbs[Deal, DealPatch]):
    """The verbs of deals. A closed deal is certain: its probability is 100 or 0, whatever is said."""

    def beginning(self, work: Work, record: Any) -> dict[str, Any]:
        assert isinstance(record, DealRecord)
        said = super().beginning(work, record)
        stage = said.setdefault("stage", DealStage.IDENTIFIED)
        _settle(work, said, stage, said.get("probability"))
        return said

    def began(self, work: Work, row: Deal) -> None:
        _step(work, row, None, row.stage)

    def changing(self, work: Work, row: Deal, said: dict[str, Any]) -> None:
        stage = said.get("stage", row.stage)
        if "stage" in said or stage.is_closed:
            _settle(work, said, stage, said.get("probability"))
        if "stage" in said:
            _step(work, row, row.stage, stage)


deals = Deals(Deal, DealPatch, DEAL_EVENTS)


async def give_role(work: Work, deal: UUID, contact: UUID, role: DealRoleKind) -> Deal:
    """Says what a person has to do with the deal; each has one part in it."""
    row, part = await _part(work, deal, contact)
    if part is None:
        work.add(DealRole(deal_id=deal, contact_id=contact, role=role))
    else:
        part.role = role
    return _touched(work, row)


async def take_role(work: Work, deal: UUID, contact: UUID) -> Deal:
    """Ends a person's part in the deal; nothing happens where there is none."""
    row, part = await _part(work, deal, contact)
    if part is None:
        return row
    await work.remove(part)
    return _touched(work, row)


async def _part(work: Work, deal: UUID, contact: UUID) -> tuple[Deal, DealRole | None]:
    """The deal, held until the end, and the person's part in it."""
    row = await deals.kept(work, deal, "dealId")
    if await work.find(Contact, contact, lock=False) is None:
        raise Refusal(Code.NOT_FOUND, "no such contact", ("contactId",))
    part = select(DealRole).where(DealRole.deal_id == deal, DealRole.contact_id == contact)
    return row, (await work.run(part)).scalar_one_or_none()


def _touched(work: Work, row: Deal) -> Deal:
    work.emit(DEAL_EVENTS.updated(id=row.id, changed=("roles",)))
    return row


def _settle(work: Work, said: dict[str, Any], stage: DealStage, probability: int | None) -> None:
    """What follows from the stage: how likely it is, and whether and when it was closed."""
    said["probability"] = PROBABILITY[stage] if stage.is_closed or probability is None else probability
    if "stage" in said:
        said["closed_at"] = work.at if stage.is_closed else None


def _step(work: Work, row: Deal, before: DealStage | None, stage: DealStage) -> None:
    work.add(DealStageChange(deal_id=row.id, before=before, stage=stage, user_id=work.member))
    work.emit(DealStageChanged(id=row.id, before=before, stage=stage))
