"""Running background work again."""

import strawberry

from app.core import jobs
from app.core.jobs import Job as JobModel
from app.identity.permissions import Permission
from graph.context import Info
from graph.core.mutation import Payload, mutation
from graph.core.node import as_node, key_of
from graph.jobs.types import Job


@strawberry.input(description="The job to run again.")
class JobReplayInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="A job as a mutation left it.")
class JobPayload(Payload):
    job: Job | None = strawberry.field(default=None, description="The job; null when refused.")


@strawberry.type
class Mutation:
    @mutation(JobPayload, Permission.JOBS_MANAGE, "Queues a dead or failed job again, with fresh attempts.")
    async def job_replay(self, info: Info, input: JobReplayInput) -> JobPayload:
        return JobPayload(job=as_node(await jobs.replay(info.context.work, key_of(JobModel, input.id))))
