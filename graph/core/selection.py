"""What an operation selects below a field, for fields that compute no more than is asked for."""

from collections.abc import Iterator, Sequence

from strawberry.types.nodes import SelectedField, Selection

from graph.context import Info

Way = tuple[str, ...]


def selected(info: Info) -> set[Way]:
    """The fields below the one that is resolved, each by the names that lead to it."""
    return {way for field in info.selected_fields for way in _ways(field.selections)}


def _ways(selections: Sequence[Selection]) -> Iterator[Way]:
    for one in selections:
        if one.directives.get("skip", {"if": False})["if"] or not one.directives.get("include", {"if": True})["if"]:
            continue
        if isinstance(one, SelectedField):
            yield (one.name,)
            yield from ((one.name, *way) for way in _ways(one.selections))
        else:
            yield from _ways(one.selections)
