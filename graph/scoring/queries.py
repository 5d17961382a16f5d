"""Asking for the companies that are most ready."""

from typing import Any

import strawberry

from app.core.errors import Code, Refusal
from app.core.paging import MAX_PAGE
from app.identity.permissions import Permission
from app.scoring.queries import top_companies
from graph.context import Info
from graph.core.names import Named
from graph.core.permission import Requires


async def _top(info: Info, first: int = 10) -> Any:
    if not 1 <= first <= MAX_PAGE:
        raise Refusal(Code.INVALID, f"must be from 1 to {MAX_PAGE}", ("first",))
    return await info.context.reads.rows(top_companies(first))


_top.__annotations__["return"] = list[Named("Company")]  # type: ignore[misc]


@strawberry.type
class Query:
    top_companies = strawberry.field(
        resolver=_top,
        description="The companies with the highest scores, highest first; 1 to 250.",
        extensions=[Requires(Permission.SCORES_READ)],
    )
