"""What matching needs to know, loaded and kept for a whole batch in a constant number of statements."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import aliased

from app.core.ids import new_id
from app.core.sets import Merge, add_rows, lists_of, rows_given, rows_of
from app.core.statements import Prepared, several
from app.core.work import Work
from app.crm.events import CompanyCreated, ContactCreated
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


def _identities() -> tuple[Prepared, Prepared]:
    """Those that nobody owns yet, with the other names of their actors, locked in one order; and all that are
    mentioned, with the other names of their actors that nobody owns."""
    given = rows_given(StoredIdentity, "kind", "value")
    mentioned = aliased(StoredIdentity)
    ownerless = (
        select(StoredIdentity.id)
        .join(mentioned, StoredIdentity.root_id == mentioned.root_id)
        .join(given, _same_name(mentioned, given))
        .where(StoredIdentity.contact_id.is_(None), StoredIdentity.company_id.is_(None))
        .order_by(StoredIdentity.kind, StoredIdentity.value)
        .with_for_update(of=StoredIdentity)
    )
    same_actor = (StoredIdentity.root_id == mentioned.root_id) & or_(
        StoredIdentity.id == mentioned.id, StoredIdentity.contact_id.is_(None)
    )
    columns = (
        StoredIdentity.id,
        StoredIdentity.kind,
        StoredIdentity.value,
        StoredIdentity.root_id,
        StoredIdentity.contact_id,
        StoredIdentity.company_id,
    )
    known = select(*columns).distinct().join(mentioned, same_actor).join(given, _same_name(mentioned, given))
    return Prepared(ownerless), Prepared(known)


def _same_name(model: Any, given: Any) -> Any:
    return (model.kind == given.c.kind) & (model.value == given.c.value)


_OWNERLESS, _IDENTITIES = _identities()
_STILL_OWNERLESS = Prepared(
    select(StoredIdentity.id)
    .where(StoredIdentity.id == func.any(several("ids", StoredIdentity.id)), StoredIdentity.contact_id.is_(None))
    .order_by(StoredIdentity.kind, StoredIdentity.value)
    .with_for_update(read=True)
)
_CONTACTS = Prepared(
    select(Contact.id, Contact.email, Contact.company_id).where(
        Contact.deleted_at.is_(None),
        or_(
            Contact.email == func.any(several("emails", Contact.email)),
            Contact.id == func.any(several("ids", Contact.id)),
        ),
    )
)
_COMPANIES = Prepared(
    select(Company.domain, Company.id).where(
        Company.domain == func.any(several("domains", Company.domain)), Company.deleted_at.is_(None)
    )
)


async def load(work: Work, observations: Sequence[Observation], *, lock: bool) -> Knowledge:
    """What the organization knows of every name, address and domain in the batch. With `lock`, names that
    nobody owns yet are held until the end, so that two batches cannot give one name to two people."""
    knowledge = Knowledge()
    names = sorted({name for observation in observations for name in names_of(observation)})
    if names:
        await _load_identities(work, names, knowledge, lock)
    await _load_contacts(work, names, observations, knowledge)
    domains = sorted({domain for observation in observations for domain in domains_of(observation)})
    if domains:
        rows = await work.rows(_COMPANIES, domains=domains)
        knowledge.companies_by_domain = {row.domain: row.id for row in rows}
    return knowledge


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


async def _load_identities(work: Work, names: Sequence[Identity], knowledge: Knowledge, lock: bool) -> None:
    lists = lists_of({"kind": [name.kind for name in names], "value": [name.value for name in names]})
    if lock:
        await work.rows(_OWNERLESS, **lists)
    for id_, kind, value, root, contact, company in await work.rows(_IDENTITIES, **lists):
        knowledge.learn(Identity(IdentityKind(kind), value), Known(id_, root, contact, company))
    for name in names:
        if name not in knowledge.identities:
            id_ = new_id()
            knowledge.learn(name, Known(id_, id_, stored=False))


async def _load_contacts(
    work: Work, names: Sequence[Identity], observations: Sequence[Observation], knowledge: Knowledge
) -> None:
    emails = [name.value for name in names if name.kind is IdentityKind.EMAIL]
    ids = {known.contact for known in knowledge.identities.values() if known.contact}
    ids |= {observation.contact_id for observation in observations if observation.contact_id}
    if not emails and not ids:
        return
    for id_, email, company in await work.rows(_CONTACTS, emails=emails, ids=sorted(ids)):
        knowledge.employers[id_] = company
        if email:
            knowledge.contacts_by_email[email] = id_


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
    work.emit(*(CompanyCreated(id=c.id) for c in ordered if actual.get(c.domain or "", c.id) == c.id))
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
    work.emit(*(ContactCreated(id=c.id) for c in new if actual.get(c.email or "", c.id) == c.id))
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
