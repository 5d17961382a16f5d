"""A client that keeps asking by GraphQL, reads and writes, and notes how it was refused."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import Client, HTTPError

from tests.faults.installation import Installation

READ = "{ companies(first: 5) { nodes { name score { value } } } }"
WRITE = (
    'mutation { signalIngest(input: {type: "asked", source: "askers"}) { receipt { duplicate } userErrors { code } } }'
)


class Asker(threading.Thread):
    def __init__(self, installation: Installation) -> None:
        super().__init__(daemon=True)
        self._installation = installation
        self._ended = threading.Event()
        self.reads: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()

    def run(self) -> None:
        with self._installation.client() as client:
            while not self._ended.wait(0.1):
                self.reads[_outcome(client, READ)] += 1
                self.writes[_outcome(client, WRITE)] += 1

    def end(self) -> None:
        self._ended.set()
        self.join(30)
        assert not self.is_alive()


def _outcome(client: Client, query: str) -> str:
    """The status, and the code of the error where there is one."""
    try:
        answer = client.post("/graphql", json={"query": query})
    except HTTPError as error:
        return type(error).__name__
    if "json" not in answer.headers["content-type"]:
        return f"{answer.status_code} {answer.text[:80]}"
    said = answer.json()
    codes = [error["extensions"]["code"] for error in said.get("errors", ())] or [said.get("detail", "")]
    return f"{answer.status_code} {codes[0]}".strip()


@contextmanager
def asking(installation: Installation) -> Iterator[Asker]:
    asker = Asker(installation)
    asker.start()
    try:
        yield asker
    finally:
        asker.end()
