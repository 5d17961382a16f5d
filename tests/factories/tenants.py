"""Organizations for tests, with a way to ask as them."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient, Response

from app.core.config import settings
from app.core.db import Database
from app.core.ids import encode_id
from app.core.work import work
from app.identity import api_keys, organizations, sessions, users
from app.identity.models import Membership
from app.identity.permissions import PERMISSIONS, PERSONAL, Permission, Role
from app.identity.records import ApiKeyRecord, OrganizationRecord, Registration


@dataclass(frozen=True)
class Tenant:
    """An organization, its owner, and a key; `ask` sends GraphQL with the key, or with `token` where given."""

    id: UUID
    user: UUID
    email: str
    password: str
    key: str
    access_token: str
    http: AsyncClient
    database: Database

    @property
    def public_id(self) -> str:
        return encode_id("organization", self.id)

    async def post(self, query: str, variables: Any = None, *, token: str | None = None, **headers: str) -> Response:
        sent = {"Authorization": f"Bearer {token or self.key}", **headers}
        return await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=sent)

    async def answer(self, query: str, variables: Any = None, **options: Any) -> dict[str, Any]:
        """The whole answer, errors and all."""
        answer: dict[str, Any] = (await self.post(query, variables, **options)).json()
        return answer

    async def ask(self, query: str, variables: Any = None, **options: Any) -> dict[str, Any]:
        """The data; fails where there are top-level errors."""
        answer = await self.answer(query, variables, **options)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def ask_personally(self, query: str, variables: Any = None) -> dict[str, Any]:
        """Asks as the owner rather than with the key."""
        headers = {"X-Organization-Id": self.public_id}
        return await self.ask(query, variables, token=self.access_token, **headers)

    async def send(self, rows: Any, **headers: str) -> Response:
        """Sends signals to POST /v1/signals."""
        return await self.http.post(
            "/v1/signals", json=rows, headers={"Authorization": f"Bearer {self.key}", **headers}
        )

    async def new_key(self, *scopes: Permission) -> str:
        """A key with these scopes only."""
        return await _key(self.database, self.id, self.user, frozenset(scopes))


async def make_tenant(database: Database, http: AsyncClient) -> Tenant:
    email, password = f"{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(12)
    user = await users.register(database, Registration(email=email, password=password))
    made = await organizations.create(database, user, OrganizationRecord(name="Test"))
    opened = await sessions.open_session(database, settings().secret_bytes, user)
    key = await _key(database, made.id, user, PERMISSIONS[Role.OWNER] - PERSONAL)
    return Tenant(made.id, user, email, password, key, opened.access_token, http, database)


async def _key(database: Database, tenant: UUID, user: UUID, scopes: frozenset[Permission]) -> str:
    async with work(database, tenant) as unit:
        record = ApiKeyRecord(name="test", scopes=scopes)
        _, text = api_keys.create(unit, record, user=user, allowed=PERMISSIONS[Role.OWNER])
    return text


async def person(database: Database, tenant: UUID | None = None, role: Role = Role.VIEWER) -> tuple[UUID, str]:
    """A registered person, a member where an organization is given, with an access token."""
    email = f"{secrets.token_hex(6)}@example.com"
    user = await users.register(database, Registration(email=email, password=secrets.token_urlsafe(12)))
    if tenant is not None:
        async with work(database, tenant) as unit:
            unit.add(Membership(user_id=user, role=role))
    opened = await sessions.open_session(database, settings().secret_bytes, user)
    return user, opened.access_token
