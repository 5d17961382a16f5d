"""Request bodies: read whole under a cap, compressed or not, and parsed without surprises."""

import asyncio
import zlib
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

BODY_SECONDS = 30
MAX_VALUES = 200_000
_MAX_MEMBERS = 100


class BodyError(Exception):
    """A body that cannot be read: the HTTP status and a sentence for the sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def raw_body(request: Request, limit: int) -> bytes:
    """The body, decompressed; 413 over the limit before or after, 415 for an unknown encoding, 408 where it drips."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise BodyError(413, f"the body is over {limit} bytes")
    except ClientDisconnect:
        raise BodyError(400, "the body ended early") from None
    except TimeoutError:
        raise BodyError(408, f"the body did not arrive within {BODY_SECONDS} seconds") from None
    match request.headers.get("content-encoding", "identity").strip().lower():
        case "identity" | "":
            return bytes(body)
        case "gzip" | "x-gzip":
            return _gunzip(bytes(body), limit)
        case other:
            raise BodyError(415, f"content encoding {other[:20]} is not understood: use gzip or none")


async def json_body(request: Request, limit: int, most: int = MAX_VALUES) -> Any:
    """The body as JSON; 415 unless it says it is JSON, 400 where it is not."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise BodyError(415, "the content type must be application/json")
    return parsed(await raw_body(request, limit), most)


def parsed(body: bytes, most: int = MAX_VALUES) -> Any:
    """The JSON value of a body. The parser itself refuses more than 1,024 levels; records allow far fewer."""
    if body.count(b",") > most:  # to look at each of so many values takes too long
        raise BodyError(413, f"the body holds more than {most} values")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(400, f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None


def _gunzip(body: bytes, limit: int) -> bytes:
    plain = bytearray()
    for _ in range(_MAX_MEMBERS):  # a gzip file may have several members, one after the other
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            plain += unpacker.decompress(body, limit + 1 - len(plain))
        except zlib.error:
            raise BodyError(400, "the body is not gzip") from None
        if len(plain) > limit:
            raise BodyError(413, f"the body is over {limit} bytes once decompressed")
        if not unpacker.eof:
            raise BodyError(400, "the gzip body ends early")
        body = unpacker.unused_data
        if not body:
            return bytes(plain)
    raise BodyError(400, f"the gzip body has more than {_MAX_MEMBERS} members")
