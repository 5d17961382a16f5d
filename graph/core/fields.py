"""Fields that need more than their row, each declared once as a function from parents to results.

A list field is a select and a page; a relation is answered for all parents of a level in one statement."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Optional
from uuid import UUID

import orjson
import strawberry
from sqlalchemy import Uuid, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute

from app.core import paging
from app.core.db import AnySelect
from app.core.lists import Listing
from app.core.paging import Order, Window
from app.core.work import Reads
from app.identity.permissions import Permission
from graph.context import Info
from graph.core.connection import Connection, PageOfRows
from graph.core.filters import filter_type, order_of, order_type, tree_for
from graph.core.names import Named
from graph.core.node import SEEN_WITH, key_of
from graph.core.permission import Requires, demand


def listing(listed: Listing, permission: Permission, description: str) -> Any:
    """A root field with a page of the list."""

    async def resolve(
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: Any = None,
        order_by: Any = None,
    ) -> Any:
        principal, window = info.context.principal, Window(first, after, last, before)
        statement = listed.kept(tree_for(principal, listed.filterable, filter))
        order = order_of(principal, listed, order_by)
        page = await paging.page(info.context.reads, statement, order, window)
        return PageOfRows(page, lambda: statement)

    return _connection(listed, resolve, description, extensions=[Requires(permission)])


def one(listed: Listing, permission: Permission, description: str) -> Any:
    """A root field with the record of an id."""

    async def resolve(info: Info, id: strawberry.ID) -> Any:
        key = key_of(listed.model, id)
        return await info.context.reads.row(listed.every().where(listed.model.id == key))

    resolve.__annotations__["return"] = Optional[Named(listed.model.__name__)]
    return strawberry.field(resolver=resolve, description=description, extensions=[Requires(permission)])


def relation(key: str, listed: Listing, description: str) -> Any:
    """The one record whose key the row holds under this name; null where it is deleted."""

    async def load(reads: Reads, keys: Sequence[UUID]) -> Mapping[UUID, Any]:
        rows = listed.kept().where(listed.model.id == func.any(_uuids(keys)))
        return {row.id: row for row in await reads.rows(rows)}

    return batched(load, listed.model, key, description)


def batched(
    load: Callable[[Reads, Sequence[UUID]], Awaitable[Mapping[UUID, Any]]],
    model: Any,
    key: str,
    description: str,
) -> Any:
    """A value of the model's type, found by a key of the row: `load` answers for all rows of a level at once.

    It is shown to those who may see that type, wherever it stands."""
    name = model.__name__

    def resolve(root: Any, info: Info) -> Any:
        value = getattr(root, key)
        if value is None:
            return None
        demand(info.context.principal, SEEN_WITH[model])
        reads = info.context.reads

        async def load_all(keys: list[UUID]) -> Sequence[Any]:
            found = await load(reads, keys)
            return [found.get(one) for one in keys]

        return info.context.loader((name, load), load_all).load(value)

    resolve.__annotations__["return"] = Optional[Named(name)]
    return strawberry.field(resolver=resolve, description=description)


def related(column: InstrumentedAttribute[Any], listed: Listing, description: str) -> Any:
    """A page, per row, of the records whose column points at it. One statement serves all rows of a level."""

    async def resolve(
        root: Any,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        filter: Any = None,
        order_by: Any = None,
    ) -> Any:
        principal = info.context.principal
        demand(principal, SEEN_WITH[listed.model])
        window, tree = Window(first, after, last, before), tree_for(principal, listed.filterable, filter)
        order = order_of(principal, listed, order_by)
        reads = info.context.reads

        async def load_all(keys: list[UUID]) -> Sequence[Any]:
            return await _pages(reads, keys, column, listed.kept(tree), order, window)

        key = (column, window, orjson.dumps(tree, default=str), order.mark)
        page = await info.context.loader(key, load_all).load(root.id)
        return PageOfRows(page, lambda: listed.kept(tree).where(column == root.id))

    return _connection(listed, resolve, description, extensions=[])


async def _pages(
    reads: Reads,
    keys: Sequence[UUID],
    column: InstrumentedAttribute[Any],
    statement: AnySelect,
    order: Order,
    window: Window,
) -> list[paging.Page]:
    parent = func.unnest(_uuids(keys)).table_valued("id", name="parent").render_derived(name="parent")
    one = order.page_select(statement.where(column == parent.c.id), window, standing_alone=False)
    rows = one.lateral("row")
    found: dict[UUID, list[Any]] = {key: [] for key in keys}
    for row in await reads.rows(select(parent.c.id.label("_parent"), *rows.c).join_from(parent, rows, true())):
        found[row["_parent"]].append(row)
    return [order.page_of(found[key], window) for key in keys]


def _uuids(keys: Sequence[UUID]) -> Any:
    return bindparam("keys", list(keys), ARRAY(Uuid), unique=True)


def _connection(listed: Listing, resolve: Any, description: str, *, extensions: list[Any]) -> Any:
    resolve.__annotations__["filter"] = Optional[filter_type(listed.filterable)]
    resolve.__annotations__["order_by"] = Optional[list[order_type(listed)]]  # type: ignore[misc]
    resolve.__annotations__["return"] = Connection[Named(listed.model.__name__)]  # type: ignore[misc]
    return strawberry.field(resolver=resolve, description=description, extensions=extensions)
