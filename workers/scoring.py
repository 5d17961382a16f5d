"""Scores follow signals."""

from collections.abc import Sequence

from app.core.work import Work
from app.scoring.scores import rescore
from app.signals.events import SignalsCreated
from workers.actors import on


@on(SignalsCreated, "scoring.rescore", together=True)
async def rescore_companies(work: Work, events: Sequence[SignalsCreated]) -> None:
    """Rescores every company whose counters the events changed, once."""
    await rescore(work, sorted({company for event in events for company in event.companies}))
