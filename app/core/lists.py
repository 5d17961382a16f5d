"""Lists: what a list of one entity holds, what it can be filtered and sorted by, and its usual order.

Lists, saved views and exports are all readings of one of these."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.db import AnySelect
from app.core.filters import Filterable, Question, Relation, Tree
from app.core.paging import Order, Related, Sort

Sorts = Mapping[str, InstrumentedAttribute[Any] | Related]


@dataclass(slots=True, eq=False, repr=False)
class Listing:
    """A list of an entity with an id. Rows with a value in `hidden` are left out unless a filter speaks of it."""

    filterable: Filterable
    sorts: Sorts
    hidden: InstrumentedAttribute[Any] | None = None

    @property
    def model(self) -> Any:
        return self.filterable.model

    @property
    def newest(self) -> Order:
        """Newest first: ids are made of time."""
        return Order(Sort(self.model.id, descending=True))

    def extend(
        self,
        *,
        relations: Mapping[str, Relation] | None = None,
        questions: Mapping[str, Question] | None = None,
        sorts: Sorts | None = None,
    ) -> None:
        """Adds what a later room knows of an earlier room's records, said while modules load, and once."""
        if self.sorts.keys() & (sorts or {}).keys():
            raise RuntimeError(f"what {self.model.__tablename__} are sorted by is settled")
        self.filterable.extend(relations, questions)
        self.sorts = {**self.sorts, **(sorts or {})}

    def sort(self, name: str, *, descending: bool) -> Sort:
        key = self.sorts[name]
        if isinstance(key, Related):
            return Sort(key.column, descending, key)
        return Sort(key, descending)

    def every(self) -> AnySelect:
        return select(self.model)

    def kept(self, tree: Tree | None = None) -> AnySelect:
        """The rows that are not hidden and for which the tree holds."""
        rows, tree = self.every(), tree or {}
        if self.hidden is not None and self.hidden.key not in tree:
            rows = rows.where(self.hidden.is_(None))
        return rows.where(self.filterable.condition(tree, ("filter",))) if tree else rows
