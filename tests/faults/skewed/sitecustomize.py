"""Every Python process that has this folder on its path lives by a wrong clock: by the seconds that stand in the file
which FAULTS_CLOCK names. When the file is changed, the clock jumps."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

CLOCK = Path(os.environ["FAULTS_CLOCK"])


class Skew:
    def __init__(self) -> None:
        self._seconds = 0.0
        self._travel: time_machine.travel | None = None

    def follow(self) -> None:
        wanted = float(CLOCK.read_text())
        if wanted == self._seconds:
            return
        if self._travel is not None:
            self._travel.stop()
        self._travel = time_machine.travel(datetime.now(UTC) + timedelta(seconds=wanted), tick=True)
        self._travel.start()
        self._seconds = wanted

    def keep_following(self) -> None:
        while True:
            time.sleep(0.1)
            self.follow()


skew = Skew()
skew.follow()
threading.Thread(target=skew.keep_following, daemon=True).start()
