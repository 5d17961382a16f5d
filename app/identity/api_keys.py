"""API keys: made and revoked by a signed-in person, shown once, kept as digests."""

from datetime import datetime
from uuid import UUID

from app.core import crypto
from app.core.clock import now
from app.core.errors import Code, Problem, Refusal
from app.core.work import Work
from app.identity import tokens
from app.identity.models import ApiKey
from app.identity.permissions import PERSONAL, Permission
from app.identity.records import ApiKeyRecord


def create(
    unit: Work, record: ApiKeyRecord, *, user: UUID | None, allowed: frozenset[Permission]
) -> tuple[ApiKey, str]:
    """A key and its text, which is not kept. Scopes beyond `allowed` (the maker's own) are refused."""
    _refuse_scopes(record.scopes - (allowed - PERSONAL))
    if record.expires_at is not None and record.expires_at <= now():
        raise Refusal(Code.INVALID, "must be in the future", ("expiresAt",))
    text = tokens.new_key(unit.organization)
    key = ApiKey(
        name=record.name,
        hint=text[-4:],
        digest=crypto.digest(text),
        scopes=sorted(record.scopes),
        created_by=user,
        expires_at=record.expires_at,
    )
    unit.add(key)
    return key, text


async def revoke(unit: Work, id_: UUID) -> ApiKey:
    """Refuses the key from now on; revoking again changes nothing."""
    key = await unit.get(ApiKey, id_, noun="API key")
    key.revoked_at = key.revoked_at or now()
    return key


def good(expires_at: datetime | None, revoked_at: datetime | None, at: datetime) -> bool:
    return revoked_at is None and (expires_at is None or expires_at > at)


def _refuse_scopes(beyond: frozenset[Permission]) -> None:
    if beyond:
        raise Refusal.of(
            [Problem(Code.FORBIDDEN, f"{scope} is not yours to give to a key", ("scopes",)) for scope in sorted(beyond)]
        )
