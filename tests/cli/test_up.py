"""`devsignal up` as a person meets it: a real process, real engines, real signals."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.embedded import Place, claim

UP = [sys.executable, "-m", "app.cli", "up"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment() -> dict[str, str]:
    """Ours without what would point the command at servers of others."""
    named = ("DATABASE_URL", "DATABASE_MIGRATION_URL", "REDIS_URL", "PORT", "DEVSIGNAL_DATA_DIR")
    return {name: value for name, value in os.environ.items() if name not in named}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "data"
    yield place
    if (place / "engines.json").exists():
        Place(place).remove()


def start(folder: Path, port: int, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*UP, "--data-dir", str(folder), "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_until_ready(process: subprocess.Popen[str]) -> str:
    """Everything it printed up to the line that ends its greeting."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops everything" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def children_of(pid: int) -> dict[int, str]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child): Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in found}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_busy_port_is_refused_before_anything_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = start(folder, port)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output.startswith(f"Port {port} on 127.0.0.1 cannot be used")
    assert "--port" in output
    assert sorted(path.name for path in folder.iterdir()) == ["lock"]


def test_a_second_start_on_the_same_folder_is_refused(folder: Path) -> None:
    with claim(folder):
        process = start(folder, free_port())
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output == f"another devsignal (process {os.getpid()}) is already running on {folder}\n"


def test_a_mistake_in_the_settings_is_told_in_a_sentence(folder: Path) -> None:
    process = subprocess.run(
        [*UP, "--data-dir", str(folder), "--port", str(free_port())],
        env={
            **environment(),
            "DEVSIGNAL_SECRET_KEY": "c2hvcnQ=",
            "REDIS_URL": "redis://h",
            "DATABASE_URL": "p",
        },
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert process.returncode == 1
    assert process.stderr == "DEVSIGNAL_SECRET_KEY must be at least 32 bytes in URL-safe base64\n"


def test_up_runs_everything_and_stops_cleanly_on_ctrl_c(folder: Path) -> None:
    port = free_port()
    process = start(folder, port)
    greeting = wait_until_ready(process)
    known = json.loads((folder / "demo.json").read_text())
    assert f"http://127.0.0.1:{port}/graphql" in greeting
    assert all(known[name] in greeting for name in ("email", "password", "apiKey"))
    children = children_of(process.pid)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert process.returncode == 0
    assert output.endswith("Stopped\n")
    assert not [command for pid, command in children.items() if is_running(pid)]
    assert not (folder / "env").exists()


def test_up_restarts_what_dies_and_survives_its_own_death(folder: Path) -> None:
    port = free_port()
    process = start(folder, port, "--no-demo")
    wait_until_ready(process)
    secret = (folder / "secret.key").read_text()
    web = next(pid for pid, command in children_of(process.pid).items() if "graph serve" in command)
    os.kill(web, signal.SIGKILL)
    wait_for(lambda: not answers(port))
    wait_for(lambda: answers(port))
    children = children_of(process.pid)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(is_running(pid) for pid in children))
    again = start(folder, port, "--no-demo")
    wait_until_ready(again)
    assert answers(port)
    assert (folder / "secret.key").read_text() == secret
    again.terminate()
    assert again.communicate(timeout=20)[0].endswith("Stopped\n")


def test_a_supervisor_that_was_killed_can_be_started_again_at_once(folder: Path) -> None:
    port = free_port()
    first = start(folder, port, "--no-demo")
    wait_until_ready(first)
    first.kill()
    first.communicate()
    second = start(folder, port, "--no-demo")
    wait_until_ready(second)
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=20)
    assert second.returncode == 0
