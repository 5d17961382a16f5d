"""Clients from npm, where it can install them: Segment's SDK for Node, and GitHub's published webhook payloads."""

import asyncio
import hashlib
import hmac
import re
import secrets
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from httpx2 import AsyncClient

from app.signals.models import Signal
from tests.factories.books import books, count_of, rows_of
from tests.factories.tenants import Tenant
from tests.factories.web import Web

PACKAGES = {"@segment/analytics-node": "3.1.0", "@octokit/webhooks-examples": "7.6.1"}
CONNECT = 'mutation { connectionConnect(input: {provider: "github"}) { webhookUrl webhookSecret } }'
SILENT = {"ping", "watch"}


@pytest.fixture(scope="session")
def modules(pytestconfig: pytest.Config) -> Path:
    """A folder with the packages installed, kept between runs; skips where they cannot be had."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs node and npm")
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    name = "node-" + hashlib.sha256(" ".join(wanted).encode()).hexdigest()[:12]
    folder: Path = pytestconfig.cache.mkdir(name)  # type: ignore[union-attr]
    if not (folder / "complete").exists():
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--prefix", str(folder)]
        command = ["npm", "install", *options, *wanted]
        try:
            made = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not answer in time")
        if made.returncode:
            pytest.skip(f"npm cannot install: {made.stderr[-300:]}")
        (folder / "complete").touch()
    return folder


async def test_segments_node_sdk_delivers_every_call(modules: Path, web: Web, tenant: Tenant) -> None:
    script = modules / "segment.mjs"
    shutil.copy(Path(__file__).with_name("segment.mjs"), script)
    process = await asyncio.create_subprocess_exec(
        "node", str(script), web.url, tenant.key, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    ended = await books(tenant.database, tenant.id)
    types = {type_: count for (type_, _, _), count in ended.signals.items()}
    assert types.pop("feature_used") == 50
    assert types == dict.fromkeys(("page_view", "screen_view", "order_completed", "alias", "identify", "group"), 1)
    assert {(contact, company) for _, contact, company in ended.signals} == {
        ("ann@segment-node.dev", "segment-node.dev")
    }


def examples(modules: Path) -> list[tuple[str, bytes]]:
    """Event and body of every published payload."""
    path = modules / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"
    found = orjson.loads(path.read_bytes())
    return [(kind["name"], orjson.dumps(payload)) for kind in found for payload in kind["examples"]]


async def test_every_published_github_payload_becomes_a_signal(modules: Path, web: Web, tenant: Tenant) -> None:
    made = (await tenant.ask(CONNECT))["connectionConnect"]
    address = made["webhookUrl"].partition("/hooks/")[2]
    sent = examples(modules)
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
