"""Watching signals arrive."""

from collections.abc import AsyncIterator
from typing import Any, Optional

import strawberry

from app.core.live import Entry
from app.identity.permissions import Permission
from app.signals.events import SignalsCreated
from app.signals.queries import SIGNALS, signals_with
from graph.context import Context, Info
from graph.core.filters import filter_type, tree_for
from graph.core.live import Happening, watch
from graph.core.permission import demand
from graph.signals.types import Signal


@strawberry.type(description="A signal that has arrived.")
class SignalReceived:
    cursor: str = strawberry.field(description="Its place in the feed: pass it as `after` to go on from here.")
    signal: Signal = strawberry.field(description="The signal.")


async def _received(info: Info, filter: Any = None, after: str | None = None) -> AsyncIterator[SignalReceived]:
    demand(info.context.principal, Permission.SIGNALS_READ)
    tree = tree_for(info.context.principal, SIGNALS, filter)
    SIGNALS.condition(tree, ("filter",))

    async def signals(context: Context, entry: Entry) -> list[Happening]:
        event = SignalsCreated.model_validate(entry.payload)
        condition = SIGNALS.condition(tree, ("filter",))  # anew: it may speak of the time that has passed since
        rows = await context.reads.rows(signals_with(event.signals).where(condition))
        places = {id_: place for place, id_ in enumerate(event.signals)}
        return sorted(Happening(places[row.id], row) for row in rows)

    async for cursor, row in watch(info, Permission.SIGNALS_READ, {SignalsCreated.name: signals}, after):
        yield SignalReceived(cursor=cursor, signal=row)


_received.__annotations__["filter"] = Optional[filter_type(SIGNALS)]


@strawberry.type
class Subscription:
    signal_received = strawberry.subscription(
        resolver=_received,
        description="Signals as they arrive, from now on or after a cursor: nothing missed, nothing twice. Ends with "
        "CURSOR_EXPIRED where the cursor is too old. Requires SIGNALS_READ.",
    )
