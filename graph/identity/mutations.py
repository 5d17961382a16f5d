"""Registering, logging in and out, organizations and API keys."""

import strawberry

from app.core.errors import Code, Refusal
from app.identity import api_keys, organizations, sessions, users
from app.identity.models import ApiKey as ApiKeyModel
from app.identity.permissions import Permission
from app.identity.records import (
    ApiKeyRecord,
    Credentials,
    OrganizationPatch,
    OrganizationRecord,
    Registration,
)
from graph.context import Info
from graph.core.idempotency import shown_once
from graph.core.inputs import RecordInput, says
from graph.core.mutation import Payload, account_mutation, mutation
from graph.core.node import as_node, key_of
from graph.identity.types import ApiKey, Organization, Session


@says(Registration)
class RegisterInput(RecordInput[Registration]):
    """A person to register."""


@says(Credentials)
class LoginInput(RecordInput[Credentials]):
    """What a person logs in with."""


@strawberry.input(description="The token to trade for the next pair.")
class RefreshInput:
    refresh_token: str = strawberry.field(description="The newest refresh token of the session.")


@says(OrganizationRecord)
class OrganizationCreateInput(RecordInput[OrganizationRecord]):
    """An organization to add."""


@says(OrganizationPatch)
class OrganizationUpdateInput(RecordInput[OrganizationPatch]):
    """What to change of the organization: a field left out stays."""


@says(ApiKeyRecord)
class ApiKeyCreateInput(RecordInput[ApiKeyRecord]):
    """A key to make."""


@strawberry.input(description="The key to revoke.")
class ApiKeyRevokeInput:
    id: strawberry.ID = strawberry.field(description="Its id.")


@strawberry.type(description="A log-in, or why there is none.")
class SessionPayload(Payload):
    session: Session | None = strawberry.field(default=None, description="The tokens; null when refused.")


@strawberry.type(description="The end of a log-in.")
class LogoutPayload(Payload):
    done: bool = strawberry.field(default=False, description="Whether the session has ended.")


@strawberry.type(description="An organization as a mutation left it.")
class OrganizationPayload(Payload):
    organization: Organization | None = strawberry.field(
        default=None, description="The organization; null when refused."
    )


@strawberry.type(description="An API key as a mutation left it.")
class ApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(default=None, description="The key's record; null when refused.")
    secret: str | None = shown_once("The key itself, shown this once: it is not kept and cannot be shown again.")


@strawberry.type
class Mutation:
    @account_mutation(SessionPayload, "Registers a person and logs them in.", signed_in=False)
    async def register(self, info: Info, input: RegisterInput) -> SessionPayload:
        context = info.context
        user = await users.register(context.database, input.record())
        opened = await sessions.open_session(context.database, context.settings.secret_bytes, user)
        return SessionPayload(session=as_node(opened))

    @account_mutation(SessionPayload, "Logs a person in.", signed_in=False)
    async def login(self, info: Info, input: LoginInput) -> SessionPayload:
        context = info.context
        opened = await sessions.login(
            context.database, context.settings.secret_bytes, input.record(), context.server.passwords, context.address
        )
        return SessionPayload(session=as_node(opened))

    @account_mutation(
        SessionPayload,
        "Trades a refresh token for the next pair. A token that was traded before ends the whole session.",
        signed_in=False,
    )
    async def refresh(self, info: Info, input: RefreshInput) -> SessionPayload:
        context = info.context
        opened = await sessions.refresh(context.database, context.settings.secret_bytes, input.refresh_token)
        return SessionPayload(session=as_node(opened))

    @account_mutation(LogoutPayload, "Ends the session of the access token that asks.", signed_in=True)
    async def logout(self, info: Info) -> LogoutPayload:
        principal = info.context.principal
        if principal.session is None:
            raise Refusal(Code.FORBIDDEN, "an API key has no session: revoke it instead")
        await sessions.logout(info.context.database, principal.session)
        return LogoutPayload(done=True)

    @account_mutation(OrganizationPayload, "Adds an organization; its creator becomes OWNER.", signed_in=True)
    async def organization_create(self, info: Info, input: OrganizationCreateInput) -> OrganizationPayload:
        principal = info.context.principal
        if principal.user is None:
            raise Refusal(Code.FORBIDDEN, "only a signed-in person may do this, not an API key")
        made = await organizations.create(info.context.database, principal.user, input.record())
        return OrganizationPayload(organization=as_node(made))

    @mutation(OrganizationPayload, Permission.ORGANIZATION_UPDATE, "Changes the organization.")
    async def organization_update(self, info: Info, input: OrganizationUpdateInput) -> OrganizationPayload:
        changed = await organizations.update(info.context.work, input.record())
        return OrganizationPayload(organization=as_node(changed))

    @mutation(ApiKeyPayload, Permission.API_KEYS_MANAGE, "Makes an API key; its text is shown this once.")
    async def api_key_create(self, info: Info, input: ApiKeyCreateInput) -> ApiKeyPayload:
        principal = info.context.principal
        key, secret = api_keys.create(
            info.context.work, input.record(), user=principal.user, allowed=principal.permissions
        )
        return ApiKeyPayload(api_key=as_node(key), secret=secret)

    @mutation(ApiKeyPayload, Permission.API_KEYS_MANAGE, "Revokes an API key: it is refused from now on.")
    async def api_key_revoke(self, info: Info, input: ApiKeyRevokeInput) -> ApiKeyPayload:
        key = await api_keys.revoke(info.context.work, key_of(ApiKeyModel, input.id))
        return ApiKeyPayload(api_key=as_node(key))
