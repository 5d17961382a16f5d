"""Log-ins: each is one family of refresh tokens, of which only the newest is good.

A refresh token that was used before ends its family: one of its two holders is a thief."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import crypto, unscoped
from app.core.clock import now
from app.core.db import Database
from app.core.errors import Code, Refusal
from app.core.ids import new_id
from app.identity import passwords, tokens
from app.identity.attempts import Attempt, Attempts
from app.identity.models import LoginSession, Membership, User
from app.identity.records import Credentials


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """What a client keeps after a log-in; `expires_at` is when the access token ends."""

    access_token: str
    refresh_token: str
    expires_at: datetime


async def login(
    database: Database, secret: bytes, credentials: Credentials, attempts: Attempts, address: str
) -> SessionTokens:
    """Opens a session; one and the same refusal for an unknown e-mail address and for a wrong password.

    `address` is the network address that it comes from: `RATE_LIMITED` after too many wrong ones."""
    attempt = Attempt(credentials.email, address)
    await attempts.refuse_too_many(attempt)
    async with unscoped.begin(database) as session:
        known = select(User.id, User.password_hash).where(User.email == credentials.email)
        user = (await session.execute(known)).one_or_none()
    if not await passwords.matches(user.password_hash if user else None, credentials.password) or not user:
        await attempts.note_wrong(attempt)
        raise Refusal(Code.UNAUTHENTICATED, "the e-mail address or the password is wrong")
    return await open_session(database, secret, user.id)


async def open_session(database: Database, secret: bytes, user: UUID) -> SessionTokens:
    at, id_ = now(), new_id()
    refresh = tokens.new_refresh(id_)
    async with unscoped.begin(database) as session:
        session.add(
            LoginSession(
                id=id_,
                user_id=user,
                refresh_digest=crypto.digest(refresh),
                expires_at=at + tokens.REFRESH_LIFETIME,
            )
        )
        organization = await _home_of(session, user)
    return _tokens(secret, tokens.AccessToken(user, id_, organization), refresh, at)


async def refresh(database: Database, secret: bytes, token: str) -> SessionTokens:
    """Trades a refresh token for the next one. A spent token ends the session it belongs to."""
    at, id_ = now(), tokens.session_of_refresh(token)
    next_token = tokens.new_refresh(id_) if id_ else ""
    async with unscoped.begin(database) as session:
        login_session = await session.get(LoginSession, id_, with_for_update=True) if id_ else None
        rotated = login_session is not None and _rotate(login_session, token, next_token, at)
        organization = await _home_of(session, login_session.user_id) if login_session and rotated else None
    if not login_session or not rotated:
        raise Refusal(Code.UNAUTHENTICATED, "the refresh token is not valid: log in again", ("refreshToken",))
    access = tokens.AccessToken(login_session.user_id, login_session.id, organization)
    return _tokens(secret, access, next_token, at)


async def logout(database: Database, session_id: UUID) -> None:
    """Ends the session: its refresh token and its access tokens are refused from now on."""
    end = update(LoginSession).where(LoginSession.id == session_id).values(ended_at=now())
    async with unscoped.begin(database) as session:
        await session.execute(end)


def _rotate(login_session: LoginSession, token: str, next_token: str, at: datetime) -> bool:
    if login_session.ended_at is not None or login_session.expires_at <= at:
        return False
    if not crypto.same(login_session.refresh_digest, crypto.digest(token)):
        login_session.ended_at = at
        return False
    login_session.refresh_digest = crypto.digest(next_token)
    login_session.refreshed_at = at
    return True


async def _home_of(session: AsyncSession, user: UUID) -> UUID | None:
    """The organization a person means who names none: the one joined first."""
    joined = (
        select(Membership.organization_id)
        .where(Membership.user_id == user)
        .order_by(Membership.created_at, Membership.organization_id)
        .limit(1)
    )
    home: UUID | None = await session.scalar(joined)
    return home


def _tokens(secret: bytes, access: tokens.AccessToken, refresh_token: str, at: datetime) -> SessionTokens:
    return SessionTokens(tokens.issue_access(secret, access, at), refresh_token, at + tokens.ACCESS_LIFETIME)
