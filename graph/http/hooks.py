"""POST /hooks/{provider}/{connectionId}: what providers send, believed only with their signature."""

from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.connectors import connections
from app.connectors.connections import INBOUND
from app.connectors.models import ProviderConnection
from app.core.clock import now
from app.core.errors import Code, Refusal
from app.core.work import Reads, work
from app.identity import routes
from app.signals import ingest
from graph.core.bodies import parsed, raw_body
from graph.core.node import key_of
from graph.http.problems import problem
from graph.server import Server

MAX_BYTES = 25 * 1024 * 1024
MAX_VALUES = 1_000_000


class HooksDoor:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, request: Request) -> Response:
        """Takes a delivery: 202 once it is stored, 401 for a wrong signature, 404 for no such connection."""
        provider = request.path_params["provider"]
        inbound = INBOUND.get(provider)
        if inbound is None:
            raise Refusal(Code.NOT_FOUND, "there is no such connection")
        id_ = self._connection(request.path_params["connection_id"])
        tenant = await routes.tenant_of(self._server.database, id_)
        if tenant is None:
            raise Refusal(Code.NOT_FOUND, "there is no such connection")
        self._server.requests.count(id_)
        async with Reads(self._server.database, tenant) as reads:
            secret = await connections.open_secret(reads, provider, id_, self._server.settings.secret_bytes)
        body = await raw_body(request, MAX_BYTES)
        if not inbound.signed(secret, body, request.headers.get(inbound.signature_header)):
            return problem(401, "the signature does not fit the body")
        payload = parsed(body, MAX_VALUES)
        delivery = request.headers.get(inbound.delivery_header, "")
        event = request.headers.get(inbound.event_header, "")
        if not isinstance(payload, dict) or not event or not delivery:
            return problem(400, "the delivery has no event, no id, or no object for a body")
        observation = inbound.observe(event, delivery, payload, now())
        async with work(self._server.database, tenant) as unit:
            receipts = [] if observation is None else await ingest.accept(unit, [observation])
            await connections.note_delivery(unit, id_)
        answer = {"stored": any(not receipt.duplicate for receipt in receipts)}
        return Response(orjson.dumps(answer), 202, media_type="application/json")

    @staticmethod
    def _connection(text: str) -> UUID:
        try:
            return key_of(ProviderConnection, text)
        except Refusal:
            raise Refusal(Code.NOT_FOUND, "there is no such connection") from None
