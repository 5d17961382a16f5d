"""A job as a client sees it."""

from strawberry import auto

from app.core.jobs import JOB_LIST
from app.core.jobs import Job as JobModel
from app.identity.permissions import Permission
from graph.core.node import Node, entity


@entity(JobModel, permission=Permission.JOBS_READ, fetch=JOB_LIST.every)
class Job(Node):
    type: auto
    status: auto
    attempts: auto
    payload: auto
    error: auto
    run_at: auto
    started_at: auto
    finished_at: auto
    created_at: auto
