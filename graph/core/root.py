"""The root fields that know no entity: `node` and `nodes`."""

from collections import defaultdict
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import func

from app.core.errors import Code, Refusal
from app.core.ids import decode_id
from graph.context import Info
from graph.core.node import KINDS, Kind, Node
from graph.core.permission import Requires

MAX_NODES = 250


@strawberry.type
class NodeQuery:
    @strawberry.field(
        description="The record with this id, of whatever type; null where there is none or you may not see it.",
        extensions=[Requires(None)],
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        found: Node | None = (await fetched(info, [str(id)]))[0]
        return found

    @strawberry.field(
        description=f"The records with these ids (at most {MAX_NODES}), in order; null for each that is not there.",
        extensions=[Requires(None)],
    )
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        if len(ids) > MAX_NODES:
            raise Refusal(Code.TOO_LARGE, f"takes at most {MAX_NODES} ids", ("ids",))
        found: list[Node | None] = await fetched(info, [str(id_) for id_ in ids])
        return found


async def fetched(info: Info, ids: list[str]) -> Any:
    """The records of these ids, of whatever types, in order; null for what is not there or may not be seen."""
    named = [_named(id_, index) for index, id_ in enumerate(ids)]
    keys: dict[Kind, list[UUID]] = defaultdict(list)
    for kind, key in named:
        if kind and kind.permission in info.context.principal.permissions:
            keys[kind].append(key)
    found: dict[tuple[Kind, UUID], Any] = {}
    for kind, wanted in keys.items():
        rows = kind.fetch().where(kind.model.id == func.any(wanted))
        for row in await info.context.reads.rows(rows, kind.row):
            found[kind, row.id] = row
    return [found.get((kind, key)) if kind else None for kind, key in named]


def _named(id_: str, index: int) -> tuple[Kind | None, UUID]:
    try:
        prefix, key = decode_id(id_)
    except ValueError:
        raise Refusal(Code.INVALID, "is not an id", ("ids", index)) from None
    return KINDS.get(prefix), key
