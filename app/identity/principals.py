"""Who is asking: credentials become a principal, in one statement of the transaction that answers."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, bindparam, or_, select, update

from app.core import crypto
from app.core.clock import now
from app.core.db import AnySelect, Database, Row
from app.core.errors import Code, Refusal
from app.core.statements import Prepared
from app.core.tenancy import SYSTEM
from app.core.work import Reads, work
from app.identity import tokens
from app.identity.api_keys import good
from app.identity.models import ApiKey, LoginSession, Membership
from app.identity.permissions import PERMISSIONS, PERSONAL, Permission, Role

_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who may do something: a person in an organization, a key, or a person who has none yet."""

    tenant: UUID
    permissions: frozenset[Permission] = frozenset()
    user: UUID | None = None
    session: UUID | None = None
    key: UUID | None = None
    role: Role | None = None

    @property
    def in_organization(self) -> bool:
        return self.tenant != SYSTEM


ANONYMOUS = Principal(SYSTEM)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries: an access token or API key, and the organization it names, if any."""

    token: str
    organization: UUID | None = None


async def authenticate(database: Database, secret: bytes, credentials: Credentials) -> tuple[Principal, Reads]:
    """The principal and the read transaction that found it, which the request goes on with.

    An `UNAUTHENTICATED` refusal for a token or key that is malformed, unknown, expired or revoked."""
    if credentials.token.startswith(tokens.KEY_PREFIX):
        return await _key_holder(database, credentials)
    access = tokens.read_access(secret, credentials.token, now())
    if access is None:
        raise Refusal(Code.UNAUTHENTICATED, "the access token is malformed or expired")
    return await _person(database, access, credentials.organization or access.organization)


async def renewed(database: Database, principal: Principal) -> Principal:
    """The principal with the permissions it has now; `UNAUTHENTICATED` where its key or session has ended."""
    async with Reads(database, principal.tenant) as reads:
        if principal.key is not None:
            row = await reads.row(_KEYS.where(ApiKey.id == principal.key))
            return _holder(principal.tenant, row)
        if principal.user is None or principal.session is None:
            raise Refusal(Code.UNAUTHENTICATED, "log in first")
        access = tokens.AccessToken(principal.user, principal.session, principal.tenant)
        return _member(access, principal.tenant, await reads.row(_standing(access, principal.tenant)))


async def _person(database: Database, access: tokens.AccessToken, organization: UUID | None) -> tuple[Principal, Reads]:
    tenant = organization or SYSTEM
    reads = Reads(database, tenant)
    try:
        return _member(access, tenant, await reads.row(_standing(access, tenant))), reads
    except BaseException:
        await reads.close()
        raise


def _member(access: tokens.AccessToken, tenant: UUID, row: Row | None) -> Principal:
    if row is None:
        raise Refusal(Code.UNAUTHENTICATED, "the session has ended: log in again")
    if tenant != SYSTEM and row.role is None:
        raise Refusal(Code.FORBIDDEN, "you are not a member of this organization")
    role = Role(row.role) if row.role else None
    permissions = PERMISSIONS[role] if role else frozenset()
    return Principal(tenant, permissions, access.user, access.session, role=role)


def _standing(access: tokens.AccessToken, tenant: UUID) -> AnySelect:
    membership = and_(Membership.user_id == LoginSession.user_id, Membership.organization_id == tenant)
    return (
        select(LoginSession.id, Membership.role)
        .join(Membership, membership, isouter=True)
        .where(
            LoginSession.id == access.session,
            LoginSession.user_id == access.user,
            LoginSession.ended_at.is_(None),
        )
    )


async def _key_holder(database: Database, credentials: Credentials) -> tuple[Principal, Reads]:
    tenant = tokens.organization_of_key(credentials.token)
    if tenant is None:
        raise Refusal(Code.UNAUTHENTICATED, "the API key is malformed: check that it was copied whole")
    if credentials.organization not in (None, tenant):
        raise Refusal(Code.FORBIDDEN, "the API key belongs to another organization")
    reads = Reads(database, tenant)
    try:
        found = await reads.prepared(_KEY_OF_DIGEST, digest=crypto.digest(credentials.token))
        row = found[0] if found else None
        principal = _holder(tenant, row)
        if row and (row.last_used_at is None or row.last_used_at < now() - _USE_NOTED_EVERY):
            await _note_use(database, tenant, row.id)
    except BaseException:
        await reads.close()
        raise
    return principal, reads


_KEYS = select(ApiKey.id, ApiKey.scopes, ApiKey.expires_at, ApiKey.revoked_at, ApiKey.last_used_at)
_KEY_OF_DIGEST = Prepared(_KEYS.where(ApiKey.digest == bindparam("digest")))


def _holder(tenant: UUID, row: Row | None) -> Principal:
    if row is None or not good(row.expires_at, row.revoked_at, now()):
        raise Refusal(Code.UNAUTHENTICATED, "the API key is unknown, expired or revoked")
    scopes = frozenset(Permission(scope) for scope in row.scopes) - PERSONAL
    return Principal(tenant, scopes, key=row.id)


async def _note_use(database: Database, tenant: UUID, key: UUID) -> None:
    at = now()
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < at - _USE_NOTED_EVERY)
    async with work(database, tenant) as unit:
        await unit.run(update(ApiKey).where(ApiKey.id == key, stale).values(last_used_at=at))
