"""Events: what happened, in the past tense; the one way in which a lower room speaks to a higher one."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

_registry: dict[str, type["Event"]] = {}


class Event(BaseModel):
    """A fact that was committed. A subclass gives its public name: `class Won(Event, name="deal.won")`."""

    model_config = ConfigDict(frozen=True)

    name: ClassVar[str]

    def __init_subclass__(cls, *, name: str, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.name = name
        if name in _registry:
            raise TypeError(f"two events are named {name}")
        _registry[name] = cls


def event_named(name: str) -> type[Event]:
    """The class of the event with this public name; `KeyError` where no room has declared it."""
    return _registry[name]
