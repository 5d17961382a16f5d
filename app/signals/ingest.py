"""Ingest: a batch of observations is stored once, matched, counted and announced, in one transaction."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from uuid import UUID

import orjson
from sqlalchemy import func, select

from app.core.errors import Code, Problem
from app.core.ids import id_at
from app.core.sets import Columns, add_rows, add_rows_last
from app.core.statements import Prepared, several
from app.core.telemetry import SIGNALS
from app.core.work import Work
from app.crm.models import Company, Contact
from app.signals import attribution, knowledge, partitions, rollups, traits
from app.signals.events import SignalsCreated
from app.signals.matching import Knowledge, Match, decide
from app.signals.models import Rule, Signal, SignalKey
from app.signals.observations import Observation

Place = tuple[int, int]
"""Where a row stands: the number of its batch, and its own in that."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one row became. A duplicate names the signal that was stored the first time; a refused row has no
    signal and says why in `problems`."""

    signal: UUID | None
    duplicate: bool = False
    contact: UUID | None = None
    company: UUID | None = None
    contact_rule: Rule | None = None
    company_rule: Rule | None = None
    new_contact: bool = False
    new_company: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fresh:
    """An observation that was not stored before, and the id its signal gets."""

    position: int
    id: UUID
    observation: Observation


async def unknown_references(work: Work, observations: Mapping[Place, Observation]) -> dict[Place, Problem]:
    """The rows that name a contact or company which the organization does not have, by place."""
    problems: dict[Place, Problem] = {}
    for model, attribute, path in (
        (Contact, "contact_id", "contactId"),
        (Company, "company_id", "companyId"),
    ):
        named = {place: id_ for place, o in observations.items() if (id_ := getattr(o, attribute))}
        if not named:
            continue
        there = select(model.id).where(model.id == func.any(sorted(set(named.values()))))
        known = set((await work.run(there)).scalars())
        for place, id_ in named.items():
            if id_ not in known:
                problems[place] = Problem(Code.NOT_FOUND, "does not exist", (path,))
    return problems


async def accept(work: Work, observations: Sequence[Observation]) -> list[Receipt]:
    """Stores the observations that are new; a receipt for each, in their order."""
    fresh, receipts, twins = await _unseen(work, observations)
    if fresh:
        await partitions.ensure(work, [row.observation.occurred_at for row in fresh])
        known, matches = await _matched(work, fresh)
        await traits.fill(work, [(r.observation, m) for r, m in zip(fresh, matches, strict=True)])
        await _store(work, fresh, matches)
        counted = [
            rollups.Counted(m.company, m.contact, known.person(m), r.observation)
            for r, m in zip(fresh, matches, strict=True)
        ]
        moved = await attribution.follow(work, known)
        companies = await rollups.add(work, counted, moved)
        work.emit(SignalsCreated(signals=tuple(row.id for row in fresh), companies=tuple(companies)))
        added = {new.id for new in known.new_contacts} | {new.id for new in known.new_companies}
        for row, match in zip(fresh, matches, strict=True):
            receipts[row.position] = _receipt(row.id, match, added)
            added -= {match.contact, match.company}
    SIGNALS.labels("stored").inc(len(fresh))
    SIGNALS.labels("duplicate").inc(len(observations) - len(fresh))
    for position, first in twins.items():
        receipts[position] = replace(receipts[first], duplicate=True, new_contact=False, new_company=False)
    return [receipts[position] for position in range(len(observations))]


async def _unseen(
    work: Work, observations: Sequence[Observation]
) -> tuple[list[_Fresh], dict[int, Receipt], dict[int, int]]:
    """Claims the keys of the batch: the rows that are new, receipts for those stored before, and the rows that
    repeat an earlier one of the same batch."""
    ids = [id_at(observation.occurred_at) for observation in observations]
    keys = [_key(observation) for observation in observations]
    first: dict[str, int] = {}
    for position, key in enumerate(keys):
        if key is not None:
            first.setdefault(key, position)
    claimed = await _claim(work, {key: ids[position] for key, position in first.items()})
    earlier = await _earlier(work, [key for key in first if key not in claimed])
    receipts = {first[key]: receipt for key, receipt in earlier.items()}
    twins = {i: first[key] for i, key in enumerate(keys) if key is not None and first[key] != i}
    fresh = [
        _Fresh(position, ids[position], observation)
        for position, observation in enumerate(observations)
        if position not in receipts and position not in twins
    ]
    return fresh, receipts, twins


def _key(observation: Observation) -> str | None:
    """What makes the observation unique. A source has no space, so that no two pairs meet."""
    return None if observation.key is None else f"{observation.source} {observation.key}"


async def _claim(work: Work, keys: dict[str, UUID]) -> set[str]:
    if not keys:
        return set()
    ordered = sorted(keys)
    columns: Columns = {"key": ordered, "signal_id": [keys[key] for key in ordered]}
    written = await add_rows(work, SignalKey, columns, on=[SignalKey.key], returning=[SignalKey.key])
    return {row.key for row in written}


_EARLIER = Prepared(
    select(
        SignalKey.key,
        SignalKey.signal_id,
        Signal.contact_id,
        Signal.company_id,
        Signal.contact_rule,
        Signal.company_rule,
    )
    .join(Signal, Signal.id == SignalKey.signal_id, isouter=True)
    .where(SignalKey.key == func.any(several("keys", SignalKey.key)))
)


async def _earlier(work: Work, keys: list[str]) -> dict[str, Receipt]:
    """Receipts for signals that were stored before, as they stand now."""
    if not keys:
        return {}
    return {
        row.key: Receipt(row.signal_id, True, row.contact_id, row.company_id, row.contact_rule, row.company_rule)
        for row in await work.rows(_EARLIER, keys=keys)
    }


async def _matched(work: Work, fresh: Sequence[_Fresh]) -> tuple[Knowledge, list[Match]]:
    """Matches the batch. What adds nothing new needs no lock; otherwise the names are locked and read again."""
    observations = [row.observation for row in fresh]
    known = await knowledge.load(work, observations, lock=False)
    if not known.meets_strangers:
        matches = _decided(fresh, known)
        strangers = {match.identity for match in matches if match.identity and not match.contact}
        if not known.adds and await knowledge.hold(work, strangers):
            return known, matches
    else:
        await knowledge.claim(work, known)
    known = await knowledge.load(work, observations, lock=True)
    matches = _decided(fresh, known)
    await knowledge.keep(work, known)
    for match in matches:
        match.contact, match.company = known.actual(match.contact), known.actual(match.company)
    return known, matches


def _decided(fresh: Sequence[_Fresh], known: Knowledge) -> list[Match]:
    return [decide(row.observation, row.id, known) for row in fresh]


async def _store(work: Work, fresh: Sequence[_Fresh], matches: Sequence[Match]) -> None:
    await add_rows_last(
        work,
        Signal,
        {
            "id": [row.id for row in fresh],
            "type": [row.observation.type for row in fresh],
            "source": [row.observation.source for row in fresh],
            "occurred_at": [row.observation.occurred_at for row in fresh],
            "received_at": [work.at] * len(fresh),
            "properties": [orjson.dumps(row.observation.properties).decode() for row in fresh],
            "identity_id": [match.identity for match in matches],
            "contact_id": [match.contact for match in matches],
            "company_id": [match.company for match in matches],
            "contact_rule": [match.contact_rule for match in matches],
            "company_rule": [match.company_rule for match in matches],
        },
    )


def _receipt(id_: UUID, match: Match, added: Set[UUID]) -> Receipt:
    return Receipt(
        id_,
        contact=match.contact,
        company=match.company,
        contact_rule=match.contact_rule,
        company_rule=match.company_rule,
        new_contact=match.contact in added,
        new_company=match.company in added,
    )
