"""Clients from npm, where it can install them: Segment's SDK for Node, and GitHub's published webhook payloads."""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections import Counter
from typing import Any

import orjson
from httpx2 import AsyncClient

from app.signals.models import Signal
from tests.factories.books import books, count_of, rows_of
from tests.factories.tenants import Tenant
from tests.factories.web import Web
from tests.journeys.conftest import Node

CONNECT = 'mutation { connectionConnect(input: {provider: "github"}) { webhookUrl webhookSecret } }'
SILENT = {"ping", "watch"}


async def test_segments_node_sdk_delivers_every_call(node: Node, web: Web, tenant: Tenant) -> None:
    await node.run("segment.mjs", web.url, tenant.key)
    ended = await books(tenant.database, tenant.id)
    types = {type_: count for (type_, _, _), count in ended.signals.items()}
    assert types.pop("feature_used") == 50
    assert types == dict.fromkeys(("page_view", "screen_view", "order_completed", "alias", "identify", "group"), 1)
    assert {(contact, company) for _, contact, company in ended.signals} == {
        ("ann@segment-node.dev", "segment-node.dev")
    }


def examples(node: Node) -> list[tuple[str, bytes]]:
    """Event and body of every published payload."""
    path = node.modules / "@octokit/webhooks-examples/api.github.com/index.json"
    found = orjson.loads(path.read_bytes())
    return [(kind["name"], orjson.dumps(payload)) for kind in found for payload in kind["examples"]]


async def test_every_published_github_payload_becomes_a_signal(node: Node, web: Web, tenant: Tenant) -> None:
    made = (await tenant.ask(CONNECT))["connectionConnect"]
    address = made["webhookUrl"].partition("/hooks/")[2]
    sent = examples(node)
    assert len(sent) > 200
    turns = asyncio.Semaphore(8)

    async with AsyncClient(base_url=web.url, timeout=30) as client:

        async def deliver(event: str, body: bytes, secret: str = made["webhookSecret"]) -> Any:
            signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            headers = {
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": secrets.token_hex(16),
                "X-Hub-Signature-256": f"sha256={signature}",
                "Content-Type": "application/json",
            }
            async with turns:
                return await client.post(f"/hooks/{address}", content=body, headers=headers)

        answers = await asyncio.gather(*(deliver(event, body) for event, body in sent))
        refused = [(event, a.text) for (event, _), a in zip(sent, answers, strict=True) if a.status_code != 202]
        assert refused == []
        forged = await asyncio.gather(*(deliver(event, body, "wrong") for event, body in sent[:20]))
        assert {answer.status_code for answer in forged} == {401}

    loud = [event for event, _ in sent if event not in SILENT]
    assert await count_of(tenant.database, tenant.id, Signal) == len(loud)
    stored = await rows_of(tenant.database, tenant.id, Signal)
    types = Counter(row.type for row in stored)
    assert all(re.fullmatch(r"github_[a-z0-9_.:-]+", type_) for type_ in types)
    for type_ in ("github_star", "github_fork", "github_issue_opened", "github_pull_request_opened", "github_push"):
        assert types[type_] >= 1, type_
