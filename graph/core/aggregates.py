"""Aggregates over a list, with types made from what the room declares filterable: numbers are summed, times have a
first and a last, what rows can have in common is counted and grouped by. Nothing is computed that is not selected."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import strawberry
from strawberry.utils.str_converters import to_camel_case

from app.core import aggregates
from app.core.aggregates import Measure, Part
from app.core.db import Row
from app.core.lists import Listing
from app.core.paging import Window
from app.identity.permissions import Permission
from graph.context import Info
from graph.core.aggregate_types import aggregate_type, group_by_type
from graph.core.filters import filter_type, tree_for
from graph.core.permission import Requires
from graph.core.selection import Way, selected


def aggregate(listed: Listing, permission: Permission, description: str) -> Any:
    """A root field with what the rows of the list come to, as a whole and by groups."""
    filterable = listed.filterable
    measures: dict[Way, Measure] = {
        (to_camel_case(one.function), to_camel_case(one.column)): one for one in aggregates.measures(filterable)
    }

    async def resolve(info: Info, filter: Any = None, group_by: Any = None, first: int | None = None) -> Any:
        tree, most = tree_for(info.context.principal, filterable, filter), Window(first).size
        parts = [Part(part.field.value, part.by.value if part.by else None) for part in group_by or ()]
        aggregates.refuse_unclear(listed, parts)
        ways, reads = selected(info), info.context.reads
        totals, groups = None, []
        wanted = _wanted(ways, measures)
        if wanted or ("count",) in ways:
            totals = await reads.row(aggregates.totals(listed, tree, wanted))
        if parts and ways & _OF_GROUPS:
            wanted = _wanted({way[1:] for way in ways if way[0] == "groups"}, measures)
            groups = await reads.rows(aggregates.groups(listed, tree, wanted, parts, most + 1))
        return Aggregated(totals, groups[:most], len(groups) > most)

    resolve.__annotations__["filter"] = Optional[filter_type(filterable)]
    resolve.__annotations__["group_by"] = Optional[list[group_by_type(listed)]]  # type: ignore[misc]
    resolve.__annotations__["return"] = aggregate_type(listed)
    return strawberry.field(resolver=resolve, description=description, extensions=[Requires(permission)])


_OF_GROUPS: set[Way] = {("groups",), ("hasMoreGroups",)}


def _wanted(ways: set[Way], measures: Mapping[Way, Measure]) -> list[Measure]:
    return [measure for way, measure in measures.items() if way in ways]


class Aggregated:
    """The groups, and the row of the totals, whose values are read from this as from the row."""

    __slots__ = ("_totals", "groups", "has_more_groups")

    def __init__(self, totals: Row | None, groups: Sequence[Row], has_more_groups: bool) -> None:
        self._totals: Any = totals
        self.groups = groups
        self.has_more_groups = has_more_groups

    def __getitem__(self, name: str) -> Any:
        return self._totals[name]
