"""SIGTERM under load: what was asked is answered, what was acknowledged is kept, and the next start finds it."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.factories.sockets import SIGNALS, opened
from tests.factories.web import free_port
from tests.faults.installation import Installation, forget, lives, started
from tests.faults.senders import SOURCE, counted, stored
from tests.faults.wire import ConnectRefusedError, CutError, Line, post

pytestmark = pytest.mark.faults

NAME = "stopping"
STOP_SECONDS = 30
QUERY = "{ companies(first: 20) { nodes { name score { value } } } }"
PAUSES = (0.0, 0.0, 0.0, 0.1, 0.3, 0.5)
SENDERS = 4


@dataclass
class Client:
    """Sends one request after another on connections it keeps, until nobody takes new ones."""

    installation: Installation
    request: Callable[[int], bytes]
    pause: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    cut: list[str] = field(default_factory=list)
    idle_ends: int = 0
    count: int = 0

    async def run(self) -> "Client":
        while True:
            try:
                line = await Line.open(self.installation)
            except ConnectRefusedError:
                return self
            try:
                await self._use(line)
            except CutError as error:
                self.cut.append(str(error))
            finally:
                line.close()

    async def _use(self, line: Line) -> None:
        """Asks until the server says that it ends the connection, or ends it while nothing is asked."""
        while True:
            number = self.count
            self.count += 1
            answer = await line.ask(self.request(number))
            self.statuses[answer.status] += 1
            if answer.is_last:
                return
            await asyncio.sleep(self.pause)
            if line.was_closed:
                self.idle_ends += 1
                return


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("stopping") / "data"
    yield folder
    forget(folder)


def test_a_stop_under_load_cuts_no_request_and_loses_nothing(folder: Path) -> None:
    port = free_port()
    with started(folder, port) as installation:
        family = installation.family()
        clients, code, took = asyncio.run(_stopped_under_load(installation))
        assert [pid for pid in family if lives(pid)] == [], "processes were left behind"
        assert code == 0
        assert took < STOP_SECONDS
        assert [cut for client in clients for cut in client.cut] == [], "requests were sent and not answered"
        assert {status for client in clients for status in client.statuses} == {200, 202}
    acknowledged = sum(client.statuses[202] for client in clients)
    with started(folder, port) as installation:
        keys = stored(installation, NAME)
        assert len(keys) == len(set(keys)) == acknowledged
        scored = installation.wait_for(lambda: counted(installation, NAME) == len(keys), 15)
    answered = sum(sum(client.statuses.values()) for client in clients)
    idle_ends = sum(client.idle_ends for client in clients)
    print(
        f"SIGTERM under load: {answered} requests answered, 0 cut, {idle_ends} idle connections ended, "
        f"down in {took:.1f} s; {acknowledged} signals found again, scored {scored:.1f} s after the next start"
    )


async def _stopped_under_load(installation: Installation) -> tuple[list[Client], int, float]:
    """The clients after their work, the supervisor's exit code, and the seconds it took to stop."""
    clients = _clients(installation)
    work = [asyncio.create_task(client.run()) for client in clients]
    key = installation.demo["apiKey"]
    async with opened(installation.socket_url, key) as watching, opened(installation.socket_url, key) as idle:
        await watching.watch(SIGNALS)
        await watching.signals(5)
        await asyncio.sleep(2)
        asked_at = asyncio.get_running_loop().time()
        installation.supervisor.send_signal(signal.SIGTERM)
        codes = await asyncio.gather(watching.closed(STOP_SECONDS), idle.closed(STOP_SECONDS))
        assert tuple(codes) == (1012, 1012)
        code = await asyncio.to_thread(installation.supervisor.wait, STOP_SECONDS + 10)
        took = asyncio.get_running_loop().time() - asked_at
    return await asyncio.gather(*work), code, took


def _clients(installation: Installation) -> list[Client]:
    query = post(installation, "/graphql", {"query": QUERY})
    askers = [Client(installation, lambda _: query, pause) for pause in PAUSES]
    return askers + [_sender(installation, number) for number in range(SENDERS)]


def _sender(installation: Installation, number: int) -> Client:
    def request(count: int) -> bytes:
        key = f"{NAME}-{number}-{count}"
        row = {"type": "api_call", "source": SOURCE, "email": f"ada@{NAME}-{number}.dev", "idempotencyKey": key}
        return post(installation, "/v1/signals", {**row, "properties": {"key": key}})

    return Client(installation, request)
