"""Connecting GitHub: the URL and secret, signed deliveries, and what is refused."""

import hashlib
import hmac
import secrets
from typing import Any

import orjson
import pytest

from app.connectors.models import ProviderConnection
from app.identity.permissions import Permission
from app.signals.models import Signal
from tests.factories.books import books, count_of, rows_of
from tests.factories.tenants import Tenant

CONNECT = """mutation ($provider: String!) { connectionConnect(input: {provider: $provider}) {
  connection { id provider status } webhookUrl webhookSecret userErrors { code message path }
} }"""
DISCONNECT = """mutation ($id: ID!) { connectionDisconnect(input: {id: $id}) {
  connection { id status } userErrors { code path }
} }"""
LIST = "{ connections { nodes { id provider status receivedCount lastReceivedAt } } }"
STAR = {"action": "created", "sender": {"id": 42, "login": "jane", "type": "User"}}


async def connected(tenant: Tenant) -> tuple[str, str]:
    """A connection's id and secret."""
    made = (await tenant.ask(CONNECT, {"provider": "github"}))["connectionConnect"]
    return made["connection"]["id"], made["webhookSecret"]


async def deliver(tenant: Tenant, id_: str, secret: str | None, payload: Any = STAR, **said: str) -> Any:
    """What the door answers to a delivery; headers may be said otherwise."""
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    headers = {
        "X-GitHub-Event": "star",
        "X-GitHub-Delivery": secrets.token_hex(16),
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in said.items()},
    }
    if secret is not None:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers.setdefault("X-Hub-Signature-256", f"sha256={signature}")
    return await tenant.http.post(f"/hooks/{said.get('provider', 'github')}/{id_}", content=body, headers=headers)


async def test_connecting_gives_an_address_and_a_secret_once(tenant: Tenant) -> None:
    made = (await tenant.ask(CONNECT, {"provider": "github"}))["connectionConnect"]
    id_ = made["connection"]["id"]
    assert made["connection"] == {"id": id_, "provider": "github", "status": "ACTIVE"} and made["userErrors"] == []
    assert made["webhookUrl"].endswith(f"/hooks/github/{id_}")
    assert len(made["webhookSecret"]) >= 32
    [row] = await rows_of(tenant.database, tenant.id, ProviderConnection)
    assert made["webhookSecret"].encode() not in row.sealed_secret
    again = (await tenant.ask(CONNECT, {"provider": "github"}))["connectionConnect"]
    assert again["webhookSecret"] != made["webhookSecret"] and again["connection"]["id"] != id_


@pytest.mark.parametrize("provider", ["", "gitlab", "GitHub", "a\u0009b"])
async def test_an_unknown_provider_is_refused(tenant: Tenant, provider: str) -> None:
    made = (await tenant.ask(CONNECT, {"provider": provider}))["connectionConnect"]
    assert made["connection"] is None and made["webhookSecret"] is None
    assert [(error["code"], error["path"]) for error in made["userErrors"]] == [("INVALID", ["provider"])]


async def test_a_signed_delivery_is_accepted(tenant: Tenant) -> None:
    id_, secret = await connected(tenant)
    answer = await deliver(tenant, id_, secret)
    assert (answer.status_code, answer.json()) == (202, {"stored": True})
    assert (await books(tenant.database, tenant.id)).signals == {("github_star", "jane", None): 1}
    [shown] = (await tenant.ask(LIST))["connections"]["nodes"]
    assert shown["receivedCount"] == 1 and shown["lastReceivedAt"]


async def test_a_delivery_that_comes_again_is_stored_once(tenant: Tenant) -> None:
    id_, secret = await connected(tenant)
    answers = [await deliver(tenant, id_, secret, X_GitHub_Delivery="d1") for _ in range(3)]
    assert [(answer.status_code, answer.json()["stored"]) for answer in answers] == [
        (202, True),
        (202, False),
        (202, False),
    ]
    assert await count_of(tenant.database, tenant.id, Signal) == 1


@pytest.mark.parametrize(
    ("event", "payload", "type_"),
    [
        ("never_heard_of", {"action": "Turned Over!"}, "github_never_heard_of_turned_over"),
        ("issues", {"action": "opened", "issue": [], "sender": 7}, "github_issue_opened"),
        ("star", {}, "github_star"),
        ("push", {"repository": {"pushed_at": "never"}, "ref": "\x00"}, "github_push"),
    ],
)
async def test_any_shape_becomes_a_signal(tenant: Tenant, event: str, payload: Any, type_: str) -> None:
    id_, secret = await connected(tenant)
    answer = await deliver(tenant, id_, secret, payload, X_GitHub_Event=event)
    assert answer.status_code == 202, answer.text
    assert [row.type for row in await rows_of(tenant.database, tenant.id, Signal)] == [type_]


@pytest.mark.parametrize("event", ["ping", "watch"])
async def test_what_says_nothing_of_its_own_is_accepted_and_not_stored(tenant: Tenant, event: str) -> None:
    id_, secret = await connected(tenant)
    answer = await deliver(tenant, id_, secret, {"zen": "Design for failure."}, X_GitHub_Event=event)
    assert (answer.status_code, answer.json()) == (202, {"stored": False})


async def test_a_wrong_signature_is_refused(tenant: Tenant) -> None:
    id_, secret = await connected(tenant)
    _, other = await connected(tenant)
    refused = [
        await deliver(tenant, id_, None),
        await deliver(tenant, id_, other),
        await deliver(tenant, id_, None, X_Hub_Signature_256="sha256="),
        await deliver(tenant, id_, None, X_Hub_Signature="sha1=" + "0" * 40),
        await deliver(tenant, id_, secret, X_Hub_Signature_256="sha256=" + "0" * 64),
    ]
    assert {answer.status_code for answer in refused} == {401}
    assert await count_of(tenant.database, tenant.id, Signal) == 0


async def test_a_signed_delivery_that_is_none_is_refused(tenant: Tenant) -> None:
    id_, secret = await connected(tenant)
    refused = [
        *[await deliver(tenant, id_, secret, body) for body in (b"", b"[]", b"null", b"{", b"payload=%7B%7D")],
        await deliver(tenant, id_, secret, X_GitHub_Event=""),
        await deliver(tenant, id_, secret, X_GitHub_Delivery=""),
    ]
    assert {answer.status_code for answer in refused} == {400}
    assert await count_of(tenant.database, tenant.id, Signal) == 0


async def test_an_address_that_leads_nowhere_is_not_found(tenant: Tenant) -> None:
    id_, secret = await connected(tenant)
    for wrong in ("connection_01k9zzzzzzf8sbt0000000000x", "nonsense", tenant.public_id):
        assert (await deliver(tenant, wrong, secret)).status_code == 404
    assert (await deliver(tenant, id_, secret, provider="gitlab")).status_code == 404
    assert (await tenant.http.get(f"/hooks/github/{id_}")).status_code == 405


async def test_a_disconnected_connection_is_gone(tenant: Tenant) -> None:
    id_, secret = await connected(tenant)
    for _ in range(2):
        ended = (await tenant.ask(DISCONNECT, {"id": id_}))["connectionDisconnect"]
        assert ended == {"connection": {"id": id_, "status": "DISCONNECTED"}, "userErrors": []}
    assert (await deliver(tenant, id_, secret)).status_code == 404
    assert await count_of(tenant.database, tenant.id, Signal) == 0


async def test_another_organizations_connection_cannot_be_seen_or_ended(tenant: Tenant, other_tenant: Tenant) -> None:
    id_, secret = await connected(other_tenant)
    refused = (await tenant.ask(DISCONNECT, {"id": id_}))["connectionDisconnect"]
    assert refused == {"connection": None, "userErrors": [{"code": "NOT_FOUND", "path": ["id"]}]}
    assert (await tenant.ask(LIST))["connections"]["nodes"] == []
    assert (await deliver(tenant, id_, secret)).status_code == 202
    assert await count_of(tenant.database, tenant.id, Signal) == 0
    assert await count_of(other_tenant.database, other_tenant.id, Signal) == 1


async def test_connecting_needs_its_permission(tenant: Tenant) -> None:
    key = await tenant.new_key(Permission.CONNECTIONS_READ)
    answer = await tenant.answer(CONNECT, {"provider": "github"}, token=key)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await count_of(tenant.database, tenant.id, ProviderConnection) == 0
