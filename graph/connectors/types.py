"""A connection as a client sees it."""

from strawberry import auto

from app.connectors.models import ProviderConnection as ConnectionModel
from app.connectors.queries import CONNECTION_LIST
from app.identity.permissions import Permission
from graph.core.node import Node, entity


@entity(ConnectionModel, permission=Permission.CONNECTIONS_READ, fetch=CONNECTION_LIST.every)
class ProviderConnection(Node):
    provider: auto
    status: auto
    received_count: auto
    last_received_at: auto
    created_at: auto
