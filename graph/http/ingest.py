"""POST /v1/signals: one signal, an array, or NDJSON; a receipt per row."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.core.batches import MAX_BATCH, ErrorPolicy, refuse_size
from app.core.errors import Code, Problem, Refusal
from app.crm.models import Company, Contact
from app.identity.permissions import Permission
from app.signals.batches import Row, read_row
from app.signals.ingest import Receipt
from app.signals.models import Signal
from graph.core.bodies import BodyError, parsed, raw_body
from graph.core.node import key_of, public_id
from graph.http.door import asker
from graph.http.problems import shown
from graph.server import Server

_IDS = {"companyId": Company, "contactId": Contact}
MAX_FIELDS = 50
_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")


class SignalsDoor:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, request: Request) -> Response:
        """Takes the signals: 202 with a receipt per row once they are stored."""
        principal = await asker(self._server, request, Permission.SIGNALS_WRITE)
        policy = _policy(request)
        rows = _rows(request, await raw_body(request, self._server.settings.max_body_bytes))
        stored = await self._server.intake.accept(principal.tenant, rows, policy)
        body = {"receipts": [_shown(receipt) for receipt in stored.receipts], "eventCursor": _text(stored.cursor)}
        return Response(orjson.dumps(body), 202, media_type="application/json")


def _policy(request: Request) -> ErrorPolicy:
    said = request.query_params.get("errorPolicy", ErrorPolicy.REJECT_ALL)
    try:
        return ErrorPolicy(said)
    except ValueError:
        raise Refusal(Code.INVALID, f"errorPolicy must be one of: {', '.join(ErrorPolicy)}") from None


def _rows(request: Request, body: bytes) -> Sequence[Row]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind in _NDJSON:
        if body.count(b"\n") > 10 * MAX_BATCH:
            raise BodyError(413, f"a batch takes at most {MAX_BATCH} signals")
        lines = [line for line in body.splitlines() if line.strip()]
        refuse_size(len(lines))
        return [_read_line(line) for line in lines]
    if kind != "application/json":
        raise BodyError(415, f"the content type must be application/json or {_NDJSON[0]}")
    said = parsed(body)
    values = said if isinstance(said, list) else [said]
    refuse_size(len(values))
    return [_read(one) for one in values]


def _read_line(line: bytes) -> Row:
    try:
        return _read(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        return (Problem(Code.INVALID, f"is not JSON: {error.msg}"),)


def _read(values: Any) -> Row:
    if not isinstance(values, dict):
        return (Problem(Code.INVALID, "must be an object"),)
    if len(values) > MAX_FIELDS:
        return (Problem(Code.INVALID, f"has more than {MAX_FIELDS} fields"),)
    if "companyId" in values or "contactId" in values:
        try:
            values = values | {
                name: key_of(model, values[name], name)
                for name, model in _IDS.items()
                if isinstance(values.get(name), str)
            }
        except Refusal as refusal:
            return refusal.problems
    return read_row(values)


def _shown(receipt: Receipt) -> dict[str, Any]:
    if receipt.problems:
        return {"errors": [shown(one) for one in receipt.problems]}
    return {
        "signalId": _public(Signal, receipt.signal),
        "duplicate": receipt.duplicate,
        "contactId": _public(Contact, receipt.contact),
        "companyId": _public(Company, receipt.company),
        "contactRule": receipt.contact_rule,
        "companyRule": receipt.company_rule,
        "newContact": receipt.new_contact,
        "newCompany": receipt.new_company,
    }


def _public(model: Any, id_: UUID | None) -> str | None:
    return None if id_ is None else public_id(model, id_)


def _text(cursor: int | None) -> str | None:
    return None if cursor is None else str(cursor)
