"""Connecting providers."""

import strawberry

from app.connectors import connections
from app.connectors.models import ProviderConnection as ConnectionModel
from app.identity.permissions import Permission
from graph.connectors.types import ProviderConnection
from graph.context import Info
from graph.core.idempotency import shown_once
from graph.core.mutation import Payload, mutation
from graph.core.node import as_node, key_of, public_id

_MANAGE = Permission.CONNECTIONS_MANAGE


@strawberry.input(description="A provider to connect.")
class ConnectionConnectInput:
    provider: str = strawberry.field(description="The provider's short name: `github`.")


@strawberry.input(description="The connection to end.")
class ConnectionDisconnectInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="A connection as a mutation left it.")
class ConnectionPayload(Payload):
    connection: ProviderConnection | None = strawberry.field(
        default=None, description="The connection; null when refused."
    )
    webhook_url: str | None = strawberry.field(default=None, description="Where the provider shall send its webhooks.")
    webhook_secret: str | None = shown_once("What the provider shall sign them with: shown this once.")


@strawberry.type
class Mutation:
    @mutation(ConnectionPayload, _MANAGE, "Connects a provider: gives the URL and secret for its webhooks.")
    async def connection_connect(self, info: Info, input: ConnectionConnectInput) -> ConnectionPayload:
        settings = info.context.settings
        made, secret = connections.connect(info.context.work, input.provider, settings.secret_bytes)
        address = connections.webhook_url(settings.public_url, made.provider, public_id(ConnectionModel, made.id))
        return ConnectionPayload(connection=as_node(made), webhook_url=address, webhook_secret=secret)

    @mutation(ConnectionPayload, _MANAGE, "Ends a connection: its webhooks are refused from now on.")
    async def connection_disconnect(self, info: Info, input: ConnectionDisconnectInput) -> ConnectionPayload:
        ended = await connections.disconnect(info.context.work, key_of(ConnectionModel, input.id))
        return ConnectionPayload(connection=as_node(ended))
