"""The limit: the same answers by hand-written asyncpg and orjson in a bare ASGI application under the same uvicorn.

It does what no honest server can leave out: looks the key up by its digest, binds the transaction to the organization,
and reads and writes as the role that row level security holds."""

import argparse
import base64
import gc
import hashlib
import os
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn

from app.core.db import SERVER_ROLE, driver_url
from app.core.ids import decode_id, encode_id, id_at
from bench import reference_sql as sql

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Answer = Callable[[asyncpg.Connection, Scope, bytes], Awaitable[Any]]

_COMPANY = (
    *("name", "domain", "website", "industry", "employees", "description", "country", "lifecycle", "source"),
    *("createdAt", "updatedAt"),
)


class Unknown(Exception):
    """No such key, or no such address."""


async def company(connection: asyncpg.Connection, scope: Scope, _: bytes) -> Any:
    id_ = decode_id(scope["path"].rpartition("/")[2])[1]
    row = await connection.fetchrow(sql.COMPANY, scope["organization"], id_)
    if row is None:
        return {"company": None}
    return {"company": {"id": encode_id("company", id_), **dict(zip(_COMPANY, row, strict=True))}}


async def companies(connection: asyncpg.Connection, scope: Scope, _: bytes) -> Any:
    organization = scope["organization"]
    rows = await connection.fetch(sql.COMPANIES, organization)
    ids = [row[0] for row in rows]
    contacts: dict[UUID, list[Any]] = {id_: [] for id_ in ids}
    signals: dict[UUID, list[Any]] = {id_: [] for id_ in ids}
    for parent, id_, first, last, email, title, status, created in await connection.fetch(
        sql.CONTACTS, organization, ids
    ):
        contacts[parent].append(
            {
                "id": encode_id("contact", id_),
                "firstName": first,
                "lastName": last,
                "email": email,
                "title": title,
                "status": status,
                "createdAt": created,
            }
        )
    for parent, id_, type_, source, occurred, properties in await connection.fetch(sql.SIGNALS, organization, ids):
        signals[parent].append(
            {
                "id": encode_id("signal", id_),
                "type": type_,
                "source": source,
                "occurredAt": occurred,
                "properties": orjson.Fragment(properties),
            }
        )
    nodes = [
        {
            "id": encode_id("company", row[0]),
            "name": row[1],
            "domain": row[2],
            "industry": row[3],
            "employees": row[4],
            "country": row[5],
            "lifecycle": row[6],
            "createdAt": row[7],
            "contacts": {"nodes": contacts[row[0]]},
            "signals": {"nodes": signals[row[0]]},
        }
        for row in rows
    ]
    return {"companies": {"nodes": nodes}}


async def signals(connection: asyncpg.Connection, scope: Scope, _: bytes) -> Any:
    nodes = [
        {
            "id": encode_id("signal", row[0]),
            "type": row[1],
            "source": row[2],
            "occurredAt": row[3],
            "receivedAt": row[4],
            "properties": orjson.Fragment(row[5]),
            "companyRule": row[6],
            "company": row[7]
            and {"id": encode_id("company", row[7]), "name": row[8], "domain": row[9], "lifecycle": row[10]},
            "contact": row[11]
            and {
                "id": encode_id("contact", row[11]),
                "firstName": row[12],
                "lastName": row[13],
                "email": row[14],
                "title": row[15],
            },
        }
        for row in await connection.fetch(sql.FEED, scope["organization"])
    ]
    return {"signals": {"nodes": nodes}}


async def top(connection: asyncpg.Connection, scope: Scope, _: bytes) -> Any:
    nodes = [
        {
            "id": encode_id("company", row[0]),
            "name": row[1],
            "domain": row[2],
            "score": {
                "value": row[3],
                "tier": row[4],
                "trend": row[5],
                "computedAt": row[6],
                "model": {"id": encode_id("scoringmodel", row[7]), "version": row[8]},
                "factors": orjson.Fragment(row[9]),
            },
        }
        for row in await connection.fetch(sql.TOP, scope["organization"])
    ]
    return {"topCompanies": nodes}


async def ingest(connection: asyncpg.Connection, scope: Scope, body: bytes) -> Any:
    said = orjson.loads(body)
    organization, now = scope["organization"], datetime.now(UTC)
    id_ = id_at(now)
    known = await connection.fetchrow(sql.ACTOR, organization, said["email"])
    identity, contact, employer = known or (None, None, None)
    event = orjson.dumps({"signals": [str(id_)], "companies": [str(employer)]}).decode()
    cursor = await connection.fetchval(
        sql.INGEST,
        organization,
        id_,
        f"{said['source']} {said['externalId']}",
        said["type"],
        said["source"],
        now,
        orjson.dumps(said["properties"]).decode(),
        identity,
        contact,
        employer,
        event,
    )
    return {"signalId": encode_id("signal", id_), "companyId": employer and encode_id("company", employer), "c": cursor}


_DOORS: dict[str, tuple[str, Answer]] = {
    "company": ("READ ONLY", company),
    "companies": ("READ ONLY", companies),
    "signals": ("READ ONLY", signals),
    "top": ("READ ONLY", top),
    "ingest": ("READ WRITE", ingest),
}


class Reference:
    """The application; its pool opens with the process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == "/readyz":
            await _respond(send, 200, b"{}")
        else:
            try:
                status, body = 200, orjson.dumps({"data": await self._answer(scope, await _body(receive))})
            except (Unknown, KeyError, ValueError):
                status, body = 404, b"{}"
            await _respond(send, status, body)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        settings = {"role": SERVER_ROLE, "jit": "off"}
        self._pool = await asyncpg.create_pool(
            driver_url(self._url), min_size=1, max_size=10, server_settings=settings, reset=_nothing
        )
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._pool.terminate()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, body: bytes) -> Any:
        mode, answer = _DOORS[scope["path"].split("/")[1]]
        token = next(value for name, value in scope["headers"] if name == b"authorization")[7:]
        scope["organization"] = organization = _organization(token)
        async with self._pool.acquire() as connection:
            level = "REPEATABLE READ" if mode == "READ ONLY" else "READ COMMITTED"
            await connection.execute(f"BEGIN ISOLATION LEVEL {level} {mode}; SELECT set_tenant('{organization}')")
            try:
                key = await connection.fetchrow(sql.KEY, organization, hashlib.sha256(token).digest())
                if key is None or key["revoked_at"] or (key["expires_at"] and key["expires_at"] < datetime.now(UTC)):
                    raise Unknown
                return await answer(connection, scope, body)
            finally:
                await connection.execute("COMMIT")


def _organization(token: bytes) -> UUID:
    if not token.startswith(b"dsk_") or f"{zlib.crc32(token[:-8]):08x}".encode() != token[-8:]:
        raise Unknown
    return UUID(bytes=base64.b32decode(token[4:-8].upper())[:16])


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return bytes(body)


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _nothing(connection: asyncpg.Connection) -> None:
    """As in our server: nothing outlives its transaction."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.reference")
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(
        Reference(os.environ["DATABASE_URL"]),
        host="127.0.0.1",
        port=parser.parse_args().port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        limit_concurrency=2_000,
        backlog=1_024,
    )


if __name__ == "__main__":
    main()
