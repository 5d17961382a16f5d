"""The GraphQL-over-HTTP specification, as the audits of the `graphql-http` package read it."""

import orjson

from tests.factories.web import Web
from tests.journeys.conftest import Node

AUDITS = 61


async def test_every_audit_is_passed(node: Node, web: Web) -> None:
    verdicts = orjson.loads(await node.run("graphql_http_audits.mjs", f"{web.url}/graphql"))
    failed = [
        f"{one['id']} {one['status']}: {one['name']} ({one['reason']})" for one in verdicts if one["status"] != "ok"
    ]
    assert not failed, "\n".join(failed)
    assert len({one["id"] for one in verdicts}) == AUDITS
