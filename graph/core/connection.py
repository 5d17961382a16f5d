"""Connections: Relay lists over keyset pages."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import strawberry

from app.core import paging
from app.core.db import AnySelect
from app.core.paging import Page
from graph.context import Info

T = TypeVar("T")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether some precede; known when paging by cursor.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row of the page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row of the page.")


@strawberry.type(description="A row of a list and its place.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="The row's place: pass it as `after` or `before`.")
    node: T = strawberry.field(description="The row.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The rows with their cursors.")
    nodes: list[T] = strawberry.field(description="The rows alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")

    @strawberry.field(
        description="How many rows the whole list has. Counted only when asked for, at a cost that grows with them; "
        "null where it is not known."
    )
    async def total_count(self, info: Info) -> int | None:
        counted: AnySelect = self.counted()  # type: ignore[attr-defined]
        return await paging.total(info.context.reads, counted)


class PageOfRows:
    """A page as the resolvers of a Connection read it. Edges, and the statement to count by, are made when they are
    asked for."""

    __slots__ = ("_page", "counted")

    def __init__(self, page: Page, counted: Callable[[], AnySelect]) -> None:
        self._page = page
        self.counted = counted

    @property
    def nodes(self) -> Sequence[Any]:
        return self._page.rows

    @property
    def edges(self) -> list[Any]:
        return [RowEdge(self._page.cursor(row), row) for row in self._page.rows]

    @property
    def page_info(self) -> PageInfo:
        rows, cursor = self._page.rows, self._page.cursor
        return PageInfo(
            has_next_page=self._page.has_next,
            has_previous_page=self._page.has_previous,
            start_cursor=cursor(rows[0]) if rows else None,
            end_cursor=cursor(rows[-1]) if rows else None,
        )


class RowEdge:
    __slots__ = ("cursor", "node")

    def __init__(self, cursor: str, node: Any) -> None:
        self.cursor = cursor
        self.node = node
