"""Identity resolution: who acted, and for which company.

Rules in order: named outright → a known identity → an e-mail address → names said together → the company's group
or domain. Never on free mail, shared hosting, role or no-reply addresses. `decide` is pure: it reads and extends a
`Knowledge` that was loaded for the whole batch, so that a batch of any size costs the same few statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.core.ids import new_id
from app.signals.domains import Address, address_of, company_domain
from app.signals.models import Rule
from app.signals.observations import CompanyTraits, Identity, IdentityKind, Observation, PersonTraits

CONFIDENCE: dict[Rule, int] = {
    Rule.EXPLICIT: 100,
    Rule.KNOWN_IDENTITY: 100,
    Rule.EMAIL: 100,
    Rule.ALIAS: 95,
    Rule.PROFILE: 90,
    Rule.GROUP: 90,
    Rule.EMPLOYER: 90,
    Rule.WEBSITE_DOMAIN: 85,
    Rule.EMAIL_DOMAIN: 80,
}
_STRONG = (IdentityKind.USER, IdentityKind.GITHUB, IdentityKind.EMAIL)


@dataclass(slots=True)
class Known:
    """What is known of one identity; `root` is shared by the names of one actor."""

    id: UUID
    root: UUID
    contact: UUID | None = None
    company: UUID | None = None
    stored: bool = True


@dataclass(frozen=True, slots=True)
class Link:
    """A new tie of an identity to whom it belongs, with its evidence."""

    identity: UUID
    root: UUID
    contact: UUID | None
    company: UUID | None
    rule: Rule
    signal: UUID


@dataclass(frozen=True, slots=True)
class NewContact:
    id: UUID
    email: str | None
    traits: PersonTraits
    source: str


@dataclass(frozen=True, slots=True)
class NewCompany:
    id: UUID
    domain: str | None
    name: str
    traits: CompanyTraits
    source: str


@dataclass(slots=True)
class Match:
    """Whom one signal was given to, and why."""

    identity: UUID | None = None
    contact: UUID | None = None
    contact_rule: Rule | None = None
    company: UUID | None = None
    company_rule: Rule | None = None


@dataclass(slots=True)
class Knowledge:
    """What the organization knows about the names in a batch, and what the batch adds to it."""

    identities: dict[Identity, Known] = field(default_factory=dict)
    actors: dict[UUID, list[Known]] = field(default_factory=dict)
    contacts_by_email: dict[str, UUID] = field(default_factory=dict)
    employers: dict[UUID, UUID | None] = field(default_factory=dict)
    companies_by_domain: dict[str, UUID] = field(default_factory=dict)
    links: dict[UUID, Link] = field(default_factory=dict)
    merged_roots: dict[UUID, UUID] = field(default_factory=dict)
    new_contacts: list[NewContact] = field(default_factory=list)
    new_companies: list[NewCompany] = field(default_factory=list)
    new_employers: dict[UUID, UUID] = field(default_factory=dict)
    renamed: dict[UUID, UUID] = field(default_factory=dict)

    @property
    def adds(self) -> bool:
        """Whether matching found anything to store beside the signals."""
        return bool(self.links or self.new_contacts or self.new_companies or self.merged_roots or self.new_employers)

    @property
    def meets_strangers(self) -> bool:
        """Whether a name in the batch was never seen before."""
        return any(not known.stored for known in self.identities.values())

    def actual(self, id_: UUID | None) -> UUID | None:
        """The stored id of a contact or company: another's, where that was first with the same key."""
        return self.renamed.get(id_, id_) if id_ else None

    def person(self, match: Match) -> UUID | None:
        """Who acted: the contact, also one that a later row of the batch made known, or else the identity."""
        link = self.links.get(match.identity) if match.identity else None
        return match.contact or self.actual(link.contact if link else None) or match.identity

    def learn(self, name: Identity, known: Known) -> None:
        self.identities[name] = known
        self.actors.setdefault(known.root, []).append(known)


def names_of(observation: Observation) -> Iterable[Identity]:
    """Every identity that the observation mentions and that may stand for somebody."""
    for identity in observation.people:
        if identity.kind is not IdentityKind.EMAIL:
            yield identity
        elif (address := address_of(identity.value)) and address.identifies_person:
            yield Identity(IdentityKind.EMAIL, address.email)
    yield from observation.groups


def domains_of(observation: Observation) -> set[str]:
    """The company domains that the observation speaks of."""
    said = {company_domain(observation.company.domain)}
    said |= {address.company_domain for address in _addresses(observation)}
    return {domain for domain in said if domain}


def decide(observation: Observation, signal: UUID, knowledge: Knowledge) -> Match:
    """Whom the signal belongs to; new links, contacts and companies are added to `knowledge`."""
    match = Match(contact=observation.contact_id, company=observation.company_id)
    match.contact_rule = Rule.EXPLICIT if match.contact else None
    match.company_rule = Rule.EXPLICIT if match.company else None
    names = [name for name in names_of(observation) if name not in observation.groups]
    _find_contact(observation, names, match, knowledge)
    if names:
        match.identity = knowledge.identities[names[0]].id
        _join(names, match, signal, knowledge)
    _find_company(observation, match, signal, knowledge)
    return match


def _find_contact(observation: Observation, names: Sequence[Identity], match: Match, knowledge: Knowledge) -> None:
    if match.contact:
        return
    strong = [name for name in names if name.kind in _STRONG]
    for name in strong:
        if contact := knowledge.identities[name].contact:
            match.contact, match.contact_rule = contact, Rule.KNOWN_IDENTITY
            return
    email = next((name.value for name in names if name.kind is IdentityKind.EMAIL), None)
    if email or (observation.creates_person and strong):
        match.contact = knowledge.contacts_by_email.get(email or "") or _add_contact(observation, email, knowledge)
        match.contact_rule = Rule.EMAIL if email else Rule.PROFILE
    elif not strong:
        weak = (knowledge.identities[name].contact for name in names)
        match.contact = next((contact for contact in weak if contact), None)
        match.contact_rule = Rule.KNOWN_IDENTITY if match.contact else None


def _add_contact(observation: Observation, email: str | None, knowledge: Knowledge) -> UUID:
    contact = NewContact(new_id(), email, observation.person, observation.source)
    knowledge.new_contacts.append(contact)
    knowledge.employers[contact.id] = None
    if email:
        knowledge.contacts_by_email[email] = contact.id
    return contact.id


def _join(names: Sequence[Identity], match: Match, signal: UUID, knowledge: Knowledge) -> None:
    """Joins the names said together, and gives those that nobody owns yet to the contact.

    A device's id follows the first person who claims it: it is not taken from its owner, and does not tie two
    users of one device together."""
    head = knowledge.identities[names[0]]
    for name in names[1:]:
        known = knowledge.identities[name]
        if known.contact is None and known.root != head.root and _may_follow(name, known):
            _merge_root(known, head, knowledge)
    if match.contact:
        _give(names, match, signal, knowledge)


def _may_follow(name: Identity, known: Known) -> bool:
    return name.kind in _STRONG or known.root == known.id


def _merge_root(known: Known, head: Known, knowledge: Knowledge) -> None:
    knowledge.merged_roots[known.root] = head.root
    followers = knowledge.actors.pop(known.root)
    knowledge.actors[head.root].extend(followers)
    for follower in followers:
        follower.root = head.root


def _give(names: Sequence[Identity], match: Match, signal: UUID, knowledge: Knowledge) -> None:
    roots = {knowledge.identities[names[0]].root} | {
        knowledge.identities[name].root for name in names if name.kind in _STRONG
    }
    mentioned = {knowledge.identities[name].id for name in names}
    said = Rule.ALIAS if match.contact_rule in (None, Rule.KNOWN_IDENTITY) else match.contact_rule
    for root in roots:
        for known in knowledge.actors[root]:
            if known.contact is None:
                known.contact = match.contact
                rule = said if known.id in mentioned else Rule.ALIAS
                knowledge.links[known.id] = Link(known.id, known.root, match.contact, None, rule, signal)


def _find_company(observation: Observation, match: Match, signal: UUID, knowledge: Knowledge) -> None:
    groups = [knowledge.identities[group] for group in observation.groups]
    if not match.company:
        match.company, match.company_rule = _company_of(observation, match, groups, knowledge)
    if not match.company:
        return
    for group in groups:
        if group.company is None:
            group.company = match.company
            knowledge.links[group.id] = Link(
                group.id, group.root, None, match.company, match.company_rule or Rule.GROUP, signal
            )
    if match.contact and knowledge.employers.get(match.contact, match.company) is None:
        knowledge.employers[match.contact] = match.company
        knowledge.new_employers[match.contact] = match.company


def _company_of(
    observation: Observation, match: Match, groups: Sequence[Known], knowledge: Knowledge
) -> tuple[UUID | None, Rule | None]:
    for group in groups:
        if group.company:
            return group.company, Rule.GROUP
    if domain := company_domain(observation.company.domain):
        return _company_at(domain, observation, knowledge), Rule.WEBSITE_DOMAIN
    if groups and observation.company.name:
        return _add_company(None, observation, knowledge), Rule.GROUP
    if match.contact and (employer := knowledge.employers.get(match.contact)):
        return employer, Rule.EMPLOYER
    for address in _addresses(observation):
        if address.company_domain:
            return _company_at(address.company_domain, observation, knowledge), Rule.EMAIL_DOMAIN
    return None, None


def _company_at(domain: str, observation: Observation, knowledge: Knowledge) -> UUID:
    return knowledge.companies_by_domain.get(domain) or _add_company(domain, observation, knowledge)


def _add_company(domain: str | None, observation: Observation, knowledge: Knowledge) -> UUID:
    name = observation.company.name or domain or "?"
    company = NewCompany(new_id(), domain, name, observation.company, observation.source)
    knowledge.new_companies.append(company)
    if domain:
        knowledge.companies_by_domain[domain] = company.id
    return company.id


def _addresses(observation: Observation) -> list[Address]:
    said = (address_of(name.value) for name in observation.people if name.kind is IdentityKind.EMAIL)
    return [address for address in said if address]
