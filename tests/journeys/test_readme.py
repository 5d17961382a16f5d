"""The README's walk, as printed: each command is run against `devsignal up`, each answer compared."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.web import free_port

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|json|\n)(.*?)^```", re.MULTILINE | re.DOTALL)
VARY = frozenset({"signalId", "contactId", "companyId", "eventCursor", "expiresAt", "extensions", "cursor"})
READY_SECONDS = 60


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A folder with everything running in it, as after `make run`; the environment for the README's commands."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "up", "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    own |= {"PYTHONPATH": str(ROOT), "FOLDER": str(tmp_path), "PORT_IN_USE": str(port)}
    own.pop("DATABASE_MIGRATION_URL", None)
    with (tmp_path / "up.log").open("w+") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=own, stdout=log, stderr=log)
        try:
            _wait_for(lambda: "DevSignal is ready" in (tmp_path / "up.log").read_text(), process)
            yield own
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0


def test_the_walk_works_as_printed(walk: dict[str, str]) -> None:
    exports, first, feed, send, why, login = (text for kind, text in _blocks(walk) if kind == "sh")
    ready, receipt, factors, session = (json.loads(text) for kind, text in _blocks(walk) if kind == "json")
    event = next(text for kind, text in _blocks(walk) if kind == "\n" and text.startswith("event:"))

    assert _same(_run(walk, exports, first), ready, VARY | {"score"})  # the demo's scores decay by the day
    watching = _start(walk, exports, feed)
    time.sleep(1)  # the subscription starts from the moment it is made
    assert _same(_run(walk, exports, send), receipt)
    assert _same(_event(watching), _data(event))
    assert _same(_run(walk, exports, why), factors)
    assert _same(_run(walk, exports, login), session)


def _blocks(walk: dict[str, str]) -> list[tuple[str, str]]:
    text = (ROOT / "README.md").read_text().split("## The first ten minutes")[1]
    return [(kind, body.replace(":8000", f":{walk['PORT_IN_USE']}")) for kind, body in BLOCK.findall(text)]


def _start(walk: dict[str, str], *scripts: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["/bin/sh", "-ec", "\n".join(scripts)], cwd=walk["FOLDER"], env=walk, stdout=subprocess.PIPE, text=True
    )


def _run(walk: dict[str, str], *scripts: str) -> Any:
    with _start(walk, *scripts) as process:
        out, _ = process.communicate(timeout=20)
    return json.loads(out)


def _event(watching: subprocess.Popen[str]) -> Any:
    assert watching.stdout is not None
    with contextlib.closing(watching.stdout) as lines:
        data = next(line for line in lines if line.startswith("data:"))
    watching.terminate()
    watching.wait(5)
    return _data(data)


def _data(event: str) -> Any:
    return json.loads(re.search(r"^data: (.*)$", event, re.MULTILINE)[1])  # type: ignore[index]


def _same(seen: Any, printed: Any, vary: frozenset[str] = VARY) -> bool:
    """Equal but for ids, times and costs."""
    if isinstance(printed, dict):
        assert seen.keys() == printed.keys(), seen
        return all(name in vary or _same(seen[name], value, vary) for name, value in printed.items())
    if isinstance(printed, list):
        assert len(seen) == len(printed), seen
        return all(_same(one, other, vary) for one, other in zip(seen, printed, strict=True))
    assert seen == printed
    return True


def _wait_for(condition: Any, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, "devsignal up did not get ready"
        time.sleep(0.1)
