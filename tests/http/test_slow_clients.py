"""Clients that open a connection and say nothing, or half of a request: they are not waited for for ever."""

import asyncio
from urllib.parse import urlsplit

import pytest

from app.core.config import Settings
from graph import protocol
from graph.core import bodies
from tests.factories.inside import serving

HALVES = {
    "silence": b"",
    "half a head": b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-",
    "half a second head": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea",
    "half a body": b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 90\r\n\r\n{",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES.keys())
async def test_half_a_request_is_given_up(
    chosen_settings: Settings, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.3)
    async with serving(chosen_settings) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(sent)
        async with asyncio.timeout(3):
            said = await reader.read()
        writer.close()
    assert (b"408 Request Timeout" in said) is (sent == HALVES["half a body"])
