"""What rows come to, as a whole and by groups, by counting them in memory: in the form in which an answer says it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from strawberry.utils.str_converters import to_camel_case

from app.core.db import Row
from app.core.filters import Kind, kind_of
from app.core.ids import encode_id
from app.core.lists import Listing

Part = Mapping[str, Any]
"""What to group by, as a client says it."""


def columns(listed: Listing, *kinds: Kind) -> list[str]:
    return [name for name, column in listed.filterable.columns.items() if kind_of(column) in kinds and name != "id"]


def shapes(listed: Listing) -> dict[str, tuple[list[str], Callable[[list[Any]], Any]]]:
    """The columns of each function, and the function."""
    shapes: dict[str, tuple[list[str], Callable[[list[Any]], Any]]] = {
        "sum": (columns(listed, Kind.NUMBER), lambda values: sum(values) if values else None),
        "avg": (columns(listed, Kind.NUMBER), lambda values: sum(values) / len(values) if values else None),
        "min": (columns(listed, Kind.NUMBER, Kind.TIME), lambda values: min(values, default=None)),
        "max": (columns(listed, Kind.NUMBER, Kind.TIME), lambda values: max(values, default=None)),
        "countDistinct": (
            columns(listed, Kind.TEXT, Kind.CHOICE, Kind.FLAG, Kind.ID),
            lambda values: len({folded(value) for value in values}),
        ),
    }
    return {name: shape for name, shape in shapes.items() if shape[0]}


def folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def said(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def computed(listed: Listing, rows: Sequence[Row]) -> dict[str, Any]:
    return {"count": len(rows)} | {
        name: {
            to_camel_case(column): said(compute([v for row in rows if (v := row[column]) is not None]))
            for column in of_columns
        }
        for name, (of_columns, compute) in shapes(listed).items()
    }


def common(value: Any, by: str | None) -> Any:
    """What the value has in common with others of its group."""
    if value is None or by is None:
        return folded(value)
    day = value.date()
    return {"DAY": day, "WEEK": day - timedelta(days=day.weekday()), "MONTH": day.replace(day=1)}[by]


def grouped(listed: Listing, rows: Sequence[Row], parts: Sequence[Part]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(common(row[p["field"].lower()], p.get("by")) for p in parts), []).append(row)
    groups = [(shown(parts, key, of), of) for key, of in found.items()]
    groups.sort(key=lambda group: (-len(group[1]), [(value is None, value) for value in group[0]]))
    return [{"key": spelled(listed, parts, key), **computed(listed, of)} for key, of in groups]


def shown(parts: Sequence[Part], key: Sequence[Any], rows: Sequence[Row]) -> list[Any]:
    """The key with each text in the spelling that sorts first."""
    return [
        min(row[part["field"].lower()] for row in rows) if isinstance(value, str) else value
        for part, value in zip(parts, key, strict=True)
    ]


def spelled(listed: Listing, parts: Sequence[Part], key: Sequence[Any]) -> dict[str, Any]:
    """The key as it goes out, with null for what was not grouped by."""
    names = list(listed.filterable.columns)
    told: dict[str, Any] = {to_camel_case(name): None for name in names if name != "id"}
    for part, value in zip(parts, key, strict=True):
        name = part["field"].lower()
        is_id = value is not None and kind_of(listed.filterable.columns[name]) is Kind.ID
        told[to_camel_case(name)] = encode_id(name.removesuffix("_id"), value) if is_id else said(value)
    return told
