"""POST /v1/{track,identify,page,screen,group,alias,batch}: Segment's Tracking API, so that its SDKs can send here."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.connectors.providers import segment
from app.core.batches import ErrorPolicy
from app.core.clock import now
from app.core.errors import Problem, Refusal
from app.identity.permissions import Permission
from app.identity.principals import Credentials
from app.signals.observations import Observation
from graph.core.bodies import parsed, raw_body
from graph.http.door import permitted
from graph.http.problems import problem, shown
from graph.server import Server

CALLS = ("track", "identify", "page", "screen", "group", "alias", "batch")
MAX_BATCH_BYTES = 512_000


class SegmentDoor:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, request: Request) -> Response:
        """Takes the calls. As Segment does, a call that is no good is left out and the others are taken."""
        call = request.path_params["call"]
        if call not in CALLS:
            return problem(404, "there is nothing at this address")
        body = parsed(await raw_body(request, MAX_BATCH_BYTES))
        key = segment.write_key(request.headers.get("authorization"), body)
        credentials = Credentials(key) if key else None
        principal = await permitted(self._server, request, credentials, Permission.SIGNALS_WRITE)
        try:
            said = segment.observations(call, body, now())
        except Refusal as refusal:
            return problem(400, str(refusal))  # the status on which Segment's SDKs do not send again
        good = [one for one in said if isinstance(one, Observation)]
        if good:
            await self._server.intake.accept(principal.tenant, good, ErrorPolicy.REJECT_ALL)
        dropped = [shown(one.under(i)) for i, one in enumerate(said) if isinstance(one, Problem)]
        if dropped and not good:
            return problem(400, "no call of the batch can be taken", errors=dropped)
        answer = {"success": True, **({"dropped": dropped} if dropped else {})}
        return Response(orjson.dumps(answer), media_type="application/json")
