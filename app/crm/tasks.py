"""Tasks: one that is done says when."""

from typing import Any

from app.core.work import Work
from app.crm.events import TASK_EVENTS
from app.crm.models import Task, TaskStatus
from app.crm.records import TaskPatch
from app.crm.verbs import Verbs


class Tasks(Verbs[Task, TaskPatch]):
    def beginning(self, work: Work, record: Any) -> dict[str, Any]:
        return _dated(work, super().beginning(work, record))

    def changing(self, work: Work, row: Task, said: dict[str, Any]) -> None:
        _dated(work, said)


def _dated(work: Work, said: dict[str, Any]) -> dict[str, Any]:
    if status := said.get("status"):
        said["done_at"] = work.at if status is TaskStatus.DONE else None
    return said


tasks = Tasks(Task, TaskPatch, TASK_EVENTS)
