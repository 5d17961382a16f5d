"""What can be asked of connections."""

from app.connectors.models import ProviderConnection
from app.core.filters import Filterable
from app.core.lists import Listing

CONNECTIONS = Filterable(
    ProviderConnection,
    columns={
        "id": ProviderConnection.id,
        "provider": ProviderConnection.provider,
        "status": ProviderConnection.status,
        "created_at": ProviderConnection.created_at,
    },
)
CONNECTION_LIST = Listing(CONNECTIONS, sorts={"created_at": ProviderConnection.created_at})
