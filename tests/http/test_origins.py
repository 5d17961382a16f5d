"""Pages on other origins: those that the operator named may call, others may not."""

import pytest
from httpx2 import ASGITransport, AsyncClient

from app.core.config import Settings
from graph.asgi import application_with

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.mark.parametrize(("origin", "welcome"), [("https://app.example.com", True), ("https://evil.example", False)])
async def test_a_page_may_call_only_from_a_named_origin(chosen_settings: Settings, origin: str, welcome: bool) -> None:
    named = chosen_settings.model_copy(update={"allowed_origins": "https://app.example.com"})
    transport = ASGITransport(application_with(named))
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.options("/graphql", headers={"Origin": origin, **PREFLIGHT})
    assert (answer.headers.get("access-control-allow-origin") == origin) is welcome
