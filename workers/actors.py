"""What is done when something happens, or when its time comes. Rooms declare it; the relay and the schedule read it.

An actor is given an open Work. What it writes, and that its job is done, commit together: its effect happens once
however often the job is delivered."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from app.core.events import Event
from app.core.work import Work

E = TypeVar("E", bound=Event)
Effect = Callable[[Work, Sequence[Any]], Awaitable[None]]
Chore = Callable[[Work], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Actor:
    """Does `effect` for events of one name. `together`: one job for all such events that are relayed at once."""

    type: str
    event: str
    together: bool
    effect: Effect


@dataclass(frozen=True, slots=True)
class Schedule:
    """Does `chore` for the installation at the times of a cron expression (UTC)."""

    type: str
    cron: str
    chore: Chore


ACTORS: dict[str, Actor] = {}
SCHEDULES: dict[str, Schedule] = {}
CHORES: dict[str, Chore] = {}


def on(
    event: type[E], type_: str, *, together: bool = False
) -> Callable[[Callable[[Work, Sequence[E]], Awaitable[None]]], Effect]:
    """Declares the job `type_` for each event, or for all that come together."""

    def declare(effect: Callable[[Work, Sequence[E]], Awaitable[None]]) -> Effect:
        ACTORS[type_] = Actor(type_, event.name, together, effect)
        return effect

    return declare


def every(cron: str, type_: str) -> Callable[[Chore], Chore]:
    """Declares the job `type_` for the times of the cron expression."""

    def declare(chore: Chore) -> Chore:
        SCHEDULES[type_] = Schedule(type_, cron, chore)
        return chore

    return declare


def job(type_: str) -> Callable[[Chore], Chore]:
    """Declares the job `type_`, which is queued for one organization and done in a Work of that organization."""

    def declare(chore: Chore) -> Chore:
        CHORES[type_] = chore
        return chore

    return declare
