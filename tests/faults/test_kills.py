"""`kill -9` in the middle of ingest: every acknowledged signal is there, once, and the scores follow."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from httpx2 import HTTPError

from tests.faults.conftest import Installation

pytestmark = pytest.mark.faults

RECOVERY_SECONDS = 15
STORED = """
query ($after: String) {
  signals(first: 250, after: $after, filter: {source: {eq: "faults"}}) {
    nodes { type properties } pageInfo { hasNextPage endCursor }
  }
}
"""
SCORED = """
query ($domain: String!) {
  companies(filter: {domain: {eq: $domain}}) { nodes { score { factors { evidence } } } }
}
"""


class Sender(threading.Thread):
    """Sends one signal after another, each until it is acknowledged, as a careful client does."""

    def __init__(self, installation: Installation, name: str) -> None:
        super().__init__(daemon=True)
        self._installation = installation
        self._name = name
        self._ended = threading.Event()
        self.domain = f"{name}.dev"
        self.acknowledged: list[str] = []
        self.refused = 0
        self.statuses: set[int] = set()

    def run(self) -> None:
        with self._installation.client() as client:
            for number in itertools.count():
                key = f"{self._name}-{number}"
                while not self._sent(client, key):
                    self.refused += 1
                    if self._ended.wait(0.05):
                        return
                self.acknowledged.append(key)
                if self._ended.wait(0.01):
                    return

    def _sent(self, client, key: str) -> bool:  # type: ignore[no-untyped-def]
        row = {
            "type": "api_call",
            "source": "faults",
            "email": f"ada@{self.domain}",
            "idempotencyKey": key,
            "properties": {"key": key},
        }
        try:
            status = client.post("/v1/signals", json=row).status_code
        except HTTPError:
            return False
        self.statuses.add(status)
        return bool(status == 202)

    def end(self) -> None:
        self._ended.set()
        self.join(30)


@contextmanager
def sending(installation: Installation, name: str) -> Iterator[Sender]:
    sender = Sender(installation, name)
    sender.start()
    try:
        installation.wait_for(lambda: len(sender.acknowledged) > 20, 20)
        yield sender
        seen = len(sender.acknowledged)
        installation.wait_for(lambda: len(sender.acknowledged) > seen + 20, 30)
    finally:
        sender.end()


@pytest.mark.parametrize("victim", ["web", "worker", "relay", "valkey", "postgres"])
def test_what_was_acknowledged_survives_a_kill(installation: Installation, victim: str) -> None:
    with sending(installation, f"kill-{victim}") as sender:
        installation.kill(victim)
    installation.wait_until_ready()

    stored = [key for key in _stored(installation) if key.startswith(f"kill-{victim}-")]
    assert len(stored) == len(set(stored)), "a signal was stored twice"
    assert set(sender.acknowledged) <= set(stored), "an acknowledged signal is missing"
    assert sender.statuses <= {202, 503}, "trouble of an engine is no bug: clients are told to try again"
    took = installation.wait_for(lambda: _counted(installation, sender.domain) == len(stored), RECOVERY_SECONDS)
    print(f"kill -9 {victim}: {len(stored)} signals, {sender.refused} tries refused, scored {took:.1f} s after")


def _stored(installation: Installation) -> list[str]:
    keys, after = [], None
    with installation.client() as client:
        while True:
            asked = {"query": STORED, "variables": {"after": after}}
            page = client.post("/graphql", json=asked).json()["data"]["signals"]
            keys += [node["properties"]["key"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return keys


def _counted(installation: Installation, domain: str) -> int:
    """How many calls the company's score counts."""
    with installation.client() as client:
        asked = {"query": SCORED, "variables": {"domain": domain}}
        score = client.post("/graphql", json=asked).json()["data"]["companies"]["nodes"][0]["score"]
    found = [factor["evidence"] for factor in score["factors"]] if score else []
    return next((one["count"] for one in found if one.get("type") == "api_call"), 0)
