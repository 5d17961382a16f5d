"""The queue keeps its own time: a process whose clock is wrong takes nobody for dead."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import dramatiq
import pytest
import time_machine

from app.core.config import Settings
from app.core.ids import new_id
from workers import broker as queue

WRONG = timedelta(minutes=10)


@pytest.fixture
def brokers(chosen_settings: Settings) -> Iterator[tuple[Any, Any]]:
    """Those of two processes."""
    before = dramatiq.get_broker()
    made: tuple[Any, Any] = (queue.broker.__wrapped__(), queue.broker.__wrapped__())
    made[0].client.flushdb()
    yield made
    dramatiq.set_broker(before)


@pytest.mark.parametrize("direction", [-1, 1])
def test_a_broker_whose_clock_is_wrong_leaves_the_messages_of_others_alone(
    brokers: tuple[Any, Any], direction: int
) -> None:
    mine, theirs = brokers
    job = new_id()
    with _clock(-direction * WRONG):
        mine.do_enqueue(queue.QUEUE, str(job), b"message")
        assert mine.do_fetch(queue.QUEUE, 5) == [b"message"]
    with _clock(direction * WRONG):
        assert theirs.do_fetch(queue.QUEUE, 5) == []
    [heard, _] = mine.client.zrange(f"{queue.NAMESPACE}:__heartbeats__", 0, -1, withscores=True)
    assert abs(heard[1] / 1_000 - datetime.now(UTC).timestamp()) < 5


def test_a_message_has_the_id_of_its_job(brokers: tuple[Any, Any], chosen_settings: Settings) -> None:
    job = new_id()
    for _ in range(2):
        queue.send(UUID(int=1), job)
    mine, _ = brokers
    assert mine.client.hkeys(f"{queue.NAMESPACE}:{queue.QUEUE}.msgs") == [str(job).encode()]


def _clock(wrong: timedelta) -> Any:
    return time_machine.travel(datetime.now(UTC) + wrong, tick=True)
