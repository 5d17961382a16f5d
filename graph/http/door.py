"""What every plain HTTP door does around its own work: credentials, refusals, bugs kept from the client."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import Code, Refusal
from app.core.outages import as_refusal
from app.identity.permissions import Permission
from app.identity.principals import ANONYMOUS, Credentials, Principal, authenticate
from graph.core.asker import address_of, asker_of
from graph.core.bodies import BodyError
from graph.core.credentials import credentials_of
from graph.core.permission import demand
from graph.http.problems import problem, refused
from graph.server import Server

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(endpoint: Endpoint) -> Endpoint:
    """Renders what the endpoint refuses as problem details."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refusal as refusal:
            return refused(refusal)
        except BodyError as error:
            return problem(error.status, str(error))
        except Exception as error:
            trouble = as_refusal(error)
            if trouble is None:
                raise
            return refused(trouble)

    answer.__doc__ = endpoint.__doc__
    return answer


async def asker(server: Server, request: Request, permission: Permission) -> Principal:
    """Who sends the request, if they may; a refusal otherwise."""
    return await permitted(server, request, credentials_of(request.headers), permission)


async def permitted(
    server: Server, request: Request, credentials: Credentials | None, permission: Permission
) -> Principal:
    if credentials is None:
        demand(ANONYMOUS, permission)
        raise Refusal(Code.UNAUTHENTICATED, "send an API key")
    principal, reads = await authenticate(server.database, server.settings.secret_bytes, credentials)
    await reads.close()
    request.state.asker = asker_of(principal, address_of(request.scope))
    server.requests.count(request.state.asker)
    demand(principal, permission)
    return principal
