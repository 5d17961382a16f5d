"""Activities: one that is done says when, now unless said."""

from typing import Any

from app.core.work import Work
from app.crm.events import ACTIVITY_EVENTS
from app.crm.models import Activity, ActivityStatus
from app.crm.records import ActivityPatch
from app.crm.verbs import Verbs


class Activities(Verbs[Activity, ActivityPatch]):
    def beginning(self, work: Work, record: Any) -> dict[str, Any]:
        return _dated(work, {"owner_id": work.member} | super().beginning(work, record))

    def changing(self, work: Work, row: Activity, said: dict[str, Any]) -> None:
        _dated(work, said)


def _dated(work: Work, said: dict[str, Any]) -> dict[str, Any]:
    if status := said.get("status"):
        said["done_at"] = (said.get("done_at") or work.at) if status is ActivityStatus.DONE else None
    return said


activities = Activities(Activity, ActivityPatch, ACTIVITY_EVENTS)
