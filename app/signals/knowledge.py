"""What matching needs to know, loaded and kept for a whole batch in a constant number of statements."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import String, Uuid, cast, func, literal_column, null, or_, select, union_all, update
from sqlalchemy.orm import aliased

from app.core.db import AnySelect
from app.core.ids import new_id
from app.core.sets import Merge, add_rows, lists_of, rows_given, rows_of
from app.core.statements import Prepared, several
from app.core.tenancy import within
from app.core.work import Work
from app.crm.events import COMPANY_EVENTS, CONTACT_EVENTS
from app.crm.models import Company, Contact, ContactStatus, Lifecycle
from app.signals.matching import (
    CONFIDENCE,
    Knowledge,
    Known,
    NewCompany,
    NewContact,
    domains_of,
    names_of,
)
from app.signals.models import Identity as StoredIdentity
from app.signals.observations import Identity, IdentityKind, Observation


def _ownerless() -> Prepared:
    """Names that nobody owns yet, with the other names of their actors, locked in one order."""
    mentioned = aliased(StoredIdentity)
    return Prepared(
        select(StoredIdentity.id)
        .join(mentioned, StoredIdentity.root_id == mentioned.root_id)
        .join(_GIVEN, _is_given(mentioned))
        .where(StoredIdentity.contact_id.is_(None), StoredIdentity.company_id.is_(None))
        .order_by(StoredIdentity.kind, StoredIdentity.value)
        .with_for_update(of=StoredIdentity)
    )


def _known() -> Prepared:
    """Everything known of a batch, in one answer: the names that are mentioned, with the other names of their actors
    that nobody owns; the contacts that own these, or have an address or id that is mentioned; the domains' companies.
    """
    names = _known_names().cte("names")
    owners = func.array(select(names.c.contact_id).scalar_subquery())
    nobody = cast(null(), Uuid)
    contacts = select(literal_column(_CONTACT), Contact.email, Contact.id, nobody, nobody, Contact.company_id).where(
        within(Contact),
        Contact.deleted_at.is_(None),
        or_(
            Contact.email == func.any(several("emails", Contact.email)),
            Contact.id == func.any(several("ids", Contact.id)),
            Contact.id == func.any(owners),
        ),
    )
    companies = select(literal_column(_COMPANY), Company.domain, Company.id, nobody, nobody, nobody).where(
        within(Company),
        Company.deleted_at.is_(None),
        Company.domain == func.any(several("domains", Company.domain)),
    )
    return Prepared(union_all(select(names), contacts, companies))


def _known_names() -> AnySelect:
    mentioned = aliased(StoredIdentity)
    same_actor = (StoredIdentity.root_id == mentioned.root_id) & or_(
        StoredIdentity.id == mentioned.id, StoredIdentity.contact_id.is_(None)
    )
    return (
        select(
            cast(StoredIdentity.kind, String).label("what"),
            StoredIdentity.value,
            StoredIdentity.id,
            StoredIdentity.root_id,
            StoredIdentity.contact_id,
            StoredIdentity.company_id,
        )
        .distinct()
        .join(mentioned, same_actor)
        .join(_GIVEN, _is_given(mentioned))
        .where(within(StoredIdentity, mentioned))
    )


def _is_given(model: Any) -> Any:
    return (model.kind == _GIVEN.c.kind) & (model.value == _GIVEN.c.value)


_GIVEN = rows_given(StoredIdentity, "kind", "value")
_CONTACT, _COMPANY = "'contact'", "'company'"
_OWNERLESS, _KNOWN = _ownerless(), _known()
_STILL_OWNERLESS = Prepared(
    select(StoredIdentity.id)
    .where(StoredIdentity.id == func.any(several("ids", StoredIdentity.id)), StoredIdentity.contact_id.is_(None))
    .order_by(StoredIdentity.kind, StoredIdentity.value)
    .with_for_update(read=True)
)


async def load(work: Work, observations: Sequence[Observation], *, lock: bool) -> Knowledge:
    """What the organization knows of every name, address and domain in the batch. With `lock`, names that
    nobody owns yet are held until the end, so that two batches cannot give one name to two people."""
    knowledge = Knowledge()
    names = sorted({name for observation in observations for name in names_of(observation)})
    lists = lists_of({"kind": [name.kind for name in names], "value": [name.value for name in names]})
    if names and lock:
        await work.rows(_OWNERLESS, **lists)
    emails = [name.value for name in names if name.kind is IdentityKind.EMAIL]
    ids = sorted({observation.contact_id for observation in observations if observation.contact_id})
    domains = sorted({domain for observation in observations for domain in domains_of(observation)})
    for row in await work.rows(_KNOWN, **lists, emails=emails, ids=ids, domains=domains):
        _learn(knowledge, *row)
    for name in names:
        if name not in knowledge.identities:
            id_ = new_id()
            knowledge.learn(name, Known(id_, id_, stored=False))
    return knowledge


def _learn(
    knowledge: Knowledge,
    what: str,
    value: str | None,
    id_: UUID,
    root: UUID,
    contact: UUID | None,
    company: UUID | None,
) -> None:
    """Takes in one row of what is known."""
    if what == "contact":
        knowledge.employers[id_] = company
        if value:
            knowledge.contacts_by_email[value] = id_
    elif what == "company":
        if value:
            knowledge.companies_by_domain[value] = id_
    else:
        knowledge.learn(Identity(IdentityKind(what), value or ""), Known(id_, root, contact, company))


async def hold(work: Work, strangers: Collection[UUID]) -> bool:
    """Holds names that signals are left with while their owner is unknown: who is found to own one meanwhile waits,
    and finds these signals as well. False where one has found its owner already."""
    return not strangers or len(await work.rows(_STILL_OWNERLESS, ids=sorted(strangers))) == len(strangers)


async def claim(work: Work, knowledge: Knowledge) -> None:
    """Stores the names that were never seen before, each as an actor of its own."""
    new = sorted((name, known.id) for name, known in knowledge.identities.items() if not known.stored)
    await add_rows(
        work,
        StoredIdentity,
        {
            "id": [id_ for _, id_ in new],
            "kind": [name.kind.value for name, _ in new],
            "value": [name.value for name, _ in new],
            "root_id": [id_ for _, id_ in new],
            "created_at": [work.at] * len(new),
        },
        on=[StoredIdentity.kind, StoredIdentity.value],
    )


async def keep(work: Work, knowledge: Knowledge) -> None:
    """Stores the new companies, contacts and links that matching added."""
    companies = await _add_companies(work, knowledge.new_companies)
    contacts = await _add_contacts(work, knowledge, companies)
    knowledge.renamed = companies | contacts
    await _keep_links(work, knowledge)
    await _keep_employers(work, knowledge)


async def _add_companies(work: Work, new: Sequence[NewCompany]) -> dict[UUID, UUID]:
    """Adds the companies; where another transaction was first with a domain, the answer maps ours to its."""
    if not new:
        return {}
    ordered = sorted(new, key=lambda company: (company.domain or "", company.id))
    written = await add_rows(
        work,
        Company,
        {
            "id": [company.id for company in ordered],
            "domain": [company.domain for company in ordered],
            "name": [company.name[:255] for company in ordered],
            "industry": [company.traits.industry for company in ordered],
            "employees": [company.traits.employees for company in ordered],
            "source": [company.source for company in ordered],
            "lifecycle": [Lifecycle.PROSPECT.value] * len(ordered),
            "created_at": [work.at] * len(ordered),
            "updated_at": [work.at] * len(ordered),
        },
        on=[Company.domain],
        while_null=Company.deleted_at,
        merge={"domain": Merge.REPLACE},
        returning=[Company.id, Company.domain],
    )
    actual = {domain: id_ for id_, domain in written if domain}
    work.emit(*(COMPANY_EVENTS.created(id=c.id) for c in ordered if actual.get(c.domain or "", c.id) == c.id))
    return {c.id: actual[c.domain] for c in ordered if c.domain and actual[c.domain] != c.id}


async def _add_contacts(work: Work, knowledge: Knowledge, companies: Mapping[UUID, UUID]) -> dict[UUID, UUID]:
    """Adds the contacts with their employers; the answer maps ours to those that were there already."""
    new: list[NewContact] = sorted(knowledge.new_contacts, key=lambda contact: (contact.email or "", contact.id))
    if not new:
        return {}
    employers = [knowledge.new_employers.pop(contact.id, None) for contact in new]
    written = await add_rows(
        work,
        Contact,
        {
            "id": [contact.id for contact in new],
            "email": [contact.email for contact in new],
            "first_name": [contact.traits.first_name for contact in new],
            "last_name": [contact.traits.last_name for contact in new],
            "title": [contact.traits.title for contact in new],
            "phone": [contact.traits.phone for contact in new],
            "github_login": [contact.traits.github_login for contact in new],
            "company_id": [companies.get(id_, id_) if id_ else None for id_ in employers],
            "source": [contact.source for contact in new],
            "status": [ContactStatus.ACTIVE.value] * len(new),
            "created_at": [work.at] * len(new),
            "updated_at": [work.at] * len(new),
        },
        on=[Contact.email],
        while_null=Contact.deleted_at,
        merge={"email": Merge.REPLACE},
        returning=[Contact.id, Contact.email],
    )
    actual = {email: id_ for id_, email in written if email}
    work.emit(*(CONTACT_EVENTS.created(id=c.id) for c in new if actual.get(c.email or "", c.id) == c.id))
    return {c.id: actual[c.email] for c in new if c.email and actual[c.email] != c.id}


async def _keep_links(work: Work, knowledge: Knowledge) -> None:
    if knowledge.merged_roots:
        roots = knowledge.merged_roots
        given = rows_of(StoredIdentity, {"id": list(roots), "root_id": [_final(roots, old) for old in roots]})
        await work.run(
            update(StoredIdentity)
            .where(StoredIdentity.root_id == given.c.id)
            .values(root_id=given.c.root_id)
            .execution_options(synchronize_session=False)
        )
    if not knowledge.links:
        return
    links = sorted(knowledge.links.values(), key=lambda link: link.identity)
    given = rows_of(
        StoredIdentity,
        {
            "id": [link.identity for link in links],
            "contact_id": [knowledge.actual(link.contact) for link in links],
            "company_id": [knowledge.actual(link.company) for link in links],
            "rule": [link.rule.value for link in links],
            "confidence": [CONFIDENCE[link.rule] for link in links],
            "signal_id": [link.signal for link in links],
        },
    )
    names = ("contact_id", "company_id", "rule", "confidence", "signal_id")
    await work.run(
        update(StoredIdentity)
        .where(StoredIdentity.id == given.c.id)
        .values({name: given.c[name] for name in names} | {"linked_at": work.at})
        .execution_options(synchronize_session=False)
    )


def _final(roots: Mapping[UUID, UUID], root: UUID) -> UUID:
    while root in roots:
        root = roots[root]
    return root


async def _keep_employers(work: Work, knowledge: Knowledge) -> None:
    """Gives contacts that had no employer the one that their signals speak of."""
    if not knowledge.new_employers:
        return
    pairs = sorted(knowledge.new_employers.items())
    given = rows_of(
        Contact,
        {
            "id": [knowledge.actual(contact) for contact, _ in pairs],
            "company_id": [knowledge.actual(company) for _, company in pairs],
        },
    )
    await work.run(
        update(Contact)
        .where(Contact.id == given.c.id, Contact.company_id.is_(None))
        .values(company_id=given.c.company_id, updated_at=work.at)
        .execution_options(synchronize_session=False)
    )
