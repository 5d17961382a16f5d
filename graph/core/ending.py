"""Tasks that nobody waits for any more: cancelled until they have ended."""

import asyncio
from typing import Any


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancels the tasks and waits for their end.

    A task is cancelled again after a second: `asyncio.wait_for`, which libraries below use, may swallow it before
    Python 3.12, and a subscription would then go on for ever."""
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=1)
