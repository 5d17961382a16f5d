"""Clients that send signals one after another until each is acknowledged, and the books of what became of them."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from httpx2 import Client, HTTPError, Response

from tests.faults.installation import Installation

SOURCE = "faults"
PER_COMPANY = 10
STORED = """
query ($after: String) {
  signals(first: 250, after: $after, filter: {source: {eq: "faults"}}) {
    nodes { properties } pageInfo { hasNextPage endCursor }
  }
}
"""
SCORED = """
query ($name: String!, $after: String) {
  companies(first: 250, after: $after, filter: {domain: {startsWith: $name}}) {
    nodes { score { factors { evidence } } } pageInfo { hasNextPage endCursor }
  }
}
"""
EFFECTS = """
SELECT count(*) FILTER (WHERE effects = 1) AS once, count(*) FILTER (WHERE effects = 0) AS never,
       count(*) FILTER (WHERE effects > 1) AS twice
FROM (SELECT (SELECT count(*) FROM jobs AS job
              WHERE job.organization_id = event.organization_id
                AND job.type = 'scoring.rescore' AND job.status = 'SUCCEEDED'
                AND event.seq BETWEEN (job.payload->>'first')::bigint AND (job.payload->>'last')::bigint) AS effects
      FROM outbox AS event WHERE event.name = 'signal.created' AND event.seq > {after}) AS each
"""


class Sender(threading.Thread):
    """Sends one signal after another, as a careful client does; a new company every ten signals."""

    def __init__(self, installation: Installation, name: str, padding: int = 0) -> None:
        super().__init__(daemon=True)
        self._installation = installation
        self._name = name
        self._padding = "x" * padding
        self._ended = threading.Event()
        self.acknowledged: list[str] = []
        self.refused = 0
        self.statuses: set[int] = set()
        self.impolite: list[str] = []

    def run(self) -> None:
        with self._installation.client() as client:
            for number in itertools.count():
                while not self._sent(client, number):
                    self.refused += 1
                    if self._ended.wait(0.05):
                        return
                self.acknowledged.append(self._key(number))
                if self._ended.wait(0.01):
                    return

    def end(self) -> None:
        self._ended.set()
        self.join(30)
        assert not self.is_alive()

    def _sent(self, client: Client, number: int) -> bool:
        key = self._key(number)
        row = {
            "type": "api_call",
            "source": SOURCE,
            "email": f"ada@{self._name}-{number // PER_COMPANY}.dev",
            "idempotencyKey": key,
            "properties": {"key": key, "padding": self._padding},
        }
        try:
            answer = client.post("/v1/signals", json=row)
        except HTTPError:
            return False
        self.statuses.add(answer.status_code)
        self._judge(answer)
        return answer.status_code == 202

    def _judge(self, answer: Response) -> None:
        """A refusal says in a form that programs read that the same may go well later, and when."""
        polite = answer.headers["content-type"] == "application/problem+json" and "retry-after" in answer.headers
        if answer.status_code != 202 and not polite:
            self.impolite.append(f"{answer.status_code} {answer.text[:200]}")

    def _key(self, number: int) -> str:
        return f"{self._name}-{number}"


@contextmanager
def sending(installation: Installation, name: str, padding: int = 0) -> Iterator[Sender]:
    """Sends before, during and after what the block does."""
    sender = Sender(installation, name, padding)
    sender.start()
    try:
        installation.wait_for(lambda: len(sender.acknowledged) > 20, 30)
        yield sender
        seen = len(sender.acknowledged)
        installation.wait_for(lambda: len(sender.acknowledged) > seen + 20, 40)
    finally:
        sender.end()


def begin(installation: Installation, name: str) -> str:
    """Sends a signal that nobody asks for; the cursor from which on a feed tells what is sent after it."""
    with installation.client() as client:
        answer = client.post("/v1/signals", json={"type": "begun", "source": "begin", "idempotencyKey": name})
    cursor: str = answer.json()["eventCursor"]
    return cursor


def send(installation: Installation, key: str) -> None:
    """Sends one signal that feeds tell."""
    row = {"type": "api_call", "source": SOURCE, "email": "ada@single.dev", "idempotencyKey": key}
    with installation.client() as client:
        assert client.post("/v1/signals", json=row | {"properties": {"key": key}}).status_code == 202


def stored(installation: Installation, name: str) -> list[str]:
    """The keys of this sender's signals, as a client reads them."""
    nodes = _nodes(installation, "signals", STORED, {})
    return [key for node in nodes if (key := node["properties"]["key"]).startswith(f"{name}-")]


def counted(installation: Installation, name: str) -> int:
    """How many signals the scores of this sender's companies count."""
    scores = [node["score"] for node in _nodes(installation, "companies", SCORED, {"name": f"{name}-"})]
    found = [factor["evidence"] for score in scores if score for factor in score["factors"]]
    return sum(one["count"] for one in found if one.get("type") == "api_call")


def effects(installation: Installation, after: str) -> dict[str, int]:
    """For how many events after the cursor the job they cause has succeeded once, never, and more than once."""
    [row] = installation.rows(EFFECTS.format(after=int(after)))
    return row


def _nodes(installation: Installation, name: str, query: str, variables: dict[str, Any]) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    after = None
    with installation.client() as client:
        while True:
            asked = {"query": query, "variables": {**variables, "after": after}}
            page = client.post("/graphql", json=asked).json()["data"][name]
            nodes += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return nodes
