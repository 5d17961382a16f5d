"""The strings that clients carry: access tokens, refresh tokens, API keys."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from app.core import crypto

ACCESS_LIFETIME = timedelta(minutes=15)
REFRESH_LIFETIME = timedelta(days=30)
KEY_PREFIX = "dsk_"
_ISSUER = "devsignal"
_KEY_BODY = 64


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What an access token says: who, by which log-in, and the organization meant unless one is named."""

    user: UUID
    session: UUID
    organization: UUID | None


def issue_access(secret: bytes, token: AccessToken, at: datetime) -> str:
    claims = {
        "iss": _ISSUER,
        "sub": str(token.user),
        "sid": str(token.session),
        "org": str(token.organization) if token.organization else None,
        "iat": int(at.timestamp()),
        "exp": int((at + ACCESS_LIFETIME).timestamp()),
    }
    return jwt.encode({"alg": "HS256"}, claims, _signing_key(secret))


def read_access(secret: bytes, text: str, at: datetime) -> AccessToken | None:
    """What the token says, or None if it is forged, malformed or expired."""
    try:
        claims = jwt.decode(text, _signing_key(secret), algorithms=["HS256"]).claims
        if claims["iss"] != _ISSUER or claims["exp"] <= at.timestamp():
            return None
        organization = UUID(claims["org"]) if claims["org"] else None
        return AccessToken(UUID(claims["sub"]), UUID(claims["sid"]), organization)
    except (JoseError, KeyError, TypeError, ValueError, AttributeError):
        return None


def new_refresh(session: UUID) -> str:
    return base64.urlsafe_b64encode(session.bytes + secrets.token_bytes(32)).decode()


def session_of_refresh(text: str) -> UUID | None:
    try:
        raw = base64.urlsafe_b64decode(text)
    except (binascii.Error, ValueError):
        return None
    return UUID(bytes=raw[:16]) if len(raw) == 48 else None


def new_key(organization: UUID) -> str:
    """`dsk_` + 64 characters (the organization and 192 random bits) + an 8-digit CRC-32 of what precedes."""
    body = base64.b32encode(organization.bytes + secrets.token_bytes(24)).decode().lower()
    return f"{KEY_PREFIX}{body}{crypto.checksum(KEY_PREFIX + body):08x}"


def organization_of_key(text: str) -> UUID | None:
    """The organization that a well-formed key belongs to; None where the checksum does not fit."""
    head, tail = text[:-8], text[-8:]
    if len(text) != len(KEY_PREFIX) + _KEY_BODY + 8 or not text.startswith(KEY_PREFIX) or not text.isascii():
        return None
    if f"{crypto.checksum(head):08x}" != tail:
        return None
    try:
        return UUID(bytes=base64.b32decode(head[len(KEY_PREFIX) :].upper())[:16])
    except (binascii.Error, ValueError):
        return None


def _signing_key(secret: bytes) -> OctKey:
    return OctKey.import_key(crypto.derived(secret, "access-token"))
