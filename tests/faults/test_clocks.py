"""Clocks that are wrong by ten minutes, each in its own direction, and that jump: what counts is the database's."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient, HTTPError

from app.core.config import Settings
from app.core.db import Database
from app.core.jobs import JobStatus
from app.core.tenancy import SYSTEM
from app.core.work import work
from app.crm.models import Company
from tests.factories.books import rows_of
from tests.factories.chores import jobs_of
from tests.factories.tenants import Tenant
from tests.factories.web import free_port, process_of
from tests.faults import actors
from tests.faults.actors import FAILS_ONCE, LONG, SLOW, Poked
from workers.broker import send_all

pytestmark = pytest.mark.faults

WRONG = 600
SKEWED = Path(__file__).parent / "skewed"
ACTORS = "tests.faults.actors"
AHEAD = {
    "web-1": ["graph", "serve"],
    "relay": [ACTORS, "relay"],
    "worker-1": [ACTORS, "run"],
    "s-1": [ACTORS, "schedule"],
}
BEHIND = {"web-2": ["graph", "serve"], "worker-2": [ACTORS, "run"], "s-2": [ACTORS, "schedule"]}
SIGNALS = '{ signals(first: 250, filter: {source: {eq: "clocks"}}) { nodes { properties } } }'
SCORES = "{ companies { nodes { score { factors { evidence } } } } }"
LOGIN = """mutation ($input: LoginInput!) {
  login(input: $input) { session { accessToken refreshToken } userErrors { message } }
}"""
REFRESH = """mutation ($input: RefreshInput!) {
  refresh(input: $input) { session { accessToken } userErrors { message } }
}"""


@dataclass
class Crowd:
    """Processes whose clocks are set by the files in a folder."""

    folder: Path
    webs: list[AsyncClient] = field(default_factory=list)

    def set(self, name: str, seconds: int) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.write_text(str(seconds))
        fresh.replace(self.folder / name)

    def set_all(self, ahead: int) -> None:
        """Puts the clocks of one half forward and those of the other half back."""
        for names, seconds in ((AHEAD, ahead), (BEHIND, -ahead)):
            for name in names:
                self.set(name, seconds)

    def said(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-6_000:]

    async def send(self, tenant: Tenant, keys: list[str]) -> Counter[bool]:
        """Sends each signal to both web processes; how many receipts say that it was stored before."""
        rows = [
            {
                "type": "api_call",
                "source": "clocks",
                "email": "ada@clocks.dev",
                "idempotencyKey": key,
                "properties": {"key": key},
            }
            for key in keys
        ]
        seen: Counter[bool] = Counter()
        for row in rows:
            sent = [web.post("/v1/signals", json=row, headers=_key(tenant)) for web in self.webs]
            for answer in await asyncio.gather(*sent):
                assert answer.status_code == 202, answer.text
                seen[answer.json()["receipts"][0]["duplicate"]] += 1
        return seen


@pytest.fixture(scope="module")
async def crowd(
    chosen_settings: Settings, database: Database, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Crowd]:
    folder = tmp_path_factory.mktemp("clocks")
    crowd = Crowd(folder)
    crowd.set_all(WRONG)
    async with AsyncExitStack() as stack:
        log = stack.enter_context((folder / "log").open("ab"))
        for name, command in (AHEAD | BEHIND).items():
            options: list[str] = []
            if name.startswith("web"):
                port = free_port()
                options = ["--port", str(port)]
                crowd.webs.append(
                    await stack.enter_async_context(AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10))
                )
            environment = {"FAULTS_CLOCK": str(folder / name), "PYTHONPATH": str(SKEWED), actors.FOLDER: str(folder)}
            await stack.enter_async_context(process_of(chosen_settings, log, *command, *options, **environment))
        for web in crowd.webs:
            await until(lambda web=web: _answers(web), 60, crowd)
        await until(lambda: _have_started(crowd), 60, crowd)
        yield crowd


async def until(condition: Any, seconds: float, crowd: Crowd) -> float:
    started = time.monotonic()
    while not await condition():
        assert time.monotonic() - started < seconds, f"it took too long:\n{crowd.said()}"
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def test_clocks_that_are_wrong_and_jump_change_nothing(crowd: Crowd, database: Database, tenant: Tenant) -> None:
    first, second = [f"before-{n}" for n in range(20)], [f"after-{n}" for n in range(20)]
    effects = [f"slow {n}" for n in range(8)]
    (crowd.folder / FAILS_ONCE).touch()
    async with work(database, tenant.id) as unit:
        unit.emit(Poked(what=FAILS_ONCE, effect="failed once"), *(Poked(what=SLOW, effect=e) for e in effects))
        since = unit.at
    poked = time.monotonic()
    await until(lambda: _some_are_done(database, tenant), 15, crowd)
    receipts = await crowd.send(tenant, first)
    crowd.set_all(-WRONG)
    receipts += await crowd.send(tenant, second)
    assert receipts == {False: 40, True: 40}

    nodes = (await tenant.ask(SIGNALS))["signals"]["nodes"]
    assert Counter(node["properties"]["key"] for node in nodes) == Counter(first + second)
    scored = await until(lambda: _counts(tenant, 40), 15, crowd)
    await until(lambda: _are_done(database, tenant), 30 - (time.monotonic() - poked), crowd)
    retried = time.monotonic() - poked
    jobs = await jobs_of(database, tenant.id, actors.TYPE)
    assert Counter(job.attempts for job in jobs) == {1: len(effects), 2: 1}, "a lease was taken from a healthy worker"
    names = Counter(company.name for company in await rows_of(database, tenant.id, Company))
    assert names == Counter(["clocks.dev", "failed once", *effects])
    beats = await _heartbeats(database, since - timedelta(minutes=2))
    assert 1 <= len(beats) <= 3
    print(
        f"clocks 20 minutes apart that jump by 20: 40 signals sent twice are there once, scored {scored:.1f} s after; "
        f"{len(jobs)} jobs, one effect each, the failed one's {retried:.1f} s after; {len(beats)} heartbeats"
    )


async def test_workers_that_are_late_keep_their_leases(crowd: Crowd, database: Database, tenant: Tenant) -> None:
    """By the workers' own clocks each lease would be over before it began, and the relay's says so even more."""
    crowd.set("worker-1", -WRONG)
    crowd.set("worker-2", -WRONG)
    crowd.set("relay", WRONG)
    await asyncio.sleep(0.5)
    async with work(database, tenant.id) as unit:
        unit.emit(Poked(what=LONG, effect="long"))
    took = await until(lambda: _are_done(database, tenant), 20, crowd)
    [job] = await jobs_of(database, tenant.id, actors.TYPE)
    assert job.attempts == 1, "a lease was taken from a healthy worker"
    assert [company.name for company in await rows_of(database, tenant.id, Company)] == ["long"]
    print(f"workers 10 minutes late: a job of 2 s that was offered to both all the time was started once, {took:.1f} s")


async def test_a_session_of_one_process_holds_at_another_whose_clock_is_ten_minutes_off(
    crowd: Crowd, tenant: Tenant
) -> None:
    right = tenant.http  # the web process of the tests, whose clock is right
    for wrong, other in zip(crowd.webs, reversed(crowd.webs), strict=True):
        assert await _may_ask(wrong, tenant, tenant.access_token)
        said = {"email": tenant.email, "password": tenant.password}
        session = await _session(wrong, "login", LOGIN, said)
        assert await _may_ask(right, tenant, session["accessToken"])
        renewed = await _session(other, "refresh", REFRESH, {"refreshToken": session["refreshToken"]})
        assert await _may_ask(right, tenant, renewed["accessToken"])
    print("sessions: 10 minutes apart, each of two web processes honours the tokens of the one that is right, and back")


async def _session(web: AsyncClient, name: str, query: str, said: dict[str, str]) -> dict[str, str]:
    answer = (await web.post("/graphql", json={"query": query, "variables": {"input": said}})).json()
    session: dict[str, str] = answer["data"][name]["session"]
    return session


async def _may_ask(web: AsyncClient, tenant: Tenant, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}", "X-Organization-Id": tenant.public_id}
    answer = await web.post("/graphql", json={"query": SCORES}, headers=headers)
    return "errors" not in answer.json()


def _key(tenant: Tenant) -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant.key}"}


async def _have_started(crowd: Crowd) -> bool:
    return crowd.said().count('"event": "started"') == len(AHEAD | BEHIND) - len(crowd.webs)


async def _answers(web: AsyncClient) -> bool:
    try:
        return (await web.get("/readyz")).status_code == 200
    except HTTPError:
        return False


async def _counts(tenant: Tenant, signals: int) -> bool:
    """Whether the score of the one company that has signals counts so many."""
    scores = [node["score"] for node in (await tenant.ask(SCORES))["companies"]["nodes"]]
    return signals in [factor["evidence"].get("count") for score in scores if score for factor in score["factors"]]


async def _are_done(database: Database, tenant: Tenant) -> bool:
    """Also offers those that are under way to the other worker, as a queue does that delivers more than once."""
    jobs = await jobs_of(database, tenant.id, actors.TYPE)
    await asyncio.to_thread(send_all, [(tenant.id, job.id) for job in jobs if job.status == JobStatus.RUNNING])
    return bool(jobs) and {job.status for job in jobs} == {JobStatus.SUCCEEDED}


async def _some_are_done(database: Database, tenant: Tenant) -> bool:
    await _are_done(database, tenant)
    return JobStatus.SUCCEEDED in [job.status for job in await jobs_of(database, tenant.id, actors.TYPE)]


async def _heartbeats(database: Database, since: datetime) -> list[str]:
    """The times of the heartbeats that are done: each once, and none of a time that has not come."""
    beats = [beat for beat in await jobs_of(database, SYSTEM, "system.heartbeat") if beat.created_at > since]
    assert {(beat.status, beat.attempts) for beat in beats} == {(JobStatus.SUCCEEDED, 1)}
    assert all(
        timedelta(0) <= beat.created_at - datetime.fromisoformat(beat.key) < timedelta(minutes=2) for beat in beats
    )
    return [beat.key for beat in beats]
