"""Notes: whoever writes one is its author."""

from typing import Any

from app.core.work import Work
from app.crm.events import NOTE_EVENTS
from app.crm.models import Note
from app.crm.records import NotePatch
from app.crm.verbs import Verbs


class Notes(Verbs[Note, NotePatch]):
    def beginning(self, work: Work, record: Any) -> dict[str, Any]:
        return super().beginning(work, record) | {"author_id": work.member}


notes = Notes(Note, NotePatch, NOTE_EVENTS)
