"""Subscriptions: events of the live stream become what a client watches, each with a cursor to resume by."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from app.core.errors import Code, Refusal
from app.core.live import Entry
from app.core.outbox import OutboxHead
from app.identity.permissions import Permission
from graph.context import Context, Info
from graph.core.permission import demand

_CURSOR = re.compile(r"[0-9]{1,19}(?:\.[0-9]{1,9})?\Z")


@dataclass(frozen=True, slots=True, order=True)
class Happening:
    """One thing to tell of an event; `place` is its place among those of the same event."""

    place: int
    value: Any = field(compare=False)


Tell = Callable[[Context, Entry], Awaitable[list[Happening]]]


async def watch(
    info: Info, permission: Permission, tells: Mapping[str, Tell], after: str | None
) -> AsyncIterator[tuple[str, Any]]:
    """What the named events tell, with cursors, from `after` (or the header Last-Event-ID) on, or from now on.

    Whether the asker still may is asked again with each batch; no connection is held between two of them."""
    context = info.context
    demand(context.principal, permission)
    seq, place = _position(after or context.last_event_id)
    start = await _now(context) if seq is None else seq - (1 if place is not None else 0)
    await context.reads.close()
    async for entries in context.live.read(context.principal.tenant, start):
        await context.ask_again()
        demand(context.principal, permission)
        for entry in entries:
            tell = tells.get(entry.name)
            if tell is None:
                continue
            happenings = await tell(context, entry)
            await context.refresh()
            for happening in happenings:
                if entry.seq == seq and place is not None and happening.place <= place:
                    continue
                last = happening is happenings[-1]
                context.cursor = str(entry.seq) if last else f"{entry.seq}.{happening.place}"
                yield context.cursor, happening.value


async def _now(context: Context) -> int:
    """The number of the newest event. It is asked of the database: a stream that was lost begins with old ones."""
    return await context.reads.value(select(OutboxHead.last_seq)) or 0


def _position(cursor: str | None) -> tuple[int | None, int | None]:
    """The number of the event and the place in it that a cursor names."""
    if cursor is None:
        return None, None
    head, dot, tail = cursor.partition(".")
    if not _CURSOR.match(cursor):
        raise Refusal(Code.CURSOR_INVALID, "is not a cursor of this feed", ("after",))
    return int(head), int(tail) if dot else None
