"""What a request carries to say who asks."""

from collections.abc import Mapping
from uuid import UUID

from app.core.errors import Code, Refusal
from app.identity.models import Organization
from app.identity.principals import Credentials
from graph.core.node import key_of


def credentials_of(headers: Mapping[str, str]) -> Credentials | None:
    """What the headers carry; names in lower case. None where they carry nothing."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme and scheme.lower() != "bearer":
        raise Refusal(Code.UNAUTHENTICATED, "the Authorization header must be `Bearer <token>`")
    token = token.strip() or headers.get("x-api-key", "").strip()
    if not token:
        return None
    chosen = headers.get("x-organization-id")
    return Credentials(token, _organization(chosen) if chosen else None)


def _organization(text: str) -> UUID:
    try:
        return key_of(Organization, text)
    except Refusal:
        raise Refusal(Code.INVALID, "X-Organization-Id is not the id of an organization") from None
