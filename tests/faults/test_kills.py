"""`kill -9` in the middle of ingest: every acknowledged signal is there, once, scored, and told to who watches."""

import pytest

from tests.faults.installation import Installation
from tests.faults.survival import survives

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("victim", ["web", "worker", "relay", "scheduler", "valkey", "postgres"])
def test_what_was_acknowledged_survives_a_kill(installation: Installation, victim: str) -> None:
    survives(installation, f"kill-{victim}", lambda: installation.kill(victim))
