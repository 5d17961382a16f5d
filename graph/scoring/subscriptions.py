"""Watching scores change."""

from collections.abc import AsyncIterator
from typing import Any, Optional
from uuid import UUID

import strawberry

from app.core.live import Entry
from app.crm.queries import COMPANIES, COMPANY_LIST
from app.identity.permissions import Permission
from app.scoring.events import ScoreChanged, ScoreMove, TierChanged
from app.scoring.models import Score, Tier
from app.scoring.queries import scores_of
from graph.context import Context, Info
from graph.core.fields import batched, relation
from graph.core.filters import filter_type, tree_for
from graph.core.live import Happening, watch
from graph.core.permission import demand


@strawberry.type(description="A score that became another value or crossed into another tier.")
class ScoreChange:
    cursor: str = strawberry.field(description="Its place in the feed: pass it as `after` to go on from here.")
    before: int | None = strawberry.field(description="The value before; null for a first score.")
    after: int = strawberry.field(description="The value after.")
    tier_before: Tier | None = strawberry.field(description="The tier before; null for a first score.")
    tier: Tier = strawberry.field(description="The tier after.")
    company_key: strawberry.Private[UUID]
    company = relation("company_key", COMPANY_LIST, "The company.")
    score = batched(scores_of, Score, "company_key", "The company's score as it stands, with its factors.")


async def _changes(info: Info, event: type[ScoreMove], filter: Any, after: str | None) -> AsyncIterator[ScoreChange]:
    demand(info.context.principal, Permission.SCORES_READ)
    tree = tree_for(info.context.principal, COMPANIES, filter)
    COMPANIES.condition(tree, ("filter",))

    async def moves(context: Context, entry: Entry) -> list[Happening]:
        move = event.model_validate(entry.payload)
        if tree:
            found = COMPANY_LIST.kept(tree).where(COMPANY_LIST.model.id == move.company)
            if await context.reads.row(found) is None:
                return []
        return [Happening(0, move)]

    async for cursor, move in watch(info, Permission.SCORES_READ, {event.name: moves}, after):
        yield ScoreChange(
            cursor=cursor,
            before=move.before,
            after=move.after,
            tier_before=move.tier_before,
            tier=move.tier,
            company_key=move.company,
        )


async def _score_changed(info: Info, filter: Any = None, after: str | None = None) -> AsyncIterator[ScoreChange]:
    async for change in _changes(info, ScoreChanged, filter, after):
        yield change


async def _tier_changed(info: Info, filter: Any = None, after: str | None = None) -> AsyncIterator[ScoreChange]:
    async for change in _changes(info, TierChanged, filter, after):
        yield change


for _resolver in (_score_changed, _tier_changed):
    _resolver.__annotations__["filter"] = Optional[filter_type(COMPANIES)]


@strawberry.type
class Subscription:
    score_changed = strawberry.subscription(
        resolver=_score_changed,
        description="Scores as they change, of the companies that the filter lets through. Requires SCORES_READ.",
    )
    tier_changed = strawberry.subscription(
        resolver=_tier_changed,
        description="Companies as they cross into another tier. Requires SCORES_READ.",
    )
