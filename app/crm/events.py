"""What may happen to CRM records. `changed` names the fields that an update touched."""

import types
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.events import Event
from app.crm.models import DealStage


class RecordEvent(Event, name="record"):
    """Something happened to the record with this id."""

    id: UUID
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordEvents:
    """What may happen to records of one kind."""

    created: type[RecordEvent]
    updated: type[RecordEvent]
    deleted: type[RecordEvent]
    restored: type[RecordEvent]
    destroyed: type[RecordEvent]


def _events(noun: str, spoken: str) -> RecordEvents:
    """The events `noun.created` and so on; `spoken` is how a sentence begins that tells of one."""

    def event(verb: str, sentence: str) -> type[RecordEvent]:
        def describe(members: dict[str, Any]) -> None:
            members |= {"__doc__": f"{spoken} {sentence}", "__module__": __name__}

        name = f"{noun.title()}{verb.title()}"
        made: type[RecordEvent] = types.new_class(name, (RecordEvent,), {"name": f"{noun}.{verb}"}, describe)
        return made

    return RecordEvents(
        event("created", "was added."),
        event("updated", "was changed."),
        event("deleted", "was deleted; it can be restored."),
        event("restored", "that was deleted was restored."),
        event("destroyed", "was destroyed for good."),
    )


COMPANY_EVENTS = _events("company", "A company")
CONTACT_EVENTS = _events("contact", "A contact")
DEAL_EVENTS = _events("deal", "A deal")
ACTIVITY_EVENTS = _events("activity", "An activity")
TASK_EVENTS = _events("task", "A task")
NOTE_EVENTS = _events("note", "A note")
EVENTS_OF_RECORDS = (COMPANY_EVENTS, CONTACT_EVENTS, DEAL_EVENTS, ACTIVITY_EVENTS, TASK_EVENTS, NOTE_EVENTS)


class DealStageChanged(Event, name="deal.stage_changed"):
    """A deal came to another stage."""

    id: UUID
    before: DealStage | None
    stage: DealStage
