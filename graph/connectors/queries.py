"""Asking for connections."""

import strawberry

from app.connectors.queries import CONNECTION_LIST
from app.identity.permissions import Permission
from graph.core.fields import listing, one

_READ = Permission.CONNECTIONS_READ


@strawberry.type
class Query:
    connection = one(CONNECTION_LIST, _READ, "The connection with this id; null where there is none.")
    connections = listing(CONNECTION_LIST, _READ, "The connections to providers, newest first.")
