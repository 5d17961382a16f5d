"""Watching records change."""

import dataclasses
from collections.abc import AsyncIterator
from enum import StrEnum

import strawberry
from pydantic.alias_generators import to_camel

from app.core.ids import encode_id
from app.core.live import Entry
from app.crm.events import EVENTS_OF_RECORDS, RecordEvent
from app.identity.permissions import Permission
from graph.context import Context, Info
from graph.core.enums import choice
from graph.core.live import Happening, watch
from graph.core.node import Node
from graph.core.root import fetched

_READ = Permission.CRM_READ


class RecordType(StrEnum):
    """A kind of record."""

    COMPANY = "COMPANY"
    CONTACT = "CONTACT"
    DEAL = "DEAL"
    ACTIVITY = "ACTIVITY"
    TASK = "TASK"
    NOTE = "NOTE"


class RecordAction(StrEnum):
    """What happened to a record."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    RESTORED = "RESTORED"
    DESTROYED = "DESTROYED"


choice(RecordType)
choice(RecordAction)


@strawberry.type(description="Something that happened to a record.")
class RecordChange:
    cursor: str = strawberry.field(description="Its place in the feed: pass it as `after` to go on from here.")
    type: RecordType = strawberry.field(description="What kind of record it is.")
    action: RecordAction = strawberry.field(description="What happened to it.")
    record_id: strawberry.ID = strawberry.field(description="The record's id, also of one that is there no more.")
    changed: list[str] = strawberry.field(description="The fields that an update touched.")

    @strawberry.field(description="The record as it is now; null where it was destroyed.")
    async def record(self, info: Info) -> Node | None:
        found: Node | None = (await fetched(info, [self.record_id]))[0]
        return found


async def _changed(
    info: Info, types: list[RecordType] | None = None, after: str | None = None
) -> AsyncIterator[RecordChange]:
    wanted = {event.name: event for event in _events() if types is None or _type(event) in types}

    async def changes(_: Context, entry: Entry) -> list[Happening]:
        return [Happening(0, wanted[entry.name].model_validate(entry.payload))]

    async for cursor, event in watch(info, _READ, dict.fromkeys(wanted, changes), after):
        noun, verb = event.name.split(".")
        yield RecordChange(
            cursor=cursor,
            type=RecordType(noun.upper()),
            action=RecordAction(verb.upper()),
            record_id=strawberry.ID(encode_id(noun, event.id)),
            changed=[to_camel(name) for name in event.changed],
        )


def _events() -> list[type[RecordEvent]]:
    return [getattr(events, field.name) for events in EVENTS_OF_RECORDS for field in dataclasses.fields(events)]


def _type(event: type[RecordEvent]) -> RecordType:
    return RecordType(event.name.split(".")[0].upper())


@strawberry.type
class Subscription:
    record_changed = strawberry.subscription(
        resolver=_changed,
        description="Records as they are added, changed, deleted, restored or destroyed, from now on or after a "
        "cursor: nothing missed, nothing twice. Requires CRM_READ.",
    )
