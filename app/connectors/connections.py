"""Connections: made with a secret of their own, found by the address that the provider calls."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from app.connectors.models import ConnectionStatus, ProviderConnection
from app.connectors.providers import github
from app.core import crypto
from app.core.errors import Code, Refusal
from app.core.work import Reads, Work
from app.identity.routes import open_route
from app.signals.observations import Observation


@dataclass(frozen=True, slots=True)
class Inbound:
    """How a provider's webhooks are checked and read. `observe` gives None for what is no signal."""

    signature_header: str
    event_header: str
    delivery_header: str
    signed: Callable[[bytes, bytes, str | None], bool]
    observe: Callable[[str, str, Mapping[str, Any], datetime], Observation | None]


INBOUND: dict[str, Inbound] = {
    "github": Inbound(
        "x-hub-signature-256",
        "x-github-event",
        "x-github-delivery",
        github.signature_matches,
        github.observation,
    )
}


def connect(work: Work, provider: str, secret_key: bytes) -> tuple[ProviderConnection, str]:
    """A connection, and the secret to give the provider: shown once, kept sealed."""
    if provider not in INBOUND:
        raise Refusal(Code.INVALID, f"must be one of: {', '.join(sorted(INBOUND))}", ("provider",))
    secret = secrets.token_urlsafe(32)
    connection = ProviderConnection(provider=provider, status=ConnectionStatus.ACTIVE)
    connection.id = open_route(work)
    connection.sealed_secret = crypto.seal(secret_key, secret.encode(), _context(connection.id))
    work.add(connection)
    return connection, secret


async def disconnect(work: Work, id_: UUID) -> ProviderConnection:
    """Takes nothing from the provider any more; doing it again changes nothing."""
    connection = await work.get(ProviderConnection, id_, noun="connection")
    connection.status = ConnectionStatus.DISCONNECTED
    return connection


async def open_secret(reads: Reads, provider: str, id_: UUID, secret_key: bytes) -> bytes:
    """The secret of an active connection; `NOT_FOUND` where there is none."""
    found = select(ProviderConnection.sealed_secret).where(
        ProviderConnection.id == id_,
        ProviderConnection.provider == provider,
        ProviderConnection.status == ConnectionStatus.ACTIVE,
    )
    sealed = await reads.value(found)
    if sealed is None:
        raise Refusal(Code.NOT_FOUND, "there is no such connection")
    return crypto.unseal(secret_key, sealed, _context(id_))


async def note_delivery(work: Work, id_: UUID) -> None:
    counted = (
        update(ProviderConnection)
        .where(ProviderConnection.id == id_)
        .values(received_count=ProviderConnection.received_count + 1, last_received_at=work.at)
        .execution_options(synchronize_session=False)
    )
    await work.run(counted)


def webhook_url(public_url: str, provider: str, public_id: str) -> str:
    return f"{public_url.rstrip('/')}/hooks/{provider}/{public_id}"


def _context(id_: UUID) -> str:
    return f"connection:{id_}"
