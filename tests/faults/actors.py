"""A worker with an actor of the tests' own, which writes down what it does and can freeze or kill its process.

`python -m tests.faults.actors run` is `python -m workers run` with that actor. To freeze where the test wants it the
process looks for a file of that name, so that it does so once, and stops itself."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import dramatiq
from sqlalchemy import update

from app.core.events import Event
from app.core.work import Work
from app.crm.models import Company
from app.identity.models import Organization
from workers.__main__ import main
from workers.actors import on
from workers.broker import broker

TYPE = "faults.act"
FOLDER = "FAULTS_FOLDER"
BEFORE_TAKING, INSIDE, AT_COMMIT = "before-taking", "inside", "at-commit"
PLAIN, SLOW, LONG, FAILS_ONCE, POISON = "plain", "slow", "long", "fails-once", "poison"
SECONDS = {SLOW: 0.5, LONG: 2.0}


class Poked(Event, name="faults.poked"):
    """What an attempt at the job is to do, and the name of the company that is its effect."""

    what: str
    effect: str


@on(Poked, TYPE)
async def act(work: Work, events: Sequence[Poked]) -> None:
    """Adds a company, and changes the organization so that its row is locked until the end."""
    [poked] = events
    if poked.what == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(SECONDS.get(poked.what, 0))
    if poked.what == FAILS_ONCE and has_come_first(FAILS_ONCE):
        raise RuntimeError("out of order")
    work.add(Company(name=poked.effect))
    await work.flush()
    if poked.what in (INSIDE, AT_COMMIT):
        await work.run(update(Organization).values(name=Organization.name + "!"))
    if poked.what == INSIDE:
        freeze(INSIDE)
    if poked.what == AT_COMMIT:
        work.finish = _frozen_before(work.finish)  # type: ignore[method-assign]


def _frozen_before(finish: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    async def finish_later() -> None:
        freeze(AT_COMMIT)
        await finish()

    return finish_later


def freeze(where: str) -> None:
    """Stops this process until it is told to go on, if nobody was stopped here before."""
    if has_come_first(where):
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # this thread gets no further than here


def has_come_first(where: str) -> bool:
    """Whether the test has left a file for whoever comes here first, and it is us."""
    try:
        (Path(os.environ[FOLDER]) / where).unlink()
    except FileNotFoundError:
        return False
    return True


class FreezeBeforeTaking(dramatiq.Middleware):
    """Freezes with a message in the hand, before the job is taken."""

    def before_process_message(self, _: Any, __: Any) -> None:
        freeze(BEFORE_TAKING)


if __name__ == "__main__":
    broker().add_middleware(FreezeBeforeTaking())
    main()
