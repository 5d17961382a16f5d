"""What is kept of secrets: hashes and sealed boxes, never the secrets themselves."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from cryptography.exceptions import InvalidTag

from app.core import crypto
from app.core.config import Settings, settings
from app.core.db import driver_url
from app.identity import passwords, sessions
from tests.contracts.tables import everything
from tests.factories.tenants import Tenant


@pytest.fixture
async def owner(chosen_settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(driver_url(chosen_settings.database_url.get_secret_value()))
    yield connection
    await connection.close()


async def test_no_secret_is_in_any_table(tenant: Tenant, owner: asyncpg.Connection) -> None:
    opened = await sessions.open_session(tenant.database, settings().secret_bytes, tenant.user)
    connected = await tenant.ask('mutation { connectionConnect(input: {provider: "github"}) { webhookSecret } }')
    kept = await everything(owner)
    for secret in (
        tenant.password,
        tenant.key,
        tenant.key.removeprefix("dsk_")[:64],
        tenant.access_token,
        opened.refresh_token,
        connected["connectionConnect"]["webhookSecret"],
    ):
        assert secret not in kept
        assert secret.encode().hex() not in kept
    assert tenant.email in kept, "the question finds what is there"


async def test_a_password_is_kept_as_argon2id(tenant: Tenant, owner: asyncpg.Connection) -> None:
    stored = await owner.fetchval("SELECT password_hash FROM users WHERE id = $1", tenant.user)
    assert extract_parameters(stored).type is Type.ID
    assert PasswordHasher().verify(stored, tenant.password)


async def test_a_key_is_kept_as_a_digest(tenant: Tenant, owner: asyncpg.Connection) -> None:
    digests = await owner.fetch("SELECT digest FROM api_keys WHERE organization_id = $1", tenant.id)
    assert [row["digest"] for row in digests] == [crypto.digest(tenant.key)]


async def test_nobody_s_password_matches() -> None:
    assert not await passwords.matches(None, "the password of nobody")
    assert not await passwords.matches("not a hash", "anything")


def test_a_sealed_secret_opens_in_its_own_context_only() -> None:
    secret = settings().secret_bytes
    sealed = crypto.seal(secret, b"plain", "connection:1")
    assert crypto.unseal(secret, sealed, "connection:1") == b"plain"
    assert b"plain" not in sealed
    for other, context in ((secret, "connection:2"), (b"x" * 32, "connection:1")):
        with pytest.raises(InvalidTag):
            crypto.unseal(other, sealed, context)
