"""`python -m bench`: measures our server beside its limits and leaves the figures in bench/out/latest.json."""

import argparse
import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from alembic import command

from app.cli.migrate import alembic_config
from app.core.db import Database
from app.core.embedded import EngineError, Engines, Leash, engines
from bench import hostile, ingest, live, load, report
from bench.dataset import COMPANIES, fill
from bench.processes import BenchError, Process, running
from bench.report import Row
from bench.shapes import SHAPES, measure


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: times are of one round of one side."""

    rounds: int = 5
    seconds: float = 1.5
    sends: int = 200
    load_seconds: float = 60


QUICK = Plan(rounds=3, seconds=0.4, sends=40, load_seconds=10)
PARTS = {shape.name.lower() for shape in SHAPES} | {"hostile", "ingest", "live", "load"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help=f"1 is {COMPANIES:,} companies")
    parser.add_argument("--quick", action="store_true", help="under a minute, on a smaller database")
    parser.add_argument(
        "--only", default="", help="parts by name, separated by commas: Q1, Q2, Q3, Q4, hostile, ingest, live, load"
    )
    chosen = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("the benchmark reads the CPU time of other processes as Linux tells it, and runs there alone")
    if not 0.01 <= chosen.scale <= 50:
        sys.exit("--scale must be from 0.01 to 50")
    scale = min(chosen.scale, 0.25) if chosen.quick else chosen.scale
    only = {name.strip().lower() for name in chosen.only.split(",") if name.strip()}
    if unknown := only - PARTS:
        sys.exit(f"--only knows {', '.join(sorted(PARTS))}, not {', '.join(sorted(unknown))}")
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="devsignal-bench-"))
            folder.chmod(0o755)  # the engines' account passes through
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            started = stack.enter_context(engines(folder, durable=True))
            leash = stack.enter_context(Leash())
            rows = asyncio.run(_measured(folder, started, leash, QUICK if chosen.quick else Plan(), scale, only))
    except (BenchError, EngineError) as error:
        sys.exit("\n".join([f"the benchmark stopped: {error}", *getattr(error, "__notes__", ())]))
    except KeyboardInterrupt:
        sys.exit("interrupted")
    report.show(rows)
    report.write(rows)


async def _measured(
    folder: Path, started: Engines, leash: Leash, plan: Plan, scale: float, only: set[str]
) -> list[Row]:
    environment = {"DATABASE_URL": started.database_url, "REDIS_URL": started.redis_url, "DEVSIGNAL_ENV": "development"}
    os.environ.update(environment, DATABASE_MIGRATION_URL=started.database_url)
    await asyncio.to_thread(command.upgrade, alembic_config(), "head")
    begun = time.monotonic()
    async with Database.open(started.database_url, pool_size=2, statement_timeout_ms=120_000) as database:
        tenants = await fill(started.database_url, database, scale)
    _say(f"filled the database in {time.monotonic() - begun:.0f} s")

    def process(name: str, module: str, *options: str, serves: bool = False) -> AbstractContextManager[Process]:
        log = folder / f"{name}.log"
        return running(leash, name, module, *options, log=log, environment=environment, serves=serves)

    rows: list[Row] = []
    with process("web", "graph", "serve", serves=True) as web:
        if not only or "live" in only:
            with process("relay", "workers", "relay"), process("worker", "workers", "run"):
                rows += await live.measure(web, tenants, sends=plan.sends)
                _say("measured live delivery")
        if not only or "hostile" in only:
            rows += await hostile.measure(web, tenants[0])
            _say("measured hostile requests")
        with process("reference", "bench.reference", serves=True) as reference:
            for shape in SHAPES:
                if not only or shape.name.lower() in only:
                    rows += await measure(shape, web, reference, tenants, rounds=plan.rounds, seconds=plan.seconds)
                    _say(f"measured {shape.name}")
            if not only or "ingest" in only:
                rows += await ingest.singles(web, reference, tenants, rounds=plan.rounds, seconds=plan.seconds)
                rows += await ingest.batches(
                    web, started.database_url, tenants, rounds=plan.rounds, seconds=plan.seconds
                )
                _say("measured ingest")
            if not only or "load" in only:
                async with Database.open(started.database_url, pool_size=2) as database:
                    with process("relay", "workers", "relay") as relay, process("worker", "workers", "run") as worker:
                        installation = load.Installation(web, relay, worker, database)
                        rows += await load.measure(installation, reference, tenants, seconds=plan.load_seconds)
                _say("measured load")
    return rows


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
