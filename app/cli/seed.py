"""The demo organization: made once, so that a newcomer has something to log in to and a key to send with."""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import orjson
import typer

from app.core.clock import now
from app.core.config import settings
from app.core.db import Database
from app.core.embedded.place import write_private
from app.core.errors import Code, Refusal
from app.core.ids import encode_id
from app.core.work import work
from app.identity import api_keys, organizations, users
from app.identity.models import Organization
from app.identity.permissions import PERMISSIONS, PERSONAL, Role
from app.identity.records import ApiKeyRecord, OrganizationRecord, Registration
from app.signals.ingest import accept
from app.signals.observations import Identity, IdentityKind, Observation

_PEOPLE = (
    "ada@acme-robotics.com",
    "grace@acme-robotics.com",
    "linus@northwind-tools.com",
    "ken@initech-labs.com",
)
_STORY = ("github_star", "docs_view", "docs_view", "signup", "api_key_created", "api_call", "feature_usage")


def seed(
    demo_file: Annotated[Path, typer.Option(help="Where to write the demo's address, log-in and key.")],
    url: Annotated[str, typer.Option(help="Where the web process answers.")] = "http://127.0.0.1:8000",
) -> None:
    """Make the demo organization with a log-in, an API key and some signals, unless the file says it is there."""
    if demo_file.exists():
        kept = orjson.loads(demo_file.read_bytes())
        _write(demo_file, kept | {"url": url, "graphqlUrl": f"{url}/graphql"})
        return
    asyncio.run(_make(demo_file, url))


async def _make(demo_file: Path, url: str) -> None:
    password = secrets.token_urlsafe(12)
    async with Database.open(settings().database_url.get_secret_value(), pool_size=2) as database:
        email, user = await _register(database, password)
        made = await organizations.create(database, user, OrganizationRecord(name="Demo"))
        scopes = PERMISSIONS[Role.ADMIN]
        async with work(database, made.id) as unit:
            record = ApiKeyRecord(name="Demo key", scopes=scopes - PERSONAL)
            _, key = api_keys.create(unit, record, user=user, allowed=scopes)
        async with work(database, made.id) as unit:
            await accept(unit, _signals())
    demo = {
        "url": url,
        "graphqlUrl": f"{url}/graphql",
        "email": email,
        "password": password,
        "apiKey": key,
        "organizationId": encode_id(Organization.prefix, made.id),
    }
    _write(demo_file, demo)


async def _register(database: Database, password: str) -> tuple[str, UUID]:
    """A demo person; a second data folder on the same database gets one with a number."""
    for email in ("demo@devsignal.dev", f"demo-{secrets.token_hex(3)}@devsignal.dev"):
        with contextlib.suppress(Refusal):
            registration = Registration(email=email, password=password, name="Demo")
            return email, await users.register(database, registration)
    raise Refusal(Code.TAKEN, "the demo's addresses are taken")


def _signals() -> Sequence[Observation]:
    """A week in which four people of three companies find the product."""
    at = now()
    return [
        Observation(
            type=type_,
            source="demo",
            occurred_at=at - timedelta(hours=7 * (len(_STORY) - step) + 3 * place),
            key=f"{place}-{step}",
            people=(Identity(IdentityKind.EMAIL, email), Identity(IdentityKind.USER, email.split("@")[0])),
            properties={"path": "/docs/quickstart"} if type_ == "docs_view" else {},
        )
        for place, email in enumerate(_PEOPLE)
        for step, type_ in enumerate(_STORY[: len(_STORY) - place])
    ]


def _write(path: Path, demo: dict[str, str]) -> None:
    write_private(path, orjson.dumps(demo, option=orjson.OPT_INDENT_2).decode() + "\n")
