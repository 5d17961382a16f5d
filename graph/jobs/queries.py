"""Asking for background work."""

import strawberry

from app.core.jobs import JOB_LIST
from app.identity.permissions import Permission
from graph.core.fields import listing


@strawberry.type
class Query:
    jobs = listing(
        JOB_LIST,
        Permission.JOBS_READ,
        "The organization's background work and the installation's own, newest first.",
    )
