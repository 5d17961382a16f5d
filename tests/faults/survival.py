"""What must hold of signals that were sent, and of a feed that was followed, while something went wrong."""

from collections.abc import Callable

from tests.faults.followers import Follower, following, missed
from tests.faults.installation import Installation
from tests.faults.senders import Sender, begin, counted, effects, sending, stored

RECOVERY_SECONDS = 15
UNDONE = "SELECT type, status, attempts, run_at - now() AS due, error FROM jobs WHERE status <> 'SUCCEEDED'"


def survives(installation: Installation, name: str, fault: Callable[[], None]) -> None:
    """Does the fault in the middle of ingest and under a live feed, and checks that neither shows a trace of it."""
    beginning = begin(installation, name)
    with following(installation, beginning) as follower:
        with sending(installation, name) as sender:
            fault()
        installation.wait_until_ready()
        keys = stored(installation, name)
        _check_stored(sender, keys)
        took = installation.wait_for(lambda: counted(installation, name) == len(keys), RECOVERY_SECONDS)
        took += _until_all_had_their_effect(installation, beginning)
        _check_told(follower, keys)
    print(
        f"{name}: {len(keys)} signals, {sender.refused} tries refused, scored {took:.1f} s after; "
        f"feed lost {follower.losses} times: 0 missed, 0 twice"
    )


def _check_stored(sender: Sender, keys: list[str]) -> None:
    assert len(keys) == len(set(keys)), "a signal was stored twice"
    assert set(sender.acknowledged) <= set(keys), "an acknowledged signal is missing"
    assert sender.statuses <= {202, 503}, "trouble of an engine is no bug: clients are told to try again"
    assert not sender.impolite


def _until_all_had_their_effect(installation: Installation, beginning: str) -> float:
    try:
        took = installation.wait_for(lambda: effects(installation, beginning)["never"] == 0, RECOVERY_SECONDS)
    except AssertionError:
        raise AssertionError(f"left to do: {installation.rows(UNDONE)}") from None
    assert effects(installation, beginning)["twice"] == 0, "an event had its effect twice"
    return took


def _check_told(follower: Follower, keys: list[str]) -> None:
    assert not missed(follower, keys), "the feed left something out"
    assert [key for key, times in follower.received.items() if times > 1] == [], "the feed told something twice"
    assert set(follower.received) == set(keys)
    assert follower.codes <= {"UNAVAILABLE", "TIMEOUT"}, "trouble of an engine is no end of the feed"
