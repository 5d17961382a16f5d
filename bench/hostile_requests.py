"""Requests that mean harm, as data: what goes over the wire at which door, and how it may be answered.

`CATALOG` holds them; `send` plays one over a connection of its own and tells what came back."""

import asyncio
import base64
import contextlib
import gzip
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import orjson

MEGABYTE = 1024 * 1024
BOMB_LEVELS = 60
PATIENCE_SECONDS = 20.0

REFUSED = "refused"  # a status of the 400s
ERRORS = "errors"  # 200, and in it nothing but GraphQL errors
TAKEN = "taken"  # a status of the 200s: odd, but harmless
CLOSED = "closed"  # the connection ends without an answer, or the socket with a close code


@dataclass(frozen=True, slots=True)
class Target:
    """The server's address, and somebody's API key and webhook connection there."""

    host: str
    port: int
    key: str
    connection: str


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request: `build` makes its bytes, `answers` are the kinds of answers that are all right.

    `framed`: the bytes open a WebSocket, and what follows the head is frames."""

    name: str
    build: Callable[[Target], bytes]
    answers: frozenset[str]
    framed: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back: the kind of the answer, its status (or the close code), its text, and the seconds it took."""

    kind: str
    status: int
    text: bytes
    seconds: float


# --- how requests are made ---------------------------------------------------------------------------------------

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


def head(target: Target, line: str, *headers: str) -> bytes:
    return "\r\n".join([line, f"Host: {target.host}:{target.port}", *headers, "", ""]).encode("latin-1")


def post(target: Target, path: str, body: bytes, *headers: str, kind: str = JSON, accept: str = GRAPHQL_JSON) -> bytes:
    """A POST with the key; GraphQL is answered with the status that it deserves."""
    common = (f"Content-Type: {kind}", f"Accept: {accept}", f"Authorization: Bearer {target.key}")
    return head(target, f"POST {path} HTTP/1.1", *common, f"Content-Length: {len(body)}", *headers) + body


def _refusable(name: str, build: Callable[[Target], bytes], *others: str) -> Hostile:
    return Hostile(name, build, frozenset({REFUSED, *others}))


def _document(name: str, query: Callable[[], str]) -> Hostile:
    def build(target: Target) -> bytes:
        return post(target, "/graphql", orjson.dumps({"query": query()}))

    return _refusable(name, build, ERRORS)


def _variable(name: str, query: str, value: Callable[[], bytes]) -> Hostile:
    def build(target: Target) -> bytes:
        body = b'{"query":%b,"variables":{"v":%b}}' % (orjson.dumps(query), value())
        return post(target, "/graphql", body)

    return _refusable(name, build, ERRORS)


# --- documents ---------------------------------------------------------------------------------------------------


def many(part: str, count: int, before: str = "{ ", after: str = " }") -> Callable[[], str]:
    return lambda: before + " ".join(part.replace("%", str(n)) for n in range(count)) + after


def nested(left: str, right: str, levels: int, before: str = "", after: str = "") -> Callable[[], str]:
    return lambda: before + left * levels + right * levels + after


def fragment_bomb() -> str:
    parts = [f"fragment F{n} on Company {{ ...F{n + 1} ...F{n + 1} }}" for n in range(BOMB_LEVELS)]
    last = f"fragment F{BOMB_LEVELS} on Company {{ id name }}"
    return " ".join(["{ companies { nodes { ...F0 } } }", *parts, last])


def through_chain(heads: str, fragments: int) -> str:
    links = [f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(fragments)]
    return " ".join([heads, *links, f"fragment F{fragments} on Query {{ __typename }}"])


def operations_through_chain(operations: int, fragments: int) -> Callable[[], str]:
    return lambda: through_chain(many("query Q% { ...F0 }", operations, "", "")(), fragments)


def fields_through_chain(fields: int, fragments: int) -> Callable[[], str]:
    return lambda: through_chain(many("f% { ...F0 }", fields)(), fragments)


def introspections(count: int) -> Callable[[], str]:
    """The whole schema, two levels deep, under many names."""
    inner = "types { fields { type { fields { name type { name ofType { name kind ofType { name } } } } } } }"
    return many(f"a%: __schema {{ {inner} }}", count)


def pages(number: str) -> Callable[[], str]:
    return lambda: f"{{ companies(first: {number}) {{ nodes {{ contacts(first: {number}) {{ nodes {{ id }} }} }} }} }}"


FILL = 4 * MEGABYTE - 500
DOCUMENTS: dict[str, Callable[[], str]] = {
    "a bomb of 60 fragments": fragment_bomb,
    "a fragment in a circle": lambda: "{ ...A } fragment A on Query { ...A }",
    "600 fragments in a circle": lambda: (
        "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ ...F{(n + 1) % 600} }}" for n in range(600))
    ),
    "400 operations through 150 fragments": operations_through_chain(400, 150),
    "200 operations through 400 fragments": operations_through_chain(200, 400),
    "250 fields through 400 fragments": fields_through_chain(250, 400),
    "20,000 aliases": many("a%: __typename", 20_000),
    "1,000 fields that overlap": many("companies(first: 1) { nodes { id name } }", 1_000),
    "240 overlaps of overlaps": many("... { companies { nodes { contacts { nodes { id } } } } }", 240),
    "a million records": pages("250"),
    "fields of a thousand levels": nested("{ company ", "}", 1_000),
    "a list of a thousand levels": nested("[", "]", 1_000, "{ companies(filter: {and: ", "}) { nodes { id } } }"),
    "an object of a thousand levels": nested("{not:", "}", 1_000, "{ companies(filter: ", ") { nodes { id } } }"),
    "a type of a thousand levels": nested("[", "]", 1_000, "query ($a: ", ") { __typename }"),
    "10,000 directives": many("@include(if: true)", 10_000, "query ", "{ __typename }"),
    "10,000 variables": many("$v%: Int", 10_000, "query (", ") { __typename }"),
    "1,200 variables": many("$v%: Int", 1_200, "query (", ") { __typename }"),
    "10,000 operations": many("query Q% { __typename }", 10_000, "", ""),
    "900 operations": many("query Q% { __typename }", 900, "", ""),
    "500 fragments that nobody uses": many("fragment F% on Query { a }", 500, "{ __typename } ", ""),
    "1,200 unknown arguments": many("firts%: 1", 1_200, "{ companies(", ") { nodes { id } } }"),
    "240 unknown fields": many("kompanies%", 240),
    "a literal of 400 digits": pages("1" + "0" * 400),
    "a literal of 5,000 digits": pages("1" + "0" * 5_000),
    "a literal of a million digits": pages("1" + "0" * MEGABYTE),
    "a literal with a large exponent": pages("1e999"),
    "a page size below zero": pages("-1"),
    "the largest page size": pages("2147483647"),
    "a page size of 33 bits": pages("4294967297"),
    "4 MB of comments": lambda: "#\n" * (FILL // 3) + "{",
    "a comment of 4 MB": lambda: "#" + "x" * FILL,
    "4 MB of commas": lambda: "," * FILL,
    "a name of 4 MB": lambda: "{" + "x" * FILL + "}",
    "a string of 4 MB": lambda: '{ node(id: "' + "x" * FILL + '") { id } }',
    "a string of 300,000 escapes": lambda: '{ node(id: "' + "\\u0041" * 300_000 + '") { id } }',
    "a block string of 2 MB": lambda: '{ node(id: """' + "x\n" * (FILL // 3) + '""") { id } }',
    "a surrogate in a literal": lambda: '{ node(id: "\\uD800") { id } }',
    "a NUL in a literal": lambda: '{ companies(filter: {name: {eq: "\\u0000"}}) { nodes { id } } }',
    "a NUL in a document": lambda: "{ \x00 }",
    "introspection of 18 levels": nested("{ fields { type ", "} }", 9, "{ __schema { types ", " } }"),
    "100 introspections": introspections(100),
    "10 introspections": introspections(10),
}

# --- variables ---------------------------------------------------------------------------------------------------

NODES = "query ($v: [ID!]!) { nodes(ids: $v) { id } }"
FILTERED = "query ($v: CompanyFilter) { companies(filter: $v) { nodes { id } } }"
AGAIN = " ".join(f"a{n}: companies(first: 1, filter: $v) {{ nodes {{ id }} }}" for n in range(100))
SORTED = "query ($v: [CompanyOrder!]) { companies(orderBy: $v) { nodes { id } } }"
INGESTED = "mutation ($v: [SignalInput!]!) { signalsIngest(inputs: $v) { userErrors { code } } }"
NAMED = "query ($v: String) { companies(filter: {name: {eq: $v}}) { nodes { id } } }"
AFTER = "query ($v: String) { companies(after: $v) { nodes { id } } }"
FOUND = "query ($v: ID!) { node(id: $v) { id } }"
SIZED = "query ($v: Int) { companies(first: $v) { nodes { id } } }"
LOGIN = "mutation ($v: LoginInput!) { login(input: $v) { userErrors { code } } }"
REGISTER = "mutation ($v: RegisterInput!) { register(input: $v) { userErrors { code } } }"
UNASKED = "{ __typename }"
AN_ID = "company_01k9zzzzzzf8sbt0000000000x"


def times(value: object, count: int) -> Callable[[], bytes]:
    return lambda: b"[" + b",".join([orjson.dumps(value)] * count) + b"]"


def text(part: str, count: int) -> Callable[[], bytes]:
    return lambda: b'"%b"' % (part * count).encode()


def either(count: int) -> Callable[[], bytes]:
    return lambda: b'{"or":%b}' % times({"name": {"eq": "a"}}, count)()


VARIABLES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a variable of 1,000 levels": (UNASKED, lambda: b"[" * 1_000 + b"]" * 1_000),
    "a variable of 100,000 levels": (UNASKED, lambda: b"[" * 100_000 + b"]" * 100_000),
    "2,000,000 numbers that nobody asked for": (UNASKED, times(1, 2_000_000)),
    "400,000 keys that nobody asked for": (
        UNASKED,
        lambda: b"{%b}" % b",".join(b'"%d":1' % n for n in range(400_000)),
    ),
    "100,000 ids": (NODES, times(AN_ID, 100_000)),
    "a million ids that are none": (NODES, times("x", 1_000_000)),
    "500 conditions": (FILTERED, either(500)),
    "5,000 conditions": (FILTERED, either(5_000)),
    "100,000 conditions": (FILTERED, either(100_000)),
    "100 times 200 conditions": (f"query ($v: CompanyFilter) {{ {AGAIN} }}", either(200)),
    "300,000 values": (FILTERED, lambda: b'{"name":{"in":%b}}' % times("a", 300_000)()),
    "conditions of 300 levels": (FILTERED, lambda: b'{"not":' * 300 + b"{}" + b"}" * 300),
    "an order of 2,000 parts": (SORTED, times({"field": "NAME"}, 2_000)),
    "an order of 50,000 parts": (SORTED, times({"field": "NAME"}, 50_000)),
    "50,000 signals": (INGESTED, times({"type": "visit"}, 50_000)),
    "200,000 signals that are none": (INGESTED, times({"tpye": 1}, 200_000)),
    "a cursor of 3 MB": (AFTER, lambda: b'"%b"' % base64.b64encode(b"[" * (2 * MEGABYTE))),
    "a cursor that is none": (AFTER, text("nonsense", 1)),
    "a cursor of large numbers": (AFTER, lambda: b'"%b"' % base64.b64encode(b"[1e308,1e308,[[]]]")),
    "an id of 3 MB": (FOUND, text("a", 3 * MEGABYTE)),
    "an id of a million parts": (FOUND, text("a_", MEGABYTE)),
    "text with a NUL": (NAMED, text("\\u0000", 1)),
    "text with a lone surrogate": (NAMED, text("\\ud800", 1)),
    "a whole number of 400 digits": (SIZED, lambda: b"1" + b"0" * 400),
    "a whole number of 100,000 digits": (SIZED, lambda: b"1" + b"0" * 100_000),
    "an endless number": (SIZED, lambda: b"1e999"),
    "no number": (SIZED, lambda: b"NaN"),
    "a page of a million": (SIZED, lambda: b"1000000"),
    "a page of minus one": (SIZED, lambda: b"-1"),
}

PEOPLE: dict[str, str] = {
    "an address of look-alike letters": "аdmin@ехample.com",  # noqa: RUF001
    "an address with hidden letters": "ad\u200bmin@exam\u202eple.com",
    "an address of 2 MB": "a@" + "a." * MEGABYTE + "com",
    "an address of 2 MB without an at": "a" * (2 * MEGABYTE),
    "an address of a hundred thousand ats": "@" * 100_000,
    "an address of quotes": '"' + '\\"' * 50_000 + '"@x.com',
    "an address of comments": "(" * 50_000 + "a@b.com",
    "an address of spaces": "a" + " " * 500_000 + "@b.com",
    "an address at a number": "a@[127.0.0.1]",
    "an address with a second line": "a@b.com\r\nBcc: c@d.com",
}


def _person(name: str, email: str) -> Hostile:
    said = orjson.dumps({"email": email, "password": "x"})
    return Hostile(name, _variable(name, REGISTER, lambda: said).build, frozenset({REFUSED, ERRORS, TAKEN}))


# --- bodies and the doors beside GraphQL -------------------------------------------------------------------------

BODIES: dict[str, Callable[[], bytes]] = {
    "a number": lambda: b"1",
    "null": lambda: b"null",
    "a text": lambda: b'"x"',
    "nothing": lambda: b"",
    "bytes that are no UTF-8": lambda: b'{"type": "\xff\xfe\xc3"}',
    "a NUL byte": lambda: b"\x00",
    "100,000 open brackets": lambda: b"[" * 100_000,
    "an object of 100,000 levels": lambda: b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "half an object": lambda: b'{"type":',
    "two objects": lambda: b'{"type":"a"}{"type":"b"}',
    "the same key 100,000 times": lambda: b'{"tpye":1' + b',"tpye":1' * 100_000 + b"}",
    "two million numbers": lambda: b"[1" + b",1" * 2_000_000 + b"]",
    "a number of a million digits": lambda: b'{"type":1' + b"0" * MEGABYTE + b"}",
    "an endless number": lambda: b'{"type":1e999}',
    "a lone surrogate": lambda: b'{"type":"\\ud800"}',
    "32 MB": lambda: b"[" + b" " * (32 * MEGABYTE) + b"]",
}
SIGNALS: dict[str, Callable[[], bytes]] = {
    "properties of two million numbers": lambda: b'{"type":"a","properties":{"a":%b}}' % times(1, 1_900_000)(),
    "properties of 1,000 levels": lambda: b'{"type":"a","properties":%b1%b}' % (b'{"a":' * 1_000, b"}" * 1_000),
    "properties with a NUL": lambda: b'{"type":"a","properties":{"a":"\\u0000"}}',
    "a type of a million letters": lambda: b'{"type":"%b!"}' % (b"a" * MEGABYTE),
    "a domain of a million dots": lambda: b'{"type":"a","domain":"%b"}' % (b"a." * MEGABYTE),
    "an e-mail address of a million ats": lambda: b'{"type":"a","email":"%b"}' % (b"@" * MEGABYTE),
    "1,001 signals": times({"type": "a"}, 1_001),
    "a time of a million digits": lambda: b'{"type":"a","occurredAt":"%b"}' % (b"1" * MEGABYTE),
    "400,000 unknown fields": lambda: b"{%b}" % b",".join(b'"%d":1' % n for n in range(400_000)),
    "1,000 rows of 1,000 unknown fields": lambda: (
        b"[%b]" % b",".join([b"{%b}" % b",".join(b'"%d":1' % n for n in range(400))] * 1_000)
    ),
}


@cache
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * MEGABYTE) for _ in range(megabytes)) + packer.flush()


PACKED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a gzip bomb of 1 GB": ("gzip", partial(_bomb, 1024)),
    "a gzip body of 10,000 members": ("gzip", lambda: gzip.compress(b" ") * 10_000),
    "gzip that is none": ("gzip", lambda: b"nonsense"),
    "half a gzip body": ("gzip", lambda: gzip.compress(b"{}" * 100)[:-10]),
    "gzip with something after it": ("gzip", lambda: gzip.compress(b"{}") + b"nonsense"),
    "gzip in gzip": ("gzip, gzip", lambda: gzip.compress(gzip.compress(b"{}"))),
    "deflate": ("deflate", lambda: zlib.compress(b" " * MEGABYTE)),
    "an unknown encoding": ("zstd", lambda: b"{}"),
    "an encoding of 8 KB": ("x" * 8_000, lambda: b"{}"),
}


def _at(door: str, name: str, body: Callable[[], bytes], *headers: str, kind: str = JSON) -> Hostile:
    def build(target: Target) -> bytes:
        return post(target, door.format(connection=target.connection), body(), *headers, kind=kind)

    return _refusable(f"{door.split('{')[0]}: {name}", build)


DOORS = ("/graphql", "/v1/signals", "/v1/track", "/v1/batch", "/hooks/github/{connection}")


def _bodies() -> list[Hostile]:
    made = [_at(door, name, body) for door in DOORS for name, body in BODIES.items()]
    made += [
        _at(door, name, body, f"Content-Encoding: {encoding}")
        for door in DOORS[:3]
        for name, (encoding, body) in PACKED.items()
    ]
    made += [_at("/v1/signals", name, body) for name, body in SIGNALS.items()]
    lines = {"two million lines": b"1\n" * 2_000_000, "1,000 lines of nonsense": b"nonsense\n" * 1_000}
    made += [
        _at("/v1/signals", name, partial(bytes, body), kind="application/x-ndjson") for name, body in lines.items()
    ]
    kinds = ("text/plain", "multipart/form-data; boundary=" + "x" * 4_000, "application/json" * 500, "\x7f")
    return made + [_at("/graphql", f"the type {kind[:20]!r}", lambda: b"{}", kind=kind) for kind in kinds]


# --- heads and framing -------------------------------------------------------------------------------------------


def _raw(name: str, build: Callable[[Target], bytes], *answers: str) -> Hostile:
    return Hostile(name, build, frozenset(answers or (REFUSED, CLOSED)))


def _got(name: str, path: str, *headers: str, answers: tuple[str, ...] = (REFUSED,)) -> Hostile:
    return _raw(name, lambda target: head(target, f"GET {path} HTTP/1.1", *headers), *answers)


ASK = "/graphql?query=%7B__typename%7D"


def _heads() -> list[Hostile]:
    return [
        _got("a header of 16 MB", "/healthz", "X-Large: " + "x" * (16 * MEGABYTE)),
        _got("a header of 256 KB", "/healthz", "X-Large: " + "x" * 262_144),
        _got("50,000 headers", "/healthz", *(f"X-{n}: x" for n in range(50_000))),
        _got("cookies of 1 MB", "/healthz", "Cookie: " + "a=b; " * 200_000),
        _got("a token of 1 MB", ASK, "Authorization: Bearer " + "x." * 500_000),
        _got("an address of 1 MB", "/healthz?" + "x" * MEGABYTE),
        _got("an address of 60,000 parameters", "/graphql?" + "a=b&" * 15_000 + "query=%7B", answers=(REFUSED, ERRORS)),
        _got("100,000 kinds to accept", ASK, "Accept: " + "a/b;q=0.1," * 100_000),
        _got("5,000 kinds to accept", ASK, "Accept: " + "a/b," * 5_000),
        _got("a name of a header with a space", "/healthz", "X Y: z", answers=(REFUSED, CLOSED)),
        _got("a header without a colon", "/healthz", "nonsense", answers=(REFUSED, CLOSED)),
        _got("a NUL in a header", "/healthz", "X-A: a\x00b", answers=(REFUSED, CLOSED)),
        _got("a folded header", "/healthz", "X-A: a", " b", answers=(REFUSED, CLOSED, TAKEN)),
        _got("odd letters in the address", "/\xff\xfe", answers=(REFUSED, CLOSED)),
        _got("odd escapes in the address", "/%zz%00%ff/..%2f..%2fetc/passwd"),
        _got("an organization that is none", ASK, "X-Organization-Id: \xff", "X-API-Key: x"),
        _got("a key of other letters", ASK, "X-API-Key: dsk_\xe9" + "\xb2" * 75),
        _raw("an id to resume by that is none", lambda t: _resumed(t, "nonsense"), ERRORS),
        _raw("an id to resume by in other digits", lambda t: _resumed(t, "1.\xb2"), ERRORS),
        _raw("an id to resume by of 8 KB", lambda t: _resumed(t, "9" * 8_000), ERRORS),
        *(_method(method) for method in ("TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "PROPFIND", "NONSENSE")),
    ]


def _resumed(target: Target, cursor: str) -> bytes:
    body = b'{"query":"subscription { signalReceived { cursor } }"}'
    return post(target, "/graphql", body, f"Last-Event-ID: {cursor}", accept="text/event-stream")


def _method(method: str) -> Hostile:
    return _raw(f"the method {method}", lambda t: head(t, f"{method} /graphql HTTP/1.1"), REFUSED, CLOSED)


def _noted(chunk: bytes) -> bytes:
    return chunk.replace(b"\r\n", b";" + b"x" * MEGABYTE + b"\r\n", 1)


def _framing() -> list[Hostile]:
    plain = b'{"query":"{ __typename }"}'

    def posted(*headers: str, body: bytes = plain, line: str = "POST /graphql HTTP/1.1") -> Callable[[Target], bytes]:
        return lambda target: head(target, line, "Content-Type: application/json", *headers) + body

    chunked = "Transfer-Encoding: chunked"
    whole = b"1a\r\n" + plain + b"\r\n0\r\n\r\n"
    return [
        _raw("a length and chunks", posted("Content-Length: 4", chunked, body=whole)),
        _raw("chunks and a length", posted(chunked, "Content-Length: 4", body=whole)),
        _raw("two lengths", posted("Content-Length: 26", "Content-Length: 5")),
        _raw("two lengths in one", posted("Content-Length: 26, 26")),
        _raw("a length below zero", posted("Content-Length: -1")),
        _raw("a length with a sign", posted("Content-Length: +26")),
        _raw("a length in hexadecimal", posted("Content-Length: 0x1a")),
        _raw("a length of 30 digits", posted("Content-Length: " + "9" * 30)),
        _raw("a length that is too short", posted("Content-Length: 5"), REFUSED),
        _raw("an encoding that is no chunked", posted("Transfer-Encoding: xchunked", body=whole)),
        _raw("chunked, then identity", posted("Transfer-Encoding: chunked, identity", body=whole)),
        _raw("chunked with a tab", posted("Transfer-Encoding:\x0bchunked", body=whole)),
        _raw("chunked by two headers", posted(chunked, chunked, body=whole), REFUSED, CLOSED, TAKEN),
        _raw("a chunk that is no number", posted(chunked, body=b"xyz\r\n" + plain)),
        _raw("a chunk below zero", posted(chunked, body=b"-1\r\n" + plain)),
        _raw("a chunk of 2^64 bytes", posted(chunked, body=b"1" + b"0" * 16 + b"\r\n" + plain)),
        _raw("a chunk that is longer than it says", posted(chunked, body=b"5\r\n" + plain + b"\r\n0\r\n\r\n")),
        _raw("a chunk with 1 MB of notes", posted(chunked, body=_noted(whole)), REFUSED, TAKEN),
        _raw("10,000 trailers", posted(chunked, body=whole[:-2] + b"X: y\r\n" * 10_000 + b"\r\n"), REFUSED, TAKEN),
        _raw("400,000 chunks of a byte", posted(chunked, body=b"1\r\n \r\n" * 400_000 + b"0\r\n\r\n"), REFUSED),
        _raw("to be told to go on", posted("Expect: 100-continue", "Content-Length: 26"), TAKEN),
        _raw("to be told something else", posted("Expect: nonsense", "Content-Length: 26"), TAKEN, REFUSED),
        _raw("HTTP/2 by surprise", lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 9),
        _raw("HTTP/2 by upgrade", posted("Connection: Upgrade", "Upgrade: h2c", "Content-Length: 26"), TAKEN, REFUSED),
        _raw("TLS", lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xab" * 512),
        _raw("HTTP/0.9", lambda _: b"GET /healthz\r\n\r\n", REFUSED, CLOSED, TAKEN),
        _raw("HTTP/9.9", posted("Content-Length: 26", line="POST /graphql HTTP/9.9")),
        _raw("line ends without returns", lambda _: b"GET /healthz HTTP/1.1\nHost: x\n\n", REFUSED, CLOSED, TAKEN),
        _raw("nonsense of 1 MB", lambda _: b"\xde\xad\xbe\xef" * 262_144),
        _raw("2,000 requests at once", lambda t: head(t, "GET /healthz HTTP/1.1") * 2_000, TAKEN),
        _raw("a request in the body of another", lambda t: post(t, "/graphql", head(t, "GET /healthz HTTP/1.1"))),
    ]


# --- WebSocket frames --------------------------------------------------------------------------------------------

_UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
_OFFER = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: graphql-transport-ws")
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def frame(payload: bytes, opcode: int = TEXT, *, first: int = 0x80, masked: bool = True) -> bytes:
    size = len(payload)
    mark = 0x80 if masked else 0
    if size < 126:
        length = struct.pack("!B", mark | size)
    elif size < 65_536:
        length = struct.pack("!BH", mark | 126, size)
    else:
        length = struct.pack("!BQ", mark | 127, size)
    return bytes([first | opcode]) + length + (b"\0\0\0\0" if masked else b"") + payload


INIT = frame(b'{"type":"connection_init"}')
FRAMES: dict[str, Callable[[], bytes]] = {
    "a list": lambda: frame(b"[]"),
    "null": lambda: frame(b"null"),
    "a number": lambda: frame(b"1"),
    "a type that is an object": lambda: frame(b'{"type":{}}'),
    "an id that is an object": lambda: INIT + frame(b'{"type":"subscribe","id":{},"payload":{"query":"{"}}'),
    "a query that is a number": lambda: INIT + frame(b'{"type":"subscribe","id":"1","payload":{"query":1}}'),
    "100,000 open brackets": lambda: frame(b"[" * 100_000),
    "an object of 50,000 levels": lambda: frame(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "a payload of 1,000 levels": lambda: frame(b'{"type":"ping","payload":%b}' % (b"[" * 2_000 + b"]" * 2_000)),
    "the legacy protocol": lambda: frame(b'{"type":"start","id":"1","payload":{"query":"{ __typename }"}}'),
    "a subscription before the greeting": lambda: frame(b'{"type":"subscribe","id":"1","payload":{"query":"{"}}'),
    "two greetings": lambda: INIT + INIT,
    "binary": lambda: frame(b"\x00\xff", BINARY),
    "text that is no UTF-8": lambda: frame(b'{"type":"\xff\xfe"}'),
    "a frame without a mask": lambda: frame(b'{"type":"ping"}', masked=False),
    "an unknown kind of frame": lambda: frame(b"", 3),
    "a reserved bit": lambda: frame(b"{}", first=0xC0),
    "the rest of nothing": lambda: frame(b"{}", 0),
    "a ping in two parts": lambda: frame(b"", PING, first=0),
    "a ping of 200 bytes": lambda: frame(b"x" * 200, PING),
    "a message of 1 MB": lambda: frame(b" " * MEGABYTE),
    "a message of 1 MB in parts": lambda: frame(b" ", first=0) + frame(b" " * 1_024, 0, first=0) * 1_024,
    "a message of 100,000 parts": lambda: frame(b" ", first=0) + frame(b"", 0, first=0) * 100_000 + frame(b"", 0),
    "a frame of 2^63 bytes": lambda: b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0",
    "a close of one byte": lambda: frame(b"x", CLOSE),
    "a close with no such code": lambda: frame(struct.pack("!H", 999), CLOSE),
    "a close that is no UTF-8": lambda: frame(struct.pack("!H", 1000) + b"\xff", CLOSE),
    "20,000 pings of the protocol": lambda: INIT + frame(b'{"type":"ping"}') * 20_000,
}


def _framed(name: str, frames: Callable[[], bytes]) -> Hostile:
    def build(target: Target) -> bytes:
        return head(target, "GET /graphql HTTP/1.1", *_UPGRADE, *_OFFER) + frames()

    return Hostile(f"socket: {name}", build, frozenset({CLOSED}), framed=True)


def _handshakes() -> list[Hostile]:
    key, protocol = _OFFER
    tried = {
        "no key": _UPGRADE,
        "a key that is none": (*_UPGRADE, "Sec-WebSocket-Key: x", protocol),
        "an old version": (*_UPGRADE[:2], "Sec-WebSocket-Version: 7", *_OFFER),
        "10,000 protocols": (*_UPGRADE, key, "Sec-WebSocket-Protocol: " + "a," * 10_000 + "b"),
        "extensions of 8 KB": (*_UPGRADE, *_OFFER, "Sec-WebSocket-Extensions: " + "permessage-deflate; a=" * 400),
        "a page from elsewhere": (*_UPGRADE, *_OFFER, "Origin: https://evil.example"),
    }
    return [
        _got(f"socket: {name}", "/graphql", *headers, answers=(REFUSED, CLOSED)) for name, headers in tried.items()
    ] + [_got("socket: at another door", "/v1/signals", *_UPGRADE, *_OFFER, answers=(REFUSED, CLOSED))]


CATALOG: list[Hostile] = [
    *(_document(name, query) for name, query in DOCUMENTS.items()),
    *(_variable(name, query, value) for name, (query, value) in VARIABLES.items()),
    *(_person(name, email) for name, email in PEOPLE.items()),
    *_bodies(),
    *_heads(),
    *_framing(),
    *_handshakes(),
    *(_framed(name, frames) for name, frames in FRAMES.items()),
]

# --- playing one -------------------------------------------------------------------------------------------------


async def send(target: Target, hostile: Hostile, built: bytes | None = None) -> Outcome:
    """Plays the request; what came back within twenty seconds. `built` are its bytes, where they are made already."""
    request = hostile.build(target) if built is None else built
    reader, writer = await asyncio.open_connection(target.host, target.port)
    started = time.perf_counter()
    playing = _converse(reader, writer, request) if hostile.framed else _ask(reader, writer, request)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            kind, status, said = await playing
    except TimeoutError:
        kind, status, said = "silence", 0, b""
    except (asyncio.IncompleteReadError, ConnectionError, ValueError, IndexError):
        kind, status, said = CLOSED, 0, b""
    finally:
        writer.transport.abort()
    return Outcome(kind, status, said, time.perf_counter() - started)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[str, int, bytes]:
    """The first answer that is not `100 Continue`, which may come before all has been sent."""
    writing = asyncio.create_task(_write(writer, request))
    try:
        status = 100
        while status == 100:
            start = await reader.readuntil(b"\r\n\r\n")
            status = int(start.split(b" ", 2)[1])
        said = await _said(reader, start.lower())
    finally:
        writing.cancel()
        await asyncio.wait([writing])
    if status == 200 and b'"errors":[' in said and (b'"data":{' not in said or b'"data":{"node":null}' in said):
        return ERRORS, status, said
    return {2: TAKEN, 4: REFUSED}.get(status // 100, f"status {status}"), status, said


async def _write(writer: asyncio.StreamWriter, request: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        writer.write(request)
        await writer.drain()


async def _said(reader: asyncio.StreamReader, start: bytes) -> bytes:
    if b"text/event-stream" in start:
        return await reader.readuntil(b"event: ") + await reader.readuntil(b"\n\n")
    _, there, rest = start.partition(b"content-length:")
    return await reader.readexactly(int(rest.split(b"\r\n")[0])) if there else b""


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[str, int, bytes]:
    """The code with which the server closes the socket; 1006 where it only hangs up."""
    opening, end, frames = request.partition(b"\r\n\r\n")
    writer.write(opening + end)
    start = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in start.split(b"\r\n")[0]:
        return f"status {start[9:12].decode()}", int(start[9:12]), start
    writing = asyncio.create_task(_write(writer, frames))
    try:
        return await _closing(reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return CLOSED, 1006, b""
    finally:
        writing.cancel()
        await asyncio.wait([writing])


async def _closing(reader: asyncio.StreamReader) -> tuple[str, int, bytes]:
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
        payload = await reader.readexactly(size)
        if first & 0x0F == CLOSE:
            return CLOSED, int.from_bytes(payload[:2], "big"), payload[2:]
